"""Lazy frames in EDF files: only the rows that are asked for are read, unless the file is compressed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.edf.header import EdfBlock, all_blocks, first_block, is_compressed, opened_edf
from tomarium.formats.frames.per_frame import PerFrame, by_file, plain_cost


@dataclass(frozen=True, eq=False)
class EdfFrames(PerFrame):
    """A stack of EDF frames of one size."""

    places: tuple[tuple[Path, int], ...]  # file of each frame, and its number there, from 0
    size: tuple[int, int]  # rows and columns
    dtype: np.dtype[Any]  # type of a pixel in this machine's byte order
    compressed: bool = False  # whether the files are gzip or bzip2, so that one row costs a whole frame
    # What was learnt of each file, so that its headers are parsed once and not for every slab.
    _known: dict[Path, tuple[EdfBlock, ...]] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (len(self.places), *self.size)

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        for file, run in by_file([self.places[frame][0] for frame in wanted]):
            blocks = self._blocks(file)
            with opened_edf(file) as stream:
                for out in run:
                    block = self._block(file, blocks, self.places[wanted[out]][1])
                    stream.seek(block.offset + rows.start * self.size[1] * self.dtype.itemsize)
                    content = stream.read(result[out].nbytes)
                    if len(content) != result[out].nbytes:
                        raise FormatError(
                            f"{file}: is truncated: {result[out].nbytes} bytes of rows {rows.start} to "
                            f"{rows.stop} were looked for and {len(content)} found; copy it again"
                        )
                    result[out] = np.frombuffer(content, block.dtype).reshape(result.shape[1:])

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return what `read` costs for that many frames and these rows.

        Result: bytes read from disk, and bytes decompressed: a compressed frame is decoded from its
        beginning.
        """
        if not self.compressed:
            return plain_cost(self, frames, rows)
        sizes = [file.stat().st_size for file in {file for file, _ in self.places[:1]} if file.exists()]
        return frames * sum(sizes), frames * math.prod(self.size) * self.dtype.itemsize

    def _blocks(self, file: Path) -> tuple[EdfBlock, ...]:
        if file not in self._known:
            several = any(number for place, number in self.places if place == file)
            self._known[file] = all_blocks(file) if several else (first_block(file),)
        return self._known[file]

    def _block(self, file: Path, blocks: tuple[EdfBlock, ...], number: int) -> EdfBlock:
        block = blocks[number]
        if block.shape != self.size or block.dtype.newbyteorder("=") != self.dtype:
            raise FormatError(
                f"{file}: its frame {number} has {block.shape} pixels of {block.dtype.name}, the first frame of "
                f"the scan, in {self.places[0][0].name}, {self.size} of {self.dtype.name}; all must be alike, so "
                f"take it out of the scan"
            )
        return block


def edf_frames(files: Sequence[Path], first_file: tuple[EdfBlock, ...] = ()) -> EdfFrames:
    """Make a lazy stack of files, in their order.

    `files`: one or many. The headers of the first are parsed, and of the others where their size differs from
    it; the rest are parsed when they are read. `first_file`: the headers of the first file, where they were
    parsed already.
    """
    size = files[0].stat().st_size
    compressed = is_compressed(files[0])
    blocks_of = {files[0]: first_file or all_blocks(files[0])}
    several = len(blocks_of[files[0]]) > 1
    for file in files[1:]:
        if not file.is_file():
            raise FormatError(f"{file}: this file of the scan is absent; restore it")
        if several or (not compressed and file.stat().st_size != size):
            blocks_of[file] = all_blocks(file)
    first = blocks_of[files[0]][0]
    if len(first.shape) != 2:
        raise FormatError(f"{files[0]}: has {first.shape} pixels; a frame has rows and columns")
    frames = EdfFrames(
        tuple((file, number) for file in files for number in range(len(blocks_of.get(file, (first,))))),
        (first.shape[0], first.shape[1]),
        first.dtype.newbyteorder("="),
        compressed,
        blocks_of,
    )
    for file, blocks in blocks_of.items():
        for number in range(len(blocks)):
            frames._block(file, blocks, number)
    return frames
