"""Wavelets: the filters of the literature, nothing lost, narrow stripes damped and smooth things left."""

import numpy as np
import pytest

from kernels.test_stripes import clean_scan, error, stripes
from tomarium.errors import ParameterError
from tomarium.kernels.stripe_wavelets import daubechies, remove_stripes_by_wavelets


def test_the_filters_are_daubechies() -> None:
    root = 3**0.5
    second = np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * 2**0.5)  # Daubechies 1988, table 1
    np.testing.assert_allclose(daubechies(2), second, atol=1e-6)
    np.testing.assert_allclose(daubechies(5)[:3], [0.1601024, 0.6038293, 0.7243085], atol=1e-6)


@pytest.mark.parametrize("moments", range(1, 13))
def test_the_filters_are_orthonormal_with_vanishing_moments(moments: int) -> None:
    low = daubechies(moments).astype(np.float64)
    doubled = np.correlate(low, low, "full")[len(low) - 1 :: 2]
    np.testing.assert_allclose(doubled, np.eye(1, moments)[0], atol=1e-6)
    high = low * (-1.0) ** np.arange(len(low))
    for power in range(min(moments, 4)):
        place = np.arange(len(low)) / len(low)
        assert abs(np.sum(high * place**power)) < 1e-5


@pytest.mark.parametrize("shape", [(50, 2, 40), (33, 1, 17), (721, 1, 255)])
def test_damping_everything_leaves_what_is_smooth_and_nothing_else_is_lost(
    shape: tuple[int, int, int],
) -> None:
    """With hardly any damping each band comes back as it was; a straight line has no fine bands but at its ends."""
    draw = np.random.default_rng(1)
    numbers = draw.normal(size=shape).astype(np.float32)
    numbers -= numbers.mean(axis=0)
    slow = remove_stripes_by_wavelets(numbers, 2, cycles=1e-3)
    assert np.sqrt(np.mean((slow - numbers) ** 2)) < 0.3 * numbers.std(), (
        "means over angles of the bands alone go"
    )
    level = np.full(shape, 3, np.float32)
    np.testing.assert_allclose(remove_stripes_by_wavelets(level), level, atol=1e-5)


def test_a_ramp_is_left_and_a_stripe_on_it_damped() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 256), (200, 1, 256)).astype(np.float32)
    struck = ramp.copy()
    struck[:, :, 100] += 0.5
    made = remove_stripes_by_wavelets(struck)
    inside = slice(60, -60)
    np.testing.assert_allclose(remove_stripes_by_wavelets(ramp)[..., inside], ramp[..., inside], atol=1e-4)
    assert np.abs(made - ramp)[..., inside].max() < 0.5 * 0.2
    wider = remove_stripes_by_wavelets(struck, 5)
    assert np.abs(wider - ramp)[..., inside].max() < 0.5 * 0.05


def test_rings_fall_to_a_half_and_little_else_is_changed() -> None:
    before, after, damage = np.zeros((3, 4))
    for seed in range(4):
        clean = clean_scan(seed, 0.005)
        struck = stripes(clean, seed)
        before[seed] = error(struck, clean)
        after[seed] = error(remove_stripes_by_wavelets(struck[:, None])[:, 0], clean)
        damage[seed] = error(remove_stripes_by_wavelets(clean[:, None])[:, 0], clean)
    assert after.mean() < 0.5 * before.mean()
    assert damage.max() < 0.04


@pytest.mark.parametrize("values", [{"levels": 0}, {"levels": 9}, {"cycles": 0.0}, {"moments": 13}])
def test_what_cannot_be_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="give 1 to 8 levels"):
        remove_stripes_by_wavelets(np.zeros((8, 1, 8), np.float32), **values)  # type: ignore[arg-type]
