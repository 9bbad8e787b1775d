"""How quick searching is in a large catalogue: generated datasets of 25 parameters each, written in bulk.

    python benchmarks/catalogue.py --datasets 1250000
    python benchmarks/catalogue.py --catalogue postgresql://tomarium@db.example.org/empty

1.25 million datasets of 25 parameters is what the ESRF's catalogue holds. The datasets are drawn by a seed: 47
instruments, 12 techniques, words of which the commonest is in a third of all, a quarter of them drafts of others.
"""

import argparse
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from sqlalchemy import Connection, select

from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, open_catalogue, queries, search
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.index_rows import Entry, in_bulk, save_records
from tomarium.catalogue.numbers import SLOTS
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.record_totals import count_anew
from tomarium.catalogue.tables import LIVE, records
from tomarium.catalogue.words import fold
from tomarium.model import parameter

SUBJECTS = (
    *("bone", "tooth", "shell", "fossil", "rock", "wood", "seed", "leaf"),
    *("foam", "alloy", "battery", "catalyst", "paper", "brain", "lung", "heart"),
)
HOW = (
    *("fresh", "fixed", "dried", "frozen", "stained", "sectioned", "polished"),
    *("burnt", "loaded", "heated", "cooled", "soaked", "embedded", "cut"),
)
NAMES = [
    f"{first}{second}"
    for first in ("ka", "lo", "mi", "re", "su", "to")
    for second in ("rin", "vel", "mas", "dor")
]
TECHNIQUES = [f"PaNET{number:05d}" for number in (*range(1150, 1156), *range(1203, 1209))]
LICENCES = ("CC-BY-4.0", "CC0-1.0", "CC-BY-NC-4.0", "")
PARAMETERS = {  # label, numeric key, lowest and highest
    "Pixel size at the sample": ("pixel_m", 5e-8, 5e-5),
    "Photon energy": ("energy_kev", 5.0, 120.0),
    "Distance from sample to detector": ("distance_m", 0.01, 13.0),
    "Exposure time": ("exposure_s", 1e-3, 5.0),
    "Ring current": ("ring_current_ma", 20.0, 200.0),
    "Magnification": ("magnification", 1.0, 50.0),
    "Projections": ("projections", 300.0, 20000.0),
    "Flat fields": ("flats", 10.0, 200.0),
    "Dark fields": ("darks", 10.0, 200.0),
    "Detector rows": ("rows", 256.0, 4096.0),
    "Detector columns": ("columns", 256.0, 4096.0),
    "Rotation axis": ("axis_column", 128.0, 2048.0),
    "Angle step": ("angle_step_deg", 0.01, 1.0),
    "Ratio δ/β": ("delta_beta", 1.0, 3000.0),
    "Temperature": ("temperature_celsius", -100.0, 1500.0),
    "Load": ("load_n", 0.0, 1000.0),
    "Humidity": ("humidity_percent", 0.0, 100.0),
    "Undulator gap": ("gap_m", 0.005, 0.1),
}
OWNER = "somebody else"
YEARS_S = 380_000_000  # from the oldest to the newest
COPIED_WITHOUT = {
    "record_text": {"record_text_words": "USING gin (words)"},
    "parameter": {"parameter_number": "(key, number) INCLUDE (record)"},
}
DRAWN = 50_000  # datasets; more are copies of these


def entries(drawn: int, count: int, seed: int = 1) -> Iterator[Entry]:
    """Draw datasets: 18 numbers and 7 texts of each, over twelve years."""
    draw = random.Random(seed)
    numbers = np.random.default_rng(seed)
    lows = np.array([low for _, low, _ in PARAMETERS.values()])
    spans = np.array([high - low for _, low, high in PARAMETERS.values()])
    for start in range(0, drawn, 1000):
        block = lows + spans * numbers.random((min(1000, drawn - start), len(PARAMETERS))) ** 2
        for row in range(len(block)):
            yield _entry(start + row, count, [float(f"{value:.4g}") for value in block[row]], draw)


def _entry(number: int, count: int, values: Sequence[float], draw: random.Random) -> Entry:
    instrument = f"ID{int(47 * draw.random() ** 2):02d}"
    technique, licence = draw.choice(TECHNIQUES), draw.choice(LICENCES)
    subject, how, who = draw.choice(SUBJECTS), draw.choice(HOW), draw.choice(NAMES)
    common = "tomography " if draw.random() < 1 / 3 else ""
    created_utc = 1_400_000_000 + YEARS_S * number / count
    year = draw.randrange(2014, 2027)
    mine = draw.random() < 0.75
    shown = [
        f"{label} {parameter.show(key, value)}"
        for (label, (key, _, _)), value in zip(PARAMETERS.items(), values, strict=True)
    ]
    texts = [
        f"Sample {who}-{number % 9973}", f"Experimenter {draw.choice(NAMES)} {who}", f"Instrument {instrument}",
        f"Proposal ma-{number // 250}", f"Detector pco.{draw.choice(('edge', 'dimax'))}", "Scintillator LuAG",
        "Facility ESRF",
    ]  # fmt: skip
    row = {
        "id": f"{subject}-{number:07d}",
        "title": f"{how} {subject} of {who}, scan {number % 40}",
        "created": f"{year}-01-01T00:00:00+00:00",
        "created_utc": created_utc,
        "store": 1,
        "path": f"{subject}-{number:07d}",
        "bytes": 5_900_000_000,
        "thumbnail": "previews/thumbnail.png",
        "shape": [2048, 2048, 2048],
        "voxel_m": values[0],
        "state": "published" if mine else "draft",
        "owner": OWNER,
        "team": "",
        "public_from": created_utc if mine else None,
        "open_from": created_utc if mine else None,
        "doi": f"10.5072/{number:07d}" if mine else "",
        "licence": licence,
    }
    facets = {
        ("instrument", instrument),
        ("technique", technique),
        ("licence", licence),
        ("year", str(year)),
        ("facility", "ESRF"),
    }
    return Entry(
        row,
        description=f"Reconstructed volume of 2048 × 2048 × 2048 voxels; {common}{subject}, {how}, by {who}.",
        words="\n".join([f"{subject}, {how}", who, licence, *texts, *shown]),
        facets=tuple(sorted(one for one in facets if one[1])),
        numbers={key: value for (key, _, _), value in zip(PARAMETERS.values(), values, strict=True)},
    )


def fill(catalogue: Catalogue, count: int) -> float:
    """Write datasets in bulk, and return how many a second; beyond the first 50 000 they are copied at later dates."""
    drawn = list(entries(min(count, DRAWN), count))
    spent = 0.0
    with catalogue.writing() as connection, in_bulk(connection):
        for start in range(0, len(drawn), 2000):
            begun = process_time()
            save_records(connection, drawn[start : start + 2000])
            spent += process_time() - begun
        if len(drawn) < count and connection.dialect.name == "postgresql":  # made at once at the end
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
            for name in (index for names in COPIED_WITHOUT.values() for index in names):
                connection.exec_driver_sql(f"DROP INDEX {name}")
        texts = [
            tuple(" ".join(fold(text)) for text in (entry.row["title"], entry.words, entry.description))
            for entry in drawn
        ]
        for copy in range(1, -(-count // DRAWN)):
            _copy(connection, texts, copy, min(DRAWN, count - copy * DRAWN), YEARS_S * DRAWN // count)
            print(f"  {copy * DRAWN} datasets", flush=True)
        if len(drawn) < count and connection.dialect.name == "postgresql":
            for table, names in COPIED_WITHOUT.items():
                for name, told in names.items():
                    connection.exec_driver_sql(f"CREATE INDEX {name} ON {table} {told}")
        count_anew(connection, LIVE)
    return len(drawn) / spent


def _copy(
    connection: Connection, texts: Sequence[tuple[str, ...]], copy: int, rows: int, span_s: int
) -> None:
    """Write the first datasets once more, each a span later."""
    numbers = (
        connection.execute(select(records.c.number).order_by(records.c.number).limit(rows)).scalars().all()
    )
    span, shift, last = copy * span_s, copy * span_s * SLOTS, numbers[-1]

    def run(statement: str) -> None:
        connection.exec_driver_sql(statement)

    run(
        f"INSERT INTO record SELECT number + {shift}, id || '-{copy}', title, created, created_utc + {span}, store, "
        f"path || '-{copy}', bytes, thumbnail, shape, voxel_m, state, owner, team, public_from, "
        f"open_from, doi, licence, facets FROM record WHERE number <= {last} ORDER BY number"
    )
    run(
        f"INSERT INTO wording SELECT record + {shift}, description, words FROM wording WHERE record <= {last}"
    )
    run(
        f"INSERT INTO parameter SELECT key, record + {shift}, number FROM parameter "
        f"WHERE key IN (SELECT number FROM parameter_key) AND record <= {last}"
    )
    if connection.dialect.name == "postgresql":
        run(
            f"INSERT INTO record_text SELECT number + {shift}, words, plain, whole FROM record_text "
            f"WHERE number <= {last}"
        )
        return
    named = [dict(zip(("title", "keywords", "rest"), text, strict=True)) for text in texts]
    rows_of_text = [row | {"number": number + shift} for number, row in zip(numbers, named, strict=False)]
    dialect_of(connection).save_texts(connection, rows_of_text)


def measure(ask: Callable[[random.Random], object], times: int) -> tuple[float, ...]:
    """Ask several times, each for something else: median and 95th percentile of time by the clock and of CPU, ms."""
    draw = random.Random(7)
    ask(random.Random(6))
    took = []
    for _ in range(times):
        start, busy = perf_counter(), process_time()
        ask(draw)
        took.append((1000 * (perf_counter() - start), 1000 * (process_time() - busy)))
    return tuple(float(value) for value in np.percentile(took, (50, 95), axis=0).T.ravel())


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
        "a range of 1 %": lambda draw: find(ranges=pixel(draw)),
        "a range of two thirds": lambda draw: find(ranges={"energy": f"10..{draw.randrange(60, 70)} keV"}),
        "two ranges": lambda draw: find(ranges={**pixel(draw), "energy": "20..25 keV"}),
        "two ranges of a half": lambda draw: find(ranges={"exposure": "<1s", "energy": "<30 keV"}),
        "a word + a range": lambda draw: find(one(draw), ranges=pixel(draw)),
        "16 look-ups of a record": look_up,
        "first page": lambda draw: find(),
        "10 000th page": lambda draw: find(after=deep),
        "first page of a word": lambda draw: find(one(draw)),
    }  # fmt: skip


def _bytes(catalogue: Catalogue) -> int:
    with catalogue.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(catalogue.name).stat().st_size


def main() -> None:
    """Fill a catalogue, ask it, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=40, help="questions of each kind")
    parser.add_argument(
        "--keep", type=Path, help="folder that keeps the catalogue, and gives it the next time"
    )
    parser.add_argument(
        "--catalogue",
        help="postgresql:// address of an empty database; one that has datasets is asked as it is",
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.keep and given.keep.parent) as folder:
        place = given.catalogue or (given.keep or Path(folder)) / f"{given.datasets}.sqlite"
        with open_catalogue(place) as catalogue:
            with catalogue.reading() as connection:
                made = queries.count_records(connection, LOCAL_OWNER)
            rate = None if made else fill(catalogue, given.datasets)
            print(f"{given.datasets} datasets, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
            if rate is not None:
                print(f"bulk: {rate:.0f} datasets a second of CPU")
            print(f"{_bytes(catalogue) / 1e9:.2f} GB\n\n| question | p50 ms | p95 ms | CPU p50 | CPU p95 |")
            print("|---|---:|---:|---:|---:|")
            for name, ask in questions(catalogue, Reader(), given.datasets).items():
                print(
                    f"| {name} | " + " | ".join(f"{took:.1f}" for took in measure(ask, given.times)) + " |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
