"""What the profile of a beamline tells of all its scans: taken where neither the user nor the file tells it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tomarium import units
from tomarium.model import Scan, Value
from tomarium.model.geometry import BY_NAME

FROM_PROFILE: Final = ("pixel_m", "pixel_aspect", "energy_kev", "distance_m")
"""What a profile may tell of its scans: names of fields of a scan's geometry."""

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
    """

    values: Mapping[str, Value[float]] = field(default_factory=dict)
    corrects: tuple[str, ...] = ()
    motors: Mapping[str, str] = field(default_factory=dict)
    signs: Mapping[str, int] = field(default_factory=dict)
    source: str = ""


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
    along = _motors_along(scan, profile)
    if not values and not warnings and not along:
        return scan
    changed = scan.with_geometry(**values) if values else scan
    return replace(
        changed,
        metadata={**changed.metadata, **along},
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
