"""The text beside an EDF scan: `scan.info` (KEY= value) and `scan.xml` (below `acquisition`).

Keys and units are those of the ESRF's acquisition of the SPEC years: Distance in mm, PixelSize in µm, Energy
in keV, SrCurrent in mA, Count_time in s, ScanRange in degrees, REF_ON projections between flats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.errors import UnitError
from tomarium.formats.opening.key_value_text import read_key_values
from tomarium.model import Value

_LONGEST_TEXT: Final = 1 << 14
# key, lower case → (name of the scan's value, power of ten to its unit)
NUMBERS: Final = {
    "pixelsize": ("pixel_m", -6),
    "energy": ("energy_kev", 0),
    "distance": ("distance_m", -3),
    "srcurrent": ("ring_current_ma", 0),
    "count_time": ("exposure_s", 0),
    "rotationaxiscolumn": ("axis_column", 0),  # tomarium's own
}
# Ending of a scan's value → its unit.
_UNITS: Final = {"_m": "m", "_kev": "keV", "_ma": "mA", "_s": "s"}
# key, lower case → name in the scan's metadata
TEXTS: Final = {
    "title": "title",  # tomarium's own
    "sample": "sample_name",  # tomarium's own
    "date": "start_time",
    "optic_used": "objective",
    "scan_type": "scan_type",
    "scintillator": "scintillator",
    "ccd": "detector",
}


def read_edf_info(path: Path) -> dict[str, str]:
    """Read a `.info` or a `.xml` of an EDF scan.

    Result: key, as it is written, → value. Of the XML, the leaves below `acquisition`; `projectionSize/DIM_1`
    becomes `DIM_1`.
    """
    return read_key_values(path, "a scan", "acquisition")


def count_of(values: Mapping[str, str], key: str) -> int | None:
    """Return a whole number of a `.info`.

    Result: None where it is absent or no number.
    """
    number = number_of(values, key)
    return int(number) if number is not None and number == int(number) else None


def number_of(values: Mapping[str, str], key: str, power: int = 0) -> float | None:
    """Return a number of a `.info` in another unit.

    `power`: power of ten of the file's unit in the one wanted: -6 turns µm into m, without losing a digit.
    Result: None where it is absent or no finite number.
    """
    text = next((value for name, value in values.items() if name.lower() == key), "")
    try:
        number = Decimal(text.split()[0]).scaleb(power) if text.split() else None
    except (InvalidOperation, ValueError):
        return None
    if number is None or not number.is_finite() or not math.isfinite(float(number)):
        return None
    return float(number)


def values_of(values: Mapping[str, str], source: str) -> tuple[dict[str, Value[float]], list[str]]:
    """Return the numbers a scan knows by name, in its units.

    Result: `pixel_m`, `energy_kev`, `distance_m`, `ring_current_ma`, `exposure_s`, `axis_column`.
    """
    values_known: dict[str, Value[float]] = {}
    warnings: list[str] = []
    for key, (name, power) in NUMBERS.items():
        number = number_of(values, key, power)
        if number is None:
            continue
        behind = next(text for name, text in values.items() if name.lower() == key).split()[1:]
        if behind and not _is_usual(name, power, behind[0]):
            warnings.append(
                f"{source}: {key} is followed by {behind[0]!r}, which is not the unit it has in such a file, and was "
                f"left out; give {name} yourself"
            )
            continue
        if number <= 0 and name in ("pixel_m", "energy_kev"):
            warnings.append(f"{source}: {key} is {number:g}, which cannot be, and was left out")
            continue
        values_known[name] = Value(number, "read", f"{source}: {key}")
    return values_known, warnings


def metadata_of(
    values: Mapping[str, str], numbers: Mapping[str, Value[float]], source: str
) -> dict[str, Value[Any]]:
    """Return the texts of a `.info` under the names a scan knows, and what of its `values_of` is no geometry."""
    texts = {
        TEXTS[key.lower()]: Value(text, "read", f"{source}: {key}")
        for key, text in values.items()
        if key.lower() in TEXTS and text
    }
    return texts | {name: numbers[name] for name in ("exposure_s", "ring_current_ma") if name in numbers}


def _is_usual(name: str, power: int, unit: str) -> bool:
    """Tell whether a unit that stands behind a number is the one its key has anyway."""
    si = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), None)
    if si is None:
        return False
    try:
        return math.isclose(units.factor(unit, si), 10.0**power, rel_tol=1e-9)
    except UnitError:
        return False


def info_text(values: Mapping[str, str | int | float]) -> str:
    """Write a `.info`.

    Result: one `KEY=  value` a line, as SPEC pads it; of a text of more than 16384 characters its beginning
    and "…", since a longer `.info` is not read.
    """
    return "".join(f"{key + '=':<24}{_line(str(value))}\n" for key, value in values.items())


def _line(text: str) -> str:
    """Put a text into one line that can be written and read; halves of characters become "?"."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]} …"
    try:
        line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace").decode("utf-8")
    return line
