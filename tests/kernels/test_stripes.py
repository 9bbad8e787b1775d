"""Stripes: both engines alike, rings gone, a clean sinogram left alone."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.compiled import VARIABLE, extension
from tomarium.errors import EngineUnavailable, InputError, ParameterError
from tomarium.kernels.columns import block_means, median_over_columns, mirrored_places
from tomarium.kernels.fbp import fbp
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.stripe_agreement import (
    bridge_dead_columns,
    dead_columns,
    difference_medians,
    remove_stripes_by_agreement,
)
from tomarium.kernels.stripe_wavelets import remove_stripes_by_wavelets
from tomarium.kernels.stripes import (
    remove_all_stripes,
    remove_large_stripes,
    remove_stripes_by_sorting,
    removed_by_sorting,
)


def sinogram(seed: int, angles: int = 361, columns: int = 400) -> np.ndarray:
    """Three discs, off the axis."""
    draw = np.random.default_rng(seed)
    theta = np.radians(np.linspace(0, 180, angles))[:, None]
    u = np.arange(columns)[None] - (columns - 1) / 2
    made = np.zeros((angles, columns))
    for _ in range(3):
        x, y, radius, value = *draw.uniform(-60, 60, 2), draw.uniform(40, 90), draw.uniform(0.005, 0.02)
        centre = x * np.cos(theta) + y * np.sin(theta)
        made += value * 2 * np.sqrt(np.clip(radius**2 - (u - centre) ** 2, 0, None))
    return made.astype(np.float32)


@pytest.fixture(params=["v4", "v3", "plain"])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Literal["native"]:
    try:
        if request.param not in extension().levels():
            pytest.skip(f"this processor has no level {request.param}")
    except EngineUnavailable as error:
        pytest.skip(str(error))
    monkeypatch.setenv(VARIABLE, request.param)
    return "native"


@pytest.mark.parametrize("shape", [(50, 3, 40), (33, 2, 17), (64, 1, 5), (17, 4, 130)])
@pytest.mark.parametrize("size", [1, 3, 9, 21, 101])
def test_the_engines_agree(native: Literal["native"], shape: tuple[int, int, int], size: int) -> None:
    numbers = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    numbers[::3] = np.round(numbers[::3], 1)  # ties, and both zeros
    expected = remove_stripes_by_sorting(numbers, size, engine="reference")
    np.testing.assert_array_equal(remove_stripes_by_sorting(numbers, size, engine=native), expected)
    expected = remove_stripes_by_sorting(numbers, size, engine="reference", strength=0.75)
    made = remove_stripes_by_sorting(numbers, size, engine=native, strength=0.75)
    np.testing.assert_allclose(made, expected, atol=1e-6)
    # A slab of a larger array, rows strided.
    larger = np.zeros((shape[0], shape[1] + 3, shape[2]), np.float32)
    larger[:, 2 : 2 + shape[1]] = numbers
    part = larger[:, 2 : 2 + shape[1]]
    np.testing.assert_array_equal(remove_stripes_by_sorting(part, size, engine=native, strength=0.75), made)


def hard_columns(angles: int, columns: int) -> NDArray[np.float32]:
    """Noise, and columns whose values a whole number of 20 bits does not tell apart, or not at all."""
    draw = np.random.default_rng(4)
    made = draw.normal(size=(angles, columns)).astype(np.float32)
    made[:, 1::7] = np.round(made[:, 1::7], 1)
    made[0, 2::7] = 1e6  # all others within a few steps of it
    made[1, 3::7] = -3e38
    made[2, 3::7] = 3e38
    made[:, 4::7] *= np.float32(1e-41)
    made[:, 5::7] = -0.0
    return made


@pytest.mark.parametrize("angles", [16, 17, 63, 96, 257, 530, 1100])
@pytest.mark.parametrize("size", [9, 21])
def test_columns_of_any_length_and_values_are_sorted(
    native: Literal["native"], angles: int, size: int
) -> None:
    numbers = hard_columns(angles, 45)[:, None]
    expected = remove_stripes_by_sorting(numbers, size, engine="reference")
    np.testing.assert_array_equal(remove_stripes_by_sorting(numbers, size, engine=native), expected)


def test_more_angles_than_a_short_number_counts_are_sorted(native: Literal["native"]) -> None:
    numbers = np.random.default_rng(5).normal(size=(66_000, 1, 12)).astype(np.float32)
    expected = remove_stripes_by_sorting(numbers, 3, engine="reference")
    np.testing.assert_array_equal(remove_stripes_by_sorting(numbers, 3, engine=native), expected)
    medians = difference_medians(numbers[:, 0], engine=native)
    np.testing.assert_array_equal(medians, difference_medians(numbers[:, 0], engine="reference"))


@pytest.mark.parametrize("angles", [32, 33, 200, 331])
@pytest.mark.parametrize("columns", [5, 16, 75])
def test_medians_of_second_differences_are_numpys(
    native: Literal["native"], angles: int, columns: int
) -> None:
    numbers = np.random.default_rng(6).normal(size=(angles, columns + 3)).astype(np.float32)[:, :columns]
    numbers[:, ::2] = np.round(numbers[:, ::2], 1)
    numbers[:, 1::4] *= np.float32(1e4)
    expected = difference_medians(numbers, engine="reference")
    np.testing.assert_array_equal(difference_medians(numbers, engine=native), expected)


@pytest.mark.parametrize("blocks", [1, 8, 16])
def test_what_sorting_removes_and_its_means(native: Literal["native"], blocks: int) -> None:
    numbers = np.random.default_rng(7).normal(size=(75, 60)).astype(np.float32)
    removed, means = removed_by_sorting(numbers, 21, blocks, engine=native)
    smooth = remove_stripes_by_sorting(numbers[:, None], 21, engine="reference")[:, 0]
    np.testing.assert_array_equal(removed, numbers - smooth)
    np.testing.assert_allclose(means, block_means(removed, blocks), atol=1e-12)
    assert np.array_equal(removed_by_sorting(numbers, 21, blocks, engine="reference")[0], removed)


@pytest.mark.parametrize("seed", range(3))
def test_agreement_is_that_of_numpy(native: Literal["native"], seed: int) -> None:
    struck = stripes(clean_scan(seed, 0.005), seed)[:, None]
    made = remove_stripes_by_agreement(struck, engine=native)
    np.testing.assert_allclose(made, remove_stripes_by_agreement(struck, engine="reference"), atol=1e-6)


@pytest.mark.parametrize("shape", [(16, 60), (9,), (3, 4), (2, 2, 17)])
def test_the_quick_median_of_nine_columns_is_the_median(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(8).normal(size=shape).round(1)
    mirrored = values[..., mirrored_places(shape[-1], 4)]
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, 9, axis=-1)
    np.testing.assert_array_equal(median_over_columns(values, 9), np.median(windows, axis=-1))


def test_threads_change_no_bit(native: Literal["native"]) -> None:
    numbers = np.random.default_rng(2).normal(size=(40, 2, 700)).astype(np.float32)
    expected = remove_stripes_by_sorting(numbers, 21, engine=native, threads=1)
    for threads in (2, 3, 9, 64):  # more than rows: each is cut into strips
        made = remove_stripes_by_sorting(numbers, 21, engine=native, threads=threads)
        np.testing.assert_array_equal(made, expected)


def test_a_column_offset_is_gone_and_order_is_kept() -> None:
    """All columns see the same values, each in an order of its own: an offset is told from them exactly."""
    draw = np.random.default_rng(3)
    values = np.sort(draw.normal(size=200)).astype(np.float32)
    clean = np.stack([draw.permutation(values) for _ in range(60)], axis=1)
    struck = clean.copy()
    struck[:, [7, 30, 31, 32, 55]] += np.float32([0.5, -0.2, 0.3, 0.1, 4])
    np.testing.assert_array_equal(remove_stripes_by_sorting(struck[:, None])[:, 0], clean)


@pytest.mark.parametrize("seed", range(6))
def test_rings_are_gone_and_a_clean_sinogram_stays(seed: int) -> None:
    clean = sinogram(seed)
    draw = np.random.default_rng(100 + seed)
    gains = draw.normal(0, 0.02, clean.shape[1])
    gains[draw.integers(20, 380, 4)] += 0.25
    angles = np.linspace(0, 180, len(clean))
    striped = (clean + gains).astype(np.float32)
    truth = fbp(clean, angles, 199.5, window="ramp")

    def error(numbers: np.ndarray) -> float:
        image = fbp(numbers, angles, 199.5, window="ramp")
        return float(np.sqrt(np.mean((image - truth) ** 2)) / np.ptp(truth))

    before, after = error(striped), error(remove_stripes_by_sorting(striped[:, None])[:, 0])
    damage = error(remove_stripes_by_sorting(clean[:, None])[:, 0])
    assert before > 0.025
    assert after < 0.02, "what is left is the mean of 21 columns' gains"
    assert damage < 0.008


def test_sorting_is_like_algotoms() -> None:
    theirs = pytest.importorskip("algotom.prep.removal")
    numbers = np.random.default_rng(1).normal(size=(300, 1, 200)).astype(np.float32)
    for size in (9, 21, 51):
        ours = remove_stripes_by_sorting(numbers, size)[:, 0]
        np.testing.assert_array_equal(ours, theirs.remove_stripe_based_sorting(numbers[:, 0], size))


@pytest.mark.parametrize("seed", range(4))
def test_the_chain_is_like_algotoms(seed: int) -> None:
    theirs = pytest.importorskip("algotom.prep.removal")
    numbers = stripes(clean_scan(seed, 0.005), seed)
    ours = remove_all_stripes(numbers[:, None])[:, 0]
    off = abs(ours - theirs.remove_all_stripe(numbers, 3.0, 51, 21))
    # Equal values of a column may come in another order: algotom's sorting is not stable.
    assert (off > 1e-5).mean() < 5e-4
    assert off.max() < 0.02


ANGLES = np.linspace(0, 180, 721)
MATRIX = 0.01
"""Attenuation per pixel of the phantom's body."""


def clean_scan(seed: int, noise: float) -> NDArray[np.float32]:
    """A body with six inclusions, 721 angles and 256 columns; noise as of photons where it is clear."""
    draw = np.random.default_rng(seed)
    things = [Ellipsoid((0, 9, -12), (1e6, 98, 88), MATRIX)]
    for _ in range(6):
        (y, x), (a, b) = draw.uniform(-45, 45, 2), draw.uniform(12, 34, 2)
        attenuation = MATRIX * draw.choice([-0.3, 0.3, 0.2, 0.4])
        things.append(Ellipsoid((0, y, x), (1e6, a, b), attenuation, (draw.uniform(0, 180), 0, 0)))
    made = line_integrals(things, ANGLES, np.zeros(1), np.arange(256) - 127.5)[:, 0]
    return np.asarray(made + draw.normal(0, noise, made.shape) * np.exp(made / 2), np.float32)


def stripes(clean: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """1 % random gains, two steps, a stripe in a quarter of the angles, a dead column and a blob four wide."""
    draw = np.random.default_rng(100 + seed)
    struck = clean - np.log(1 + draw.normal(0, 0.01, 256))
    up, down, part, dead, blob = draw.permutation(np.arange(20, 236))[:5]
    struck[:, up] += 0.2
    struck[:, down] -= 0.3
    struck[180:360, part] += 0.25
    struck[:, dead] = draw.normal(1, 0.02, 721)
    struck[:, blob : blob + 4] = 0.7 * struck[:, blob : blob + 4] + 0.15
    return np.asarray(struck, np.float32)


def error(made: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    """Of the slice within 0.45 of its size from the axis, as a part of the body's attenuation."""
    image = fbp(made - clean, ANGLES, 127.5, window="ramp") / MATRIX  # linear: the slice of the difference
    y, x = np.mgrid[:256, :256] - 127.5
    return float(np.sqrt(np.mean(image[np.hypot(y, x) < 0.45 * 256] ** 2)))


@pytest.mark.parametrize("noise", [0.0005, 0.005, 0.02])
def test_stripes_of_every_kind_fall_to_less_than_a_quarter(noise: float) -> None:
    before, sorting, chain, agreed, damage = np.zeros((5, 4))
    for seed in range(4):
        clean = clean_scan(seed, noise)
        struck = stripes(clean, seed)[:, None]
        before[seed] = error(struck[:, 0], clean)
        sorting[seed] = error(remove_stripes_by_sorting(struck)[:, 0], clean)
        chain[seed] = error(remove_all_stripes(struck)[:, 0], clean)
        agreed[seed] = error(remove_stripes_by_agreement(struck)[:, 0], clean)
        damage[seed] = error(remove_stripes_by_agreement(clean[:, None])[:, 0], clean)
    assert before.min() > 0.25
    assert sorting.mean() < 0.4 * before.mean(), "a dead column wants more than sorting"
    assert chain.mean() < 0.3 * before.mean()
    assert agreed.mean() < 0.25 * before.mean()
    assert damage.mean() < 0.005
    if noise < 0.01:
        assert damage.max() < 0.001


def test_without_noise_nothing_is_taken_for_a_stripe() -> None:
    clean = clean_scan(1, 0.0)
    given = clean.copy()
    assert error(remove_stripes_by_agreement(given[:, None])[:, 0], clean) < 1e-3
    np.testing.assert_array_equal(given, clean, err_msg="the only row of a sinogram was changed where it lay")
    flat = np.zeros((64, 2, 50), np.float32)
    for method in (remove_stripes_by_agreement, remove_all_stripes, remove_stripes_by_sorting):
        np.testing.assert_array_equal(method(flat), flat)


def test_a_dead_column_is_told_and_an_edge_is_not() -> None:
    clean = clean_scan(2, 0.005)
    assert not dead_columns(clean).any()
    struck = clean.copy()
    struck[:, 100] = 0.7
    struck[:, 150] += np.random.default_rng(1).normal(0, 0.05, 721)
    assert np.flatnonzero(dead_columns(struck)).tolist() == [100, 150]


@pytest.mark.parametrize("width", [12, 16])
def test_a_wide_stripe_is_levelled_and_agreement_leaves_it(width: int) -> None:
    levelled, agreed, damage = np.zeros((3, 4))
    for seed in range(4):
        clean = clean_scan(seed, 0.005)
        struck, first = clean.copy(), int(np.random.default_rng(seed).integers(30, 200))
        struck[:, first : first + width] += 0.3
        before = error(struck, clean)
        levelled[seed] = error(remove_large_stripes(struck[:, None])[:, 0], clean) / before
        agreed[seed] = error(remove_stripes_by_agreement(struck[:, None])[:, 0], clean) / before
        damage[seed] = error(remove_large_stripes(clean[:, None])[:, 0], clean)
    assert levelled.mean() < 0.65
    assert agreed.min() > 0.8, "stripes wider than 8 columns are taken for the sample"
    assert damage.max() < 0.11


def test_dead_columns_alone_are_bridged() -> None:
    clean = clean_scan(2, 0.005)
    struck = clean.copy()
    struck[:, 100] = 0.7
    made = bridge_dead_columns(struck[:, None])[:, 0]
    np.testing.assert_allclose(made[:, 100], (struck[:, 99] + struck[:, 101]) / 2, atol=1e-6)
    np.testing.assert_array_equal(np.delete(made, 100, axis=1), np.delete(struck, 100, axis=1))
    with pytest.raises(InputError, match="31 angles are too few"):
        bridge_dead_columns(struck[:31, None])


@pytest.mark.parametrize(
    "method",
    [
        remove_all_stripes, remove_stripes_by_agreement, remove_large_stripes, bridge_dead_columns,
        remove_stripes_by_wavelets,
    ],
)  # fmt: skip
def test_each_row_is_a_sinogram_of_its_own(method: Callable[..., NDArray[np.float32]]) -> None:
    rows = np.stack([stripes(clean_scan(seed, 0.005), seed) for seed in range(3)], axis=1)
    place = np.empty_like(rows)
    assert method(rows, threads=2, out=place) is place
    for row in range(3):
        np.testing.assert_array_equal(method(rows[:, row : row + 1], threads=1)[:, 0], place[:, row])


def test_what_cannot_be_is_refused() -> None:
    numbers = np.ones((40, 1, 9), np.float32)
    with pytest.raises(ParameterError, match="size is 4"):
        remove_stripes_by_sorting(numbers, 4)
    with pytest.raises(ParameterError, match="snr is 1"):
        remove_all_stripes(numbers, snr=1)
    with pytest.raises(ParameterError, match=r"drop is 0\.9"):
        remove_all_stripes(numbers, drop=0.9)
    with pytest.raises(InputError, match="31 angles are too few"):
        remove_stripes_by_agreement(numbers[:31])
    for method in (remove_stripes_by_agreement, remove_all_stripes, remove_stripes_by_sorting):
        with pytest.raises(InputError, match=r"shape \(40, 9\)"):
            method(numbers[:, 0])
    numbers[20, 0, 3] = np.nan
    for engine in ("auto", "reference"):
        with pytest.raises(InputError, match=r"nan at \(angle, row, column\) = \(20, 0, 3\)"):
            remove_stripes_by_sorting(numbers, engine=engine)  # type: ignore[arg-type]
