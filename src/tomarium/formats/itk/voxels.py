"""What a text header says of the voxels: where they lie, how they are packed, how the axes lie in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import units
from tomarium.errors import FormatError, TomariumError
from tomarium.formats.frames.memory_mapped import MappedArray
from tomarium.formats.opening.image_user_values import NO_UNIT
from tomarium.formats.opening.trusted_folders import trusted
from tomarium.formats.opening.unpacked import Packing
from tomarium.model import Axis, Image, Volume

LONGEST_HEADER: Final = 4 << 20
MOST_AXES: Final = 8
LEAST_M: Final = 1e-15
MOST_M: Final = 1e6
"""No voxel is shorter or longer; what a header tells beyond is taken for no length."""
NEGLIGIBLE: Final = 1e-6
"""Share of its length by which a direction may leave its axis, as numbers are rounded in a text."""


@dataclass(frozen=True)
class Voxels:
    """Where the voxels of a header lie.

    Attributes
    ----------
    file : Path
        The file that holds them.
    offset : int
        Byte where they, or what they are packed into, begin; -1 where they end the file.
    shape : tuple of int
        Length of each axis, the slowest first.
    stored : numpy.dtype
        Type of a voxel with the file's byte order.
    packing : str
        "", "gzip", "bzip2" or "zlib".
    """

    file: Path
    offset: int
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    packing: str = ""


@dataclass(frozen=True)
class Direction:
    """How an axis lies in space.

    Attributes
    ----------
    vector : tuple of Decimal
        From a voxel to the next one; empty where the axis does not lie in space.
    unit : str
        Unit of its numbers, as it is written; "" where none is.
    """

    vector: tuple[Decimal, ...]
    unit: str


def size_of_voxels(voxels: Voxels) -> int:
    """Return the bytes of all voxels, unpacked."""
    return math.prod(voxels.shape) * voxels.stored.itemsize


def array_of(header: Path, voxels: Voxels) -> MappedArray:
    """Place the voxels in their file, once its size agrees.

    Packed voxels are unpacked when they are read first; how many there are is known then.
    """
    needed = size_of_voxels(voxels)
    try:
        size = voxels.file.stat().st_size
    except OSError as problem:
        raise FormatError(
            f"{header}: its voxels lie in {voxels.file.name}, which cannot be read ({problem.strerror}); put that file "
            f"beside it"
        ) from problem
    told = f"{' x '.join(map(str, voxels.shape))} voxels of {voxels.stored.name}"
    if voxels.packing:
        if size <= voxels.offset:
            raise FormatError(
                f"{header}: is truncated: {voxels.file.name} holds none of its {told}; copy it again"
            )
        packing = Packing(voxels.packing, max(0, voxels.offset), needed)
        return MappedArray(voxels.file, 0, voxels.shape, voxels.stored, packing)
    offset = size - needed if voxels.offset < 0 else voxels.offset
    if offset < 0 or size < offset + needed:
        raise FormatError(
            f"{header}: is truncated: {told} need {needed} bytes, and {voxels.file.name} has "
            f"{max(0, size - max(0, offset))} for them; copy it again"
        )
    return MappedArray(voxels.file, offset, voxels.shape, voxels.stored)


def file_beside(header: Path, name: str) -> Path:
    """Return the file that a header names, where it lies in the header's own folder.

    A header from elsewhere must not make its reader open other people's files.
    """
    file = header.parent / name
    plain = name not in ("", ".", "..") and Path(name).name == name and "\0" not in name
    try:
        home = file.resolve().parent
        allowed = plain and (
            home == header.parent.resolve() or any(home.is_relative_to(f) for f in trusted())
        )
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, a link to itself
        allowed = False
    if not allowed:
        raise FormatError(
            f"{header}: its voxels lie in {name[:80]!r}, outside of its own folder, which is not read; put the file "
            f"beside it and write its name alone"
        )
    return file


def decimals(path: Path, key: str, words: Sequence[str]) -> tuple[Decimal, ...]:
    """Read numbers of a header, exactly as they are written."""
    try:
        return tuple(Decimal(word) for word in words)
    except InvalidOperation as problem:
        raise FormatError(
            f"{path}: {key} is {' '.join(words)[:60]!r}; numbers were expected, so correct it or copy it again"
        ) from problem


def lengths(path: Path, key: str, words: Sequence[str]) -> tuple[int, ...]:
    """Read the lengths of the axes as a header has them, the fastest first."""
    if not 1 <= len(words) <= MOST_AXES or not all(word.isascii() and word.isdigit() for word in words):
        raise FormatError(
            f"{path}: {key} is {' '.join(words)[:60]!r}; 1 to {MOST_AXES} lengths were expected, so copy it again"
        )
    sizes = tuple(int(word) for word in words)
    if not 0 < min(sizes) <= max(sizes) < 1 << 40:
        raise FormatError(f"{path}: {key} is {' '.join(words)[:60]!r}, which no axis can have; copy it again")
    return sizes


def image_of(
    path: Path,
    data: MappedArray,
    names: Sequence[str],
    directions: Sequence[Direction],
    origin: Sequence[Decimal],
    assumed_unit: str,
    metadata: dict[str, Any],
) -> Image:
    """Make an image, a volume where it has the axes z, y and x, of voxels and their directions.

    `names`: of the axes, the fastest first. `directions`: one for each axis, in the same order. `origin`: of the first
    voxel, one number for each dimension of space, in the unit of the directions; empty where it is not known.
    `assumed_unit`: taken where none is written, and told; "" takes none. Result: axes in m where their unit is known or
    assumed; origins where the axes lie along those of space.
    """
    warnings: list[str] = []
    spatial = [direction for direction in directions if direction.vector]
    known = bool(spatial) and all(_length(direction.vector) for direction in spatial)
    along = known and _lie_along(spatial)
    axes: list[Axis] = []
    place = 0
    for name, direction in zip(names, directions, strict=True):
        if not direction.vector:
            axes.append(Axis(name, unit=""))
            continue
        start = origin[place] if along and place < len(origin) else Decimal(0)
        axes.append(_axis(name, direction, start, assumed_unit))
        place += 1
    calibrated = [
        axis.unit == "m" for axis, direction in zip(axes, directions, strict=True) if direction.vector
    ]
    if not calibrated or not all(calibrated):
        axes = [Axis(axis.name, unit="px") if axis.unit == "m" else axis for axis in axes]
        metadata["uncalibrated"] = True
        if known and any(_length(direction.vector) != 1 for direction in spatial):
            apart = " x ".join(f"{_length(direction.vector):.6g}" for direction in spatial)
            warnings.append(f"{NO_UNIT}, and voxels are {apart} apart (x first); give the size with --pixel")
    elif assumed_unit and not any(direction.unit for direction in spatial):
        ones = all(_length(direction.vector) == 1 for direction in spatial)
        doubt = f", and 1 {assumed_unit} is what ITK writes where it knows none" if ones else ""
        warnings.append(
            f"{NO_UNIT}; {assumed_unit} was assumed, as ITK and 3D Slicer do{doubt}: check the voxel size, or give it "
            f"with --pixel"
        )
    if known and not along:
        warnings.append(_turned(spatial))
    if warnings:
        metadata["warnings"] = warnings
    unit = str(metadata.pop("unit", ""))
    kind = Volume if list(names) == ["x", "y", "z"] else Image
    return kind(data, tuple(reversed(axes)), unit, path.stem, path, metadata)


def _axis(name: str, direction: Direction, start: Decimal, assumed_unit: str) -> Axis:
    factor = _metres(direction.unit or assumed_unit)
    length_m = 0.0 if factor is None else float(_length(direction.vector) * factor)
    if factor is None or not LEAST_M <= length_m <= MOST_M:
        return Axis(name, unit="px")
    start_m = float(start * factor) if start.is_finite() and abs(start) < 1 << 60 else 0.0
    return Axis(name, length_m, start_m, "m")


def _metres(unit: str) -> Decimal | None:
    """Return the metres of a unit of length; None where it is none."""
    if not unit.strip():
        return None
    try:
        return Decimal(repr(units.factor(unit.strip(), "m")))
    except TomariumError:
        return None


def _length(vector: Sequence[Decimal]) -> Decimal:
    """Return the length of a vector, exactly where it lies along an axis."""
    if not all(part.is_finite() and abs(part) < 1 << 60 for part in vector):
        return Decimal(0)
    parts = [abs(part) for part in vector if part]
    if len(parts) <= 1:
        return parts[0] if parts else Decimal(0)
    return Decimal(repr(math.hypot(*map(float, parts))))


def _lie_along(directions: Sequence[Direction]) -> bool:
    """Tell whether axis i runs along dimension i of space, forwards."""
    for place, direction in enumerate(directions):
        length = _length(direction.vector)
        if not length or len(direction.vector) <= place:
            return False
        if abs(direction.vector[place] - length) > length * Decimal(NEGLIGIBLE):
            return False
    return True


def _turned(directions: Sequence[Direction]) -> str:
    matrix = np.array([[float(part) for part in direction.vector] for direction in directions])
    square = matrix.shape[0] == matrix.shape[1] and np.isfinite(matrix).all()
    mirrored = square and np.linalg.det(matrix) < 0
    told = "; ".join(
        f"{name} = ({', '.join(f'{part:.6g}' for part in row)})"
        for name, row in zip("xyz", matrix, strict=False)
    )
    return (
        f"its axes do not run along those of its space ({told}): voxels are shown as they are stored, and no origin is "
        f"told" + ("; in its space they are mirrored, so left and right change places" if mirrored else "")
    )
