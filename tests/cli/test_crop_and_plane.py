"""`run --crop` and `slice --plane` as their users meet them."""

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.formats.data_exchange import reader as data_exchange


@pytest.fixture
def scan_file(tmp_path: Path) -> Path:
    path = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(path, make_scan(angles=90).with_geometry(axis_column=None))  # type: ignore[misc]
    return path


def test_run_makes_a_centred_part(
    scan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record"
    assert execute(["run", str(scan_file), "--crop", "4,20,30", "-o", str(record)]) == 0
    assert "crop: 4 × 20 × 30 voxels about the middle" in capsys.readouterr().out
    made = tm.open(record / "volume.ome.zarr")
    assert made.shape == (4, 20, 30)
    assert [axis.offset for axis in made.axes] == pytest.approx([4e-6, -9.5e-6, -14.5e-6])  # type: ignore[union-attr]
    np.testing.assert_allclose(
        np.asarray(made), np.asarray(tm.reconstruct(tm.open(scan_file)))[4:8, 22:42, 17:47], atol=0.5  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_crop_does_not_go_with_other_parts(scan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", str(scan_file), "--crop", "auto", "--rows", "1:3"]) == 2
    assert "leave out --rows and --roi" in capsys.readouterr().err
