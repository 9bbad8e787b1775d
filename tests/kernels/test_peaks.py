"""Peaks: values, covariance and areas against what was put in, and against SciPy."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.peaks import PeakFit, fit_peaks

X = np.linspace(-10, 10, 81)


def curve(*peaks: tuple[float, float, float, float], level: float = 5.0, slope: float = 0.1) -> NDArray[Any]:
    total = level + slope * X
    for centre, width, height, mixing in peaks:
        u = (X - centre) / width
        total = total + height * ((1 - mixing) * np.exp(-4 * np.log(2) * u**2) + mixing / (1 + 4 * u**2))
    return np.asarray(total)


@pytest.mark.parametrize("profile", ["gaussian", "pseudo-voigt"])
def test_pulls_of_ten_thousand_noisy_peaks_have_a_width_of_one(profile: Any) -> None:
    mixing = 0.0 if profile == "gaussian" else 0.4
    true = curve((0.7, 4.0, 100.0, mixing))
    sigma = 0.5 * np.sqrt(true / 5)
    noisy = true + np.random.default_rng(1).normal(0, 1, (10_000, len(X))) * sigma
    found = fit_peaks(X, noisy, [0.0], 3.0, profile=profile, sigma=sigma)
    assert found.converged.all()
    pulls = (found.peaks[:, 0] - np.array([0.7, 4.0, 100.0, mixing])[: len(found.names)]) / found.errors[:, 0]
    np.testing.assert_allclose(pulls.std(0), 1, atol=0.05)
    np.testing.assert_allclose(pulls.mean(0), 0, atol=0.05)
    area = 400 * ((1 - mixing) * np.sqrt(np.pi / (4 * np.log(2))) + mixing * np.pi / 2)
    of_area = (found.areas[:, 0] - area) / found.area_errors[:, 0]
    assert of_area.std() == pytest.approx(1, abs=0.05)
    assert found.chi_square.mean() == pytest.approx(1, abs=0.01)


def test_errors_are_right_where_the_noise_is_not_told() -> None:
    noisy = curve((0.7, 4.0, 20.0, 0.0)) + np.random.default_rng(2).normal(0, 1.5, (4000, len(X)))
    found = fit_peaks(X, noisy, [0.0], 3.0)
    pulls = (found.peaks[:, 0] - np.array([0.7, 4.0, 20.0])) / found.errors[:, 0]
    np.testing.assert_allclose(pulls.std(0), 1, atol=0.05)
    assert found.chi_square.mean() == pytest.approx(1.5**2, rel=0.02)


def test_without_noise_the_values_come_back() -> None:
    peaks = [(-3.0, 2.0, 40.0, 0.2), (3.5, 3.0, 15.0, 0.7)]
    found = fit_peaks(X, curve(*peaks), [-2.5, 3.0], 2.5, profile="pseudo-voigt")
    assert found.converged
    np.testing.assert_allclose(found.peaks, peaks, rtol=1e-5)
    np.testing.assert_allclose(found.background, [5.0, 0.1], rtol=1e-5)


def test_it_agrees_with_scipy() -> None:
    optimize = pytest.importorskip("scipy.optimize")

    def model(x: Any, c: float, w: float, h: float, b: float, s: float) -> Any:
        return h * np.exp(-4 * np.log(2) * ((x - c) / w) ** 2) + b + s * (x - x.mean())

    y = curve((1.0, 3.0, 20.0, 0.0)) + np.random.default_rng(0).normal(0, 0.5, len(X))
    found = fit_peaks(X, y, [0.5], 2.0)
    values, covariance = optimize.curve_fit(model, X, y, [0.5, 2, 20, 5, 0])
    np.testing.assert_allclose([*found.peaks[0], *found.background], values, rtol=1e-5)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-3, atol=1e-8)


def test_a_curve_without_a_peak_is_told() -> None:
    found: PeakFit = fit_peaks(X, np.stack([np.zeros(len(X)), curve((0, 3, 9, 0))]), [0.0], 3.0)
    assert found.converged.tolist() == [False, True]
    assert np.isnan(found.peaks[0]).all()


@pytest.mark.parametrize(
    "change",
    [
        {"centres": []},
        {"fwhm": 0.0},
        {"profile": "box"},
        {"sigma": 0.0},
        {"y": np.ones(5)},
        {"y": X * np.nan},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"x": X, "y": curve((0, 3, 9, 0)), "centres": [0.0], "fwhm": 3.0, **change}
    with pytest.raises(InputError):
        fit_peaks(**given)
