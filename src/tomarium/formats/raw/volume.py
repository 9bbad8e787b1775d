"""Volumes without a header, x fastest: `.raw` with `.raw.info` beside it, or with the sizes in its name."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.memory_mapped import MappedArray
from tomarium.formats.opening.directory_listing import ending_in
from tomarium.formats.raw.info import VolumeInfo, read_volume_info
from tomarium.formats.raw.volume_writer import write
from tomarium.model import Axis, Volume

# sand_200x200x100_uint8.raw: x, y, z and the type.
_NAMED: Final = re.compile(
    r"(?<!\d)(\d{1,6})x(\d{1,6})x(\d{1,6})(?:[_-]?(u?int(?:8|16|32|64)|float(?:32|64)))?(?![\dx])",
    re.IGNORECASE,
)
# What a file without a named type holds, by the bytes of a voxel: what tomodata converts volumes to, and
# what PyHST writes.
_BY_BYTES: Final = {1: "uint8", 2: "uint16", 4: "float32", 8: "float64"}
# Rows looked at for slabs that were never written.
_ROWS_LOOKED_AT: Final = 128


@dataclass(frozen=True)
class _Found:
    """A volume's file and the text beside it."""

    data: Path
    info: Path | None


def detect(path: Path) -> Match | None:
    """Look for a `.raw` with its `.info`, alone or in a folder of its own, or with sizes in its name."""
    return detect_volume(path, ".raw", with_name=True)


def detect_volume(path: Path, suffix: str, *, with_name: bool) -> Match | None:
    """Look for a volume without a header and the text beside it.

    `path`: the volume, its text, or a folder that holds one such volume. `with_name`: whether the sizes may
    stand in the file's name instead. Result: None where there is nothing of the kind; a score of 0 says what
    is lacking.
    """
    files = _find(path, suffix)
    if files is None:
        return None
    if files.info is not None:
        if not files.data.is_file():
            return no_match(f"{files.info.name} is there, but the volume {files.data.name} is not")
        return Match(0.9, files.info.suffix[1:], f"{files.info.name} beside {files.data.name} tells its size")
    if with_name and _NAMED.search(files.data.stem):
        return Match(0.7, "name", f"its name, {files.data.name}, tells its size; no .info lies beside it")
    return no_match(
        f"{files.data.name} has no header and no {files.data.name}.info beside it that tells its size",
    )


def _find(path: Path, suffix: str) -> _Found | None:
    try:
        if path.is_dir():
            files = [file for file in ending_in(path, suffix) if file.is_file()]
            texts = ending_in(path, f"{suffix}.info")
            if len(files) == 1 or (not files and len(texts) == 1):
                return _find((files or texts)[0], suffix)
            return None
        if not path.is_file():
            return None
    except OSError:
        return None
    for ending in (".info", ".xml"):
        if path.name.lower().endswith(f"{suffix}{ending}"):
            return _Found(path.with_name(path.name[: -len(ending)]), path)
    if path.suffix.lower() != suffix:
        return None
    beside = [path.with_name(path.name + ending) for ending in (".info", ".xml")]
    return _Found(path, next((text for text in beside if text.is_file()), None))


def read(path: Path, match: Match) -> Volume:
    """Open a `.raw` volume; it is mapped when it is sliced.

    `path`: the volume, its `.info`, or the folder that holds both. Result: axes in m where a voxel size is
    known, else in px. Raises FormatError: the text is damaged, or the file has not the size it tells.
    """
    return read_volume(path, match, ".raw", "")


def read_volume(path: Path, match: Match, suffix: str, default_dtype: str) -> Volume:
    """Open a volume without a header.

    `path`: the volume, its text, or the folder that holds both. `default_dtype`: type where the text names
    none; "" tells it by the file's size. Result: lazy; `metadata` holds `info`, every key of the text, and
    `notes`, what was assumed.
    """
    files = _find(path, suffix)
    if files is None:
        raise FormatError(f"{path}: holds no {suffix} volume any more; open it again")
    info = read_volume_info(files.info) if files.info else _from_name(files.data)
    _check_other_text(files, info)
    array, notes = _array(files.data, info, default_dtype)
    notes = (*info.notes, *notes, *_zeros(array))
    scale, unit = (1.0, "px") if info.voxel_m is None else (info.voxel_m, "m")
    return Volume(
        data=array,
        axes=tuple(Axis(axis, scale, 0.0, unit) for axis in "zyx"),
        unit=info.unit,
        name=files.data.stem,
        path=path,
        metadata={
            "format": match.dialect,
            "why": match.why,
            "info": dict(info.values),
            "notes": list(notes),
            **({"uncalibrated": True} if info.voxel_m is None else {}),
        },
    )


def _check_other_text(files: _Found, info: VolumeInfo) -> None:
    """Refuse a volume whose `.info` and `.xml` tell of other sizes or orders: one of them is another volume's."""
    other = files.data.with_name(f"{files.data.name}.xml")
    if files.info is None or files.info.suffix.lower() != ".info" or not other.is_file():
        return
    xml = read_volume_info(other)
    # Only what both tell can disagree.
    orders = (
        all("BYTEORDER" in volume_info.values for volume_info in (info, xml))
        and info.byte_order != xml.byte_order
    )
    voxels = None not in (info.voxel_m, xml.voxel_m) and info.voxel_m != xml.voxel_m
    if xml.shape != info.shape or orders or voxels:
        raise FormatError(
            f"{files.data}: {info.source} tells {_extent(info)}, {info.byte_order} and voxels of {info.voxel_m} m, "
            f"{xml.source} {_extent(xml)}, {xml.byte_order} and {xml.voxel_m} m; remove the one that is wrong"
        )


def _from_name(path: Path) -> VolumeInfo:
    match = _NAMED.search(path.stem)
    if match is None:
        raise FormatError(
            f"{path}: no {path.name}.info lies beside it; write one with NUM_X, NUM_Y and NUM_Z"
        )
    x, y, z, dtype = match.groups()
    if min(int(x), int(y), int(z)) < 1:
        raise FormatError(f"{path}: its name tells a length of 0; write its sizes into {path.name}.info")
    notes = (f"sizes{' and type' if dtype else ''} were taken from the name {path.name}: x, y, z, x fastest",)
    return VolumeInfo(path.name, (int(z), int(y), int(x)), "<", (dtype or "").lower(), None, "", {}, notes)


def _array(path: Path, info: VolumeInfo, default_dtype: str) -> tuple[MappedArray, tuple[str, ...]]:
    """Place the array in its file, once the file's size agrees."""
    try:
        size = path.stat().st_size
    except OSError as problem:
        raise FormatError(f"{path}: cannot be read ({problem.strerror}); check the path") from problem
    voxels = math.prod(info.shape)
    dtype = info.dtype or default_dtype
    notes: tuple[str, ...] = ()
    if not dtype:
        bytes_of_voxel, remainder = divmod(size, voxels)
        if remainder or bytes_of_voxel not in _BY_BYTES:
            raise FormatError(
                f"{path}: has {size} bytes, which is no whole type for the {_extent(info)} of {info.source}; "
                f"correct the sizes there, or add DATATYPE = uint16 (or what it is)"
            )
        dtype = _BY_BYTES[bytes_of_voxel]
        notes = (f"no type is given; {bytes_of_voxel} bytes a voxel were read as {dtype}",)
    stored = np.dtype(dtype).newbyteorder(">" if info.byte_order == ">" else "<")
    if size != voxels * stored.itemsize:
        raise FormatError(f"{path}: {_wrong_size(size, info, stored)}")
    return MappedArray(path, 0, info.shape, stored), notes


def _extent(info: VolumeInfo) -> str:
    return " x ".join(map(str, info.shape)) + " voxels (z, y, x)"


def _wrong_size(size: int, info: VolumeInfo, stored: np.dtype[Any]) -> str:
    bytes_of_slice = info.shape[1] * info.shape[2] * stored.itemsize
    whole, remainder = divmod(size, bytes_of_slice)
    expected = (
        f"{info.source} tells {info.shape[0]} slices of {bytes_of_slice} bytes "
        f"({_extent(info)} of {stored.name})"
    )
    if whole >= info.shape[0]:
        slices_text = f"{whole} slices" + (f" and {remainder} bytes" if remainder else "")
        return f"holds {slices_text} in {size} bytes where {expected}; correct NUM_Z or the other sizes"
    return (
        f"holds {whole} whole slices in {size} bytes where {expected}; if it is still being reconstructed wait for "
        f"its end, else copy it again"
    )


def _zeros(array: MappedArray) -> tuple[str, ...]:
    """Say which of some slices, spread over the volume, are zero in their middle row: slabs that failed."""
    count = min(array.shape[0], _ROWS_LOOKED_AT)
    slices = np.unique(np.linspace(0, array.shape[0] - 1, count).round().astype(int))
    row = array.shape[1] // 2
    rows = array.read(slices, slice(row, row + 1)).reshape(len(slices), -1)
    empty = slices[~rows.any(axis=1)]
    if not len(empty):
        return ()
    numbers_text = ", ".join(map(str, empty[:5])) + (" …" if len(empty) > 5 else "")
    return (
        f"{len(empty)} of {len(slices)} slices looked at are zero in their middle row (z = {numbers_text}); slabs of "
        f"the reconstruction may have failed or be missing yet",
    )


FORMAT = Format(
    name="raw-volume",
    title="Raw volume with .info",
    suffixes=(".raw",),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume"}),
    resumes=True,
)
