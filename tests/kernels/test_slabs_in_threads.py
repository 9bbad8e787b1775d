"""What is done slab by slab is bit by bit what is done at once."""

import numpy as np
import pytest

from tomarium.kernels import slabs_in_threads, wall_thickness
from tomarium.kernels.slabs_in_threads import in_slabs


@pytest.mark.parametrize("depth", [1, 3, 4, 5, 9, 30])
def test_slabs_are_the_whole(monkeypatch: pytest.MonkeyPatch, depth: int) -> None:
    monkeypatch.setattr(slabs_in_threads, "SLAB_BYTES", 1)
    field = np.random.default_rng(depth).normal(size=(depth, 13, 17)).astype(np.float32)
    for function, halo in (
        (wall_thickness._no_steeper_than_one, 2),
        (wall_thickness._greatest_depth, 2),
        (wall_thickness._steepness, 1),
    ):
        assert np.array_equal(in_slabs(function, field, halo), function(field))


def test_a_depth_falls_by_no_more_than_the_distance_to_a_voxel_near_it() -> None:
    depth = np.full((9, 9, 9), 50.0, np.float32)
    depth[4, 4, 4] = 1.0
    found = wall_thickness._no_steeper_than_one(depth)
    z, y, x = np.abs(np.indices(depth.shape) - 4)
    near = np.maximum(np.maximum(z, y), x) <= 2
    low, middle, high = np.sort([z, y, x], axis=0)
    steps = (
        np.sqrt(3) * low + np.sqrt(2) * (middle - low) + (high - middle)
    )  # along edges and diagonals of voxels
    np.testing.assert_allclose(found[near], 1 + steps[near], rtol=1e-6)
    assert (found[~near] == 50).all()
