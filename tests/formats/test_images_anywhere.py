"""Images of any kind come in as pictures and go out as NeXus, OME-Zarr, OME-TIFF, PNG and MRC."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from ome_zarr_models.v05.image import Image as OmeImage
from PIL import Image as Picture

import tomarium as tm
from tomarium.conversion.convert import convert
from tomarium.errors import FormatError, InputError
from tomarium.model import Axis, Image

RNG = np.random.default_rng(4)
Y, X = Axis("y", 2e-6, 1e-6, "m"), Axis("x", 3e-6, 0.0, "m")


def image(kind: str) -> Image:
    axes, data = {
        "map": ((Y, X), RNG.normal(size=(8, 9)).astype(np.float32)),
        "colours": ((Y, X, Axis("sample")), RNG.integers(0, 256, (8, 9, 4), np.uint8)),
        "diffraction": (
            (Axis("scan_y", 2e-6, 1e-6, "m"), Axis("scan_x", 2e-6, 0.0, "m"), Axis("ky", 1e9, 0.0, "1/m"),
             Axis("kx", 1e9, 0.0, "1/m")),
            RNG.normal(size=(3, 4, 8, 9)),
        ),
        "spectra": ((Y, X, Axis("energy", 0.02, 7.1, "keV", (7.1, 7.11, 7.14, 7.16))), RNG.normal(size=(8, 9, 4))),
        "planes": ((Axis("time"), Axis("channel"), Y, X), RNG.integers(0, 60000, (3, 2, 8, 9), np.uint16)),
    }[kind]  # fmt: skip
    return Image(data, axes, "counts", kind, metadata={"dwell": 0.5})


def opened(path: Path) -> Image:
    found = tm.open(path)
    assert isinstance(found, Image)
    return found


@pytest.mark.parametrize("kind", ["map", "colours", "diffraction", "spectra", "planes"])
def test_nexus_holds_any_image(tmp_path: Path, kind: str) -> None:
    one = image(kind)
    convert(one, tmp_path / "a.nxs")
    again = opened(tmp_path / "a.nxs")
    np.testing.assert_array_equal(again[:], one[:])
    assert again.dtype == one.dtype
    assert again.axes == one.axes
    assert again.unit == "counts"
    # As any program that knows the rules of NXdata finds it.
    with h5py.File(tmp_path / "a.nxs") as file:
        data = file[file.attrs["default"]][file[file.attrs["default"]].attrs["default"]]
        assert data.attrs["NX_class"] == "NXdata"
        assert [len(data[name]) for name in data.attrs["axes"]] == list(data[data.attrs["signal"]].shape)


@pytest.mark.parametrize("kind", ["map", "planes"])
@pytest.mark.parametrize("version", ["ome-zarr", "ome-zarr-0.4"])
def test_ome_zarr_holds_what_ends_in_y_and_x(tmp_path: Path, kind: str, version: str) -> None:
    one = image(kind)
    convert(one, tmp_path / "a.zarr", to=version)
    again = opened(tmp_path / "a.zarr")
    np.testing.assert_array_equal(again[:], one[:])
    assert again.axes == one.axes
    assert again.unit == "counts"
    if version == "ome-zarr":
        import zarr

        OmeImage.from_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r"))


@pytest.mark.parametrize("kind", ["map", "planes", "colours"])
def test_ome_tiff_holds_planes_and_colours(tmp_path: Path, kind: str) -> None:
    one = image(kind)
    convert(one, tmp_path / "a.ome.tif")
    again = opened(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(again[:], one[:])
    assert [(axis.name, axis.scale, axis.unit) for axis in again.axes] == [
        (axis.name, axis.scale, axis.unit) for axis in one.axes
    ]
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        assert tif.is_ome
        np.testing.assert_array_equal(tif.asarray(), one[:])


def test_png_holds_grey_and_colours(tmp_path: Path) -> None:
    for number, data in enumerate((
        RNG.integers(0, 256, (8, 9), np.uint8), RNG.integers(0, 65536, (8, 9)).astype(np.uint16),
        RNG.integers(0, 256, (8, 9, 3), np.uint8), RNG.integers(0, 256, (8, 9, 4), np.uint8),
    )):  # fmt: skip
        path = tmp_path / f"{number}.png"
        convert(Image(data, (Y, X, Axis("sample"))[: data.ndim], "", "a"), path)
        np.testing.assert_array_equal(opened(path)[:], data)
        np.testing.assert_array_equal(np.asarray(Picture.open(path)), data)


def test_floats_are_rounded_where_it_is_asked_for(tmp_path: Path) -> None:
    one = image("map")
    with pytest.raises(InputError, match="--lossy"):
        convert(one, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
    convert(one, tmp_path / "a.png", lossy=True)
    grey = opened(tmp_path / "a.png")[:] / 65535 * np.ptp(one[:]) + one[:].min()
    assert np.abs(grey - one[:]).max() <= 0.51 * np.ptp(one[:]) / 65535
    wide = Image(RNG.normal(size=(8, 9)), (Y, X), "", "a")
    with pytest.raises(InputError, match="--lossy"):
        convert(wide, tmp_path / "a.mrc")
    for name in ("a.mrc", "a.tif"):
        convert(wide, tmp_path / name, lossy=True)
        np.testing.assert_array_equal(opened(tmp_path / name)[:], wide[:].astype(np.float32))


@pytest.mark.parametrize(("kind", "name"), [
    ("diffraction", "a.zarr"), ("spectra", "a.zarr"), ("spectra", "a.tif"), ("planes", "a.png"),
])  # fmt: skip
def test_what_does_not_fit_is_sent_to_nexus(tmp_path: Path, kind: str, name: str) -> None:
    with pytest.raises(InputError, match=r"write NeXus \(\.nxs\)"):
        convert(image(kind), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", [{}, {"photometric": "rgb"}, {"compression": "zlib"}])
def test_single_pages_are_images(tmp_path: Path, how: dict[str, str]) -> None:
    data = RNG.integers(0, 256, (8, 9, 3) if "photometric" in how else (8, 9), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", data, **how)
    found = opened(tmp_path / "a.tif")
    np.testing.assert_array_equal(found[:], data)
    assert found.metadata["uncalibrated"] is True
    np.testing.assert_array_equal(tm.open(tmp_path / "a.tif", pixel_m="2 um").axes[0].scale, 2e-6)


def test_a_picture_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tif:
        for name in ("ImageWidth", "ImageLength"):
            tif.pages[0].tags[name].overwrite(60000)
    tracemalloc.start()
    with pytest.raises(FormatError):
        tm.open(tmp_path / "a.tif")[:]
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()
