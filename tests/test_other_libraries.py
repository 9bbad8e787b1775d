"""Volumes as arrays of dask and xarray, and as layers of napari."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import EngineUnavailable, ParameterError
from tomarium.formats.zarr.reader import level_axes
from tomarium.formats.zarr.writer import create
from tomarium.model import Axis, Image, Volume

pytestmark = pytest.mark.skipif(find_spec("dask") is None, reason="dask is not installed")


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Volume:
    opened = tm.open(make_volume(tmp_path_factory.mktemp("arrays") / "v.ome.zarr", size=32))
    assert isinstance(opened, Volume)
    return opened


def test_dask_reads_when_it_is_asked_and_gets_the_same_voxels(volume: Volume) -> None:
    lazy = volume.to_dask()
    assert (lazy.shape, lazy.dtype) == (volume.shape, volume.dtype)
    np.testing.assert_array_equal(lazy.compute(), np.asarray(volume))
    np.testing.assert_array_equal(lazy[3, 5:9].compute(), volume[3, 5:9])
    assert volume.to_dask(1).shape == tuple(length // 2 for length in volume.shape)
    with pytest.raises(ParameterError, match="levels 0 to 1"):
        volume.to_dask(2)


def test_nothing_is_read_before() -> None:
    class Watched:
        shape, dtype = (4, 5, 6), np.dtype(np.float32)

        def __getitem__(self, key: Any) -> Any:
            raise AssertionError("read")

    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    assert Image(Watched(), axes).to_dask().shape == (4, 5, 6)
    assert Image(Watched(), axes).to_xarray().dims == ("z", "y", "x")


def test_xarray_has_coordinates_in_metres_and_says_so(volume: Volume) -> None:
    pytest.importorskip("xarray")
    fine, coarse = volume.to_xarray(), volume.to_xarray(1)
    assert fine.dims == ("z", "y", "x")
    assert fine.x.attrs["units"] == "m"
    np.testing.assert_allclose(np.diff(fine.x), 0.65e-6)
    # A coarse voxel is the mean of two: it lies in their middle.
    np.testing.assert_allclose(coarse.x.values, fine.x.values.reshape(-1, 2).mean(axis=1), rtol=1e-9)
    near = fine.sel(z=5 * 0.65e-6, method="nearest")
    np.testing.assert_array_equal(near.values, volume[5])
    uneven = Image(np.arange(3.0), (Axis("energy", 1.5, 7.0, "keV", (7.0, 8.0, 10.0)),), "counts", "edge")
    spectrum = uneven.to_xarray()
    assert spectrum.energy.values.tolist() == [7.0, 8.0, 10.0]
    assert (spectrum.name, spectrum.attrs["units"], spectrum.energy.attrs["units"]) == (
        "edge",
        "counts",
        "keV",
    )


def test_napari_gets_all_levels_at_their_true_scale(volume: Volume) -> None:
    components = pytest.importorskip("napari.components")
    shown = volume.to_napari(components.ViewerModel())
    [layer] = shown.layers
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [level.shape for level in volume.levels]
    np.testing.assert_allclose(layer.scale, [0.65] * 3)
    low, high = layer.contrast_limits
    assert float(np.min(volume)) <= low < high <= float(np.max(volume))
    assert {str(unit) for unit in layer.units} == {"micrometer"}


def test_what_is_missing_is_named(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(EngineUnavailable, match=r"pip install 'tomarium\[arrays\]'"):
        replace(volume).to_xarray()


def test_coordinates_of_coarse_levels_are_those_of_the_file_where_lengths_are_odd(tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    place = tmp_path / "odd.ome.zarr"
    voxels = np.arange(5 * 130 * 67, dtype=np.float32).reshape(5, 130, 67)
    writer = create(place, (5, 130, 67), np.float32, voxel_m=2e-6, slab_rows=8, unit="1/m", name="odd",
                    origin_m=(1e-3, 0.0, 0.0))  # fmt: skip
    writer.write(0, voxels)
    writer.finish()
    opened = tm.open(place)
    assert isinstance(opened, Volume)
    assert len(opened.levels) > 2
    for level, array in enumerate(opened.levels):
        told = opened.to_xarray(level)
        for name, axis, length in zip("zyx", level_axes(place, level), array.shape, strict=True):
            np.testing.assert_allclose(told[name], axis.offset + axis.scale * np.arange(length), rtol=1e-12)


@pytest.mark.parametrize("labels", [False, True])
def test_a_body_lies_at_one_place_at_all_levels(tmp_path: Path, labels: bool) -> None:
    """Means lie in the middle of what they are taken of; of labels every second voxel is kept, where it was."""
    pytest.importorskip("xarray")
    voxels = np.zeros((16, 32, 256), np.uint16)
    point = (8, 16, 192)
    if labels:
        voxels[point] = 7  # a number that every level keeps
    else:
        voxels[8:12, 16:20, 192:196] = 7
    writer = create(tmp_path / "v.ome.zarr", voxels.shape, np.uint16, voxel_m=2e-6, slab_rows=16, unit="", name="v",
                    origin_m=(1e-3, 0.0, 0.0), labels=labels)  # fmt: skip
    writer.write(0, voxels)
    writer.finish()
    opened = tm.open(tmp_path / "v.ome.zarr")
    assert isinstance(opened, Volume)
    assert len(opened.levels) == 3
    middle = [(one + (0.0 if labels else 1.5)) * 2e-6 for one in point]
    for level in range(3):
        told = opened.to_xarray(level)
        weights = told.values.astype(float)
        places = [float((told[axis] * told).sum() / weights.sum()) for axis in "zyx"]
        np.testing.assert_allclose(places, [1e-3 + middle[0], *middle[1:]], rtol=1e-9)


def test_a_level_follows_the_scale_that_its_reader_tells(volume: Volume) -> None:
    pytest.importorskip("xarray")
    wider = replace(volume, axes=tuple(replace(one, scale=2 * one.scale) for one in volume.axes))
    np.testing.assert_allclose(wider.to_xarray(1).x, 2 * volume.to_xarray(1).x, rtol=1e-9)
