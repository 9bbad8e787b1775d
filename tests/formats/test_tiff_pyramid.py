"""OME-TIFF pyramids and what ImageJ and OME say of voxels; tifffile writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import tomarium as tm
from tomarium.errors import FormatError, ParameterError
from tomarium.model import Volume

DATA = np.random.default_rng(3).integers(0, 60000, (6, 64, 80), np.uint16)


def pyramid(path: Path, unit: str = "µm", size: float = 0.65, **how: Any) -> Path:
    told = {"axes": "ZYX"} | {f"PhysicalSize{axis}": size for axis in "XYZ"}
    told |= {f"PhysicalSize{axis}Unit": unit for axis in "XYZ"}
    with tifffile.TiffWriter(path) as file:
        file.write(DATA, subifds=2, metadata=told, photometric="minisblack", **how)
        for step in (2, 4):
            file.write(DATA[:, ::step, ::step], subfiletype=1, photometric="minisblack", **how)
    return path


def opened(path: Path, **how: Any) -> Volume:
    found = tm.open(path, **how)
    assert isinstance(found, Volume)
    return found


@pytest.mark.parametrize(
    "how", [{}, {"compression": "zlib"}, {"tile": (16, 16), "compression": "zlib"}, {"tile": (32, 16)}]
)
def test_every_level_is_there(tmp_path: Path, how: dict[str, Any]) -> None:
    path = pyramid(tmp_path / "a.ome.tif", **how)
    volume = opened(path)
    np.testing.assert_array_equal(volume[:], DATA)
    assert volume.metadata["levels"] == [[6, 64, 80], [6, 32, 40], [6, 16, 20]]
    for level, step in zip(volume.levels, (1, 2, 4), strict=True):
        np.testing.assert_array_equal(level[:], DATA[:, ::step, ::step])
        np.testing.assert_array_equal(level[1:5, 3:9, ::3], DATA[:, ::step, ::step][1:5, 3:9, ::3])
    assert volume.voxel_m == (0.65e-6, 0.65e-6, 0.65e-6)
    assert "3 levels" in volume.metadata["why"]


def test_a_level_is_chosen_and_keeps_its_place(tmp_path: Path) -> None:
    path = pyramid(tmp_path / "a.ome.tif")
    coarse = opened(path, entry="level 2")
    np.testing.assert_array_equal(coarse[:], DATA[:, ::4, ::4])
    assert coarse.voxel_m == pytest.approx((0.65e-6, 2.6e-6, 2.6e-6))
    assert [axis.offset for axis in coarse.axes] == pytest.approx([0, 0.975e-6, 0.975e-6])
    assert len(coarse.levels) == 1
    with pytest.raises(ParameterError, match="level 1"):
        tm.open(path, entry="level 3")


@pytest.mark.parametrize(
    ("unit", "size", "metres"),
    [
        ("mm", 0.001, 1e-6),
        ("nm", 50, 5e-8),
        ("Å", 20, 2e-9),
        ("cm", 0.1, 1e-3),
        ("m", 1e-6, 1e-6),
        ("pm", 5, 5e-12),
    ],
)
def test_units_of_ome(tmp_path: Path, unit: str, size: float, metres: float) -> None:
    voxel = opened(pyramid(tmp_path / "a.ome.tif", unit, size)).voxel_m
    assert voxel == pytest.approx((metres,) * 3, rel=1e-12)


def test_a_truncated_pyramid_is_refused(tmp_path: Path) -> None:
    path = pyramid(tmp_path / "a.ome.tif", compression="zlib")
    whole = path.read_bytes()
    refused = []
    for length in range(len(whole) // 8, len(whole), len(whole) // 8):
        path.write_bytes(whole[:length])
        try:
            found = tm.open(path)
            everything = (slice(None), slice(None))
            pixels = found[:] if isinstance(found, Volume) else found.projections.read(*everything)  # type: ignore[union-attr]
        except FormatError as problem:
            refused.append(str(path) in str(problem))
            continue
        np.testing.assert_array_equal(pixels, DATA[: len(pixels)])
    assert refused
    assert all(refused)


@pytest.mark.parametrize("unit", ["um", "µm", "μm", "micron", "\\u00B5m", "\\u03BCm", "micrometer"])
def test_spellings_of_imagej(tmp_path: Path, unit: str) -> None:
    text = f"ImageJ=1.53t\nimages=6\nslices=6\nunit={unit}\nspacing=-2.5\nloop=false\n"
    tifffile.imwrite(
        tmp_path / "a.tif", DATA, description=text.encode(), metadata=None, photometric="minisblack",
        resolution=((4, 1), (4, 1)), resolutionunit=1,
    )  # fmt: skip
    assert opened(tmp_path / "a.tif").voxel_m == (2.5e-6, 0.25e-6, 0.25e-6)


def test_imagej_may_give_each_axis_its_unit(tmp_path: Path) -> None:
    text = "ImageJ=1.53t\nimages=6\nslices=6\nunit=mm\nyunit=micron\nzunit=nm\nspacing=500\n"
    tifffile.imwrite(
        tmp_path / "a.tif", DATA, description=text, metadata=None, photometric="minisblack",
        resolution=((2, 1), (4, 1)), resolutionunit=1,
    )  # fmt: skip
    assert opened(tmp_path / "a.tif").voxel_m == pytest.approx((5e-7, 0.25e-6, 0.5e-3))
