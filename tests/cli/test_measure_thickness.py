"""`tomarium measure --thickness`: plates have their thickness, in the unit that is told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from tomarium.cli import execute
from tomarium.conversion.convert import convert
from tomarium.errors import InputError
from tomarium.model import Axis, Volume
from tomarium.pipeline.measure.thickness import measure_thickness

UM = 1e-6


def plates(z_um: float = 2.0) -> Volume:
    """Lay a plate of 6 voxels and one of 4 between pores of 8, 6 and 6."""
    data = np.full((30, 20, 24), 1.0, np.float32)
    data[8:14] = data[20:24] = 3.0
    sizes = (z_um, 2.0, 2.0)
    return Volume(
        data,
        tuple(Axis(n, s * UM, 0.0, "m") for n, s in zip("zyx", sizes, strict=True)),
        unit="1/cm",
        name="plates",
    )


def saved(folder: Path, volume: Volume) -> Path:
    convert(volume, folder / "plates.zarr")
    return folder / "plates.zarr"


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert execute(words) == 0
    return json.loads(capsys.readouterr().out)


def test_plates_have_their_thickness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = saved(tmp_path, plates()), tmp_path / "thickness.zarr"
    found = told(["measure", str(path), "--thickness", "-o", str(out), "--json"], capsys)
    assert found["unit"] == "um"
    assert (found["minimum"], found["maximum"]) == (8.0, 12.0)
    assert found["mean"] == pytest.approx((6 * 12 + 4 * 8) / 10)
    assert found["voxels"] == 10 * 20 * 24
    assert sum(found["histogram"]["counts"]) == found["voxels"]
    written = tm.open(out)
    assert isinstance(written, Volume)
    assert written.unit in ("um", "µm")
    assert set(np.unique(written[8:14])) == {12.0}
    assert not np.asarray(written[14:20]).any()
    assert execute(["measure", str(path), "--thickness"]) == 0
    printed = capsys.readouterr().out
    assert " ".join(printed.split()).count("thickness 10.4 µm mean of its voxels") == 1
    assert "quartiles 8 and 12 µm" in printed
    assert execute(["measure", str(path), "--thickness", "-o", str(out)]) != 0  # it is there already
    capsys.readouterr()
    assert execute(["measure", str(path), "--thickness", "--threshold", "9"]) != 0
    assert "nothing of it is solid" in capsys.readouterr().err


def test_of_labels_all_that_is_not_0_is_solid() -> None:
    data = np.zeros((30, 20, 24), np.uint16)
    data[8:12], data[12:14], data[20:24] = 1, 900, 3
    labels = replace(plates(), data=data, metadata={"segmentation": {"method": "watershed", "field": "box"}})
    assert np.array_equal(measure_thickness(labels).voxels, measure_thickness(plates()).voxels)


def test_what_is_cut_by_an_end_is_told() -> None:
    pores = measure_thickness(plates(), "pores")
    assert set(np.unique(pores.voxels[14:20])) == {6.0}
    assert (
        pores.voxels[:8].max() == 16.0
    )  # a pore open to the end: the ball has its middle in the first slice
    inner = Volume(np.pad(np.ones((5, 5, 5), np.float32), 6), plates().axes, unit="1/cm", name="cube")
    assert measure_thickness(inner).cut == 0
    # Only the ends that a plate reaches cut it: its voxels nearer to them than the radius, at most.
    slab = measure_thickness(plates())
    assert 0 < slab.cut < 0.5 * np.count_nonzero(slab.voxels)


def test_voxels_that_are_no_cubes_and_too_little_memory_are_refused() -> None:
    with pytest.raises(InputError, match="--cubes finest"):
        measure_thickness(plates(4.0))
    with pytest.raises(InputError, match="needs 230 kB of memory"):
        measure_thickness(plates(), memory_bytes=1000)
