"""What a parameter's key says: its label for people and its unit. The one table of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from tomarium import units
from tomarium.model.geometry import FIELDS
from tomarium.model.wording import in_words

# key → (label, unit); those of a scan's geometry stand in its own table. A key that is not here gets its words as
# label and the unit of its ending.
PARAMETERS: Final[dict[str, tuple[str, str]]] = {
    **{field.name: (field.label, field.unit) for field in FIELDS},
    "sample_name": ("Sample", ""),
    "sample_description": ("Sample description", ""),
    "technique": ("Technique", ""),
    "derived_technique": ("Technique, derived", ""),
    "experimenter": ("Experimenter", ""),
    "proposal": ("Proposal", ""),
    "session": ("Session", ""),
    "facility": ("Facility", ""),
    "station": ("Station", ""),
    "embargo": ("Embargo", ""),
    "instrument": ("Instrument", ""),
    "beamline": ("Beamline", ""),
    "detector": ("Detector", ""),
    "scintillator": ("Scintillator", ""),
    "start_time": ("Start of the scan", ""),
    "end_time": ("End of the scan", ""),
    "opens_on": ("Files open on", ""),
    "format": ("Raw format", ""),
    "scan_sha256": ("Fingerprint of the scan’s file", ""),
    "voxel_m": ("Voxel size", "m"),
    "pixel_height_m": ("Height of a pixel at the sample", "m"),
    "source_distance_m": ("Distance from source to sample", "m"),
    "exposure_s": ("Exposure time", "s"),
    "ring_current_ma": ("Ring current", "mA"),
    "magnification": ("Magnification", ""),
    "first_angle_deg": ("First angle", "deg"),
    "last_angle_deg": ("Last angle", "deg"),
    "angle_step_deg": ("Angle step", "deg"),
    "projections": ("Projections", ""),
    "flats": ("Flat fields", ""),
    "darks": ("Dark fields", ""),
    "rows": ("Detector rows", "px"),
    "columns": ("Detector columns", "px"),
    "delta_beta": ("Ratio δ/β", ""),
    "algorithm": ("Reconstruction algorithm", ""),
    "temperature_celsius": ("Temperature", "°C"),
    "series": ("Series", ""),
    "series_moment": ("Moment of the series", ""),
    "series_moments": ("Moments of the series", ""),
    "series_time_s": ("Time since the first moment", "s"),
    "series_angle_deg": ("Angle at the first projection", "deg"),
}

# Words in a key that make it private unless its record says otherwise: people and their health.
PRIVATE: Final = frozenset(
    {"age", "birth", "born", "sex", "gender", "medical", "history", "diagnosis", "patient", "donor", "phone",
     "email", "mail", "telephone", "weight", "ethnicity"}
)  # fmt: skip

# ending of a key → unit
ENDINGS: Final[dict[str, str]] = {
    "m": "m",
    "kev": "keV",
    "deg": "deg",
    "s": "s",
    "ma": "mA",
    "column": "px",
    "row": "px",
    "pixel": "px",
    "pixels": "px",
    "bytes": "B",
    "celsius": "°C",
    "kelvin": "K",
    "gy": "Gy",
    "gy_per_s": "Gy/s",
    "m_per_s": "m/s",
    "tesla": "T",
    "watt": "W",
    "volt": "V",
    "pascal": "Pa",
    "newton": "N",
    "kg": "kg",
    "percent": "%",
}
_MOST_WORDS: Final = max(len(ending.split("_")) for ending in ENDINGS)


@lru_cache(8192)
def label(key: str) -> str:
    """Name a parameter for people.

    Parameters
    ----------
    key : str
        `pixel_m`, `sample_name` …

    Returns
    -------
    str
        "Pixel size at the sample"; for a key that is not in the table its words without the unit.
    """
    if key in PARAMETERS:
        return PARAMETERS[key][0]
    words = key.split("_")
    ending = ending_of(key)
    if ending and ending not in {"column", "row", "pixel", "pixels"}:
        words = words[: -len(ending.split("_"))]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


@lru_cache(8192)
def unit(key: str) -> str:
    """Return the unit that a parameter's key carries.

    Parameters
    ----------
    key : str
        `pixel_m`, `axis_column` …

    Returns
    -------
    str
        "m", "keV", "px" …; "" where the key carries none.
    """
    if key in PARAMETERS:
        return PARAMETERS[key][1]
    return ENDINGS.get(ending_of(key), "")


@lru_cache(8192)
def ending_of(key: str) -> str:
    """Return the words of a key that tell its unit.

    Parameters
    ----------
    key : str
        `dose_rate_gy_per_s`, `pixel_m` …

    Returns
    -------
    str
        "gy_per_s", "m" …, the longest that is known; "" where there is none, or the key has no other words.
    """
    words = key.split("_")
    longest = min(_MOST_WORDS, len(words) - 1)
    generator = ("_".join(words[-count:]) for count in range(longest, 0, -1))
    return next((text for text in generator if text in ENDINGS), "")


def is_private(key: str) -> bool:
    """Tell whether a parameter is not for everybody unless somebody says so.

    Parameters
    ----------
    key : str
        `donor_age_years`, `experimenter_email` …

    Returns
    -------
    bool
        One of its words tells of a person: age, sex, medical history, phone, e-mail …
    """
    return not PRIVATE.isdisjoint(key.lower().split("_"))


def show(key: str, value: Any) -> str:
    """Write a parameter's value for people, with its unit.

    Parameters
    ----------
    key : str
        Key of the parameter; it carries the unit.
    value : any JSON value
        Number, text, truth value, None, or sequences and mappings of them.

    Returns
    -------
    str
        "0.65 µm", "yes", "unknown", "0 – 179.5° (360 values)", "kind: CMOS; bits: 16".
    """
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and not unit(key):
        return str(value)
    if isinstance(value, (int, float)):
        return units.show(value, unit(key), digits=6 if unit(key) == "px" else 4)
    if isinstance(value, Sequence) and not isinstance(value, str):
        texts = [show(key, item) if _is_plain(item) else f"({in_words(item)})" for item in value]
        return ", ".join(texts) if len(texts) <= 4 else f"{texts[0]} … {texts[-1]} ({len(texts)} values)"
    return value if isinstance(value, str) else in_words(value)


def show_voxel(voxel_m: Any) -> str:
    """Write a voxel size for people.

    Parameters
    ----------
    voxel_m : float, sequence of float or None
        Edge of a cube, or the size (z, y, x), m.

    Returns
    -------
    str
        "3.25 µm" of a cube, else x × y × z: "5.2 µm × 5.2 µm × 2.6 µm"; "" where it is not known.

    Examples
    --------
    >>> show_voxel((2.6e-6, 5.2e-6, 5.2e-6))
    '5.2 µm × 5.2 µm × 2.6 µm'
    """
    sizes = [voxel_m] if isinstance(voxel_m, int | float) else list(voxel_m or ())[::-1]
    alike = len(set(sizes)) == 1
    return " × ".join(show("voxel_m", size) for size in (sizes[:1] if alike else sizes))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) or not isinstance(value, Sequence | Mapping)
