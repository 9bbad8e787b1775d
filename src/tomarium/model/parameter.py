"""What a parameter's key says: its label for people and its unit. The one table of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    "experimenter": ("Experimenter", ""),
    "proposal": ("Proposal", ""),
    "facility": ("Facility", ""),
    "instrument": ("Instrument", ""),
    "beamline": ("Beamline", ""),
    "detector": ("Detector", ""),
    "scintillator": ("Scintillator", ""),
    "start_time": ("Start of the scan", ""),
    "end_time": ("End of the scan", ""),
    "format": ("Raw format", ""),
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
    "gy": "Gy",
}


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
    if len(words) > 1 and words[-1] in ENDINGS and words[-1] not in {"column", "row", "pixel", "pixels"}:
        words.pop()
    text = " ".join(words)
    return text[:1].upper() + text[1:]


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
    _, separator, ending = key.rpartition("_")
    return ENDINGS.get(ending, "") if separator else ""


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
        shown = [show(key, item) if _is_plain(item) else f"({in_words(item)})" for item in value]
        return ", ".join(shown) if len(shown) <= 4 else f"{shown[0]} … {shown[-1]} ({len(shown)} values)"
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
