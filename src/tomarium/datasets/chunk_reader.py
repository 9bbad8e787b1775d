"""Boxes of a lazy array in a known order, each chunk of the array read once and kept until its last box is cut."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import CannotFit
from tomarium.model.image import Sliceable

AHEAD: Final = 12
"""Chunks that are asked for before they are needed."""
THREADS: Final = 6
MOST_BYTES: Final = 8 << 30
"""Most bytes of chunks that are kept at once."""

Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ChunkPlan:
    """Which chunks boxes of one shape need, and for how long.

    Attributes
    ----------
    data : array
        Lazy, three axes.
    starts : array of int64, shape (boxes, 3)
        First voxel of each box, in the order in which they are wanted.
    box : tuple of int
        Voxels of a box along each axis.
    """

    data: Sliceable
    starts: NDArray[np.int64]
    box: Triple

    @cached_property
    def shape(self) -> Triple:
        """Voxels of the array."""
        z, y, x = (int(length) for length in self.data.shape)
        return z, y, x

    @cached_property
    def chunk(self) -> Triple:
        """Voxels of a chunk; of an array without chunks, those of a box."""
        chunk_sizes = getattr(self.data, "chunks", None)
        sizes = (
            tuple(map(int, chunk_sizes))
            if isinstance(chunk_sizes, Sequence) and len(chunk_sizes) == 3
            else self.box
        )
        z, y, x = (min(size, length) for size, length in zip(sizes, self.shape, strict=True))
        return z, y, x

    @cached_property
    def counts(self) -> Triple:
        """Chunks along each axis."""
        z, y, x = (-(-length // size) for length, size in zip(self.shape, self.chunk, strict=True))
        return z, y, x

    @cached_property
    def needed(self) -> NDArray[np.int64]:
        """Numbers of the chunks of each box, shape (boxes, most chunks of a box); -1 where it needs fewer."""
        sizes = np.array(self.chunk)
        first, last = self.starts // sizes, (self.starts + np.array(self.box) - 1) // sizes
        reach = (last - first).max(axis=0, initial=0) + 1
        columns = []
        for step in itertools.product(*map(range, reach)):
            at = first + np.array(step)
            numbers = np.ravel_multi_index(tuple(np.minimum(at, last).T), self.counts).astype(np.int64)
            columns.append(np.where((at <= last).all(axis=1), numbers, -1))
        return np.stack(columns, axis=1)

    @cached_property
    def uses(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Chunks in the order of their first use, and the boxes that use each first and last."""
        flat = self.needed.ravel()
        boxes = np.repeat(np.arange(len(self.needed)), self.needed.shape[1])[flat >= 0]
        flat = flat[flat >= 0]
        chunks, first = np.unique(flat, return_index=True)
        _, back = np.unique(flat[::-1], return_index=True)
        order = np.argsort(first, kind="stable")
        return chunks[order], boxes[first][order], boxes[len(flat) - 1 - back][order]

    @property
    def peak_bytes(self) -> int:
        """Most bytes of chunks that are kept at once, without those that are read ahead."""
        _, first, last = self.uses
        alive = np.zeros(len(self.starts) + 1, np.int64)
        np.add.at(alive, first, 1)
        np.add.at(alive, last + 1, -1)
        bytes_of_chunk = math.prod(self.chunk) * np.dtype(self.data.dtype).itemsize
        return int(np.cumsum(alive).max(initial=0)) * bytes_of_chunk

    def region(self, number: int) -> tuple[slice, slice, slice]:
        """Return the voxels of a chunk."""
        place = np.unravel_index(number, self.counts)
        spans = (
            slice(int(k) * size, min((int(k) + 1) * size, length))
            for k, size, length in zip(place, self.chunk, self.shape, strict=True)
        )
        z, y, x = spans
        return z, y, x


def read_boxes(plan: ChunkPlan) -> Generator[NDArray[Any], None, None]:
    """Read boxes in their order.

    Parameters
    ----------
    plan : ChunkPlan
        Which boxes of which array.

    Yields
    ------
    array
        Of the shape of a box, C-contiguous, and nobody else's.

    Raises
    ------
    CannotFit
        More than 8 GiB of chunks would be kept at once.
    """
    if plan.peak_bytes > MOST_BYTES:
        raise CannotFit(
            f"{units.show(plan.peak_bytes, 'B', 3)} of chunks of {' × '.join(map(str, plan.chunk))} voxels would be "
            f"kept at once to read each once; take a coarser level, or fewer patches at a time by number="
        )
    chunks, first, last = plan.uses
    ends: dict[int, list[int]] = {}
    for chunk, box in zip(chunks.tolist(), last.tolist(), strict=True):
        ends.setdefault(box, []).append(chunk)
    needed_by = np.searchsorted(first, np.arange(len(plan.starts)), side="right")
    futures: dict[int, Future[NDArray[Any]]] = {}
    requested = 0

    def read(number: int) -> NDArray[Any]:
        return np.asarray(plan.data[plan.region(number)])

    with ThreadPoolExecutor(THREADS, "chunks") as threads:
        try:
            for box, numbers in enumerate(plan.needed.tolist()):
                for number in chunks[requested : needed_by[box] + AHEAD].tolist():
                    futures[number] = threads.submit(read, number)
                requested = max(requested, int(needed_by[box]) + AHEAD)
                parts = {number: futures[number].result() for number in numbers if number >= 0}
                yield _join_chunks(plan, plan.starts[box], parts)
                for number in ends.get(box, ()):
                    del futures[number]
        finally:
            for future in futures.values():
                future.cancel()


def _join_chunks(plan: ChunkPlan, start: NDArray[np.int64], chunks: dict[int, NDArray[Any]]) -> NDArray[Any]:
    box = np.empty(plan.box, plan.data.dtype)
    for number, content in chunks.items():
        source, target = [], []
        for low, length, part in zip(start.tolist(), plan.box, plan.region(number), strict=True):
            first, stop = max(low, part.start), min(low + length, part.stop)
            source.append(slice(first - part.start, stop - part.start))
            target.append(slice(first - low, stop - low))
        box[tuple(target)] = content[tuple(source)]
    return box
