"""Moments and histograms: twins agree, and both count what is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.kernels.engines import engines
from tomarium.kernels.image_statistics import disc_columns, histogram, moments

ENGINES = ["reference", "native"] if engines()["native"].available else ["reference"]


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 7), (64, 64), (33, 50)])
def test_the_disc_is_the_inscribed_one(shape: tuple[int, int]) -> None:
    first, last = disc_columns(*shape)
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    expected = y[:, None] ** 2 + x[None, :] ** 2 <= (min(shape) / 2) ** 2
    column = np.arange(shape[1])
    np.testing.assert_array_equal((column >= first[:, None]) & (column < last[:, None]), expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_known_image_is_counted(engine: str) -> None:
    image = np.array([[9, 1, 2, 9], [9, np.nan, -3, 9], [np.inf, 0.5, 0.25, 9]], np.float32)
    first, last = np.array([1, 1, 0], np.int32), np.array([3, 3, 3], np.int32)
    told = moments(image, first, last, engine=engine)  # type: ignore[arg-type]
    assert (told.count, told.not_finite, told.minimum, told.maximum) == (5, 2, -3.0, 2.0)
    assert told.sum == pytest.approx(0.75)
    assert told.sum_squares == pytest.approx(1 + 4 + 9 + 0.25 + 0.0625)
    counts = histogram(image, first, last, -1, -6, 11, engine=engine)  # type: ignore[arg-type]
    assert counts.tolist() == [1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1]


@pytest.mark.skipif(len(ENGINES) == 1, reason="the compiled kernels are not there")
@given(st.integers(0, 2**32 - 1), st.integers(-12, 6), st.integers(1, 40), st.integers(1, 40))
def test_the_twins_agree(seed: int, exponent: int, rows: int, columns: int) -> None:
    draw = np.random.default_rng(seed)
    image = draw.normal(0, 10, (rows, columns)).astype(np.float32)
    image[draw.random(image.shape) < 0.1] = draw.choice([np.nan, np.inf, -np.inf, 0.0])
    first, last = disc_columns(rows, columns)
    one, other = (moments(image, first, last, engine=e) for e in ("reference", "native"))
    assert (one.count, one.not_finite, one.minimum, one.maximum) == (
        other.count,
        other.not_finite,
        other.minimum,
        other.maximum,
    )
    assert other.sum == pytest.approx(one.sum, rel=1e-12, abs=1e-9)
    assert other.sum_squares == pytest.approx(one.sum_squares, rel=1e-12)
    counts = [histogram(image, first, last, exponent, -50, 100, engine=e) for e in ("reference", "native")]
    np.testing.assert_array_equal(*counts)


@pytest.mark.skipif(len(ENGINES) == 1, reason="the compiled kernels are not there")
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_whole_numbers_are_counted_as_they_are(dtype: str) -> None:
    numbers = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, (37, 53), dtype, endpoint=True)
    first, last = disc_columns(*numbers.shape)
    inside = numbers[numbers.shape[0] // 2, first[18] : last[18]].astype(float)
    told = moments(numbers[18:19], first[18:19], last[18:19], engine="native")
    assert (told.count, told.not_finite, told.sum) == (inside.size, 0, inside.sum())
    assert (told.minimum, told.maximum) == (inside.min(), inside.max())
    assert told.sum_squares == np.square(inside).sum()
    counts = [histogram(numbers, first, last, 3, 2, 1000, engine=e) for e in ("reference", "native")]  # type: ignore[arg-type]
    np.testing.assert_array_equal(*counts)
    assert counts[0].sum() > 0


def test_columns_outside_are_refused() -> None:
    if "native" not in ENGINES:
        pytest.skip("the compiled kernels are not there")
    image, first = np.zeros((2, 3), np.float32), np.zeros(2, np.int32)
    with pytest.raises(ValueError, match="columns must lie in the image"):
        moments(image, first, np.array([3, 4], np.int32), engine="native")
