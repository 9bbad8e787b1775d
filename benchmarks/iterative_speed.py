"""One iteration of SIRT on one slice in one thread: ours by projection and by the normal operator, and ASTRA's.

Iterations are timed inside one call after the first, so that what is made once for a geometry counts in neither.
"""

# ruff: noqa: E402

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from contest import Row, middle, table
from scene import Scene, make_scene

from tomarium.kernels.iterative import sirt
from tomarium.kernels.least_squares import make_problem, make_setup


def ours(scene: Scene, size: int, weights: Any) -> Iterator[object]:
    """Iterate without an end."""
    setup = make_setup(scene.angles_deg, (size - 1) / 2, size, "iterations")
    problem = make_problem(setup, scene.sinogram.astype(np.float32))
    return sirt(problem, np.zeros((size, size), np.float32), weights=weights)


def theirs(scene: Scene, size: int) -> Iterator[object]:
    """ASTRA's SIRT on the processor, one iteration at a time."""
    import astra

    volume = astra.create_vol_geom(size, size)
    projections = astra.create_proj_geom("parallel", 1.0, size, np.deg2rad(scene.angles_deg))
    settings = astra.astra_dict("SIRT")
    settings |= {
        "ProjectorId": astra.create_projector("linear", projections, volume),
        "ProjectionDataId": astra.data2d.create("-sino", projections, scene.sinogram.astype(np.float32)),
        "ReconstructionDataId": astra.data2d.create("-vol", volume),
    }
    algorithm = astra.algorithm.create(settings)
    while True:
        astra.algorithm.run(algorithm, 1)
        yield None


def measure(size: int, views: int, rounds: int) -> list[Row]:
    """Time iterations in turns; the last of the table may be long, so it is run once or twice."""
    scene = make_scene(size, views)
    topic = f"an iteration of SIRT, {size} columns x {views} projections, 1 thread, per slice"
    runs = {
        "normal operator, equal weights": partial(ours, scene, size, "equal"),
        "projection and its transpose": partial(ours, scene, size, "length"),
        "ASTRA SIRT, CPU, linear": partial(theirs, scene, size),
    }
    iterators: dict[str, Iterator[object]] = {}
    absent: dict[str, str] = {}
    for name, begin in runs.items():
        try:
            iterators[name] = begin()
            next(iterators[name])
        except ImportError as error:
            absent[name] = f"not installed here: {error}"
            del iterators[name]
    taken: dict[str, list[float]] = {name: [] for name in iterators}
    for turn in range(rounds):
        for name, iterator in iterators.items():
            if name.startswith("ASTRA") and turn > 1:
                continue
            start = time.process_time()
            next(iterator)
            taken[name].append(time.process_time() - start)
    rows: list[Row] = []
    for name, seconds in taken.items():
        cpu_ms, spread = middle(seconds, 1)
        first = rows[0].cpu_ms if rows and rows[0].cpu_ms else cpu_ms
        rows.append(
            Row(topic, name, cpu_ms, spread, cpu_ms / first, "iteration", {}, f"{len(seconds)} iterations")
        )
    return rows + [Row(topic, name, None, None, None, "iteration", {}, why) for name, why in absent.items()]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--views", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    given = parser.parse_args()
    rows = measure(given.size, given.views, given.rounds)
    print(f"{rows[0].topic}\n{table(rows)}")
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
