"""Which files of a Zarr volume are lost, and which slices a file holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.zarr.missing_chunks import absent_files
from tomarium.formats.zarr.reader import attributes_of, own_attributes
from tomarium.formats.zarr.writer import count_shards
from tomarium.model import Volume


@dataclass(frozen=True)
class LostFile:
    """A file of chunks that is not there."""

    path: str  # below the volume's folder
    # slices of the finest level that it holds, both included
    first: int
    last: int


def lost_files(volume: Volume) -> tuple[LostFile, ...]:
    """List the files of chunks that a volume lacks and should have.

    A file that is absent reads as zeros, and a writer leaves out what holds zeros only. It counts as lost where the
    volume tells of more files than there are, and the next level does not show zeros there too.

    Result: of all levels; empty where none is lost, or where nothing tells.
    """
    assert volume.path is not None
    counts = _file_counts(volume.path)
    lost: list[LostFile] = []
    for level, level_array in enumerate(volume.levels):
        array, home = getattr(level_array, "array", None), getattr(level_array, "path", None)
        if array is None or home is None:
            continue
        if level < len(counts) and counts[level] == count_shards(home):
            continue
        coarse = volume.levels[level + 1] if level + 1 < len(volume.levels) else None
        for place in absent_files(home, array):
            if coarse is None and level >= len(counts):
                continue
            if coarse is None or _shows(place, array, coarse):
                name = f"{home.relative_to(volume.path).as_posix()}/{array.metadata.encode_chunk_key(place)}"
                lost.append(LostFile(name, *_slices(place[0], array, volume.shape[0])))
    return tuple(lost)


def slices_of_file(volume: Volume, name: str) -> tuple[int, int] | None:
    """Tell which slices of a volume a file of chunks holds.

    `name`: path of the file below the volume's folder, such as "0/c/3/0/0". Result: first and last slice of
    the finest level; None where it is no file of chunks.
    """
    assert volume.path is not None
    for level_array in volume.levels:
        home, array = getattr(level_array, "path", None), getattr(level_array, "array", None)
        if home is None or array is None:
            continue
        level = home.relative_to(volume.path).as_posix()
        numbers = [part for part in name.removeprefix(f"{level}/").split("/") if part != "c"]
        if name.startswith(f"{level}/") and len(numbers) == 3 and all(number.isdigit() for number in numbers):
            return _slices(int(numbers[0]), array, volume.shape[0])
    return None


def height_of_files(volume: Volume) -> int:
    """Return how many slices of the finest level one file of chunks holds; 1 where that is not known."""
    array = getattr(volume.data, "array", None)
    files = None if array is None else (getattr(array, "shards", None) or getattr(array, "chunks", None))
    return int(files[0]) if files else 1


def _file_counts(path: Path) -> list[int]:
    """Read how many files of each level the volume tells of."""
    try:
        counts = own_attributes(attributes_of(path) or {}).get("shards")
    except FormatError:
        return []
    return [int(count) for count in counts] if isinstance(counts, list) else []


def _shows(place: tuple[int, ...], array: Any, coarse: Any) -> bool:
    """Tell whether the next level holds something where a file should lie; true too where it cannot be read."""
    files = array.shards or array.chunks
    key = tuple(
        slice(math.floor(n * size * short / length), math.ceil(min((n + 1) * size, length) * short / length))
        for n, size, length, short in zip(place, files, array.shape, coarse.shape, strict=True)
    )
    try:
        return bool(np.any(coarse[key]))
    except Exception:  # it is damaged as well, so nothing says that zeros were left out
        return True


def _slices(number: int, array: Any, depth: int) -> tuple[int, int]:
    height = (array.shards or array.chunks)[0] * max(1, round(depth / array.shape[0]))
    return number * height, min((number + 1) * height, depth) - 1
