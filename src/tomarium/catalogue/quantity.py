"""A named number with its unit, as another catalogue tells it, as a parameter whose key carries the unit."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any, Final

from tomarium import units
from tomarium.errors import UnitError
from tomarium.model import Value
from tomarium.model.parameter import PARAMETERS, ending_of

# Names that surely mean a parameter of ours, by their letters and digits alone.
KNOWN: Final = {
    "beamenergy": "energy_kev",
    "energy": "energy_kev",
    "energyavg": "energy_kev",
    "incidentenergy": "energy_kev",
    "photonenergy": "energy_kev",
    "effectivepixelsize": "pixel_m",
    "pixelsize": "pixel_m",
    "exposuretime": "exposure_s",
    "counttime": "exposure_s",
    "detectordistance": "distance_m",
    "sampledetectordistance": "distance_m",
    "distancesampledetector": "distance_m",
    "propagationdistance": "distance_m",
    "distancesourcesample": "source_distance_m",
    "sourcesampledistance": "source_distance_m",
    "srcurrent": "ring_current_ma",
    "ringcurrent": "ring_current_ma",
    "magnification": "magnification",
    "opticmagnification": "magnification",
    "projections": "projections",
    "scintillator": "scintillator",
    "voxelsize": "voxel_m",
}
# Unit that a key may carry → the words it carries.
_ENDINGS: Final = {
    "m": "m", "keV": "kev", "deg": "deg", "s": "s", "mA": "ma", "K": "kelvin", "degC": "celsius", "Gy": "gy",
    "Gy/s": "gy_per_s", "m/s": "m_per_s", "T": "tesla", "W": "watt", "V": "volt", "Pa": "pascal", "N": "newton",
    "kg": "kg", "percent": "percent",
}  # fmt: skip
_NONE: Final = frozenset({"", "n/a", "na", "none", "-", "null", "1", "dimensionless", "unitless", "count"})
_CELSIUS: Final = frozenset({"C", "degC", "°C", "Celsius", "celsius", "deg C"})
_LONGEST_KEY: Final = 80


def words_of(name: str) -> str:
    """Write a name as the words of a key: "cameraPixelSize" and "Camera pixel size" as camera_pixel_size."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:_LONGEST_KEY] or "value"


def parameter_of(name: str, value: Any, unit: str, where: str) -> tuple[str, Value[Any]]:
    """Turn what another catalogue tells into a parameter.

    Parameters
    ----------
    name : str
        As the other catalogue names it.
    value : str, number or truth value
        As it tells it.
    unit : str
        Its unit there; "" for none.
    where : str
        File and place, for the source of the value.

    Returns
    -------
    key : str
        With the unit that the value has now.
    value : Value
        Read; its source tells name, value and unit in the other's words. A number whose unit is not known stays the
        text it was, with the unit behind it.

    Examples
    --------
    >>> parameter_of("effectivePixelSize", 2.75, "um", "a.json")
    ('pixel_m', Value(value=2.75e-06, origin='read', source='a.json: effectivePixelSize = 2.75 um'))
    """
    unit = unit.strip()
    bare = unit.lower() in _NONE
    text = f"{value}".strip() + ("" if bare else f" {unit}")
    source = f"{where}: {name} = {text}"
    our_key = KNOWN.get(re.sub(r"[^a-z0-9]", "", name.lower()), "")
    words = words_of(name)
    if bare:
        if our_key and not PARAMETERS.get(our_key, ("", ""))[1]:
            return our_key, Value(value, "read", source)
        return _without_unit(words), Value(value, "read", source)
    number = _number(value)
    if number is None:
        return _without_unit(words), Value(text, "read", source)
    if our_key and (unit_wanted := PARAMETERS.get(our_key, ("", ""))[1]):
        converted = _converted(number, unit, unit_wanted)
        if converted is not None:
            return our_key, Value(converted, "read", source)
    if unit in _CELSIUS:
        return f"{words}_celsius", Value(number, "read", source)
    for own, ending in _ENDINGS.items():
        converted = _converted(number, unit, own)
        if converted is not None:
            return f"{words}_{ending}".replace(f"_{ending}_{ending}", f"_{ending}"), Value(
                converted, "read", source
            )
    return _without_unit(words), Value(text, "read", source)


def _without_unit(words: str) -> str:
    """Keep a key whose last word looks like a unit from telling one."""
    return f"{words}_value" if ending_of(words) else words


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _converted(number: float, unit: str, unit_wanted: str) -> float | None:
    try:
        return units.convert(number, unit, unit_wanted)
    except UnitError:
        return None
