"""Phase retrieval for one material from one distance: Paganin's low-pass filter of the transmission."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import acosh, ceil, isfinite, log, pi, sqrt
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tomarium.array import namespace
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.ramp import good_length
from tomarium.kernels.unsharp import Unsharp

Pad = Literal["edge", "reflect"]
"""What lies beyond the frame: its outermost values, or its mirror image."""

Form = Literal["continuous", "discrete"]
"""The Laplacian in the filter: of continuous space, or of finite differences between pixels."""

WAVELENGTH_M_KEV: Final = 1.239841984e-9
"""h c in keV m: the wavelength in m is this over the energy in keV (CODATA 2018, exact)."""

SLAB_ERROR: Final = 1e-4
"""What rows beyond the halo may change, as a part of the range of the transmission."""


LEAST_GAP: Final = 100
"""Pixels beyond the frame at least: what is left of short filters' alternating tail is below 1e-4 of the range."""


_BATCH_BYTES: Final = 64 << 20


def length_m(delta_beta: float, energy_kev: float, distance_m: float) -> float:
    """Return the length of the filter, L = sqrt(pi lambda R delta/beta).

    Parameters
    ----------
    delta_beta : float
        Ratio of refractive decrement and absorption index, 0 or more.
    energy_kev : float
        Photon energy in keV, above 0.
    distance_m : float
        Distance R from sample to detector in metres, of either sign, in a parallel beam; in a diverging one R / M
        with the magnification M, and the length is one in the sample.

    Returns
    -------
    float
        L in metres; divided by the pixel size it is the `length_px` of `paganin`.

    Raises
    ------
    ParameterError
        A number is out of its range.

    References
    ----------
    L² = 4 pi² R delta / mu with mu = 4 pi beta / lambda: Paganin et al. (2002), doi
    10.1046/j.1365-2818.2002.01010.x, as ESRF's PyHST2 writes it (its parameter PAGANIN_Lmicron).
    """
    if not (energy_kev > 0 and delta_beta >= 0 and isfinite(energy_kev * delta_beta * distance_m)):
        raise ParameterError(
            f"paganin: delta_beta is {delta_beta}, energy_kev {energy_kev} and distance_m {distance_m}; give finite "
            f"numbers, the energy above 0 and the ratio not below"
        )
    return sqrt(pi * WAVELENGTH_M_KEV / energy_kev * abs(distance_m) * delta_beta)


def delta_beta(length_m: float, energy_kev: float, distance_m: float) -> float:
    """Return the ratio delta/beta that a length of the filter stands for.

    Parameters
    ----------
    length_m : float
        Length L of the filter in metres.
    energy_kev, distance_m : float
        See `length_m`; neither is 0.

    Returns
    -------
    float
        delta/beta = L² / (pi lambda R).
    """
    return length_m**2 / (pi * WAVELENGTH_M_KEV / energy_kev * abs(distance_m))


def halo_pixels(length_px: float, form: Form = "continuous", unsharp: Unsharp | None = None) -> int:
    """Return how many neighbours on each side a pixel looks at, so that a slab with them equals the whole.

    1. In space the filter is (2 pi / L²) K0(2 pi r / L); summed along a row it falls as exp(-2 pi |z| / L) with
       the decay length L / (2 pi). What lies beyond h rows on both sides changes a row by at most
       exp(-2 pi h / L) of the range: 1e-4 takes 9.21 decay lengths, 1.47 L.
    2. The sampled filter ends at the Nyquist frequency with the slope s = L² / (1 + L²/4)², so that below its
       exponential there is an alternating tail s / (2 pi² z²). White noise that fills the range, beyond h rows on
       both sides, changes a row by 4.5 standard deviations of 0.29 s / (2 pi²) sqrt(2 / (3 h³)) at most: 1e-4 takes
       (540 s)^(2/3) rows, 66 at L = 2, where it is most, and 6 at L = 25.

    Measured on steps and on white noise, from L = 0.3 to 136: 1e-4 of the range at most. Nothing but rows that
    alternate over the whole range far beyond the halo, with L below 8, exceeds it (by up to five times).

    The discrete form has no such tail; it falls as exp(-k |z|) with cosh k = 1 + 2 (pi / L)². An unsharp mask
    raises what is left by its gain at most, 1 + 2 c of a Gaussian, and looks as far beyond as its Gaussian reaches.

    Parameters
    ----------
    length_px : float
        Length L of the filter in pixels, 0 or more.
    form : {"continuous", "discrete"}
        See `paganin`.
    unsharp : Unsharp, optional
        Mask behind the filter.

    Returns
    -------
    int
        Pixels.

    Raises
    ------
    ParameterError
        `length_px` is negative or not finite.
    """
    _check_length(length_px)
    error = SLAB_ERROR / (1 if unsharp is None else unsharp.gain)
    beyond = 0 if unsharp is None else unsharp.reach(error)
    if form == "discrete":
        decay = acosh(1 + 2 * (pi / length_px) ** 2) if length_px else 0.0
        return beyond + (ceil(log(1 / error) / decay) if decay else 0)
    slope = length_px**2 / (1 + length_px**2 / 4) ** 2
    rows: float = length_px / (2 * pi) * log(1 / error) + (0.054 / error * slope) ** (2 / 3)
    return ceil(rows) + beyond


def paganin(
    transmission: Any,
    length_px: float,
    *,
    form: Form = "continuous",
    aspect: float = 1.0,
    unsharp: Unsharp | None = None,
    pad: Pad = "edge",
    pad_rows: tuple[bool, bool] = (True, True),
    threads: int = 1,
    out: NDArray[Any] | None = None,
) -> Any:
    """Filter transmission images by 1 / (1 + L² f²).

    -ln of the result, times 1/µ, is the projected thickness of a homogeneous sample, free of the fringes of
    propagation.

    1. Columns go on beyond the detector by at least 4 L, two halos and `LEAST_GAP` pixels, half on either side, to
       a length that is quick to transform, and are transformed.
    2. Rows go on likewise, in the spectrum, at the edges of the detector that `pad_rows` names.
    3. The spectrum is multiplied by 1 / (1 + L² (f_row² + f_column²)), f in cycles a width of a pixel, and by that of
       the unsharp mask, whose Gaussian counts in pixels; transformed back and cropped. The mean is kept but for what
       the padding adds.

    Parameters
    ----------
    transmission : array, shape (angle, row, column)
        I / I₀, not its logarithm. The namespace of the array decides where it runs: NumPy arrays go through ducc0,
        frame by frame in threads; any other through the `fft` of its own namespace (Python array API standard).
    length_px : float
        Length L in pixels, in their widths, see `length_m`; 0 leaves the frames as they are.
    form : {"continuous", "discrete"}
        "discrete" takes finite differences between pixels in place of the Laplacian,
        1 + L² / (2 pi²) (2 - cos 2 pi f_row - cos 2 pi f_column): the generalised filter of Paganin et al. (2020). It
        blurs the finest detail less, which matters where L is below some pixels.
    aspect : float
        Height of a pixel over its width.
    unsharp : Unsharp, optional
        Mask that sharpens the filtered transmission.
    pad : {"edge", "reflect"}
        How frames go on beyond the detector: with their edge values, or mirrored (d c b a | a b c d).
    pad_rows : tuple of bool
        Whether rows go on above and below, which they need only at the edges of the detector: a border where the
        caller handed `halo_pixels` more rows and cuts them off is joined to whatever is there.
    threads : int
        Threads for NumPy arrays.
    out : array, shape (angle, row, column), optional
        Where the result goes, of NumPy arrays, float32 or float64; `transmission` itself will do.

    Returns
    -------
    array, shape (angle, row, column)
        Filtered transmission, in the type of `out` or else of `transmission`; whole numbers become float32.

    Raises
    ------
    InputError
        The transmission has no such shape, or holds a value that is not finite; or `out` does not fit.
    ParameterError
        `length_px` is negative or not finite, or there is no such `pad`.

    References
    ----------
    D. Paganin et al., Journal of Microscopy 206, 33 (2002), doi 10.1046/j.1365-2818.2002.01010.x; D. M. Paganin et al.,
    Journal of Optics 22, 115607 (2020), doi 10.1088/2040-8986/abbab9, for the discrete form.
    """
    _check_length(length_px)
    if form not in get_args(Form):
        raise ParameterError(f"paganin: there is no form {form!r}; choose from {', '.join(get_args(Form))}")
    if pad not in get_args(Pad):
        raise ParameterError(f"paganin: there is no pad {pad!r}; choose from {', '.join(get_args(Pad))}")
    shape = tuple(transmission.shape)
    if len(shape) != 3 or 0 in shape[1:]:
        raise InputError(f"paganin: the transmission has shape {shape}; give (angle, row, column)")
    xp, plan = (
        namespace(transmission),
        _plan(shape[1], shape[2], _Filter(length_px, form, unsharp, aspect), pad, pad_rows),
    )
    if xp is np:
        return _on_processors(transmission, plan, max(1, threads), out)
    if out is not None:
        raise InputError("paganin: out is for NumPy arrays only; leave it away")
    if not xp.isdtype(transmission.dtype, "real floating"):
        transmission = xp.astype(transmission, xp.float32)
    count = max(1, _BATCH_BYTES // (3 * plan.frame_bytes))
    result = xp.empty_like(transmission)
    for first in range(0, shape[0], count):
        last = min(first + count, shape[0])
        result[first:last, ...] = _filtered(transmission[first:last, ...], plan, xp)
    return result


@dataclass(frozen=True)
class _Filter:
    """What is done to the spectrum."""

    length_px: float
    form: Form
    unsharp: Unsharp | None
    aspect: float = 1.0

    def side(self, length_px: float) -> int:
        """Return the pixels by which frames go on at each side of an axis along which L has so many."""
        reach = halo_pixels(length_px, self.form, self.unsharp)
        least = max(ceil(2 * length_px), LEAST_GAP // 2) if length_px else 0
        return max(least, reach)

    def response(self, rows: int, columns: int) -> NDArray[np.float64]:
        """Return the factors of a spectrum of so many rows and columns."""
        down = np.asarray(np.fft.fftfreq(rows), np.float64)
        across = np.asarray(np.fft.rfftfreq(columns), np.float64)
        if self.form == "continuous":
            squared = np.add.outer((down / self.aspect) ** 2, across**2)
        else:  # 2 - 2 cos x = 4 sin² (x / 2)
            squared = np.add.outer((np.sin(pi * down) / self.aspect) ** 2, np.sin(pi * across) ** 2) / pi**2
        squared *= self.length_px**2
        squared += 1
        response: NDArray[np.float64] = np.reciprocal(squared, out=squared)
        if self.unsharp is not None:
            response *= self.unsharp.response(down, across)
        return response


@dataclass(frozen=True)
class _Plan:
    """Which row and column lies where in the padded frame, and what the filter does to its spectrum."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    response: NDArray[np.float64]

    @property
    def frame_bytes(self) -> int:
        """Bytes of a padded frame in single precision, and of its spectrum."""
        return 8 * len(self.rows) * (len(self.columns) + 2)


def _plan(rows: int, columns: int, chosen: _Filter, pad: Pad, pad_rows: tuple[bool, bool]) -> _Plan:
    side, high = chosen.side(chosen.length_px), chosen.side(chosen.length_px / chosen.aspect)
    down = _continued(rows, high * pad_rows[0], high * pad_rows[1], pad)
    across = _continued(columns, side, side, pad)
    return _Plan(down, across, chosen.response(len(down), len(across)))


def _continued(length: int, before: int, after: int, pad: Pad) -> NDArray[np.int64]:
    """Return the source of each place of a padded axis: the real ones, what follows them, what precedes the first.

    It is as long as is quick to transform; what that adds goes where there is something already.
    """
    padded = good_length(length + before + after)
    spare = padded - length - before - after
    if after and not before:
        after += spare
    elif bool(after) == bool(before):
        after += (spare + 1) // 2
    place = np.arange(padded)
    place[length + after :] -= padded
    if pad == "edge":
        return np.clip(place, 0, length - 1)
    folded = place % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)


def _filtered(frames: Any, plan: _Plan, xp: Any) -> Any:
    """Filter frames wherever they lie; the definition."""
    rows, columns, wide = frames.shape[1], frames.shape[2], len(plan.columns)
    at_rows, at_columns, response = (
        xp.asarray(part, device=frames.device) for part in (plan.rows, plan.columns, plan.response)
    )
    spectrum = xp.fft.rfft(xp.take(frames, at_columns, axis=2), axis=2)
    spectrum = xp.fft.fft(xp.take(spectrum, at_rows, axis=1), axis=1)
    spectrum = xp.fft.ifft(spectrum * xp.astype(response, frames.dtype), axis=1)
    result = xp.fft.irfft(spectrum[:, :rows, :], n=wide, axis=2)[:, :, :columns]
    if not bool(xp.all(xp.isfinite(result))):
        raise InputError(_NOT_FINITE.format(where=""))
    return result


def _on_processors(frames: NDArray[Any], plan: _Plan, threads: int, out: NDArray[Any] | None) -> NDArray[Any]:
    """Filter NumPy frames, each thread with scratch for one: fresh pages cost a quarter of the time."""
    kind = frames.dtype if frames.dtype.kind == "f" and frames.dtype.itemsize >= 4 else np.dtype(np.float32)
    result = np.empty(frames.shape, kind) if out is None else out
    if result.shape != frames.shape or result.dtype not in (np.float32, np.float64):
        raise InputError(
            f"paganin: out is {result.dtype} of shape {result.shape}; give float32 of shape {frames.shape}"
        )
    response = (plan.response / (len(plan.rows) * len(plan.columns))).astype(result.dtype)
    workers = max(1, min(threads, len(frames), _BATCH_BYTES // plan.frame_bytes))
    parts = np.array_split(np.arange(len(frames)), workers)

    def one(part: NDArray[np.intp]) -> None:
        _filter_in_turn(frames, plan, response, part, result, max(1, threads // workers))

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, parts))
    return result


def _filter_in_turn(
    frames: NDArray[Any],
    plan: _Plan,
    response: NDArray[Any],
    which: NDArray[np.intp],
    out: NDArray[Any],
    threads: int,
) -> None:
    """Do what `_filtered` does, one frame after the other in the same scratch."""
    from ducc0.fft import c2c, c2r, r2c

    (rows, columns), wide = frames.shape[1:], len(plan.columns)
    real = np.empty((rows, wide), out.dtype)
    spectrum = np.empty(response.shape, np.result_type(out.dtype, np.complex64))
    inner, beyond = spectrum[:rows], plan.rows[rows:]
    for k in which:
        real[:, :columns] = frames[k]
        real[:, columns:] = real[:, plan.columns[columns:]]
        r2c(real, axes=[1], nthreads=threads, out=inner)
        spectrum[rows:] = inner[beyond]
        c2c(spectrum, axes=[0], nthreads=threads, out=spectrum)
        if not np.isfinite(spectrum[0, 0]):
            raise InputError(_NOT_FINITE.format(where=f" {k}"))
        spectrum *= response
        c2c(spectrum, axes=[0], forward=False, nthreads=threads, out=spectrum)
        c2r(
            inner, axes=[1], lastsize=wide, forward=False, nthreads=threads, out=real, allow_overwriting_input=True
        )  # fmt: skip
        out[k] = real[:, :columns]


_NOT_FINITE: Final = (
    "paganin: a value of frame{where} is not finite and would spread over the whole of it; "
    "normalise with flat and dark fields first"
)


def _check_length(length_px: float) -> None:
    if not (isfinite(length_px) and length_px >= 0):
        raise ParameterError(f"paganin: length_px is {length_px}; give a length in pixels, 0 or more")
