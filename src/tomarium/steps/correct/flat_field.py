"""Flat-field correction, with the logarithm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.array import namespace
from tomarium.errors import MissingData
from tomarium.kernels.columns import median_over_columns
from tomarium.kernels.cuda.normalise import normalise_there
from tomarium.kernels.flat_field import normalise
from tomarium.kernels.invalid import RINGS
from tomarium.kernels.reference_fields import reduce_references
from tomarium.model import Domain, Frames, Layout, Scan, Slab
from tomarium.model.scan import Reference
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import NotNegative
from tomarium.steps.core.step import Cost, Figure, Values, step

FlatsBy = Literal["mean", "median"]
"""How the flats of a group become one."""

WEAK: Final = 0.05
"""Part of the signal of its neighbours below which a pixel of the flats is dead."""

WEAK_OVER: Final = 9
"""Columns about a pixel whose median it is compared with."""


@dataclass(frozen=True)
class AveragedReferences:
    """Reference frames of some rows, averaged.

    Attributes
    ----------
    rows : slice
        Rows of the scan they cover.
    flats : array of float32, shape (group, row, column)
        One average for each group of flats taken in a row.
    position : array of float64, shape (group,)
        When each group was taken, on the scale of the projections' index.
    dark : array of float32, shape (row, column)
        Average dark; zero where the scan has none.
    lowest_counts : float
        The least signal above the dark that is told from none.
    """

    rows: slice
    flats: NDArray[np.float32]
    position: NDArray[np.float64]
    dark: NDArray[np.float32]
    lowest_counts: float


def demand_flats(scan: Scan, layout: Layout | None = None) -> None:
    """Refuse a scan without flats.

    Parameters
    ----------
    scan : Scan
        The scan.
    layout : Layout, optional
        What reaches the step; not looked at.

    Raises
    ------
    MissingData
        It has none.
    """
    if scan.flats is None:
        raise MissingData(
            f"{scan.path} has no flat frames, which step flat_field needs; if they lie elsewhere, name them with "
            f"--flats FILE:/PLACE or --flats FOLDER; if the data are corrected already, say so with --domain "
            f"transmission (I/I0) or --domain attenuation (-ln I/I0)"
        )


def average_references(scan: Scan, rows: slice, flats_by: FlatsBy = "mean") -> AveragedReferences:
    """Average the flats, group by group as they were taken, and the darks.

    Parameters
    ----------
    scan : Scan
        The scan.
    rows : slice
        Rows that are needed.
    flats_by : {"mean", "median"}
        How the flats of a group become one; see `reduce_references`.

    Returns
    -------
    AveragedReferences
        For these rows.

    Raises
    ------
    MissingData
        The scan has no flats.
    """
    demand_flats(scan)
    assert scan.flats is not None
    groups = reference_groups(scan.flats, scan.shape[0])
    flats = [_average(scan.flats.frames, group, rows, "flat", flats_by) for group in groups]
    height, columns = rows.stop - rows.start, scan.shape[2]
    dark = np.zeros((height, columns), np.float32)
    if scan.darks is not None:
        everything = np.arange(scan.darks.frames.shape[0])
        dark = _average(scan.darks.frames, everything, rows, "dark")
    position = np.array([scan.flats.position[group].mean() for group in groups])
    bright = np.stack([without_weak(flat, dark) for flat in flats])
    return AveragedReferences(rows, bright, position, dark, lowest_signal(scan))


def without_weak(flat: NDArray[np.float32], dark: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give pixels that hardly see the beam the level of the dark, so that they are filled as dead ones are.

    Parameters
    ----------
    flat, dark : array of float32, shape (row, column)
        Averages; the flat is changed.

    Returns
    -------
    array of float32, shape (row, column)
        The flat. A pixel is weak whose signal is below a twentieth of the median of nine columns about it.
    """
    signal = flat - dark
    columns = signal.shape[1]
    if columns < WEAK_OVER:
        return flat
    least = WEAK * np.median(signal, axis=1, keepdims=True)
    for row in np.flatnonzero((signal < 10 * least).any(axis=1)):  # far from level: look closer
        weak = signal[row] < WEAK * median_over_columns(signal[row], WEAK_OVER)
        flat[row, weak] = dark[row, weak]
    return flat


def lowest_signal(scan: Scan) -> float:
    """Return the least signal above the dark that is told from none.

    Parameters
    ----------
    scan : Scan
        The scan, with flats.

    Returns
    -------
    float
        Half a count of integers. Floats may be of any scale, so there it is half the noise of the darks: the standard
        deviation over the frames of a typical pixel in the middle rows. Where there are no two darks, or they have no
        noise, 1e-4 of the flats' signal there.
    """
    if np.dtype(scan.projections.dtype).kind in "iub":
        return 0.5
    assert scan.flats is not None
    middle = scan.shape[1] // 2
    rows = slice(max(0, middle - 2), min(scan.shape[1], middle + 2))
    dark = 0.0
    if scan.darks is not None:
        darks = scan.darks.frames.read(slice(0, scan.darks.frames.shape[0]), rows).astype(np.float64)
        dark = float(np.nanmedian(darks))
        noise = float(np.nanmedian(np.std(darks, axis=0, ddof=1))) if len(darks) > 1 else 0.0
        if noise > 0:
            return 0.5 * noise
    flats = scan.flats.frames.read(slice(0, scan.flats.frames.shape[0]), rows)
    return max(1e-4 * (float(np.nanmedian(flats)) - dark), 0.0)


def reference_groups(flats: Reference, projections: int) -> list[NDArray[np.intp]]:
    """Part flats where projections were taken between them; all those before the first are one group.

    Parameters
    ----------
    flats : Reference
        The flats, and when each was taken.
    projections : int
        How many projections there are.

    Returns
    -------
    list of array of int
        Numbers of the flats of each group, by time.
    """
    order = np.argsort(flats.position, kind="stable")
    place = np.clip(flats.position[order], -1, projections)
    breaks = np.flatnonzero(np.diff(np.floor(place)) >= 1) + 1
    return list(np.split(order, breaks))


def _average(
    frames: Frames, chosen: NDArray[np.intp], rows: slice, kind: Any, by: FlatsBy = "mean"
) -> NDArray[np.float32]:
    """Average a few rows of all frames at a time: references of a large detector need not fit in memory."""
    columns = frames.shape[2]
    step = max(1, 64_000_000 // (8 * len(chosen) * columns))
    parts = [
        reduce_references(frames.read(chosen, slice(start, min(start + step, rows.stop))), kind, by)
        for start in range(rows.start, rows.stop, step)
    ]
    return np.concatenate(parts)


def attenuation_of(
    counts: NDArray[Any],
    references: AveragedReferences,
    rows: slice,
    threads: int,
    position: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Correct counts by the flat field and take the logarithm.

    Parameters
    ----------
    counts : array, shape (angle, row, column)
        Detector counts at all angles, or at those of `position`.
    references : AveragedReferences
        Cover the rows.
    rows : slice
        Rows of the scan the counts are of.
    threads : int
        Threads that may be used.
    position : array of float64, shape (angle,), optional
        Numbers of the projections; all by default.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Attenuation -ln(I/I0).
    """
    at = np.arange(len(counts), dtype=np.float64) if position is None else position
    attenuation: NDArray[np.float32] = _normalise(counts, references, rows, at, threads, True, None, None)[0]
    return attenuation


def transmission_of(
    counts: NDArray[Any], references: AveragedReferences, rows: slice, position: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Correct counts by the flat field.

    Parameters
    ----------
    counts : array, shape (angle, row, column)
        Detector counts.
    references : AveragedReferences
        Cover the rows.
    rows : slice
        Rows of the scan the counts are of.
    position : array of float64, shape (angle,)
        Place of each projection in the scan.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Transmission I/I0.
    """
    transmission: NDArray[np.float32] = _normalise(counts, references, rows, position, 1, False, None, None)[
        0
    ]
    return transmission


def _normalise(
    counts: Any,
    references: AveragedReferences,
    rows: slice,
    position: NDArray[np.float64],
    threads: int,
    log: bool,
    lowest_counts: float | None,
    out: NDArray[np.float32] | None,
) -> tuple[Any, Any]:
    part = slice(rows.start - references.rows.start, rows.stop - references.rows.start)
    lowest = references.lowest_counts if lowest_counts is None else lowest_counts
    if namespace(counts) is not np:
        return normalise_there(
            counts,
            references.dark[part],
            references.flats[:, part],
            references.position,
            position,
            log=log,
            lowest_counts=lowest,
        )
    return normalise(
        counts,
        references.dark[part],
        references.flats[:, part],
        references.position,
        position,
        log=log,
        lowest_counts=lowest,
        threads=threads,
        out=out,
    )


def _host(values: Values, layout: Layout) -> int:
    return layout.bytes + int(4 * layout.values * 1.25)


def _device(values: Values, layout: Layout) -> int:
    """Price counts, result, counts as float32 where they are of another kind, and flats and dark of the rows."""
    _, rows, columns = layout.shape
    return layout.bytes + 8 * layout.values + 4 * 8 * rows * columns


def _prepared(scan: Scan, values: Values) -> int:
    """Up to three groups of flats and one dark, float32, of the whole detector."""
    _, height, columns = scan.shape
    return 4 * 4 * height * columns


def none_filled(references: AveragedReferences, layout: Layout, rows: slice) -> bool:
    """Say whether every pixel of some rows has a value of its own: whole numbers over flats above the dark."""
    part = slice(rows.start - references.rows.start, rows.stop - references.rows.start)
    flats, dark = references.flats[:, part], references.dark[part]
    return np.dtype(layout.dtype).kind in "iu" and bool((np.isfinite(flats) & (flats > dark)).all())


def after_correction(layout: Layout, values: Values) -> Layout:
    """Return the layout of attenuation, or of transmission where no logarithm is taken."""
    domain: Domain = "attenuation" if values["log"] else "transmission"
    return replace(layout, dtype=np.dtype(np.float32), domain=domain, unit="1")


@step(
    accepts=("counts",),
    after=after_correction,
    cut="any",
    halo=RINGS,
    anywhere=True,
    cost=Cost(host=_host, device=_device, prepared=_prepared, nanoseconds=3.0),
    prepare=lambda scan, values, rows: average_references(scan, rows, values["flats_by"]),
    alone=none_filled,
    demand=demand_flats,
    figures=(
        Figure(
            "clipped",
            1e-3,
            "{percent} % of the counts do not exceed the dark: too few photons behind the sample",
        ),
        Figure("dead", 1e-2, "{percent} % of the pixels are dead and were filled from their neighbours"),
        Figure(
            "not_finite",
            0.0,
            "{percent} % of the counts are not finite and were filled from their neighbours",
        ),
    ),
    place=20,
    aliases=("flat_field_correction", "normalise", "normalize"),
)
def flat_field(
    slab: Slab,
    *,
    context: Context,
    prepared: AveragedReferences,
    log: bool = True,
    lowest_counts: NotNegative | None = None,
    flats_by: FlatsBy = "mean",
) -> Slab:
    """Correct counts by dark and flat frames, and take the logarithm.

    T = (P - D) / (F - D), then -ln T. Flats taken before, between and after the projections are averaged
    group by group without their outliers and interpolated to each projection's place in the scan. Pixels
    whose flat does not exceed the dark, and values that are not finite, take the median of their valid
    neighbours; nothing that is not finite leaves this step.

    Parameters
    ----------
    slab : Slab
        Detector counts, shape (angle, row, column).
    context : Context
        Threads that may be used, and memory for the result.
    prepared : AveragedReferences
        Averaged flats and darks, and when they were taken.
    log : bool
        Whether to take the logarithm too.
    lowest_counts : float or None
        The least signal above the dark that is told from none. None is half a count where counts are integers, and
        half the noise of the darks where they are not. T is clamped to this part of F - D, and to 1e-6 at least, so
        that the logarithm is safe. Values above 1 are kept.
    flats_by : {"mean", "median"}
        How the flats of a group become one: "mean", of what lies within 3.5 standard deviations of the median, which
        has a fifth less noise; "median", as tomodata does. Of three to seven flats both are the median.

    Returns
    -------
    Slab
        Attenuation -ln T, or transmission T; dimensionless, float32.

    Raises
    ------
    MissingData
        The scan has no flats.

    References
    ----------
    V. Van Nieuwenhove et al., Optics Express 23, 27975 (2015), equation 1.
    """
    first = 0 if slab.frames is None else slab.frames.start
    position = np.arange(first, first + slab.data.shape[0], dtype=np.float64)
    result, counts = _normalise(
        slab.data,
        prepared,
        slab.rows,
        position,
        context.threads,
        log,
        lowest_counts,
        context.result(slab.data.shape) if namespace(slab.data) is np else None,
    )
    # Neighbours count their own part of the halo; ours is taken for as good as theirs.
    own = 1 - sum(slab.halo) / slab.data.shape[slab.along]
    counted = {
        "flat_field.clipped": round(counts.clipped * own),
        "flat_field.dead": round(counts.dead * own),
        "flat_field.not_finite": ceil(counts.not_finite * own),
    }
    domain: Domain = "attenuation" if log else "transmission"
    return replace(slab, data=result, domain=domain, unit="1", report={**slab.report, **counted})
