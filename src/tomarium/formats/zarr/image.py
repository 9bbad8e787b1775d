"""Write an image that is no volume as OME-Zarr: a map, a colour picture, a stack of maps; one level."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

from tomarium.errors import InputError
from tomarium.formats.frames.blocks import copy_blocks
from tomarium.formats.provenance.json_values import as_json
from tomarium.formats.resumable.folder import creating_folder
from tomarium.model import Axis, Image

_SPACE: Final = ("z", "y", "x")
_CHUNK_BYTES: Final = 4 << 20


def write_image(path: Path, image: Image, version: str) -> None:
    """Write an image; the folder appears when it is complete.

    `image`: two to five axes, in the order OME-NGFF demands: time first, then others, then two or three of z,
    y, x.
    """
    axes = [_axis(axis) for axis in image.axes]
    kinds = [axis.get("type", "") for axis in axes]
    ordered = sorted(kinds, key=lambda kind: {"time": 0, "space": 2}.get(kind, 1)) == kinds
    spaces = [axis["name"] for axis in axes if axis.get("type") == "space"]
    uneven = [axis.name for axis in image.axes if axis.coordinates]
    names_text = ", ".join(axis.name for axis in image.axes)
    fits = 2 <= len(axes) <= 5 and spaces in (["y", "x"], ["z", "y", "x"]) and len(axes) <= len(spaces) + 2
    if not fits or not ordered:
        raise InputError(
            f"{path}: OME-Zarr has two to five axes that end in y, x, and this image has {names_text}; write NeXus "
            f"(.nxs), which has any"
        )
    if uneven or any(axis.scale <= 0 for axis in image.axes):
        raise InputError(
            f"{path}: OME-Zarr has evenly spaced, rising axes, and {', '.join(uneven) or names_text} is none; "
            f"write NeXus (.nxs)"
        )
    with creating_folder(path) as folder:
        _fill(folder, image, version)
        multiscale = {
            "name": image.name or path.name,
            "axes": axes,
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [axis.scale for axis in image.axes]},
                        {"type": "translation", "translation": [axis.offset for axis in image.axes]},
                    ],
                }
            ],
        }
        own = {name: as_json(value) for name, value in image.metadata.items()} | {"unit": image.unit}
        if version == "0.4":
            attributes: dict[str, Any] = {"multiscales": [{**multiscale, "version": "0.4"}], "tomarium": own}
            (folder / ".zattrs").write_text(json.dumps(attributes), "utf-8")
            (folder / ".zgroup").write_text('{"zarr_format": 2}', "utf-8")
            return
        attributes = {"ome": {"version": version, "multiscales": [multiscale]}, "tomarium": own}
        group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (folder / "zarr.json").write_text(json.dumps(group), "utf-8")


def _axis(axis: Axis) -> dict[str, str]:
    description = {"name": axis.name}
    if axis.name in _SPACE:
        description["type"] = "space"
    elif axis.name in ("t", "time"):
        description["type"] = "time"
    elif axis.name in ("c", "channel"):
        description["type"] = "channel"
    unit = {"m": "meter", "s": "second"}.get(axis.unit, axis.unit)
    return description | ({"unit": unit} if unit and unit != "px" else {})


def _fill(folder: Path, image: Image, version: str) -> None:
    import zarr

    array = zarr.create_array(
        str(folder / "0"),
        shape=image.shape,
        dtype=image.dtype.newbyteorder("="),
        chunks=_chunks(image.shape, image.dtype.itemsize),
        zarr_format=2 if version == "0.4" else 3,
        dimension_names=None if version == "0.4" else [axis.name for axis in image.axes],
        chunk_key_encoding={"name": "v2", "separator": "/"} if version == "0.4" else None,
    )
    copy_blocks(image, array)


def _chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Halve the longest axis until a chunk is of some MiB."""
    chunks = list(shape)
    while math.prod(chunks) * itemsize > _CHUNK_BYTES:
        longest = chunks.index(max(chunks))
        chunks[longest] = -(-chunks[longest] // 2)
    return tuple(chunks)
