"""Reconstructed volumes in Data Exchange: an exchange group whose data have the axes z:y:x (guide 3.4 and Fig. 7)."""

from __future__ import annotations

from typing import Any, Final

import h5py
import numpy as np

from tomarium.formats.format import Match
from tomarium.formats.hdf5.array import volume_of
from tomarium.formats.hdf5.attributes import attribute
from tomarium.formats.hdf5.axes import in_si, spaced
from tomarium.formats.hdf5.source import Source
from tomarium.formats.opening.pixel_aspect import aspect_of
from tomarium.model import Axis, Value, Volume

_AXES: Final = ("z", "y", "x")


def is_volume(names: list[str]) -> bool:
    """Tell whether a dataset's axes are those of a volume.

    Result: true where they are z, y and x, in any order.
    """
    return sorted(names) == sorted(_AXES)


def read_volume(
    source: Source,
    match: Match,
    data: h5py.Dataset,
    names: list[str],
    pixel_m: Value[float] | None,
    metadata: dict[str, Value[Any]],
) -> Volume:
    """Make a volume of an exchange group.

    `match`: what `detect` said of it. `pixel_m`: the projections' pixel size, m. Result: axes by the
    positions in the group where they have a unit of length, else by the pixel size of the projections, else
    in px.
    """
    order = (names.index("z"), names.index("y"), names.index("x"))
    voxels = volume_of(source, data, order)
    found_axes = [
        _axis(source, match.entry, name, length) for name, length in zip(_AXES, voxels.shape, strict=True)
    ]
    details: dict[str, Any] = {name: value.value for name, value in metadata.items()}
    details |= {"format": match.dialect, "why": match.why, "entry": match.entry}
    if not all(found_axes) and pixel_m is not None:
        aspect = aspect_of(metadata.get("detector_pixel_x_m"), metadata.get("detector_pixel_y_m"))
        height = pixel_m.value * (1.0 if aspect is None else aspect.value)
        sizes = (height, pixel_m.value, pixel_m.value)
        found_axes = [Axis(name, size, 0.0, "m") for name, size in zip(_AXES, sizes, strict=True)]
        source.warnings.append(
            f"{data.name} says no size of its voxels; the pixel size of the projections was taken"
        )
    axes = tuple(axis or Axis(name) for axis, name in zip(found_axes, _AXES, strict=True))
    if any(axis.unit != "m" for axis in axes):
        details["uncalibrated"] = True
    if source.warnings:
        details["warnings"] = tuple(source.warnings)
    title = source.text(f"/{match.entry}/title")
    return Volume(
        voxels, axes, attribute(data, "units") or "", title or source.path.stem, source.path, details
    )


def _axis(source: Source, entry: str, name: str, length: int) -> Axis | None:
    """Make an axis of the positions beside the data, where they are lengths: the guide's own examples count pixels."""
    place = f"/{entry}/{name}"
    node, positions = source.find(place), source.array(place)
    if not isinstance(node, h5py.Dataset) or positions is None or len(positions) != length:
        return None
    factor, unit = in_si(attribute(node, "units") or attribute(node, "unit") or "")
    axis = spaced(name, np.asarray(positions, np.float64) * factor, unit)
    return axis if unit == "m" and not axis.coordinates else None
