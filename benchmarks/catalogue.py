"""How quick searching is in a large catalogue, on SQLite and PostgreSQL: generated datasets of 25 parameters each.

    python benchmarks/catalogue.py --datasets 1250000 --folder /scratch/catalogue
    python benchmarks/catalogue.py --datasets 20000 --on sqlite

1.25 million datasets of 25 parameters is what the ESRF's catalogue holds. The datasets are drawn by a seed: 47
instruments, 12 techniques, words of which the commonest is in a third of all, a quarter of them drafts of others.
Ranges are asked of numbers in memory, as of a portal that goes on. With `--folder` the catalogues are kept: a call that
was stopped goes on where it was, and a later one asks what is there. How quick filing is, each call measures in an
empty catalogue of its own.
Figures go to `benchmarks/results/catalogue/DATABASE.json`, and from there to docs/reference/catalogue-performance.md.
"""

import argparse
import json
import os
import platform
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import catalogue_page
import numpy as np
from catalogue_filling import DRAWN, HOW, SUBJECTS, fill, measure_filing
from database_server import SETTINGS, DatabaseServer

from tomarium.catalogue import Catalogue, Reader, open_catalogue, search
from tomarium.catalogue.number_columns import columns_of, keep_columns, read_columns
from tomarium.catalogue.queries import parameter_numbers, place_of

DATABASES = ("sqlite", "postgresql")
RANGE = "a range of 1 %"


def measure(
    ask: Callable[[random.Random], object], times: int, servers_s: Callable[[], float]
) -> dict[str, float]:
    """Ask several times, each for something else; milliseconds by the clock, and of the processors.

    Half as many are asked before, so that the database has in memory what it had after a while in use.
    """
    draw, before = random.Random(7), random.Random(6)
    for _ in range(max(1, times // 2)):
        ask(before)
    took, of_server = [], servers_s()
    for _ in range(times):
        start, busy = perf_counter(), process_time()
        ask(draw)
        took.append((1000 * (perf_counter() - start), 1000 * (process_time() - busy)))
    (p50, own), (p95, own_p95) = np.percentile(took, (50, 95), axis=0).tolist()
    server = 1000 * (servers_s() - of_server) / times
    return {"p50": p50, "p95": p95, "own_p50": own, "own_p95": own_p95, "server_mean": server}


def questions(
    catalogue: Catalogue, reader: Reader, count: int
) -> dict[str, Callable[[random.Random], object]]:
    """Name what is measured."""

    def find(words: str = "", **settings: object) -> object:
        return search(catalogue, reader, words, limit=24, **settings)  # type: ignore[arg-type]

    def pixel(draw: random.Random) -> dict[str, str]:
        low = draw.uniform(0.1, 40)
        return {"pixel": f"{low:.4g}..{low * 1.02:.4g} um"}

    def look_up(draw: random.Random) -> object:
        number = draw.randrange(min(count, DRAWN))
        with catalogue.reading() as connection:
            return [place_of(connection, reader, f"{subject}-{number:07d}") for subject in SUBJECTS]

    deep = find(offset=min(10_000 * 24, count // 2)).next  # type: ignore[attr-defined]
    one = lambda draw: draw.choice(SUBJECTS)  # noqa: E731
    return {
        "a word + facets": lambda draw: find(one(draw), facets=True),
        "two words + facets": lambda draw: find(f"{one(draw)} {draw.choice(HOW)}", facets=True),
        "a word of a third of all + facets": lambda draw: find("tomography", facets=True),
        "a word + instrument + facets": lambda draw: find(one(draw), filters={"instrument": "ID07"}, facets=True),
        "all + facets": lambda draw: find(facets=True),
        "an instrument and a year, without facets": lambda draw: find(
            filters={"instrument": f"ID{draw.randrange(47):02d}", "year": "2020"}
        ),
        RANGE: lambda draw: find(ranges=pixel(draw)),
        "a range of two thirds": lambda draw: find(ranges={"energy": f"10..{draw.randrange(60, 70)} keV"}),
        "two ranges": lambda draw: find(ranges={**pixel(draw), "energy": "20..25 keV"}),
        "two ranges of a half": lambda draw: find(ranges={"exposure": "<1s", "energy": "<30 keV"}),
        "a word + a range": lambda draw: find(one(draw), ranges=pixel(draw)),
        "16 look-ups of a record": look_up,
        "first page": lambda draw: find(),
        "10 000th page": lambda draw: find(after=deep),
        "first page of a word": lambda draw: find(one(draw)),
    }  # fmt: skip


def keep_numbers(
    catalogue: Catalogue, asking: dict[str, Callable[[random.Random], object]], servers_s: Callable[[], float]
) -> dict[str, float]:
    """Keep the numbers of ranges in memory, as a portal does that was asked before; tell what that takes."""
    keep_columns(
        catalogue, at_least=2**62
    )  # without a thread of its own, which would read beside what is measured
    for ask in asking.values():
        ask(random.Random(5))
    start, busy, of_server = perf_counter(), process_time(), servers_s()
    read_columns(catalogue)
    took = {"s": perf_counter() - start, "processors, s": process_time() - busy + servers_s() - of_server}
    with catalogue.reading() as connection:
        keys = parameter_numbers(connection)
        kept = columns_of(connection, [keys[name] for name in ("pixel_m", "energy_kev", "exposure_s")])
    assert kept is not None
    arrays = [kept.numbers, kept.kinds, kept.holders, kept.facets]
    arrays += [array for column in kept.values.values() for array in (column.numbers, column.parts)]
    return took | {"MB": sum(array.nbytes for array in arrays) / 1e6}


def sizes(catalogue: Catalogue) -> dict[str, int]:
    """Bytes of each table and index, and of all."""
    with catalogue.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            asked = (
                "SELECT relname, pg_relation_size(oid) + coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0) "
                "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
            )
            whole = "SELECT pg_database_size(current_database())"
        else:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            asked = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
            whole = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        parts = {name: int(size) for name, size in connection.exec_driver_sql(asked)}
        return {"all": int(connection.exec_driver_sql(whole).scalar_one())} | {
            name: size for name, size in sorted(parts.items(), key=lambda one: -one[1]) if size > 100_000
        }


@contextmanager
def opened(database: str, folder: Path) -> Iterator[tuple[Catalogue, dict[str, str], Callable[[], float]]]:
    """Open a catalogue; yield it, what its database is and was set to, and what its server has used of processors."""
    if database == "sqlite":
        with open_catalogue(folder / "catalogue.sqlite") as catalogue:
            yield catalogue, {"SQLite": sqlite3.sqlite_version}, lambda: 0.0
        return
    with (
        DatabaseServer(folder / "postgresql") as server,
        open_catalogue(server.address) as catalogue,
    ):
        with catalogue.engine.connect() as connection:
            version = str(connection.exec_driver_sql("SHOW server_version").scalar_one())
            told = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in SETTINGS}
        yield catalogue, {"PostgreSQL": version} | told, server.processor_s


def judge(database: str, folder: Path, empty: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """File into an empty catalogue, fill another one, ask it, and return the figures."""
    begun = perf_counter()

    def tell(line: str) -> None:
        print(f"  {perf_counter() - begun:5.0f} s  {line}", flush=True)

    print(f"{database}:", flush=True)
    with opened(database, empty) as (catalogue, _, servers_s):
        filing = measure_filing(catalogue, servers_s)
        tell(f"filing: {', '.join(f'{what} {told:.0f}' for what, told in filing.items())}")
    with opened(database, folder) as (catalogue, told, servers_s):
        filled = fill(catalogue, asked.datasets, tell)
        held = sizes(catalogue)
        tell(f"{held['all'] / 1e9:.2f} GB, {held['all'] / asked.datasets:.0f} bytes a dataset")
        answers, asking = {}, questions(catalogue, Reader(), asked.datasets)
        first = measure(asking[RANGE], asked.times, servers_s)
        tell(f"{RANGE}, before numbers are in memory: p50 {first['p50']:.1f}, p95 {first['p95']:.1f} ms")
        kept = keep_numbers(catalogue, asking, servers_s)
        tell(f"numbers in memory: {', '.join(f'{what} {told:.1f}' for what, told in kept.items())}")
        for name, ask in asking.items():
            answers[name] = measure(ask, asked.times, servers_s)
            tell(f"{name}: {', '.join(f'{kind} {took:.1f}' for kind, took in answers[name].items())} ms")
    return {
        "database": told,
        "machine": {
            "cores": os.cpu_count(),
            "load at the end": round(os.getloadavg()[0], 1),
            "Python": platform.python_version(),
            "when": datetime.now(UTC).date().isoformat(),
            "seconds": round(perf_counter() - begun),
        },
        "datasets": asked.datasets,
        "times": asked.times,
        "filing": filing,
        "filling, s": filled,
        "bytes": held,
        "answers": answers,
        "a range before numbers are in memory": first,
        "numbers in memory": kept,
    }


def main() -> None:
    """Fill catalogues, ask them, and write the figures and their page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=40, help="questions of each kind")
    parser.add_argument("--on", nargs="+", choices=DATABASES, default=DATABASES)
    parser.add_argument("--folder", type=Path, help="that keeps the catalogues; else they are thrown away")
    parser.add_argument(
        "--results", type=Path, help="folder of the figures; of less than a million, none by default"
    )
    asked = parser.parse_args()
    results = asked.results or (catalogue_page.RESULTS if asked.datasets >= 1_000_000 else None)
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o711)  # the server of PostgreSQL, which does not run as root, comes through
        for database in asked.on:
            folder = (asked.folder or Path(scratch)) / f"{asked.datasets}"
            folder.mkdir(parents=True, exist_ok=True)
            empty = Path(scratch) / f"filing-{database}"
            empty.mkdir()
            figures = judge(database, folder, empty, asked)
            if results:
                results.mkdir(parents=True, exist_ok=True)
                path = results / f"{database}.json"
                path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if results == catalogue_page.RESULTS:
        catalogue_page.write()


if __name__ == "__main__":
    main()
