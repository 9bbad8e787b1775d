"""Full turns about an axis beside the detector, each seeing a ring of the sample, make slices of the whole sample."""

import numpy as np
import pytest

import tomarium as tm
from steps.motion_scans import projections
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import Scan

VIEWS, ROWS, COLUMNS, WIDTH, AXIS = 120, 10, 56, 120, 108.0
ANGLES = np.arange(VIEWS) * 360.0 / VIEWS
STARTS = (64, 32, 0)  # of the detector, from the ring about the axis outwards
SPECIMEN = [
    Ellipsoid((0, 0, 0), (60, 95, 88), 0.01),
    *(Ellipsoid((k % 7 - 3, 60 * np.sin(k), 60 * np.cos(k)), (4, 9, 7), 0.008) for k in range(6)),
    *(Ellipsoid((k % 5 - 2, 30 * np.sin(k), 30 * np.cos(k)), (3, 5, 6), -0.006) for k in range(5)),
]


def counts_of(attenuation: np.ndarray, seed: int) -> Scan:
    draw = np.random.default_rng(seed)
    shape = attenuation.shape[1:]
    return scan_of_arrays(
        draw.poisson(60_000 * np.exp(-attenuation) + 100).astype(np.uint16),
        ANGLES,
        flats=draw.poisson(60_100, (20, *shape)).astype(np.uint16),
        darks=np.full((5, *shape), 100, np.uint16),
        axis_column=AXIS,
    )


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    still = np.zeros(VIEWS)
    return projections(SPECIMEN, ANGLES, (ROWS, WIDTH), AXIS, still, still)


@pytest.fixture(scope="module")
def inner(whole: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    folder = tmp_path_factory.mktemp("annular")
    for number, start in enumerate(STARTS):
        scan = counts_of(whole[..., start : start + COLUMNS], number).with_geometry(axis_column=None)
        data_exchange.FORMAT.write(folder / f"ring{number}.h5", scan)  # type: ignore[misc]
    opened = tm.open(folder / "ring0.h5", axis_column=AXIS - STARTS[0])
    assert isinstance(opened, Scan)
    return opened


def test_three_rings_are_the_slice_of_a_wide_detector(whole: np.ndarray, inner: Scan) -> None:
    rings = "{mosaic: {scans: 'ring1.h5, ring2.h5', places_px: '0:-32, 0:-64', search_px: 0}}"
    exact = scan_of_arrays(whole, ANGLES, domain="attenuation", axis_column=AXIS)
    image, wide, reference = (
        np.asarray(tm.reconstruct(scan, f"steps: [{first}half_acquisition, fbp]", rows=5))[0]
        for scan, first in ((inner, f"{rings}, "), (counts_of(whole, 9), "flat_field, "), (exact, ""))
    )
    assert image.shape == wide.shape == reference.shape == (217, 217)
    y, x = np.mgrid[:217, :217] - 108.0
    field = np.hypot(y, x) < 100
    errors = [np.sqrt(np.mean((one - reference)[field] ** 2)) for one in (image, wide)]
    assert errors[0] < 1.05 * errors[1]


def test_one_ring_alone_has_the_field_that_it_sees(inner: Scan) -> None:
    made = tm.reconstruct(inner, "steps: [flat_field, half_acquisition, fbp]", rows=5)
    assert made.shape == (1, 89, 89)
