"""The folder of a record where a volume is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from tomarium.catalogue import file_record
from tomarium.cli import execute
from tomarium.errors import FormatError
from tomarium.formats import recognise
from tomarium.formats.zarr.writer import create

MakeFolder = Callable[..., Path]


@pytest.fixture
def record(tmp_path: Path, make_record_folder: MakeFolder) -> Path:
    folder = make_record_folder(tmp_path / "tooth", size=32)
    file_record(folder, title="Tooth")
    return folder


def test_a_record_opens_as_its_volume(record: Path) -> None:
    form, match = recognise(record)[0]
    assert (form.name, match.dialect) == ("record", "0.5")
    assert match.why.startswith("it is the folder of a record; its volume.ome.zarr is a Zarr group")
    volume = tm.open(record)
    assert isinstance(volume, tm.Volume)
    assert volume.path == record / "volume.ome.zarr"
    np.testing.assert_array_equal(volume[:], tm.open(record / "volume.ome.zarr")[:])


def test_a_run_that_is_not_filed_opens_too(record: Path) -> None:
    (record / "ro-crate-metadata.json").unlink()
    assert isinstance(tm.open(record), tm.Volume)


def test_a_run_that_was_stopped_says_how_far_it_is(tmp_path: Path) -> None:
    plan = {"voxel_m": 1e-6, "slab_rows": 4, "unit": "1/cm", "name": "run"}
    writer = create(tmp_path / "run" / "volume.ome.zarr", (8, 16, 16), "float32", **plan)
    writer.write(0, np.zeros((4, 16, 16), np.float32))
    with pytest.raises(FormatError, match="is unfinished, 1 of 2 slabs are written; resume the run"):
        tm.open(tmp_path / "run")


def test_a_record_stands_for_its_volume_on_the_command_line(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["info", str(record)]) == 0
    told = capsys.readouterr().out
    assert "24 × 32 × 32" in told
    assert "the folder of a record" in told
    assert execute(["convert", str(record), str(tmp_path / "tooth.tif")]) == 0
    shutil.copytree(record, tmp_path / "copy")
    for other in ("tooth.tif", "copy", "tooth/volume.ome.zarr"):
        assert execute(["diff", str(record), str(tmp_path / other)]) == 0, capsys.readouterr().out
    assert execute(["doctor", str(record)]) in (0, 1)
