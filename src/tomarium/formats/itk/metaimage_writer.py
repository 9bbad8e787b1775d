"""Write a volume as MetaImage: `.mha` with its header in front, `.mhd` with a `.raw` beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from tomarium.formats.itk.written_header import in_millimetres, write_with_header
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Volume

TYPES: Final = {
    "i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint", "i8": "long_long",
    "u8": "ulong_long", "f4": "float", "f8": "double",
}  # fmt: skip
"""Codes of types → their names, behind MET_."""

UNIT: Final = "unit of the values: "
"""How the comment begins that tells the unit of the values, for which there is no tag."""


def write(path: Path, volume: Volume, *, resume: bool = False, on_progress: OnProgress | None = None) -> None:
    """Write a volume as MetaImage, little-endian and not packed, in its own type.

    `path`: a name that ends in `.mhd` becomes a header with `<name>.raw` beside it; any other holds both. Lengths are
    written in mm, with their unit. Raises InputError: it is no volume, of float16, or has an axis that runs backwards.
    """
    write_with_header(
        path, volume, "metaimage", ".mhd", TYPES, _header, resume=resume, on_progress=on_progress
    )


def _header(volume: Volume, data: str) -> str:
    """Write a header; `data`: name of the file with the voxels, "" where they follow."""
    unit = volume.unit if volume.unit.isprintable() else ""
    comment = f"{UNIT}{unit}{'; labels' if volume.holds_labels else ''}"
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        *([f"Comment = {comment}"] if comment != UNIT else []),
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
    ]
    voxel = volume.voxel_m
    if voxel is not None:
        lines += [
            "TransformMatrix = 1 0 0 0 1 0 0 0 1",
            f"Offset = {' '.join(in_millimetres(axis.offset) for axis in reversed(volume.axes))}",
            f"ElementSpacing = {' '.join(map(in_millimetres, reversed(voxel)))}",
            "DistanceUnits = mm",
        ]
    lines += [
        f"DimSize = {' '.join(str(length) for length in reversed(volume.shape))}",
        f"ElementType = MET_{TYPES[np.dtype(volume.dtype).str[1:]].upper()}",
        f"ElementDataFile = {data or 'LOCAL'}",
    ]
    return "\n".join(lines) + "\n"
