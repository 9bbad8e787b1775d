"""A sinogram and its mirror image make a full turn about the true axis only; else energy leaves a bow tie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.axis.estimate import Candidate
from tomarium.kernels.axis.prepare import Prepared
from tomarium.kernels.axis.window import overlap, taper, vertex

_COARSE_COLUMNS: Final = 256
_FINE_COLUMNS: Final = 1024
_HIGHEST_FREQUENCY: Final = 0.35  # cycles per px: beyond lies noise
_MARGIN: Final = 4  # angular frequencies left free beside the bow tie
_NARROWEST: Final = 0.06  # of the width: overlap below which a coarse search is blind
_NEAR_PX: Final = 24.0
_NEAR_SHARE: Final = 0.3  # of the half overlap


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
    cut = []
    for start in (angles[0], angles[0] + 180.0):
        wanted = start + even * np.arange(views)
        inside = (angles >= wanted[0] - 0.5 * even) & (angles <= wanted[-1] + 0.5 * even)
        gaps = np.diff(np.concatenate([[wanted[0] - even], angles[inside], [wanted[-1] + even]]))
        if np.count_nonzero(inside) < 0.8 * views or gaps.max() > 4.5 * even:
            break
        cut.append(_resample(sinograms, angles, wanted))
    if not cut:
        return None
    # With one row group, the two halves of a full turn tell how far the estimate can be trusted.
    several = len(sinograms) > 1
    groups = np.tile(np.arange(len(sinograms)), len(cut)) if several else np.arange(len(cut))
    return HalfTurn(np.concatenate(cut), groups)


def _resample(
    sinograms: NDArray[np.float32], angles: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate linearly in angle; views that are there within 2 % of a step are taken as they are."""
    right = np.clip(np.searchsorted(angles, wanted), 1, len(angles) - 1)
    span = np.maximum(angles[right] - angles[right - 1], 1e-9)
    share = np.clip((wanted - angles[right - 1]) / span, 0.0, 1.0)
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
    sinograms: NDArray[np.float32], axis_column: float, weights: NDArray[np.float32], *, free_of_static: bool
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
    reach = max(axis_column, columns - 1 - axis_column, 1.0)
    # Beyond this frequency the bow tie fills the whole range of n.
    highest = min(_HIGHEST_FREQUENCY, (views - _MARGIN) / (2 * np.pi * reach))
    bins = max(int(highest * length), 2)
    seen = np.flatnonzero(weights > 0)
    f = np.arange(bins, dtype=np.float64) / length
    rows = ducc0.fft.r2c(_zeros_after(windowed, 2, length), axes=[2])[:, :, :bins]
    rows = rows * np.exp(2j * np.pi * f * axis_column).astype(np.complex64)
    A = ducc0.fft.c2c(_zeros_after(rows, 1, 2 * views), axes=[1])
    n = np.arange(1, views)
    sign = np.where(n % 2 == 0, 1, -1).astype(np.float32)[:, None]
    own, mirrored = A[:, 1:views], sign * np.conj(A[:, :views:-1])

    outside = (n[:, None] > 2 * np.pi * f * reach + _MARGIN) & (f * max(len(seen), 1) > 1.0)
    if free_of_static:
        h = np.where(n % 2 == 1, 2 / (1 - np.exp(-1j * np.pi * n / views)), 0)[:, None] * outside
        norm = np.maximum(np.sum(np.abs(h) ** 2, axis=0), 1e-30)
        own, mirrored = (
            (M - h * (np.einsum("nf,gnf->gf", np.conj(h), M) / norm)[:, None]).astype(np.complex64)
            for M in (own, mirrored)
        )
    weight = _weight(own, mirrored, outside)[outside]
    kept = weight > 0.02
    point_n, point_f = np.nonzero(outside)
    return Spectrum(
        own=own[:, outside][:, kept],
        mirrored=mirrored[:, outside][:, kept],
        order=n[point_n[kept]],
        frequency=f[point_f[kept]].astype(np.float32),
        weight=weight[kept].astype(np.float32),
    )


def scatter(spectra: Spectrum, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the energy outside the bow tie for axes near by.

    Parameters
    ----------
    spectra : Spectrum
        Of `spectrum`.
    shifts : array of float64, shape (shift,)
        Axis columns less that the spectrum counts from, evenly spaced, in px.

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
    for i in range(len(shifts)):
        curve[:, i] = np.abs(spectra.own + moving) @ spectra.weight
        moving *= turn
    return np.asarray(curve / np.maximum(reference, 1e-30)[:, None])


def find_by_fourier(turns: HalfTurn, *, free_of_static: bool, near: float | None = None) -> Candidate | None:
    """Find the axis that leaves the least energy outside the bow tie.

    Parameters
    ----------
    turns : HalfTurn
        Evenly sampled half turns.
    free_of_static : bool
        Remove whatever does not turn, at the price of half of the signal.
    near : float, optional
        Column within 24 px of which to search, for an axis so close to an edge that a window over the whole
        detector hardly sees it.

    Returns
    -------
    Candidate or None
        None where nothing but noise lies outside the bow tie.
    """
    coarse, factor = binned(turns, _COARSE_COLUMNS if near is None else _FINE_COLUMNS)
    fine, fine_factor = binned(turns, _FINE_COLUMNS)
    found = _search(coarse, None if near is None else (near + 0.5) / factor - 0.5)
    if found is None:
        return None
    position, score = found
    position = (position + 0.5) * factor / fine_factor - 0.5
    refined = _refine(fine, position, max(2.0, 1.5 * factor / fine_factor), free_of_static)
    if refined is None:
        return None
    position, error = refined
    method = "fourier, near the edge" if near is not None else "fourier"
    method += ", free of static" if free_of_static else ""
    return Candidate(method, "fourier", (position + 0.5) * fine_factor - 0.5, score, error * fine_factor)


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
    kept = width // factor * factor
    cells = turns.sinograms[:, :, :kept].reshape(count, views, kept // factor, factor)
    return replace(turns, sinograms=cells.mean(axis=-1)), factor


def _search(turns: HalfTurn, near: float | None) -> tuple[float, float] | None:
    """Return column and score of the deepest place, over the whole detector or near a column.

    The static pattern and the mean over the turn, which the window cuts off unevenly, would both look like
    an axis in the middle: the search is always free of static.
    """
    columns = turns.sinograms.shape[2]
    middle = (columns - 1) / 2 if near is None else near
    half = min(middle, columns - 1 - middle)
    if half < 8:
        return None
    reach = (1 - _NARROWEST) * half if near is None else min(_NEAR_PX, _NEAR_SHARE * half)
    weights = taper(columns, middle, edge=0.1)
    spectra = spectrum(turns.sinograms, middle, weights, free_of_static=True)
    if not spectra.weight.size:
        return None
    shifts = np.arange(-reach, reach, 0.5)
    curve = scatter(spectra, shifts).mean(axis=0)
    best = int(np.argmin(curve))
    depth = float(np.median(curve) - curve[best])
    others = np.delete(curve, np.arange(max(0, best - 8), min(len(curve), best + 9)))
    if depth <= 0 or not others.size:
        return None
    return middle + float(shifts[0]) + 0.5 * vertex(curve, best), float((others.min() - curve[best]) / depth)


def _refine(turns: HalfTurn, column: float, reach: float, free_of_static: bool) -> tuple[float, float] | None:
    """Narrow down in a window that mirrors about the axis; return column and error."""
    columns = turns.sinograms.shape[2]
    curve = np.empty((0, 0))
    shifts = np.empty(0)
    for step, width in ((0.25, reach), (0.1, 1.0), (0.1, 0.6), (0.1, 0.6)):
        seen = overlap(columns, column)
        if seen.stop - seen.start < 8:
            return None
        part = turns.sinograms[:, :, seen]
        weights = taper(columns, column)[seen]
        spectra = spectrum(part, column - seen.start, weights, free_of_static=free_of_static)
        if not spectra.weight.size:
            return None
        shifts = np.arange(-width, width + step / 2, step)
        curve = scatter(spectra, shifts)
        total = curve.mean(axis=0)
        moved = float(shifts[0]) + step * vertex(total, int(np.argmin(total)))
        column += moved
        if step == 0.1 and abs(moved) < 0.05:
            break
    return column, _jackknife(curve, turns.groups, shifts)


def _jackknife(curve: NDArray[np.float64], groups: NDArray[np.intp], shifts: NDArray[np.float64]) -> float:
    """Return the standard error of the minimum when each row group is left out in turn; nan for one group."""
    names = np.unique(groups)
    if len(names) < 2:
        return float("nan")
    minima = np.empty(len(names))
    for i, name in enumerate(names):
        left = curve[groups != name].mean(axis=0)
        minima[i] = (shifts[1] - shifts[0]) * vertex(left, int(np.argmin(left)))
    return float(np.sqrt((len(names) - 1) * np.var(minima)))


def _weight(
    own: NDArray[np.complex64], mirrored: NDArray[np.complex64], outside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return 1 - 3 · noise / power, at least 0, with the noise of the corner farthest from the bow tie.

    Only what lies outside the bow tie counts: inside there is the sample, and what does not turn.
    """
    squares = np.abs(own) ** 2 + np.abs(mirrored) ** 2
    power = np.asarray(squares.mean(axis=0, dtype=np.float64)) * outside
    orders, bins = outside.shape
    corner = np.s_[int(0.7 * orders) :, int(0.3 * bins) :]
    noise = float(power[corner].sum() / max(np.count_nonzero(outside[corner]), 1))
    share = _running_mean(_running_mean(outside.astype(np.float64), 5, 0), 3, 1)
    smooth = _running_mean(_running_mean(power, 5, 0), 3, 1) / np.maximum(share, 1e-12)
    return np.clip(1 - 3 * noise / np.maximum(smooth, 1e-300), 0, 1)


def _running_mean(values: NDArray[np.float64], width: int, axis: int) -> NDArray[np.float64]:
    half = width // 2
    pad = [(half, half) if i == axis else (0, 0) for i in range(values.ndim)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, pad, mode="edge"), width, axis=axis)
    return np.asarray(windows.mean(axis=-1))


def _zeros_after(values: NDArray[np.generic], axis: int, length: int) -> NDArray[np.generic]:
    pad = [(0, length - values.shape[i]) if i == axis else (0, 0) for i in range(values.ndim)]
    return np.pad(values, pad)
