"""Find the rotation axis of random phantoms whose axis is known, and print how well it goes, class by class.

    python benchmarks/axis_study.py --seeds 80
    python benchmarks/axis_study.py --seeds 10 --single

The classes are acquisitions (half a turn, a full turn, a full turn about an axis near an edge) of samples that are
in view, reach the edges, or are wider than the field; into each scan defects are mixed at random: tilt, drift of
sample and beam, jitter, rings, spots that do not turn, low contrast, few counts, black frames. `--single` draws
scans with one defect each instead. Where algotom is installed, its searches are run on the same data: that of
Vo et al. (10.1364/OE.22.019078) on the first half turn, and for half acquisition that of 10.1364/OE.418448.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis import find
from tomarium.kernels.phantom import Ellipsoid, line_integrals, pixel_coordinates

COLUMNS = 256
GROUPS, ROWS_PER_GROUP, HEIGHT = 5, 8, 200
RIGHT_PX, EXACT_PX = 0.5, 0.2


@dataclass(frozen=True)
class Case:
    """One class of scans, or one scan."""

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
    narrow: bool = False  # the outline is an ellipse, off the axis, and holds all details
    tilt: float = 0.0  # px by which the axis moves per row
    drift: float = 0.0  # px by which the sample moves aside in the course of the scan
    jitter: float = 0.0  # standard deviation in px of the place of each view
    beam: float = 0.0  # standard deviation of the logarithm of each view's brightness
    black: int = 0  # frames without beam


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
    "360, local": replace(CLEAN, span_deg=360.0, views=500, endpoint=False, radius=1.6),
    "360, local, jitter": replace(CLEAN, span_deg=360.0, views=500, endpoint=False, radius=1.6, jitter=1.0),
    "black frames": replace(CLEAN, black=6),
    "jitter": replace(CLEAN, jitter=1.0),
    "half": HALF,
    "half, I0=200": replace(HALF, photons=200),
    "half, local": replace(HALF, radius=2.2),
    "half, overlap 30 px": replace(HALF, axis_offset=112.0, axis_spread=1.0, radius=1.6),
}

EXTENTS = {"in view": (0.5, 0.85), "at the edges": (0.85, 1.15), "wider": (1.15, 1.6)}
MIXED = [f"{turn}, {extent}" for turn in ("180", "360", "half") for extent in EXTENTS]
DEFECTS: dict[str, Callable[[Case], bool]] = {
    "tilt": lambda case: case.tilt != 0,
    "drift": lambda case: case.drift != 0,
    "beam": lambda case: case.beam > 0 or case.slope > 0,
    "jitter": lambda case: case.jitter > 0,
    "rings": lambda case: case.rings > 0,
    "spots": lambda case: case.spots > 0,
    "low contrast": lambda case: case.absorption < 0.3,
    "few counts": lambda case: case.photons < 1000,
    "black frames": lambda case: case.black > 0,
}


def mixed_case(name: str, seed: int) -> Case:
    """Draw the acquisition, the extent of the sample and the defects of one scan of a mixed class."""
    draw = np.random.default_rng([seed, MIXED.index(name)])
    turn, extent = name.split(", ")

    def chance(share: float) -> bool:
        return bool(draw.random() < share)

    def sometimes(share: float, low: float, high: float, otherwise: float = 0.0) -> float:
        """Draw by the logarithm, with a probability."""
        value = float(np.exp(draw.uniform(np.log(low), np.log(high))))
        return value if chance(share) else otherwise

    full = turn != "180"
    # Half acquisition: both projections of a pair see 6 to 60 % of the width.
    offset = (0.5 - draw.uniform(0.03, 0.3)) * COLUMNS if turn == "half" else 0.0
    field = 1 + 2 * offset / COLUMNS
    views = int(draw.choice([500, 720, 900] if full else [181, 361, 500]))
    return Case(
        photons=sometimes(0.3, 100, 1000, 1e4),
        absorption=sometimes(0.3, 0.04, 0.3, float(draw.uniform(0.5, 2.0))),
        spots=sometimes(0.2, 0.003, 0.03),
        rings=sometimes(0.25, 0.02, 0.3),
        slope=sometimes(0.15, 0.01, 0.05),
        radius=float(draw.uniform(*EXTENTS[extent])) * field,
        axis_spread=1.0 if turn == "half" else 0.12 * COLUMNS,
        axis_offset=offset,
        start_deg=float(draw.uniform(-180, 180)),
        span_deg=360.0 if full else 180.0,
        views=views,
        endpoint=chance(0.5),
        groups=int(draw.choice([1, 3, 5], p=[0.2, 0.3, 0.5])),
        rows_per_group=int(draw.choice([2, 4, 8])),
        narrow=True,
        tilt=float(draw.choice([-1, 1])) * sometimes(0.25, 0.0005, 0.004),
        drift=float(draw.choice([-1, 1])) * sometimes(0.2, 0.1, 1.0),
        jitter=sometimes(0.15, 0.1, 1.0),
        beam=sometimes(0.2, 0.002, 0.02),
        black=int(draw.integers(1, 7)) if chance(0.1) else 0,
    )


def random_phantom(case: Case, draw: np.random.Generator) -> tuple[Ellipsoid, ...]:
    """Draw 20 to 60 ellipsoids of all sizes in a cylinder, scaled to the absorption of the case."""
    radius = case.radius * COLUMNS / 2
    if case.narrow:
        return narrow_phantom(radius, draw)
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


def narrow_phantom(radius: float, draw: np.random.Generator) -> tuple[Ellipsoid, ...]:
    """Draw an elliptic cylinder somewhat off the axis that holds 8 to 60 grains and pores."""
    long, short = radius, radius * draw.uniform(0.5, 1.0)
    turn = draw.uniform(0, np.pi)
    along = np.array([np.sin(turn), np.cos(turn)])  # (y, x)
    across = np.array([np.cos(turn), -np.sin(turn)])
    centre = 0.15 * radius * draw.uniform(-1, 1, 2)
    matrix = draw.uniform(0.1, 0.5)
    # Turned about z by α, an ellipsoid's own x lies along (y, x) = (-sin α, cos α).
    outline = (2.0 * HEIGHT, short, long)
    parts = [Ellipsoid((0, *centre), outline, matrix, (float(-np.degrees(turn)), 0, 0))]
    for _ in range(int(draw.integers(8, 60))):
        half = np.maximum(short * 10 ** draw.uniform(-1.6, -0.5) * draw.uniform(0.5, 1.0, 3), 1.0)
        angle, distance = draw.uniform(0, 2 * np.pi), 0.9 * np.sqrt(draw.uniform())
        room_long, room_short = max(long - half.max(), 0.0), max(short - half.max(), 0.0)
        y, x = centre + distance * (room_long * np.cos(angle) * along + room_short * np.sin(angle) * across)
        contrast = -matrix if draw.random() < 0.3 else draw.uniform(0.3, 1.0)
        place = (draw.uniform(-0.5, 0.5) * HEIGHT, y, x)
        parts.append(Ellipsoid(place, tuple(half), contrast, tuple(draw.uniform(0, 180, 3))))
    return tuple(parts)


def draw_scan(case: Case, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
    """Return attenuation (angle, row, column), angles in degrees and the true axis column."""
    draw = np.random.default_rng(seed)
    side = draw.choice([-1, 1])
    axis = (COLUMNS - 1) / 2 + side * case.axis_offset + draw.uniform(-1, 1) * case.axis_spread
    angles = case.start_deg + np.linspace(0, case.span_deg, case.views, endpoint=case.endpoint)
    middles = np.linspace(-0.4, 0.4, case.groups) * HEIGHT if case.groups > 1 else np.zeros(1)
    rows = (middles[:, None] + np.arange(case.rows_per_group)).ravel()
    p = _projections(random_phantom(case, draw), case, angles, rows, axis, draw)
    p *= case.absorption / np.percentile(p, 99.9)
    brightness = np.exp(draw.normal(0, case.beam, case.views))[:, None, None] if case.beam else 1.0
    counts = np.maximum(draw.poisson(case.photons * brightness * np.exp(-p)), 0.5)
    if case.black:
        counts[draw.choice(case.views, case.black, replace=False)] = 0.5
    attenuation = -np.log(counts / case.photons)
    if case.spots:
        attenuation += case.spots * spots(draw, rows.size)
    if case.rings:
        attenuation[:, :, draw.integers(0, COLUMNS, 12)] += draw.normal(0, case.rings, 12)
    if case.slope:
        edge = np.linspace(-1, 1, COLUMNS)
        attenuation += draw.normal(0, case.slope) * edge + draw.normal(0, case.slope) * edge**2
    return attenuation.astype(np.float32), angles, float(axis)


def _projections(
    phantom: tuple[Ellipsoid, ...],
    case: Case,
    angles: NDArray[np.float64],
    rows: NDArray[np.float64],
    axis: float,
    draw: np.random.Generator,
) -> NDArray[np.float32]:
    """Return line integrals; `axis` is that of the mean row in the middle of the scan."""
    if not (case.tilt or case.drift or case.jitter):
        return line_integrals(phantom, angles, rows, pixel_coordinates(COLUMNS, axis))
    aside = case.drift * np.linspace(-0.5, 0.5, case.views) + draw.normal(0, case.jitter, case.views)
    # In steps of 1/16 px: one call for all views that lie equally far aside.
    aside = np.round(16 * (aside - aside.mean())) / 16
    p = np.empty((case.views, rows.size, COLUMNS), np.float32)
    for group in np.split(np.arange(rows.size), case.groups):
        tilted = axis + case.tilt * (rows[group].mean() - rows.mean())
        for step in np.unique(aside):
            views = np.flatnonzero(aside == step)
            u = pixel_coordinates(COLUMNS, tilted + step)
            p[np.ix_(views, group)] = line_integrals(phantom, angles[views], rows[group], u)
    return p


def spots(draw: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """Draw a blurred pattern of unit standard deviation, shape (row, column), which does not turn."""
    pattern = draw.standard_normal((rows + 8, COLUMNS + 8))
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
    for axis in (0, 1):
        pattern = np.apply_along_axis(np.convolve, axis, pattern, kernel, "valid")
    return pattern / pattern.std()


@dataclass(frozen=True)
class Verdict:
    """What became of one scan."""

    name: str
    seed: int
    case: Case
    error: float  # px
    confidence: str
    peer_error: float  # px; nan without algotom
    cpu_s: float


def mixed_scan(name: str, seed: int) -> tuple[Case, NDArray[np.float32], NDArray[np.float64], float]:
    """Return the case, attenuation, angles and axis of one scan of a mixed class."""
    case = mixed_case(name, seed)
    return case, *draw_scan(case, 1000 * seed + MIXED.index(name))


def judge(name: str, seed: int, *, mixed: bool = True, peer: bool = True) -> Verdict:
    """Search one scan for its axis."""
    if mixed:
        case, attenuation, angles, axis = mixed_scan(name, seed)
    else:
        case = CASES[name]
        attenuation, angles, axis = draw_scan(case, 1000 * seed + 17 * list(CASES).index(name))
    begun = time.process_time()
    estimate = find(attenuation, angles, rows_per_group=case.rows_per_group)
    spent = time.process_time() - begun
    peer_error = abs(peer_column(case, attenuation) - axis) if peer else float("nan")
    return Verdict(name, seed, case, abs(estimate.column - axis), estimate.confidence, peer_error, spent)


@cache
def _peer() -> Any:
    try:
        from algotom.prep import calculation
    except ImportError:
        return None
    return calculation


def peer_column(case: Case, attenuation: NDArray[np.float32]) -> float:
    """Return the column that algotom finds in the mean of the middle row group, or nan."""
    calculation = _peer()
    if calculation is None:
        return float("nan")
    middle = case.groups // 2 * case.rows_per_group
    sinogram = attenuation[:, middle : middle + case.rows_per_group].mean(axis=1)
    half = COLUMNS / 2
    try:
        if case.axis_offset > 0.15 * COLUMNS:
            return float(calculation.find_center_360(sinogram, COLUMNS // 8, ncore=1)[0])
        if case.span_deg > 180:
            sinogram = sinogram[: round(180 / case.span_deg * (case.views - case.endpoint)) + 1]
        reach = case.axis_spread + 4
        return float(calculation.find_center_vo(sinogram, half - reach, half + reach, ncore=1))
    except Exception:  # whatever stops it, it has found nothing
        return float("inf")


def table(verdicts: Iterable[Verdict], of: Callable[[Verdict], Iterable[str]]) -> None:
    """Print one line for each class that `of` gives to the verdicts."""
    lines: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        for name in of(verdict):
            lines.setdefault(name, []).append(verdict)
    print(
        f"{'class':22s}{'n':>5s}{'right':>7s}{'algotom':>9s}{'high':>6s}{'wrong':>7s}{'median':>9s}"
        f"{'exact high':>12s}{'CPU s':>8s}"
    )
    for name, chosen in lines.items():
        error = np.array([verdict.error for verdict in chosen])
        peer = np.array([verdict.peer_error for verdict in chosen])
        high = np.array([verdict.confidence == "high" for verdict in chosen])
        exact = error <= EXACT_PX
        share = f"{100 * high[exact].mean():.0f} %" if exact.any() else "-"
        theirs = "-" if np.isnan(peer).all() else str(np.count_nonzero(peer <= RIGHT_PX))
        print(
            f"{name:22s}{len(chosen):5d}{np.count_nonzero(error <= RIGHT_PX):7d}{theirs:>9s}"
            f"{np.count_nonzero(high):6d}{np.count_nonzero(high & (error > RIGHT_PX)):7d}"
            f"{np.median(error):9.3f}{share:>12s}{np.mean([v.cpu_s for v in chosen]):8.2f}",
            flush=True,
        )


def study(first_seed: int, seeds: int, names: list[str], *, mixed: bool) -> None:
    """Print the tables and the scans in which high confidence was wrong."""
    verdicts = [
        judge(name, seed, mixed=mixed) for name in names for seed in range(first_seed, first_seed + seeds)
    ]
    print("right: within 0.5 px · wrong: high and off by more · exact high: share rated high within 0.2 px")
    table(verdicts, lambda verdict: (verdict.name,))
    if mixed:
        table(verdicts, lambda verdict: [name for name, has in DEFECTS.items() if has(verdict.case)])
    table(verdicts, lambda verdict: ("all",))
    for verdict in verdicts:
        if verdict.confidence == "high" and verdict.error > RIGHT_PX:
            print(f"wrong high: {verdict.name}, seed {verdict.seed}, {verdict.error:.2f} px off")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="scans in each class")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--single", action="store_true", help="one defect each instead of mixed ones")
    parser.add_argument("--only", choices=[*MIXED, *CASES], action="append", help="a class; may be repeated")
    given = parser.parse_args()
    known = list(CASES) if given.single else MIXED
    study(
        given.first_seed,
        given.seeds,
        [name for name in known if not given.only or name in given.only],
        mixed=not given.single,
    )
