"""The brightness of the beam in each row of a view, told by columns that see no sample."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.array import lies_elsewhere, like, namespace, on_host
from tomarium.errors import InputError

Sides = Literal["both", "left", "right"]
"""Edges of the detector beside which there is air."""

UNEVEN: Final = 4.0
"""Standard deviations by which the halves of a strip of air may differ."""

LEAST: Final = 0.01
"""Attenuation by which they may differ in any case."""


def air_line(attenuation: Any, columns: int, sides: Sides) -> tuple[Any, NDArray[np.bool_]]:
    """Return what the beam adds to the attenuation of each row of a view.

    Parameters
    ----------
    attenuation : array of float32, shape (angle, row, column)
        -ln(I/I0).
    columns : int
        Columns of a strip of air, at an edge of the detector; at least 2.
    sides : {"both", "left", "right"}
        Where strips are. Of both, the line through their means is taken, else the mean.

    Returns
    -------
    line : array of float32, shape (angle, row, column)
        To be subtracted.
    covered : array of bool, shape (angle, row)
        Where a strip is not even: its halves differ by more than 4 standard deviations and by more than 0.01, as where
        the sample reaches into it.

    Raises
    ------
    InputError
        The strips are wider than the detector, or narrower than 2 columns.
    """
    width = attenuation.shape[2]
    least_columns = columns * (2 if sides == "both" else 1)
    if columns < 2 or least_columns > width:
        raise InputError(
            f"normalise_air: {columns} columns of air at {sides} of {width} columns; give at least 2, and fewer than "
            f"there are"
        )
    strips = {"left": attenuation[..., :columns], "right": attenuation[..., width - columns :]}
    used = {name: on_host(strips[name]) for name in (strips if sides == "both" else (sides,))}
    levels = {name: strip.mean(axis=2, dtype=np.float64) for name, strip in used.items()}
    covered = np.zeros(attenuation.shape[:2], np.bool_)
    for strip in used.values():
        covered |= _uneven(strip)
    if sides == "both":
        place = (np.arange(width) - (columns - 1) / 2) / (width - columns)
        place = place[None, None]
        left, share_left, right, place = (
            _beside(part, attenuation)
            for part in (levels["left"][..., None], 1 - place, levels["right"][..., None], place)
        )
        line = left * share_left + right * place
    else:
        level = _beside(levels[sides][..., None], attenuation)
        line = namespace(attenuation).broadcast_to(level, tuple(attenuation.shape))
    xp = namespace(attenuation)
    return xp.astype(line, xp.float32), covered


def _beside(part: NDArray[np.float64], attenuation: Any) -> Any:
    """Return a factor of the line where the attenuation lies; on a device in single precision."""
    return like(part.astype(np.float32), attenuation) if lies_elsewhere(attenuation) else part


def _uneven(strip: NDArray[np.float32]) -> NDArray[np.bool_]:
    half = strip.shape[2] // 2
    apart = np.abs(strip[..., :half].mean(axis=2) - strip[..., half:].mean(axis=2))
    noise = 1.4826 * np.median(np.abs(np.diff(strip, axis=2))) / 2**0.5
    return np.asarray(apart > max(UNEVEN * noise * (2 / half) ** 0.5, LEAST))
