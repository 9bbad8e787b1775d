"""The first look at a large scan: one slice, forty rotation axes, and the start of the command.

The scan is chunked by frames and packed with bitshuffle and LZ4, 12.6 GB unpacked by default; every frame holds the
same bytes, for only their number and size count here. Own time is what `tomarium slice` takes beyond reading the row
it needs, which is timed in a process of its own; both read what the page cache holds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import h5py
import hdf5plugin
import numpy as np

READ = """
import sys, time
import tomarium as tm
scan = tm.open(sys.argv[1])
row = scan.shape[1] // 2
start = time.perf_counter()
scan.projections.read(slice(0, scan.shape[0]), slice(row, row + 1))
print(time.perf_counter() - start)
"""
AXES = 40


def write_scan(path: Path, gigabytes: float, columns: int) -> int:
    """Write the scan; return the number of its frames."""
    random = np.random.default_rng(0)
    views = max(16, round(gigabytes * 1e9 / (2 * columns**2)))
    place = np.linspace(-1, 1, columns)
    mean = 8000 * np.exp(-2 * np.sqrt(np.clip(0.6 - place**2, 0, None)))
    frame = random.poisson(np.broadcast_to(mean, (columns, columns))).astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange"
        packed = hdf5plugin.Bitshuffle(cname="lz4")
        shape, chunk = (views, columns, columns), (1, columns, columns)
        data = file.create_dataset("exchange/data", shape, "u2", chunks=chunk, compression=packed)
        data[0] = frame
        _, content = data.id.read_direct_chunk((0, 0, 0))
        for number in range(1, views):
            data.id.write_direct_chunk((number, 0, 0), content)
        file["exchange/data_white"] = np.full((2, columns, columns), 8000, "u2")
        file["exchange/data_dark"] = np.full((2, columns, columns), 100, "u2")
        file["exchange/theta"] = np.arange(views) * 180 / views
        file["exchange/theta"].attrs["units"] = "deg"
    return views


def command(*words: str) -> Callable[[], float]:
    """Wall time of a `tomarium` command."""

    def once() -> float:
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "tomarium", *words], capture_output=True, check=False)
        taken = time.perf_counter() - start
        if done.returncode not in (0, 1):  # 1: done, with warnings
            raise SystemExit(f"tomarium {' '.join(words)} failed: {done.stderr.decode()}")
        return taken

    return once


def read(path: Path) -> float:
    """Wall time of reading the row."""
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=12.6, help="size of the scan, unpacked")
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path, picture = Path(name) / "scan.h5", str(Path(name) / "slice.png")
        views = write_scan(path, given.gigabytes, given.columns)
        axis = (given.columns - 1) / 2
        sweep = f"{axis - AXES // 2:g}:{axis + AXES // 2 - 1:g}:1"
        runs: dict[str, Callable[[], float]] = {
            "start of the command": command("slice", "--help"),
            "reading the row": lambda: read(path),
            "slice, axis given": command("slice", str(path), "--axis", f"{axis:g}", "-o", picture, "--force"),
            "slice, axis looked for": command("slice", str(path), "-o", picture, "--force"),
            f"{AXES} axes": command("slice", str(path), "--axis-sweep", sweep, "-o", picture),
        }
        taken: dict[str, list[float]] = {what: [] for what in runs}
        for run in runs.values():
            run()
        for _ in range(given.rounds):
            for what, run in runs.items():
                taken[what].append(run())
        packed = path.stat().st_size
    own = [a - b for a, b in zip(taken["slice, axis given"], taken["reading the row"], strict=True)]
    found = {
        "views": views,
        "columns": given.columns,
        "bytes": 2 * views * given.columns**2,
        "packed_bytes": packed,
        "seconds": {what: median(values) for what, values in taken.items()},
        "spread": {what: (max(values) - min(values)) / median(values) for what, values in taken.items()},
        "own_s": median(own),
        "start_s": median(taken["start of the command"]),
        "axes_s": median(taken[f"{AXES} axes"]),
    }
    print(f"{views} frames of {given.columns} x {given.columns}, {packed / 1e9:.2f} GB packed")
    for what, seconds in found["seconds"].items():
        print(f"{what:28s} {seconds:.2f} s")
    print(f"{'own time of a slice':28s} {found['own_s']:.2f} s")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
