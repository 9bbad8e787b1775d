"""Blocks: no voxel of one split lies in another, whatever the volume, the patch and the seed."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tomarium.datasets.patches import choose_patches
from tomarium.errors import ParameterError
from tomarium.kernels.spatial_blocks import SPLITS, cut, shares

lengths = st.tuples(*[st.integers(8, 64)] * 3)
sizes = (
    st.integers(1, 24)
    | st.tuples(st.integers(2, 24), st.integers(2, 24))
    | st.tuples(*[st.integers(1, 24)] * 3)
)


class Shape:
    """An array of which only the shape is known: nothing may be read."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype, self.chunks = shape, np.dtype(np.uint8), (16, 16, 16)

    def __getitem__(self, key: object) -> object:
        raise AssertionError("was read")


@settings(max_examples=15)
@given(
    shape=lengths,
    size=sizes,
    number=st.none() | st.integers(1, 40),
    seed=st.integers(0, 2**40),
    other=st.integers(0, 9),
)
def test_no_voxel_is_in_two_splits(
    shape: tuple[int, int, int], size: object, number: int | None, seed: int, other: int
) -> None:
    found = {}
    try:
        for split in SPLITS:
            found[split] = choose_patches(
                Shape(shape), None, size, split=split, number=number, seed=seed, split_seed=other
            )  # type: ignore[arg-type]
    except ParameterError:
        assume(False)
    box = np.array(found["train"].size)
    longest = int(box.max())
    places = {split: one.positions for split, one in found.items()}
    for split, at in places.items():
        assert len(at) == len(found[split]) > 0
        assert number is None or len(at) == number
        assert (at >= 0).all()
        assert (at + box <= shape).all()
    for first, second in itertools.combinations(places.values(), 2):
        draw = np.random.default_rng(seed)
        some = (
            first if len(first) <= 300 else draw.choice(first, 300, replace=False)
        )  # of millions, in memory
        for position in some:
            apart = np.abs(position - second) - box  # along each axis, voxels between two patches
            assert (apart.max(axis=1) >= longest).all()


@settings(max_examples=20)
@given(shape=lengths, seed=st.integers(0, 99))
def test_the_same_seed_gives_the_same_patches(shape: tuple[int, int, int], seed: int) -> None:
    try:
        first, again = (
            choose_patches(Shape(shape), None, 12, split="train", number=9, seed=seed) for _ in range(2)
        )
        other = choose_patches(Shape(shape), None, 12, split="train", number=9, seed=seed + 1)
    except ParameterError:
        assume(False)
    assert first.positions.tolist() == again.positions.tolist()
    assert first.blocks == other.blocks  # what is for training does not depend on what is drawn


def test_what_was_drawn_once_is_drawn_for_ever() -> None:
    """The numbers are those of SHA-256, so that they are the same on every machine and in every version."""
    chosen = choose_patches(Shape((96, 128, 160)), None, 16, split="validation", number=4, seed=7)
    assert chosen.positions.tolist() == [[24, 7, 101], [32, 4, 135], [19, 5, 105], [21, 8, 116]]
    of = "".join(block.split[1] for block in chosen.blocks)
    assert of == "rarerr"


def test_fractions_are_met_as_nearly_as_blocks_allow() -> None:
    blocks = cut((1024, 1024, 1024), (64, 64, 64), 64)
    given = shares(blocks)
    assert given["train"] == pytest.approx(0.7, abs=0.05)
    assert given["validation"] == pytest.approx(0.15, abs=0.05)
    assert sum(given.values()) == pytest.approx(1)
    kept = sum(math.prod(block.shape) for block in blocks) / 1024**3
    assert kept > 0.7
    alone = choose_patches(Shape((64, 64, 64)), None, 16, split="train", fractions=(1, 0, 0))
    assert len(alone) == 64  # one block, nothing lost


def test_all_patches_side_by_side_cover_a_block_once() -> None:
    chosen = choose_patches(Shape((128, 128, 128)), None, 16, split="train")
    filled = np.zeros((128, 128, 128), np.uint8)
    for z, y, x in chosen.positions:
        filled[z : z + 16, y : y + 16, x : x + 16] += 1
    assert filled.max() == 1
    for block in chosen.blocks:
        inside = filled[tuple(slice(*span) for span in zip(block.start, block.stop, strict=True))]
        assert bool(inside.mean() > 0.5) is (block.split == "train")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 64}, "has no 3 blocks for patches of 64 × 64 × 64 with gaps of 64"),
        ({"size": 0}, "size 0: give voxels of a cube"),
        ({"size": (1, 2, 3, 4)}, "give voxels of a cube"),
        ({"split": "tests"}, "split 'tests': give one of train, validation, test"),
        ({"number": 0}, "number 0: give how many patches"),
        ({"fractions": (0.5, 0.2)}, "give three numbers for train, validation and test that add up to 1"),
        ({"fractions": (1, 0, 0), "split": "test"}, "has the fraction 0"),
        ({"gap": -1}, "gap -1"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], said: str) -> None:
    asked = {"size": 8, "split": "train", **given}
    with pytest.raises(ParameterError, match=said):
        choose_patches(Shape((96, 96, 96)), None, **asked)  # type: ignore[arg-type]


def test_workers_take_parts_that_do_not_overlap() -> None:
    whole = choose_patches(Shape((96, 128, 160)), None, 16, split="train", number=50)
    parts = [whole.of_part(k, 3) for k in range(3)]
    assert sum(map(len, parts)) == 50
    found = sorted(place for part in parts for place in part.positions.tolist())
    assert found == sorted(whole.positions.tolist())
    again = [one for k in range(2) for one in parts[0].of_part(k, 2).positions.tolist()]
    assert sorted(again) == sorted(parts[0].positions.tolist())
    with pytest.raises(ParameterError, match="part 3 of 3"):
        whole.of_part(3, 3)
