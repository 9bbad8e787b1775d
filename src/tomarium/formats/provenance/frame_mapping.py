"""Where the frames of a source lie in what is written from it, and how their dataset lay on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.formats.hdf5.filters import load_plugins
from tomarium.formats.hdf5.frames import Hdf5Frames
from tomarium.formats.hdf5.names import Name, as_bytes, member, path_of
from tomarium.formats.hdf5.two_phase_writer import TwoPhaseFile
from tomarium.model import Frames

# Mantissa bits of the floats: an integer of at most so many bits is exact in one of them.
_MANTISSA: Final = {2: 11, 4: 24, 8: 53}


@dataclass(frozen=True, eq=False)
class Placed:
    """Frames of the source and where the target holds them."""

    frames: Frames  # as the source's reader made them
    dataset: str  # HDF5 path in the target
    where: NDArray[np.intp]  # shape (frame,): which frame of that dataset each became


@dataclass
class FrameMap:
    """Where each frame of one dataset of the source now lies."""

    order: tuple[int, int, int]  # which axes of it are frame, row and column
    size: tuple[int, int, int]  # frames, rows, columns
    datasets: list[str] = field(default_factory=list)  # where its frames went
    # shape (frame,): index into `datasets` and frame there; -1 for a frame that went nowhere yet
    which: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    frame: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    def completed(self, rest: str) -> FrameMap:
        """Say that the frames which went nowhere lie in `rest`, one after the other."""
        unplaced = np.flatnonzero(self.which < 0)
        dataset_numbers, frame = self.which.copy(), self.frame.copy()
        dataset_numbers[unplaced], frame[unplaced] = len(self.datasets), np.arange(len(unplaced))
        return FrameMap(self.order, self.size, [*self.datasets, rest], dataset_numbers, frame)


def frame_maps(placed: Sequence[Placed]) -> dict[tuple[Path, str], FrameMap]:
    """Follow frames back to the datasets of HDF5 they were read from.

    Result: file and HDF5 path of each dataset → where its frames went.
    """
    maps: dict[tuple[Path, str], FrameMap] = {}
    for stack in placed:
        first = 0
        for part in getattr(stack.frames, "parts", (stack.frames,)):
            count = part.shape[0]
            where = stack.where[first : first + count]
            first += count
            if not isinstance(part, Hdf5Frames):
                continue
            key = (part.file.resolve(), part.name)
            frame_map = maps.setdefault(key, FrameMap(part.order, part.size))
            if not len(frame_map.which):
                frame_map.which, frame_map.frame = (np.full(part.size[0], -1, np.intp) for _ in range(2))
            if stack.dataset not in frame_map.datasets:
                frame_map.datasets.append(stack.dataset)
            index = np.arange(part.size[0]) if part.index is None else part.index
            frame_map.which[index] = frame_map.datasets.index(stack.dataset)
            frame_map.frame[index] = where
    return maps


def key_of(node: h5py.Dataset, maps: Mapping[tuple[Path, str], FrameMap]) -> tuple[Path, str]:
    """Name a dataset as the frames read from it do, by whichever of its links it was found.

    `maps`: as `frame_maps` makes it. Result: a key of `maps`, or what would be one.
    """
    file = Path(node.file.filename).resolve()
    for file_of_map, name in maps:
        if file_of_map == file and _is_called(node, name):
            return file_of_map, name
    return file, path_of(node)


def _is_called(node: h5py.Dataset, name: str) -> bool:
    try:
        return bool(member(node.file, name) == node)
    except KeyError:
        return False


def holds(wide: np.dtype[Any], narrow: np.dtype[Any]) -> bool:
    """Tell whether one type holds every number of another exactly."""
    if wide == narrow.newbyteorder("="):
        return True
    if wide.kind == "f" and narrow.kind in "iu":
        return 8 * narrow.itemsize - (narrow.kind == "i") <= _MANTISSA.get(wide.itemsize, 0)
    return bool(np.can_cast(narrow, wide, "safe"))


def runs_of(frame_map: FrameMap, *, by_one: bool = False) -> Iterator[tuple[int, int]]:
    """Cut a dataset into runs of frames that are neighbours where they went, too.

    `by_one`: whether each frame is a run of its own.
    """
    together = (np.diff(frame_map.which) == 0) & (np.diff(frame_map.frame) == 1)
    if by_one:
        together[:] = False
    cuts = [0, *(np.flatnonzero(~together) + 1).tolist(), len(frame_map.which)]
    yield from pairwise(cuts)


def show_frames(layout: h5py.VirtualLayout, file: h5py.File, ndim: int, frame_map: FrameMap) -> None:
    """Map each run of frames of a virtual dataset to where these lie in the same file."""
    axis = frame_map.order[0]
    for first, last in runs_of(frame_map, by_one=axis > 0):
        dataset = file[frame_map.datasets[frame_map.which[first]]]
        source = h5py.VirtualSource(".", dataset.name, dataset.shape, dataset.dtype)
        begin = int(frame_map.frame[first])
        if axis < 0:  # one averaged frame, stored without an axis of its own
            layout[...] = source[begin] if dataset.ndim == 3 else source
            continue
        place: list[slice | int] = [slice(None)] * ndim
        place[axis] = slice(first, last) if axis == 0 else first
        layout[tuple(place)] = source[begin : begin + last - first] if axis == 0 else source[begin]


def layout_of(node: h5py.Dataset) -> dict[str, Any]:
    """Tell how a dataset lies on disk.

    Result: JSON-ready: `chunks`, `maxshape`, `filters`.
    """
    plist = node.id.get_create_plist()
    filters = [plist.get_filter(i) for i in range(plist.get_nfilters())]
    return {
        "chunks": None if node.chunks is None else list(node.chunks),
        "maxshape": list(node.maxshape),
        "filters": [[int(code), int(flags), [int(v) for v in values]] for code, flags, values, _ in filters],
    }


def unfold(
    output: TwoPhaseFile,
    frames: Frames,
    node: h5py.Dataset,
    layout: dict[str, Any],
    new: h5py.Group,
    name: Name,
) -> None:
    """Make a dataset of frames as it was, and have it filled in the order it is stored in.

    `layout`: what `layout_of` told of it.
    """
    if layout["chunks"] is None:
        output.fill(output.reserve(new, name, node.shape, node.dtype), frames)
        return
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(tuple(layout["chunks"]))
    if any(code >= 256 for code, *_ in layout["filters"]):
        load_plugins()
    for code, flags, values in layout["filters"]:
        plist.set_filter(code, flags, tuple(values))
    most = tuple(h5py.h5s.UNLIMITED if length is None else length for length in layout["maxshape"])
    space = h5py.h5s.create_simple(node.shape, most)
    dataset = h5py.h5d.create(new.id, as_bytes(name), h5py.h5t.py_create(node.dtype), space, dcpl=plist)
    output.fill(h5py.Dataset(dataset), frames)
