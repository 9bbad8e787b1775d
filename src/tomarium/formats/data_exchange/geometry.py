"""Pixel, energy and distance of a Data Exchange file, from the first field that has them."""

from __future__ import annotations

from typing import Any, Final

import h5py

from tomarium.formats.hdf5.dialect import positive
from tomarium.formats.hdf5.source import Source
from tomarium.model import Value

ENERGY: Final = ("instrument/monochromator/energy", "instrument/source/energy")
# Table 12 calls source/energy the photon energy and its listing stores 7 GeV: above this it is the ring's.
HIGHEST_PHOTON_KEV: Final = 1000.0
# Pixel size at the sample, then of the detector's own pixels, which a magnification divides.
PIXEL: Final = (
    "instrument/detection_system/objective*/resolution",
    "instrument/detector*/actual_pixel_size_x",
    "instrument/detector*/actual_pixel_size",
)


DETECTOR_PIXEL: Final = (
    "instrument/detector*/x_pixel_size",
    "instrument/detector*/pixel_size_x",
    "instrument/detector*/pixel_size",
)


# Table 25, of the first objective.
MAGNIFICATION: Final = "objective_magnification"
DISTANCE: Final = (
    "instrument/sample_motor_stack/detector_distance",
    "instrument/sample_motor_stack/setup/detector_distance",
    "instrument/sample/detector_distance",
    "instrument/sample/setup/detector_distance",
    "instrument/camera/setup/camera_distance",
)


# Table 28, of the detector: x, y and z, the way of the beam.
TRANSLATION: Final = "detector_translation_m"


def first_measured(
    source: Source, start: h5py.Group | None, paths: tuple[str, ...], unit: str, default: str | None
) -> Value[float] | None:
    """Return the first of some quantities that is there, in `unit`; without a unit of its own it is in `default`."""
    if start is None:
        return None
    return next((value for path in paths if (value := source.quantity(path, unit, default, start))), None)


def pixel_of(
    source: Source, measurement: h5py.Group | None, metadata: dict[str, Value[Any]]
) -> Value[float] | None:
    """Return the pixel at the sample in m, or the detector's divided by the magnification."""
    pixel = first_measured(source, measurement, PIXEL, "m", "m")
    if pixel is None:
        pixel = first_measured(source, measurement, DETECTOR_PIXEL, "m", "m")
        scale = metadata.get(MAGNIFICATION)
        if pixel is not None and scale is not None and scale.value > 0:
            pixel = Value(
                pixel.value / scale.value,
                "derived",
                f"{pixel.source} divided by the magnification {scale.value:g}",
            )
    return positive(source, pixel, "a pixel size of ")


def energy_of(
    source: Source, measurement: h5py.Group | None, metadata: dict[str, Value[Any]]
) -> Value[float] | None:
    """Return the photon energy in keV; an energy of the ring goes into the metadata."""
    if measurement is None:
        return None
    for path in ENERGY:
        energy = source.quantity(path, "keV", "J", measurement)
        if energy is not None and energy.value > HIGHEST_PHOTON_KEV:
            if "/source/" in path:
                metadata["ring_energy_gev"] = Value(energy.value / 1e6, energy.origin, energy.source)
            else:
                source.warnings.append(
                    f"{energy.source} was left out: {energy.value:g} keV is no photon energy"
                )
        elif (energy := positive(source, energy, "a photon energy of ")) is not None:
            return energy
    return None


def distance_of(
    source: Source, measurement: h5py.Group | None, metadata: dict[str, Value[Any]]
) -> Value[float] | None:
    """Return the distance from sample to detector in m."""
    distance = first_measured(source, measurement, DISTANCE, "m", "m")
    place = metadata.get(TRANSLATION)
    if distance is None and place is not None and place.value[2]:
        distance = Value(place.value[2], place.origin, place.source)
    if distance is not None and not distance.value >= 0:  # NaN is none either
        source.warnings.append(
            f"{distance.source} was left out: a distance of {distance.value:g} m cannot be"
        )
        return None
    return distance
