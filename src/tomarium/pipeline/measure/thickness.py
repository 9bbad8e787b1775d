"""Local thickness of the solid, or of the pores, of a volume in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import array, units
from tomarium.errors import InputError
from tomarium.kernels.distance import distance
from tomarium.kernels.local_thickness import BYTES_A_VOXEL, balls_inside, paint_balls
from tomarium.model import Volume
from tomarium.model.image import metadata_without_run
from tomarium.pipeline.measure.phase import Of, Phase, phase_of
from tomarium.pipeline.segment.label_volume import Tell
from tomarium.pipeline.segment.slabs import slab_height, slabs

PERCENTILES: Final = (5, 25, 50, 75, 95)
BYTES: Final = BYTES_A_VOXEL + 5
"""Memory for each voxel with the result and what is counted of it."""
BINS: Final = 40


@dataclass(frozen=True)
class Thickness:
    """How thick a phase is.

    Attributes
    ----------
    phase : Phase
        Which voxels were measured.
    voxels : array of float32, shape (z, y, x)
        Diameter in voxels of the largest ball inside the phase that covers each voxel; 0 outside the phase.
    cut : int
        Voxels whose ball reaches beyond the ends of the volume, or the rim of the circle.
    """

    phase: Phase
    voxels: NDArray[np.float32]
    cut: int


def measure_thickness(
    volume: Volume,
    of: Of = "solid",
    threshold: float | None = None,
    *,
    whole: bool = False,
    memory_bytes: int | None = None,
    tell: Tell | None = None,
) -> Thickness:
    """Measure the local thickness of a phase of a volume.

    Parameters
    ----------
    volume : Volume
        Grey values or labels, in voxels that are cubes.
    of, threshold, whole
        As `phase_of` takes them.
    memory_bytes : int, optional
        Memory that may be used; by default what is available.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Thickness
        In voxels: twice the distance to the middle of the nearest voxel outside, as Hildebrand & Rüegsegger define it.

    Raises
    ------
    InputError
        Voxels are no cubes, memory does not suffice, or the phase is nothing or all of the volume.
    """
    volume.demand_cubes("local thickness")
    name = volume.path or volume.name
    needed = BYTES * int(np.prod(volume.shape))
    available = array.available_memory() if memory_bytes is None else memory_bytes
    if needed > available:
        raise InputError(
            f"{name}: local thickness needs {units.show_bytes(needed)} of memory for "
            f"{' × '.join(map(str, volume.shape))} voxels, and {units.show_bytes(available)} are free; measure a part, "
            f"or a volume of longer voxels (`tomarium convert --cubes`)"
        )
    say = tell or (lambda stage, done, total: None)
    phase = phase_of(volume, of, threshold, whole=whole, tell=tell)
    body = np.empty(volume.shape, np.bool_)
    for start, stop in slabs(len(body), slab_height(volume.shape, 16)):
        body[start:stop] = phase.read(start, stop)
        say("read", stop, len(body))
    counted = phase.counted if phase.is_circle else None
    squares = balls_inside(body, counted, tell=lambda done, total: say("distances", done, total))
    largest = float(squares.max(initial=0))
    if not (largest > 0 and isfinite(largest)):
        share = "nothing" if largest == 0 else "all"
        raise InputError(
            f"{name}: {share} of it is {of} at the threshold {phase.threshold:.5g} {volume.unit} ({phase.source}), so "
            f"that there is no thickness; give another --threshold"
        )
    depth, _, columns = squares.shape
    plane = squares.shape[1] * columns
    room = distance(np.pad(phase.counted, 1)[None], squared=True)[0, 1:-1, 1:-1].ravel()

    def marked(places: NDArray[np.int64], radii: NDArray[np.float32]) -> NDArray[np.float32]:
        """Double the squares, and add 1 where the ball lies in the volume: of equal balls this one counts."""
        z = places // plane
        free = np.minimum((np.minimum(z, depth - 1 - z) + 1) ** 2, room[places % plane])
        return np.asarray(2 * radii + (radii <= free), np.float32)

    painted = paint_balls(squares, marked, tell=lambda done, total: say("balls", done, total))
    del squares
    painted[~body] = 0
    cut = 0
    for start in range(depth):
        codes = painted[start]
        cut += int(np.count_nonzero((codes > 0) & (codes % 2 == 0)))
        painted[start] = 2 * np.sqrt(codes // 2)
    return Thickness(phase, painted, cut)


def thickness_volume(measured: Thickness) -> Volume:
    """Return the thickness as a volume: in µm where the size of a voxel is known, else in voxels (px)."""
    volume = measured.phase.volume
    step, unit = _step(volume)
    return replace(
        volume,
        data=measured.voxels * np.float32(step),
        unit=unit,
        levels=(),
        level_axes=(),
        metadata={**metadata_without_run(volume.metadata), "local_thickness": _account(measured)},
    )


def as_data(measured: Thickness) -> dict[str, Any]:
    """Sum up the thickness for machines: each voxel of the phase counts once; lengths in µm or px, as `unit` says."""
    step, unit = _step(measured.phase.volume)
    values = measured.voxels[measured.voxels > 0].astype(np.float64) * step
    counts, edges = np.histogram(values, BINS, (0, float(values.max())))
    return {
        **_account(measured),
        "unit": unit,
        "mean": float(values.mean()),
        "standard_deviation": float(values.std()),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "percentiles": {str(p): float(np.percentile(values, p)) for p in PERCENTILES},
        "voxels": len(values),
        "cut_share": measured.cut / len(values),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }


def _account(measured: Thickness) -> dict[str, Any]:
    phase = measured.phase
    return {
        "of": phase.of,
        "threshold": phase.threshold,
        "threshold_unit": phase.volume.unit,
        "threshold_source": phase.source,
        "field": "circle" if phase.is_circle else "box",
    }


def _step(volume: Volume) -> tuple[float, str]:
    voxel = volume.voxel_m
    return (1.0, "px") if voxel is None else (voxel[2] * 1e6, "um")
