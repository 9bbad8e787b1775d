"""Planes come from the right place, at the resolution that is needed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.errors import FormatError
from tomarium.viewers.volume import PLANES, Plane, open_levels, read_plane


@given(st.data())
def test_plane_of_the_finest_level_is_exact(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 7)] * 3))
    volume = np.arange(np.prod(shape)).reshape(shape)
    plane: Plane = data.draw(st.sampled_from(PLANES))
    axis = PLANES.index(plane)
    index = data.draw(st.integers(0, shape[axis] - 1))
    assert np.array_equal(read_plane([volume], plane, index, 7), np.take(volume, index, axis))


def test_coarse_level_is_taken_where_it_is_enough(make_volume: Callable[..., Path], tmp_path: Path) -> None:
    levels = open_levels(make_volume(tmp_path / "v.zarr", size=64))
    assert [level.shape for level in levels] == [(48, 64, 64), (24, 32, 32)]
    assert read_plane(levels, "z", 47, 64).shape == (64, 64)
    assert np.array_equal(read_plane(levels, "z", 47, 63), levels[1][23])
    assert np.array_equal(read_plane(levels, "x", 0, 10), levels[1][:, :, 0])


def test_what_is_no_volume_is_refused(tmp_path: Path) -> None:
    import zarr

    with pytest.raises(FormatError, match="absent"):
        open_levels(tmp_path / "absent.zarr")
    group = zarr.open_group(tmp_path / "empty.zarr", mode="w", zarr_format=3)
    with pytest.raises(FormatError, match="multiscales"):
        open_levels(tmp_path / "empty.zarr")
    group.create_array("0", shape=(4, 4), dtype="u1")
    group.attrs["ome"] = {"multiscales": [{"datasets": [{"path": "0"}]}]}
    with pytest.raises(FormatError, match="three axes"):
        open_levels(tmp_path / "empty.zarr")
    (tmp_path / "empty.zarr" / "zarr.json").write_text("{")
    with pytest.raises(FormatError):
        open_levels(tmp_path / "empty.zarr")
