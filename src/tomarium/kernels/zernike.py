"""Halos of Zernike phase contrast: the part of the spectrum that the phase ring takes for the beam, given back."""

from __future__ import annotations

from math import ceil, isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.ramp import good_length

BORDER: Final = 4
"""Columns at either side that are taken for air."""

PASSES: Final = 6
"""How often the halo beyond the frame is made of what was found."""


def halo_response(
    rows: NDArray[np.float64], columns: NDArray[np.float64], sigma_px: float, strength: float
) -> NDArray[np.float64]:
    """Return what a phase ring leaves of a spectrum, 1 - s exp(-2 π² σ² f²).

    Parameters
    ----------
    rows, columns : array of float64, one dimension
        Frequencies in cycles a pixel.
    sigma_px : float
        Standard deviation of the halo in pixels.
    strength : float
        s, from 0, no halo, to 1, a mean of 0.

    Returns
    -------
    array of float64, shape (row, column)
        1 - s at frequency 0.
    """
    squared = np.add.outer(rows**2, columns**2)
    return np.asarray(1 - strength * np.exp(-2 * (np.pi * sigma_px) ** 2 * squared))


def without_halo(
    views: NDArray[Any],
    sigma_px: float,
    *,
    strength: float = 1.0,
    regularisation: float = 3e-5,
    threads: int = 1,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Undo the halo of views in Zernike phase contrast.

    1. Frames go on with their edge values, by 4 σ at each side.
    2. Their spectrum is multiplied by H (1 + α) / (H² + α), the regularised inverse of H, see `halo_response`.
    3. The mean, which a full halo takes away, is set so that the outermost columns are air: 0 in the median.
    4. Beyond the frame the halo of what was found is put in place of the edge values, and 2 and 3 are done again, in
       all six times. Samples are taken to go on above and below as they end, and air at both sides.

    Parameters
    ----------
    views : array, shape (angle, row, column)
        Attenuation, to first order the phase.
    sigma_px : float
        Standard deviation of the halo in pixels, above 0.
    strength : float
        How much of the low frequencies is lost, from 0 to 1.
    regularisation : float
        α, above 0: frequencies of which less than √α is left are not given back.
    threads : int
        Threads.
    out : array of float32, optional
        Where the result goes.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Without halo and shade-off.

    Raises
    ------
    InputError
        The views have no such shape, or hold a value that is not finite.
    ParameterError
        A number is out of its range.

    References
    ----------
    F. Zernike, Physica 9, 686 (1942), doi 10.1016/S0031-8914(42)80035-X; S. Otaki, Optical Review 7, 119 (2000), doi
    10.1007/s10043-000-0119-5, on halo and the size of the phase ring.
    """
    from ducc0.fft import c2r, r2c

    if not (isfinite(sigma_px) and sigma_px > 0 and 0 <= strength <= 1 and 0 < regularisation < 1):
        raise ParameterError(
            f"zernike: sigma_px is {sigma_px}, strength {strength} and regularisation {regularisation}; give a width "
            f"above 0, a strength from 0 to 1, and a regularisation between 0 and 1"
        )
    if views.ndim != 3:
        raise InputError(f"zernike: the views have shape {views.shape}; give (angle, row, column)")
    result = np.empty(views.shape, np.float32) if out is None else out
    side = ceil(4 * sigma_px)
    rows, columns = (good_length(n + 2 * side) for n in views.shape[1:])
    before = [(length - n) // 2 for n, length in zip(views.shape[1:], (rows, columns), strict=True)]
    far = [(b, length - n - b) for b, n, length in zip(before, views.shape[1:], (rows, columns), strict=True)]
    response = halo_response(
        np.asarray(np.fft.fftfreq(rows)), np.asarray(np.fft.rfftfreq(columns)), sigma_px, strength
    )
    inverse = (response * (1 + regularisation) / (response**2 + regularisation)).astype(np.float32)
    inner = np.s_[before[0] : before[0] + views.shape[1], before[1] : before[1] + views.shape[2]]
    left = response.astype(np.float32)

    def filtered(wide: NDArray[np.float32], factor: NDArray[np.float32]) -> NDArray[np.float32]:
        spectrum = r2c(wide, axes=(0, 1), nthreads=threads)
        if not np.isfinite(spectrum[0, 0]):
            raise InputError(
                "zernike: a value is not finite and would spread over the whole view; correct it first"
            )
        spectrum *= factor
        return np.asarray(
            c2r(spectrum, axes=(0, 1), lastsize=columns, forward=False, inorm=2, nthreads=threads)
        )

    for view, output in zip(views, result, strict=True):
        wide = np.pad(view.astype(np.float32), far, mode="edge")
        for number in range(PASSES):
            clean = filtered(wide, inverse)[inner]
            output[...] = clean - np.median(np.concatenate([clean[:, :BORDER], clean[:, -BORDER:]], axis=1))
            if number + 1 < PASSES:  # what lies beyond the frame is the halo of what was found
                wide = filtered(np.pad(output, far, mode="edge"), left)
                wide[inner] = view
    return result
