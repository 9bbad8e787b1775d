"""Networks of bodies whose lines, loops, lengths and radii are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.kernels.distance import distance
from tomarium.kernels.skeleton import skeleton
from tomarium.kernels.skeleton_network import Network, network, smoothed
from tomarium.kernels.thinning import joined, thinned

Mask = NDArray[np.bool_]
spatial = pytest.importorskip("scipy.spatial")
pytest.importorskip("skimage.morphology")


def tube(points: NDArray[np.float64], radius: float, side: int) -> Mask:
    """All voxels that are near to points which lie close together on a curve."""
    places = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    apart, _ = spatial.cKDTree(points).query(places, distance_upper_bound=radius + 1)
    return np.asarray(apart <= radius).reshape(side, side, side)


def straight(rng: np.random.Generator, radius: float, length: float = 60, side: int = 80) -> Mask:
    along = rng.normal(size=3)
    middle = side / 2 + rng.uniform(-0.5, 0.5, 3)
    steps = np.linspace(-length / 2, length / 2, 1200)[:, None]
    return tube(middle + steps * along / np.linalg.norm(along), radius, side)


def ring(rng: np.random.Generator, ring_radius: float, radius: float, side: int = 90) -> Mask:
    first, second, _ = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn = np.linspace(0, 2 * np.pi, 3000)[:, None]
    circle = ring_radius * (np.cos(turn) * first + np.sin(turn) * second)
    return tube(side / 2 + rng.uniform(-0.5, 0.5, 3) + circle, radius, side)


def lattice(cells: int, step: int, radius: float) -> Mask:
    """A cubic lattice of round bars, with bars at its outer faces too."""
    margin = int(radius) + 1
    side = cells * step + 2 * margin + 1
    axes = np.mgrid[:side, :side, :side] - margin
    mask = np.zeros((side,) * 3, bool)
    for along in range(3):
        rest = [axes[axis] for axis in range(3) if axis != along]
        inside = (axes[along] >= 0) & (axes[along] <= cells * step)
        for first in range(cells + 1):
            for second in range(cells + 1):
                square = (rest[0] - first * step) ** 2 + (rest[1] - second * step) ** 2
                mask |= inside & (square <= radius**2)
    return mask


def network_of(mask: Mask, prune: float = 1.0) -> Network:
    depth = distance(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    return network(thinned(mask), depth, prune=prune)


@pytest.mark.parametrize("seed", range(12))
def test_a_straight_tube_is_one_branch_of_its_length_and_radius(seed: int) -> None:
    rng = np.random.default_rng(seed)
    radius = rng.uniform(2.5, 5)
    found = network_of(straight(rng, radius))
    assert [branch.kind for branch in found.branches] == ["single"]
    assert [node.kind for node in found.nodes] == ["end", "end"]
    (branch,) = found.branches
    assert branch.length == pytest.approx(branch.distance, rel=0.013)
    assert branch.radii.mean() == pytest.approx(radius, abs=0.25)
    # The lines of a cylinder with round ends, 60 long between the middles of these, end about there.
    assert 54 < branch.distance < 62


@pytest.mark.parametrize("ring_radius", [8, 12, 20, 30])
@pytest.mark.parametrize("seed", range(4))
def test_a_ring_is_one_loop_of_its_length(ring_radius: float, seed: int) -> None:
    found = network_of(ring(np.random.default_rng(seed), ring_radius, 3))
    assert (len(found.nodes), len(found.branches), found.loops, found.pieces) == (1, 1, 1, 1)
    assert found.nodes[0].kind == "loop"
    assert found.branches[0].kind == "loop"
    assert found.branches[0].distance == 0
    assert found.branches[0].length == pytest.approx(
        2 * np.pi * ring_radius, rel=0.02 if ring_radius < 12 else 0.012
    )
    np.testing.assert_array_equal(found.branches[0].path[0], found.branches[0].path[-1])


@pytest.mark.parametrize("seed", range(4))
def test_a_helix_has_its_length(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, 6 * np.pi, 4000)
    radius, rise = 12.0, 3.0
    helix = np.stack([rise * turn, radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    points = helix - helix.mean(0) + 45 + rng.uniform(-0.5, 0.5, 3)
    found = network_of(tube(points, 2.5, 90))
    assert len(found.branches) == 1
    length = 6 * np.pi * np.hypot(radius, rise)
    assert found.branches[0].length == pytest.approx(length, rel=0.02)
    assert found.branches[0].length / found.branches[0].distance > 3


@pytest.mark.parametrize(("cells", "step", "radius"), [(2, 20, 3), (3, 14, 2.5), (3, 17, 4), (1, 30, 6)])
@pytest.mark.parametrize("prune", [0.0, 1.0])
def test_a_lattice_has_its_nodes_branches_and_loops(
    cells: int, step: int, radius: float, prune: float
) -> None:
    found = network_of(lattice(cells, step, radius), prune)
    corners = (cells + 1) ** 3
    bars = 3 * cells * (cells + 1) ** 2
    assert [node.kind for node in found.nodes] == ["junction"] * corners
    assert [branch.kind for branch in found.branches] == ["inner"] * bars
    assert found.loops == bars - corners + 1
    assert found.pieces == 1
    if cells > 1:  # the lines of the corner of a single cell lie inside of it
        assert np.mean([branch.length for branch in found.branches]) == pytest.approx(step, rel=0.025)
    degree = np.bincount([node for branch in found.branches for node in branch.nodes])
    assert (degree.min(), degree.max()) == (3, 6 if cells > 1 else 3)


@pytest.mark.parametrize("seed", range(6))
def test_loops_are_those_of_the_body(seed: int) -> None:
    """By Euler's number of the body, its pieces and its closed pores (Betti numbers)."""
    ndimage = pytest.importorskip("scipy.ndimage")
    measure = pytest.importorskip("skimage.measure")
    noise = np.random.default_rng(seed).normal(size=(64, 64, 64))
    body = ndimage.gaussian_filter(noise, 2.5) > (seed - 3) * 0.02
    padded = np.pad(body, 1)
    pieces = measure.label(padded, connectivity=3).max()
    closed = measure.label(~padded, connectivity=1).max() - 1
    loops = pieces + closed - measure.euler_number(padded, connectivity=3)
    for prune in (0.0, 1.0):
        found = network_of(body, prune)
        assert found.pieces == pieces
        assert found.loops == loops
        degree = np.bincount([n for b in found.branches for n in b.nodes], minlength=len(found.nodes))
        kinds = np.array([node.kind for node in found.nodes])
        assert (degree[kinds == "end"] == 1).all()
        assert (degree[kinds == "point"] == 0).all()
        assert (degree[kinds == "junction"] >= 2).all()


def test_spurs_are_left_out_and_real_branches_stay() -> None:
    z, y, x = np.mgrid[:40, :60, :90]
    trunk = ((z - 20) ** 2 + (y - 30) ** 2 <= 36) & (x > 5) & (x < 85)
    bump = (z - 20) ** 2 + (x - 30) ** 2 <= 4
    short = (
        bump & (y >= 30) & (y < 41)
    )  # 5 voxels beyond the surface: 11 from the middle, less than 2 radii of 6
    long = (z - 20) ** 2 + (x - 60) ** 2 <= 4
    long &= (y >= 30) & (y < 56)
    everything = network_of(trunk | short | long, 0)
    pruned = network_of(trunk | short | long, 2)
    assert sum(node.kind == "end" for node in everything.nodes) == 4
    assert sum(node.kind == "end" for node in pruned.nodes) == 3
    assert pruned.pruned >= 1
    (end_branch,) = [branch for branch in pruned.branches if branch.kind == "end" and branch.radii.mean() < 4]
    assert 18 < end_branch.length < 26
    assert pruned.loops == 0


def test_a_point_a_pair_and_nothing() -> None:
    mask = np.zeros((9, 9, 9), bool)
    assert network(mask) == Network((), (), 0, 0)
    mask[2, 2, 2] = mask[6, 6, 6] = mask[6, 6, 7] = True
    found = network(mask)
    assert sorted(node.kind for node in found.nodes) == ["end", "end", "point"]
    assert [(branch.kind, branch.length) for branch in found.branches] == [("single", 1.0)]
    assert found.pieces == 2


def test_small_pieces_are_not_lost() -> None:
    for side in range(1, 6):
        mask = np.zeros((12, 12, 12), bool)
        mask[3 : 3 + side, 3:5, 3:5] = True
        mask[9:11, 9:11, 9:11] = True
        assert network(thinned(mask)).pieces == 2


def test_of_pieces_that_voxels_fill_none_closes_a_loop() -> None:
    block = np.ones((2, 2, 2), bool)
    edges, lengths = joined(np.flatnonzero(block), (2, 2, 2))
    assert len(edges) == 7
    assert (lengths == 1).all()
    square = np.zeros((1, 3, 3), bool)
    square[0, [0, 1, 1, 2], [1, 0, 2, 1]] = True  # four voxels about a hole: a loop that nothing fills
    edges, lengths = joined(np.flatnonzero(square), (1, 3, 3))
    assert len(edges) == 4
    np.testing.assert_allclose(lengths, np.sqrt(2))


def test_a_straight_row_stays_and_ends_stay() -> None:
    row = np.stack([np.arange(30.0), np.zeros(30), np.zeros(30)], axis=1)
    np.testing.assert_allclose(smoothed(row), row, atol=1e-12)
    zigzag = row + np.array([0, 0.5, 0]) * (-1.0) ** np.arange(30)[:, None]
    found = smoothed(zigzag)
    np.testing.assert_array_equal(found[[0, -1]], zigzag[[0, -1]])
    assert np.abs(found[6:-6, 1]).max() < 0.15
    np.testing.assert_array_equal(smoothed(row[:2]), row[:2])


def test_the_length_of_an_object_is_that_of_its_smoothed_lines() -> None:
    """A row of voxels is longer: 10 % of these tubes in the middle."""
    rng = np.random.default_rng(3)
    for _ in range(6):
        tube_mask = straight(rng, 3)
        (branch,) = network_of(tube_mask).branches
        assert skeleton(tube_mask).length == pytest.approx(branch.distance, rel=0.013)
