"""Chunks of a Zarr array that are not there: Zarr reads them as the fill value, whether left out or lost.

A writer may leave out chunks that hold nothing but the fill value (zarr-python does so by default), and a copy that
was cut off leaves out any. The next coarser level tells the two apart where it still shows something.
Source: Zarr core specification v3, "Chunk grids" (absent chunks have the fill value); OME-NGFF 0.4 and 0.5,
"multiscales".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError

# Places that are looked up in the next level, evenly among the absent ones: each costs a chunk or a few.
_ASKED: Final = 64
# Listing a folder takes some microseconds a file.
_MOST_LISTED: Final = 1 << 20
# Filters of pyramids reach a little over a chunk's border.
_MARGIN: Final = 1


def check_absent(path: Path, levels: Sequence[Any]) -> tuple[str, ...]:
    """Look for chunks that are not there, finest level first.

    `path`: folder of the image, whose levels lie below it. `levels`: its levels; each halves the one before
    or so. Result: what is absent, in words, a sentence for each level; empty where all chunks are there.
    """
    notes = []
    for level, level_array in enumerate(levels):
        array = level_array.array
        files = array.shards or array.chunks
        count = math.prod(-(-length // size) for length, size in zip(array.shape, files, strict=True))
        if count > _MOST_LISTED:
            notes.append(f"level {level} has {count} files, too many to look whether all are there")
            continue
        absent = list(absent_files(level_array.path, array))
        if not absent:
            continue
        file_name = array.metadata.encode_chunk_key(absent[0])
        where = f"{len(absent)} of the {count} files of level {level} ({file_name}{' …' if len(absent) > 1 else ''})"
        lost = _lost_chunk(absent, files, array, levels[level + 1]) if level + 1 < len(levels) else None
        if lost is not None:
            raise FormatError(
                f"{path}: {where} are absent, and level {level + 1} shows something where "
                f"{array.metadata.encode_chunk_key(lost)} should lie; copy it again from its origin"
            )
        notes.append(
            f"{where} are absent and read as {_fill(array)}: they were left out as empty, or are lost"
        )
    return tuple(notes)


def _fill(array: Any) -> Any:
    return 0 if array.fill_value is None else array.fill_value


def absent_files(home: Path, array: Any) -> Iterator[tuple[int, ...]]:
    """List the places without a file, in C order."""
    names_present = {file.relative_to(home).as_posix() for file in home.rglob("*") if file.is_file()}
    counts = (
        -(-length // size) for length, size in zip(array.shape, array.shards or array.chunks, strict=True)
    )
    for place in itertools.product(*map(range, counts)):
        if array.metadata.encode_chunk_key(place) not in names_present:
            yield place


def _lost_chunk(
    absent: list[tuple[int, ...]], files: tuple[int, ...], array: Any, coarse: Any
) -> tuple[int, ...] | None:
    """Return the first of some absent places where the next level holds something else than the fill value."""
    fill = _fill(array)
    for place in absent[:: -(-len(absent) // _ASKED)]:
        key = []
        for number, size, length, short in zip(place, files, array.shape, coarse.shape, strict=True):
            margin = _MARGIN if short < length else 0  # an axis that is not halved has no filter
            first = math.ceil(number * size * short / length) + margin
            last = math.floor(min((number + 1) * size, length) * short / length) - margin
            key.append(slice(first, max(first, last)))
        values = np.asarray(coarse[tuple(key)])
        if not np.array_equal(
            values, np.full_like(values, fill), equal_nan=bool(values.dtype.kind == "f" and np.isnan(fill))
        ):
            return place
    return None
