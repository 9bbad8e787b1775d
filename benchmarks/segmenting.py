"""Balls of known radius in noise: how many are found, and how right volume and surface are.

Run: python benchmarks/segmenting.py [--size 320] [--count 200] [--cnr 4]. Prints a table for docs/how-to.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from tomarium.formats import open as open_any
from tomarium.model import Axis, Volume
from tomarium.pipeline.measure.objects import measure_objects
from tomarium.pipeline.segment.segment import segment


def balls(size: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place balls of 5 to 20 px without contact: grey values with partial voxels, radii, centres."""
    draw = np.random.default_rng(seed)
    grey = np.zeros((size,) * 3, np.float32)
    radii = np.sort(draw.uniform(5, 20, count))[::-1]
    centres: list[np.ndarray] = []
    middle = (size - 1) / 2
    for number, radius in enumerate(radii):
        while True:
            centre = draw.uniform(radius + 3, size - radius - 4, 3)
            far = all(
                np.linalg.norm(centre - c) > radius + r + 3
                for c, r in zip(centres, radii[:number], strict=True)
            )
            if far and np.hypot(*(centre[1:] - middle)) < size / 2 - radius - 4:
                break
        centres.append(centre)
        low, high = np.floor(centre - radius - 2).astype(int), np.ceil(centre + radius + 3).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grid = np.mgrid[box] - centre[:, None, None, None]
        grey[box] += np.clip(radius + 0.5 - np.sqrt((grid**2).sum(0)), 0, 1).astype(np.float32)
    return grey, radii, np.array(centres)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--cnr", type=float, nargs="*", default=[1e6, 8.0, 4.0])
    given = parser.parse_args()
    grey, radii, centres = balls(given.size, given.count, 0)
    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    print(
        "| contrast / noise | counted | volume of all | worst ball | rms | surface of all | worst | rms | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for cnr in given.cnr:
        noisy = grey + np.random.default_rng(1).normal(0, 1 / cnr, grey.shape).astype(np.float32)
        with tempfile.TemporaryDirectory() as home:
            start = time.perf_counter()
            segment(Volume(noisy, axes, "1/cm", "balls"), Path(home) / "l.ome.zarr")
            found = measure_objects(open_any(Path(home) / "l.ome.zarr"), smallest=100).measures  # type: ignore[arg-type]
            seconds = time.perf_counter() - start
        pair = np.argmin(((found.centre[:, None] - centres[None]) ** 2).sum(-1), axis=1)
        true = radii[pair]
        volume, surface = 4 / 3 * np.pi * true**3, 4 * np.pi * true**2
        parts = []
        for measured, right in ((found.volume, volume), (found.surface, surface)):
            error = 100 * (measured / right - 1)
            total = 100 * (measured.sum() / right.sum() - 1)
            parts += [
                f"{total:+.2f} %",
                f"{error[np.argmax(np.abs(error))]:+.1f} %",
                f"{np.sqrt((error**2).mean()):.2f} %",
            ]
        shown = "no noise" if cnr > 1e3 else f"{cnr:g}"
        print(
            f"| {shown} | {len(found.volume)} of {given.count} | "
            + " | ".join(parts)
            + f" | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
