"""One dark or flat field out of many frames."""

import numpy as np
import pytest

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.reference_fields import reduce_references


@pytest.mark.parametrize("seed", range(5))
def test_clipped_mean_is_less_noisy_than_the_median(seed: int) -> None:
    frames = np.random.default_rng(seed).poisson(4000, (20, 60, 70)).astype(np.uint16)
    found = reduce_references(frames, "flat") - 4000.0
    median = np.median(frames, axis=0) - 4000.0
    assert found.std() == pytest.approx(np.sqrt(4000 / 20), rel=0.05)
    assert found.std() < 0.9 * median.std()
    assert abs(found.mean()) < 4 * np.sqrt(4000 / 20 / found.size)


@pytest.mark.parametrize(("kind", "count"), [("flat", 20), ("flat", 5), ("dark", 20), ("dark", 5)])
def test_zingers_leave_no_trace(kind: str, count: int) -> None:
    random = np.random.default_rng(3)
    clean = random.poisson(1000, (count, 30, 40)).astype(np.uint16)
    struck = clean.copy()
    for _ in range(60):
        struck[random.integers(count), random.integers(30), random.integers(40)] = 60000
    found = reduce_references(struck, kind).astype(float)  # type: ignore[arg-type]
    assert abs(found - clean.mean(axis=0)).max() < 6 * np.sqrt(1000 / count)


def test_few_frames_give_their_mean() -> None:
    frames = np.stack([np.full((2, 3), 10, np.uint16), np.full((2, 3), 13, np.uint16)])
    np.testing.assert_array_equal(reduce_references(frames, "flat"), 11.5)
    np.testing.assert_array_equal(reduce_references(frames[:1], "dark"), 10)


def test_mean_of_a_quiet_dark_field_is_not_its_mode() -> None:
    frames = np.array([100, 100, 100, 100, 101], np.uint16).reshape(5, 1, 1)
    np.testing.assert_allclose(reduce_references(frames, "dark"), 100.2, rtol=1e-6)


def test_values_that_are_not_finite_are_left_out() -> None:
    frames = np.full((9, 1, 3), 7.0, np.float32)
    frames[0, 0, 0], frames[:4, 0, 1], frames[:, 0, 2] = np.inf, np.nan, np.nan
    for part in (frames, frames[:6], frames[:2]):
        found = reduce_references(part, "flat")[0]
        assert found[0] == 7
        assert np.isnan(found[2])
    assert reduce_references(frames, "flat")[0, 1] == 7


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        reduce_references(np.zeros((0, 3, 4)), "dark")
    with pytest.raises(InputError, match="shape"):
        reduce_references(np.zeros((3, 4)), "dark")
    with pytest.raises(ParameterError, match="kind"):
        reduce_references(np.zeros((3, 4, 5)), "white")  # type: ignore[arg-type]
