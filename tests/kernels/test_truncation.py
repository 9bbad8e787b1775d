"""Samples wider than the detector, against slices of a detector that is wide enough."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.kernels.fbp import fbp
from tomarium.kernels.half_acquisition import field_columns, overlap_weights
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.truncation import FIT, continued, fit_chords, truncated_views
from tomarium.model import Geometry, Slab, Value
from tomarium.steps.core.context import Context
from tomarium.steps.reconstruct.fbp import fbp as step

N, VIEWS = 256, 400
ANGLES = np.arange(VIEWS) * 180 / VIEWS
MATRIX = 0.01
MIDDLE = (N - 1) / 2


def wide_scan(seed: int, scale: float) -> NDArray[np.float32]:
    """A body of so many times the field, projected on three times the field."""
    u = np.arange(3 * N) - (3 * N - 1) / 2
    return np.asarray(line_integrals(wide_body(seed, scale, N), ANGLES, np.zeros(1), u)[:, 0], np.float32)


def wide_body(seed: int, scale: float, field: int) -> list[Ellipsoid]:
    """An ellipse of so many times the field, off its middle, with ten inclusions."""
    draw = np.random.default_rng(seed)
    a, ratio = scale * field / 2, draw.uniform(0.75, 1.0)
    y, x = draw.uniform(-0.08, 0.08, 2) * field
    things = [Ellipsoid((0, y, x), (1e6, a, a * ratio), MATRIX, (draw.uniform(0, 180), 0, 0))]
    for _ in range(10):
        r, phi = draw.uniform(0, 0.85 * a * ratio), draw.uniform(0, 2 * np.pi)
        radii = draw.uniform(0.03, 0.12, 2) * field
        attenuation = MATRIX * draw.choice([-0.5, 0.4, 0.3])
        place = (0, r * np.sin(phi), r * np.cos(phi))
        things.append(Ellipsoid(place, (1e6, *radii), attenuation, (draw.uniform(0, 180), 0, 0)))
    return things


def cut(wide: NDArray[np.float32], noise: float = 0.005) -> NDArray[np.float32]:
    inside = wide[:, N : 2 * N]
    return np.asarray(inside + np.random.default_rng(0).normal(0, noise, inside.shape), np.float32)


def bias_and_cupping(difference: Any) -> tuple[float, float]:
    """Error within 0.9 of the field as b + c (r² - <r²>), in units of the matrix."""
    error = difference / MATRIX
    size = len(error)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    r2 = (x**2 + y**2) / (size / 2) ** 2
    inside = r2 < 0.81
    terms = np.stack([np.ones(inside.sum()), r2[inside] - r2[inside].mean()], axis=1)
    bias, cupping = np.linalg.lstsq(terms, error[inside], rcond=None)[0]
    return float(bias), float(cupping)


@pytest.mark.parametrize("scale", [1.05, 1.3, 1.8, 2.2])
def test_the_mean_and_the_flatness_of_truncated_slices_are_right(scale: float) -> None:
    told = np.array([
        [
            bias_and_cupping(fbp(cut(wide), ANGLES, MIDDLE, padding=name) - fbp(wide, ANGLES, (3 * N - 1) / 2, size=N))
            for name in ("auto", "zero", "edge")
        ]
        for wide in (wide_scan(seed, scale) for seed in range(6))
    ])  # fmt: skip
    auto, zero, edge = np.abs(told).mean(axis=0)
    assert (abs(told[:, 0].mean(axis=0)) < 0.025).all()
    assert (auto < 0.05).all()
    assert (np.abs(told[:, 0]) < 0.07).all()
    assert (auto < 0.2 * zero).all()
    assert (auto < 0.5 * edge).all()


@pytest.mark.parametrize(("axis", "turn"), [(30.0, 360), (225.0, 345), (80.0, 380)])
def test_a_half_acquisition_goes_on_beyond_the_edge_of_its_field(axis: float, turn: int) -> None:
    size = field_columns(N, axis)
    turned = np.arange(0, turn, 0.5)
    wide_enough = np.arange(3 * size) - (3 * size - 1) / 2
    told = []
    for seed in range(3):
        things = wide_body(seed, 1.8, size)
        whole = line_integrals(things, ANGLES, np.zeros(1), wide_enough)[:, 0]
        seen = line_integrals(things, turned, np.zeros(1), np.arange(N) - axis)[:, 0]
        seen = seen + np.random.default_rng(seed).normal(0, 0.005, seen.shape)
        seen = np.asarray(seen * overlap_weights(N, axis), np.float32)
        true = fbp(whole, ANGLES, (3 * size - 1) / 2, size=size)
        told.append([
            bias_and_cupping(fbp(seen, turned, axis, size=size, turn_deg=360, padding=name) - true)
            for name in ("auto", "zero")
        ])  # fmt: skip
    auto, zero = np.abs(told).mean(axis=0)
    assert (auto < 0.05).all()
    assert (auto < 0.1 * zero).all()


@pytest.mark.parametrize("axis", [14.0, 230.0])
def test_a_half_acquisition_that_sees_its_whole_sample_is_left_as_it_is(axis: float) -> None:
    size = field_columns(N, axis)
    turned = np.arange(0, 360, 0.5)
    things = wide_body(1, 0.8, size)
    seen = line_integrals(things, turned, np.zeros(1), np.arange(N) - axis)[:, 0] * overlap_weights(N, axis)
    auto, zero = (
        fbp(seen.astype(np.float32), turned, axis, size=size, turn_deg=360, padding=name)
        for name in ("auto", "zero")
    )
    np.testing.assert_array_equal(auto, zero)
    slab = Slab(seen[:, None].astype(np.float32), slice(0, 1), domain="attenuation")
    geometry = Geometry(angles_deg=Value(turned, "user", "test"))
    made = step(slab, geometry=geometry, context=Context(), axis_column=axis, pixel_m=None)
    assert made.report["fbp.continued"] == 0


def test_a_sample_inside_the_field_is_left_as_it_is() -> None:
    for seed in range(3):
        inside = cut(wide_scan(seed, 0.7), noise=0.02)
        assert not truncated_views(inside[:, None], ANGLES).any()
        auto, zero = (fbp(inside, ANGLES, (N - 1) / 2, padding=padding) for padding in ("auto", "zero"))  # type: ignore[arg-type]
        np.testing.assert_array_equal(auto, zero)
        chord = fbp(inside, ANGLES, (N - 1) / 2, padding="chord")
        y, x = np.mgrid[:N, :N] - (N - 1) / 2
        middle = np.hypot(y, x) < 0.45 * N
        assert np.sqrt(np.mean((chord - zero)[middle] ** 2)) < 0.01 * MATRIX


def test_what_lies_beyond_is_the_chord_of_an_ellipse() -> None:
    ellipse = [Ellipsoid((0, 10, -7), (1e6, 200, 150), MATRIX, (30, 0, 0))]
    u = np.arange(3 * N) - (3 * N - 1) / 2
    wide = line_integrals(ellipse, ANGLES, np.zeros(1), u).astype(np.float32)
    inside = np.ascontiguousarray(wide[..., N : 2 * N])
    assert truncated_views(inside, ANGLES).all()
    left, right, more = fit_chords(inside, ANGLES)
    assert left is not None
    assert right is not None
    longer = continued(inside, left, right, int(more[0]))
    assert more[0] == N // 2
    expected = wide[..., N - more[0] : 2 * N + more[0]]
    assert np.abs(longer - expected).mean() < 0.005 * wide.max()
    np.testing.assert_array_equal(longer[..., more[0] : more[0] + N], inside)


def test_the_order_of_the_views_and_the_rows_beside_do_not_matter() -> None:
    rows = np.stack([cut(wide_scan(seed, scale)) for seed, scale in ((0, 1.1), (1, 0.7), (2, 1.8))], axis=1)
    whole = fbp(rows, ANGLES, (N - 1) / 2)
    order = np.random.default_rng(0).permutation(VIEWS)
    near = 1e-4 * np.ptp(whole)
    np.testing.assert_allclose(fbp(rows[order], ANGLES[order], (N - 1) / 2), whole, atol=near)
    for row in range(3):
        np.testing.assert_allclose(fbp(rows[:, row], ANGLES, (N - 1) / 2), whole[row], atol=near)
    assert truncated_views(rows, ANGLES).any(axis=0).tolist() == [True, False, True]


@pytest.mark.parametrize("padding", ["auto", "zero"])
def test_the_step_counts_the_views_that_are_truncated(padding: Any) -> None:
    geometry = Geometry(angles_deg=Value(ANGLES, "user", "test"))
    sinogram = cut(wide_scan(0, 1.8))[:, None]
    slab = Slab(sinogram, slice(0, 1), domain="attenuation")
    made = step(
        slab, geometry=geometry, context=Context(), axis_column=(N - 1) / 2, pixel_m=None, padding=padding
    )
    name = "fbp.continued" if padding == "auto" else "fbp.truncated"
    assert made.report[name] == VIEWS * N
    names = {figure.name for figure in step.figures}
    assert names == {"continued", "truncated"}


def test_what_cannot_be_told_is_left_alone() -> None:
    assert not truncated_views(np.ones((5, 2, 2 * FIT - 1), np.float32), np.arange(5.0)).any()
    few = fbp(np.ones((5, 64), np.float32), np.arange(5.0) * 36, 31.5)
    assert np.isfinite(few).all()
    level = fbp(
        np.ones((90, 64), np.float32), np.arange(90) * 2.0, 31.5
    )  # no slope outward: as flat as can be
    assert np.isfinite(level).all()
    with pytest.raises(ParameterError, match="choose from auto, zero, edge, chord"):
        fbp(np.ones((5, 64), np.float32), np.arange(5.0) * 36, 31.5, padding="none")  # type: ignore[arg-type]
