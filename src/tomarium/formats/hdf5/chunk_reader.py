"""Packed chunks read past the HDF5 library: in several threads, and of a bitshuffled chunk only what is wanted.

The library unpacks one chunk after the other, each whole. Bitshuffle cuts a chunk into blocks of 8 KiB that
stand alone, so that some rows of a frame need some of its blocks; where these lie is kept for the rows below.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import local
from typing import Any, Final, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import extension, level
from tomarium.errors import EngineUnavailable, FormatError
from tomarium.formats.hdf5.block_places import HEADER, BlockPlaces, ChunkPlaces, Start

Packing = Literal["bitshuffle-lz4", "deflate", "shuffle-deflate"]

_DEFLATE: Final = 1
_SHUFFLE: Final = 2
_BITSHUFFLE: Final = 32008
_WITH_LZ4: Final = 2
# Fewer chunks are asked for one by one.
_FEW: Final = 16
# Less than this is unpacked before a second thread has begun.
_SMALL_BYTES: Final = 1 << 20
# What is read beyond the place where the wanted rows of a chunk should end, for no chunk is packed evenly.
_MARGIN: Final = 1 << 14
_FURTHER: Final = 1.25
# Of fewer rows the places of blocks are not kept: a look at some slices asks for no rows below.
_KEPT_ROWS: Final = 8
# Parts that the work of a thread is cut into: of single chunks the threads would wait for each other.
_TURNS: Final = 8


@dataclass(frozen=True)
class _Chunk:
    """Where a chunk lies, and which part of it goes where in the result."""

    offset: int
    size: int
    frames: slice
    rows: slice
    columns: int
    places: NDArray[np.intp]
    members: NDArray[np.intp]
    to_rows: slice
    to_columns: slice

    def wanted(self, shape: tuple[int, int, int], itemsize: int) -> tuple[int, int]:
        """Return the first byte of its elements that is unpacked, and the one behind the last."""
        _, tall, wide = shape
        line = wide * itemsize
        if self.alone:  # one frame alone needs its rows and no more
            start = self.frames.start * tall
            return (start + self.rows.start) * line, (start + self.rows.stop) * line
        return self.frames.start * tall * line, self.frames.stop * tall * line

    @property
    def alone(self) -> bool:
        """Whether only one of its frames is wanted."""
        return bool(self.frames.stop - self.frames.start == 1)


def packing_of(dataset: h5py.Dataset) -> Packing | None:
    """Tell whether the chunks of a dataset can be unpacked here.

    Result: how they are packed; None where only the HDF5 library can read them.
    """
    if dataset.is_virtual or dataset.chunks is None or not dataset.dtype.isnative:
        return None
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    codes = [code for code, *_ in filters]
    if codes == [_BITSHUFFLE]:
        settings = filters[0][2]
        plain = len(settings) > 4 and settings[4] == _WITH_LZ4 and settings[2] == dataset.dtype.itemsize
        return "bitshuffle-lz4" if plain and dataset.dtype.itemsize in (1, 2, 4, 8) and _compiled() else None
    if codes == [_DEFLATE]:
        return "deflate"
    return "shuffle-deflate" if codes == [_SHUFFLE, _DEFLATE] else None


def _compiled() -> bool:
    try:
        level()
    except EngineUnavailable:
        return False
    return True


def read_chunks(
    dataset: h5py.Dataset,
    packing: Packing,
    frames: NDArray[np.intp],
    ranges: Sequence[slice],
    outs: Sequence[NDArray[Any]],
    threads: int | None = None,
    places: BlockPlaces | None = None,
) -> bool:
    """Read ranges of rows of some frames of a packed dataset, each chunk once.

    `outs`: for each range an array (frame, row, column) that is filled. `threads`: how many unpack at a time;
    None for all processors. `places`: what earlier reads found, and takes what this one does. Result: False where a
    chunk is absent, was stored unpacked, or the file is not an ordinary one: the HDF5 library must read it then.
    """
    if dataset.file.driver != "sec2" or dataset.file.userblock_size or not hasattr(os, "preadv"):
        return False
    parts_by_offset: dict[int, list[tuple[_Chunk, NDArray[Any]]]] = {}
    for rows, out in zip(ranges, outs, strict=True):
        for chunk in _chunks(dataset, frames, rows):
            if chunk is None:
                return False
            parts_by_offset.setdefault(chunk.offset, []).append((chunk, out))
    if not parts_by_offset:
        return True
    descriptor = dataset.file.id.get_vfd_handle()
    where = f"{dataset.file.filename}: {dataset.name}"
    every_part = list(parts_by_offset.values())
    end = max(parts[0][0].offset + parts[0][0].size for parts in every_part)
    if end > os.fstat(descriptor).st_size:
        raise FormatError(
            f"{where} has a chunk that ends at byte {end}, behind the file; copy the file again"
        )
    keep = packing == "bitshuffle-lz4" and any(rows.stop - rows.start >= _KEPT_ROWS for rows in ranges)
    known = (places or BlockPlaces()).of(descriptor)
    reader = _Reader(
        descriptor, where, packing, dataset.chunks, dataset.dtype, known, keep and places is not None
    )
    enough = sum(out.nbytes for out in outs) > _SMALL_BYTES
    threads = min(threads or processors(), len(every_part)) if enough else 1
    if threads <= 1:
        reader.fill(every_part)
        return True
    turns = min(len(every_part), _TURNS * threads)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(reader.fill, (every_part[turn::turns] for turn in range(turns))))
    return True


@dataclass(frozen=True)
class _Reader:
    """Reads and unpacks chunks of a dataset."""

    descriptor: int
    where: str
    packing: Packing
    shape: tuple[int, int, int]
    kind: np.dtype[Any]
    known: ChunkPlaces
    keep: bool
    room: local = field(default_factory=local)

    def fill(self, chunks: Sequence[list[tuple[_Chunk, NDArray[Any]]]]) -> None:
        """Take what is wanted out of some chunks."""
        for parts in chunks:
            if self.packing == "bitshuffle-lz4":
                self._fill_from_blocks(parts)
            else:
                self._fill_from_all(parts)

    def _fill_from_all(self, parts: list[tuple[_Chunk, NDArray[Any]]]) -> None:
        chunk = parts[0][0]
        packed = self._buffer(chunk.size)[: chunk.size]
        os.preadv(self.descriptor, [packed], chunk.offset)
        try:
            content = _inflated(packed, math.prod(self.shape) * self.kind.itemsize)
        except (ValueError, zlib.error) as error:
            raise self._damage(chunk, error) from error
        for part, out in parts:
            _fill(out, part, self.shape, self.kind, partial(_UNPACKERS[self.packing], content))

    def _fill_from_blocks(self, parts: list[tuple[_Chunk, NDArray[Any]]]) -> None:
        """Read from the last block on whose place is known, as far as is wanted."""
        chunk = parts[0][0]
        total = math.prod(self.shape) * self.kind.itemsize
        wanted = [part.wanted(self.shape, self.kind.itemsize) for part, _ in parts]
        first, last = min(first for first, _ in wanted), max(last for _, last in wanted)
        start, block = self.known.start(chunk.offset, first)
        # A header stands before what is read, as if the chunk began there.
        before = HEADER.size if block else 0
        room = self._buffer(before + chunk.size)
        if block:
            HEADER.pack_into(room, 0, total - start.unpacked, block)
        offset, size = (start.packed, chunk.size - start.packed) if block else (0, chunk.size)
        share, have = (last - start.unpacked) / (total - start.unpacked), 0
        while True:
            end = min(size, int(size * share * self.room.further) + _MARGIN)
            os.preadv(self.descriptor, [room[before + have : before + end]], chunk.offset + offset + have)
            packed = room[: before + end]
            try:
                for part, out in parts:
                    _fill(out, part, self.shape, self.kind, partial(_unpack_bitshuffle, packed, start))
                break
            except ValueError as error:
                if end == size:
                    if block:  # written anew while it was read, or damaged: look at all of it
                        self.known.forget(chunk.offset)
                        self._fill_from_blocks(parts)
                        return
                    raise self._damage(chunk, error) from error
                have, self.room.further = end, self.room.further * _FURTHER
        if self.keep:
            self.known.note(chunk.offset, packed, start, last)

    def _buffer(self, size: int) -> memoryview:
        """Return this thread's memory for a packed chunk: fresh pages cost as much as reading into them."""
        if len(getattr(self.room, "bytes", b"")) < size:
            self.room.bytes, self.room.further = bytearray(size), getattr(self.room, "further", 1.0)
        return memoryview(self.room.bytes)

    def _damage(self, chunk: _Chunk, error: Exception) -> FormatError:
        return FormatError(
            f"{self.where}: at byte {chunk.offset} lies a chunk that does not unpack ({error}); copy the file again"
        )


def _chunks(dataset: h5py.Dataset, frames: NDArray[np.intp], rows: slice) -> Iterator[_Chunk | None]:
    """Find the chunks that hold a part of what is wanted; None for one that only the library can read."""
    deep, tall, wide = dataset.chunks
    order = np.argsort(frames // deep, kind="stable")
    owners, begins = np.unique((frames // deep)[order], return_index=True)
    infos = _info_of_all_chunks(dataset, len(owners) * -(-dataset.shape[2] // wide))
    for first, places in zip(owners.tolist(), np.split(order, begins[1:]), strict=True):
        members = frames[places] - first * deep
        members_span = slice(int(members.min()), int(members.max()) + 1)
        for top in range(rows.start // tall * tall, rows.stop, tall):
            low, high = max(rows.start, top), min(rows.stop, top + tall)
            for first_column in range(0, dataset.shape[2], wide):
                place = first * deep, top, first_column
                info = dataset.id.get_chunk_info_by_coord(place) if infos is None else infos.get(place)
                if info is None or not info.size or info.byte_offset is None or info.filter_mask:
                    yield None
                    return
                yield _Chunk(
                    info.byte_offset,
                    info.size,
                    members_span,
                    slice(low - top, high - top),
                    min(wide, dataset.shape[2] - first_column),
                    places,
                    members,
                    slice(low - rows.start, high - rows.start),
                    slice(first_column, min(first_column + wide, dataset.shape[2])),
                )


def _info_of_all_chunks(dataset: h5py.Dataset, chunks_wanted: int) -> dict[tuple[int, ...], Any] | None:
    """Tell of every chunk by its place, where so many are wanted that asking for each would take longer."""
    if (
        chunks_wanted < _FEW
        or 4 * chunks_wanted < dataset.id.get_num_chunks()
        or not hasattr(dataset.id, "chunk_iter")
    ):
        return None
    infos: dict[tuple[int, ...], Any] = {}

    def keep_info(info: Any) -> None:
        infos[info.chunk_offset] = info

    dataset.id.chunk_iter(keep_info)
    return infos


def _fill(
    out: NDArray[Any],
    chunk: _Chunk,
    shape: tuple[int, int, int],
    kind: np.dtype[Any],
    unpack: Callable[[int, int, int, NDArray[np.uint8]], None],
) -> None:
    _, tall, wide = shape
    total = math.prod(shape) * kind.itemsize
    alone = chunk.alone
    rows = chunk.rows if alone else slice(0, tall)
    first, _ = chunk.wanted(shape, kind.itemsize)
    count = (chunk.frames.stop - chunk.frames.start) * (rows.stop - rows.start)
    target = out[int(chunk.places[0]), chunk.to_rows, chunk.to_columns]
    direct = alone and len(chunk.places) == 1 and chunk.columns == wide and target.flags.c_contiguous
    block = target if direct else np.empty((count, wide), kind)
    unpack(total, kind.itemsize, first, block.reshape(-1).view(np.uint8))
    if not direct:
        stored = block.reshape(chunk.frames.stop - chunk.frames.start, rows.stop - rows.start, wide)
        part = stored[:, chunk.rows if not alone else slice(None), : chunk.columns]
        out[chunk.places, chunk.to_rows, chunk.to_columns] = part[chunk.members - chunk.frames.start]


def _unpack_bitshuffle(
    packed: memoryview, start: Start, total: int, element: int, first: int, out: NDArray[np.uint8]
) -> None:
    before = start.unpacked
    extension().bitshuffle_lz4(
        np.frombuffer(packed, np.uint8), total - before, element, first - before, out, level()
    )


def _take(inflated: bytes, _total: int, _element: int, first: int, out: NDArray[np.uint8]) -> None:
    out[:] = np.frombuffer(inflated, np.uint8)[first : first + len(out)]


def _take_shuffled(inflated: bytes, _total: int, element: int, first: int, out: NDArray[np.uint8]) -> None:
    planes = np.frombuffer(inflated, np.uint8).reshape(element, -1)
    planes_wanted = planes[:, first // element : first // element + len(out) // element]
    for number, plane in enumerate(planes_wanted):
        out[number::element] = plane


def _inflated(packed: memoryview, total: int) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(packed, total)
    if len(content) != total:
        raise ValueError(f"it holds {len(content)} bytes, {total} were expected")
    if stream.decompress(stream.unconsumed_tail, 1):
        raise ValueError(f"it holds more than the {total} bytes that were expected")
    return content


# What takes part of a chunk that was inflated whole before.
_UNPACKERS: Final[dict[Packing, Callable[[bytes, int, int, int, NDArray[np.uint8]], None]]] = {
    "deflate": _take,
    "shuffle-deflate": _take_shuffled,
}
