"""Patches of a volume for learning: where they lie, in which order they come, and that each chunk is read once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.datasets.chunk_reader import ChunkPlan, read_boxes
from tomarium.errors import ParameterError
from tomarium.kernels.drawing import draw, permutation
from tomarium.kernels.patch_places import drawn, side_by_side
from tomarium.kernels.spatial_blocks import FRACTIONS, SPLITS, Block, cut, shares
from tomarium.model.image import Sliceable

HELD_BYTES: Final = 128 << 20
"""Patches among which the next one is drawn have no more bytes together."""
MOST_HELD: Final = 256

Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch of a volume.

    Attributes
    ----------
    data : array
        Grey values, shape (z, y, x), or (y, x) of a patch of one slice.
    position : tuple of int
        Its first voxel in the level it was taken from, (z, y, x).
    labels : array or None
        Of the same shape, from the record of labels; None where none was given.
    """

    data: NDArray[Any]
    position: Triple
    labels: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Patches:
    """Patches of one split, in an order that reads each chunk once; going through them again gives the same.

    Attributes
    ----------
    data : array
        The level they are of, lazy.
    labels : array or None
        Labels on the same grid.
    size : tuple of int
        Voxels of a patch, (z, y, x).
    flat : bool
        Whether patches are of one slice, and given with two axes.
    split : str
        "train", "validation" or "test".
    blocks : tuple of Block
        Of all splits.
    gap : int
        Voxels between two blocks.
    number : int or None
        How many are drawn; None: all that fit side by side.
    seed : int
        Of what is drawn, and of the order.
    part : tuple of int
        Which part of how many these are: (0, 1) is all.
    """

    data: Sliceable
    labels: Sliceable | None
    size: Triple
    flat: bool
    split: str
    blocks: tuple[Block, ...]
    gap: int
    number: int | None = None
    seed: int = 0
    part: tuple[int, int] = (0, 1)

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Patch]:
        """Read patch after patch."""
        plans = [
            ChunkPlan(sliceable, self._order, self.size)
            for sliceable in (self.data, self.labels)
            if sliceable is not None
        ]
        read = [read_boxes(plan) for plan in plans]
        try:
            yield from self._shuffle(zip(self._order.tolist(), *read, strict=True))
        finally:
            for generator in read:
                generator.close()

    def __repr__(self) -> str:
        part_shares = shares(self.blocks)
        share_text = ", ".join(f"{name} {100 * part_shares[name]:.0f} %" for name in SPLITS)
        own = [block for block in self.blocks if block.split == self.split]
        how = "side by side" if self.number is None else f"drawn with seed {self.seed}"
        dtype = np.dtype(self.data.dtype)
        return "\n".join(
            [
                f"Patches {self.split}: {len(self)} of {_times_text(self.shape)} voxels ({dtype}), {how}",
                f"  of        {_times_text(self.data.shape)} voxels in chunks of {_times_text(self.plan.chunk)}",
                f"  blocks    {len(own)} of {len(self.blocks)}, with gaps of {self.gap} voxels; by voxels {share_text}",
                f"  to read   {len(self.plan.uses[0])} chunks, each once; "
                f"at most {units.show(self.plan.peak_bytes, 'B', 3)} kept at a time",
                f"  labels    {'yes' if self.labels is not None else 'none'}",
            ]
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data of a patch."""
        return self.size[1:] if self.flat else self.size

    @cached_property
    def plan(self) -> ChunkPlan:
        """Which chunks of the grey values are read when."""
        return ChunkPlan(self.data, self._order, self.size)

    @property
    def positions(self) -> NDArray[np.int64]:
        """First voxels of the patches in the order in which they come, shape (patches, 3)."""
        patches = list(self._shuffle((tuple(at), np.empty(0)) for at in self._order.tolist()))
        return np.array([patch.position for patch in patches], np.int64).reshape(-1, 3)

    def of_part(self, part: int, parts: int) -> Patches:
        """Take one part of the patches, as each of several workers does; all parts together are all of them.

        Parameters
        ----------
        part, parts : int
            Which, from 0, of how many.

        Returns
        -------
        Patches
            Neighbours stay together, so that few chunks are read by two parts.

        Raises
        ------
        ParameterError
            There is no such part.
        """
        if not 0 <= part < parts:
            raise ParameterError(f"part {part} of {parts}: give a part from 0 to {parts - 1}")
        outer, count = self.part
        return replace(self, part=(outer * parts + part, count * parts))

    def to_torch(self) -> Any:
        """Give a torch.utils.data.IterableDataset; see `tomarium.datasets.torch_dataset`."""
        from tomarium.datasets.torch_dataset import to_torch

        return to_torch(self)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """First voxels in the order in which they are read."""
        own = [block for block in self.blocks if block.split == self.split]
        if self.number is None:
            corners = [side_by_side(block, self.size) for block in own]
        else:
            corners = drawn(own, self.size, self.number, self.seed)
        chunk = np.array(_chunk_of(self.data, self.size))
        sorted_each = [
            block_corners[np.lexsort((*block_corners.T[::-1], *(block_corners // chunk).T[::-1]))]
            if len(block_corners)
            else block_corners
            for block_corners in corners
        ]
        order = permutation(len(own), self.seed, "order of blocks")
        whole = np.concatenate([sorted_each[k] for k in order] or [np.empty((0, 3), np.int64)])
        part, parts = self.part
        return whole[len(whole) * part // parts : len(whole) * (part + 1) // parts]

    def _shuffle(self, read: Iterator[Any]) -> Iterator[Patch]:
        """Draw each next patch among those that were read last: neighbours come apart, and the order is the seed's."""
        size = math.prod(self.size) * np.dtype(self.data.dtype).itemsize
        most = max(1, min(MOST_HELD, HELD_BYTES // size))
        buffered: list[Patch] = []
        for number in itertools.count():
            buffered += itertools.islice(map(self._patch, read), most - len(buffered))
            if not buffered:
                return
            chosen = draw(self.seed, "order", self.part, number)[0] % len(buffered)
            buffered[chosen], buffered[-1] = buffered[-1], buffered[chosen]
            yield buffered.pop()

    def _patch(self, read: Sequence[Any]) -> Patch:
        (z, y, x), *arrays = read
        own = [array[0] if self.flat and array.ndim == 3 else array for array in arrays]
        return Patch(own[0], (z, y, x), own[1] if len(own) > 1 else None)


def choose_patches(
    data: Sliceable,
    labels: Sliceable | None,
    size: int | Sequence[int],
    *,
    split: str,
    number: int | None = None,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    gap: int | None = None,
    split_seed: int = 0,
) -> Patches:
    """Choose patches of an array; arguments as of `Dataset.patches`.

    Raises
    ------
    ParameterError
        The size, the split, the number, the fractions or the gap cannot be, or the volume is too small.
    """
    flat, triple = _read_size(size)
    if split not in SPLITS:
        raise ParameterError(f"split {split!r}: give one of {', '.join(SPLITS)}")
    if number is not None and number < 1:
        raise ParameterError(
            f"number {number}: give how many patches to draw, at least 1, or leave it out for all"
        )
    room = max(triple) if gap is None else gap
    if room < 0:
        raise ParameterError(f"gap {gap}: give voxels between two blocks, at least 0")
    blocks = cut(data.shape, triple, room, fractions, split_seed)
    if not any(block.split == split for block in blocks):
        raise ParameterError(f"split {split!r} has the fraction 0 of the volume; give it more by fractions=")
    return Patches(data, labels, triple, flat, split, blocks, room, number, seed)


def _read_size(size: int | Sequence[int]) -> tuple[bool, Triple]:
    lengths = (size,) * 3 if isinstance(size, int) else tuple(size)
    whole = all(isinstance(value, int) and value > 0 for value in lengths)
    if not whole or len(lengths) not in (2, 3):
        raise ParameterError(
            f"size {size!r}: give voxels of a cube, 64, of a box, (32, 64, 64), or of a slice, (256, 256)"
        )
    z, y, x = (1, *lengths) if len(lengths) == 2 else lengths
    return len(lengths) == 2, (z, y, x)


def _chunk_of(data: Sliceable, size: Triple) -> Triple:
    return ChunkPlan(data, np.empty((0, 3), np.int64), size).chunk


def _times_text(lengths: Sequence[int]) -> str:
    return " × ".join(str(int(length)) for length in lengths)
