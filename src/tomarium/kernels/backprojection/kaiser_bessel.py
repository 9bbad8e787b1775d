"""The Kaiser-Bessel kernel by which gridding spreads and reads."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

PRECISION: Final = 1e-7
"""Of the polynomial that stands for the kernel, beside 1 in the middle of it."""


def shape_parameter(taps: int, oversampling: float) -> float:
    """Return the shape parameter of the best kernel.

    Parameters
    ----------
    taps : int
        Grid cells along an edge of a footprint.
    oversampling : float
        Grid cells per pixel.

    Returns
    -------
    float
        β of I₀(β sqrt(1 - (2 d / taps)²)) / I₀(β).

    References
    ----------
    P. J. Beatty et al., IEEE Transactions on Medical Imaging 24, 799 (2005), equation 5, doi 10.1109/TMI.2005.848376.
    """
    return float(np.pi * np.sqrt((taps / oversampling * (oversampling - 0.5)) ** 2 - 0.8))


def correction(size: int, cells: int, taps: int, beta: float) -> NDArray[np.float32]:
    """Return one over the kernel's Fourier transform at the pixels of an image row.

    Parameters
    ----------
    size, cells : int
        Pixels of the row, and cells of the grid.
    taps : int
        Cells along an edge of a footprint.
    beta : float
        Shape parameter.

    Returns
    -------
    array of float32, shape (size,)
        Factors.
    """
    pixel = np.arange(size) - size // 2
    root = np.sqrt(beta**2 - (np.pi * taps * pixel / cells) ** 2)
    factors: NDArray[np.float64] = np.i0(beta) * root / (taps * np.sinh(root))
    return factors.astype(np.float32)


@lru_cache(maxsize=8)
def coefficients(beta: float) -> str:
    """Return the kernel as a polynomial of v = 1 - (2 d / taps)², as the CUDA sources want it.

    Parameters
    ----------
    beta : float
        Shape parameter.

    Returns
    -------
    str
        Coefficients, highest power first, as a list of numbers in C.
    """

    def kernel(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.i0(beta * np.sqrt(np.maximum(v, 0))) / np.i0(beta))

    v = np.linspace(0, 1, 1001)
    for degree in range(6, 24):
        fit = np.polynomial.Chebyshev.interpolate(kernel, degree, domain=[0, 1])
        power = fit.convert(kind=np.polynomial.Polynomial, domain=[-1, 1]).coef
        if np.abs(np.polynomial.polynomial.polyval(v, power) - kernel(v)).max() < PRECISION:
            break
    return ",".join(f"{float(np.float32(one)):.9e}f" for one in power[::-1])
