"""Lazy frames on an HDF5 dataset: contiguous data by slices, chunked data chunk by chunk, each once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.frames.per_frame import PerFrame, plain_cost
from tomarium.formats.hdf5.block_places import BlockPlaces
from tomarium.formats.hdf5.chunk_reader import Packing, packing_of, read_chunks
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.filters import demand_filters, filters_of, load_plugins, needs_plugin
from tomarium.formats.hdf5.missing_data import Gap, gaps_with_warnings, refuse_gaps
from tomarium.formats.hdf5.names import file_of, member, path_of
from tomarium.formats.hdf5.security_check import open_checked
from tomarium.formats.hdf5.source import Source
from tomarium.formats.hdf5.virtual_dataset import Part, parts_of, read_parts

# HDF5's order of axes: these name where frame, row and column lie in the dataset.
STACK: Final = (0, 1, 2)


@dataclass(frozen=True)
class Layout:
    """How a dataset lies on disk."""

    # length of a chunk along (frame, row, column); None where the data lie in one piece
    chunks: tuple[int, int, int] | None = None
    stored: float = 1.0  # bytes on disk for each byte of pixels; below 1 where compressed
    compressed: bool = False  # whether chunks must be decoded, and so are always read whole
    plugin: bool = False  # whether decoding needs the package hdf5plugin
    # how its chunks are packed, where they are unpacked here and not by the HDF5 library
    packing: Packing | None = None
    # of a virtual dataset of whole frames: where these lie, if they are packed so
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, eq=False)
class Hdf5Frames(PerFrame):
    """A stack of frames in an HDF5 dataset. The file is opened for each `read`, so that nothing stays locked."""

    path: Path  # the file that was opened by its user
    file: Path  # the file that holds the dataset: `path`, or one it links to
    name: str  # path of the dataset in `file`
    size: tuple[int, int, int]  # frames, rows and columns of the whole dataset
    dtype: np.dtype[Any]  # type of a pixel, in this machine's byte order
    # Which axes of the dataset are frame, row and column; (1, 0, 2) for a file in sinogram order. A dataset
    # of two axes, one frame alone, has (-1, 0, 1); one sinogram (0, -1, 1) or (1, -1, 0).
    order: tuple[int, int, int] = STACK
    index: NDArray[np.intp] | None = None  # frames of the dataset that belong to this stack; None for all
    layout: Layout = Layout()  # how the bytes lie
    gaps: tuple[Gap, ...] = ()  # frames whose file is absent, damaged or too short
    places: BlockPlaces = field(default_factory=BlockPlaces, repr=False)  # of its chunks' blocks

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (self.size[0] if self.index is None else len(self.index), self.size[1], self.size[2])

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        stored = wanted if self.index is None else self.index[wanted]
        refuse_gaps(self.path, f"{self.file.name}:{self.name}", self.gaps, stored)
        with guarded(self.file), open_checked(self.file, scan=self.path) as file:
            dataset = member(file, self.name)
            if self._unpack([result], dataset, stored, [rows]):
                return
            if self.layout.plugin:
                load_plugins()
            for piece in _pieces(stored, self.layout.chunks[0] if self.layout.chunks else 1):
                self._fill_piece(result, dataset, piece, rows)

    def read_ranges(
        self, frames: slice | NDArray[np.intp], ranges: Sequence[slice]
    ) -> tuple[NDArray[Any], ...]:
        """Read several ranges of rows of some frames: packed chunks once, where they are unpacked here."""
        numbers = np.arange(self.shape[0])[frames]
        bands = [slice(*rows.indices(self.shape[1])) for rows in ranges]
        if self.layout.packing and not self.layout.parts and all(band.step == 1 for band in bands):
            stored = numbers if self.index is None else self.index[numbers]
            refuse_gaps(self.path, f"{self.file.name}:{self.name}", self.gaps, stored)
            tall = (max(0, band.stop - band.start) for band in bands)
            results = [np.empty((len(numbers), rows, self.shape[2]), self.dtype) for rows in tall]
            with guarded(self.file), open_checked(self.file, scan=self.path) as file:
                if self._unpack(results, member(file, self.name), stored, bands):
                    return tuple(results)
        return super().read_ranges(frames, ranges)

    def _unpack(
        self,
        results: list[NDArray[Any]],
        dataset: h5py.Dataset,
        numbers: NDArray[np.intp],
        ranges: list[slice],
    ) -> bool:
        """Read past the HDF5 library where that is faster."""
        if self.layout.packing is None or self.order != STACK or not all(result.size for result in results):
            return False
        if self.layout.parts:
            [result], [rows] = results, ranges
            return read_parts(self.path, self.layout.parts, numbers, rows, result, self.places)
        return read_chunks(dataset, self.layout.packing, numbers, ranges, results, places=self.places)

    def _fill_piece(self, result: NDArray[Any], dataset: h5py.Dataset, piece: _Piece, rows: slice) -> None:
        by_name = {
            self.order[0]: slice(piece.first, piece.last),
            self.order[1]: rows,
            self.order[2]: slice(None),
        }
        key = tuple(by_name[axis] for axis in range(dataset.ndim))
        if piece.run is not None and self.order == STACK:
            dataset.read_direct(result, key, np.s_[piece.run, :, :])
            return
        block = dataset[key]
        if self.order != STACK:
            block = block.transpose([axis for axis in self.order if axis >= 0])
        if dataset.ndim == 2:
            block = np.expand_dims(block, self.order.index(-1))
        if piece.run is not None:
            result[piece.run] = block
        else:
            result[piece.places] = block[piece.frames - piece.first]

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return what `read` costs for that many frames and these rows.

        Result: bytes read from disk, and bytes decompressed (0 where nothing is compressed). A compressed
        chunk is read and decoded whole: one row of a chunk (1, rows, columns) costs the whole frame. Of one
        that is bitshuffled and unpacked here it costs that row, for the blocks above are stepped over.
        """
        count = len(range(*rows.indices(self.size[1])))
        chunks = self.layout.chunks
        if chunks is None or not count or not frames:
            return plain_cost(self, frames, rows)
        blocks = frames / chunks[0]
        if self.index is not None and len(self.index):
            blocks = frames * len(np.unique(self.index // chunks[0])) / len(self.index)
        first, last, _ = rows.indices(self.size[1])
        tall = (math.ceil(last / chunks[1]) - first // chunks[1]) * chunks[1]
        if self.layout.packing == "bitshuffle-lz4" and chunks[0] == 1 and self.order == STACK:
            tall = last - first
        wide = math.ceil(self.size[2] / chunks[2]) * chunks[2]
        touched = math.ceil(blocks) * chunks[0] * tall * wide * self.dtype.itemsize
        return math.ceil(touched * self.layout.stored), touched if self.layout.compressed else 0


@dataclass(frozen=True)
class _Piece:
    """Frames first … last-1 of the dataset; they go to `result[run]`, or some of them to `result[places]`."""

    first: int
    last: int
    frames: NDArray[np.intp]
    places: NDArray[np.intp]

    @property
    def run(self) -> slice | None:
        start = int(self.places[0])
        whole = np.array_equal(self.frames, np.arange(self.first, self.last))
        if whole and np.array_equal(self.places, np.arange(start, start + len(self.places))):
            return slice(start, start + len(self.places))
        return None


def _pieces(numbers: NDArray[np.intp], chunk: int) -> Iterator[_Piece]:
    """Cut a choice of frames so that neighbours are read together and no chunk is met twice."""
    if not len(numbers):
        return
    places = np.argsort(numbers, kind="stable")
    ordered = numbers[places]
    cuts = np.flatnonzero((np.diff(ordered) > 1) & (np.diff(ordered // chunk) > 0)) + 1
    for some, where in zip(np.split(ordered, cuts), np.split(places, cuts), strict=True):
        yield _Piece(int(some[0]), int(some[-1]) + 1, some, where)


def frames_of(
    source: Source,
    dataset: h5py.Dataset,
    order: tuple[int, int, int] = STACK,
    index: NDArray[np.intp] | None = None,
) -> Hdf5Frames:
    """Make a lazy stack of a dataset.

    `dataset`: of three axes, or of two for one frame alone. `order`: which axes of the dataset are frame, row
    and column. `index`: frames of the dataset to take; None for all.
    """
    place = f"{source.path}: {dataset.name}"
    if dataset.dtype.kind not in "iuf" or dataset.ndim not in (2, 3) or not all(dataset.shape):
        raise FormatError(
            f"{place} has shape {dataset.shape} and type {dataset.dtype}; frames are numbers of shape "
            f"(frame, row, column), so choose another group or repair the file"
        )
    if dataset.ndim == 2 and order == STACK:
        order = (-1, 0, 1)
    frames, rows, columns = (dataset.shape[axis] if axis >= 0 else 1 for axis in order)
    gaps = gaps_with_warnings(source, dataset, max(order[0], 0))
    if order[0] < 0 and gaps:
        gaps = (replace(gaps[0], first=0, last=1),)
    return Hdf5Frames(
        path=source.path,
        file=file_of(dataset),
        name=path_of(dataset),
        size=(frames, rows, columns),
        dtype=dataset.dtype.newbyteorder("="),
        order=order,
        index=index,
        layout=_layout(source, dataset, order, place),
        gaps=gaps,
    )


def _layout(source: Source, dataset: h5py.Dataset, order: tuple[int, int, int], place: str) -> Layout:
    if dataset.is_virtual:
        # A virtual dataset has no bytes of its own: its price is that of its sources, which are alike.
        for item in dataset.virtual_sources():
            own = item.file_name == "."
            parent = file_of(dataset)
            file = parent if own else source.locate(parent, item.file_name)
            below = None if file is None else source.opened.get(file, dataset.file if own else None)
            part = None if below is None else below.get(item.dset_name)
            if isinstance(part, h5py.Dataset) and part.ndim == dataset.ndim and part.size:
                layout = _layout(source, part, order, place)
                parts = parts_of(source, dataset) if layout.packing and part.dtype == dataset.dtype else ()
                return replace(layout, packing=layout.packing if parts else None, parts=parts)
        return Layout()
    if dataset.chunks is None:
        return Layout()
    filters, packing = filters_of(dataset), packing_of(dataset)
    if packing is None:
        demand_filters(dataset, place)
    raw = dataset.size * dataset.dtype.itemsize
    chunks = tuple(dataset.chunks[axis] if axis >= 0 else 1 for axis in order)
    return Layout(
        chunks=(chunks[0], chunks[1], chunks[2]),
        stored=min(1.0, dataset.id.get_storage_size() / raw) if filters else 1.0,
        compressed=bool(filters),
        plugin=needs_plugin(dataset),
        packing=packing,
    )
