"""The parts: windows, pairs, correlations, spectra, rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomarium.kernels.axis import sampled_rows
from tomarium.kernels.axis.fourier import scatter, spectrum
from tomarium.kernels.axis.opposite import band, mirror_correlation, opposite_pairs
from tomarium.kernels.axis.prepare import prepare
from tomarium.kernels.axis.window import overlap, taper, vertex
from tomarium.kernels.running_median import running_median


@settings(deadline=None)
@given(columns=st.integers(16, 200), share=st.floats(0.1, 0.9))
def test_overlap_mirrors_onto_itself(columns: int, share: float) -> None:
    axis = share * (columns - 1)
    seen = overlap(columns, axis)
    mirrored = 2 * axis - np.arange(columns)[seen]
    assert mirrored.min() >= -1e-5
    assert mirrored.max() <= columns - 1 + 1e-5
    for beyond in (seen.start - 1, seen.stop):
        assert beyond in (-1, columns) or not -1e-7 <= 2 * axis - beyond <= columns - 1 + 1e-7


@settings(deadline=None)
@given(half=st.integers(8, 60), twice=st.integers(0, 1))
def test_taper_mirrors_about_the_axis(half: int, twice: int) -> None:
    columns = 2 * half + 1 - twice
    weights = taper(columns, (columns - 1) / 2)
    np.testing.assert_allclose(weights, weights[::-1], atol=1e-6)
    assert weights.max() == pytest.approx(1)


@settings(deadline=None)
@given(place=st.floats(3.0, 6.0), bend=st.floats(0.1, 10))
def test_vertex_of_a_parabola(place: float, bend: float) -> None:
    values = bend * (np.arange(10.0) - place) ** 2
    assert vertex(values, int(np.argmin(values))) == pytest.approx(place, abs=1e-6)


def test_running_median_against_scipy() -> None:
    from scipy.ndimage import median_filter

    values = np.random.default_rng(0).normal(size=(3, 40))
    np.testing.assert_array_equal(running_median(values, 7), median_filter(values, (1, 7), mode="nearest"))


def test_pairs_are_interpolated_where_no_view_is_opposite() -> None:
    angles = np.arange(0, 357.1, 7.0)
    pairs = opposite_pairs(angles)
    between = angles[pairs.left] * (1 - pairs.share) + angles[pairs.right] * pairs.share
    np.testing.assert_allclose(between - angles[pairs.first], 180, atol=1e-4)
    assert np.all(pairs.lack_deg < 1e-6)


def test_half_a_turn_without_its_end_gives_the_nearest_pair() -> None:
    pairs = opposite_pairs(np.arange(0, 180.0))
    assert list(pairs.first) == [0]
    assert pairs.lack_deg[0] == pytest.approx(1)


@settings(deadline=None)
@given(axis=st.integers(40, 80), seed=st.integers(0, 50))
def test_mirror_correlation_is_one_at_the_axis(axis: int, seed: int) -> None:
    signal = np.random.default_rng(seed).normal(size=120).astype(np.float32)
    mirrored = np.zeros_like(signal)
    for u in range(120):
        if 0 <= 2 * axis - u < 120:
            mirrored[u] = signal[2 * axis - u]
    curve = mirror_correlation(signal, mirrored)
    assert np.argmax(curve[32:-32]) + 32 == 2 * axis
    assert curve[2 * axis] == pytest.approx(1, abs=1e-4)


def test_band_keeps_what_lies_between() -> None:
    u = np.arange(400)
    slow, middle, fast = (np.cos(2 * np.pi * u / period) for period in (400, 20, 3))
    inner = slice(60, -60)
    assert np.std(band(slow, 1, 8)[inner]) < 0.02
    assert np.std(band(middle, 1, 8)[inner]) > 0.5
    assert np.std(band(fast, 1, 8)[inner]) < 0.12


def half_turn(views: int, columns: int) -> np.ndarray:
    """Two blobs, one far out, seen over half a turn; nothing reaches the edges."""
    theta = np.pi * np.arange(views)[:, None] / views
    u = np.arange(columns) - (columns - 1) / 2 - 1.3
    far = np.exp(-(((u - 0.25 * columns * np.cos(theta)) / 1.5) ** 2))
    near = np.exp(-(((u + 0.1 * columns * np.sin(theta)) / 2.5) ** 2))
    return (far + 2 * near)[None].astype(np.float32)


@pytest.mark.parametrize("shift", [-4, 0, 3, 5])
def test_scatter_is_that_of_the_joined_turn(shift: int) -> None:
    """One multiplication gives what shifting, joining and transforming anew gives."""
    views, columns = 60, 64
    sinogram = half_turn(views, columns)
    spectra = spectrum(sinogram, (columns - 1) / 2, np.ones(columns, np.float32), free_of_static=False)
    assert spectra.weight.size > 50
    found = scatter(spectra, np.array([shift / 2]))[0, 0]

    own = sinogram[0].astype(np.float64) - sinogram.mean()
    halves = np.zeros((2, 2 * views, 2 * columns))
    halves[0, :views, 8 : columns + 8] = own
    halves[1, views:, 8 + shift : columns + 8 + shift] = own[:, ::-1]
    transforms = np.fft.fft2(halves)
    place = spectra.order, np.rint(spectra.frequency * 2 * columns).astype(int)
    together = np.abs(transforms.sum(axis=0))[place] @ spectra.weight
    apart = np.sqrt(np.sum(np.abs(transforms) ** 2, axis=0))[place] @ spectra.weight
    assert found == pytest.approx(together / apart, rel=1e-4)


def test_scatter_is_least_at_the_axis() -> None:
    spectra = spectrum(half_turn(60, 64), 31.5, taper(64, 31.5), free_of_static=False)
    shifts = np.arange(-4, 4.05, 0.1)
    curve = scatter(spectra, shifts)[0]
    assert shifts[np.argmin(curve)] == pytest.approx(1.3, abs=0.051)


def test_a_static_pattern_leaves_no_trace_in_the_free_spectrum() -> None:
    draw = np.random.default_rng(2)
    sinogram = half_turn(60, 64) + draw.normal(0, 0.01, (1, 60, 64)).astype(np.float32)
    pattern = draw.normal(size=64).astype(np.float32)
    shifts = np.arange(-2, 2.1, 0.5)
    plain, spotted = (
        spectrum(values, 31.5, taper(64, 31.5), free_of_static=True)
        for values in (sinogram, sinogram + pattern)
    )
    np.testing.assert_allclose(scatter(spotted, shifts), scatter(plain, shifts), atol=2e-3)


def test_prepare_takes_static_columns_out() -> None:
    draw = np.random.default_rng(3)
    p = draw.normal(0, 0.1, (90, 8, 64)).astype(np.float32)
    p[:, :, 20] += 5.0
    ready = prepare(p, np.arange(90.0) * 2, rows_per_group=8)
    assert np.abs(ready.attenuation[:, :, 20].mean()) < 0.05
    assert ready.static_ratio > 1
    assert ready.sinograms().shape == (1, 90, 64)


@settings(deadline=None)
@given(rows=st.integers(1, 3000), groups=st.integers(1, 7), size=st.integers(1, 12))
def test_sampled_rows_are_distinct_groups_of_neighbours(rows: int, groups: int, size: int) -> None:
    chosen = sampled_rows(rows, groups=groups, rows_per_group=size)
    assert chosen[0] >= 0
    assert chosen[-1] < rows
    assert np.all(np.diff(chosen) >= 1)
    width = min(size, rows)
    assert len(chosen) % width == 0
    assert len(chosen) // width == max(1, min(groups, rows // width))
    for group in chosen.reshape(-1, width):
        assert np.all(np.diff(group) == 1)


def test_sampled_rows_of_a_usual_detector() -> None:
    chosen = sampled_rows(2048)
    assert len(chosen) == 40
    assert chosen[0] == 204
    assert chosen[-1] == 1843
    assert list(sampled_rows(2)) == [0, 1]
