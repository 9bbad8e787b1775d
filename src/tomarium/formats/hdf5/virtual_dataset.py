"""Virtual datasets of whole frames: which file and frames each of their frames is, to read them past the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5s
from numpy.typing import NDArray

from tomarium.formats.hdf5.block_places import BlockPlaces
from tomarium.formats.hdf5.chunk_reader import packing_of, read_chunks
from tomarium.formats.hdf5.names import file_of
from tomarium.formats.hdf5.security_check import open_checked
from tomarium.formats.hdf5.source import Source


@dataclass(frozen=True)
class Part:
    """Neighbouring frames of a virtual dataset that are neighbouring frames of another."""

    # frames of the virtual dataset, `last` not included
    first: int
    last: int
    file: Path  # the file that holds them
    name: str  # path of the dataset there
    begin: int  # which of its frames `first` is


def parts_of(source: Source, dataset: h5py.Dataset) -> tuple[Part, ...]:
    """List the parts of a virtual dataset that is made of whole frames.

    Result: empty where it is made of anything else, or a file is absent.
    """
    parts = []
    parent = file_of(dataset)
    for item in dataset.virtual_sources():
        file = parent if item.file_name == "." else source.locate(parent, item.file_name)
        target_box, source_box = _box(item.vspace), _box(item.src_space)
        if file is None or target_box is None or "%" in item.dset_name or dataset.ndim != 3:
            return ()
        (first, top, left), (last, bottom, right) = target_box
        whole = (top, left, bottom, right) == (0, 0, *dataset.shape[1:])
        begin = 0
        if source_box is not None and len(source_box[0]) == 3:
            (begin, top, left), (end, bottom, right) = source_box
            whole = whole and (top, left, bottom, right, end - begin) == (
                0,
                0,
                *dataset.shape[1:],
                last - first,
            )
        elif source_box is not None or item.src_space.get_select_type() != h5s.SEL_ALL:
            return ()
        if not whole:
            return ()
        parts.append(Part(first, last, file, item.dset_name, begin))
    return tuple(sorted(parts, key=lambda part: part.first))


def _box(space: h5s.SpaceID) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the first and last corner of a selection that is one block; None for any other."""
    try:
        if space.get_select_type() != h5s.SEL_HYPERSLABS:
            return None
        low, high = space.get_select_bounds()
        count = int(np.prod([b - a + 1 for a, b in zip(low, high, strict=True)], dtype=np.float64))
        if space.get_select_npoints() != count:
            return None
    except (RuntimeError, ValueError):  # an unlimited selection has no bounds
        return None
    return tuple(map(int, low)), tuple(int(last) + 1 for last in high)


def read_parts(
    scan: Path,
    parts: tuple[Part, ...],
    numbers: NDArray[np.intp],
    rows: slice,
    out: NDArray[Any],
    block_places: BlockPlaces,
) -> bool:
    """Read frames of a virtual dataset from the files that hold them, where their chunks are unpacked here.

    `numbers`: frames of the virtual dataset, in the order wanted. `block_places`: of the chunks' blocks, as earlier
    reads found them. Result: False where some are in no part, or the HDF5 library must read them.
    """
    lacking = np.ones(len(numbers), bool)
    for part in parts:
        places = np.flatnonzero((numbers >= part.first) & (numbers < part.last))
        if not len(places):
            continue
        with open_checked(part.file, scan=scan) as file:
            dataset = file.get(part.name)
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 3 or dataset.dtype != out.dtype:
                return False
            packing = packing_of(dataset)
            frames = numbers[places] - part.first + part.begin
            if packing is None or dataset.shape[1:] != (dataset.shape[1], out.shape[2]):
                return False
            if frames.max() >= dataset.shape[0] or rows.stop > dataset.shape[1]:
                return False
            together = np.array_equal(places, np.arange(places[0], places[0] + len(places)))
            target = out[places[0] : places[0] + len(places)] if together else np.empty_like(out[places])
            if not read_chunks(dataset, packing, frames, [rows], [target], places=block_places):
                return False
            if not together:
                out[places] = target
        lacking[places] = False
    return not lacking.any()
