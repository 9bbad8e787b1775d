"""Flat field and logarithm on a GPU."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tomarium.errors import InputError
from tomarium.kernels.cuda.modules import Modules
from tomarium.kernels.flat_field import LOWEST_TRANSMISSION
from tomarium.kernels.invalid import RINGS, fill_from_rows

THREADS: Final = 256
"""Of a block."""

ANGLES: Final = 8
"""Projections that a thread goes through, with the dark and the flats of its pixels at hand."""


def flat_log(
    modules: Modules,
    counts: Any,
    dark: Any,
    bright: Any,
    lower: Any,
    fraction: Any,
    out: Any,
    *,
    lowest_counts: float = 0.5,
    log: bool = True,
) -> Any:
    """Divide projections by the flat field and take the logarithm; the twin of native/flat_field.h.

    Parameters
    ----------
    modules : Modules
        Of the device.
    counts : array of uint16 or float32, shape (angle, row, column)
        Detector counts.
    dark : array of float32, shape (row, column)
        Dark field in counts.
    bright : array of float32, shape (group, row, column)
        Flat field less dark of each reference group.
    lower : array of int32, shape (angle,)
        Reference group before each projection, see `tomarium.kernels.flat_field.interpolation`.
    fraction : array of float32, shape (angle,)
        How far it lies towards the next group.
    out : array of float32, shape (angle, row, column)
        Where the result goes; what has to be replaced is NaN, see `fill_invalid`.
    lowest_counts : float
        Counts taken for a pixel that saw fewer.
    log : bool
        Return attenuation -ln T; if not, the transmission T.

    Returns
    -------
    array of uint64, shape (3, angle)
        Values that were clipped, whose flat field is dead, and that are not finite; on the device.

    Raises
    ------
    InputError
        Shapes or types do not fit.
    """
    xp, angles = modules.xp, counts.shape[0]
    kind = str(counts.dtype)
    fits = (
        counts.ndim == 3
        and kind in ("uint16", "float32")
        and dark.shape == counts.shape[1:] == bright.shape[1:]
        and out.shape == counts.shape
        and lower.shape == fraction.shape == (angles,)
    )
    if not fits:
        raise InputError(
            f"flat_log: counts are {counts.dtype} of shape {counts.shape}, dark {dark.shape}, bright {bright.shape}, "
            f"out {out.shape}; give uint16 or float32, and the same rows and columns in all"
        )
    tally = xp.zeros((3, angles), np.uint64)
    pixels = int(np.prod(dark.shape))
    if not pixels or not angles:
        return tally
    width = 4 if pixels % 4 == 0 else 1
    options = (
        f"-DIS_FLOAT={int(kind == 'float32')}",
        f"-DWIDTH={width}",
        f"-DANGLES={ANGLES}",
        f"-DLOG={int(log)}",
    )
    blocks = -(-pixels // (THREADS * width))
    modules.kernel("flat_field", "flat_log", options)(
        (blocks, -(-angles // ANGLES)), (THREADS,),
        (counts, dark, bright, lower, fraction, out, tally, np.int32(pixels), np.int32(angles),
         np.float32(lowest_counts), np.float32(LOWEST_TRANSMISSION)),
    )  # fmt: skip
    return tally


def fill_invalid(modules: Modules, frames: Any, empty: float) -> int:
    """Fill what is NaN by the median of the valid pixels around it; see `tomarium.kernels.invalid.fill_invalid`.

    Parameters
    ----------
    modules : Modules
        Of the device.
    frames : array of float32, shape (angle, row, column)
        Frames; changed.
    empty : float
        Value of a row in which no pixel is valid.

    Returns
    -------
    int
        How many rows of frames had no valid pixel.

    Notes
    -----
    The number of pixels to be filled comes to the host once for each ring around what is valid. Rows with larger holes
    are filled there.
    """
    xp = modules.xp
    rows, columns = frames.shape[1:]
    holes = xp.flatnonzero(xp.isnan(frames))
    fill = modules.kernel("flat_field", "median_of_neighbours")
    for _ in range(RINGS):
        if not len(holes):
            return 0
        values = xp.empty(len(holes), np.float32)
        fill(
            (-(-len(holes) // THREADS),), (THREADS,),
            (frames, holes, values, np.int64(len(holes)), np.int32(rows), np.int32(columns)),
        )  # fmt: skip
        frames.reshape(-1)[holes] = values
        holes = holes[xp.isnan(values)]
    if not len(holes):
        return 0
    where = xp.unique(holes // columns)
    unfilled = frames.reshape(-1, columns)[where]
    on_host = unfilled if isinstance(unfilled, np.ndarray) else unfilled.get()
    every = np.arange(len(on_host))
    count = fill_from_rows(on_host[None], np.stack([0 * every, every], axis=1), empty)
    frames.reshape(-1, columns)[where] = xp.asarray(on_host)
    return count
