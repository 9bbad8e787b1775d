"""How high a pixel is over its width, of what a file tells of both."""

from __future__ import annotations

from typing import Final

from tomarium.model import Value

_ALIKE: Final = 0.01
"""Sizes that differ by less are taken for those of a square: calibrations of both axes differ by as much."""


def aspect_of(across: Value[float] | None, upright: Value[float] | None) -> Value[float] | None:
    """Return the height of a pixel over its width.

    `across`, `upright`: width and height in one unit, as a file tells them; None where it does not. Result: None of
    a square, or where one of them is not known or is not above 0.
    """
    if across is None or upright is None or not (across.value > 0 and upright.value > 0):
        return None
    ratio = upright.value / across.value
    if abs(ratio - 1) <= _ALIKE:
        return None
    return Value(float(f"{ratio:.12g}"), "derived", f"{upright.source} over {across.source}")
