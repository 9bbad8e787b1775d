"""The unsharp mask behind Paganin's filter, and the filter's discrete form."""

from math import pi

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, gaussian_laplace

from tomarium.errors import ParameterError
from tomarium.kernels.paganin import Form, halo_pixels, paganin
from tomarium.kernels.unsharp import Unsharp


@pytest.mark.parametrize("sigma", [0.4, 0.8, 2.0])
def test_it_is_the_formula_with_a_sampled_gaussian(sigma: float) -> None:
    frames = np.random.default_rng(0).uniform(0.2, 1.1, (2, 40, 50))
    found = paganin(frames, 0.0, unsharp=Unsharp(sigma, 0.5))
    blurred = gaussian_filter(frames, (0, sigma, sigma), mode="nearest", truncate=12)
    np.testing.assert_allclose(found, 1.5 * frames - 0.5 * blurred, atol=1e-4)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_the_laplacian_is_that_of_scipy(sigma: float) -> None:
    frames = np.random.default_rng(0).uniform(0.2, 1.1, (1, 40, 50))
    found = paganin(frames, 0.0, unsharp=Unsharp(sigma, 1.5, "log"))
    expected = frames[0] - 1.5 * gaussian_laplace(frames[0], sigma, mode="nearest", truncate=12)
    np.testing.assert_allclose(found[0], expected, atol=2e-4)
    level = np.full((1, 30, 40), 0.4)
    np.testing.assert_allclose(paganin(level, 9.0, unsharp=Unsharp(0.5, 3.0, "log")), 0.4)


def test_both_masks_do_the_same_to_wide_details() -> None:
    place = np.arange(120) - 59.5
    wide = 1 - 0.3 * np.exp(-np.add.outer(place**2, place**2) / (2 * 20.0**2))[None]
    gaussian = paganin(wide, 0.0, unsharp=Unsharp(2.0, 1.0))
    laplacian = paganin(wide, 0.0, unsharp=Unsharp(2.0, 2.0, "log"))
    assert abs(gaussian - wide).max() > 2e-3
    inner = np.s_[:, 20:-20, 20:-20]
    # They differ by the next order, three times σ² over the square of the detail's size.
    np.testing.assert_allclose((laplacian - wide)[inner], (gaussian - wide)[inner], atol=0.03 * 3e-3)


def test_nothing_is_changed_by_no_coefficient_and_nowhere_by_level_light() -> None:
    frames = np.random.default_rng(1).uniform(0.2, 1.1, (1, 30, 40))
    np.testing.assert_array_equal(
        paganin(frames, 9.0, unsharp=Unsharp(2.0, 0.0)), paganin(frames, 9.0, unsharp=None)
    )
    np.testing.assert_allclose(paganin(np.full((1, 30, 40), 0.4), 9.0, unsharp=Unsharp(2.0, 3.0)), 0.4)


@pytest.mark.parametrize("length_px", [0.7, 2.0, 25.0])
def test_the_discrete_form_inverts_finite_differences(length_px: float) -> None:
    """T (1 - L² / (4 pi²) Laplacian) of its result is what it was given in space."""
    frames = np.random.default_rng(2).uniform(0.2, 1.1, (1, 60, 70))
    made = paganin(frames, length_px, form="discrete", pad="reflect")
    near = np.pad(made, [(0, 0), (1, 1), (1, 1)], mode="edge")
    laplacian = near[:, 2:, 1:-1] + near[:, :-2, 1:-1] + near[:, 1:-1, 2:] + near[:, 1:-1, :-2] - 4 * made
    np.testing.assert_allclose(made - (length_px / (2 * pi)) ** 2 * laplacian, frames, atol=2e-4)


def test_both_forms_agree_where_the_filter_is_long() -> None:
    frames = np.random.default_rng(3).uniform(0.2, 1.1, (1, 120, 130))
    short, long = (
        abs(paganin(frames, length, form="discrete") - paganin(frames, length)).max()
        for length in (2.0, 60.0)
    )
    assert short > 0.02
    assert long < 0.001


@pytest.mark.parametrize("form", ["continuous", "discrete"])
@pytest.mark.parametrize("length_px", [0.0, 0.5, 2.0, 25.0])
@pytest.mark.parametrize(
    "mask",
    [
        Unsharp(2.0, 0.0),
        Unsharp(2.0, 0.5),
        Unsharp(2.0, 4.0),
        Unsharp(0.8, 3.0, "log"),
        Unsharp(2.0, 8.0, "log"),
    ],
)
def test_a_slab_equals_the_whole(form: Form, length_px: float, mask: Unsharp) -> None:
    halo = halo_pixels(length_px, form, mask)
    height = 4 * halo + 40
    whole = np.random.default_rng(4).uniform(0.2, 1.1, (1, height, 24))
    whole[:, height // 2 + halo + 8 :] += 1  # an edge just beyond the halo of the middle
    filtered = paganin(whole, length_px, form=form, unsharp=mask)
    for first in (0, height // 2 - 8, height - 16):
        start, stop = max(0, first - halo), min(height, first + 16 + halo)
        part = paganin(
            whole[:, start:stop], length_px, form=form, unsharp=mask, pad_rows=(start == 0, stop == height)
        )
        found = part[:, first - start :][:, :16]
        assert abs(found - filtered[:, first : first + 16]).max() < 1e-4 * np.ptp(whole)


def test_what_is_no_mask_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"sigma_px is 0\.1"):
        Unsharp(0.1, 1.0)
    with pytest.raises(ParameterError, match="coefficient is -1"):
        Unsharp(2.0, -1.0)
    with pytest.raises(ParameterError, match=r"takes 0.5 pixels or more"):
        Unsharp(0.3, 1.0, "log")
    with pytest.raises(ParameterError, match="no kind 'median'"):
        Unsharp(2.0, 1.0, "median")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="there is no form 'other'"):
        paganin(np.ones((1, 3, 3)), 1.0, form="other")  # type: ignore[arg-type]
