"""Pixels corrected beside the projections of a slice of a few materials."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from tomarium.errors import InputError, ParameterError
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.fbp import fbp
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.projected_flat_field import class_means, of_classes, pixel_errors_beside_classes
from tomarium.model import Geometry, Slab, Value
from tomarium.steps.core.context import Context
from tomarium.steps.stripes.double_flat_field import double_flat_field
from tomarium.steps.stripes.double_flat_field_special import double_flat_field_special

N, VIEWS = 192, 300
AXIS = (N - 1) / 2
MATRIX = 1.5 / 150
ANGLES = np.arange(VIEWS) * 180 / VIEWS
GEOMETRY = Geometry(angles_deg=Value(ANGLES, "user", "test"))
Array = NDArray[np.float32]


def clean(seed: int, contrast: float, scale: float = 1.0) -> Array:
    """Rows of one body with twelve inclusions, noise of 0.01 in attenuation."""
    draw = np.random.default_rng(seed)
    things = [Ellipsoid((0, 4, -6), (1e6, 76 * scale, 68 * scale), MATRIX, (20, 0, 0))]
    for _ in range(12):
        r, phi = draw.uniform(4, 56), draw.uniform(0, 2 * np.pi)
        place = (0, r * np.sin(phi), r * np.cos(phi))
        radii = draw.uniform(3, 14, 2)
        attenuation = MATRIX * contrast * draw.choice([-1, 1])
        things.append(Ellipsoid(place, (1e6, *radii), attenuation, (draw.uniform(0, 180), 0, 0)))
    made = line_integrals(things, ANGLES, np.zeros(1), np.arange(N) - AXIS)[:, 0]
    return np.asarray(made + draw.normal(0, 0.01, made.shape), np.float32)


def rings(seed: int, wide: bool) -> Array:
    draw = np.random.default_rng(100 + seed)
    if not wide:
        return draw.normal(0, 0.02, N).astype(np.float32)
    made = np.zeros(N, np.float32)
    for first in draw.integers(16, 170, 6):
        made[first : first + draw.integers(3, 12)] += 0.02 * draw.choice([-1, 1])
    return made


def error(data: Array, truth: Array) -> float:
    """Root mean square difference of the slices, in parts of the body's attenuation."""
    y, x = np.mgrid[:N, :N] - AXIS
    difference = fbp(data, ANGLES, AXIS) - fbp(truth, ANGLES, AXIS)
    return float(np.sqrt(np.mean(difference[np.hypot(y, x) < 0.475 * N] ** 2)) / MATRIX)


def corrected(step: Any, data: Array, **values: Any) -> Array:
    slab = Slab(data[:, None], slice(0, 1), domain="attenuation")
    more = {"geometry": GEOMETRY} if step is double_flat_field_special else {}
    made = step(slab, context=Context(), axis_column=AXIS, **more, **values)
    return np.asarray(made.data)[:, 0]


@pytest.mark.parametrize("wide", [False, True])
def test_rings_of_a_weak_sample_fall_to_half_of_those_of_the_double_flat_field(wide: bool) -> None:
    told = []
    for seed in range(3):
        truth = clean(seed, 0.01)
        struck = truth + rings(seed, wide)
        # Beside one row there are no others to tell what goes on over rows: about the axis all would be spared.
        plain = corrected(double_flat_field, struck, rows=1, axis_width=0.0)
        special = corrected(double_flat_field_special, struck, axis_width=0.0)
        told.append([error(data, truth) for data in (struck, plain, special)])
    struck_error, plain_error, special_error = np.mean(told, axis=0)
    assert special_error <= 0.5 * plain_error
    assert special_error <= (0.13 if not wide else 0.3) * struck_error


@pytest.mark.parametrize(("contrast", "most"), [(0.01, 0.004), (1.0, 0.016)])
def test_a_clean_sample_stays(contrast: float, most: float) -> None:
    for seed in range(3):
        truth = clean(seed, contrast)
        assert error(corrected(double_flat_field_special, truth), truth) < most


def test_rows_of_a_sample_wider_than_the_field_are_left_and_said() -> None:
    data = np.stack([clean(0, 0.01, scale=1.5), clean(0, 0.01) + rings(0, False)], axis=1)
    slab = Slab(data, slice(0, 2), domain="attenuation")
    made = double_flat_field_special(slab, geometry=GEOMETRY, context=Context(), axis_column=AXIS)
    np.testing.assert_array_equal(made.data[:, 0], data[:, 0])
    assert np.abs(made.data[:, 1] - data[:, 1]).max() > 0.02
    assert made.report["double_flat_field_special.left"] == VIEWS * N


def test_few_classes_are_taken_where_they_explain_what_moves() -> None:
    for seed in range(3):
        assert pixel_errors_beside_classes(clean(seed, 0.01), ANGLES, AXIS)[1] <= 3
        assert pixel_errors_beside_classes(clean(seed, 1.0), ANGLES, AXIS)[1] >= 4


def test_classes_are_those_of_the_image() -> None:
    draw = np.random.default_rng(0)
    truth = draw.choice([0.0, 1.0, 3.0], (100, 100), p=[0.5, 0.4, 0.1])
    image = (truth + draw.normal(0, 0.05, truth.shape)).astype(np.float32)
    np.testing.assert_allclose(class_means(image.ravel(), 3), [0, 1, 3], atol=0.02)
    made = of_classes(image, 3)
    y, x = np.mgrid[:100, :100] - 49.5
    inside = np.hypot(y, x) <= 50
    np.testing.assert_allclose(made[inside], truth[inside], atol=0.02)
    assert not made[~inside].any()
    assert np.isfinite(class_means(np.zeros(10, np.float32), 3)).all()


def test_a_protocol_takes_it_and_what_it_cannot_do_is_refused() -> None:
    data = (clean(0, 0.01) + rings(0, False))[:, None]
    scan = scan_of_arrays(data, ANGLES, domain="attenuation")
    scan = scan.with_geometry(axis_column=Value(AXIS, "user", "test"))
    made = tm.reconstruct(scan, "steps: [double_flat_field_special, fbp]")
    expected = fbp(corrected(double_flat_field_special, data[:, 0]), ANGLES, AXIS)
    np.testing.assert_allclose(np.asarray(made)[0], expected, atol=1e-5)
    with pytest.raises(ParameterError, match="give 2 to 5, or 0"):
        corrected(double_flat_field_special, data[:, 0], classes=1)
    full = Geometry(angles_deg=Value(ANGLES * 2, "user", "test"), axis_column=Value(20.0, "user", "test"))
    turned = scan_of_arrays(data, full.angles_deg.value, domain="attenuation").with_geometry(
        axis_column=full.axis_column
    )
    with pytest.raises(InputError, match="half acquisition"):
        tm.reconstruct(turned, "steps: [double_flat_field_special, fbp]", force=True)
