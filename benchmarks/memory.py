"""How well a run keeps to its memory limit: the peak resident size of `tomarium run --memory` on a large volume.

python benchmarks/memory.py --memory 2GB --gigabytes 8
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tomarium import units
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import FrameKind, Geometry, Scan, Value
from tomarium.model.scan import Reference


@dataclass(frozen=True)
class NoiseFrames:
    """Frames of noise behind a disc, made when they are read."""

    shape: tuple[int, int, int]
    level: int
    dtype: Any = "uint16"

    def read(self, frames: Any, rows: slice) -> Any:
        index = range(*frames.indices(self.shape[0])) if isinstance(frames, slice) else frames
        draw = np.random.default_rng(0)
        height = len(range(*rows.indices(self.shape[1])))
        tile = draw.poisson(self.level, (height, self.shape[2])).astype(np.uint16)
        return np.stack([np.roll(tile, 37 * int(k), axis=1) for k in index])

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        return 0, 0


def write_scan(path: Path, columns: int, rows: int, views: int) -> None:
    def frames(count: int, level: int) -> NoiseFrames:
        return NoiseFrames((count, rows, columns), level)

    scan = Scan(
        path=path,
        name="noise",
        format="benchmark",
        dialect="",
        why="made by the benchmark",
        projections=frames(views, 3000),
        geometry=Geometry(
            angles_deg=Value(np.arange(views) * 180.0 / views, "derived", "benchmark"),
            pixel_m=Value(1e-6, "derived", "benchmark"),
        ),
        flats=Reference(frames(10, 9000), np.full(10, -1.0)),
        darks=Reference(frames(10, 100), np.full(10, -1.0)),
        counts={FrameKind.PROJECTION: views},
    )
    data_exchange.FORMAT.write(path, scan)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--memory", default="2GB", help="limit given to the run")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="size of the volume")
    parser.add_argument("--views", type=int, default=400, help="projections")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    rows = 1024
    columns = int((arguments.gigabytes * 1e9 / 4 / rows) ** 0.5) // 2 * 2 + 2
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        scan, record = Path(name) / "noise.h5", Path(name) / "record"
        write_scan(scan, columns, rows, arguments.views)
        words = [sys.executable, "-m", "tomarium", "run", str(scan), "-o", str(record)]
        words += ["--memory", arguments.memory, "--axis", str((columns - 1) / 2)]
        begun = time.perf_counter()
        process = subprocess.Popen(words)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: done, with warnings
            sys.exit(f"the run failed with status {status}")
        planned = json.loads((record / "provenance.json").read_text())["plan"]
    limit, peak = units.parse(arguments.memory, "B"), usage.ru_maxrss * 1024
    figures = {
        "volume_bytes": 4 * rows * columns**2,
        "limit_bytes": limit,
        "planned_bytes": planned["peak_bytes"],
        "peak_bytes": peak,
        "peak_of_limit": peak / limit,
        "slab_rows": planned["slab_rows"],
        "workers": planned["workers"],
        "seconds": seconds,
    }
    for key, value in figures.items():
        print(f"{key:15s} {units.show(value, 'B') if key.endswith('bytes') else f'{value:.3g}'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
