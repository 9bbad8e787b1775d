"""Paganin's filter: its formula, its borders, what it makes of real fringes, and the same anywhere an array lies."""

import tracemalloc
from math import log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from tomarium.array import namespace
from tomarium.errors import InputError, ParameterError
from tomarium.kernels import paganin as kernel
from tomarium.kernels.paganin import Form, delta_beta, halo_pixels, length_m, paganin


def frames(seed: int, shape: tuple[int, int, int] = (3, 40, 50)) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0.2, 1.1, shape).astype(np.float32)


def plainly(transmission: NDArray[np.floating], length_px: float, mode: str) -> NDArray[np.float64]:
    """The formula in double precision, padded by far more than any tail of the filter."""
    far = [(0, 0), *((200, next_fast_len(n + 400, real=True) - n - 200) for n in transmission.shape[1:])]
    wide = np.pad(transmission.astype(np.float64), far, mode=mode)  # type: ignore[call-overload]
    f = np.hypot(np.fft.fftfreq(wide.shape[1])[:, None], np.fft.rfftfreq(wide.shape[2]))
    filtered = irfft2(rfft2(wide) / (1 + (length_px * f) ** 2), s=wide.shape[1:])
    return np.asarray(filtered[:, 200 : 200 + transmission.shape[1], 200 : 200 + transmission.shape[2]])


@pytest.mark.parametrize(("pad", "mode"), [("edge", "edge"), ("reflect", "symmetric")])
@pytest.mark.parametrize("length_px", [0.0, 0.7, 2.0, 25.0, 60.0])
@pytest.mark.parametrize("shape", [(3, 40, 50), (1, 1, 9), (2, 7, 1), (2, 31, 33)])
def test_it_is_the_formula_with_far_borders(
    length_px: float, pad: kernel.Pad, mode: str, shape: tuple[int, int, int]
) -> None:
    given_frames = frames(1, shape)
    found = paganin(given_frames, length_px=length_px, pad=pad)
    assert found.dtype == np.float32
    assert abs(found - plainly(given_frames, length_px, mode)).max() < 1e-4 * np.ptp(given_frames)


@pytest.mark.parametrize(("row_waves", "column_waves"), [(0, 3), (4, 0), (5, 11)])
def test_a_wave_is_damped_by_exactly_its_factor(row_waves: int, column_waves: int) -> None:
    # Even about the border, so that the mirror image continues the wave without a kink: cos(pi k (j + 1/2) / n)
    rows, columns, length_px = 60, 90, 8.0
    down, across = row_waves / (2 * rows), column_waves / (2 * columns)
    wave = np.outer(
        np.cos(2 * pi * down * (np.arange(rows) + 0.5)), np.cos(2 * pi * across * (np.arange(columns) + 0.5))
    )
    found = paganin(1 + 0.3 * wave[None], length_px=length_px, pad="reflect")
    factor = 1 / (1 + length_px**2 * (down**2 + across**2))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found[0], 1 + 0.3 * factor * wave, atol=2e-5)


def test_the_mean_is_kept() -> None:
    level = np.full((1, 30, 40), 0.37, np.float32)
    np.testing.assert_allclose(paganin(level, length_px=25), 0.37, rtol=1e-6)
    noisy = frames(2, (1, 200, 300))
    assert paganin(noisy, length_px=10, pad="reflect").mean() == pytest.approx(noisy.mean(), rel=1e-5)


def test_no_length_changes_nothing() -> None:
    np.testing.assert_allclose(paganin(frames(3), length_px=0), frames(3), atol=5e-7)


def test_noise_falls_as_the_filter_says() -> None:
    # White noise keeps the mean square of the response: the integral of 1 / (1 + L² f²)² over the plane, pi / L²
    length_px = 25.0
    draw = np.random.default_rng(4).normal(1, 0.01, (4, 400, 400)).astype(np.float32)
    left = np.std(paganin(draw, length_px=length_px)[:, 60:-60, 60:-60]) / 0.01
    assert left == pytest.approx(sqrt(pi) / length_px, rel=0.1)


def test_single_precision_is_enough() -> None:
    wide = frames(5, (1, 300, 500)).astype(np.float64)
    for length_px in (1.0, 25.0, 136.0):
        exact = paganin(wide, length_px=length_px)
        assert abs(paganin(wide.astype(np.float32), length_px=length_px) - exact).max() < 1e-6


@pytest.mark.parametrize("length_px", [0.5, 2.0, 6.0, 25.0, 60.0])
@pytest.mark.parametrize("kind", ["noise", "step", "flipped"])
def test_a_slab_equals_the_whole(length_px: float, kind: str) -> None:
    halo = halo_pixels(length_px)
    height = 4 * halo + 40
    whole = frames(6, (1, height, 48))
    if kind == "step":
        whole[:] = (np.arange(height) > height / 2)[None, :, None]
    filtered, allowed = paganin(whole, length_px=length_px), 1e-4 * np.ptp(whole)
    for first in (0, 1, halo // 2, height // 2 - 8, height - halo - 16, height - 16):
        start, stop = max(0, first - halo), min(height, first + 16 + halo)
        slab, expected = whole, filtered
        if kind == "flipped":  # what lies beyond the halo is another picture
            slab = whole.copy()
            slab[:, :start], slab[:, stop:] = 1.3 - slab[:, :start], 1.3 - slab[:, stop:]
            expected = paganin(slab, length_px=length_px)
        found = paganin(slab[:, start:stop], length_px, pad_rows=(start == 0, stop == height))
        assert abs(found[:, first - start :][:, :16] - expected[:, first : first + 16]).max() < allowed


def test_the_halo_is_nine_decay_lengths_and_no_less_would_do() -> None:
    for length_px in (25.0, 136.0):
        halo = halo_pixels(length_px)
        assert halo == pytest.approx(9.21 * length_px / (2 * pi), abs=7)
        height = 4 * halo
        step = np.zeros((1, height, 8))
        step[:, : height // 2 - halo] = 1
        step[:, height // 2 + halo + 1 :] = 1
        influence = paganin(step, length_px=length_px)[0, height // 2, 0]
        assert influence < 1e-4
        nearer = np.where(abs(np.arange(height) - height // 2) > halo // 2, 1.0, 0.0)[None, :, None]
        assert paganin(np.repeat(nearer, 8, axis=2), length_px=length_px)[0, height // 2, 0] > 3e-3
    assert halo_pixels(0) == 0


def propagated(thickness_m: NDArray[np.float64], pixel_m: float, fine: int) -> NDArray[np.float32]:
    """Intensity behind a thing of mu, delta and beta below by Fresnel's propagator, averaged over pixels."""
    wave = np.exp(-(0.5 * MU + 2j * pi / WAVELENGTH * DELTA) * thickness_m)
    f = np.fft.fftfreq(len(wave), pixel_m / fine)
    propagator = np.exp(-1j * pi * WAVELENGTH * DISTANCE * (f[:, None] ** 2 + f**2))
    intensity = abs(np.fft.ifft2(np.fft.fft2(wave) * propagator)) ** 2
    pixels = len(wave) // fine
    return intensity.reshape(pixels, fine, pixels, fine).mean((1, 3)).astype(np.float32)


ENERGY, DISTANCE, RATIO, MU = 25.0, 0.05, 300.0, 150.0  # keV, m, delta/beta, 1/m
WAVELENGTH = kernel.WAVELENGTH_M_KEV / ENERGY
DELTA = RATIO * MU * WAVELENGTH / (4 * pi)


@pytest.mark.parametrize("thing", ["ball", "step"])
def test_a_single_material_gets_its_thickness_back(thing: str) -> None:
    pixels, pixel_m, fine = 256, 1e-6, 4
    at = (np.arange(pixels * fine) - pixels * fine / 2 + 0.5) * pixel_m / fine
    if thing == "ball":
        fine_thickness = 2 * np.sqrt(np.clip((60e-6) ** 2 - at[:, None] ** 2 - at**2, 0, None))
    else:  # a plate with an edge as sharp as optics let it be, 1.5 px; periodic, as the propagator is
        edge = 0.5 * (np.tanh((at + 70e-6) / 1.5e-6) - np.tanh((at - 70e-6) / 1.5e-6))
        fine_thickness = 100e-6 * np.ones_like(at)[:, None] * edge
    truth = fine_thickness.reshape(pixels, fine, pixels, fine).mean((1, 3))
    seen = propagated(fine_thickness, pixel_m, fine)
    length_px = length_m(RATIO, ENERGY, DISTANCE) / pixel_m
    assert seen.max() > 1.1  # there are fringes
    found = -np.log(paganin(seen[None], length_px=length_px)[0]) / MU
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.01 * truth.max()
    slope = np.sum(found * truth) / np.sum(truth**2)
    assert slope == pytest.approx(1, abs=0.01)
    for wrong in (0, 0.5, 2):
        off = -np.log(paganin(seen[None], length_px=wrong * length_px)[0]) / MU
        assert np.sqrt(np.mean((off - truth) ** 2)) > 10 * np.sqrt(np.mean((found - truth) ** 2))


def test_length_and_ratio_are_inverse() -> None:
    # ESRF's documentation of PyHST2: L² = pi lambda R delta/beta, lambda in Å = 12.398 / keV
    assert length_m(500, 25, 0.1) == pytest.approx(sqrt(pi * 12.39842e-10 / 25 * 0.1 * 500), rel=1e-6)
    assert length_m(500, 25, 0.1) / 0.65e-6 == pytest.approx(136, abs=0.5)
    assert delta_beta(length_m(321, 17, 0.2), 17, 0.2) == pytest.approx(321)
    assert length_m(500, 25, -0.1) == length_m(500, 25, 0.1)
    with pytest.raises(ParameterError, match="energy_kev 0"):
        length_m(500, 0, 0.1)
    with pytest.raises(ParameterError, match="distance_m nan"):
        length_m(500, 20, float("nan"))


@pytest.mark.parametrize("pad", ["edge", "reflect"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_array_of_the_standard_gives_the_same(pad: kernel.Pad, dtype: str) -> None:
    strict = pytest.importorskip("array_api_strict")
    plain = frames(7).astype(dtype)
    given_frames = strict.asarray(plain)
    assert namespace(given_frames).__name__ == strict.__name__
    found = paganin(given_frames, length_px=5.0, pad=pad)
    assert found.dtype == getattr(strict, dtype)
    expected = paganin(plain, length_px=5.0, pad=pad)
    np.testing.assert_allclose(np.asarray(found), expected, atol=5e-7 if dtype == "float32" else 1e-14)
    with pytest.raises(InputError, match="NumPy arrays only"):
        paganin(given_frames, length_px=5.0, out=given_frames)
    with pytest.raises(InputError, match="not finite"):
        paganin(strict.asarray(plain * np.float32("nan")), length_px=5.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.floats(0, 30))
def test_threads_and_place_change_no_bit(angles: int, threads: int, length_px: float) -> None:
    given_frames = frames(8, (angles, 9, 21))
    expected = paganin(given_frames, length_px=length_px, threads=1)
    place = np.empty_like(given_frames)
    assert paganin(given_frames, length_px=length_px, threads=threads, out=place) is place
    np.testing.assert_array_equal(place, expected)
    in_place = given_frames.copy()
    paganin(in_place, length_px=length_px, threads=threads, out=in_place)
    np.testing.assert_array_equal(in_place, expected)


def test_scratch_is_a_frame_a_thread() -> None:
    given_frames = frames(9, (40, 200, 300))
    place = np.empty_like(given_frames)
    paganin(given_frames[:1], 10.0, out=place[:1])
    tracemalloc.start()
    paganin(given_frames, 10.0, threads=2, out=place)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    frame = 8 * 300 * 400  # padded, and its spectrum
    assert frame < taken < 6 * frame


def test_rows_that_are_cut_off_cost_no_padding() -> None:
    """Without an edge of the detector, a slab goes round: what it then shows at its borders is cut off."""
    rows = frames(10, (1, 128, 8))
    inner = paganin(rows, 4.0, pad_rows=(False, False))
    rolled = paganin(np.roll(rows, 40, axis=1), 4.0, pad_rows=(False, False))
    np.testing.assert_allclose(np.roll(inner, 40, axis=1), rolled, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint16, np.float16, np.float64])
def test_other_numbers_are_filtered_in_single_precision_or_their_own(dtype: type) -> None:
    numbers = (frames(11) * 100).astype(dtype)
    made = paganin(numbers, 5.0)
    assert made.dtype == (np.float64 if dtype is np.float64 else np.float32)
    np.testing.assert_allclose(made, paganin(numbers.astype(np.float32), 5.0), rtol=1e-5)
    place = np.empty(numbers.shape, np.float32)
    assert paganin(numbers, 5.0, out=place) is place
    np.testing.assert_allclose(made, place, rtol=1e-5)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        paganin(frames(0)[0], length_px=1)
    with pytest.raises(ParameterError, match="length_px is -1"):
        paganin(frames(0), length_px=-1)
    with pytest.raises(ParameterError, match="length_px is inf"):
        halo_pixels(float("inf"))
    with pytest.raises(ParameterError, match="no pad 'zero'"):
        paganin(frames(0), length_px=1, pad="zero")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="out is uint16"):
        paganin(frames(0), length_px=1, out=np.empty(frames(0).shape, np.uint16))
    broken = frames(0)
    broken[2, 5, 5] = np.inf
    with pytest.raises(InputError, match="frame 2 is not finite"):
        paganin(broken, length_px=1)
    assert paganin(frames(0)[:0], length_px=1).shape == (0, 40, 50)
    assert log(1e4) == pytest.approx(9.21, abs=1e-3)


@pytest.mark.parametrize("form", ["continuous", "discrete"])
def test_pixels_that_are_no_squares_are_filtered_by_the_same_length(form: Form) -> None:
    # A smooth image sampled at every second row is filtered as its rows between are.
    y, x = np.mgrid[-64:64, -64:64]
    fine = 1 - 0.5 * np.exp(-(x**2 + y**2) / (2 * 12.0**2))[None]
    whole = paganin(fine, 20.0, form="continuous")
    half = paganin(np.ascontiguousarray(fine[:, ::2]), 20.0, form=form, aspect=2.0)
    assert np.abs(half - whole[:, ::2]).max() < 2e-3 * (1 - whole.min())
    wrong = paganin(np.ascontiguousarray(fine[:, ::2]), 20.0, form=form)
    assert np.abs(wrong - whole[:, ::2]).max() > 0.05 * (1 - whole.min())
