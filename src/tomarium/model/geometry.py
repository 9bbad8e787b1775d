"""The numbers of an acquisition: angles, rotation axis, pixel, energy, distance; one table says what each is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import ParameterError
from tomarium.model.account import in_lines, rows_of_geometry
from tomarium.model.motor import MotorPositions
from tomarium.model.sentence import Sentence
from tomarium.model.value import Value

NOT_FINITE: Final = "%(name)s=%(given)s was given; it must be a finite number"
NOT_ABOVE_ZERO: Final = "%(name)s=%(given)s was given; it must be a finite number above 0"
UNLIKELY: Final = (
    "%(name)s=%(given)s is %(value)s, which no scan has (%(low)s to %(high)s is taken); check its unit"
)
UNLIKELY_SUCH_AS: Final = f"{UNLIKELY}, such as %(example)s"


@dataclass(frozen=True)
class Field:
    """One number (or one number for each view) of a Geometry.

    Attributes
    ----------
    name : str
        Name in Python, YAML and JSON; its unit is part of it.
    label : str
        What people read.
    unit : str
        Unit of the number, "px" for one in pixels, "" for a ratio.
    option : str
        Word of the command line, without dashes.
    help : str
        What the option's help says.
    per_view : bool
        Whether there is one number for each projection.
    lowest, highest : float
        What a user may give; outside of them a number is a slip of the unit, and asked back.
    expected : bool
        Whether people look for it in any scan: where it is not known, that is said.
    """

    name: str
    label: str
    unit: str
    option: str
    help: str
    per_view: bool = False
    lowest: float = -math.inf
    highest: float = math.inf
    expected: bool = False

    @property
    def words(self) -> str:
        """The name without its unit: "axis column", "pixel"."""
        words = self.name.split("_")
        return " ".join(words[:-1] if words[-1] == self.unit.lower() else words)

    @property
    def needs_unit(self) -> bool:
        """Whether text must carry a unit: pixels, degrees and ratios need none."""
        return self.unit not in ("px", "deg", "")


FIELDS: Final[tuple[Field, ...]] = (
    Field("angles_deg", "Rotation angles", "deg", "angles",
          "Rotation angles to take in place of the file's: FIRST:LAST:COUNT in degrees such as 0:180:721 (the last "
          "one included), a text file with one angle a line, or a place in HDF5 such as /a/theta.",
          per_view=True, expected=True),
    Field("pixel_m", "Pixel size at the sample", "m", "pixel",
          "Pixel size at the sample, across where a pixel is no square, such as '0.65 um'.",
          lowest=1e-10, highest=0.01, expected=True),
    Field("pixel_aspect", "Height of a pixel over its width", "", "pixel-aspect",
          "Height of a pixel over its width, where it is no square, such as 0.5.", lowest=0.01, highest=100.0),
    Field("energy_kev", "Photon energy", "keV", "energy",
          "Photon energy, such as '20 keV'.", lowest=1e-6, highest=1e5, expected=True),
    Field("distance_m", "Distance from sample to detector", "m", "distance",
          "Distance from sample to detector, such as '10 cm'.", lowest=-1e4, highest=1e4, expected=True),
    Field("axis_column", "Rotation axis", "px", "axis",
          "Column of the rotation axis in the file's frames, also where these are binned or cropped then; 0-based, "
          "pixel centres at integers; looked for otherwise.",
          lowest=-1e6, highest=1e6, expected=True),
    Field("axis_roll_deg", "Roll of the rotation axis in the detector's plane", "deg", "axis-roll",
          "How far the rotation axis is turned in the detector's plane, degrees, counter-clockwise.",
          lowest=-45.0, highest=45.0),
    Field("axis_tilt_deg", "Tilt of the rotation axis along the beam", "deg", "axis-tilt",
          "How far the rotation axis leans along the beam, degrees.", lowest=-90.0, highest=90.0),
    Field("shift_columns_px", "Shift of the sample along columns", "px", "shift-columns",
          "Shift of the sample along detector columns in each view, pixels: a text file with one number a line, or a "
          "place in HDF5.", per_view=True),
    Field("shift_rows_px", "Shift of the sample along rows", "px", "shift-rows",
          "Shift of the sample along detector rows in each view, pixels: a text file with one number a line, or a "
          "place in HDF5.", per_view=True),
    Field("beam_intensity", "Intensity of the beam over that of the flats", "", "beam-intensity",
          "Intensity of the beam in each view over that in the flats (the current of the ring, or a monitor), for the "
          "step normalise_beam: a text file with one number a line, or a place in HDF5.", per_view=True),
)  # fmt: skip
"""Everything a Geometry holds but motors, in the order people read it."""

BY_NAME: Final[Mapping[str, Field]] = {field.name: field for field in FIELDS}

NUMBERS: Final = tuple(field.name for field in FIELDS if not field.per_view)
"""Names of the fields that are one number each."""

PER_VIEW: Final = tuple(field.name for field in FIELDS if field.per_view)
"""Names of the fields that are one number for each view."""


@dataclass(frozen=True)
class Geometry:
    """The numbers of an acquisition, each with its origin; what is not known is None.

    Attributes
    ----------
    angles_deg : Value of array, shape (angle,)
        Rotation angle of each projection in degrees, float64.
    axis_column : Value of float or None
        Column of the rotation axis at the middle row: 0-based, pixel centres at integers.
    axis_roll_deg : Value of float or None
        Turn of the axis in the detector's plane, degrees, counter-clockwise as the detector is seen.
    axis_tilt_deg : Value of float or None
        Lean of the axis along the beam, degrees.
    pixel_m : Value of float or None
        Pixel size at the sample, m; its width where it is no square.
    pixel_aspect : Value of float or None
        Height of a pixel (along the rotation axis) over its width; None for a square.
    energy_kev : Value of float or None
        Photon energy, keV.
    distance_m : Value of float or None
        Distance from sample to detector, m.
    shift_columns_px, shift_rows_px : Value of array, shape (angle,), or None
        Where the sample stands in each view beside its place in a perfect scan, pixels.
    beam_intensity : Value of array, shape (angle,), or None
        Intensity of the beam in each view over that in the flats, which is interpolated to it; dimensionless.
    motors : Mapping of str to MotorPositions
        Motor positions of each view, under the file's own names, each with its unit.
    """

    angles_deg: Value[NDArray[np.float64]]
    axis_column: Value[float] | None = None
    axis_roll_deg: Value[float] | None = None
    axis_tilt_deg: Value[float] | None = None
    pixel_m: Value[float] | None = None
    pixel_aspect: Value[float] | None = None
    energy_kev: Value[float] | None = None
    distance_m: Value[float] | None = None
    shift_columns_px: Value[NDArray[np.float64]] | None = None
    shift_rows_px: Value[NDArray[np.float64]] | None = None
    beam_intensity: Value[NDArray[np.float64]] | None = None
    motors: Mapping[str, MotorPositions] = field(default_factory=dict)

    @property
    def aspect(self) -> float:
        """Height of a pixel over its width; 1 where nothing is told of it."""
        return 1.0 if self.pixel_aspect is None else float(self.pixel_aspect.value)

    @property
    def voxel_m(self) -> tuple[float, float, float] | None:
        """Voxel size (z, y, x) of slices of this scan in m, or None where the pixel size is not known."""
        if self.pixel_m is None:
            return None
        width = float(self.pixel_m.value)
        return width * self.aspect, width, width

    def items(self) -> Iterator[tuple[Field, Value[Any]]]:
        """Yield each field that is known, with its value."""
        for known_field in FIELDS:
            value = getattr(self, known_field.name)
            if value is not None:
                yield known_field, value

    def __repr__(self) -> str:
        return in_lines("Geometry", rows_of_geometry(self))

    def with_values(self, values: Mapping[str, Any]) -> Geometry:
        """Return the geometry with other values of some fields, each a Value or None."""
        changed: dict[str, Any] = dict(values)
        return replace(self, **changed)

    def given(self) -> dict[str, Any]:
        """Return what the file itself does not tell, but a user or the beamline's profile: name → plain value."""
        return {
            known_field.name: value.value
            for known_field, value in self.items()
            if value.origin in ("user", "profile")
        }

    def of_views(self, chosen: Any) -> Geometry:
        """Return the geometry of some views: every array of one number a view is cut alike.

        Parameters
        ----------
        chosen : slice or array of int
            The views, in the order wanted.

        Returns
        -------
        Geometry
            With as many angles as there are views chosen.
        """
        cut: dict[str, Any] = {
            name: replace(value, value=np.asarray(value.value)[chosen])
            for name in PER_VIEW
            if (value := getattr(self, name)) is not None
        }
        motors = {
            name: replace(value, value=np.asarray(value.value)[chosen]) for name, value in self.motors.items()
        }
        return replace(self, **cut, motors=motors)


def user_value(name: str, given: Any, source: str = "given when the scan was opened") -> Value[Any]:
    """Make a value of what a user gave for a field of the geometry.

    Parameters
    ----------
    name : str
        Name of the field.
    given : float, str or sequence of float
        A number in the field's unit, or text with a unit ("0.65 um"); one number for each view where the field
        has them.
    source : str
        How it was given, in words.

    Returns
    -------
    Value
        With the origin "user".

    Raises
    ------
    UnitError
        Text without its unit.
    ParameterError
        It is no finite number, or one no acquisition has, as 0.65 m for a pixel.
    """
    field = BY_NAME[name]
    if field.per_view:
        return Value(_numbers(field, given), "user", source)
    number = _number(field, given)
    if not math.isfinite(number):
        raise ParameterError(Sentence(NOT_FINITE, name=name, given=repr(given)))
    if not field.lowest <= number <= field.highest:
        if field.unit in ("m", "keV") and number <= 0 < field.lowest:
            raise ParameterError(Sentence(NOT_ABOVE_ZERO, name=name, given=repr(given)))
        low, high = (units.show(edge, field.unit) for edge in (field.lowest, field.highest))
        example = _EXAMPLES.get(field.unit)
        told = {"name": name, "given": repr(given), "value": units.show(number, field.unit)}
        told |= {"low": low, "high": high} | ({"example": example} if example else {})
        raise ParameterError(Sentence(UNLIKELY_SUCH_AS if example else UNLIKELY, **told))
    return Value(number, "user", source)


def _numbers(field: Field, given: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(given, np.float64).ravel()
    except (TypeError, ValueError) as problem:
        raise ParameterError(
            f"{field.name}={given!r} was given; it must be one number for each projection"
        ) from problem


def _number(field: Field, given: Any) -> float:
    if not isinstance(given, str):
        try:
            return float(given)
        except (TypeError, ValueError) as problem:
            raise ParameterError(f"{field.name}={given!r} was given; it must be a number") from problem
    if not field.needs_unit:
        try:
            return float(given)
        except ValueError:
            pass
    if not field.unit:
        raise ParameterError(f"{field.name}={given!r} was given; it must be a number without a unit")
    return units.parse(given, "pixel" if field.unit == "px" else field.unit)


_EXAMPLES: Final = {"m": "'0.65 um'", "keV": "'20 keV'"}
