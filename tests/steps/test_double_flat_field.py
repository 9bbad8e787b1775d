"""The double flat field: rings of every row gone, the sample left, its middle spared."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.test_stripes import ANGLES, MATRIX, stripes
from tomarium.errors import InputError
from tomarium.kernels.fbp import fbp
from tomarium.kernels.metrics import ring_index
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.stripe_selection import remove_stripes_where_found
from tomarium.model import Slab
from tomarium.pipeline.protocol.protocol import preset
from tomarium.steps.core.context import Context
from tomarium.steps.stripes.double_flat_field import double_flat_field

ROWS, COLUMNS, AXIS = 13, 256, 127.5
U, Z = np.arange(COLUMNS) - AXIS, np.arange(ROWS) - ROWS // 2


def clean_rows(seed: int, noise: float = 0.005) -> NDArray[np.float32]:
    """A body with six inclusions of finite height, 721 angles, 13 rows and 256 columns."""
    draw = np.random.default_rng(seed)
    things = [Ellipsoid((0, 9, -12), (1e6, 98, 88), MATRIX)]
    for _ in range(6):
        (y, x), (a, b) = draw.uniform(-45, 45, 2), draw.uniform(12, 34, 2)
        attenuation = MATRIX * draw.choice([-0.3, 0.3, 0.2, 0.4])
        axes = (draw.uniform(12, 40), a, b)
        things.append(
            Ellipsoid((draw.uniform(-10, 10), y, x), axes, attenuation, (draw.uniform(0, 180), 0, 0))
        )
    made = line_integrals(things, ANGLES, Z, U)
    return np.asarray(made + draw.normal(0, noise, made.shape) * np.exp(made / 2), np.float32)


def struck_rows(clean: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Stripes of every kind in each row, at columns of its own."""
    return np.stack([stripes(clean[:, row], ROWS * seed + row) for row in range(ROWS)], axis=1)


def corrected(data: NDArray[np.float32], **values: Any) -> NDArray[np.float32]:
    slab = Slab(data, slice(0, data.shape[1]), domain="attenuation", unit="1")
    made = double_flat_field(slab, context=Context(), axis_column=AXIS, **values)
    return np.asarray(made.data)


def image(data: NDArray[np.float32]) -> NDArray[np.float32]:
    return fbp(data[:, ROWS // 2], ANGLES, AXIS, window="ramp") / np.float32(MATRIX)


def error(made: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Root mean square within 0.45 of the width, as a part of the body's attenuation."""
    y, x = np.mgrid[:COLUMNS, :COLUMNS] - AXIS
    return float(np.sqrt(np.mean((made - truth)[np.hypot(y, x) < 0.45 * COLUMNS] ** 2)))


def test_the_ring_index_falls_to_a_seventh_and_a_clean_scan_stays() -> None:
    before, after, damage, left = np.zeros((4, 5))
    for seed in range(5):
        clean = clean_rows(seed)
        truth, struck = image(clean), struck_rows(clean, seed)
        made = image(corrected(struck))
        before[seed], after[seed] = ring_index(image(struck)), ring_index(made)
        left[seed] = error(made, truth) / error(image(struck), truth)
        damage[seed] = error(image(corrected(clean)), truth)
    assert before.mean() > 10 * after.mean()
    assert left.mean() < 0.5, "a dead column and a stripe in some views want more than a double flat field"
    assert damage.max() < 0.0085


def test_stripes_by_their_kind_and_then_the_mean_view_leave_a_tenth() -> None:
    """What the preset "rings" does."""
    names = [item.step.name for item in preset("rings").items]
    assert names.index("remove_stripes") < names.index("double_flat_field")
    before, after, damage = np.zeros((3, 4))
    for seed in range(4):
        clean = clean_rows(seed)
        truth, struck = image(clean), struck_rows(clean, seed)
        before[seed] = error(image(struck), truth)
        after[seed] = error(image(corrected(remove_stripes_where_found(struck)[0])), truth)
        damage[seed] = error(image(corrected(remove_stripes_where_found(clean)[0])), truth)
    assert after.mean() < 0.12 * before.mean()
    assert damage.max() < 0.0085


def test_a_rod_on_the_axis_is_spared() -> None:
    rod = line_integrals([Ellipsoid((0, 0, 0), (1e6, 2.2, 2.2), MATRIX)], ANGLES, Z, U).astype(np.float32)
    middle = (slice(126, 130), slice(126, 130))

    def kept(width: float) -> float:
        return float(image(corrected(rod, axis_width=width))[middle].mean() / image(rod)[middle].mean())

    assert kept(0) < 0.1
    assert kept(3) > 0.7


@pytest.mark.parametrize("mean_of", ["attenuation", "transmission"])
def test_a_transmission_is_corrected_as_its_attenuation_is(mean_of: Any) -> None:
    struck = struck_rows(clean_rows(1), 1)
    expected = corrected(struck, mean_of=mean_of)
    slab = Slab(np.exp(-struck), slice(0, ROWS), domain="transmission", unit="1")
    made = double_flat_field(slab, context=Context(), axis_column=AXIS, mean_of=mean_of)
    assert made.domain == "transmission"
    np.testing.assert_allclose(-np.log(made.data), expected, atol=2e-5)


def test_errors_of_the_gain_are_removed_exactly_whatever_lies_behind_them() -> None:
    """The sample is the same in all columns, and strong: the mean of the transmission would be wrong."""
    draw = np.random.default_rng(2)
    clean = np.broadcast_to(draw.uniform(0, 4, (200, 1, 1)), (200, ROWS, COLUMNS)).astype(np.float32)
    struck = clean.copy()
    struck[:, 6, [20, 60, 61, 200]] += np.float32([0.3, -0.2, 0.1, 0.05])
    np.testing.assert_allclose(corrected(struck), clean, atol=1e-5)
    half = corrected(struck, strength=0.5)
    np.testing.assert_allclose(half, (clean + struck) / 2, atol=1e-5)
    left = corrected(struck, pixel_mask=0.07)
    assert left[:, 6, 200] == pytest.approx(struck[:, 6, 200])
    np.testing.assert_allclose(left[:, 6, :200], clean[:, 6, :200], atol=1e-5)


def test_backgrounds_tell_the_sample_from_wide_rings() -> None:
    clean = np.ones((40, ROWS, COLUMNS), np.float32)
    struck = clean.copy()
    struck[:, :, 100:130] += 0.1  # wider than any window
    struck[:, 3, 30] += 0.2
    assert corrected(struck)[0, 3, 110] == pytest.approx(1.1, abs=1e-6)
    np.testing.assert_allclose(corrected(struck, background="homogeneous", axis_width=0), clean, atol=1e-6)
    smooth = corrected(struck, background="gaussian")
    assert abs(smooth[0, 3, 30] - 1) < 0.01
    ramp = np.broadcast_to(np.linspace(0, 1, COLUMNS), struck.shape).astype(np.float32)
    inside = slice(40, -40)
    for background in ("median", "gaussian"):
        made = corrected(ramp, background=background)
        np.testing.assert_allclose(made[..., inside], ramp[..., inside], atol=1e-5)


def test_columns_alone_leave_single_pixels() -> None:
    struck = np.zeros((40, ROWS, COLUMNS), np.float32)
    struck[:, :, 50] += 0.1
    struck[:, 4, 90] += 0.3
    made = corrected(struck, columns_only=True)
    assert np.abs(made[:, :, 50]).max() < 1e-6
    assert made[0, 4, 90] == pytest.approx(0.3)


def test_what_is_not_finite_is_refused() -> None:
    data = np.ones((8, 3, 20), np.float32)
    data[4, 1, 7] = np.nan
    with pytest.raises(InputError, match="not finite at row 1 of the slab and column 7"):
        corrected(data)


def test_of_some_views_the_same_errors_are_told_with_more_noise() -> None:
    struck = clean_rows(0) + np.random.default_rng(3).normal(0, 0.02, (ROWS, COLUMNS)).astype(np.float32)
    all_of_them, every_third = corrected(struck), corrected(struck, every=3)
    told = struck[::3] - corrected(struck[::3])
    np.testing.assert_allclose(every_third, struck - told[:1], atol=1e-6)
    assert 0 < np.std(every_third - all_of_them) < 0.004
