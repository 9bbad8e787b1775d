"""Rotations, sampling, mutual information and the coarse search against what they must be."""

import numpy as np
import pytest

from tomarium.compiled import extension
from tomarium.errors import EngineUnavailable
from tomarium.kernels.alignment.every_shift import search_every_shift
from tomarium.kernels.alignment.mutual_information import CLASSES, in_classes, mutual_information, range_of
from tomarium.kernels.alignment.refine import Pair, mapped, refine, small_motion
from tomarium.kernels.alignment.rotations import (
    angle_of,
    even_rotations,
    random_rotations,
    rotation,
    vector_of,
)
from tomarium.kernels.alignment.sampling import coarser, grid_of, sample
from tomarium.kernels.alignment.search import search
from tomarium.kernels.alignment.section_search import search_sections

DRAW = np.random.default_rng(0)


def test_rotations_are_rotations_and_go_back_to_their_vectors() -> None:
    for made in (*even_rotations(50), *random_rotations(50, DRAW), rotation(np.array([0, 0, np.pi - 1e-6]))):
        assert np.allclose(made @ made.T, np.eye(3))
        assert np.linalg.det(made) == pytest.approx(1)
        assert np.allclose(rotation(vector_of(made)), made, atol=1e-4)
    assert np.allclose(rotation(np.array([0, 0, np.pi / 2])) @ (1, 0, 0), (0, 1, 0))


def test_every_rotation_has_an_even_one_near_it() -> None:
    even = even_rotations(4608)
    for one in random_rotations(20, DRAW):
        nearest = even[np.argmax(np.einsum("ij,kij->k", one, even))]
        assert np.rad2deg(angle_of(one.T @ nearest)) < 15


def test_a_linear_field_is_sampled_exactly_with_its_slopes() -> None:
    grid = grid_of(np.zeros((5, 6, 7)), (1.0, 2.0, 3.0), (-1.0, 0.5, 2.0))
    places = grid.points()
    values = (places @ (2.0, -3.0, 0.5)).reshape(5, 6, 7)
    grid = grid_of(values, grid.spacing, grid.first)
    points = DRAW.uniform((-1, 0.5, 2), (5, 10.5, 14), (40, 3))
    found, slopes, inside = sample(grid, points)
    assert inside.all()
    assert np.allclose(found, points @ (2.0, -3.0, 0.5), atol=1e-4)
    assert np.allclose(slopes.T, (2.0, -3.0, 0.5), atol=1e-4)
    assert not sample(grid, np.array([[-1.1, 1, 3]]))[2].any()


def test_voxels_that_were_not_measured_are_outside() -> None:
    values = np.ones((4, 4, 4))
    values[2, 2, 2] = np.nan
    grid = grid_of(values, (1, 1, 1), (0, 0, 0))
    assert list(sample(grid, np.array([[0.5, 0.5, 0.5], [1.5, 1.5, 1.5]]))[2]) == [True, False]


def test_coarser_voxels_keep_their_place_and_mean() -> None:
    made = coarser(grid_of(DRAW.normal(size=(6, 8, 9)), (1, 1, 1), (0, 0, 0)), 2.0, 0.0)
    assert made.lengths == (4, 4, 3)
    assert np.allclose(made.first, 0.5)
    assert np.allclose(made.spacing, 2)


def test_slopes_of_the_information_are_its_differences() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(size=20_000).astype(np.float32)
    classes = in_classes((values**2 + 0.3 * draw.normal(size=20_000)).astype(np.float32), CLASSES)
    spread = range_of(values)
    told = mutual_information(values, classes, spread)
    push = np.where(values > 0.5, 0.1, 0.0).astype(np.float32)
    up, down = (mutual_information(values + sign * push, classes, spread).information for sign in (1, -1))
    assert (up - down) / 2 == pytest.approx(float(np.mean(told.slopes * push)), rel=0.1)


def test_information_of_unrelated_values_is_small_and_of_equal_ones_large() -> None:
    values, others = DRAW.normal(size=(2, 20_000)).astype(np.float32)
    spread = range_of(values)
    same = mutual_information(values, spread.levels(values, CLASSES), spread).information
    none = mutual_information(values, spread.levels(others, CLASSES), spread).information
    assert same > 50 * none
    assert none < 0.02


def _blobs(shape: tuple[int, int, int]) -> np.ndarray:
    made = DRAW.normal(size=shape)
    for axis in range(3):
        for _ in range(2):
            made = 0.25 * np.roll(made, 1, axis) + 0.5 * made + 0.25 * np.roll(made, -1, axis)
    return made


def test_the_search_finds_a_block_where_it_was_cut() -> None:
    volume = _blobs((16, 18, 20))
    part = grid_of(volume[3:11, 5:14, 6:16], (1, 1, 1), (0, 0, 0))
    turns = np.array([np.eye(3), np.diag([-1.0, -1, 1])])
    places = search(
        grid_of(volume, (1, 1, 1), (0, 0, 0)),
        in_classes(volume.astype(np.float32), 3),
        part.points(),
        in_classes(-part.values, 3).ravel(),
        turns,
    )
    assert places[0].orientation == 0
    # Its middle lies between voxels: the search is right to half of one.
    assert np.allclose(places[0].matrix[:3, 3], (6, 5, 3), atol=0.51)
    assert places[0].score > 2 * places[1].score


def test_the_search_finds_a_section_where_it_was_cut() -> None:
    volume = _blobs((15, 25, 25))
    cut = grid_of(volume[9:10, 4:18, 6:20], (1, 1, 1), (0, 0, 0))
    quarter = rotation(np.array([0, 0, np.pi / 2]))
    places = search_sections(
        grid_of(volume, (1, 1, 1), (0, 0, 0)),
        in_classes(volume.astype(np.float32), 3),
        cut.points(),
        in_classes(-cut.values, 3).ravel(),
        np.array([np.eye(3), rotation(np.array([np.pi / 2, 0, 0]))]),
        np.array([quarter, np.eye(3)]),
    )
    assert places[0].orientation == 1
    assert np.allclose(places[0].matrix[:3, 3], (6, 4, 9), atol=0.51)


@pytest.fixture(params=["plain", "v3", "v4"])
def instructions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    try:
        offered = extension().levels()
    except EngineUnavailable:
        offered = []
    if request.param not in offered:
        pytest.skip(f"the level {request.param} does not run here")
    monkeypatch.setenv("TOMARIUM_INSTRUCTIONS", request.param)
    return str(request.param)


def test_the_compiled_search_finds_what_that_by_fourier_transforms_finds(instructions: str) -> None:
    draw = np.random.default_rng(2)
    values = np.where(draw.uniform(size=(11, 12, 40)) < 0.02, np.nan, 0.0)
    volume, classes = grid_of(values, (1, 1, 1), (3, -2, 1)), draw.integers(0, 3, values.shape)
    points = grid_of(np.zeros((4, 6, 7)), (1, 1, 1), (0, 0, 0)).points()
    told = (volume, classes, points, draw.integers(0, 3, len(points)), even_rotations(6))
    expected, found = search(*told), search_every_shift(*told)
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-5)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one.matrix, other.matrix)


def test_the_compiled_search_looks_as_far_as_it_is_told(instructions: str) -> None:
    volume = _blobs((20, 20, 40))
    part = grid_of(volume[5:12, 6:14, 20:30], (1, 1, 1), (0, 0, 0))
    classes = in_classes(volume.astype(np.float32), 3), in_classes(part.values, 3).ravel()
    told = (grid_of(volume, (1, 1, 1), (0, 0, 0)), classes[0], part.points(), classes[1], np.eye(3)[None])
    middle = np.array([24.5, 9.5, 8.0])
    found = search_every_shift(*told, about=middle + 1.5, within=2.0)[0]
    assert np.allclose(found.matrix[:3, 3], (20, 6, 5), atol=0.51)
    elsewhere = search_every_shift(*told, about=middle + np.array([-8, 4, 4]), within=2.0)
    assert all(np.abs(one.matrix[:3, 3] - (12, 10, 9)).max() <= 3 for one in elsewhere)


def test_a_shifted_copy_is_refined_to_hundredths() -> None:
    volume = _blobs((24, 24, 24))
    fixed = grid_of(volume, (1, 1, 1), (0, 0, 0))
    points = DRAW.uniform(6, 17, (4000, 3))
    truth = small_motion(np.array([0.03, -0.02, 0.04, 0.6, -0.4, 0.5]), (0, 1, 2, 3, 4, 5), np.full(3, 11.5))
    values, _, _ = sample(fixed, mapped(truth, points))
    pair = Pair(fixed, range_of(fixed.values), points, range_of(values).levels(-values, CLASSES) % CLASSES)
    found = refine(pair, np.eye(4), rounds=60)
    assert found.settled
    assert np.abs(mapped(found.matrix - truth, points) + 0).max() < 0.05
