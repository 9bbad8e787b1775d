"""Phase retrieval from several distances: true waves, its limit, noise, and where images lie in each other."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.ctf import retrieve, retrieve_and_judge, transfer
from tomarium.kernels.fresnel import chirp, propagate
from tomarium.kernels.paganin import length_m, paganin
from tomarium.kernels.registration import find_shift, placement

SIZE, PIXEL, ENERGY, FINE = 160, 1e-6, 20.0, 2
DISTANCES = (0.01, 0.03, 0.08, 0.2)


@cache
def thing() -> NDArray[np.float64]:
    """Balls and a bubble in air, largest thickness 1, on the fine grid."""
    y, x = (np.mgrid[: SIZE * FINE, : SIZE * FINE] - SIZE * FINE / 2 + 0.5) / FINE
    thickness = np.zeros_like(y)
    for row, column, radius, sign in [
        (0, 0, 32, 1),
        (12, -9, 11, -1),
        (-18, 12, 6, 1.0),
        (44, 37, 8, 0.8),
        (-38, -31, 12, 0.5),
    ]:
        inside = np.clip(radius**2 - (y - row) ** 2 - (x - column) ** 2, 0, None)
        thickness += 2 * sign * np.sqrt(inside)
    return np.asarray(thickness / thickness.max())


def binned(fine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(fine.reshape(SIZE, FINE, SIZE, FINE).mean((1, 3)))


@cache
def seen(most: float, delta_beta: float | None) -> NDArray[np.float64]:
    """Intensity at each distance by Fresnel's propagator, on a grid twice as fine as the pixels."""
    shift = most * thing()
    wave = np.exp(-(0 if delta_beta is None else 1 / delta_beta) * shift - 1j * shift)
    return np.stack([binned(abs(propagate(wave, PIXEL / FINE, ENERGY, d)) ** 2) for d in DISTANCES])


def error(found: NDArray[np.floating], most: float) -> float:
    truth = most * binned(thing())
    return float(np.sqrt(np.mean((found - truth) ** 2) / np.mean(truth**2)))


@pytest.mark.parametrize("delta_beta", [20.0, 100.0, 500.0, None])
@pytest.mark.parametrize("most", [0.1, 3.0])
def test_four_distances_give_the_phase_of_a_true_wave(most: float, delta_beta: float | None) -> None:
    known = transfer((SIZE, SIZE), DISTANCES, PIXEL, ENERGY, delta_beta=delta_beta)
    images = seen(most, delta_beta)
    found = retrieve(images, known)
    assert error(found, most) < 0.01
    truth = most * binned(thing())
    assert np.sum(found * truth) / np.sum(truth**2) == pytest.approx(1, abs=0.01)
    first = error(retrieve(images, known, iterations=0), most)
    assert error(found, most) <= first + 0.002  # refined, where the first order is not right
    if most == 3 and delta_beta == 20:
        assert first > 0.08


def test_noise_is_not_raised_where_the_transfer_is_zero() -> None:
    """At 10⁴ photons the rms error is what the regularised transfer function passes, however often it is refined."""
    known = transfer((SIZE, SIZE), DISTANCES, PIXEL, ENERGY, delta_beta=100.0)
    whole = replace(known, shape=known.padded, margin=(0, 0))  # periodic: nothing goes on beyond it
    # White noise of variance 10⁻⁴ through sum s / (2 sum s² + alpha): Parseval over the frequencies of the frame.
    passed = (
        sum(known.factors(k).astype(np.float64) ** 2 for k in range(4))
        * known.inverse.astype(np.float64) ** 2
    )
    both = np.concatenate([passed, passed[:, 1:-1]], axis=1)
    draw, times = np.random.default_rng(0), 4
    spread = np.sqrt(
        np.sum(both**2) / np.sum(both) ** 2 * 2 / times
    )  # of a mean square of so many frequencies
    for iterations in (0, 3):
        light = draw.poisson(1e4, (times, 4, *whole.shape)) / 1e4
        left = [retrieve(one, whole, iterations=iterations) for one in light]
        assert np.mean(np.square(left)) == pytest.approx(1e-4 * np.mean(both), rel=4 * spread + 0.02)
    assert spread < 0.1
    counts = draw.poisson(1e4 * seen(3.0, 100.0)) / 1e4
    assert error(retrieve(counts, known), 3.0) < 0.03


def test_what_the_wave_does_not_explain_is_told() -> None:
    known = transfer((SIZE, SIZE), DISTANCES, PIXEL, ENERGY, delta_beta=100.0)
    assert retrieve_and_judge(seen(3.0, 100.0), known)[1] == 0
    assert retrieve_and_judge(seen(60.0, 100.0), known)[1] > 0.02


def test_one_short_distance_is_paganins_filter() -> None:
    """For weak absorption near the sample s = chi + beta / delta, and the formula is the filter of the transmission."""
    ratio, distance = 300.0, 0.002
    shift = 0.05 * thing()
    wave = np.exp(-shift / ratio - 1j * shift)
    image = binned(abs(propagate(wave, PIXEL / FINE, ENERGY, distance)) ** 2)[None]
    known = transfer((SIZE, SIZE), [distance], PIXEL, ENERGY, delta_beta=ratio, low=0, high=0)
    attenuation = 2 / ratio * retrieve(image, known, iterations=0)
    other = -np.log(paganin(image, length_m(ratio, ENERGY, distance) / PIXEL))[0]
    assert np.abs(attenuation - other).max() < 0.02 * other.max()


def test_wrong_input_is_refused() -> None:
    known = transfer((8, 9), [0.1], PIXEL, ENERGY, delta_beta=None)
    with pytest.raises(InputError, match="1 distances of 8 × 9"):
        retrieve(np.ones((2, 8, 9)), known)
    with pytest.raises(InputError, match="not finite"):
        retrieve(np.full((1, 8, 9), np.nan), known)
    with pytest.raises(ParameterError, match="all distances are 0"):
        transfer((8, 9), [0.0], PIXEL, ENERGY, delta_beta=None)
    with pytest.raises(ParameterError, match="delta_beta is -1"):
        transfer((8, 9), [0.1], PIXEL, ENERGY, delta_beta=-1.0)
    with pytest.raises(ParameterError, match="distances_m is"):
        transfer((8, 9), [], PIXEL, ENERGY, delta_beta=1.0)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -5.0), (-2.34, 1.58)])
def test_shift_and_size_are_found_and_undone(shift: tuple[float, float]) -> None:
    near, far = seen(1.0, 100.0)[[0, 3]]
    moved = placement((SIZE, SIZE), (SIZE, SIZE), 1.0, (-shift[0], -shift[1]))(far)
    first, second = (_transfer_of(distance) for distance in (DISTANCES[0], DISTANCES[3]))
    found = find_shift(near, moved, first_transfer=first, second_transfer=second)
    assert (found.rows_px, found.columns_px) == pytest.approx(shift, abs=0.1)
    assert found.likeness > 0.7
    back = placement((SIZE, SIZE), (SIZE, SIZE), 1.0, (found.rows_px, found.columns_px))(moved)
    assert np.abs(back - far)[12:-12, 12:-12].max() < 0.05 * np.ptp(far)
    draw = np.random.default_rng(0)
    nothing = find_shift(draw.normal(size=(SIZE, SIZE)), draw.normal(size=(SIZE, SIZE)))
    assert nothing.likeness < 0.2


def _transfer_of(distance: float) -> NDArray[np.float64]:
    chi = chirp((SIZE, SIZE), PIXEL, ENERGY, distance)
    return np.asarray(np.sin(chi) + 0.01 * np.cos(chi))


def test_an_enlarged_image_lies_on_the_pixels_of_another() -> None:
    """A Gaussian that is sampled by pixels of two sizes."""

    def image(rows: int, columns: int, pixel: float) -> NDArray[np.float64]:
        z, u = ((np.arange(n) - (n - 1) / 2) * pixel for n in (rows, columns))
        return np.asarray(np.exp(-((z[:, None] - 3) ** 2) / 200 - (u - 5) ** 2 / 128))

    made = placement((60, 70), (80, 100), 1.0 / 0.8)(image(80, 100, 0.8))
    np.testing.assert_allclose(made, image(60, 70, 1.0), atol=2e-3)
