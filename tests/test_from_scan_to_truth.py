"""The whole way: simulate, find the axis, reconstruct, and compare with what is really there."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import ndimage

import tomarium as tm
from tomarium.kernels.phantom import Ellipsoid, pixel_coordinates, voxelise
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate, simulated

ROWS, COLUMNS = 24, 128


@pytest.fixture(scope="module", params=["data-exchange", "nxtomo"])
def scan_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = SimulationConfig(
        columns=COLUMNS,
        rows=ROWS,
        views=300,
        seed=5,
        photons=1e6,
        gain=0.05,
        zingers=0.0,
        ring_error=0.0,
        dead_pixels=3,
        hot_pixels=0,
    )
    path = tmp_path_factory.mktemp("truth") / "specimen.h5"
    return simulate(path, config, to=request.param)


def true_volume(path: Path) -> np.ndarray:
    """The phantom in 1/cm on the grid of the reconstruction: axis in the middle, y upwards."""
    with h5py.File(path) as file:
        table, per_cm = file["truth/ellipsoids"][()], file["truth/attenuation_per_cm"][()]
    ellipsoids = [
        Ellipsoid(tuple(row[:3]), tuple(row[3:6]), attenuation=mu, rotation_deg=tuple(row[6:9]))
        for row, mu in zip(table, per_cm, strict=True)
    ]
    z, middle = pixel_coordinates(ROWS, (ROWS - 1) / 2), pixel_coordinates(COLUMNS, (COLUMNS - 1) / 2)
    return voxelise(ellipsoids, z, middle, middle)[:, ::-1]


def test_the_volume_is_the_specimen(scan_file: Path) -> None:
    scan = tm.open(scan_file)
    with h5py.File(scan_file) as file:
        axis_column = float(file["truth/axis_column"][()])
    axis = tm.find_axis(scan)
    assert axis.column == pytest.approx(axis_column, abs=0.1)
    assert axis.confidence == "high"
    volume = tm.reconstruct(scan)
    truth = true_volume(scan_file)
    assert volume.unit == "1/cm"
    assert volume.shape == truth.shape
    got = volume[:]
    y, x = np.indices(truth.shape[1:]) - (COLUMNS - 1) / 2
    inside = np.broadcast_to(np.hypot(y, x) < COLUMNS / 2 - 2, truth.shape)
    assert np.corrcoef(got[inside], truth[inside])[0, 1] > 0.98
    for turned in (truth[:, ::-1], truth[:, :, ::-1], truth[::-1], truth.swapaxes(1, 2)):
        assert np.corrcoef(got[inside], turned[inside])[0, 1] < 0.95, (
            "the orientation is not what it should be"
        )
    edges = np.max([np.abs(np.gradient(truth, axis=k)) for k in (0, 1, 2)], axis=0) > 0
    values, counts = np.unique(truth[truth > 0], return_counts=True)
    matrix = np.isclose(truth, values[np.argmax(counts)]) & ~ndimage.binary_dilation(edges, iterations=2)
    assert matrix.sum() > 3000
    assert got[matrix].mean() == pytest.approx(truth[matrix].mean(), rel=1e-3)
    air = inside & (truth == 0) & ~ndimage.binary_dilation(edges, iterations=2)
    assert abs(got[air].mean()) < 1e-3 * truth[matrix].mean()


@pytest.mark.parametrize("axis_column", [22.4, 108.9])
def test_a_half_acquisition_shows_the_whole_field(axis_column: float, tmp_path: Path) -> None:
    config = SimulationConfig(
        columns=COLUMNS,
        rows=8,
        views=720,
        span_deg=360,
        axis_column=axis_column,
        seed=2,
        photons=1e5,
        gain=0.5,
        zingers=0.0,
    )
    scan = tm.open(simulate(tmp_path / "half.h5", config))
    axis = tm.find_axis(scan)
    assert axis.scan_type == "half"
    assert axis.column == pytest.approx(axis_column, abs=0.1)
    volume = tm.reconstruct(scan, output=tmp_path / "record")
    wide = 2 * int(np.ceil(max(axis.column, COLUMNS - 1 - axis.column))) + 1
    assert volume.shape == (8, wide, wide)
    with h5py.File(tmp_path / "half.h5") as file:
        table, per_cm = file["truth/ellipsoids"][()], file["truth/attenuation_per_cm"][()]
    ellipsoids = [
        Ellipsoid(tuple(row[:3]), tuple(row[3:6]), attenuation=mu, rotation_deg=tuple(row[6:9]))
        for row, mu in zip(table, per_cm, strict=True)
    ]
    middle = pixel_coordinates(wide, (wide - 1) / 2)
    truth = voxelise(ellipsoids, pixel_coordinates(8, 3.5), middle, middle)[:, ::-1]
    assert np.abs(truth[:, :, [0, -1]]).max() == 0, "the specimen should fit into the field"
    assert np.ptp(np.flatnonzero(truth.any(axis=(0, 1)))) > COLUMNS, (
        "the specimen should be wider than the detector"
    )
    values, counts = np.unique(truth[truth > 0], return_counts=True)
    matrix = np.isclose(truth, values[np.argmax(counts)])
    matrix &= ~ndimage.binary_dilation(np.abs(np.gradient(truth, axis=2)) > 0, iterations=2)
    assert volume[:][matrix].mean() == pytest.approx(truth[matrix].mean(), rel=0.01)
    assert np.corrcoef(volume[:].ravel(), truth.ravel())[0, 1] > 0.93


def test_a_scan_in_memory_is_reconstructed_without_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scan = simulated(SimulationConfig(columns=64, rows=4, views=60))
    volume = tm.reconstruct(scan, axis_column=31.5)
    assert volume.shape == (4, 64, 64)
    assert not list(tmp_path.iterdir())
    other = tm.reconstruct(
        simulated(SimulationConfig(columns=64, rows=4, views=60, seed=1)), axis_column=31.5
    )
    one, two = (each.metadata["tomarium"]["source"]["fingerprint"]["sha256"] for each in (volume, other))
    assert one != two
