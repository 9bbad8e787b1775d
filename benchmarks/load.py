"""Many readers, uploads, a reconstruction and slow clients at once, on one portal: writes docs/reference/load.md.

    python benchmarks/load.py
    python benchmarks/load.py --readers 20 --seconds 10 --uploads 2 --files 2000 --records 20 --slow 30

Readers go around the doors of a portal: pages, searches, pictures, files, ranges of a file of 8 TB, archives; each
pauses a few seconds between two answers, as people do. Meanwhile files are uploaded and made records by a worker, a
scan is looked at and reconstructed by another, and slow clients hold connections: some send the head of a request a
letter a second, some a body that never ends, some take 1 kB of a large answer a second. Before that, a folder of
200,002 files is filed, listed and its ends asked for. The clients run on the same processors as the portal, so that
times are upper bounds. The aim is no error; it ends with status 1 where there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from time import monotonic, perf_counter
from typing import Any

import numpy as np
import tifffile
from bench import machine, shortened
from downloading import free_port, processor_s, started
from load_clients import (
    Answer,
    Client,
    Door,
    Told,
    jobs_done,
    reader,
    reconstruct,
    slow_body,
    slow_head,
    slow_taker,
    uploader,
)

from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.cli import execute
from tomarium.conversion.convert import convert
from tomarium.model import Axis, Volume
from tomarium.model.part import Part

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "load.json"
PAGE = ROOT / "docs" / "reference" / "load.md"
SPARSE_BYTES = 8_000_000_000_000
SPAN = 1 << 16
FRAMES = "volume.ome.zarr/frames"
WORDS = ("tooth", "bone", "sand", "fossil", "rock")
CREATED = datetime(2026, 11, 20, tzinfo=UTC)
DONE_S = 45.0
"""Seconds that the worker has after the readers have gone, for uploads that were handed in last."""
MOST_S = 220.0
"""Seconds that all of it takes: readers read for less than they are asked to where making the records took long."""


def make_records(home: Path, files: int, count: int) -> dict[str, float]:
    """File a volume, small records, a sparse file of 8 TB, and a folder of many files; what the last one took, s."""
    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    grey = np.random.default_rng(0).random((48, 64, 64), dtype=np.float32)
    tooth, sparse, many = (home / "records" / name for name in ("tooth", "sparse", "many"))
    tooth.mkdir(parents=True)
    convert(Volume(grey, axes), tooth / "volume.ome.zarr")
    file_record(tooth, title="Tooth under load", id="tooth", created=CREATED)
    sparse.mkdir(parents=True)
    (sparse / "huge.raw").write_bytes(bytes(1000))
    many.mkdir()
    convert(Volume(grey[:4], axes), many / "volume.ome.zarr")
    (many / FRAMES).mkdir()
    for number in range(files):
        (many / FRAMES / f"{number:06d}.raw").touch()
    took = {}
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, tooth)
        for number in range(count):
            folder = home / "records" / f"small-{number}"
            folder.mkdir()
            (folder / "notes.txt").write_text(f"note {number}")
            title = f"{WORDS[number % len(WORDS)].capitalize()} {number}"
            file_record(
                folder, title=title, id=folder.name, created=CREATED, parts=[Part("document", "notes.txt")]
            )
            ingest(catalogue, folder)
        file_record(sparse, title="8 TB", id="sparse", created=CREATED, parts=[Part("document", "huge.raw")])
        ingest(catalogue, sparse, checksums=False)
        start = perf_counter()
        file_record(many, title=f"{files} files", id="many", created=CREATED)
        ingest(catalogue, many, checksums=False)
        took["file a folder of many files"] = perf_counter() - start
    os.truncate(sparse / "huge.raw", SPARSE_BYTES)  # grown after its checksum, which would read all of it
    return took


def doors_of(home: Path, records: int) -> list[Door]:
    """List what readers ask for, with what each answer has to be."""
    tooth = home / "records" / "tooth"
    chunks = sorted(
        one.relative_to(tooth).as_posix()
        for one in (tooth / "volume.ome.zarr" / "0" / "c").rglob("*")
        if one.is_file()
    )
    digests: dict[str, str] = {}

    def found(_which: int, answer: Answer) -> str:
        return "" if answer.status == 200 and answer.content else f"{answer.status} {answer.content[:100]!r}"

    def the_same(which: int, answer: Answer) -> str:
        """The same bytes at each time."""
        digest = hashlib.sha256(answer.content).hexdigest()
        kept = digests.setdefault(answer.headers.get("etag", ""), digest)
        return found(which, answer) or ("" if kept == digest else "other bytes under the same tag")

    def of_chunk(which: int, answer: Answer) -> str:
        whole = (tooth / chunks[which % len(chunks)]).read_bytes()
        return found(which, answer) or ("" if answer.content == whole else "other bytes than the file has")

    def of_range(_which: int, answer: Answer) -> str:
        return (
            "" if (answer.status, answer.content) == (206, bytes(SPAN)) else f"{answer.status}, other bytes"
        )

    def span(which: int) -> tuple[str, dict[str, str]]:
        first = (which * 7919 * SPAN) % (SPARSE_BYTES - SPAN)
        return "/records/sparse/files/huge.raw", {"Range": f"bytes={first}-{first + SPAN - 1}"}

    def at(address: Callable[[int], str]) -> Callable[[int], tuple[str, dict[str, str]]]:
        return lambda which: (address(which), {})

    return [
        Door("first page", 5, at(lambda _: "/"), found),
        Door("page of a record", 20, at(lambda which: f"/records/small-{which % records}"), found),
        Door("page of a volume", 10, at(lambda _: "/records/tooth"), found),
        Door("search", 10, at(lambda which: f"/records?q={WORDS[which % len(WORDS)]}"), found),
        Door("search, as JSON", 5, at(lambda which: f"/records.json?q={WORDS[which % len(WORDS)]}"), found),
        Door("slice", 10, at(lambda which: f"/records/tooth/pictures/slices/z-{which % 48}.png"), found),
        Door("chunk of a volume", 20, at(lambda n: f"/records/tooth/files/{chunks[n % len(chunks)]}"), of_chunk),
        Door("range of a file of 8 TB", 10, span, of_range),
        Door("archive", 4, at(lambda _: "/records/tooth/download.zip"), the_same),
        Door("metadata for DataCite", 3, at(lambda _: "/records/tooth/metadata/datacite"), found),
        Door("folder of many files", 1, at(lambda _: f"/records/many/folders/{FRAMES}"), found),
        Door("feed", 2, at(lambda _: "/feed.atom"), found),
    ]  # fmt: skip


async def edges(port: int, files: int, told: Told) -> dict[str, float]:
    """Ask for the ends of the 8 TB, and list the folder of many files; seconds."""
    client, took = Client(port), {}

    async def ask(what: str, path: str, headers: dict[str, str] | None = None) -> Answer:
        start = perf_counter()
        answer = await client.ask("GET", path, headers)
        took[what] = perf_counter() - start
        if answer.status not in (200, 206):
            told.errors[f"{what}: {answer.status}"] += 1
        return answer

    last = await ask(
        "last bytes of 8 TB", "/records/sparse/files/huge.raw", {"Range": f"bytes={SPARSE_BYTES - 100}-"}
    )
    page = await ask("first page of the folder of many files", f"/records/many/folders/{FRAMES}")
    await ask("all of that folder, as JSON", f"/records/many/folders/{FRAMES}.json")
    await ask("last of the many files", f"/records/many/files/{FRAMES}/{files - 1:06d}.raw")
    ranged = {"Range": "bytes=0-99"}
    head = await ask("first bytes of the archive of the many files", "/records/many/download.zip", ranged)
    if last.content != bytes(100) or b"000000.raw" not in page.content or head.content[:2] != b"PK":
        told.errors["edges: other bytes than were filed"] += 1
    client.close()
    return took


async def load(asked: argparse.Namespace, port: int, home: Path, told: Told) -> dict[str, Any]:
    """Let all of them at the portal at once."""
    took = await edges(port, asked.files, told)
    content = (home / "up.tif").read_bytes()
    end = monotonic() + asked.seconds
    slow = asked.slow // 3
    sparse = "/records/sparse/files/huge.raw"
    doors = doors_of(home, asked.records)
    readers = [
        asyncio.create_task(reader(port, number, doors, end, asked.pause, told))
        for number in range(asked.readers)
    ]
    others = [
        *(asyncio.create_task(slow_head(port, end, told)) for _ in range(asked.slow - 2 * slow)),
        *(asyncio.create_task(slow_body(port, end, told)) for _ in range(slow)),
        *(asyncio.create_task(slow_taker(port, sparse, end, told)) for _ in range(slow)),
    ]
    uploads = [
        asyncio.create_task(uploader(port, number, content, end, asked.pause / 4, told))
        for number in range(asked.uploads)
    ]
    volume = asyncio.create_task(reconstruct(port, f"path:{home / 'scans' / 'scan.h5'}", told))
    jobs = [number for one in uploads for number in await one]
    await asyncio.gather(*readers, *others)
    until = monotonic() + DONE_S
    made = await jobs_done(port, jobs, until, told)
    try:
        reconstructed = await asyncio.wait_for(volume, max(1.0, until - monotonic()))
    except TimeoutError:
        told.errors["reconstruction: was not done in time"] += 1
        reconstructed = {"state": "not done"}
    return {"edges_s": took, "uploads": len(jobs), "uploads_filed": made, "reconstruction": reconstructed}


def peak_bytes(process: Popen[bytes]) -> int:
    """Return the most memory that a process had at once."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def figures_of(told: Told, seconds: float) -> dict[str, Any]:
    """Put the times in order: each door's answers, and the seconds within which 50, 95 and 99 of 100 came."""
    doors = {}
    every = [one for times in told.seconds.values() for one in times]
    for name, times in [*told.seconds.items(), ("all", every)]:
        ordered = sorted(times)
        quantiles = {
            f"p{part}_s": ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 95, 99)
        }
        doors[name] = {"answers": len(ordered), **quantiles, "longest_s": ordered[-1]}
        if told.bytes[name]:
            doors[name]["megabytes"] = told.bytes[name] / 1e6
    return {
        "doors": doors,
        "answers_per_s": len(every) / seconds,
        "errors": sum(told.errors.values()),
        "told": dict(told.errors.most_common(20)),
        "slow": dict(told.others),
    }


def page_of(told: dict[str, Any]) -> str:
    """Write the page of the docs."""
    given, figures, here = told["given"], told["figures"], told["machine"]
    rows = [
        f"| {name} | {one['answers']} | {one['p50_s']:.3f} | {one['p95_s']:.3f} | {one['p99_s']:.3f} | "
        f"{one['longest_s']:.3f} |"
        for name, one in figures["doors"].items()
    ]
    edges = [
        f"| {what} | {seconds:.3f} |"
        for what, seconds in {**figures["filed_s"], **figures["edges_s"]}.items()
    ]
    errors = [f"* {count} × {what}" for what, count in figures["told"].items()]
    volume = figures["reconstruction"]
    return "\n".join(
        [
            "# A portal under load",
            "",
            "Written by `make load`: everything at once, on one portal of one process, with SQLite. "
            f"{given['readers']} readers go around its doors for {given['seconds']:g} s, each pausing "
            f"{given['pause']:g} s on the average; {given['uploads']} clients upload a file of 8 MB again and again, "
            "which a worker makes records of; another worker reconstructs a scan that was asked for on the page; "
            f"{given['slow']} slow clients send the head of a request a letter a second, a body that never ends, or "
            "take 1 kB of a file of 8 TB a second. The clients share the processors with the portal and its workers, "
            "so that times are upper bounds. Contents of files, ranges and archives are compared.",
            "",
            f"Measured {told['date']} on {here['processors']} processors ({here['processor']}); the load of the "
            f"machine before it began was {told['load_before']}.",
            "",
            f"**{figures['errors']} errors** in {figures['doors']['all']['answers']} answers, "
            f"{figures['answers_per_s']:.0f} a second. {figures['uploads_filed']} of {figures['uploads']} uploads "
            f"became records; the reconstruction ended as “{volume['state']}”"
            + (f" after {volume['volume_s']:.0f} s" if "volume_s" in volume else "")
            + f". The portal took {figures['processor_s']:.0f} s of a processor and "
            f"{figures['peak_bytes'] / 1e6:.0f} MB of memory at most.",
            "",
            *errors,
            *([""] if errors else []),
            "| Asked | Answers | p50, s | p95, s | p99, s | Longest, s |",
            "|---|---:|---:|---:|---:|---:|",
            *rows,
            "",
            "Slow clients: "
            + ("; ".join(f"{what}: {count}" for what, count in sorted(figures["slow"].items())) or "none")
            + ".",
            "",
            f"Before the load, with nobody else there, of a file of 8 TB and a folder of {given['files']} files:",
            "",
            "| What | s |",
            "|---|---:|",
            *edges,
            "",
        ]
    )


def main() -> int:
    """Make records, serve them, load the portal, and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=200, help="at once")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two answers of a reader")
    parser.add_argument("--uploads", type=int, default=10, help="at once, of a file of 8 MB")
    parser.add_argument("--slow", type=int, default=300, help="slow clients at once, a third of each kind")
    parser.add_argument("--files", type=int, default=200_002, help="in one folder")
    parser.add_argument("--records", type=int, default=200, help="small records besides")
    parser.add_argument("--seconds", type=float, default=75.0, help="how long readers read")
    parser.add_argument(
        "--json", type=Path, default=RESULTS, help="figures; benchmarks/results/load.json by default"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="docs/reference/load.md by default")
    asked = parser.parse_args()
    begun, before, told = monotonic(), os.getloadavg()[0], Told()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["TOMARIUM_HOME"] = str(home)
        filed = make_records(home, asked.files, asked.records)
        grey = np.random.default_rng(1).integers(0, 60000, (32, 352, 352), dtype=np.uint16)
        tifffile.imwrite(
            home / "up.tif", grey, imagej=True, resolution=(1.0, 1.0), metadata={"axes": "ZYX", "unit": "um"}
        )
        (home / "scans").mkdir()
        scan = home / "scans" / "scan.h5"
        if execute(["simulate", str(scan), "--size", "256", "--views", "360", "--rows", "64"]):
            return 1
        port = free_port()
        words = ["tomarium", "serve", "--port", str(port), "--catalogue", str(home / "catalogue.sqlite")]
        words += ["--scans", str(scan.parent)]
        server = started(words, port, home)
        worker = Popen(
            [sys.executable, "-m", "tomarium", "worker", "--only", "file upload", "--catalogue", words[5]],
            cwd=home,
        )
        try:
            asked.seconds = round(min(asked.seconds, max(10.0, MOST_S - DONE_S - (monotonic() - begun))), 1)
            found = asyncio.run(load(asked, port, home, told))
            if server.poll() is not None:
                told.errors[f"the portal ended with status {server.returncode}"] += 1
                used, peak = 0.0, 0
            else:
                used, peak = processor_s(server), peak_bytes(server)
        finally:
            for one in (worker, server):
                one.terminate()
                one.wait()
    figures = {
        **figures_of(told, asked.seconds),
        **found,
        "filed_s": filed,
        "processor_s": used,
        "peak_bytes": peak,
    }
    given = {
        name: getattr(asked, name)
        for name in ("readers", "pause", "uploads", "slow", "files", "records", "seconds")
    }
    kept = shortened(
        {
            "topic": "load",
            "seconds": round(monotonic() - begun, 1),
            "command": "make load",
            "date": datetime.now(UTC).date().isoformat(),
            "load_before": round(before, 2),
            "given": given,
            "machine": machine(),
            "figures": figures,
        }
    )
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    asked.page.write_text(page_of(kept), encoding="utf-8")
    print(page_of(kept))
    return int(bool(told.errors))


if __name__ == "__main__":
    sys.exit(main())
