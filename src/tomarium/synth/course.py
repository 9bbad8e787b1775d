"""What changes from frame to frame of a simulated scan: the places of sample and beam, the beam's intensity, bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model import FrameKind

if TYPE_CHECKING:
    from tomarium.synth.config import SimulationConfig

STREAM: Final = {FrameKind.DARK: 1, FrameKind.FLAT: 2, FrameKind.PROJECTION: 3}
"""Part of the seed of a frame's noise."""

BAR_TRANSMISSION: Final = 0.01
"""What a bar lets through."""

_COURSE, _HITS = 4, 5
_HEIGHT: Final = 10_000.0
_ENTERING: Final = 0.25  # of the range that a bar takes to enter the beam, and again to leave it


@dataclass(frozen=True, eq=False)
class Course:
    """What changes from frame to frame.

    Attributes
    ----------
    shift_columns_px, shift_rows_px : array of float64, shape (view,)
        Where the sample stands in each view beside its place in a perfect scan, px.
    beam_rows_px : array of float64, shape (view,)
        Where the beam stands in each projection beside the middle row, px.
    flat_beam_rows_px : array of float64, shape (flat,)
        The same in each flat; those before the scan first.
    beam_intensity, flat_beam_intensity : array of float64, shape (view,) and (flat,)
        Intensity over that at the first projection.
    blocked_share : array of float64, shape (view,)
        Part of the columns that bars cover; counted from the first column where `blocked_from` is 0.
    blocked_from : array of float64, shape (view,)
        Part of the width at which the covered part begins.
    """

    shift_columns_px: NDArray[np.float64]
    shift_rows_px: NDArray[np.float64]
    beam_rows_px: NDArray[np.float64]
    flat_beam_rows_px: NDArray[np.float64]
    beam_intensity: NDArray[np.float64]
    flat_beam_intensity: NDArray[np.float64]
    blocked_share: NDArray[np.float64]
    blocked_from: NDArray[np.float64]

    def entries(self) -> Mapping[str, NDArray[np.generic]]:
        """Return the arrays by their names."""
        return dict(vars(self))

    def beam(self, kind: FrameKind, number: int) -> tuple[float, float]:
        """Return the place of the beam in px and its intensity in a flat or a projection."""
        if kind is FrameKind.FLAT:
            return float(self.flat_beam_rows_px[number]), float(self.flat_beam_intensity[number])
        return float(self.beam_rows_px[number]), float(self.beam_intensity[number])


def positions(config: SimulationConfig, kind: FrameKind) -> NDArray[np.float64]:
    """Return when each frame of a kind is taken, on the scale of the projections' own index; shape (frame,)."""
    views, flats, darks = config.views, config.flats, config.darks
    if kind is FrameKind.PROJECTION:
        return np.arange(views, dtype=np.float64)
    if kind is FrameKind.DARK:
        return np.arange(-darks - flats, -flats, dtype=np.float64)
    return np.concatenate([np.arange(-flats, 0.0), np.arange(views, views + flats, dtype=np.float64)])


def course(config: SimulationConfig, angles_deg: NDArray[np.float64]) -> Course:
    """Draw what changes from frame to frame.

    Parameters
    ----------
    config : SimulationConfig
        The scan.
    angles_deg : array of float64, shape (view,)
        Rotation angles in degrees.

    Returns
    -------
    Course
        The same for the same configuration. A sample that moves by (x, y, z) is displaced by x cos θ + y sin θ along
        columns and by z along rows.
    """
    draw = np.random.default_rng((config.seed, _COURSE, config.part))
    times = {
        kind: positions(config, kind) / max(config.views - 1, 1)
        for kind in (FrameKind.PROJECTION, FrameKind.FLAT)
    }
    view, flat = times[FrameKind.PROJECTION], times[FrameKind.FLAT]
    x, y, z = np.multiply.outer(np.array(config.drift_px), view - 0.5)
    theta = np.radians(angles_deg)
    jitter = config.jitter_px * draw.standard_normal((2, len(view)))
    beam = {
        kind: config.beam_drift_rows * time + config.beam_jitter_rows * draw.standard_normal(len(time))
        for kind, time in times.items()
    }
    share, start = _bars(config, angles_deg)
    return Course(
        shift_columns_px=x * np.cos(theta) + y * np.sin(theta) + jitter[0],
        shift_rows_px=z + jitter[1],
        beam_rows_px=beam[FrameKind.PROJECTION],
        flat_beam_rows_px=beam[FrameKind.FLAT],
        beam_intensity=(1 - config.current_decay) ** view,
        flat_beam_intensity=(1 - config.current_decay) ** flat,
        blocked_share=share,
        blocked_from=start,
    )


def _bars(
    config: SimulationConfig, angles_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much of the width a bar covers, and from where: it enters at column 0 and leaves at the last one."""
    share, start = np.zeros(len(angles_deg)), np.zeros(len(angles_deg))
    for first, last in config.blocked_deg:
        through = (angles_deg - first) / (last - first)
        inside = (through >= 0) & (through <= 1)
        entered = np.clip(through / _ENTERING, 0, 1)
        leaving = np.clip((through - 1) / _ENTERING + 1, 0, 1)
        share[inside], start[inside] = (entered - leaving)[inside], leaving[inside]
    return share, start


def hits(config: SimulationConfig, kind: FrameKind, number: int) -> NDArray[np.float64]:
    """Draw the hits by stray radiation in a frame.

    Parameters
    ----------
    config : SimulationConfig
        The scan.
    kind : FrameKind
        Kind of the frame.
    number : int
        Its number among those of its kind.

    Returns
    -------
    array of float64, shape (hit, 4)
        Row, first column, columns hit (1 to 3, cut at the edge), and height in counts, exponentially distributed.
    """
    draw = np.random.default_rng((config.seed, _HITS, config.part, STREAM[kind], number))
    count = int(draw.poisson(config.zingers))
    row, column = draw.integers(config.rows, size=count), draw.integers(config.columns, size=count)
    length = np.minimum(draw.integers(1, 4, size=count), config.columns - column)
    return np.stack([row, column, length, draw.exponential(_HEIGHT, count)], axis=1).astype(np.float64)


def all_hits(config: SimulationConfig) -> NDArray[np.float64]:
    """Return the hits in all projections; shape (hit, 5), the projection before what `hits` returns."""
    if not config.zingers:
        return np.zeros((0, 5))
    hits_of_views = [hits(config, FrameKind.PROJECTION, view) for view in range(config.views)]
    numbers = np.repeat(
        np.arange(config.views, dtype=np.float64), [len(hits_of_view) for hits_of_view in hits_of_views]
    )
    return np.column_stack([numbers, np.concatenate(hits_of_views)])
