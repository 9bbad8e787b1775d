"""Write the chunks of a Zarr array past zarr-python: packed by several threads, each file written in one go.

Layouts: chunks in shards (Zarr v3, codec `sharding_indexed`: packed chunks, then an index of their offsets and
sizes as little-endian uint64 in C order, then its CRC-32C; both numbers are 2^64 - 1 for a chunk that is
absent), or each chunk in a file of its own (Zarr v2). Chunks of zeros are left out, as zarr-python leaves
them out. Specification: https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/
"""

from __future__ import annotations

import itertools
import math
import os
import struct
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.atomic_files import write_at
from tomarium.compiled import extension, level
from tomarium.errors import EngineUnavailable

# How the name of a file ends that is being written.
_UNFINISHED: Final = ".partial"
# Slices are noise in their lower bits: shuffled by bits LZ4 packs them smaller and faster than shuffled by bytes, and
# unpacks 2.5 times as fast as Zstandard.
COMPRESSOR: Final = "lz4"
# Of LZ4: 5 takes a sixth more processor time for noisy float32, and makes it .4 % smaller.
LEVEL: Final = 3
# Bytes of a block within a chunk: packing noisy float32 is a tenth slower at 256 KiB, and not smaller by .1 %.
BLOCK_BYTES: Final = 1 << 16
SHUFFLE: Final = 2  # Blosc's number for shuffling bits
# Chunks that are packed in one call, one after the other; so many of float32 lie in a third-level cache.
RUN: Final = 8
ABSENT: Final = 2**64 - 1
"""Begin and size of a chunk, in the index of a shard, that is nothing but fill value."""
_KEPT: Final = threading.local()

Content = bytes | memoryview


@dataclass(frozen=True)
class Grid:
    """How an array is cut into files."""

    path: Path  # folder of the array
    chunks: tuple[int, int, int]  # shape of a chunk, which is packed by itself
    # shape of a shard, whole chunks along each axis; None where each chunk has a file of its own
    shards: tuple[int, int, int] | None

    @property
    def files(self) -> tuple[int, int, int]:
        """Shape of what one file holds."""
        return self.shards or self.chunks

    def file(self, place: tuple[int, ...]) -> Path:
        """Return the file of a shard or chunk by its place among them."""
        names = [str(number) for number in place]
        return self.path.joinpath(*(["c", *names] if self.shards else names))


def write_block(grid: Grid, first: int, block: NDArray[Any], threads: int | None = None) -> None:
    """Write a block that begins and ends at files' borders, or at the array's end.

    `first`: first slice of the block, a multiple of a file's height. `block`: all rows and columns of these
    slices, in the array's type. `threads`: how many chunks are packed at a time; None for all processors.
    """
    count = threads or processors()
    with ThreadPoolExecutor(count) as pool:
        for place in _places(block.shape, grid.files):
            part = block[
                tuple(slice(n * size, (n + 1) * size) for n, size in zip(place, grid.files, strict=True))
            ]
            target = grid.file((first // grid.files[0] + place[0], *place[1:]))
            _write_file(
                target, _shard(part, grid, pool, count + 1) if grid.shards else _chunk(part, grid.chunks)
            )


def _places(shape: tuple[int, ...], size: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """List the places of the tiles of a block in C order."""
    return itertools.product(*(range(-(-length // edge)) for length, edge in zip(shape, size, strict=True)))


def _shard(part: NDArray[Any], grid: Grid, pool: Executor, ahead: int) -> Iterator[Content]:
    """Pack a shard: its chunks one after the other, then their index; nothing where all of it is zero.

    Only so many runs of chunks are packed ahead of what is written, so that their memory is used again.
    """
    assert grid.shards is not None
    counts = [shard // chunk for shard, chunk in zip(grid.shards, grid.chunks, strict=True)]
    room = _room(grid.chunks, part.dtype)
    sizes: list[int] = []
    idle: list[NDArray[np.uint8]] = _KEPT.__dict__.setdefault("runs", [])
    waiting: deque[tuple[Future[list[Content]], NDArray[np.uint8]]] = deque()
    runs = itertools.product(range(counts[0]), range(counts[1]), range(0, counts[2], RUN))
    for place in itertools.chain(runs, itertools.repeat(None, ahead)):
        if place is not None:
            z, y, x = place
            run = part[_of_chunks(grid.chunks, (z, z + 1), (y, y + 1), (x, min(x + RUN, counts[2])))]
            memory = idle.pop() if idle else np.empty(0, np.uint8)
            if memory.size < RUN * room:  # chunks of the coarser levels are smaller
                memory = np.empty(RUN * room, np.uint8)
            waiting.append((pool.submit(_run, run, grid.chunks, min(RUN, counts[2] - x), memory), memory))
        if waiting and (place is None or len(waiting) >= ahead):
            packed, memory = waiting.popleft()
            for content in packed.result():
                sizes.append(len(content))
                if content:
                    yield content
            idle.append(memory)
    if any(sizes):
        size = np.array(sizes, np.uint64)
        index = np.stack([np.cumsum(size) - size, size], axis=1).astype("<u8")
        index[size == 0] = ABSENT
        yield index.tobytes()
        yield checksum(index.tobytes())


def _of_chunks(chunks: tuple[int, ...], *ranges: tuple[int, int]) -> tuple[slice, ...]:
    """Return the voxels of ranges of chunks."""
    return tuple(slice(first * size, last * size) for (first, last), size in zip(ranges, chunks, strict=True))


def _room(chunks: tuple[int, int, int], dtype: np.dtype[Any]) -> int:
    """Return the most bytes that the compiled kernel needs for a chunk; 0 where it is not there."""
    return int(extension().blosc_room(math.prod(chunks) * dtype.itemsize)) if _compiled() else 0


def _run(
    part: NDArray[Any], chunks: tuple[int, int, int], count: int, memory: NDArray[np.uint8]
) -> list[Content]:
    """Pack chunks that lie along the rows of a shard, each with its checksum; empty where a chunk holds only zeros."""
    if _compiled() and part.shape == (*chunks[:2], count * chunks[2]) and part.itemsize <= 4:
        lengths = np.zeros(count, np.int64)
        bits = part.view(f"u{part.itemsize}") if part.strides[2] == part.itemsize else part
        places = memory[: RUN * (room := _room(chunks, part.dtype))].reshape(RUN, room)
        if extension().blosc_lz4_chunks(bits, chunks[2], places, lengths, level()):
            return [places[k, :length].data for k, length in enumerate(lengths.tolist())]
    contents: list[Content] = []
    for k in range(count):
        packed = _packed(part[:, :, k * chunks[2] : (k + 1) * chunks[2]], chunks)
        contents.append(packed + checksum(packed) if packed else b"")
    return contents


def _chunk(part: NDArray[Any], shape: tuple[int, int, int]) -> Iterator[Content]:
    content = _packed(part, shape)
    if content:
        yield content


def _packed(part: NDArray[Any], shape: tuple[int, int, int]) -> bytes:
    """Pack a chunk, filled up with zeros at the array's end; empty where nothing else is in it."""
    from numcodecs import blosc

    if not part.size:  # of a shard that reaches beyond the array
        return b""
    if _is_empty(part):
        return b""
    if part.shape != shape:
        whole = _buffer(shape, part.dtype)
        whole[...] = 0
        whole[tuple(slice(0, length) for length in part.shape)] = part
        part = whole
    if _compiled() and part.itemsize <= 4 and part.strides[2] == part.itemsize:
        packed: bytes | None = extension().blosc_lz4(part.view(f"u{part.itemsize}"), level())
        if packed is not None:
            return packed
    if not part.flags.c_contiguous:
        whole = _buffer(shape, part.dtype)
        whole[...] = part
        part = whole
    content: bytes = blosc.compress(part, COMPRESSOR.encode(), LEVEL, SHUFFLE, BLOCK_BYTES, part.itemsize)
    return content


@cache
def _compiled() -> bool:
    """Tell whether chunks of whole blocks are packed by the compiled kernel, from where they lie."""
    try:
        extension()
    except EngineUnavailable:
        return False
    return True


def _buffer(shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return this thread's memory for one chunk: new memory for each would take three times the copy itself."""
    if getattr(_KEPT, "form", None) != (shape, dtype):
        _KEPT.form, _KEPT.chunk = (shape, dtype), np.empty(shape, dtype)
    chunk: NDArray[Any] = _KEPT.chunk
    return chunk


def _is_empty(part: NDArray[Any]) -> bool:
    """Tell whether no bit is set, so that a negative zero counts as something."""
    bits = part.view(f"u{part.itemsize}")
    # Of a chunk at the edge of the disc a corner lies inside: most others need not be gone through.
    if bits[0, (0, 0, -1, -1), (0, -1, 0, -1)].any():
        return False
    return not any(plane.max() for plane in bits)


def checksum(content: bytes) -> bytes:
    """Return the CRC-32C that follows an index, or a chunk, of a shard, as it is stored."""
    import google_crc32c

    return struct.pack("<I", google_crc32c.value(content))


def remove_left_over(array: Path) -> None:
    """Remove shards that a process was writing when it was killed, once all of them are written anew.

    `array`: folder of a Zarr array.
    """
    for file in array.rglob(f"*{_UNFINISHED}"):
        file.unlink(missing_ok=True)


def _write_file(path: Path, contents: Iterator[Content]) -> None:
    """Write a file under another name and rename it; remove it where there is nothing to hold."""
    first = next(contents, None)
    if first is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{_UNFINISHED}")
    try:
        with partial.open("wb", buffering=0) as stream:
            place = 0
            for content in itertools.chain((first,), contents):
                write_at(stream.fileno(), content, place)
                place += len(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
