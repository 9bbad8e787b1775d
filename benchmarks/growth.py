"""How time and memory of the default engine grow with columns, projections, rows and threads.

One of them at a time; the number of projections goes with that of columns, three for four. Every point is a process of
its own, whose peak of memory is read; the least of the rounds is the time.
"""

# ruff: noqa: E402

import os

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tomarium.array import processors


@dataclass(frozen=True)
class Point:
    """What is reconstructed."""

    varied: str
    columns: int = 1024
    views: int = 768
    rows: int = 32
    threads: int = 1


def points(quick: bool) -> list[Point]:
    """What is measured, the small first."""
    sizes = (128, 256, 512) if quick else (256, 512, 1024, 2048, 4096)
    middle = sizes[len(sizes) // 2]
    base = Point("", middle, middle * 3 // 4)
    made = [
        replace(base, varied="columns", columns=n, views=n * 3 // 4, rows=16 if n > 2048 else base.rows)
        for n in sizes
    ]
    made += [replace(base, varied="views", views=base.views * k // 4) for k in (1, 2, 4, 8, 16)]
    made += [replace(base, varied="rows", rows=rows) for rows in (1, 2, 4, 8, 16, 32, 64, 128)]
    threads = [1 << k for k in range(processors().bit_length()) if 1 << k <= processors()]
    return made + [replace(base, varied="threads", rows=16 * processors(), threads=one) for one in threads]


def peak_bytes() -> int:
    """The peak of this process's memory."""
    told = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in told.splitlines() if line.startswith("VmHWM")).split()[1])


def measure(point: Point, rounds: int) -> dict[str, Any]:
    """Reconstruct a disc in this process."""
    from tomarium.kernels.engines import peak_bytes as planned
    from tomarium.kernels.fbp import fbp

    place = np.linspace(-1, 1, point.columns)
    chord = np.sqrt(np.clip(0.7 - place**2, 0, None)).astype(np.float32)
    stack = np.empty((point.views, point.rows, point.columns), np.float32)
    stack[:] = chord
    before = peak_bytes()
    walls, cpus = [], []
    for _ in range(rounds + 1):
        start, cpu = time.perf_counter(), time.process_time()
        fbp(
            stack, np.arange(point.views) * 180 / point.views, (point.columns - 1) / 2, padding="zero",
            threads=point.threads,
        )  # fmt: skip
        walls.append(time.perf_counter() - start)
        cpus.append(time.process_time() - cpu)
    shape = (point.views, point.rows, point.columns, point.columns)
    return asdict(point) | {
        "wall_ms": 1e3 * median(walls[1:]) / point.rows,
        "cpu_ms": 1e3 * median(cpus[1:]) / point.rows,
        "spread": (max(walls[1:]) - min(walls[1:])) / median(walls[1:]),
        "bytes": peak_bytes() - before,
        "planned_bytes": planned("native", *shape, point.threads),
    }


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--point", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    given = parser.parse_args()
    if given.point:
        print(json.dumps(measure(Point(**json.loads(given.point)), given.rounds)))
        return
    found = []
    print(
        f"{'varied':>8s}{'columns':>9s}{'views':>7s}{'rows':>6s}{'threads':>9s}{'wall ms':>10s}{'peak MB':>9s}"
    )
    for point in points(given.quick):
        words = [
            sys.executable,
            __file__,
            "--rounds",
            str(given.rounds),
            "--point",
            json.dumps(asdict(point)),
        ]
        one = json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)
        found.append(one)
        print(f"{one['varied']:>8s}{one['columns']:9d}{one['views']:7d}{one['rows']:6d}{one['threads']:9d}"
              f"{one['wall_ms']:10.2f}{one['bytes'] / 1e6:9.0f}", flush=True)  # fmt: skip
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
