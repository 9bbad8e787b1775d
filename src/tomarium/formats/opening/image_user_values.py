"""What a user tells of an image: its scale, or that it is a scan whose angles are these."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.errors import FormatError, ParameterError
from tomarium.formats.frames.per_frame import PerFrame
from tomarium.formats.opening.pixel_aspect import aspect_of
from tomarium.formats.opening.stored_axes import reordered, stored_axes
from tomarium.model import Axis, FrameKind, Frames, Geometry, Image, Scan, Value
from tomarium.model.image import Sliceable

# Axes that a pixel size measures, as files name them.
SPATIAL: Final = frozenset({"x", "y", "z", "row", "column", "height", "width", "depth"})
# Where values of an image's metadata come from: name → {"origin": …, "source": …}.
SOURCES: Final = "sources"
NO_UNIT: Final = "no unit of length is written"
"""How a warning of an image begins that a pixel size answers."""
_SAID: Final = "given when the image was opened"


@dataclass(frozen=True, eq=False)
class ImageFrames(PerFrame):
    """The frames of an image of three axes, (frame, row, column), or the one row of a sinogram."""

    data: Sliceable  # shape (frame, row, column), or (angle, column) of a sinogram: frames of one row
    turned: bool = False  # whether a sinogram is stored as (column, angle)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        lengths = [int(length) for length in self.data.shape]
        if self.turned:
            lengths.reverse()
        return lengths[0], lengths[1] if len(lengths) == 3 else 1, lengths[-1]

    @property
    def dtype(self) -> DTypeLike:
        """Type of a pixel."""
        return self.data.dtype

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        if self.turned and len(wanted):
            part = np.asarray(self.data[:, int(wanted.min()) : int(wanted.max()) + 1])
            result[...] = part[:, wanted - int(wanted.min())].T[:, None][:, rows]
            return
        if len(self.data.shape) == 3 and len(wanted) and bool((np.diff(wanted) == 1).all()):
            result[...] = self.data[int(wanted[0]) : int(wanted[-1]) + 1, rows]
            return
        for out, frame in enumerate(wanted):
            part = self.data[int(frame)]
            result[out] = part[rows] if len(self.data.shape) == 3 else part[None][rows]


def with_user_scale(image: Image, pixel_m: float) -> Image:
    """Put the user's pixel size in place of the image's.

    `pixel_m`: distance of two neighbours along each axis of length, m. Result: the image; its metadata say in
    `calibration` that the scale is the user's, and what it was before.
    """
    if not math.isfinite(pixel_m) or pixel_m <= 0:
        raise ParameterError(f"pixel_m={pixel_m:g} was given; it must be a finite number above 0")
    measured = [_is_length(axis) for axis in image.axes]
    if not any(measured):
        axes_text = ", ".join(f"{axis.name} in {axis.unit or 'no unit'}" for axis in image.axes)
        raise ParameterError(
            f"{image.path}: pixel_m was given, but none of its axes is a length ({axes_text}); leave it out"
        )
    axes = tuple(
        replace(
            axis,
            # A negative step says that the axis runs backwards, which a new size does not change.
            scale=math.copysign(pixel_m, axis.scale or 1.0),
            offset=axis.offset * pixel_m / abs(axis.scale or 1.0),
            unit="m",
        )
        if is_length
        else axis
        for axis, is_length in zip(image.axes, measured, strict=True)
    )
    before = {
        axis.name: [axis.scale, axis.unit]
        for axis, is_length in zip(image.axes, measured, strict=True)
        if is_length
    }
    metadata = {key: value for key, value in image.metadata.items() if key != "uncalibrated"}
    if warnings := [text for text in metadata.pop("warnings", ()) if not str(text).startswith(NO_UNIT)]:
        metadata["warnings"] = warnings
    metadata["calibration"] = {"pixel_m": pixel_m, "origin": "user", "source": _SAID, "before": before}
    return replace(image, axes=axes, metadata=metadata)


def _is_length(axis: Axis) -> bool:
    # Coordinates that are listed one by one, such as wavelengths, are no pixels.
    return not axis.coordinates and (axis.unit == "m" or (axis.unit == "px" and axis.name.lower() in SPATIAL))


def settled(image: Image, values: Mapping[str, Any]) -> Image:
    """Give an image the scale its user tells, and refuse what only a scan has.

    `values`: name of a field of a scan's geometry, or "domain" → what the user gave. An image takes `pixel_m`
    alone.
    """
    useless = [name for name, value in values.items() if value is not None and name != "pixel_m"]
    if useless:
        raise ParameterError(
            f"{image.path}: {', '.join(useless)} was given, but this is an image, not a scan; leave it out, or "
            f"give angles_deg too where it holds projections"
        )
    pixel = values.get("pixel_m")
    return image if pixel is None else with_user_scale(image, pixel.value)


def scan_of(path: Path, image: Image, angles: Value[NDArray[np.float64]], axes: str | None = None) -> Scan:
    """Take an image for projections, since its user gave their angles.

    `image`: axes (angle, row, column), or (angle, column) for one sinogram; (column, angle) where there are
    as many angles as the second axis is long and not the first. `axes`: names of the stored axes, where the
    user tells them, such as "row,angle,column". Result: without references, since an image says nothing of
    them.
    """
    if image.ndim not in (2, 3) or image.dtype.kind not in "iuf":
        raise FormatError(
            f"{path}: angles were given, but an array of shape {image.shape} and type {image.dtype} is no stack "
            f"of projections; those have the axes (angle, row, column), or (angle, column) for one sinogram"
        )
    frames: Frames = ImageFrames(image.data)
    stored = stored_axes(
        image.shape,
        len(angles.value),
        axes,
        str(path),
        values=lambda: frames.read(slice(None), slice(None))[:, 0],
    )
    if image.ndim == 2:
        projections: Frames = ImageFrames(image.data, turned=stored.axes[0] == "column")
    else:
        projections = reordered(frames, stored)
    column = image.axes[stored.axes.index("column")]
    row = image.axes[stored.axes.index("row")] if "row" in stored.axes else None
    warnings = [
        "its file does not call it a scan: it was taken for projections since angles were given",
        "no flat and dark fields are known of it: where its values are no counts, say --domain transmission or "
        "--domain attenuation",
        *stored.warnings,
    ]
    return Scan(
        path=path,
        name=image.name,
        format="image",
        dialect="projections" if image.ndim == 3 else "sinogram",
        why=f"an image of the axes ({', '.join(axis.name for axis in image.axes)}), taken as "
        f"({', '.join(stored.axes)}) since its angles are known",
        projections=projections,
        geometry=Geometry(
            angles_deg=angles,
            pixel_m=_pixel(column, path),
            pixel_aspect=None if row is None else aspect_of(_pixel(column, path), _pixel(row, path)),
            energy_kev=_value_in_metadata(image, "energy_kev"),
            distance_m=_value_in_metadata(image, "distance_m"),
        ),
        counts={FrameKind.PROJECTION: projections.shape[0]},
        metadata={
            f"/{key.lstrip('/')}": Value(value, "read", str(path)) for key, value in image.metadata.items()
        },
        repaired=stored.repaired,
        warnings=tuple(warnings),
    )


def _value_in_metadata(image: Image, name: str) -> Value[float] | None:
    """Return what the file of an image tells of how it was taken, with its place."""
    source = dict(image.metadata.get(SOURCES) or {}).get(name)
    return None if source is None else Value(float(image.metadata[name]), source["origin"], source["source"])


def _pixel(column: Axis, path: Path) -> Value[float] | None:
    if column.unit != "m" or not column.scale:
        return None
    return Value(abs(column.scale), "read", f"{path}: axis {column.name}")
