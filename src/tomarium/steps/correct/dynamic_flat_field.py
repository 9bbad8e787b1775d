"""Flat-field correction of a beam that moves, with the logarithm."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.errors import MissingData
from tomarium.kernels.eigen_flats import FEWEST_FLATS, MOST, EigenFlats, Fit, eigen_flats
from tomarium.kernels.flat_field import normalise
from tomarium.kernels.invalid import RINGS
from tomarium.kernels.reference_fields import reduce_references
from tomarium.model import Domain, Layout, Scan, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import NotNegative
from tomarium.steps.core.step import Cost, Figure, Values, step
from tomarium.steps.correct.flat_field import (
    after_correction,
    demand_flats,
    lowest_signal,
    reference_groups,
    without_weak,
)

BATCH: Final = 8
"""Views whose flat fields are held at a time."""

LEAST: Final = 1e-5
"""Part of the dark below which a signal is not looked at closer: its pixel may be one that is filled."""

HIGHEST: Final = 80.0
"""Logarithm of a flat field that float32 holds."""


@dataclass(frozen=True)
class MovingReferences:
    """The flat field of each view.

    Attributes
    ----------
    flats : EigenFlats
        Of the rows that are needed.
    rows : slice
        These rows of the scan.
    dark : array of float32, shape (row, column)
        Of these rows.
    weights : array of float64, shape (angle, component)
        How much of each component a view has.
    intensity : array of float64, shape (angle,)
        Logarithm of the beam's intensity over that of the mean flat.
    beyond : array of bool, shape (angle,)
        Views whose weights lay beyond what the flats show, and were cut.
    lowest_counts : float
        The least signal above the dark that is told from none.
    """

    flats: EigenFlats
    rows: slice
    dark: NDArray[np.float32]
    weights: NDArray[np.float64]
    intensity: NDArray[np.float64]
    beyond: NDArray[np.bool_]
    lowest_counts: float


def demand(scan: Scan, layout: Layout | None = None) -> None:
    """Refuse a scan with fewer than five flats."""
    demand_flats(scan, layout)
    assert scan.flats is not None
    count = scan.flats.frames.shape[0]
    if count < FEWEST_FLATS:
        raise MissingData(
            f"{scan.path} has {count} flats, which do not tell how the beam moves; step dynamic_flat_field needs at "
            f"least {FEWEST_FLATS}, better 20 or more: use flat_field"
        )


def prepare(scan: Scan, values: Values, rows: slice) -> MovingReferences:
    """Find how flats differ, and how much of each difference every view has, by whole frames.

    Parameters
    ----------
    scan : Scan
        The scan; all of its frames are read once.
    values : Values
        Not looked at.
    rows : slice
        Rows that are needed.

    Returns
    -------
    MovingReferences
        For these rows; the weights are the same whatever rows are asked for.
    """
    demand(scan)
    assert scan.flats is not None
    frames = scan.flats.frames
    every = slice(0, scan.shape[1])
    dark = np.zeros(scan.shape[1:], np.float32)
    if scan.darks is not None:
        dark = reduce_references(scan.darks.frames.read(slice(0, scan.darks.frames.shape[0]), every), "dark")
    signal = np.asarray(frames.read(slice(0, frames.shape[0]), every), np.float32) - dark
    flats = eigen_flats(signal)
    flats.mean[without_weak(np.nan_to_num(np.exp(flats.mean)), np.zeros_like(dark)) == 0] = np.nan
    good = np.isfinite(flats.mean)
    level = np.array([np.log(frame[good].mean(dtype=np.float64)) for frame in signal])
    level -= np.log(signal[:, good].mean(dtype=np.float64))
    del signal
    views = scan.shape[0]
    groups = reference_groups(scan.flats, views)  # over the flats taken in a row, since a beam flickers
    when = [scan.flats.position[group].mean() for group in groups]
    intensity = np.interp(np.arange(views), when, [level[group].mean() for group in groups])
    fit = Fit(flats)
    weights = np.zeros((views, len(flats.components)))
    beyond = np.zeros(views, np.bool_)

    def one(view: int) -> None:
        counts = scan.projections.read(slice(view, view + 1), every)[0]
        weights[view], beyond[view] = fit.within_flats(fit.weights(counts - dark))

    if len(flats.components):
        with ThreadPoolExecutor(processors()) as pool:
            list(pool.map(one, range(views)))
    part = replace(flats, mean=flats.mean[rows].copy(), components=flats.components[:, rows].copy())
    return MovingReferences(part, rows, dark[rows].copy(), weights, intensity, beyond, lowest_signal(scan))


def none_filled(references: MovingReferences, layout: Layout, rows: slice) -> bool:
    """Say whether every pixel of some rows has a value of its own: whole numbers, and no flat field near the dark.

    The flat field of any view lies between bounds, by the greatest weight of each component.
    """
    if np.dtype(layout.dtype).kind not in "iu":
        return False
    part = slice(rows.start - references.rows.start, rows.stop - references.rows.start)
    mean, dark = references.flats.mean[part], references.dark[part]
    most = np.abs(references.weights).max(axis=0)
    spread = np.tensordot(most, np.abs(references.flats.components[:, part]), axes=1)
    low, high = (
        mean + side for side in (references.intensity.min() - spread, references.intensity.max() + spread)
    )
    # Where the dark is added to less of a signal, float32 may hold nothing of it.
    least = np.log(LEAST * (1 + np.abs(dark)))
    return bool(((low > least) & (high < HIGHEST)).all())


def _host(values: Values, layout: Layout) -> int:
    pixels = layout.values // max(1, layout.shape[0])
    return layout.bytes + int(4 * layout.values * 1.25) + 4 * BATCH * 6 * pixels


def _prepared(scan: Scan, values: Values) -> int:
    """Flats, mean and components of the whole detector, float32, and what a thread averages a view with."""
    assert scan.flats is not None
    _, height, columns = scan.shape
    flats = scan.flats.frames.shape[0]
    item = np.dtype(scan.projections.dtype).itemsize
    return height * columns * ((4 * 3 + item) * flats + 8 * (MOST + 4) + 40 * processors())


@step(
    accepts=("counts",),
    after=after_correction,
    cut="any",
    halo=RINGS,
    cost=Cost(host=_host, prepared=_prepared, nanoseconds=20.0),
    prepare=prepare,
    alone=none_filled,
    demand=demand,
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
        Figure(
            "beyond",
            1e-6,
            "in {percent} % of the views the beam differs more from the mean flat than the flats do from each other, "
            "and its flat field is a guess there: take flats over a longer time, or use flat_field",
        ),
    ),
    place=20,
    aliases=("eigen_flats", "pca_flats", "pcaflats", "dynamic_flats"),
)
def dynamic_flat_field(
    slab: Slab,
    *,
    context: Context,
    prepared: MovingReferences,
    log: bool = True,
    lowest_counts: NotNegative | None = None,
) -> Slab:
    """Correct counts by a flat field of their own for each view, and take the logarithm.

    For a beam that moves faster than flats are taken, as stripes of a monochromator do. The ways in which the flats
    differ are their principal components; of each, a view gets as much as makes the sample smoothest (least sum of
    absolute slopes of the logarithm, over the whole frame averaged to at most 2048 × 32 blocks). No part of the frame
    need be free of the sample. Stripes as thin as a row are followed in detectors of up to 4095 rows. The intensity is
    that of the flats before and after, interpolated. All frames are read once beforehand.

    Parameters
    ----------
    slab : Slab
        Detector counts, shape (angle, row, column).
    context : Context
        Threads that may be used, and memory for the result.
    prepared : MovingReferences
        Mean flat and components, and how much of them each view has.
    log : bool
        Whether to take the logarithm too.
    lowest_counts : float or None
        As in flat_field.

    Returns
    -------
    Slab
        Attenuation -ln T, or transmission T; dimensionless, float32.

    Raises
    ------
    MissingData
        The scan has fewer than five flats.

    References
    ----------
    V. Van Nieuwenhove et al., Optics Express 23, 27975 (2015), doi 10.1364/OE.23.027975.
    C. Jailin et al., Journal of Synchrotron Radiation 24, 220 (2017), doi 10.1107/S1600577516015812.
    """
    first = 0 if slab.frames is None else slab.frames.start
    views, rows, columns = slab.data.shape
    part = slice(slab.rows.start - prepared.rows.start, slab.rows.stop - prepared.rows.start)
    mean, components = prepared.flats.mean[part], prepared.flats.components[:, part]
    dark = prepared.dark[part]
    result = context.result(slab.data.shape)
    clipped = dead = not_finite = 0
    for start in range(0, views, BATCH):
        stop = min(start + BATCH, views)
        chosen = slice(first + start, first + stop)
        weights = prepared.weights[chosen].astype(np.float32)
        bright = np.tensordot(weights, components, axes=1)
        bright += mean + prepared.intensity[chosen, None, None].astype(np.float32)
        np.exp(bright, out=bright)
        bright += dark
        place = np.arange(start, stop, dtype=np.float64)
        _, report = normalise(
            slab.data[start:stop],
            dark,
            np.nan_to_num(bright, nan=-1.0),
            place,
            place,
            log=log,
            lowest_counts=prepared.lowest_counts if lowest_counts is None else lowest_counts,
            threads=context.threads,
            out=result[start:stop],
        )
        clipped, dead, not_finite = (
            clipped + report.clipped,
            dead + report.dead,
            not_finite + report.not_finite,
        )
    own = 1 - sum(slab.halo) / slab.data.shape[slab.along]
    outside = int(np.count_nonzero(prepared.beyond[first : first + views])) * rows * columns
    counted = {"clipped": clipped, "dead": dead, "not_finite": not_finite, "beyond": outside}
    told_of = {f"dynamic_flat_field.{name}": round(number * own) for name, number in counted.items()}
    domain: Domain = "attenuation" if log else "transmission"
    return replace(slab, data=result, domain=domain, unit="1", report={**slab.report, **told_of})
