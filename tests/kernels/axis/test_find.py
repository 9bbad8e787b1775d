"""The axis of random phantoms: right where it is sure, and not sure where it may be wrong."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.axis import AxisEstimate, find

Draw = Callable[[str, int], tuple[NDArray[np.float32], NDArray[np.float64], float]]
CLEAN = [
    "clean",
    "44 px off",
    "start -88.2",
    "2 rows",
    "181 views, no end",
    "91 views, no end",
    "360",
    "half",
]
HARD = [
    "I0=200",
    "3 % contrast",
    "10 % + spots 2 %",
    "3 % + spots 2 %",
    "local",
    "local, I0=200",
    "rings, local",
    "slope, local",
    "half, I0=200",
    "half, overlap 30 px",
]


def found(draw: Draw, name: str, seed: int) -> tuple[AxisEstimate, float]:
    attenuation, angles, axis = draw(name, seed)
    return find(attenuation, angles, rows_per_group=2), axis


@pytest.mark.parametrize("name", CLEAN)
def test_clean_scans(study: ModuleType, draw: Draw, name: str) -> None:
    estimate, axis = found(draw, name, 3)
    assert estimate.column == pytest.approx(axis, abs=0.1)
    assert estimate.confidence == "high"
    span = study.CASES[name].span_deg
    assert estimate.scan_type == ("half" if name == "half" else f"{span:.0f}")


def test_hard_scans_are_right_where_they_are_sure(draw: Draw) -> None:
    errors, confidences = [], []
    for name in HARD:
        estimate, axis = found(draw, name, 11)
        errors.append(abs(estimate.column - axis))
        confidences.append(estimate.confidence)
        if estimate.confidence == "low":
            assert any("agree" in note for note in estimate.notes)
    error, confidence = np.array(errors), np.array(confidences)
    assert error[confidence == "high"].max() <= 0.5
    assert np.count_nonzero(confidence == "high") >= len(errors) / 3
    assert np.median(error) < 0.15


@pytest.mark.parametrize("seed", range(6))
def test_noise_has_no_axis(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.05, (181, 40, 128)).astype(np.float32)
    assert find(noise, np.arange(181.0)).confidence == "low"


@pytest.mark.parametrize("name", ["local", "360", "half"])
def test_order_of_angles_does_not_matter(draw: Draw, name: str) -> None:
    attenuation, angles, _ = draw(name, 5)
    order = np.random.default_rng(0).permutation(len(angles))
    given = attenuation[order]
    assert find(given, angles[order], rows_per_group=2) == find(
        attenuation.copy(), angles, rows_per_group=2, overwrite=True
    )
    assert np.array_equal(given, attenuation[order])


def test_a_mirrored_detector_mirrors_the_axis(draw: Draw) -> None:
    attenuation, angles, _ = draw("local", 5)
    width = attenuation.shape[2]
    there, back = (
        find(attenuation, angles, rows_per_group=2),
        find(attenuation[:, :, ::-1], angles, rows_per_group=2),
    )
    assert back.column == pytest.approx(width - 1 - there.column, abs=0.02)


@pytest.mark.parametrize("cut", [1, 9, 30])
def test_a_cropped_detector_moves_the_axis(draw: Draw, cut: int) -> None:
    attenuation, angles, axis = draw("clean", 3)
    assert find(attenuation[:, :, cut:], angles, rows_per_group=2).column == pytest.approx(
        axis - cut, abs=0.1
    )


@pytest.mark.parametrize("factor", [-1.0, 0.01, 40.0])
def test_scale_and_sign_do_not_matter(draw: Draw, factor: float) -> None:
    attenuation, angles, axis = draw("clean", 3)
    assert find(attenuation * factor, angles, rows_per_group=2).column == pytest.approx(axis, abs=0.1)


def test_defects_are_mended_and_said(draw: Draw) -> None:
    attenuation, angles, axis = draw("clean", 3)
    random = np.random.default_rng(0)
    attenuation[random.random(attenuation.shape) < 2e-3] = np.nan
    attenuation[:, :, 50] = np.inf
    attenuation[:, 3] = 0.0
    angles[17] = np.nan
    before = attenuation.copy()
    estimate = find(attenuation, angles, rows_per_group=2)
    assert estimate.column == pytest.approx(axis, abs=0.15)
    said = " ".join(estimate.notes)
    assert all(word in said for word in ("not finite", "1 empty rows", "1 projections have no angle"))
    np.testing.assert_array_equal(attenuation, before)


def test_a_missing_wedge_does_not_hurt(draw: Draw) -> None:
    attenuation, angles, axis = draw("clean", 3)
    kept = (angles < 70) | (angles > 85)
    estimate = find(attenuation[kept], angles[kept], rows_per_group=2)
    assert estimate.column == pytest.approx(axis, abs=0.1)


def test_less_than_half_a_turn_is_never_trusted(draw: Draw) -> None:
    attenuation, angles, _ = draw("clean", 3)
    estimate = find(attenuation[angles < 150], angles[angles < 150], rows_per_group=2)
    assert estimate.confidence == "low"
    assert "less than half a turn" in " ".join(estimate.notes)


def test_a_moving_sample_is_seen_in_a_full_turn(draw: Draw) -> None:
    attenuation, angles, _ = draw("360", 5)
    columns = np.arange(attenuation.shape[2])
    for view, angle in enumerate(angles):
        aside = 6.0 * (angle / 360) ** 2
        for row in attenuation[view]:
            row[:] = np.interp(columns - aside, columns, row)
    estimate = find(attenuation, angles, rows_per_group=2)
    assert estimate.confidence != "high"
    assert "moves" in " ".join(estimate.notes)


def test_a_wrong_turn_is_not_trusted(draw: Draw) -> None:
    for seed in (12, 13, 14):
        attenuation, angles, axis = draw("local", seed)
        estimate = find(attenuation, angles / 2, rows_per_group=2)
        assert estimate.confidence == "low" or abs(estimate.column - axis) < 0.5


@pytest.mark.parametrize(
    ("shape", "angles", "word"),
    [
        ((20, 32), 20, "shape"),
        ((20, 4, 32), 19, "one angle"),
        ((4, 4, 32), 4, "too few"),
        ((20, 4, 8), 20, "too few"),
    ],
)
def test_what_cannot_be_searched_is_refused(shape: tuple[int, ...], angles: int, word: str) -> None:
    with pytest.raises(InputError, match=word):
        find(np.ones(shape), np.arange(float(angles)))


def test_rows_without_a_sample_are_refused() -> None:
    with pytest.raises(InputError, match="nothing varies"):
        find(np.zeros((20, 4, 32)), np.linspace(0, 180, 20))
