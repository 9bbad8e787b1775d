"""Write a volume as NRRD: `.nrrd` with its header in front, `.nhdr` with a `.raw` beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from tomarium import __version__
from tomarium.formats.itk.written_header import in_millimetres, write_with_header
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Volume

IS_LABELS: Final = "tomarium labels"
"""Key of a header that tomarium wrote: whether its values are labels, numbers of objects."""

_TYPES: Final = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32", "i8": "int64",
    "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip


def write(path: Path, volume: Volume, *, resume: bool = False, on_progress: OnProgress | None = None) -> None:
    """Write a volume as NRRD, little-endian and not packed, in its own type.

    `path`: a name that ends in `.nhdr` becomes a header with `<name>.raw` beside it; any other holds both. Lengths are
    written in mm, with their unit. Raises InputError: it is no volume, of float16, or has an axis that runs backwards.
    """
    write_with_header(path, volume, "nrrd", ".nhdr", _TYPES, _header, resume=resume, on_progress=on_progress)


def _header(volume: Volume, data: str) -> str:
    """Write a header; `data`: name of the file with the voxels, "" where they follow."""
    dtype = _TYPES[np.dtype(volume.dtype).str[1:]]
    lines = [
        "NRRD0005",
        f"# written by tomarium {__version__}",
        f"type: {dtype}",
        "dimension: 3",
        f"sizes: {' '.join(str(length) for length in reversed(volume.shape))}",
        "encoding: raw",
        "endian: little",
        "kinds: domain domain domain",
    ]
    voxel, start = volume.voxel_m, [axis.offset for axis in reversed(volume.axes)]
    if voxel is not None:
        steps = [in_millimetres(length) for length in reversed(voxel)]
        vectors = [f"({steps[0]},0,0)", f"(0,{steps[1]},0)", f"(0,0,{steps[2]})"]
        lines += [
            "space dimension: 3",
            'space units: "mm" "mm" "mm"',
            f"space directions: {' '.join(vectors)}",
            f"space origin: ({','.join(map(in_millimetres, start))})",
        ]
    if volume.unit and volume.unit.isprintable():
        lines.append(f'sample units: "{volume.unit}"')
    if data:
        lines.append(f"data file: {data}")
    if volume.holds_labels:
        lines.append(f"{IS_LABELS}:=true")
    return "\n".join(lines) + "\n\n"
