"""What the profile of a beamline tells of all its scans: taken where neither the user nor the file tells it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tomarium import units
from tomarium.formats.opening.camera_tables import NOMINAL, by_camera_tables
from tomarium.model import Scan, Value
from tomarium.model.geometry import BY_NAME

FROM_PROFILE: Final = ("pixel_m", "pixel_aspect", "energy_kev", "distance_m")
"""What a profile may tell of its scans: names of fields of a scan's geometry."""

FACTS: Final = "facts_for_record"
"""Key of a scan's metadata under which lies what its records are to say, as `facts_data` writes it."""

FACT_TEXTS: Final = ("proposal", "session", "instrument", "facility", "station", "embargo")
"""Facts that are one text, which a scan's own file may tell, too, by the same key of its metadata."""

_SAME_KEYS: Final = {"instrument": ("instrument", "beamline")}
"""Fact → the keys by which files tell it, where they are several."""

_ALIKE: Final = 0.01
"""Numbers that differ by less are the same: what was set, and what was measured of it."""


@dataclass(frozen=True)
class ProfileValues:
    """What a profile tells of all scans of a beamline.

    Attributes
    ----------
    values : mapping of str to Value
        One of `FROM_PROFILE` → its value, with the origin "profile" and the profile's name as its source.
    corrects : tuple of str
        Those of them that go before what a file says.
    motors : mapping of str to str
        Axis of a volume, "x", "y" or "z", → name of the motor in files whose position holds at the rotation axis,
        along z at the middle row of the detector. "axis", which moves the rotation axis along columns, stands for x.
    signs : mapping of str to int
        The same → 1 where the position grows with the number of the voxel, -1 where it falls.
    source : str
        The profile's name.
    facts : mapping of str to Value
        What the records are to say that are made of its scans: one of `FACT_TEXTS`, or "creators", "licence",
        "keywords", "funding", "acknowledgement", texts as people write them; with the origin "profile".
    assumed : collection of str
        Those of `facts` that nobody stated outright, such as the instrument by the profile's name: what a file says
        otherwise is no difference.
    detectors, optics : mapping
        Cameras and objectives by their names, as for `by_camera_tables`.
    files : sequence of mapping
        The files that state them: "name", "file" and "sha256" of each.
    """

    values: Mapping[str, Value[float]] = field(default_factory=dict)
    corrects: tuple[str, ...] = ()
    motors: Mapping[str, str] = field(default_factory=dict)
    signs: Mapping[str, int] = field(default_factory=dict)
    source: str = ""
    # What changes no voxel is left out of the words by which a series knows that it goes on with the same values.
    facts: Mapping[str, Value[Any]] = field(default_factory=dict, repr=False)
    files: Sequence[Mapping[str, str]] = field(default=(), repr=False)
    assumed: Collection[str] = field(default=(), repr=False)
    detectors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    optics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def facts_data(profile: ProfileValues) -> dict[str, Any]:
    """Write what records are to say as plain data: fact → its value and source, and the files that state them."""
    if not profile.facts:
        return {}
    facts = {
        name: {"value": value.value, "source": value.source}
        | ({"assumed": True} if name in profile.assumed else {})
        for name, value in profile.facts.items()
    }
    return {"facts": facts, "files": [dict(file) for file in profile.files]}


def with_profile_values(scan: Scan, profile: ProfileValues) -> Scan:
    """Take the profile's values for what nobody else tells of a scan.

    A user's value stands. A file's stands too, with a warning where the profile's differs by more than 1 %; where the
    profile corrects the file its value is taken, and what it replaces is told in `repaired`.
    """
    values: dict[str, Value[float]] = {}
    warnings: list[str] = []
    repaired: list[str] = []
    for name, value in profile.values.items():
        own: Value[Any] | None = getattr(scan.geometry, name)
        if own is None or own.origin == "default":
            values[name] = value
            continue
        if own.origin in ("user", "profile"):
            continue
        differs = not math.isclose(own.value, value.value, rel_tol=_ALIKE)
        field_of, unit = BY_NAME[name], BY_NAME[name].unit
        own_text, profile_text = (units.show(number, unit) for number in (own.value, value.value))
        if name in profile.corrects:
            values[name] = value
            if differs:
                repaired.append(
                    f"{field_of.words} is {profile_text}: {value.source} corrects {own_text} of {own.source}"
                )
        elif differs:
            warnings.append(
                f"{field_of.words} is {own_text} by {own.source}, but {profile_text} by {value.source}: the file's was "
                f"taken; give the right one as --{field_of.option}, or write corrects = [{name!r}] into the profile's "
                f"[scan]"
            )
    by_tables, problems = by_camera_tables(scan, profile.detectors, profile.optics, profile.source)
    warnings += problems
    pixel = by_tables.pop("pixel_m", None)
    if pixel is not None:
        stated = values.setdefault("pixel_m", pixel)
        if not math.isclose(stated.value, pixel.value, rel_tol=NOMINAL):
            warnings.append(
                f"pixel is {units.show(stated.value, 'm')} by [scan] of {stated.source}, but "
                f"{units.show(pixel.value, 'm')} by {pixel.source}: that of [scan] was taken"
            )
    further = by_tables | _motors_along(scan, profile) | _facts_of(scan, profile, warnings)
    if not values and not warnings and not further:
        return scan
    changed = scan.with_geometry(**values) if values else scan
    return replace(
        changed,
        metadata={**changed.metadata, **further},
        warnings=(*changed.warnings, *warnings),
        repaired=(*changed.repaired, *repaired),
    )


def _motors_along(scan: Scan, profile: ProfileValues) -> dict[str, Value[Any]]:
    """Name the motors along the axes of a volume, and their signs, where the scan tells their positions."""
    values: dict[str, Value[Any]] = {}
    for axis, roles in {"x": ("x", "axis"), "y": ("y",), "z": ("z",)}.items():
        role = next((role for role in roles if role in profile.motors), "")
        if profile.motors.get(role) not in scan.geometry.motors:
            continue
        values[f"motor_along_{axis}"] = Value(profile.motors[role], "profile", profile.source)
        if role in profile.signs:
            values[f"motor_sign_along_{axis}"] = Value(profile.signs[role], "profile", profile.source)
    return values


def _facts_of(scan: Scan, profile: ProfileValues, warnings: list[str]) -> dict[str, Value[Any]]:
    """Return the metadata that the profile states of a scan; where its file says otherwise, warn and leave that."""
    if not profile.facts:
        return {}
    stated = {FACTS: Value[Any](facts_data(profile), "profile", profile.source or "beamtime")}
    for name in FACT_TEXTS:
        if name not in profile.facts:
            continue
        own = told_by_itself(scan.metadata, name)
        if own is None:
            stated[name] = profile.facts[name]
        elif name not in profile.assumed and not same_name(own.value, profile.facts[name].value):
            warnings.append(fact_differs(name, own, profile.facts[name]))
    return stated


def told_by_itself(metadata: Mapping[str, Any], fact: str) -> Value[Any] | None:
    """Return what a scan or a record says of a fact by itself, with another origin than "profile"."""
    for key in _SAME_KEYS.get(fact, (fact,)):
        value = metadata.get(key)
        if isinstance(value, Value) and value.origin != "profile" and str(value.value).strip():
            return value
    return None


def same_name(one: object, other: object) -> bool:
    """Tell whether two names mean the same: all words of one are words of the other, as "ID19" and "ESRF-ID19"."""
    words, further = ({*re.findall(r"\w+", str(text).casefold())} for text in (one, other))
    return words <= further or further <= words


def fact_differs(fact: str, own: Value[Any], stated: Value[Any]) -> str:
    """Say that a scan's own file and the beamtime state different things, and which is taken."""
    return (
        f"{fact} is {str(own.value)[:80]!r} by {own.source}, but {str(stated.value)[:80]!r} by {stated.source}: the "
        f"file's was taken; where the file is right, correct {stated.source.partition(' of ')[0]}"
    )
