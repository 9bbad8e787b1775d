"""Phases carried from a map into a volume: against the rock that was drawn, slabs, intervals, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from specimen_fusion import NAMES, Case, case
from tomarium import formats
from tomarium.errors import InputError
from tomarium.model import Volume
from tomarium.pipeline.segment import tiles
from tomarium.pipeline.segment.slabs import Smoothed
from tomarium.specimen.fusion import features
from tomarium.specimen.fusion import fuse as module
from tomarium.specimen.fusion.class_map import _variance, class_map, samples_of
from tomarium.specimen.fusion.classifier import GAP, PARTS, calibrated, folds_of, learn
from tomarium.specimen.fusion.coverage import sections_to_add, space_of
from tomarium.specimen.fusion.fuse import CONFIDENCE, LABELS, Fusion, fuse
from tomarium.specimen.fusion.judgement import _area, calibration_error, judge
from tomarium.specimen.fusion.report import report_of
from tomarium.specimen.image import image_of_array
from tomarium.specimen.pose import Pose, place

EDGE = 40


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def drawn() -> Case:
    return case(EDGE, 3)


@pytest.fixture(scope="module")
def fused(drawn: Case, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fusion]:
    folder = tmp_path_factory.mktemp("fused") / "out"
    return folder, fuse(drawn.volume, [drawn.map], folder)


def read(path: Path) -> NDArray[np.uint8]:
    opened = formats.open(path)
    assert isinstance(opened, Volume)
    return np.asarray(opened[...])


def test_phases_are_those_of_the_rock(drawn: Case, fused: tuple[Path, Fusion]) -> None:
    folder, fusion = fused
    labels, sure = read(folder / LABELS), read(folder / CONFIDENCE) / 100
    right = labels == drawn.truth
    grey_alone = max((drawn.truth == one).mean() for one in NAMES)
    assert right.mean() > grey_alone + 0.12
    assert right.mean() > 0.88
    # A confidence is what it says, over the whole volume; percent are cut, so half of one is given back.
    assert abs((sure + 0.005).mean() - right.mean()) < 0.05
    assert fusion.judgement.accuracy == pytest.approx(right.mean(), abs=0.06)
    assert fusion.counted.voxels.sum() == labels.size
    assert (np.bincount(labels.ravel(), minlength=5)[1:] == fusion.counted.voxels).all()


def test_the_volumes_lie_where_the_source_lies(drawn: Case, fused: tuple[Path, Fusion]) -> None:
    for name in (LABELS, CONFIDENCE):
        opened = formats.open(fused[0] / name)
        assert isinstance(opened, Volume)
        assert [axis.offset for axis in opened.axes] == pytest.approx([a.offset for a in drawn.volume.axes])
        assert opened.voxel_m == pytest.approx(drawn.volume.voxel_m)


def test_intervals_of_shares_hold_the_truth(drawn: Case, fused: tuple[Path, Fusion]) -> None:
    _, fusion = fused
    true = np.array([(drawn.truth == one).mean() for one in fusion.learned.phases])
    inside = (fusion.fractions[:, 1] - 0.01 <= true) & (true <= fusion.fractions[:, 2] + 0.01)
    assert inside.sum() >= 3
    assert fusion.on_maps[:, 0].sum() == pytest.approx(1)


def test_slabs_of_any_height_tell_the_same(
    drawn: Case, fused: tuple[Path, Fusion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "learn", lambda *_given: fused[1].learned)
    monkeypatch.setattr(module, "_HEIGHT", 16)
    monkeypatch.setattr(tiles, "HELD_BYTES", 50 * EDGE * EDGE * 4)
    monkeypatch.setattr(tiles, "LOWEST", 1)
    monkeypatch.setattr(tiles, "SIDE", 37)
    assert tiles.height_of(drawn.volume.shape, features.HALO) == 14
    again = fuse(drawn.volume, [drawn.map], tmp_path / "out")
    for name in (LABELS, CONFIDENCE):
        assert (read(tmp_path / "out" / name) == read(fused[0] / name)).all()
    assert again.counted.expected == pytest.approx(fused[1].counted.expected)


def test_a_stopped_run_goes_on(
    drawn: Case, fused: tuple[Path, Fusion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "learn", lambda *_given: fused[1].learned)
    monkeypatch.setattr(module, "_HEIGHT", 16)
    told: list[int] = []
    slab = module._label_slab

    def stop_at_the_third(*given: object) -> object:
        told.append(given[4][0])  # type: ignore[index]
        if len(told) == 3:
            raise KeyboardInterrupt
        return slab(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_label_slab", stop_at_the_third)
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        fuse(drawn.volume, [drawn.map], folder, account={"volume": "ct"})
    with pytest.raises(InputError, match="begun with another volume"):
        fuse(drawn.volume, [drawn.map], folder, account={"volume": "another"})
    fuse(drawn.volume, [drawn.map], folder, account={"volume": "ct"})
    assert told == [0, 16, 32, 32]
    assert (read(folder / LABELS) == read(fused[0] / LABELS)).all()


def test_a_map_of_another_rock_is_refused(tmp_path: Path) -> None:
    foreign = case(EDGE, 3, other=True)
    with pytest.raises(InputError, match="are by chance: the volume shows nothing of these phases"):
        fuse(foreign.volume, [foreign.map], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_phases_that_look_the_same_are_named(drawn: Case, fused: tuple[Path, Fusion]) -> None:
    """Pixels of olivine are called a fifth phase at random: no volume can tell these two apart."""
    fusion = fused[1]
    numbers = fusion.samples.classes.copy()
    numbers[(numbers == 1) & (np.random.default_rng(0).uniform(size=len(numbers)) < 0.5)] = 5
    mixed = replace(fusion.samples, classes=numbers)
    learned = learn(features.at_places(Smoothed(drawn.volume, 0.0), mixed.places, silent), mixed, silent)
    judged = judge(learned, mixed)
    assert [(one.one, one.other) for one in judged.pairs if one.separable is False] == [(1, 5)]
    shares = np.tile(fusion.fractions[:1], (5, 1))
    counted = replace(fusion.counted, voxels=np.ones(5, np.int64))
    told = replace(
        fusion,
        samples=mixed,
        learned=learned,
        judgement=judged,
        counted=counted,
        fractions=shares,
        on_maps=shares,
    )
    said = [
        one["text"] for one in report_of(told, NAMES, [{"name": "eds.tif"}])["sentences"] if not one["sure"]
    ]
    assert any("olivine and phase 5 cannot be told apart in this volume" in one for one in said)


def test_what_no_map_has_seen_is_counted_and_proposed(drawn: Case, fused: tuple[Path, Fusion]) -> None:
    """The uppermost slices are made brighter than anything on the map: planes that cross them are proposed."""
    seen, bright = fused[1].samples, EDGE - 6
    assert seen.places[:, 0].max() <= bright - 3 * max(
        features.forest.SCALES
    )  # their features do not feel it
    grey = np.asarray(drawn.volume[...]).copy()
    grey[bright:] += 3 + np.arange(EDGE)[:, None] // 4 % 2
    source = Smoothed(replace(drawn.volume, data=grey), 0.0)
    space = space_of(features.at_places(source, seen.places, silent), seen, folds_of(seen, seen.classes))
    z, y, x = np.indices(drawn.volume.shape)[:, ::2, ::2, ::2].reshape(3, -1)
    points = space.points(features.described(source.read(0, EDGE))[z, y, x])
    unlike = space.distance(points) > space.near
    assert unlike[z >= bright].mean() > 0.9
    assert unlike[z < bright - features.HALO].mean() < 0.1
    places = np.column_stack([x, y, z]) * 1e-3
    proposed = sections_to_add(space, points, places, np.ones(len(z)))
    assert len(proposed) == 3
    assert proposed[0].gain > proposed[1].gain > 1
    near = [(places - one.through_m) @ one.normal for one in proposed]
    crossed = [(z[np.abs(away) < 1.5e-3] >= bright).mean() for away in near]
    assert min(crossed) > (z >= bright).mean()


def test_the_report_is_json_and_plain(fused: tuple[Path, Fusion]) -> None:
    report = report_of(fused[1], NAMES, [{"name": "eds.tif"}])
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert [one["name"] for one in report["phases"]] == list(NAMES.values())
    assert sum(one["volume_share"] for one in report["phases"]) == pytest.approx(1, abs=1e-3)
    assert {one["sure"] for one in report["sentences"]} == {True, False}


def test_a_map_outside_says_where_it_lies(drawn: Case) -> None:
    away = drawn.map.pose.matrix.copy()
    away[0, 3] += 5e-3
    moved = replace(drawn.map, pose=replace(drawn.map.pose, matrix=away))
    with pytest.raises(InputError, match=r"lies outside of the volume: its middle is at 5\.\d+ mm"):
        samples_of([moved], drawn.volume)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((20, 20), 0.5), "no numbers of phases"),
        (np.zeros((20, 20)), "is 0 everywhere"),
        (np.arange(400).reshape(20, 20), "different values up to 399"),
        (np.ones((4, 20, 20)), "has 4 slices"),
    ],
)
def test_what_is_no_map_of_phases_is_refused(values: NDArray[np.float64], said: str) -> None:
    pose = Pose(np.eye(4), np.zeros((6, 6)), np.zeros(3))
    with pytest.raises(InputError, match=said):
        class_map(image_of_array(values, 1e-6), pose)


def test_one_phase_is_not_enough(drawn: Case) -> None:
    one = replace(drawn.map, image=replace(drawn.map.image, array=np.minimum(drawn.map.image.array, 1)))
    with pytest.raises(InputError, match="shows 1 phase"):
        samples_of([one], drawn.volume)


def test_samples_hold_the_phase_of_their_voxel(drawn: Case) -> None:
    found = samples_of([drawn.map], drawn.volume)
    right = drawn.truth[tuple(found.places.T)] == found.classes
    # Voxels off the plane of the map may have another phase; those that count are right.
    assert found.weights[~right].mean() < found.weights[right].mean() - 0.1
    assert (found.weights @ ~right) / found.weights.sum() < 0.9 * (~right).mean()
    assert len(np.unique(found.places, axis=0)) == len(found.places)


def test_the_variance_of_a_place_is_that_of_its_pose() -> None:
    random = np.random.default_rng(5)
    mixed = random.normal(size=(6, 6))
    pose = Pose(np.eye(4), mixed @ mixed.T, random.normal(size=3))
    points = random.normal(size=(5, 3))
    for point, variance in zip(points, _variance(pose, points), strict=True):
        assert variance == pytest.approx(np.trace(place(pose, point)[1]) / 3)


def test_features_of_places_are_those_of_the_whole(drawn: Case) -> None:
    source = Smoothed(drawn.volume, 0.0)
    found = samples_of([drawn.map], drawn.volume)
    whole = features.described(source.read(0, EDGE))
    assert whole.shape[-1] == len(features.NAMES)
    apart = features.at_places(source, found.places, silent)
    assert apart == pytest.approx(whole[tuple(found.places.T)], abs=2e-4)


def test_blocks_are_held_out_whole(drawn: Case) -> None:
    found = samples_of([drawn.map], drawn.volume)
    folds = folds_of(found, found.classes)
    assert len(np.unique(folds)) == PARTS
    for block in np.unique(found.blocks):
        assert len(np.unique(folds[found.blocks == block])) == 1
    assert max(features.forest.SCALES) == GAP


def test_a_calibration_makes_confidences_true() -> None:
    random = np.random.default_rng(0)
    logs = random.normal(scale=1.5, size=(20_000, 3))
    true = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    numbers = (random.uniform(size=(20_000, 1)) > true.cumsum(axis=1)).sum(axis=1)
    flat = true**0.5 / (true**0.5).sum(axis=1, keepdims=True)
    made = calibrated(flat, numbers, np.ones(20_000))
    assert made.power == pytest.approx(2, abs=0.1)
    assert calibration_error(flat, numbers)[0] > 0.08
    assert calibration_error(made(flat), numbers)[0] < 0.015


def test_the_area_is_that_of_all_pairs() -> None:
    random = np.random.default_rng(1)
    share, second = random.integers(0, 6, 60) / 5, random.uniform(size=60) < 0.4
    weight = random.uniform(size=60)
    pairs = share[second][:, None] - share[~second][None, :]
    each = weight[second][:, None] * weight[~second][None, :]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)) * each
    assert _area(share, second, weight) == pytest.approx(expected.sum() / each.sum())
