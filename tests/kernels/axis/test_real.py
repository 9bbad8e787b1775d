"""The axis of real scans, as others measured it."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from processor_time import demand_within
from tomarium.kernels.axis import find, sampled_rows

Shared = Callable[[str], Path]


def attenuation(
    projections: NDArray[np.floating], flat: NDArray[np.floating], dark: NDArray[np.floating]
) -> NDArray[np.float32]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.log(np.maximum((projections - dark) / (flat - dark), 1e-4)).astype(np.float32)


def test_tooth(shared: Shared) -> None:
    """TomoPy's notebooks take 296 for it; two rows are all there is."""
    with h5py.File(shared("dx/tooth.h5")) as file:
        exchange = file["exchange"]
        p = attenuation(
            exchange["data"][:], exchange["data_white"][:].mean(axis=0), exchange["data_dark"][:].mean(axis=0)
        )
        angles = exchange["theta"][:]
    estimate = demand_within(0.4, lambda: find(p, angles))
    assert 295.0 <= estimate.column <= 296.3
    assert estimate.confidence == "high"
    assert estimate.scan_type == "180"


def test_savu_start_at_minus_88(shared: Shared) -> None:
    home = shared("tiff/savu_image_test")
    p = np.stack([tifffile.imread(path) for path in sorted((home / "tiffs").glob("*.tiff"))])
    flat, dark = (tifffile.imread(home / name) for name in ("flat_00001.tiff", "dark_00001.tiff"))
    # Its list of angles also counts the ten darks and ten flats, before and after.
    angles = np.loadtxt(home / "angles.txt")[10:101]
    rows = sampled_rows(p.shape[1])
    estimate = find(attenuation(p[:, rows], flat[rows], dark[rows]), angles)
    assert estimate.column == pytest.approx(86.0, abs=0.3)
    assert estimate.confidence == "high"


def test_neutron_full_turn(shared: Shared) -> None:
    counts = np.maximum(tifffile.imread(shared("sinograms/neutron_360.tif")).astype(np.float32), 1)
    p = -np.log(counts / np.percentile(counts, 99))
    estimate = find(p[:, None], np.linspace(0, 360, len(p)))
    assert estimate.column == pytest.approx(245.0, abs=0.3)
    assert estimate.scan_type == "360"


def test_neutompy_one_noisy_row(shared: Shared) -> None:
    p = tifffile.imread(shared("sinograms/neutompy_sinogram.tiff"))
    estimate = find(p[:, None], np.linspace(0, 360, len(p), endpoint=False))
    assert estimate.column == pytest.approx(460.3, abs=0.8)


def test_stxm_moves_and_is_not_trusted(shared: Shared) -> None:
    """Unsorted angles; its opposite projections place the axis from 43.0 to 45.5 as the turn goes on."""
    with h5py.File(shared("nexus/stxm_single_sino.nxs")) as file:
        entry = file["entry1/stxm_entry/data"]
        p, angles = entry["data"][:], entry["theta"][:]
    estimate = find(p[:, None], angles)
    assert 43.0 < estimate.column < 45.5
    assert estimate.confidence == "low"
    assert "moves" in " ".join(estimate.notes)
