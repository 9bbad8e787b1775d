"""Packed chunks read past the HDF5 library: in several threads, and of a bitshuffled chunk only what is wanted.

The library unpacks one chunk after the other, each whole. Bitshuffle cuts a chunk into blocks of 8 KiB that
stand alone, so that some rows of a frame need some of its blocks.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import local
from typing import Any, Final, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import extension, level
from tomarium.errors import EngineUnavailable, FormatError

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
_MARGIN: Final = 1 << 16
_FURTHER: Final = 1.25


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
) -> bool:
    """Read ranges of rows of some frames of a packed dataset, each chunk once.

    `outs`: for each range an array (frame, row, column) that is filled. `threads`: how many unpack at a time;
    None for all processors. Result: False where a chunk is absent, was stored unpacked, or the file is not an
    ordinary one: the HDF5 library must read it then.
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
    chunks = [parts[0][0] for parts in parts_by_offset.values()]
    shape, kind = dataset.chunks, dataset.dtype
    descriptor = dataset.file.id.get_vfd_handle()
    where = f"{dataset.file.filename}: {dataset.name}"
    unpack, whole = _UNPACKERS[packing], packing != "bitshuffle-lz4"
    total = int(np.prod(shape)) * kind.itemsize
    # One buffer a thread, for fresh pages cost as much as reading into them.
    longest, room = max(chunk.size for chunk in chunks), local()
    end = max(chunk.offset + chunk.size for chunk in chunks)
    if end > os.fstat(descriptor).st_size:
        raise FormatError(
            f"{where} has a chunk that ends at byte {end}, behind the file; copy the file again"
        )

    def fill(parts: list[tuple[_Chunk, NDArray[Any]]]) -> None:
        chunk = parts[0][0]
        if not hasattr(room, "bytes"):
            room.bytes, room.further = bytearray(longest), 1.0
        packed, have = memoryview(room.bytes)[: chunk.size], 0
        share = 1.0 if whole else max(_share_before_end(chunk, shape) for chunk, _ in parts)
        while True:
            end = min(chunk.size, int(chunk.size * share * room.further) + _MARGIN)
            os.preadv(descriptor, [packed[have:end]], chunk.offset + have)
            try:
                content = _inflated(packed[:end], total) if whole else packed[:end]
                for part_chunk, out in parts:
                    _fill(out, part_chunk, shape, kind, partial(unpack, content))
                return
            except (ValueError, zlib.error) as error:
                if end == chunk.size:
                    raise FormatError(
                        f"{where}: at byte {chunk.offset} lies a chunk that does not unpack ({error}); copy the file "
                        f"again"
                    ) from error
            have, room.further = end, room.further * _FURTHER

    enough = sum(out.nbytes for out in outs) > _SMALL_BYTES
    threads = min(threads or processors(), len(chunks)) if enough else 1
    if threads <= 1:
        for parts in parts_by_offset.values():
            fill(parts)
        return True
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, parts_by_offset.values()))
    return True


def _chunks(dataset: h5py.Dataset, frames: NDArray[np.intp], rows: slice) -> Iterator[_Chunk | None]:
    """Find the chunks that hold a part of what is wanted; None for one that only the library can read."""
    deep, tall, wide = dataset.chunks
    owners = frames // deep
    infos = _info_of_all_chunks(dataset, len(np.unique(owners)) * -(-dataset.shape[2] // wide))
    for first in np.unique(owners):
        places = np.flatnonzero(owners == first)
        members = frames[places] - first * deep
        for top in range(rows.start // tall * tall, rows.stop, tall):
            low, high = max(rows.start, top), min(rows.stop, top + tall)
            for first_column in range(0, dataset.shape[2], wide):
                place = int(first) * deep, top, first_column
                info = dataset.id.get_chunk_info_by_coord(place) if infos is None else infos.get(place)
                if info is None or not info.size or info.byte_offset is None or info.filter_mask:
                    yield None
                    return
                yield _Chunk(
                    info.byte_offset,
                    info.size,
                    slice(int(members.min()), int(members.max()) + 1),
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

    def told(info: Any) -> None:
        infos[info.chunk_offset] = info

    dataset.id.chunk_iter(told)
    return infos


def _share_before_end(chunk: _Chunk, shape: tuple[int, int, int]) -> float:
    """Return how much of a chunk's blocks is wanted or lies before what is, from 0 to 1."""
    deep, tall, _ = shape
    alone = chunk.frames.stop - chunk.frames.start == 1
    frames: float = chunk.frames.start + chunk.rows.stop / tall if alone else chunk.frames.stop
    return frames / deep


def _fill(
    out: NDArray[Any],
    chunk: _Chunk,
    shape: tuple[int, int, int],
    kind: np.dtype[Any],
    unpack: Callable[[int, int, int, NDArray[np.uint8]], None],
) -> None:
    _, tall, wide = shape
    total = int(np.prod(shape)) * kind.itemsize
    line, frame = wide * kind.itemsize, tall * wide * kind.itemsize
    alone = chunk.frames.stop - chunk.frames.start == 1
    # One frame alone needs its rows and no more; of several, all between is unpacked as well.
    rows = chunk.rows if alone else slice(0, tall)
    first = chunk.frames.start * frame + rows.start * line
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
    packed: bytes | memoryview, total: int, element: int, first: int, out: NDArray[np.uint8]
) -> None:
    extension().bitshuffle_lz4(np.frombuffer(packed, np.uint8), total, element, first, out, level())


def _take(
    inflated: bytes | memoryview, _total: int, _element: int, first: int, out: NDArray[np.uint8]
) -> None:
    out[:] = np.frombuffer(inflated, np.uint8)[first : first + len(out)]


def _take_shuffled(
    inflated: bytes | memoryview, _total: int, element: int, first: int, out: NDArray[np.uint8]
) -> None:
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


# What takes part of a chunk: of one that is packed, or of one that was inflated whole before.
_UNPACKERS: Final[dict[Packing, Callable[[bytes | memoryview, int, int, int, NDArray[np.uint8]], None]]] = {
    "bitshuffle-lz4": _unpack_bitshuffle,
    "deflate": _take,
    "shuffle-deflate": _take_shuffled,
}
