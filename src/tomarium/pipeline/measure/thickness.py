"""Local thickness of the solid, or of the pores, of a volume in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.distance import distance
from tomarium.kernels.local_thickness import BYTES_A_VOXEL, balls_inside, paint_balls
from tomarium.model import Volume
from tomarium.model.image import metadata_without_run
from tomarium.pipeline.measure.phase import Of, Phase, account_of, length_of_voxel, phase_in_memory
from tomarium.pipeline.segment.label_volume import Tell

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
    say = tell or (lambda stage, done, total: None)
    phase, body = phase_in_memory(
        volume, of, threshold, "local thickness", BYTES, whole=whole, memory_bytes=memory_bytes, tell=say
    )
    counted = phase.counted if phase.is_circle else None
    squares = balls_inside(body, counted, tell=lambda done, total: say("distances", done, total))
    largest = float(squares.max(initial=0))
    if not (largest > 0 and isfinite(largest)):
        share = "nothing" if largest == 0 else "all"
        raise InputError(
            f"{volume.path or volume.name}: {share} of it is {of} at the threshold {phase.threshold:.5g} {volume.unit} "
            f"({phase.source}), so that there is no thickness; give another --threshold"
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
    step, unit = length_of_voxel(volume)
    return replace(
        volume,
        data=measured.voxels * np.float32(step),
        unit=unit,
        levels=(),
        level_axes=(),
        metadata={**metadata_without_run(volume.metadata), "local_thickness": account_of(measured.phase)},
    )


def as_data(measured: Thickness) -> dict[str, Any]:
    """Sum up the thickness for machines: each voxel of the phase counts once; lengths in µm or px, as `unit` says."""
    step, unit = length_of_voxel(measured.phase.volume)
    values = measured.voxels[measured.voxels > 0].astype(np.float64) * step
    counts, edges = np.histogram(values, BINS, (0, float(values.max())))
    return {
        **account_of(measured.phase),
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
