"""Whatever the slabs, the voxels are the same: also where pixels are dead and flats hold outliers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import SAME
from pipeline.test_run import PLENTY, volume_of
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.run.reconstruct import slice_at
from tomarium.pipeline.run.runner import run
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """A scan with dead pixels in every row, a hole of three by three, and stray radiation in the flats."""
    path = tmp_path_factory.mktemp("dead") / "scan.h5"
    config = SimulationConfig(columns=64, rows=40, views=60, dead_pixels=150, zingers=5.0, seed=2)
    opened = tm.open(simulate(path, config))
    assert isinstance(opened, Scan)
    return opened.with_geometry(axis_column=None)


@pytest.fixture(scope="module")
def whole(scan: Scan) -> Any:
    return np.asarray(tm.reconstruct(scan))


@pytest.mark.parametrize("size", [1, 4, 16])
def test_slabs_are_the_whole(scan: Scan, whole: Any, size: int, tmp_path: Path) -> None:
    run(scan, default_protocol(), tmp_path / "record", PLENTY, slab_rows=size)
    np.testing.assert_allclose(volume_of(tmp_path / "record"), whole, atol=SAME * np.ptp(whole))


def test_a_slice_is_that_of_the_volume(scan: Scan, whole: Any) -> None:
    for row in range(0, 40, 3):
        slab = slice_at(scan, row).slab
        np.testing.assert_allclose(slab.data[0], whole[row], atol=SAME * np.ptp(whole))


def test_some_rows_are_those_of_the_volume(scan: Scan, whole: Any) -> None:
    part = tm.reconstruct(scan, rows=slice(17, 23))
    np.testing.assert_allclose(np.asarray(part), whole[17:23], atol=SAME * np.ptp(whole))
