"""`tm.save`: what was made in Python goes into files, and comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import InputError
from tomarium.model import Axis, Volume

VALUES = np.random.default_rng(1).normal(size=(6, 16, 16)).astype(np.float32)
VOLUME = Volume(VALUES, tuple(Axis(name, 2e-6, -1e-5, "m") for name in "zyx"), "1/cm", "ball")


@pytest.mark.parametrize("name", ["ball.ome.zarr", "ball.tif", "ball.h5"])
def test_a_volume_comes_back(tmp_path: Path, name: str) -> None:
    written = tm.save(VOLUME, tmp_path / name)
    assert written == tmp_path / name
    back = tm.open(written)
    assert isinstance(back, Volume)
    np.testing.assert_array_equal(back[:], VALUES)
    assert back.voxel_m == pytest.approx((2e-6,) * 3)
    with pytest.raises(InputError, match="exists already"):
        tm.save(VOLUME, written)
    tm.save(VOLUME, written, overwrite=True)


def test_an_array_lies_where_the_volume_lies(tmp_path: Path) -> None:
    back = tm.open(tm.save((VALUES > 0).astype(np.uint8), tmp_path / "labels.ome.zarr", like=VOLUME))
    assert isinstance(back, Volume)
    np.testing.assert_array_equal(back[:], VALUES > 0)
    assert [axis.scale for axis in back.axes] == pytest.approx([2e-6] * 3)
    assert [axis.offset for axis in back.axes] == pytest.approx([-1e-5] * 3)
    assert back.unit == ""
    with pytest.raises(InputError, match="says nothing of its axes"):
        tm.save(VALUES, tmp_path / "x.tif")
    with pytest.raises(InputError, match="one value for each voxel"):
        tm.save(VALUES[1:], tmp_path / "x.tif", like=VOLUME)
