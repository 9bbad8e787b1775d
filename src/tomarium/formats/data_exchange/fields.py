"""The members of Data Exchange and what they mean: Tables 7 to 16 and 21 to 29 of the guide, and their later names.

One row of `FIELDS` is one member: where it lies, what it is called here, and the unit its name carries. Where
the guide gives no unit beside a value, that of its Table 36 holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import h5py
import numpy as np

from tomarium.errors import UnitError
from tomarium.formats.hdf5.source import NO_UNIT, Source
from tomarium.model import Value
from tomarium.units import SPELLINGS

INSTRUMENT: Final = "instrument/"
# Temperatures need an offset, which no factor has.
CELSIUS: Final = frozenset({"c", "°c", "degc", "deg c", "celsius", "degree celsius", "degrees celsius"})
KELVIN: Final = frozenset({"k", "kelvin"})
ZERO_CELSIUS_K: Final = 273.15
# Without a unit a temperature below this is taken in °C: Table 7 has kelvin as default and 25.4 as example.
COLDEST_KELVIN: Final = 200.0
# The 7-BM layout has an attenuator of "750" without a unit, where Table 36 has metres.
THICKEST_M: Final = 10.0


@dataclass(frozen=True)
class Field:
    """One member."""

    name: str  # what it is called here; in a numbered group its second instance is `detector_2_model`
    # where it lies below /measurement, best first; "*" marks a group that may be numbered
    paths: tuple[str, ...]
    # unit of its value here, which ends its name; None for text, "" for a plain number
    unit: str | None = None
    default: str | None = None  # unit to take where the file gives none (Table 36); `unit` where this is None


def _texts(group: str, prefix: str, names: str) -> list[Field]:
    return [Field(f"{prefix}{name}", (f"{group}/{name}",)) for name in names.split()]


_DETECTOR: Final = "instrument/detector*"
_SYSTEM: Final = "instrument/detection_system"

FIELDS: Final = (
    # Table 7, sample
    Field("sample_preparation_date", ("sample/preparation_date",)),
    Field("sample_mass_kg", ("sample/mass",), "kg"),
    Field("sample_concentration_kg_per_m3", ("sample/concentration",), "kg/m^3"),
    Field("sample_temperature_k", ("sample/temperature",), "K"),
    Field("sample_temperature_set_k", ("sample/temperature_set",), "K"),
    Field("sample_pressure_pa", ("sample/pressure",), "Pa"),
    Field("sample_thickness_m", ("sample/thickness",), "m"),
    Field("sample_position", ("sample/position", "sample/tray")),
    Field("sample_comment", ("sample/comment",)),
    Field("sample_fatigue_cycle", ("sample/fatigue_cycle",)),
    # Tables 9 and 10, experiment and experimenters
    Field("activity", ("sample/experiment/activity",)),
    Field("safety", ("sample/experiment/safety", "sample/experiment/safety_id", "sample/experiment/ESAF_number")),
    Field("experimenter_name", ("sample/experimenter*/name", "sample/experimenter*/experimenter_name")),
    *_texts("sample/experimenter*", "experimenter_", "role address phone"),
    Field("experimenter_affiliation", ("sample/experimenter*/affiliation", "sample/experimenter*/institution")),
    Field("experimenter_email", ("sample/experimenter*/email", "sample/experimenter*/e-mail")),
    Field("experimenter_user_id", ("sample/experimenter*/facility_user_id", "sample/experimenter*/user_id")),
    # Table 12, source
    Field("source_current_a", ("instrument/source/current",), "A"),
    Field("source_pulse_energy_j", ("instrument/source/pulse_energy",), "J"),
    Field("source_pulse_width_s", ("instrument/source/pulse_width",), "s"),
    Field("source_mode", ("instrument/source/mode", "instrument/source/source")),
    Field("beam_intensity_incident_per_s", ("instrument/source/beam_intensity_incident",), "1/s"),
    Field("beam_intensity_transmitted_per_s", ("instrument/source/beam_intensity_transmitted",), "1/s"),
    # Tables 13 and 14, shutters and attenuators
    Field("shutter_name", ("instrument/shutter*/name",)),
    Field("shutter_status", ("instrument/shutter*/status",)),
    Field("attenuator_thickness_m", ("instrument/attenuator*/thickness",), "m"),
    Field("attenuator_transmission",
          ("instrument/attenuator*/attenuator_transmission", "instrument/attenuator*/transmission"), ""),
    Field("attenuator_type", ("instrument/attenuator*/type", "instrument/attenuator*/description")),
    # Table 15, monochromator
    Field("monochromator_type", ("instrument/monochromator/type", "instrument/monochromator/name")),
    Field("monochromator_name", ("instrument/monochromator/name",)),
    Field("monochromator_energy_error_kev", ("instrument/monochromator/energy_error",), "keV", "J"),
    Field("monochromator_stripe", ("instrument/monochromator/mono_stripe",)),
    # Table 22, interferometer
    Field("interferometer_start_angle_deg", ("instrument/interferometer/start_angle",), "deg"),
    *(Field(f"interferometer_{name}_m", (f"instrument/interferometer/{name}",), "m")
      for name in ("grid_start", "grid_end", "grid_position_for_scan")),
    *(Field(f"interferometer_{name}_deg", (f"instrument/interferometer/{name}",), "deg")
      for name in ("grid_start", "grid_end", "grid_position_for_scan")),
    Field("interferometer_number_of_grid_steps", ("instrument/interferometer/number_of_grid_steps",), ""),
    # Tables 16 and 23, detectors
    *_texts(_DETECTOR, "detector_", "manufacturer model serial_number output_data firmware_version "
            "software_version shutter_mode"),
    Field("detector_bit_depth", (f"{_DETECTOR}/bit_depth",), ""),
    Field("detector_pixel_x_m", (f"{_DETECTOR}/x_pixel_size", f"{_DETECTOR}/pixel_size_x",
                                 f"{_DETECTOR}/pixel_size"), "m"),
    Field("detector_pixel_y_m", (f"{_DETECTOR}/y_pixel_size", f"{_DETECTOR}/pixel_size_y",
                                 f"{_DETECTOR}/pixel_size"), "m"),
    *(Field(f"detector_{quantity}_{axis}", (f"{_DETECTOR}/{axis}_{quantity}", f"{_DETECTOR}/{axis}_{quantity}s",
                                        f"{_DETECTOR}/{quantity}_{axis}"), "")
      for quantity in ("dimension", "binning") for axis in ("x", "y")),
    Field("detector_temperature_k", (f"{_DETECTOR}/operating_temperature", f"{_DETECTOR}/temperature"), "K"),
    Field("detector_frame_rate_per_s", (f"{_DETECTOR}/frame_rate",), "1/s"),
    Field("detector_counts_per_joule", (f"{_DETECTOR}/counts_per_joule",), "1/J"),
    Field("detector_delay_time_s", (f"{_DETECTOR}/delay_time",), "s"),
    # Table 24, region of interest, and its later form of corner and size
    Field("detector_roi_name", (f"{_DETECTOR}/roi/name",)),
    *(Field(f"detector_roi_{name}", (f"{_DETECTOR}/roi/{name}",), "")
      for name in ("x1", "y1", "x2", "y2", "min_x", "min_y", "size_x", "size_y")),
    # Tables 25 and 26, objectives and scintillators, later of the detection system
    *(Field(f"objective_{name}", (f"{_DETECTOR}/objective*/{name}", f"{_SYSTEM}/objective*/{name}"))
      for name in ("manufacturer", "model")),
    *(Field(f"objective_{name}", (f"{_DETECTOR}/objective*/{name}", f"{_SYSTEM}/objective*/{name}"), "")
      for name in ("magnification", "numerical_aperture")),
    *(Field(f"scintillator_{name}", (f"{_DETECTOR}/scintillator*/{name}", f"{_SYSTEM}/scintillator*/{name}",
                                     f"{_SYSTEM}/scintillator*/scintillator_{name}"))
      for name in ("manufacturer", "serial_number", "name", "type")),
    *(Field(f"scintillator_{name}_m", (f"{_DETECTOR}/scintillator*/{name}", f"{_SYSTEM}/scintillator*/{name}",
                                       f"{_SYSTEM}/scintillator*/{later}"), "m")
      for name, later in (("scintillating_thickness", "active_thickness"), ("substrate_thickness",) * 2)),
)  # fmt: skip

# Groups that may hold a geometry (Tables 7 to 26), Tables 27 to 29.
GEOMETRIES: Final = (
    "sample", "instrument/source", "instrument/shutter*", "instrument/attenuator*", "instrument/monochromator",
    "instrument/interferometer", _DETECTOR, f"{_DETECTOR}/objective*", f"{_DETECTOR}/scintillator*",
)  # fmt: skip
# Table 23, vectors of a detector: name → unit.
VECTORS: Final = {"basis_vectors": "m", "corner_position": "m"}
_MOST_IN_VECTOR: Final = 16


def instances(
    source: Source, start: h5py.Group, path: str
) -> Iterator[tuple[tuple[tuple[str, int], ...], str]]:
    """Spell out the numbered groups of a path.

    Yields: for each starred group that is not the first of its name: the name and its number. Yields: the
    path with the groups as the file calls them; the last part may be absent.
    """
    parts = path.split("/")
    place = next((i for i, part in enumerate(parts) if part.endswith("*")), None)
    if place is None:
        yield (), path
        return
    above = source.find("/".join(parts[:place]), start) if place else start
    if not isinstance(above, h5py.Group):
        return
    word = parts[place][:-1]
    for order, name in enumerate(source.numbered(above, word)):
        below = "/".join([*parts[:place], name, *parts[place + 1 :]])
        own = ((word, int(name.removeprefix(word).strip("_") or 1)),) if order else ()
        for more, whole in instances(source, start, below):
            yield own + more, whole


def named(name: str, numbers: tuple[tuple[str, int], ...]) -> str:
    """Put the numbers of groups into a name.

    `numbers`: what `instances` yields: (("detector", 2),).
    """
    for word, number in numbers:
        name = name.replace(word, f"{word}_{number}", 1) if word in name else f"{word}_{number}_{name}"
    return name


def read_fields(source: Source, measurement: h5py.Group | None) -> dict[str, Value[Any]]:
    """Read every member of a measurement that has a meaning.

    `measurement`: /measurement, or one of several; None where there is none. Result: name → value, in the
    unit the name ends with.
    """
    fields: dict[str, Value[Any]] = {}
    if measurement is None:
        return fields
    for field in FIELDS:
        for path in field.paths:
            for numbers, place in instances(source, measurement, path):
                name = named(field.name, numbers)
                value = None if name in fields else _read(source, measurement, place, field)
                if value is not None:
                    fields[name] = value
    for group in GEOMETRIES:
        fields |= _geometry(source, measurement, group)
    for name, unit in VECTORS.items():
        for numbers, place in instances(source, measurement, f"{_DETECTOR}/{name}"):
            vector = _vector(source, measurement, place, unit)
            if vector is not None:
                fields[named(f"detector_{name}_{unit}", numbers)] = vector
    return fields


def _read(source: Source, start: h5py.Group, place: str, field: Field) -> Value[Any] | None:
    if field.unit is None:
        text = source.text(place, start)
        if text is not None:
            return Value(text, "read", f"{source.path.name}:{start.name}/{place}")
        node = source.find(place, start)
        is_number = isinstance(node, h5py.Dataset) and node.dtype.kind in "iuf"
        return source.quantity(place, "", "", start) if is_number else None
    if field.unit == "K":
        return temperature_k(source, start, place)
    if field.name.startswith("interferometer_grid"):
        # The guide has these as lengths and calls them angles: the unit decides which of two fields it is.
        node = source.find(place, start)
        unit_text = "" if node is None else source.attribute(node, "units") or ""
        if (SPELLINGS.get(unit_text, ("m", 1.0))[0] == "deg") != (field.unit == "deg"):
            return None
    if field.unit == "":
        return _plain_number(source, start, place)
    value = source.quantity(place, field.unit, field.default or field.unit, start)
    if value is not None and field.name.endswith("thickness_m") and value.value >= THICKEST_M:
        source.warnings.append(f"{value.source} was left out: {value.value:g} m is no thickness of it")
        return None
    return value


def _plain_number(source: Source, start: h5py.Group, place: str) -> Value[float] | None:
    """Read a number that has no unit: whatever a file writes for one ("None", "pixel") is of no consequence."""
    node = source.find(place, start)
    if not isinstance(node, h5py.Dataset) or node.size != 1:
        return None
    try:
        text = source.text(place, start)
        # Objectives are called "5x" where a beamline picks them by name.
        spelt = (text or "").rstrip("xX× ")
        number = float(np.ravel(node[()])[0]) if node.dtype.kind in "iufb" else float(spelt)
    except ValueError:
        source.warnings.append(f"{source.path.name}:{node.name} was left out: {text!r} is no number")
        return None
    if not math.isfinite(number):
        return None
    whole = int(number) if number.is_integer() else number
    return Value(whole, "read", f"{source.path.name}:{node.name}")


def temperature_k(source: Source, start: h5py.Group, place: str) -> Value[float] | None:
    """Read a temperature in any of its spellings.

    Result: kelvin; None where there is none or its unit is of something else.
    """
    node = source.find(place, start)
    if not isinstance(node, h5py.Dataset) or node.size != 1 or node.dtype.kind not in "iuf":
        return None
    number, where = float(np.ravel(node[()])[0]), f"{source.path.name}:{node.name}"
    unit = (source.attribute(node, "units") or "").strip()
    if not math.isfinite(number):
        return None
    if unit.lower() in CELSIUS:
        return Value(number + ZERO_CELSIUS_K, "read", where)
    if unit.lower() in KELVIN:
        return Value(number, "read", where)
    if unit.lower() not in NO_UNIT:
        source.warnings.append(f"{where} was left out: the unit {unit!r} is none of a temperature")
        return None
    if number < COLDEST_KELVIN:
        return Value(number + ZERO_CELSIUS_K, "derived", f"{where}, in °C by its size")
    return Value(number, "read", where)


def _geometry(source: Source, measurement: h5py.Group, group: str) -> dict[str, Value[Any]]:
    """Read Tables 28 and 29: where a thing lies, x, y, z in m, and how it is turned, two unit vectors."""
    geometry: dict[str, Value[Any]] = {}
    word = group.rsplit("/", 1)[-1].rstrip("*")
    for numbers, place in instances(source, measurement, f"{group}/geometry/translation/distances"):
        value = _vector(source, measurement, place, "m")
        node = source.find(place, measurement)
        if value is None or len(value.value) != 3 or node is None:
            continue
        axis_order = (source.attribute(node, "axes") or "x:y:z").replace(" ", "").split(":")
        if sorted(axis_order) == ["x", "y", "z"] and axis_order != ["x", "y", "z"]:
            ordered = [value.value[axis_order.index(axis)] for axis in "xyz"]
            value = Value(ordered, value.origin, value.source)
        geometry[named(f"{word}_translation_m", numbers)] = value
    for numbers, place in instances(source, measurement, f"{group}/geometry/orientation/value"):
        value = _vector(source, measurement, place, "")
        if value is not None and len(value.value) == 6:
            geometry[named(f"{word}_orientation", numbers)] = value
    return geometry


def _vector(source: Source, start: h5py.Group, place: str, unit: str) -> Value[list[float]] | None:
    node = source.find(place, start)
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "iuf":
        return None
    if not node.size or node.size > _MOST_IN_VECTOR:
        return None
    numbers = [float(number) for number in np.ravel(node[()])]
    unit_text = source.attribute(node, "units") or ""
    where = f"{source.path.name}:{node.name}"
    if unit and unit_text.lower() not in NO_UNIT and unit_text != unit:
        from tomarium import units

        try:
            size = units.factor(unit_text, unit)
        except UnitError as problem:
            source.warnings.append(f"{where} was left out: {problem}")
            return None
        numbers = [float(f"{number * size:.15g}") for number in numbers]
    return Value(numbers, "read", where)
