"""The only two doors between text and numbers with a unit: `parse` and `show`.

Inside the program a unit lives in a name (`pixel_m`, `energy_kev`, `angles_deg`); outside, text carries it
("0.65 um"). The spellings the field's files use are in `SPELLINGS`; whatever is not there goes to pint.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Final

from tomarium.errors import UnitError

if TYPE_CHECKING:
    import pint

# spelling → (base unit, factor). Base units are the ones names may carry.
SPELLINGS: Final[dict[str, tuple[str, float]]] = {
    "m": ("m", 1.0), "meter": ("m", 1.0), "metre": ("m", 1.0),
    "cm": ("m", 1e-2), "mm": ("m", 1e-3), "millimeter": ("m", 1e-3), "millimetre": ("m", 1e-3),
    "um": ("m", 1e-6), "µm": ("m", 1e-6), "μm": ("m", 1e-6),
    "micron": ("m", 1e-6), "microns": ("m", 1e-6), "micrometer": ("m", 1e-6), "micrometre": ("m", 1e-6),
    "Micron": ("m", 1e-6), "Microns": ("m", 1e-6), "microm": ("m", 1e-6),
    "nm": ("m", 1e-9), "nanometer": ("m", 1e-9), "nanometre": ("m", 1e-9),
    "\u00c5": ("m", 1e-10), "\u212b": ("m", 1e-10), "Ang": ("m", 1e-10), "ang": ("m", 1e-10), "Angstrom": ("m", 1e-10),
    "angstrom": ("m", 1e-10), "angstroms": ("m", 1e-10), "pm": ("m", 1e-12),
    "keV": ("keV", 1.0), "kev": ("keV", 1.0), "KeV": ("keV", 1.0), "KEV": ("keV", 1.0),
    "ev": ("keV", 1e-3), "eV": ("keV", 1e-3), "MeV": ("keV", 1e3),
    "GeV": ("keV", 1e6), "J": ("keV", 1.0 / 1.602176634e-16),  # exact since the SI of 2019
    "deg": ("deg", 1.0), "degree": ("deg", 1.0), "degrees": ("deg", 1.0), "°": ("deg", 1.0),
    "Deg": ("deg", 1.0), "DEG": ("deg", 1.0), "Degree": ("deg", 1.0), "Degrees": ("deg", 1.0),
    "mrad": ("deg", 0.18 / math.pi), "urad": ("deg", 1.8e-4 / math.pi), "µrad": ("deg", 1.8e-4 / math.pi),
    "rad": ("deg", 180.0 / math.pi), "radian": ("deg", 180.0 / math.pi), "radians": ("deg", 180.0 / math.pi),
    "s": ("s", 1.0), "sec": ("s", 1.0), "second": ("s", 1.0), "seconds": ("s", 1.0), "ms": ("s", 1e-3),
    "msec": ("s", 1e-3), "us": ("s", 1e-6), "µs": ("s", 1e-6),
    "B": ("B", 1.0), "kB": ("B", 1e3), "MB": ("B", 1e6), "GB": ("B", 1e9), "TB": ("B", 1e12),
    "KiB": ("B", 2.0**10), "MiB": ("B", 2.0**20), "GiB": ("B", 2.0**30), "TiB": ("B", 2.0**40),
    "kg": ("kg", 1.0), "g": ("kg", 1e-3), "mg": ("kg", 1e-6),
    "A": ("A", 1.0), "mA": ("A", 1e-3), "Pa": ("Pa", 1.0), "kPa": ("Pa", 1e3), "hPa": ("Pa", 100.0),
    "mbar": ("Pa", 100.0), "bar": ("Pa", 1e5), "N": ("N", 1.0), "mN": ("N", 1e-3), "kN": ("N", 1e3),
    "V": ("V", 1.0), "mV": ("V", 1e-3), "kV": ("V", 1e3), "percent": ("percent", 1.0), "%": ("percent", 1.0),
    "kg/m^3": ("kg/m^3", 1.0), "kgm^-3": ("kg/m^3", 1.0),
    "1/s": ("1/s", 1.0), "Hz": ("1/s", 1.0), "fps": ("1/s", 1.0), "phs^-1": ("1/s", 1.0),
    # Pint takes px for the typographer's, a 96th of an inch.
    "px": ("pixel", 1.0), "pixel": ("pixel", 1.0), "pixels": ("pixel", 1.0),
    # Numbers of something, which are no angle, and what has no scale at all.
    "count": ("count", 1.0), "counts": ("count", 1.0), "cts": ("count", 1.0), "Counts": ("count", 1.0),
    "arb": ("arb", 1.0), "arb.": ("arb", 1.0), "a.u.": ("arb", 1.0), "arb. units": ("arb", 1.0),
    "arbitrary": ("arb", 1.0),
    "K": ("K", 1.0), "kelvin": ("K", 1.0), "Kelvin": ("K", 1.0), "mK": ("K", 1e-3),
    "m/s": ("m/s", 1.0), "mm/s": ("m/s", 1e-3), "um/s": ("m/s", 1e-6),
    "deg/s": ("deg/s", 1.0), "degree/s": ("deg/s", 1.0), "degrees/s": ("deg/s", 1.0), "°/s": ("deg/s", 1.0),
    "K/s": ("K/s", 1.0), "°C/s": ("K/s", 1.0),
    "1/m": ("1/m", 1.0), "1/cm": ("1/m", 100.0), "cm^-1": ("1/m", 100.0), "1/mm": ("1/m", 1000.0),
}  # fmt: skip

# Temperatures whose zero is not that of kelvin: spelling → (kelvin of one, kelvin of its zero).
_OFFSETS: Final[dict[str, tuple[float, float]]] = {
    **dict.fromkeys(("degC", "°C", "C", "Celsius", "celsius", "deg C", "degree_Celsius"), (1.0, 273.15)),
    **dict.fromkeys(("degF", "°F", "Fahrenheit", "fahrenheit"), (5 / 9, 273.15 - 160 / 9)),
}

_PREFIXES: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "m": (("m", 1.0), ("mm", 1e-3), ("µm", 1e-6), ("nm", 1e-9)),
    "B": (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)),
    "s": (("s", 1.0), ("ms", 1e-3)),
}

# What is converted into nothing else: the size of a pixel is not known here, nor what a count stands for.
_ALONE: Final = frozenset({"pixel", "count", "arb"})

_LEAST: Final = {"µm": 1e-7}

NO_NUMBER: Final = "%(text)s holds no number; write a number and a unit, such as %(example)s"
NO_UNIT: Final = "%(text)s has no unit; write it with one, such as %(example)s"
TOO_LARGE: Final = "%(text)s is too large to be a number; write one such as %(example)s"
OTHER_KIND: Final = "the unit %(text)s measures %(kind)s, not %(unit)s; give a unit of %(unit)s"
UNREADABLE: Final = "the unit %(text)s cannot be read as %(unit)s; give a unit of %(unit)s"
UNKNOWN: Final = "the unit %(text)s cannot be read as %(unit)s: %(why)s"
"""What people who write numbers are told; pages translate these."""

_NUMBER = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


@cache
def _pint() -> pint.UnitRegistry[float]:
    import pint

    return pint.UnitRegistry()


def factor(spelling: str, unit: str) -> float:
    """Return the number that turns a value in `spelling` into one in `unit`.

    Parameters
    ----------
    spelling : str
        Unit as a file or a person writes it: "um", "micron", "keV", "degrees", "1/cm" …
    unit : str
        Unit wanted, e.g. "m", "keV", "deg", "s", "B".

    Returns
    -------
    float
        `value_in_unit = value_in_spelling * factor`.

    Raises
    ------
    UnitError
        The spelling is unknown, of another kind than `unit`, or has another zero (`convert` knows those).
    """
    text = spelling.strip()
    if text != unit and (text in _OFFSETS or unit in _OFFSETS) and {text, unit} <= {"K", *_OFFSETS}:
        raise UnitError(f"the unit {text!r} has another zero than {unit}: no factor converts it; give {unit}")
    target = SPELLINGS.get(unit)
    quantity_and_factor = SPELLINGS.get(text)
    if target and quantity_and_factor:
        if quantity_and_factor[0] != target[0]:
            raise UnitError(OTHER_KIND, text=repr(text), kind=quantity_and_factor[0], unit=unit)
        return quantity_and_factor[1] / target[1]
    if not text or not unit:
        raise UnitError(f"a number without a unit cannot be told from one in {text or unit}; write its unit")
    if quantity_and_factor and not target and unit == quantity_and_factor[0]:
        return quantity_and_factor[1]
    if (quantity_and_factor and quantity_and_factor[0] in _ALONE) or (target and target[0] in _ALONE):
        raise UnitError(UNREADABLE, text=repr(text), unit=unit)
    try:
        # Pint takes angles, counts and bits for bare numbers, each of which it would turn into the others; their
        # roots differ.
        plain_unit, wanted_unit = (
            _pint().Quantity(1.0, spelled).to_root_units().units for spelled in (text, unit)
        )
        if plain_unit != wanted_unit:
            raise UnitError(f"it measures {plain_unit or 'a bare number'}; give a unit of {unit}")
        return float(_pint().Quantity(1.0, text).to(unit).magnitude)
    except Exception as problem:  # pint raises a dozen unrelated classes for unreadable text
        raise UnitError(UNKNOWN, text=repr(text), unit=unit, why=str(problem)) from problem


def convert(value: float, spelling: str, unit: str) -> float:
    """Turn a value into another unit, also where the two have different zeros.

    Parameters
    ----------
    value : float
        Number in `spelling`.
    spelling : str
        Unit as a file or a person writes it: "um", "degC" …
    unit : str
        Unit wanted, e.g. "m", "K".

    Returns
    -------
    float
        The value in `unit`, to 15 digits, so that 0.65 µm is 6.5e-07 m.

    Raises
    ------
    UnitError
        As `factor`.

    Examples
    --------
    >>> convert(25.0, "degC", "K")
    298.15
    """
    text = spelling.strip()
    if text in _OFFSETS and unit == "K":
        size, zero = _OFFSETS[text]
        return float(f"{value * size + zero:.15g}")
    size = factor(text, unit)
    return value if size == 1.0 else float(f"{value * size:.15g}")


def parse(text: str | float, unit: str) -> float:
    """Read a number with its unit from text.

    Parameters
    ----------
    text : str or float
        "0.65 um", "20 keV", "4GB". A bare number is refused: it has no unit.
    unit : str
        Unit of the result, e.g. "m".

    Returns
    -------
    float
        The value in `unit`.

    Raises
    ------
    UnitError
        No number, no unit, an unknown unit or one of another kind.

    Examples
    --------
    >>> parse("0.65 um", "m")
    6.5e-07
    """
    match = _NUMBER.match(str(text))
    if match is None:
        raise UnitError(NO_NUMBER, text=repr(text), example=f"'1 {_example(unit)}'")
    number, spelling = match.groups()
    if not spelling:
        raise UnitError(NO_UNIT, text=repr(text), example=f"'{number} {_example(unit)}'")
    value = convert(float(number), spelling, unit)
    if not math.isfinite(value):
        raise UnitError(TOO_LARGE, text=repr(text), example=f"'1 {_example(unit)}'")
    return value


def show(value: float, unit: str, digits: int = 4) -> str:
    """Write a number with the unit a reader finds easiest.

    Parameters
    ----------
    value : float
        Value in `unit`.
    unit : str
        "m", "keV", "deg", "s", "B", "1/cm" or any other unit, which is then written as it is.
    digits : int
        Significant digits.

    Returns
    -------
    str
        "0.65 µm", "20 keV", "4.29 GB".
    """
    if unit in _PREFIXES and value and math.isfinite(value):
        steps = sorted(_PREFIXES[unit], key=lambda step: -step[1])
        # Pixels below a micrometre are written 0.65 µm, as everybody in the field does; 65 nm below a tenth.
        name, size = next(
            (step for step in steps if abs(value) >= _LEAST.get(step[0], step[1]) * 0.9999999), steps[-1]
        )
        if 0.000999 < abs(value / size) < 1e6:  # beyond all prefixes 1e-30 m reads better than 1e-21 nm
            return f"{value / size:.{digits}g} {name}"
    if unit == "deg":
        return f"{value:.{max(digits, 6)}g}°"
    return f"{value:.{digits}g} {unit}".rstrip()


def _example(unit: str) -> str:
    return {"m": "um", "B": "GB"}.get(unit, unit)


def show_bytes(count: float) -> str:
    """Write an amount of data with the unit a reader finds easiest.

    Parameters
    ----------
    count : float
        Bytes; or bytes a second, behind which the caller writes "/s".

    Returns
    -------
    str
        Rounded to three digits: "4.29 GB".
    """
    return show(float(f"{count:.3g}"), "B", digits=3)
