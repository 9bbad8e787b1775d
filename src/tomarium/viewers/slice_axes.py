"""Axes of slices: in pixels, from the first voxel, from the rotation axis, or as positions of motors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tomarium.errors import ParameterError
from tomarium.model import Record, Value
from tomarium.viewers.volume import PLANES, Plane

WORDS: Final[dict[str, str]] = {
    "none": "No axes",
    "first": "Axes from the first voxel",
    "file": "Axes from the rotation axis",
    "motor": "Axes as motor positions",
    "px": "Axes in pixels",
}
"""The ways to draw axes, in the order of the menu; "file" is how the file places its voxels."""

# An edge has at least so many steps between marks, and at most two and a half times as many.
_STEPS: Final = 3


@dataclass(frozen=True)
class Coordinates:
    """Coordinate of voxel i along one axis: `first` + `step` · i.

    Attributes
    ----------
    name : str
        What is read along it: "x", or the name of a motor.
    first, step : float
        In m; in voxels where `metric` is not set.
    metric : bool
        Whether they are lengths.
    """

    name: str
    first: float
    step: float
    metric: bool = True

    def at(self, index: float) -> str:
        """Write the coordinate of a voxel, to two digits of the step: "3.214 mm"."""
        if not self.metric:
            return f"{self.first + self.step * index:g} px"
        # Zero has no sign, whatever is left of a sum.
        return f"{round(1e3 * (self.first + self.step * index), self.decimals) + 0.0:.{self.decimals}f} mm"

    @property
    def decimals(self) -> int:
        """Digits behind the point of a coordinate in mm."""
        return max(0, 1 - math.floor(math.log10(abs(1e3 * self.step))))


@dataclass(frozen=True)
class Axes:
    """What can be drawn along the slices of a record.

    Attributes
    ----------
    ways : dict of str to dict
        Key of `WORDS` → axis of the volume → its coordinates; without "none".
    lacking : str
        Why no positions of motors are offered; "" where they are, or where the record tells of no motor.
    """

    ways: dict[str, dict[Plane, Coordinates]]
    lacking: str = ""

    def chosen(self, text: str) -> dict[Plane, Coordinates]:
        """Return the coordinates of a way that was asked for.

        Parameters
        ----------
        text : str
            Key of `WORDS`; "" is "none".

        Returns
        -------
        dict
            Empty for "none".

        Raises
        ------
        ParameterError
            There is no such way, or this record does not offer it.
        """
        if text in ("", "none"):
            return {}
        if text == "motor" and text not in self.ways:
            raise ParameterError(
                f"axes = 'motor': {self.lacking or 'the record tells no motor'}; choose {', '.join(self.ways)}"
            )
        if text not in self.ways:
            raise ParameterError(f"axes = {text[:40]!r} is not offered; choose none, {', '.join(self.ways)}")
        return self.ways[text]

    def after(self, text: str) -> str:
        """Return the way that follows another one in the menu, "none" behind the last."""
        order = ["none", *(way for way in WORDS if way in self.ways)]
        return order[(order.index(text or "none") + 1) % len(order)]

    def as_json(self) -> str:
        """Write the ways for the script of the page."""
        return json.dumps(
            {
                way: {axis: asdict(coordinates) for axis, coordinates in coordinates_of_plane.items()}
                for way, coordinates_of_plane in self.ways.items()
            }
        )


def axes_of(record: Record, sizes_m: Sequence[float] | None, offsets_m: Sequence[float] | None) -> Axes:
    """Tell which axes can be drawn.

    Parameters
    ----------
    record : Record
        With a volume; its parameters tell of motors.
    sizes_m : sequence of float or None
        Voxel size (z, y, x), m; None where it is not known: then there are axes in pixels alone.
    offsets_m : sequence of float or None
        Coordinate of the first voxel (z, y, x) from the rotation axis and the first detector row, m; None where the
        file tells none.

    Returns
    -------
    Axes
        Positions of motors along those axes whose motor and sign the profile of the beamline told, the others as from
        the rotation axis.

    Notes
    -----
    position = motor ± (voxel − axis) · size, along z ± (row − middle row of the detector) · size.
    """
    pixels = {plane: Coordinates(plane, 0.0, 1.0, metric=False) for plane in PLANES}
    if sizes_m is None:
        return Axes({"px": pixels})
    sizes = dict(zip(PLANES, sizes_m, strict=True))
    ways = {"first": {plane: Coordinates(plane, 0.0, sizes[plane]) for plane in PLANES}}
    motors: dict[Plane, Coordinates] = {}
    lacking = _reason_of_lack(record.parameters)
    if offsets_m is not None:
        offsets = dict(zip(PLANES, offsets_m, strict=True))
        ways["file"] = {plane: Coordinates(plane, offsets[plane], sizes[plane]) for plane in PLANES}
        for plane in PLANES:
            motor = _motor(record.parameters, plane, sizes[plane])
            datum = _datum(record.parameters, plane, sizes[plane])
            if isinstance(motor, str):
                lacking = motor or lacking
            elif datum is not None:
                name, position, sign = motor
                motors[plane] = Coordinates(
                    name, position + sign * (offsets[plane] - datum), sign * sizes[plane]
                )
    if motors:
        ways["motor"] = ways["file"] | motors
        lacking = ""
    return Axes(ways | {"px": pixels}, lacking)


def _reason_of_lack(parameters: Mapping[str, Value[Any]]) -> str:
    """Say what is missing where a record tells positions and nobody which motor moves along which axis."""
    has_position = any(key.startswith("motor_") and key.endswith("_position_m") for key in parameters)
    return "sign of the motor not known" if has_position else ""


def _motor(parameters: Mapping[str, Value[Any]], plane: Plane, size_m: float) -> tuple[str, float, int] | str:
    """Return name, position in m and sign of the motor along an axis; else why not, "" where none is named."""
    motor_along, sign = parameters.get(f"motor_along_{plane}"), parameters.get(f"motor_sign_along_{plane}")
    if motor_along is None:
        return ""
    name = str(motor_along.value)
    position = parameters.get(f"motor_{name.replace('/', '_')}_position_m")
    if position is None:
        return f"the position of the motor {name} is not told in a unit of length"
    if sign is None or sign.value not in (1, -1):
        return f"sign of the motor not known: {name}"
    if isinstance(position.value, list | tuple):
        low, high = position.value
        if high - low > size_m / 2:
            return f"the motor {name} moved during the scan"
        return name, (float(low) + float(high)) / 2, int(sign.value)
    return name, float(position.value), int(sign.value)


def _datum(parameters: Mapping[str, Value[Any]], plane: Plane, size_m: float) -> float | None:
    """Return the coordinate at which the position holds: of the rotation axis, of the middle row of the detector."""
    if plane != "z":
        return 0.0
    rows = parameters.get("rows")
    return None if rows is None else (float(rows.value) - 1) / 2 * size_m


def marks(coordinates: Coordinates, count: int) -> list[tuple[float, str]]:
    """Choose round coordinates along an edge.

    Parameters
    ----------
    coordinates : Coordinates
        Of the axis along it.
    count : int
        Voxels along it.

    Returns
    -------
    list of (float, str)
        Part of the edge, from its beginning, and the coordinate there: in mm, in voxels where it is no length.
    """
    scale = 1e3 if coordinates.metric else 1.0
    first, step = coordinates.first * scale, coordinates.step * scale
    most = abs(step) * count / _STEPS * (1 + 1e-9)
    power = 10.0 ** math.floor(math.log10(most))
    apart = next(digit * power for digit in (5, 2, 1) if digit * power <= most)
    decimals = max(0, -math.floor(math.log10(apart) + 1e-9))
    ends = sorted((first - step / 2, first + step * (count - 0.5)))
    numbers = range(math.ceil(ends[0] / apart), math.floor(ends[1] / apart) + 1)
    labels = [(((n * apart - first) / step + 0.5) / count, f"{n * apart:.{decimals}f}") for n in numbers]
    return sorted((part, words) for part, words in labels if 0.02 < part < 0.98)
