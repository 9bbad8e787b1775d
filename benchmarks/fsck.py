"""How long `tomarium fsck` takes on a large catalogue, and how much memory: small records, copied and indexed.

    python benchmarks/fsck.py
    python benchmarks/fsck.py --records 10000

Time and memory are those of the command in a process of its own, of a tenth of the records and of all of them: memory
should be the same.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from sqlalchemy import insert, select

from tomarium.catalogue import file_record, ingest, open_catalogue, read_record
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.catalogue.tables import life
from tomarium.model.part import Part
from tomarium.standards.ro_crate import FILENAME

AT_ONCE = 2000


def make(home: Path, first: int, count: int) -> None:
    """Copy a record under other identifiers."""
    like = home / "like"
    if not like.exists():
        like.mkdir(parents=True)
        (like / "notes.txt").write_text("a note")
        file_record(
            like, title="Like it", id="record-0000000", created=datetime(2026, 11, 20, tzinfo=UTC),
            parts=[Part("document", "notes.txt")],
        )  # fmt: skip
    crate = (like / FILENAME).read_text(encoding="utf-8")
    for number in range(first, count):
        folder = home / "records" / f"record-{number:07d}"
        shutil.copytree(like, folder, copy_function=shutil.copyfile)
        (folder / FILENAME).write_text(crate.replace("record-0000000", folder.name), encoding="utf-8")


def index(home: Path, first: int, count: int) -> None:
    """File the first record, and write the rows of the others in bulk, as they would be filed."""
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        folder = home / "records" / f"record-{0:07d}"
        if not first:
            ingest(catalogue, folder)
        record = read_record(folder)
        with catalogue.writing() as connection:
            like = entry_of(connection, record, folder)
            lived = dict(connection.execute(select(life).where(life.c.record == record.id)).one()._mapping)
            for start in range(max(1, first), count, AT_ONCE):
                names = [f"record-{number:07d}" for number in range(start, min(count, start + AT_ONCE))]
                entries = [replace(like, row={**like.row, "id": name, "path": name}) for name in names]
                save_records(connection, entries)
                connection.execute(insert(life), [{**lived, "record": name} for name in names])


def check(home: Path, count: int) -> None:
    """Measure the command."""
    command = [sys.executable, "-m", "tomarium", "fsck", "--catalogue", str(home / "catalogue.sqlite")]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    told = (done.stdout + done.stderr).strip().splitlines()[-1:]
    print(
        f"{count} records: {perf_counter() - start:.1f} s ({busy:.1f} s of a processor), "
        f"{used.ru_maxrss / 1024:.0f} MiB at most, status {done.returncode}: {told}",
        flush=True,
    )


def main() -> None:
    """Make, index, check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["TOMARIUM_HOME"] = str(home)
        few = max(1, asked.records // 10)
        make(home, 0, few)
        index(home, 0, few)
        check(home, few)
        make(home, few, asked.records)
        index(home, few, asked.records)
        check(home, asked.records)


if __name__ == "__main__":
    main()
