"""Bytes that are made when they are asked for, at places that are known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 1 << 20
"""Bytes given at once."""


@dataclass(frozen=True, eq=False)
class ByteTable:
    """A sequence of pieces of known lengths; any range of its bytes can be made without the others.

    Attributes
    ----------
    ends : array of int64, shape (pieces,)
        Where each piece ends, bytes from the beginning.
    make : callable
        `make(piece, first, stop)` yields the bytes first to stop - 1 of a piece; no range is empty.
    """

    ends: NDArray[np.int64]
    make: Callable[[int, int, int], Iterable[bytes]]

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Make a range of the bytes.

        Parameters
        ----------
        start : int
            First byte.
        stop : int, optional
            First byte that is not wanted; the end by default.

        Yields
        ------
        bytes
            Blocks of about 1 MiB, never empty; small pieces are put together.
        """
        parts: list[bytes] = []
        length = 0
        for part in self._parts(start, self.size if stop is None else stop):
            parts.append(part)
            length += len(part)
            if length >= BLOCK:
                yield part if len(parts) == 1 else b"".join(parts)
                parts, length = [], 0
        if length:
            yield b"".join(parts)

    def _parts(self, start: int, stop: int) -> Iterator[bytes]:
        piece = int(np.searchsorted(self.ends, start, side="right"))
        while start < stop:
            end = int(self.ends[piece])
            begin = int(self.ends[piece - 1]) if piece else 0
            if end > start:
                yield from self.make(piece, start - begin, min(stop, end) - begin)
            start, piece = max(start, end), piece + 1


def table_of(lengths: NDArray[Any], make: Callable[[int, int, int], Iterable[bytes]]) -> ByteTable:
    """Make a table of pieces.

    Parameters
    ----------
    lengths : array of int, shape (pieces,)
        Bytes of each piece.
    make : callable
        As in `ByteTable`.

    Returns
    -------
    ByteTable
        Of these pieces, in this order.
    """
    return ByteTable(np.cumsum(np.asarray(lengths, np.int64)), make)


def blocks_of(content: bytes | memoryview) -> Iterator[bytes]:
    """Cut bytes into blocks of 1 MiB.

    Parameters
    ----------
    content : bytes or memoryview
        Of single bytes.

    Yields
    ------
    bytes
        Each a block, the last one perhaps shorter.
    """
    view = memoryview(content)
    for first in range(0, len(view), BLOCK):
        yield bytes(view[first : first + BLOCK])
