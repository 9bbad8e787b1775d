"""Time stamps that PCO cameras write into the first 14 pixels of a frame, two decimal digits (BCD) a pixel.

Source: the PCO software development kit's description of the time stamp mode: pixels 1-4 hold the image number, 5-6
the year, then month, day, hour, minute, second, and 12-14 the microseconds. Where pixels have fewer than 16 bits
and are stored left-aligned, the digits are shifted with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.tiff.frames import guarded, opened_tiff

PIXELS: Final = 14
# 16-, 14-, 12- and 10-bit pixels, left-aligned in 16 bits; and digits in the upper byte.
_SHIFTS: Final = (0, 2, 4, 6, 8)
_EPOCH: Final = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Stamps:
    """What the stamps of some frames say."""

    number: NDArray[np.int64]  # shape (frame,): the camera's image number, from 1
    time_s: NDArray[np.float64]  # shape (frame,): the camera's clock in seconds since 1970, to a microsecond


def decode_stamps(pixels: NDArray[Any]) -> Stamps | None:
    """Decode time stamps.

    Result: None where the pixels of any frame are no stamp.
    """
    if pixels.dtype.kind not in "iu" or pixels.shape[1:] != (PIXELS,) or not len(pixels):
        return None
    for shift in _SHIFTS:
        digits = pixels.astype(np.int64) >> shift
        if np.array_equal(digits << shift, pixels) and (stamps := _decoded(digits)) is not None:
            return stamps
    return None


def _decoded(digits: NDArray[np.int64]) -> Stamps | None:
    high, low = digits >> 4, digits & 15
    if (digits < 0).any() or (digits > 0x99).any() or (low > 9).any():
        return None
    pairs = 10 * high + low
    number = pairs[:, :4] @ np.array([10**6, 10**4, 100, 1])
    year = 100 * pairs[:, 4] + pairs[:, 5]
    micro = pairs[:, 11:14] @ np.array([10**4, 100, 1])
    times = np.empty(len(pairs))
    for frame, (month, day, hour, minute, second) in enumerate(pairs[:, 6:11].tolist()):
        try:
            when = datetime(int(year[frame]), month, day, hour, minute, second)
        except ValueError:
            return None
        if not 1990 <= when.year <= 2100:
            return None
        times[frame] = (when - _EPOCH) / timedelta(seconds=1) + micro[frame] * 1e-6
    return Stamps(number.astype(np.int64), times)


def stamp_of_file(path: Path) -> Stamps | None:
    """Decode the time stamps of the first and the last page of a TIFF file.

    Result: None where there are none, or the file cannot be read.
    """
    try:
        with guarded(path), opened_tiff(path) as tif:
            pages: list[Any] = [tif.pages[0], tif.pages[-1]]
            if any(
                len(page.shape) != 2 or page.dtype is None or page.dtype.kind not in "iu" for page in pages
            ):
                return None
            pixels = np.stack([np.ravel(page.asarray())[:PIXELS] for page in pages])
    except (FormatError, OSError):
        return None
    return decode_stamps(pixels)
