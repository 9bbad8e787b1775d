"""The ramp filter of filtered backprojection: sampled in space, tapered by a window, zero at no frequency."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError

Window = Literal["ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"]
"""Taper of the ramp; "ramp" is none at all."""

Padding = Literal["zero", "edge"]
"""What lies beyond the detector: nothing, or its outermost values."""


def good_length(minimum: int) -> int:
    """Return the smallest even length whose Fourier transform is fast.

    Parameters
    ----------
    minimum : int
        Shortest length that will do.

    Returns
    -------
    int
        Even, at least `minimum`, and a product of 2, 3 and 5.
    """
    length = max(2, minimum + minimum % 2)
    while not _is_smooth(length):
        length += 2
    return length


def _is_smooth(length: int) -> bool:
    for prime in (2, 3, 5):
        while length % prime == 0:
            length //= prime
    return length == 1


def ramp_response(length: int) -> NDArray[np.float64]:
    """Return the transfer function of the band-limited ramp.

    The ramp |f| cut at the Nyquist frequency is sampled in space and transformed back: h(0) = 1/4,
    h(n) = -1 / (pi n)^2 for odd n, 0 for even n. Sampling |f| itself would set the mean of every projection
    to zero and bias the slice by several per cent.

    Parameters
    ----------
    length : int
        Even number of samples of the padded projection.

    Returns
    -------
    array of float64, shape (length // 2 + 1,)
        Response at f = 0, 1/length, ..., 1/2 cycles a pixel, in cycles a pixel; close to f, but above 0 at 0.

    References
    ----------
    Kak & Slaney (1988), Principles of Computerized Tomographic Imaging, eq. 61 of chapter 3.
    """
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = np.arange(1, length // 2 + 1, 2)
    kernel[odd] = kernel[-odd] = -1 / (np.pi * odd) ** 2
    return np.fft.rfft(kernel).real


def window_response(
    window: Window, frequencies: NDArray[np.float64], cutoff: float = 1.0
) -> NDArray[np.float64]:
    """Return a window's transfer function.

    With x = f / (cutoff / 2): "ramp" 1, "shepp-logan" sinc(x/2), "cosine" cos(pi x / 2), "hamming"
    0.54 + 0.46 cos(pi x), "hann" 0.5 + 0.5 cos(pi x), "parzen" 1 - 6 x^2 (1 - x) up to x = 1/2 and
    2 (1 - x)^3 from there; all are 1 at 0, and 0 where x > 1.

    Parameters
    ----------
    window : str
        One of `Window`.
    frequencies : array of float64
        Frequencies in cycles a pixel, any shape, not negative; 0.5 is the Nyquist frequency.
    cutoff : float
        Where the window ends, as a fraction of the Nyquist frequency, above 0 and up to 1.

    Returns
    -------
    array of float64
        Response, in the shape of `frequencies`.

    Raises
    ------
    ParameterError
        There is no such window, or `cutoff` is out of its range.
    """
    if window not in get_args(Window):
        raise ParameterError(
            f"ramp: there is no window {window!r}; choose from {', '.join(get_args(Window))}"
        )
    if not 0 < cutoff <= 1:
        raise ParameterError(f"ramp: cutoff is {cutoff}; give a fraction of the Nyquist frequency, (0, 1]")
    x = np.asarray(frequencies) / (0.5 * cutoff)
    match window:
        case "ramp":
            shape = np.ones_like(x)
        case "shepp-logan":
            shape = np.sinc(x / 2)
        case "cosine":
            shape = np.cos(np.pi * x / 2)
        case "hamming":
            shape = 0.54 + 0.46 * np.cos(np.pi * x)
        case "hann":
            shape = 0.5 + 0.5 * np.cos(np.pi * x)
        case "parzen":
            shape = np.where(x <= 0.5, 1 - 6 * x**2 * (1 - x), 2 * (1 - x) ** 3)
    return np.where(x <= 1 + 1e-12, shape, 0.0)  # the last frequency itself may be rounded up


def filter_response(length: int, window: Window = "ramp", cutoff: float = 1.0) -> NDArray[np.float64]:
    """Return the transfer function of the windowed ramp for a padded projection.

    Parameters
    ----------
    length : int
        Even number of samples of the padded projection.
    window : str
        One of `Window`.
    cutoff : float
        Where the window ends, as a fraction of the Nyquist frequency, (0, 1].

    Returns
    -------
    array of float64, shape (length // 2 + 1,)
        Response at f = 0, 1/length, ..., 1/2 cycles a pixel.

    Raises
    ------
    ParameterError
        See `window_response`.
    """
    return ramp_response(length) * window_response(window, np.arange(length // 2 + 1) / length, cutoff)


def check_padding(padding: str) -> None:
    """Refuse a padding that does not exist.

    Parameters
    ----------
    padding : str
        One of `Padding`, it is hoped.

    Raises
    ------
    ParameterError
        It is none.
    """
    if padding not in get_args(Padding):
        choices = ", ".join(get_args(Padding))
        raise ParameterError(f"ramp: there is no padding {padding!r}; choose from {choices}")


def filter_rows(
    sinogram: Any,
    *,
    window: Window = "ramp",
    cutoff: float = 1.0,
    padding: Padding = "zero",
    threads: int = 1,
) -> Any:
    """Filter every projection row for backprojection.

    Parameters
    ----------
    sinogram : array, shape (..., column)
        Attenuation, float32 or float64; each row is filtered on its own.
    window : str
        One of `Window`.
    cutoff : float
        Where the window ends, as a fraction of the Nyquist frequency, (0, 1].
    padding : {"zero", "edge"}
        What is taken beyond the detector, to at least twice its width.
    threads : int
        Threads of the Fourier transforms.

    Returns
    -------
    array, shape (..., column)
        Filtered rows in the type of `sinogram`, per pixel.

    Raises
    ------
    InputError
        The rows are empty.
    ParameterError
        See `window_response`, or there is no such padding.
    """
    columns = sinogram.shape[-1]
    if columns < 1:
        raise InputError(f"filter_rows: the sinogram has shape {sinogram.shape}; its rows hold no column")
    padded = good_length(2 * columns)
    response = filter_response(padded, window, cutoff)
    return filtered_samples(sinogram, response, padding, 0, 1, threads)[..., :columns]


def filtered_samples(
    sinogram: Any,
    response: NDArray[np.float64],
    padding: Padding,
    left: int,
    oversampling: int,
    threads: int,
) -> Any:
    """Return filtered projections on a finer grid that reaches beyond the detector.

    Between the pixels the values are those of the band-limited interpolation; the whole is divided by the
    response of the linear interpolation that will read it, so that reading it loses no contrast.

    Parameters
    ----------
    sinogram : array, shape (..., column)
        Attenuation, float32 or float64.
    response : array of float64, shape (padded // 2 + 1,)
        See `filter_response`.
    padding : {"zero", "edge"}
        What is taken beyond the detector.
    left : int
        Pixels before the detector's first one.
    oversampling : int
        Samples per pixel, at least 1; 1 leaves the contrast alone.
    threads : int
        Threads of the Fourier transforms.

    Returns
    -------
    array, shape (..., padded * oversampling)
        Sample j lies at column j / oversampling - left.

    Raises
    ------
    ParameterError
        There is no such padding.
    """
    import ducc0

    check_padding(padding)
    columns, padded = sinogram.shape[-1], 2 * (len(response) - 1)
    rows = np.zeros((*sinogram.shape[:-1], padded), sinogram.dtype)
    rows[..., left : left + columns] = sinogram
    if padding == "edge":
        middle = left + columns + (padded - columns) // 2
        rows[..., left + columns : middle] = sinogram[..., -1:]
        rows[..., :left] = rows[..., middle:] = sinogram[..., :1]
    axes, count = [rows.ndim - 1], len(response)
    kind = np.result_type(rows.dtype, np.complex64)
    spectrum = np.zeros((*rows.shape[:-1], padded * oversampling // 2 + 1), kind)
    ducc0.fft.r2c(rows, axes=axes, nthreads=threads, out=spectrum[..., :count])
    factor = response
    if oversampling > 1:
        factor = response / np.sinc(np.arange(count) / (padded * oversampling)) ** 2
        factor[-1] /= 2  # the Nyquist frequency is now two, each with half
    factor = factor / padded
    spectrum[..., :count] *= factor.astype(rows.dtype)
    length = padded * oversampling
    return ducc0.fft.c2r(spectrum, axes=axes, lastsize=length, forward=False, nthreads=threads)
