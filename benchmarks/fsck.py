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
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from tomarium.catalogue import file_record, open_catalogue
from tomarium.catalogue.rebuild import rebuild
from tomarium.model.part import Part
from tomarium.standards.ro_crate import FILENAME


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


def check(home: Path, count: int) -> None:
    """Index all, and measure the command."""
    start = perf_counter()
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        rebuilt = rebuild(catalogue, [home / "records"])
    assert (len(rebuilt.ids), rebuilt.problems) == (count, ()), rebuilt.problems[:3]
    indexed_s = perf_counter() - start
    command = [sys.executable, "-m", "tomarium", "fsck", "--catalogue", str(home / "catalogue.sqlite")]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{count} records: indexed in {indexed_s:.0f} s; fsck {perf_counter() - start:.1f} s ({busy:.1f} s of a "
        f"processor), {used.ru_maxrss / 1024:.0f} MiB at most, status {done.returncode}: "
        f"{(done.stdout + done.stderr).strip().splitlines()[-1:]}",
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
        check(home, few)
        make(home, few, asked.records)
        check(home, asked.records)


if __name__ == "__main__":
    main()
