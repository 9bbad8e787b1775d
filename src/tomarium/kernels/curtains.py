"""Curtains: stripes along the direction of an ion beam, which mills unevenly, taken out of a slice."""

from __future__ import annotations

from typing import Any, Final

import ducc0.fft
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.kernels.motion.register import smooth

WIDEST_PX: Final = 24.0
LENGTH_SHARE: Final = 1 / 6
"""By default slopes are averaged over this share of the rows (standard deviation)."""

ROUNDS: Final = 5
EDGE_SLOPE: Final = 3.0
"""Slopes this many standard deviations off are edges of the specimen, and count nothing."""

Plane = NDArray[np.float32]


def remove_curtains(
    plane: NDArray[Any], widest_px: float = WIDEST_PX, *, length_px: float | None = None
) -> tuple[Plane, float]:
    """Remove stripes along the columns of a slice, as far as they can be told from the specimen.

    1. Slopes along the rows are averaged along the columns; those of edges, which are steep, count nothing. What
       stays is the slope of stripes, and summed up along the rows it is the stripes.
    2. The same across, along columns in place of rows, gives what a specimen and its noise alone would be taken for.
    3. Bands of waves of the stripes are kept by how far their power exceeds that of the same waves across (Wiener),
       so that a slice without stripes stays as it is.

    Parameters
    ----------
    plane : array, shape (row, column)
        Finite grey values; stripes go from top to bottom.
    widest_px : float
        Widest stripes that are taken, standard deviation in pixels, from 1; what is wider stays.
    length_px : float, optional
        Over how much of a stripe slopes are averaged, standard deviation in pixels; a sixth of the rows by default.
        Shorter follows stripes that begin or end, and takes more noise.

    Returns
    -------
    array of float32, shape (row, column)
        Without them.
    float
        Root mean square of what is taken that, by the waves across, is specimen and noise: the harm that is expected,
        in the slice's unit.

    Raises
    ------
    ParameterError
        A length is out of its range.

    Notes
    -----
    A specimen that is itself striped along the columns, such as upright layers, is taken for curtains.
    """
    values = np.ascontiguousarray(plane, np.float32)
    long = LENGTH_SHARE * values.shape[0] if length_px is None else length_px
    if not 1 <= widest_px <= 1000 or not 1 <= long <= 1e5:
        raise ParameterError(
            f"curtains: at most {widest_px:g} px wide and averaged over {long:g} px; give 1 to 1000 px of width, and a "
            f"length from 1 px"
        )
    spectrum, power, bands = _spectrum(_stripes(values, widest_px, long))
    _, across, _ = _spectrum(_stripes(np.ascontiguousarray(values.T), widest_px, long))
    gain = np.clip(1 - across / np.maximum(power, 1e-30), 0, 1)
    rows, columns = values.shape
    filtered = spectrum * gain[bands]
    stripes = ducc0.fft.c2r(filtered, axes=[0, 1], lastsize=2 * columns, forward=False, inorm=2, nthreads=1)[
        :rows, :columns
    ]
    count = np.bincount(bands.ravel(), minlength=len(power))
    # Each band of the stripes holds the specimen's share, across/power, of what is taken there.
    share = float(np.sum(gain**2 * np.minimum(across, power) * count) / max(1.0, float(np.sum(count))))
    return np.asarray(values - stripes, np.float32), float(np.sqrt(share))


def _stripes(values: Plane, widest: float, length: float) -> Plane:
    slopes = np.diff(values, axis=1)
    steep = EDGE_SLOPE * 1.4826 * float(np.median(np.abs(slopes - np.median(slopes)))) + 1e-30
    own: Plane = np.zeros_like(slopes)
    for _ in range(ROUNDS):
        weights = np.asarray(np.clip(1 - ((slopes - own) / steep) ** 2, 0, 1) ** 2, np.float32)
        own = np.asarray(
            smooth(weights * slopes, length, 0) / np.maximum(smooth(weights, length, 0), 1e-3), np.float32
        )
    integrated = np.zeros_like(values)
    integrated[:, 1:] = np.cumsum(own, axis=1, dtype=np.float64)
    return integrated - smooth(integrated, widest, 1)


def _spectrum(stripes: Plane) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.intp]]:
    """Transform a mirrored image; return its spectrum, the mean power of each band a pixel, and bands of waves."""
    mirrored = np.concatenate([stripes, stripes[::-1]], axis=0)
    mirrored = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    spectrum = ducc0.fft.r2c(mirrored, axes=[0, 1], nthreads=1)
    along = np.abs(np.fft.fftfreq(mirrored.shape[0]))
    across = np.fft.rfftfreq(mirrored.shape[1])
    # Bands of half an octave along a stripe and a third of one across it, from waves of 512 pixels on.
    upright = np.floor(2 * np.log2(np.maximum(along * 256, 0.5)) + 2).astype(np.intp)
    level = np.floor(3 * np.log2(np.maximum(across * 256, 0.5)) + 3).astype(np.intp)
    bands = upright[:, None] * 32 + level[None]
    count = np.bincount(bands.ravel(), minlength=1024)
    power = np.bincount(bands.ravel(), (np.abs(spectrum) ** 2).ravel(), minlength=1024)
    return spectrum, power / np.maximum(count, 1) / mirrored.size, bands
