"""Volumes of ours, read by the programs people have: values, voxel size, place and pyramid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Axis, Geometry, Volume

VALUES = np.random.default_rng(4).normal(size=(64, 300, 280)).astype(np.float32)
VOXEL_M = 0.65e-6
START_M = (1e-3, -2e-4, 3e-5)


def volume(values: np.ndarray[Any, Any] = VALUES) -> Volume:
    axes = tuple(Axis(name, VOXEL_M, start, "m") for name, start in zip("zyx", START_M, strict=True))
    return Volume(values, axes, "1/cm", "tooth")


@pytest.mark.parametrize("name", ["ome-zarr", "ome-zarr-0.4"])
def test_ome_zarr_py_reads_values_scales_and_levels(tmp_path: Path, name: str) -> None:
    reader = pytest.importorskip("ome_zarr.reader")
    parse_url = pytest.importorskip("ome_zarr.io").parse_url
    tm.formats.formats()[name].write(tmp_path / "v.zarr", volume())  # type: ignore[misc]
    location = parse_url(tmp_path / "v.zarr")
    assert location is not None
    node = next(iter(reader.Reader(location)()))
    np.testing.assert_array_equal(np.asarray(node.data[0]), VALUES)
    shapes = [(64, 300, 280), (32, 150, 140), (16, 75, 70), (8, 38, 35)]
    assert [level.shape for level in node.data] == shapes
    halved = VALUES.reshape(32, 2, 150, 2, 140, 2).mean((1, 3, 5))
    np.testing.assert_allclose(np.asarray(node.data[1]), halved, atol=1e-6)
    assert [axis["name"] for axis in node.metadata["axes"]] == ["z", "y", "x"]
    assert {axis["unit"] for axis in node.metadata["axes"]} == {"micrometer"}
    for level, steps in enumerate(node.metadata["coordinateTransformations"]):
        told = {one["type"]: np.asarray(one[one["type"]]) for one in steps}
        np.testing.assert_allclose(told["scale"], 3 * [0.65 * 2**level], rtol=1e-12)
        # The centre of a voxel twice as wide lies half a voxel further.
        first = np.asarray(START_M) * 1e6 + 0.65 * (2**level - 1) / 2
        np.testing.assert_allclose(told["translation"], first, rtol=1e-9)


def test_ome_zarr_models_finds_ours_right(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    for name, version in (("ome-zarr", "v05"), ("ome-zarr-0.4", "v04")):
        image = pytest.importorskip(f"ome_zarr_models.{version}").Image
        tm.formats.formats()[name].write(tmp_path / name, volume())  # type: ignore[misc]
        told = image.from_zarr(zarr.open_group(tmp_path / name, mode="r"))
        assert len((told.ome_attributes if version == "v05" else told.attributes).multiscales) == 1


@pytest.mark.parametrize("ending", [".tif", ".ome.tif"])
def test_tifffile_reads_values_and_voxel_size(tmp_path: Path, ending: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    tm.formats.formats()["tiff-volume"].write(tmp_path / f"v{ending}", volume())  # type: ignore[misc]
    with tifffile.TiffFile(tmp_path / f"v{ending}") as judge:
        np.testing.assert_array_equal(judge.asarray(), VALUES)
        if ending == ".tif":
            assert judge.is_imagej
            assert judge.imagej_metadata["unit"] in ("um", "µm", "\\u00B5m", "micron")
            assert judge.imagej_metadata["spacing"] == pytest.approx(0.65)
            across = judge.pages[0].tags["XResolution"].value
            assert across[1] / across[0] == pytest.approx(0.65, rel=1e-6)
        else:
            assert 'PhysicalSizeX="0.65"' in judge.ome_metadata


def test_fabio_reads_our_edf_frames(tmp_path: Path) -> None:
    fabio = pytest.importorskip("fabio")
    frames = np.random.default_rng(1).integers(0, 60000, (5, 7, 9), np.uint16)
    scan = tm.model.Scan(
        path=tmp_path, name="s", format="", dialect="", why="",
        projections=ArrayFrames(frames),
        geometry=Geometry(angles_deg=tm.model.Value(np.arange(5.0), "read", "")),
    )  # fmt: skip
    tm.formats.formats()["edf"].write(tmp_path / "s", scan)  # type: ignore[misc]
    for number in range(5):
        with fabio.open(str(tmp_path / "s" / f"s{number:04d}.edf")) as judge:
            np.testing.assert_array_equal(judge.data, frames[number])
            assert float(judge.header["motor_pos"]) == number
