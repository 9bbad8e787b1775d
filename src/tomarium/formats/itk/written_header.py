"""Write a volume behind a text header, or beside it; what NRRD and MetaImage have in common."""

from __future__ import annotations

from collections.abc import Callable, Container
from decimal import Decimal
from pathlib import Path

import numpy as np

from tomarium.errors import FormatError, InputError
from tomarium.formats.resumable.array_file import write_voxels
from tomarium.formats.resumable.full_disk import write_text
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.resumable.value_range import ValueRange
from tomarium.model import Image, Scan, Volume


def in_millimetres(length_m: float) -> str:
    """Write a length in mm without losing a digit."""
    return f"{Decimal(repr(float(length_m))).scaleb(3):f}"


def write_with_header(
    path: Path,
    volume: Image | Scan,
    form: str,
    detached: str,
    types: Container[str],
    header: Callable[[Volume, str], str],
    *,
    resume: bool,
    on_progress: OnProgress | None,
) -> None:
    """Write the voxels of a volume, little-endian, and a header that tells of them.

    `detached`: ending of a header that stands alone. `types`: codes of the types that the format has. `header`: makes
    the text, of the volume and the name of the file with its voxels, "" where they follow.
    """
    if not isinstance(volume, Volume):
        raise InputError(
            f"{path}: {form} takes a volume; reconstruct a scan first, write an image as OME-Zarr or TIFF"
        )
    kind = np.dtype(volume.dtype)
    if kind.newbyteorder("=").str[1:] not in types:
        raise InputError(
            f"{path}: {form} has no voxels of {kind.name}; convert them to float32 or an integer first"
        )
    if any(axis.scale < 0 for axis in volume.axes):
        raise InputError(
            f"{path}: an axis runs backwards, which {form} is not written with; turn the volume round first"
        )
    if path.suffix.lower() != detached:
        head = header(volume, "").encode()
        write_voxels(
            path,
            volume,
            kind,
            form,
            lambda values: head,
            head=lambda: head,
            resume=resume,
            on_progress=on_progress,
        )
        return
    if path.exists():
        raise FormatError(f"{path}: exists already; remove it or choose another path")
    data = path.with_suffix(".raw")

    def ending(values: ValueRange) -> bytes:
        write_text(path, header(volume, data.name))
        return b""

    write_voxels(data, volume, kind, form, ending, resume=resume, on_progress=on_progress)
