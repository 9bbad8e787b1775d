"""A volume cut into blocks with gaps between, each block for training, validation or test.

Patches drawn anywhere in one volume overlap, and those that do not still show the same grain or crack: a model that is
tested on neighbours of what it has learned looks better than it is (Roberts et al. 2017, "Cross-validation strategies
for data with temporal, spatial, hierarchical, or phylogenetic structure", doi:10.1111/ecog.02881). So whole blocks go
to one split, and between two blocks lies a gap that no patch touches.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tomarium.errors import ParameterError
from tomarium.kernels.drawing import permutation

SPLITS: Final = ("train", "validation", "test")
FRACTIONS: Final = (0.7, 0.15, 0.15)
MOST_PER_AXIS: Final = 8
ENOUGH: Final = 14
"""Blocks with which shares of 70, 15 and 15 % can be met well; more of them cost more gaps."""

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Block:
    """A box of voxels.

    Attributes
    ----------
    start, stop : tuple of int
        First voxel, and the first beyond, (z, y, x).
    split : str
        "train", "validation" or "test".
    """

    start: Triple
    stop: Triple
    split: str

    @property
    def shape(self) -> Triple:
        """Voxels along each axis."""
        z, y, x = (high - low for low, high in zip(self.start, self.stop, strict=True))
        return z, y, x


def cut(
    shape: Sequence[int],
    patch: Triple,
    gap: int,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
) -> tuple[Block, ...]:
    """Cut a volume into blocks, and give each to a split.

    Of all ways to cut the axes into up to 8 parts each, the one is taken that keeps the most whole patches, where
    fewer than 14 blocks count against it.

    Parameters
    ----------
    shape : sequence of int
        Voxels (z, y, x).
    patch : tuple of int
        Voxels of a patch (z, y, x).
    gap : int
        Voxels between two blocks, along every axis.
    fractions : sequence of float
        Of train, validation and test; a split with 0 gets no block.
    seed : int
        Another seed gives other blocks to the splits.

    Returns
    -------
    tuple of Block
        In the order z, y, x; each holds at least one patch.

    Raises
    ------
    ParameterError
        The volume is too small for as many blocks as there are splits, or the fractions are none.
    """
    shares_wanted = _checked(fractions)
    needed = sum(value > 0 for value in shares_wanted)
    lengths = [int(length) for length in shape]
    counts = range(1, MOST_PER_AXIS + 1)
    along = [
        [_kept(length, value, count, gap) for count in counts]
        for length, value in zip(lengths, patch, strict=True)
    ]
    patches_by_counts = {
        way: math.prod(patch_counts[count - 1] for patch_counts, count in zip(along, way, strict=True))
        for way in itertools.product(counts, repeat=3)
    }
    good = [way for way, value in patches_by_counts.items() if value and math.prod(way) >= needed]
    if not good:
        raise ParameterError(
            f"a volume of {_times(lengths)} voxels has no {needed} blocks for patches of {_times(patch)} with gaps of "
            f"{gap} between; give smaller patches, a finer level, or fractions such as (1, 0, 0) for one split alone"
        )
    best = max(
        good,
        key=lambda way: (patches_by_counts[way] ** 2 * min(math.prod(way), ENOUGH), -math.prod(way), way),
    )
    spans = [_spans(length, count, gap) for length, count in zip(lengths, best, strict=True)]
    boxes = list(itertools.product(*spans))
    splits = _assigned(len(boxes), shares_wanted, seed)
    return tuple(
        Block((z[0], y[0], x[0]), (z[1], y[1], x[1]), split)
        for (z, y, x), split in zip(boxes, splits, strict=True)
    )


def shares(blocks: Sequence[Block]) -> Mapping[str, float]:
    """Tell which share of the voxels in blocks each split has, which is as near to what was asked as blocks allow.

    Parameters
    ----------
    blocks : sequence of Block
        As `cut` returns them.

    Returns
    -------
    Mapping of str to float
        Split → share, 0 to 1.
    """
    total = sum(math.prod(block.shape) for block in blocks)
    return {
        split: sum(math.prod(block.shape) for block in blocks if block.split == split) / total
        for split in SPLITS
    }


def _checked(fractions: Sequence[float]) -> tuple[float, ...]:
    parts = tuple(float(fraction) for fraction in fractions)
    if (
        len(parts) != len(SPLITS)
        or not all(0 <= value <= 1 for value in parts)
        or not math.isclose(sum(parts), 1)
    ):
        raise ParameterError(
            f"fractions {parts}: give three numbers for train, validation and test that add up to 1, (0.7, 0.15, 0.15)"
        )
    return parts


def _kept(length: int, patch: int, count: int, gap: int) -> int:
    """Count the whole patches along an axis that is cut into so many blocks."""
    patch_counts = [(stop - start) // patch for start, stop in _spans(length, count, gap)]
    return sum(patch_counts) if all(patch_counts) else 0


def _spans(length: int, count: int, gap: int) -> list[tuple[int, int]]:
    usable = max(0, length - (count - 1) * gap)
    ends = [usable * number // count for number in range(count + 1)]
    return [
        (first + number * gap, stop + number * gap)
        for number, (first, stop) in enumerate(itertools.pairwise(ends))
    ]


def _assigned(count: int, fractions: Sequence[float], seed: int) -> list[str]:
    """Give each block to a split: at least one to each that has a fraction, the others by the largest remainder."""
    exact = [count * fraction for fraction in fractions]
    numbers = [max(int(value), 1) if value > 0 else 0 for value in exact]
    while sum(numbers) < count:
        behind = max(range(len(numbers)), key=lambda k: (exact[k] - numbers[k], -k))
        numbers[behind] += 1
    while sum(numbers) > count:
        ahead = max(range(len(numbers)), key=lambda k: (numbers[k] > 1, numbers[k] - exact[k], -k))
        numbers[ahead] -= 1
    splits = [split for split, number in zip(SPLITS, numbers, strict=True) for _ in range(number)]
    given = [""] * count
    for place, split in zip(permutation(count, seed, "blocks"), splits, strict=True):
        given[place] = split
    return given


def _times(lengths: Sequence[int]) -> str:
    return " × ".join(map(str, lengths))
