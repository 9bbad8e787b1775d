"""Find the rotation axis of random phantoms whose axis is known, and print how well it goes, class by class.

    python benchmarks/axis_study.py --seeds 20

Classes are those of the methods page: clean, noisy, weak, with spots that do not turn, wider than the
detector, far off centre, few rows, few views, full turns and half acquisition.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis import find
from tomarium.kernels.phantom import Ellipsoid, line_integrals, pixel_coordinates

COLUMNS = 256
GROUPS, ROWS_PER_GROUP, HEIGHT = 5, 8, 200


@dataclass(frozen=True)
class Case:
    """One class of scans."""

    photons: float = 1e4
    absorption: float = 1.0  # largest line integral
    spots: float = 0.0  # standard deviation of a pattern that flat-fielding left
    rings: float = 0.0  # standard deviation of the error of twelve columns
    slope: float = 0.0  # standard deviation of what a drifting beam leaves at the edges
    radius: float = 0.6  # of the specimen, over half the width
    axis_spread: float = 30.0
    axis_offset: float = 0.0
    start_deg: float = 0.0
    span_deg: float = 180.0
    views: int = 361
    endpoint: bool = True
    groups: int = GROUPS
    rows_per_group: int = ROWS_PER_GROUP


CLEAN = Case()
HALF = replace(
    CLEAN, span_deg=360.0, views=500, endpoint=False, radius=1.5, axis_spread=6.0, axis_offset=95.0
)
CASES = {
    "clean": CLEAN,
    "I0=200": replace(CLEAN, photons=200),
    "3 % contrast": replace(CLEAN, absorption=0.03),
    "10 % + spots 2 %": replace(CLEAN, absorption=0.1, spots=0.02),
    "3 % + spots 2 %": replace(CLEAN, absorption=0.03, spots=0.02),
    "local": replace(CLEAN, radius=1.6),
    "local, I0=200": replace(CLEAN, radius=1.6, photons=200),
    "local + spots 2 %": replace(CLEAN, radius=1.6, spots=0.02),
    "44 px off": replace(CLEAN, axis_spread=1.0, axis_offset=44.0),
    "start -88.2": replace(CLEAN, start_deg=-88.2, views=91),
    "2 rows": replace(CLEAN, groups=1, rows_per_group=2),
    "181 views, no end": replace(CLEAN, views=181, endpoint=False),
    "91 views, no end": replace(CLEAN, views=91, endpoint=False),
    "91 views, local": replace(CLEAN, views=91, endpoint=False, radius=1.6),
    "1 row, local, I0=1000": replace(CLEAN, groups=1, rows_per_group=1, radius=1.6, photons=1000),
    "60 px off, local": replace(CLEAN, radius=1.6, axis_offset=60.0, axis_spread=3.0),
    "rings": replace(CLEAN, rings=0.3),
    "rings, local": replace(CLEAN, rings=0.3, radius=1.6),
    "slope, local": replace(CLEAN, slope=0.05, radius=1.6),
    "360": replace(CLEAN, span_deg=360.0, views=500, endpoint=False),
    "360, I0=200": replace(CLEAN, span_deg=360.0, views=500, endpoint=False, photons=200),
    "half": HALF,
    "half, I0=200": replace(HALF, photons=200),
    "half, local": replace(HALF, radius=2.2),
    "half, overlap 30 px": replace(HALF, axis_offset=112.0, axis_spread=1.0, radius=1.6),
}


def random_phantom(case: Case, draw: np.random.Generator) -> tuple[Ellipsoid, ...]:
    """Draw 20 to 60 ellipsoids of all sizes in a cylinder, scaled to the absorption of the case."""
    radius = case.radius * COLUMNS / 2
    parts = []
    for _ in range(int(draw.integers(20, 60))):
        size = radius * 10 ** draw.uniform(-1.6, -0.4)
        half = np.maximum(size * draw.uniform(0.5, 1.0, 3), 1.0)
        turn, distance = draw.uniform(0, 2 * np.pi), (radius - half.max()) * np.sqrt(draw.uniform())
        centre = (draw.uniform(-0.5, 0.5) * HEIGHT, distance * np.sin(turn), distance * np.cos(turn))
        parts.append(Ellipsoid(centre, tuple(half), draw.uniform(0.3, 1.0), tuple(draw.uniform(0, 180, 3))))
    body = (HEIGHT, radius * 0.9, radius * draw.uniform(0.6, 0.9))
    parts.append(Ellipsoid((0, 0, 0), body, draw.uniform(0.1, 0.5), (draw.uniform(0, 180), 0, 0)))
    return tuple(parts)


def draw_scan(case: Case, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
    """Return attenuation (angle, row, column), angles in degrees and the true axis column."""
    draw = np.random.default_rng(seed)
    side = draw.choice([-1, 1])
    axis = (COLUMNS - 1) / 2 + side * case.axis_offset + draw.uniform(-1, 1) * case.axis_spread
    angles = case.start_deg + np.linspace(0, case.span_deg, case.views, endpoint=case.endpoint)
    middles = np.linspace(-0.4, 0.4, case.groups) * HEIGHT if case.groups > 1 else np.zeros(1)
    rows = (middles[:, None] + np.arange(case.rows_per_group)).ravel()
    p = line_integrals(random_phantom(case, draw), angles, rows, pixel_coordinates(COLUMNS, axis))
    p *= case.absorption / np.percentile(p, 99.9)
    counts = np.maximum(draw.poisson(case.photons * np.exp(-p)), 0.5)
    attenuation = -np.log(counts / case.photons)
    if case.spots:
        attenuation += case.spots * spots(draw, rows.size)
    if case.rings:
        attenuation[:, :, draw.integers(0, COLUMNS, 12)] += draw.normal(0, case.rings, 12)
    if case.slope:
        edge = np.linspace(-1, 1, COLUMNS)
        attenuation += draw.normal(0, case.slope) * edge + draw.normal(0, case.slope) * edge**2
    return attenuation.astype(np.float32), angles, float(axis)


def spots(draw: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """Draw a blurred pattern of unit standard deviation, shape (row, column), which does not turn."""
    pattern = draw.standard_normal((rows + 8, COLUMNS + 8))
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
    for axis in (0, 1):
        pattern = np.apply_along_axis(np.convolve, axis, pattern, kernel, "valid")
    return pattern / pattern.std()


def study(first_seed: int, seeds: int, names: list[str]) -> None:
    """Print a table with one line for each class, and what went wrong."""
    print(
        f"{'class':22s}{'n':>4s}{'median':>8s}{'95 %':>8s}{'max':>8s}"
        "   high (>0.5)  medium (>0.5)  low (>0.5)  CPU s"
    )
    verdicts = []
    for name in names:
        case = CASES[name]
        errors, ranks, begun, spent = [], [], 0.0, 0.0
        for seed in range(first_seed, first_seed + seeds):
            attenuation, angles, axis = draw_scan(case, 1000 * seed + 17 * list(CASES).index(name))
            begun = time.process_time()
            estimate = find(attenuation, angles, rows_per_group=case.rows_per_group)
            spent += time.process_time() - begun
            errors.append(abs(estimate.column - axis))
            ranks.append(estimate.confidence)
        error, rank = np.array(errors), np.array(ranks)
        counts = "".join(
            f"{np.count_nonzero(rank == word):>9d} ({np.count_nonzero(error[rank == word] > 0.5)})"
            for word in ("high", "medium", "low")
        )
        print(
            f"{name:22s}{len(error):4d}{np.median(error):8.3f}{np.percentile(error, 95):8.3f}"
            f"{error.max():8.2f}"
            f"{counts}{spent / seeds:9.2f}",
            flush=True,
        )
        verdicts += list(zip(error, rank, strict=True))
    sure = [error for error, rank in verdicts if rank == "high"]
    print(
        f"{len(verdicts)} phantoms; high for {len(sure)}, of which {sum(e > 0.5 for e in sure)} are off by "
        f"more than 0.5 px; the worst by {max(sure, default=0):.3f} px"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="phantoms in each class")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", choices=list(CASES), action="append", help="one class; may be repeated")
    given = parser.parse_args()
    study(given.first_seed, given.seeds, given.only or list(CASES))
