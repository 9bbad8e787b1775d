"""Planes come from the right place, at the resolution that is needed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.errors import FormatError
from tomarium.viewers.volume import PLANES, Plane, open_volume, read_plane, volume_header


@given(st.data())
def test_plane_of_the_finest_level_is_exact(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 7)] * 3))
    volume = np.arange(np.prod(shape)).reshape(shape)
    plane: Plane = data.draw(st.sampled_from(PLANES))
    axis = PLANES.index(plane)
    index = data.draw(st.integers(0, shape[axis] - 1))
    assert np.array_equal(read_plane([volume], plane, index, 7), np.take(volume, index, axis))


def test_coarse_level_is_taken_where_it_is_enough(make_volume: Callable[..., Path], tmp_path: Path) -> None:
    levels = open_volume(make_volume(tmp_path / "v.zarr", size=64)).levels
    assert [level.shape for level in levels] == [(48, 64, 64), (24, 32, 32)]
    assert read_plane(levels, "z", 47, 64).shape == (64, 64)
    assert np.array_equal(read_plane(levels, "z", 47, 63), levels[1][23])
    assert np.array_equal(read_plane(levels, "x", 0, 16), levels[1][:, :, 0])


def test_what_is_no_volume_is_refused(tmp_path: Path) -> None:
    import zarr

    with pytest.raises(FormatError, match=r"absent\.zarr: is no Zarr group"):
        open_volume(tmp_path / "absent.zarr")
    path = tmp_path / "empty.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    with pytest.raises(FormatError, match="multiscales"):
        open_volume(path)
    group.create_array("0", shape=(4, 4), dtype="u1")
    axes = [{"name": name, "type": "space"} for name in "yx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    with pytest.raises(FormatError, match="three axes"):
        open_volume(path)
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "../.."}]}]}
    with pytest.raises(FormatError, match="outside"):
        open_volume(path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(FormatError):
        open_volume(path)


def test_volume_as_the_pipeline_writes_it(tmp_path: Path) -> None:
    from tomarium.formats.zarr import reader as ome_zarr

    data = np.arange(32 * 40 * 300, dtype=np.float32).reshape(32, 40, 300)
    writer = ome_zarr.create(
        tmp_path / "v.zarr", data.shape, data.dtype, voxel_m=0.65e-6, slab_rows=16, unit="1/cm", name="v"
    )
    writer.write(0, data[:16])
    with pytest.raises(FormatError, match="unfinished"):
        open_volume(tmp_path / "v.zarr")
    writer.write(16, data[16:])
    writer.finish()
    volume = open_volume(tmp_path / "v.zarr")
    assert (volume.voxel_m, volume.unit) == ((0.65e-6,) * 3, "1/cm")
    assert [level.shape for level in volume.levels] == [(32, 40, 300), (16, 20, 150), (8, 10, 75), (4, 5, 38)]
    assert np.array_equal(read_plane(volume.levels, "y", 7, 1024), data[:, 7])


def test_plane_without_a_coarse_level_is_thinned() -> None:
    volume = np.arange(2 * 90 * 50).reshape(2, 90, 50)
    assert np.array_equal(read_plane([volume], "z", 1, 20), volume[1, ::3, ::3])
    assert np.array_equal(read_plane([volume], "z", 1, 45), volume[1])


def test_link_to_a_volume_is_refused(make_volume: Callable[..., Path], tmp_path: Path) -> None:
    make_volume(tmp_path / "elsewhere.zarr", size=16)
    (tmp_path / "volume.ome.zarr").symlink_to(tmp_path / "elsewhere.zarr")
    with pytest.raises(FormatError, match="is a link"):
        open_volume(tmp_path / "volume.ome.zarr")


def test_the_header_is_read_anew_when_the_volume_was_changed(
    tmp_path: Path, make_volume: Callable[..., Path]
) -> None:
    path = make_volume(tmp_path / "volume.ome.zarr", size=16)
    axes, finest = volume_header(path)
    assert (axes, finest) == (open_volume(path).axes, "0")
    told = json.loads((path / "zarr.json").read_text())
    told["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] = [
        9.0
    ] * 3
    (path / "zarr.json").write_text(json.dumps(told))
    assert volume_header(path)[0] == open_volume(path).axes != axes
    (path / "zarr.json").unlink()
    with pytest.raises(FormatError, match="take it from a backup"):
        volume_header(path)
