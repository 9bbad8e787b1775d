"""The ramp filter: its kernel, its windows, its padding."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.ramp import (
    filter_response,
    filter_rows,
    filtered_samples,
    good_length,
    ramp_response,
    window_response,
)

FREQUENCIES = np.linspace(0, 0.5, 101)


@given(st.integers(1, 20000))
def test_good_length_is_even_smooth_and_close(minimum: int) -> None:
    length = good_length(minimum)
    assert length >= minimum
    assert length % 2 == 0
    assert length <= max(2, 1.15 * minimum + 2)
    powers = [p for p in (2, 3, 5) for _ in range(round(log(length, p)) + 1)]
    rest = length
    for p in powers:
        rest = rest // p if rest % p == 0 else rest
    assert rest == 1


def test_ramp_is_close_to_the_frequency_and_positive_at_zero() -> None:
    response = ramp_response(512)
    np.testing.assert_allclose(response[1:-1], np.arange(1, 256) / 512, atol=5e-5)
    np.testing.assert_allclose(response[20:-20], np.arange(20, 237) / 512, atol=3e-7)
    # the tail that the padding cuts off: 2 / pi^2 times the sum of 1 / n^2 over odd n from 257 on
    assert response[0] == pytest.approx(2 / np.pi**2 / 512, rel=0.01)


@pytest.mark.parametrize("window", ["ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"])
def test_window_is_one_at_zero_and_falls_to_its_textbook_end(window: str) -> None:
    ends = {"ramp": 1, "shepp-logan": 2 / np.pi, "cosine": 0, "hamming": 0.08, "hann": 0, "parzen": 0}
    response = window_response(window, FREQUENCIES)  # type: ignore[arg-type]
    assert response[0] == 1
    assert response[-1] == pytest.approx(ends[window], abs=1e-12)
    assert (np.diff(response) <= 1e-12).all()
    half = window_response(window, FREQUENCIES, cutoff=0.5)  # type: ignore[arg-type]
    np.testing.assert_allclose(half[:51], response[::2], atol=1e-12)
    assert (half[51:] == 0).all()


def test_impulse_comes_back_as_the_kernel() -> None:
    impulse = np.zeros((1, 65))
    impulse[0, 32] = 1
    n = np.arange(65) - 32
    odd = n % 2 != 0
    kernel = np.where(odd, -1 / (np.pi * np.where(odd, n, 1.0)) ** 2, 0.0) + 0.25 * (n == 0)
    np.testing.assert_allclose(filter_rows(impulse)[0], kernel, atol=1e-15)


def test_edge_padding_leaves_a_constant_row_near_zero_and_zero_padding_does_not() -> None:
    row = np.ones((1, 100))
    assert abs(filter_rows(row, padding="edge")).max() < 1.1 * ramp_response(good_length(200))[0]
    assert filter_rows(row, padding="zero")[0, 0] > 0.05


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_keep_their_type_and_are_filtered_one_by_one(dtype: type) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 3, 50)).astype(dtype)
    found = filter_rows(rows, window="hann")
    assert found.dtype == dtype
    assert found.shape == rows.shape
    np.testing.assert_allclose(found[2, 1], filter_rows(rows[2, 1], window="hann"), atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(4, 60), st.integers(0, 5), st.sampled_from([2, 4]))
def test_oversampled_values_pass_through_the_pixels(seed: int, columns: int, left: int, times: int) -> None:
    row = np.random.default_rng(seed).normal(size=(1, columns))
    padded = good_length(2 * columns + 12)
    # divided by the response of the linear interpolation that reads it: undo that to compare
    response = filter_response(padded)
    response *= np.sinc(np.arange(len(response)) / (padded * times)) ** 2
    fine = filtered_samples(row, response, "zero", left, times, 1)
    coarse = filtered_samples(row, filter_response(padded), "zero", 0, 1, 1)
    found = fine[0, left * times : (left + columns) * times : times]
    np.testing.assert_allclose(found, coarse[0, :columns], atol=1e-12)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="no column"):
        filter_rows(np.zeros((3, 0)))
    with pytest.raises(ParameterError, match="padding"):
        filter_rows(np.zeros((3, 4)), padding="mirror")  # type: ignore[arg-type]
