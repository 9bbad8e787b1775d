"""A few slices of a Zarr array whose chunks are many slices high, read past zarr-python.

Of shards of chunks that Blosc packed, as `chunk_writer` writes them, each chunk is read and its checksum compared, but
only the blocks that hold the slices are unpacked, by several threads.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.formats.zarr.blosc_part import unpack_part
from tomarium.formats.zarr.chunk_writer import ABSENT, Grid, checksum

_CHECKSUM: Final = 4  # bytes of a CRC-32C
Ranges = tuple[range, ...]


@dataclass(frozen=True)
class SomeSlices:
    """An array of three axes, as its metadata tell it."""

    grid: Grid
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    fill: Any
    checksums: bool  # whether one follows each chunk

    def read(self, key: Any) -> NDArray[Any] | None:
        """Read what a key of an array names; None where it names no few whole slices of chunks, or strange ones."""
        parts = key if isinstance(key, tuple) else (key,)
        if Ellipsis in parts or len(parts) > 3:
            return None
        parts = (*parts, *[slice(None)] * (3 - len(parts)))
        found = [_range(part, length) for part, length in zip(parts, self.shape, strict=True)]
        ranges = tuple(one for one in found if one is not None)
        if len(ranges) < 3 or 2 * len(ranges[0]) > self.grid.chunks[0]:
            return None
        values = np.full([len(one) for one in ranges], self.fill, self.dtype)
        with ThreadPoolExecutor(processors()) as pool:
            for place in _touched(ranges, self.grid.files):
                self._read_shard(values, ranges, place, pool)
        return values.reshape(
            [len(one) for one, part in zip(ranges, parts, strict=True) if isinstance(part, slice)]
        )

    def _read_shard(
        self, values: NDArray[Any], ranges: Ranges, place: tuple[int, ...], pool: ThreadPoolExecutor
    ) -> None:
        path = self.grid.file(place)
        if not path.resolve().is_relative_to(self.grid.path.resolve().parent):
            raise ValueError(f"{path.name} is a symbolic link that leads outside the volume's own folder")
        try:
            stream = path.open("rb", buffering=0)
        except FileNotFoundError:
            return
        with stream:
            index = self._index(stream.fileno())
            counts = index.shape[:3]
            first = [number * count for number, count in zip(place, counts, strict=True)]
            touched = [
                chunk
                for chunk in _touched(ranges, self.grid.chunks)
                if all(0 <= n - start < count for n, start, count in zip(chunk, first, counts, strict=True))
            ]
            wanted = [
                index[tuple(n - start for n, start in zip(chunk, first, strict=True))] for chunk in touched
            ]
            take = partial(self._read_chunk, values, ranges, stream.fileno())
            list(pool.map(take, touched, [(int(begin), int(size)) for begin, size in wanted]))

    def _index(self, file: int) -> NDArray[np.uint64]:
        """Read where each chunk of a shard lies, shape (z, y, x, 2): begin and size."""
        counts = [shard // chunk for shard, chunk in zip(self.grid.files, self.grid.chunks, strict=True)]
        size = 16 * math.prod(counts)
        begin = os.fstat(file).st_size - size - _CHECKSUM
        if begin < 0:
            raise ValueError("a shard is truncated")
        return np.frombuffer(_read(file, begin, size, checked=True), "<u8").reshape(*counts, 2)

    def _read_chunk(
        self, values: NDArray[Any], ranges: Ranges, file: int, chunk: tuple[int, ...], place: tuple[int, int]
    ) -> None:
        begin, size = place
        if (begin, size) == (ABSENT, ABSENT):
            return
        shape = self.grid.chunks
        here = [
            range(max(one.start, n * edge), min(one.stop, (n + 1) * edge))
            for one, n, edge in zip(ranges, chunk, shape, strict=True)
        ]
        z, y, x = (
            slice(one.start - n * edge, one.stop - n * edge)
            for one, n, edge in zip(here, chunk, shape, strict=True)
        )
        content = _read(file, begin, size - _CHECKSUM * self.checksums, checked=self.checksums)
        slice_bytes = shape[1] * shape[2] * self.dtype.itemsize
        part = unpack_part(content, shape[0] * slice_bytes, z.start * slice_bytes, z.stop * slice_bytes)
        target = tuple(
            slice(one.start - whole.start, one.stop - whole.start)
            for one, whole in zip(here, ranges, strict=True)
        )
        values[target] = np.frombuffer(part, self.dtype).reshape(-1, *shape[1:])[:, y, x]


def some_slices(path: Path, array: Any) -> SomeSlices | None:
    """Return what reads a few slices of an array as zarr-python opened it; None where it is stored in another way."""
    metadata = array.metadata
    if getattr(path, "zarr_store", None) is not None or metadata.zarr_format != 3 or array.ndim != 3:
        return None
    told = metadata.to_dict()
    keys = told["chunk_key_encoding"]
    [outer, *more] = told["codecs"]
    if (
        more
        or outer["name"] != "sharding_indexed"
        or keys != {"name": "default", "configuration": {"separator": "/"}}
    ):
        return None
    inner = [_named(codec) for codec in outer["configuration"]["codecs"]]
    index = [_named(codec) for codec in outer["configuration"]["index_codecs"]]
    plain = ("bytes little", "bytes") if array.dtype.itemsize == 1 else ("bytes little",)
    if inner[0] not in plain or inner[1:] not in (["blosc"], ["blosc", "crc32c"]):
        return None
    if index != ["bytes little", "crc32c"]:
        return None
    if outer["configuration"].get("index_location", "end") != "end":
        return None
    grid = Grid(path, tuple(array.chunks), tuple(array.shards))
    dtype = np.dtype(array.dtype).newbyteorder("<")
    return SomeSlices(grid, tuple(array.shape), dtype, array.fill_value, len(inner) == 3)


def _named(codec: Any) -> str:
    """Name a codec, with the order of its bytes where it tells one."""
    order = codec.get("configuration", {}).get("endian")
    return f"{codec['name']} {order}" if order else str(codec["name"])


def _range(part: Any, length: int) -> range | None:
    """Return the places along an axis that a part of a key names, neighbours all; else None."""
    if isinstance(part, int | np.integer) and not isinstance(part, bool) and -length <= part < length:
        return range(int(part) % length, int(part) % length + 1)
    if not isinstance(part, slice):
        return None
    start, stop, step = part.indices(length)
    return range(start, stop) if step == 1 and start < stop else None


def _touched(ranges: Ranges, edges: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """List the places of the tiles that hold something of the ranges."""
    return itertools.product(
        *(
            range(one.start // edge, (one.stop - 1) // edge + 1)
            for one, edge in zip(ranges, edges, strict=True)
        )
    )


def _read(file: int, begin: int, size: int, *, checked: bool) -> bytes:
    """Read bytes, and compare the CRC-32C behind them."""
    content = os.pread(file, size, begin) if 0 <= size < 1 << 40 and begin < 1 << 62 else b""
    if len(content) != size:
        raise ValueError(f"a shard ends before the {size} bytes at {begin} that its index tells of")
    if checked and os.pread(file, _CHECKSUM, begin + size) != checksum(content):
        raise ValueError(
            f"the checksum of {size} bytes at {begin} of a shard is another than that written with them"
        )
    return content
