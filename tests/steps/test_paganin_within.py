"""Two materials: the ratio of their interface retrieves what one encloses, over ten random arrangements."""

from functools import cache
from math import pi

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import tomarium as tm
from tomarium.errors import ParameterError
from tomarium.kernels.fresnel import propagate
from tomarium.kernels.paganin import WAVELENGTH_M_KEV
from tomarium.kernels.phantom import Ellipsoid, line_integrals, pixel_coordinates
from tomarium.kernels.refractive_index import interface_delta_beta, parse_material, refractive_index
from tomarium.pipeline.protocol.protocol import from_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.evaluate import evaluate

SIZE, MARGIN, FINE, PIXEL, ENERGY, DISTANCE = 96, 32, 2, 1e-6, 30.0, 0.05
INNER, OUTER, SLAB_PX = "Ca5(PO4)3OH 3.1", "H2O 1.0", 400.0
WAVES = 2 * pi * ENERGY / WAVELENGTH_M_KEV * PIXEL
"""Radians of phase for a refractive index of 1 over a pixel."""


@cache
def seen(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Intensity of grains of bone mineral in a slab of water by the wave, and its attenuation in contact."""
    draw = np.random.default_rng(seed)
    grains = [
        Ellipsoid(tuple(draw.uniform(-24, 24, 3)), tuple(draw.uniform(5, 14, 3)), 1.0) for _ in range(4)
    ]
    wide = SIZE + 2 * MARGIN
    place = pixel_coordinates(wide, (wide - 1) / 2, FINE)
    through = np.minimum(line_integrals(grains, np.zeros(1), place, place)[0], 60.0)
    bone, water = (refractive_index(parse_material(text), ENERGY) for text in (INNER, OUTER))
    optical = [
        SLAB_PX * one + (two - one) * through
        for one, two in ((water.beta, bone.beta), (water.delta, bone.delta))
    ]
    wave = np.exp(-WAVES * (optical[0] + 1j * optical[1]))
    there = propagate(wave, PIXEL / FINE, ENERGY, DISTANCE)
    blur = 0.7 * FINE
    frames = [gaussian_filter(one, blur) for one in (np.abs(there) ** 2, np.abs(wave) ** 2)]
    cells = [
        one.reshape(wide, FINE, wide, FINE).mean((1, 3))[MARGIN:-MARGIN, MARGIN:-MARGIN] for one in frames
    ]
    return cells[0].astype(np.float32), -np.log(cells[1])


def error(seed: int, **values: object) -> float:
    """Error of the contrast of the grains, in parts of it."""
    intensity, wanted = seen(seed)
    scan = tm.scan_of_arrays(intensity[None], [0.0], domain="transmission", pixel_m=PIXEL, energy_kev=ENERGY)
    steps = [{"paganin": {"distance_m": DISTANCE, **values}}, "minus_log"]
    resolution = resolve(from_data({"steps": steps}, "test"), scan)
    found = np.asarray(evaluate(resolution, resolution.work, [slice(0, SIZE)], 1)[0].data[0])
    contrast = wanted - wanted.min()
    return float(np.sqrt(np.mean((found - wanted) ** 2) / np.mean(contrast**2)))


def test_grains_in_water_come_back() -> None:
    errors = [error(seed, material=INNER, within=OUTER) for seed in range(10)]
    alone = [error(seed, material=OUTER) for seed in range(10)]
    none = [error(seed, length_px=0.0) for seed in range(10)]
    assert np.median(errors) < 0.02
    assert max(errors) < 0.03
    assert np.median(alone) > 5 * np.median(errors)
    assert np.median(none) > 20 * np.median(errors)


def test_the_ratio_and_its_source_are_stated() -> None:
    scan = tm.scan_of_arrays(seen(0)[0][None], [0.0], domain="transmission", pixel_m=PIXEL, energy_kev=ENERGY)
    values = {"distance_m": DISTANCE, "material": INNER, "within": OUTER}
    told = resolve(from_data({"steps": [{"paganin": values}]}, "test"), scan).work[0].values["delta_beta"]
    bone, water = (refractive_index(parse_material(text), ENERGY) for text in (INNER, OUTER))
    assert told.value == pytest.approx((bone.delta - water.delta) / (bone.beta - water.beta))
    assert told.value == interface_delta_beta(water, bone)
    assert "within H2O 1 g/cm³" in told.source


def test_what_has_no_such_interface_is_refused() -> None:
    water = refractive_index(parse_material("H2O 1.0"), 30)
    with pytest.raises(ParameterError, match="differences of one sign"):
        interface_delta_beta(water, refractive_index(parse_material("H2O 1.0"), 30))
    oil, dense = (
        parse_material("C8H8 1.3"),
        parse_material("H2O 1.0"),
    )  # refracts more, absorbs less at 10 keV
    with pytest.raises(ParameterError, match="choose another energy, or ctf"):
        interface_delta_beta(refractive_index(oil, 10), refractive_index(dense, 10))
    scan = tm.scan_of_arrays(np.ones((1, 8, 8), np.float32), [0.0], domain="transmission", pixel_m=PIXEL)
    with pytest.raises(ParameterError, match="give both"):
        resolve(
            from_data(
                {"steps": [{"paganin": {"within": OUTER, "energy_kev": "30 keV", "distance_m": "1 cm"}}]},
                "test",
            ),
            scan,
        )
