"""Where the blocks of bitshuffled chunks lie, as far as reads have found them: rows below are read from there on.

A block tells only where the next one begins. A run takes its rows from the top down, slab by slab, and would read
every frame down to each slab again.
"""

from __future__ import annotations

import os
import struct
from array import array
from dataclasses import dataclass
from typing import Final

# Of a chunk: the bytes of all its elements and those of a block, big-endian; then the blocks. Each begins with the
# number of its packed bytes (https://github.com/kiyo-masui/bitshuffle, lz4_filters).
HEADER: Final = struct.Struct(">QI")
_SIZE: Final = 4
# Blocks from one place that is kept to the next.
_STEP: Final = 8


@dataclass(frozen=True)
class Start:
    """A block of a chunk: how many bytes of elements lie before it, and how many packed ones."""

    unpacked: int = 0
    packed: int = HEADER.size


@dataclass(frozen=True)
class _Found:
    block: int  # bytes of a block's elements
    places: array[int]  # where blocks 0, `_STEP`, 2 * `_STEP` ... begin, from the first byte of the chunk


class BlockPlaces:
    """Places that reads of one stack have found; those of a file are forgotten once it is written to."""

    def __init__(self) -> None:
        self._files: dict[tuple[int, int], tuple[tuple[int, int], ChunkPlaces]] = {}

    def __reduce__(self) -> tuple[type[BlockPlaces], tuple[()]]:
        return BlockPlaces, ()

    def of(self, descriptor: int) -> ChunkPlaces:
        """Return those of an open file."""
        state = os.fstat(descriptor)
        file, written = (state.st_dev, state.st_ino), (state.st_size, state.st_mtime_ns)
        held = self._files.get(file)
        if held is None or held[0] != written:
            held = self._files[file] = (written, ChunkPlaces())
        return held[1]


class ChunkPlaces:
    """Places within the chunks of a file. A thread may lose what another found at the same time; it is found again."""

    def __init__(self) -> None:
        self._found: dict[int, _Found] = {}

    def start(self, offset: int, first: int) -> tuple[Start, int]:
        """Return the last known block of a chunk before a byte of its elements, and the bytes of a block, 0 unknown."""
        found = self._found.get(offset)
        if found is None:
            return Start(), 0
        number = min(first // (found.block * _STEP), len(found.places) - 1)
        return Start(number * _STEP * found.block, found.places[number]), found.block

    def note(self, offset: int, packed: memoryview, start: Start, last: int) -> None:
        """Go through blocks that were read, to that of byte `last` of the elements, and keep some of their places.

        `packed`: a header and what follows it from `start` on.
        """
        found = self._found.get(offset)
        left, block = HEADER.unpack_from(packed)
        places = array("Q", found.places) if found is not None else array("Q", [HEADER.size])
        total, shift = start.unpacked + left, start.packed - HEADER.size
        number, at = start.unpacked // block, HEADER.size
        while (number + 1) * block <= min(last, total):
            at += _SIZE + int.from_bytes(packed[at : at + _SIZE], "big")
            number += 1
            if number == len(places) * _STEP:
                places.append(at + shift)
        if found is None or len(places) > len(found.places):
            self._found[offset] = _Found(block, places)

    def forget(self, offset: int) -> None:
        """Let go of what is known of a chunk."""
        self._found.pop(offset, None)
