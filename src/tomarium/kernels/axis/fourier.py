"""A sinogram and its mirror image make a full turn about the true axis only; else energy leaves a bow tie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.kernels.axis.prepare import Prepared
from tomarium.kernels.axis.threads import at_once, shares
from tomarium.kernels.axis.window import mirrored_window, vertex

_COARSE_COLUMNS: Final = 256
_FINE_COLUMNS: Final = 1024
_HIGHEST_FREQUENCY: Final = 0.35  # cycles per px: beyond lies noise
_MARGIN: Final = 4  # angular frequencies left free beside the bow tie
_FEWEST_COLUMNS: Final = 10
_REACH_PX: Final = 2.5
_ELSEWHERE: Final = (-30, -15, -9, -6, 6, 9, 15, 30)
_HALF_TURNS: Final = 10  # cut out of a full turn


@dataclass(frozen=True)
class HalfTurn:
    """Sinograms over half a turn, evenly sampled.

    Attributes
    ----------
    sinograms : array of float32, shape (sinogram, angle, column)
        Attenuation of a row group from some angle to just before its opposite.
    groups : array of intp, shape (sinogram,)
        Which of them belong together: a full turn gives two to each row group.
    """

    sinograms: NDArray[np.float32]
    groups: NDArray[np.intp]


def half_turns(prepared: Prepared) -> HalfTurn | None:
    """Cut the sinograms into half turns.

    Parameters
    ----------
    prepared : Prepared
        Attenuation without its static pattern.

    Returns
    -------
    HalfTurn or None
        None where the angles leave a gap too wide to continue over.
    """
    angles = prepared.angles_deg
    steps = np.diff(angles)
    step = float(np.median(steps[steps > 1e-6])) if np.any(steps > 1e-6) else 180.0
    views = max(round(180.0 / step), 2)
    even = 180.0 / views
    sinograms = prepared.sinograms()
    full = angles[-1] - angles[0] > 360.0 - 2.5 * even
    if full:
        once = angles < angles[0] + 360.0 - 0.02 * even
        angles = np.concatenate([angles[once], angles[once] + 360.0])
        sinograms = np.concatenate([sinograms[:, once]] * 2, axis=1)
    count = len(sinograms)
    starts = max(2, -(-_HALF_TURNS // count)) if full else 1
    several = count > 1
    cut, groups = [], []
    for i in range(count * starts):
        group = i % count
        # The ends of each half turn are elsewhere: so many opposites take part.
        start = angles[0] + (360.0 * i / (count * starts) if full else 0.0)
        even_angles = start + even * np.arange(views)
        inside = (angles >= even_angles[0] - 0.5 * even) & (angles <= even_angles[-1] + 0.5 * even)
        gaps = np.diff(np.concatenate([[even_angles[0] - even], angles[inside], [even_angles[-1] + even]]))
        if np.count_nonzero(inside) < 0.8 * views or gaps.max() > 4.5 * even:
            continue
        cut.append(_resample(sinograms[group : group + 1], angles, even_angles))
        groups.append(group if several else i)
    return HalfTurn(np.concatenate(cut), np.array(groups, np.intp)) if cut else None


def _resample(
    sinograms: NDArray[np.float32], angles: NDArray[np.float64], even_angles: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate linearly in angle; views that are there within 2 % of a step are taken as they are."""
    right = np.clip(np.searchsorted(angles, even_angles), 1, len(angles) - 1)
    span = np.maximum(angles[right] - angles[right - 1], 1e-9)
    share = np.clip((even_angles - angles[right - 1]) / span, 0.0, 1.0)
    share = np.where(share < 0.02, 0.0, np.where(share > 0.98, 1.0, share))
    weight = share.astype(np.float32)[:, None]
    return np.asarray(sinograms[:, right - 1] * (1 - weight) + sinograms[:, right] * weight)


@dataclass(frozen=True)
class Spectrum:
    """Both halves of the full turn in the plane of angular frequency n and column frequency f.

    Attributes
    ----------
    own, mirrored : array of complex64, shape (sinogram, point)
        A(n, f) and (-1)ⁿ conj A(-n, f) at the points outside the bow tie, n > 0.
    order : array of intp, shape (point,)
        n in cycles per turn.
    frequency : array of float32, shape (point,)
        f in cycles per px.
    weight : array of float32, shape (point,)
        From 0 where there is only noise to 1.
    """

    own: NDArray[np.complex64]
    mirrored: NDArray[np.complex64]
    order: NDArray[np.intp]
    frequency: NDArray[np.float32]
    weight: NDArray[np.float32]


def spectrum(
    sinograms: NDArray[np.float32],
    axis_column: float,
    weights: NDArray[np.float32],
    *,
    free_of_static: bool,
    radius: float = 0.0,
    threads: int | None = None,
) -> Spectrum:
    """Transform half turns so that any axis near by costs one multiplication.

    Parameters
    ----------
    sinograms : array of float32, shape (sinogram, angle, column)
        Attenuation over half a turn.
    axis_column : float
        Column the shifts will count from.
    weights : array of float32, shape (column,)
        Window.
    free_of_static : bool
        Also fit and remove whatever does not turn.
    radius : float
        Of the sample in px, where it reaches beyond the columns.
    threads : int, optional
        Threads that may be used; as many as there are processors by default.

    Returns
    -------
    Spectrum
        What `scatter` needs.

    Notes
    -----
    Let A(n, f) be the transform of the half turn followed by half a turn of zeros, columns counted from c₀.
    Its mirror image about c₀ + d, half a turn later, has the transform (-1)ⁿ conj A(-n, f) exp(-4πi f d).
    Their sum at the true axis vanishes where |n| > 2π f r, with r the largest radius in view (Vo et al. 2014,
    10.1364/OE.22.019078, who shift the image anew for each axis). A pattern s(u) that stays with the detector
    appears in the sum as a(f) h(n), with h the transform of one half turn of ones: odd n only, and of known
    shape, so that its least-squares fit can be taken out of both terms beforehand.
    """
    views, columns = sinograms.shape[1:]
    level = np.einsum("gku,u->g", sinograms, weights) / (views * max(float(weights.sum()), 1e-12))
    windowed = (sinograms - level[:, None, None].astype(np.float32)) * weights
    length = ducc0.fft.good_size(2 * columns, True)
    reach = max(axis_column, columns - 1 - axis_column, radius, 1.0)
    # Beyond this frequency the bow tie fills the whole range of n.
    highest = min(_HIGHEST_FREQUENCY, (views - _MARGIN) / (2 * np.pi * reach))
    bins = max(int(highest * length), 2)
    seen_columns = np.flatnonzero(weights > 0)
    f = np.arange(bins, dtype=np.float64) / length
    threads = threads or processors()
    rows = ducc0.fft.r2c(_zeros_after(windowed, 2, length), axes=[2], nthreads=threads)[:, :, :bins]
    rows = rows * np.exp(2j * np.pi * f * axis_column).astype(np.complex64)
    A = ducc0.fft.c2c(_zeros_after(rows, 1, 2 * views), axes=[1], nthreads=threads)
    # Beyond twice the highest order that the sample reaches there is noise only.
    orders = min(views, ceil(4 * np.pi * highest * reach) + 2 * _MARGIN)
    n = np.arange(1, orders)
    sign = np.where(n % 2 == 0, 1, -1).astype(np.float32)[:, None]
    own, mirrored = A[:, 1:orders], sign * np.conj(A[:, :-orders:-1])

    outside = (n[:, None] > 2 * np.pi * f * reach + _MARGIN) & (f * max(len(seen_columns), 1) > 1.0)
    if free_of_static:
        h = np.where(n % 2 == 1, 2 / (1 - np.exp(-1j * np.pi * n / views)), 0)[:, None] * outside
        norm = np.maximum(np.sum(np.abs(h) ** 2, axis=0), 1e-30)
        own, mirrored = (
            (M - h * (np.einsum("nf,gnf->gf", np.conj(h), M) / norm)[:, None]).astype(np.complex64)
            for M in (own, mirrored)
        )
    weight = _weight(own, mirrored, outside)
    point_n, point_f = np.nonzero(outside & (weight > 0.02))
    return Spectrum(
        own=own[:, point_n, point_f],
        mirrored=mirrored[:, point_n, point_f],
        order=n[point_n],
        frequency=f[point_f].astype(np.float32),
        weight=weight[point_n, point_f].astype(np.float32),
    )


def scatter(
    spectra: Spectrum, shifts: NDArray[np.float64], *, threads: int | None = None
) -> NDArray[np.float64]:
    """Measure the energy outside the bow tie for axes near by.

    Parameters
    ----------
    spectra : Spectrum
        Of `spectrum`.
    shifts : array of float64, shape (shift,)
        Axis columns less that the spectrum counts from, evenly spaced, in px.
    threads : int, optional
        Threads that may be used, 1 or as many as there are processors; the latter by default.

    Returns
    -------
    array of float64, shape (sinogram, shift)
        Σ w |A + B exp(-4πi f d)| / Σ w √(|A|² + |B|²): about 0.9 where the halves do not fit, less where
        they do.
    """
    reference = np.sqrt(np.abs(spectra.own) ** 2 + np.abs(spectra.mirrored) ** 2) @ spectra.weight
    step = float(shifts[1] - shifts[0]) if len(shifts) > 1 else 0.0
    turn = np.exp(-4j * np.pi * spectra.frequency * step).astype(np.complex64)
    moving = spectra.mirrored * np.exp(-4j * np.pi * spectra.frequency * float(shifts[0])).astype(
        np.complex64
    )
    curve = np.empty((len(moving), len(shifts)))

    def follow(part: slice) -> None:
        for i in range(len(shifts)):
            curve[part, i] = np.abs(spectra.own[part] + moving[part]) @ spectra.weight
            moving[part] *= turn

    at_once(follow, shares(len(moving)) if threads is None else [slice(None)])
    return np.asarray(curve / np.maximum(reference, 1e-30)[:, None])


@dataclass(frozen=True)
class Fit:
    """Where the two halves of a turn fit together best.

    Attributes
    ----------
    column : float
        Column of the axis.
    error : float
        What leaving row groups out in turn changes, as a standard error in px; nan for one group.
    """

    column: float
    error: float


def fit_near(turns: HalfTurn, column: float, *, free_of_static: bool) -> Fit | None:
    """Find the axis near a column that leaves the least energy outside the bow tie.

    Parameters
    ----------
    turns : HalfTurn
        Half turns.
    column : float
        Within 2 px of which to search.
    free_of_static : bool
        Remove whatever does not turn, at the price of half of the signal.

    Returns
    -------
    Fit or None
        None where the least lies at the end of the range, or where nothing but noise lies outside the bow tie.

    Notes
    -----
    The window mirrors about the candidate, reaches to the nearer edge and follows the candidate as it moves. One
    window for all candidates draws the result to its own middle where the sample is wider than the detector:
    started 2 px off, it ends up to 2.3 px off.
    """
    fine, factor = binned(turns, _FINE_COLUMNS)
    place = begun = (column + 0.5) / factor - 0.5
    error = float("nan")
    for reach in (_REACH_PX, 1.0, 1.0, 1.0):
        least = _least(fine, place, reach, free_of_static)
        if least is None:
            return None
        moved, place, error = least[0] - place, *least
        if abs(place - begun) > _REACH_PX:
            return None
        if abs(moved) < 0.05:
            break
    return Fit((place + 0.5) * factor - 0.5, error * factor)


def contrast(turns: HalfTurn, column: float, *, free_of_static: bool) -> float:
    """Compare the energy outside the bow tie at a column with that at others.

    Parameters
    ----------
    turns : HalfTurn
        Half turns.
    column : float
        Column of the axis.
    free_of_static : bool
        Remove whatever does not turn.

    Returns
    -------
    float
        1 less the scatter within 1 px of the column over the least within 1 px of eight columns farther off.
    """
    coarse, factor = binned(turns, _COARSE_COLUMNS)
    place = (column + 0.5) / factor - 0.5
    at, *elsewhere = at_once(
        lambda away: _least_scatter(coarse, place + away, free_of_static), (0, *_ELSEWHERE)
    )
    least = min((value for value in elsewhere if value is not None), default=None)
    return 1 - at / least if at is not None and least else 0.0


def _windowed(
    turns: HalfTurn, column: float, free_of_static: bool, threads: int | None = None
) -> Spectrum | None:
    """Transform what a window about a column sees; None where that is nothing but noise."""
    columns = turns.sinograms.shape[2]
    half = min(column + 0.5, columns - 0.5 - column)
    seen_columns = slice(max(0, ceil(column - half)), min(columns, floor(column + half) + 1))
    if seen_columns.stop - seen_columns.start < _FEWEST_COLUMNS:
        return None
    weights = mirrored_window(np.arange(seen_columns.start, seen_columns.stop), column, half, edge=0.3)
    # What passes the window may come from farther out, and sweeps through it the faster.
    radius = max(column, columns - 1 - column)
    spectra = spectrum(
        turns.sinograms[:, :, seen_columns],
        column - seen_columns.start,
        weights,
        free_of_static=free_of_static,
        radius=radius,
        threads=threads,
    )
    return spectra if spectra.weight.size else None


def _least_scatter(turns: HalfTurn, column: float, free_of_static: bool) -> float | None:
    """Return the least scatter within 1 px; one thread, as other columns are tried at the same time."""
    spectra = _windowed(turns, column, free_of_static, threads=1)
    if spectra is None:
        return None
    return float(scatter(spectra, np.arange(-1, 1.1, 0.25), threads=1).mean(axis=0).min())


def _least(turns: HalfTurn, column: float, reach: float, free_of_static: bool) -> tuple[float, float] | None:
    """Find the least scatter within reach of the middle of a window; return column and error."""
    spectra = _windowed(turns, column, free_of_static)
    if spectra is None:
        return None
    step = 0.1
    shifts = np.arange(-reach, reach + step / 2, step)
    curve = scatter(spectra, shifts)
    total = curve.mean(axis=0)
    best = int(np.argmin(total))
    if best in (0, len(total) - 1):
        return None
    error = _jackknife(curve, turns.groups, shifts)
    return column + float(shifts[0]) + step * vertex(total, best), error


def binned(turns: HalfTurn, columns: int) -> tuple[HalfTurn, int]:
    """Average neighbouring columns until no more than so many are left.

    Parameters
    ----------
    turns : HalfTurn
        Half turns.
    columns : int
        Most columns wanted.

    Returns
    -------
    turns : HalfTurn
        The same turns; columns that do not fill a bin are left out on the right.
    factor : int
        Columns in a bin.
    """
    count, views, width = turns.sinograms.shape
    factor = max(1, -(-width // columns))
    kept_columns = width // factor * factor
    if factor == 1:
        return turns, 1
    cells = turns.sinograms[:, :, :kept_columns].reshape(count, views, kept_columns // factor, factor)

    def average(sinogram: int) -> None:
        # Whole arrays are added: a mean over the short last axis takes ten times as long.
        for cell in range(factor):
            means[sinogram] += cells[sinogram, :, :, cell]
        means[sinogram] /= np.float32(factor)

    means = np.zeros((count, views, kept_columns // factor), np.float32)
    at_once(average, range(count))
    return replace(turns, sinograms=means), factor


def _jackknife(curve: NDArray[np.float64], groups: NDArray[np.intp], shifts: NDArray[np.float64]) -> float:
    """Return the standard error of the minimum when each row group is left out in turn; nan for one group."""
    names = np.unique(groups)
    if len(names) < 2:
        return float("nan")
    minima = np.empty(len(names))
    for i, name in enumerate(names):
        mean_curve = curve[groups != name].mean(axis=0)
        minima[i] = (shifts[1] - shifts[0]) * vertex(mean_curve, int(np.argmin(mean_curve)))
    return float(np.sqrt((len(names) - 1) * np.var(minima)))


def _weight(
    own: NDArray[np.complex64], mirrored: NDArray[np.complex64], outside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return 1 - 1.5 · noise / power, at least 0, with the noise of the corner farthest from the bow tie.

    Only what lies outside the bow tie counts: inside there is the sample, and what does not turn.
    """
    squares = np.abs(own) ** 2 + np.abs(mirrored) ** 2
    power = np.asarray(squares.mean(axis=0, dtype=np.float64)) * outside
    orders, bins = outside.shape
    corner = np.s_[int(0.7 * orders) :, int(0.3 * bins) :]
    noise = float(power[corner].sum() / max(np.count_nonzero(outside[corner]), 1))
    share = _running_mean(_running_mean(outside.astype(np.float64), 9, 0), 5, 1)
    smooth = _running_mean(_running_mean(power, 9, 0), 5, 1) / np.maximum(share, 1e-12)
    return np.clip(1 - 1.5 * noise / np.maximum(smooth, 1e-30 * noise + 1e-300), 0, 1)


def _running_mean(values: NDArray[np.float64], width: int, axis: int) -> NDArray[np.float64]:
    half = width // 2
    pad = [(half, half) if i == axis else (0, 0) for i in range(values.ndim)]
    padded = np.moveaxis(np.pad(values, pad, mode="edge"), axis, 0)
    total = np.zeros_like(padded[: values.shape[axis]])
    for k in range(width):
        total += padded[k : k + values.shape[axis]]
    return np.moveaxis(total / width, 0, axis)


def _zeros_after(values: NDArray[np.generic], axis: int, length: int) -> NDArray[np.generic]:
    pad = [(0, length - values.shape[i]) if i == axis else (0, 0) for i in range(values.ndim)]
    return np.pad(values, pad)
