"""Units of the PaNOSC search API: numbers are compared in a base unit, and told in the unit that is asked for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from tomarium import units
from tomarium.errors import UnitError

# One word, so that no text of strangers is evaluated as a formula.
_WORD: Final = re.compile(r"[^\W\d_]{1,30}|[%°][A-Z]?|°")
_ZEROED: Final = "K"  # degrees of temperature, whose scales differ in their zero, are compared in kelvin


def in_base(value: float, unit: str) -> tuple[float, str] | None:
    """Turn a number into the base unit of its quantity.

    Parameters
    ----------
    value : float
        In `unit`.
    unit : str
        "eV", "nm", "celsius" …

    Returns
    -------
    tuple of float and str, or None
        The number, and the base unit: "keV", "m", "K". None where the unit is not known.
    """
    base = base_of(unit)
    if base is None:
        return None
    return units.convert(value, unit, base), base


def from_base(value: float, base: str, unit: str) -> float:
    """Turn a number in a base unit into another unit of the same quantity, to 10 digits."""
    zero, one_unit = units.convert(0.0, unit, base), units.convert(1.0, unit, base)
    return float(f"{(value - zero) / (one_unit - zero):.10g}")


@lru_cache(maxsize=4096)
def base_of(unit: str) -> str | None:
    """Return the base unit of a unit's quantity; None where the unit is not known."""
    text = unit.strip()
    if text in units.SPELLINGS:
        return units.SPELLINGS[text][0]
    if not _WORD.fullmatch(text):
        return None
    bases = dict.fromkeys((_ZEROED, *(base for base, _ in units.SPELLINGS.values())))
    for base in bases:
        try:
            units.convert(1.0, text, base)
        except UnitError:
            continue
        return base
    return None
