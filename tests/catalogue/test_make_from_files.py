"""Records of what is there: a volume, a scan, an image, a folder of them; nothing is copied, nothing lost."""

import shutil
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from tomarium import formats
from tomarium.catalogue import read_record, verify
from tomarium.catalogue.make_from_files import Wish, data_below, make_from_files
from tomarium.errors import InputError, TomariumError
from tomarium.model import Image, Scan
from tomarium.viewers.volume import open_volume


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "beamtime" / "tooth.h5"
    path.parent.mkdir()
    counts = np.random.default_rng(0).poisson(100, (12, 8, 16)).astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["exchange/data"] = counts
        file["exchange/data_white"] = counts[:2] + 50
        file["exchange/data_dark"] = np.zeros((2, 8, 16), np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, 12, endpoint=False)
    return path


def test_a_volume_becomes_pyramid_and_record(tmp_path: Path) -> None:
    slices = tmp_path / "slices"
    slices.mkdir()
    volume = np.random.default_rng(0).normal(size=(6, 16, 20)).astype(np.float32)
    for k, one in enumerate(volume):
        tifffile.imwrite(slices / f"s_{k:03d}.tif", one)
    opened = formats.open(slices, pixel_m="0.65 um")
    record, folder = make_from_files(slices, opened, Wish(tmp_path / "records", "Ball"))
    assert folder == tmp_path / "records" / "Ball"
    assert (record.title, record.volume["shape"], record.volume["voxel_m"]) == (
        "Ball",
        [6, 16, 20],
        [6.5e-7] * 3,
    )
    np.testing.assert_array_equal(np.asarray(open_volume(folder / "volume.ome.zarr").data[...]), volume)
    assert verify(folder) == ()
    with pytest.raises(InputError, match="is a record already"):
        make_from_files(slices, opened, Wish(tmp_path / "records", "Ball"))


@pytest.mark.parametrize("copy", [False, True])
def test_a_scan_stays_the_file_it_is(scan: Path, tmp_path: Path, copy: bool) -> None:
    opened = formats.open(scan)
    assert isinstance(opened, Scan)
    record, folder = make_from_files(scan, opened, Wish(tmp_path / "records", copy=copy))
    assert (folder / "tooth.h5").samefile(scan) is not copy
    assert (folder / "tooth.h5").read_bytes() == scan.read_bytes()
    part = record.parts[0]
    assert (part.kind, part.path, [axis["length"] for axis in part.axes]) == (
        "projections",
        "tooth.h5",
        [*opened.shape],
    )
    assert record.parameters["projections"].value == opened.shape[0]
    assert {entry.role for entry in record.files if entry.path == "tooth.h5"} == {"data"}
    assert any(entry.path == "previews/thumbnail.png" for entry in record.files)
    assert (read_record(folder), verify(folder)) == (record, ())


def test_a_scan_is_shown_by_projections_sinograms_and_its_axis(tmp_path: Path) -> None:
    # A wire that turns about column 20.3 casts a shadow at 20.3 + 12 cos θ.
    angles = np.linspace(0, 180, 91)
    columns = np.arange(48)
    shadow = np.exp(-1.5 * np.exp(-(((columns - 20.3 - 12 * np.cos(np.radians(angles))[:, None]) / 2) ** 2)))
    counts = 100 + 1000 * np.repeat(shadow[:, None], 40, axis=1)
    with h5py.File(tmp_path / "wire.h5", "w") as file:
        file["exchange/data"] = counts.astype(np.uint16)
        file["exchange/data_white"] = np.full((3, 40, 48), 1100, np.uint16)
        file["exchange/data_dark"] = np.full((3, 40, 48), 100, np.uint16)
        file["exchange/theta"] = angles
    record, folder = make_from_files(
        tmp_path / "wire.h5", formats.open(tmp_path / "wire.h5"), Wish(tmp_path / "records")
    )
    told = read_record(folder).parts[0].summary["pictures"]
    assert [one["index"] for one in told["projections"]][::11] == [0, 90]
    assert abs(told["axis"]["column"] - 20.3) < 0.3
    assert told["axis"]["origin"] == "derived"
    sinogram = np.asarray(Pillow.open(folder / "previews" / "scan" / told["sinograms"][0]["file"]))
    assert sinogram.shape == (91, 48)
    assert [int(sinogram[k].argmin()) for k in (0, 45, 90)] == [32, 20, 8]
    listed = {entry.path for entry in record.files}
    assert {f"previews/scan/{told[name]}" for name in ("flat", "dark")} <= listed


def test_an_image_is_kept_with_its_axes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "map.tif", np.arange(120, dtype=np.uint16).reshape(10, 12))
    opened = formats.open(tmp_path / "map.tif")
    assert isinstance(opened, Image)
    record, _ = make_from_files(tmp_path / "map.tif", opened, Wish(tmp_path / "records"))
    assert record.parts[0].kind == "image"
    assert [axis["length"] for axis in record.parts[0].axes] == [10, 12]


def test_a_folder_becomes_a_record_in_place(scan: Path, tmp_path: Path) -> None:
    record, folder = make_from_files(
        scan.parent, formats.open(scan), Wish(tmp_path / "records", in_place=True)
    )
    assert folder == scan.parent
    assert not (tmp_path / "records").exists()
    assert {entry.path: entry.role for entry in record.files}["tooth.h5"] == "data"
    assert verify(folder) == ()


def test_a_file_whose_data_lie_in_others_is_refused(scan: Path, tmp_path: Path) -> None:
    inner = scan.with_name("frames.h5")
    scan.rename(inner)
    with h5py.File(scan, "w") as file:
        file["exchange"] = h5py.ExternalLink("frames.h5", "/exchange")
    with pytest.raises(InputError, match="give the folder"):
        make_from_files(scan, formats.open(scan), Wish(tmp_path / "records"))


def test_a_beamtime_is_looked_through(scan: Path, tmp_path: Path) -> None:
    deep = scan.parent / "run2"
    deep.mkdir()
    shutil.copy(scan, deep / "second.h5")
    (scan.parent / "notes.txt").write_text("nothing\n")
    (scan.parent / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (scan.parent / ".hidden.h5").write_bytes(b"no")
    found = {path.name: isinstance(one, TomariumError) for path, one in data_below(scan.parent)}
    assert found.pop("tooth.h5") is False
    assert found.pop("second.h5") is False
    assert all(found.values())
    assert ".hidden.h5" not in found
    told = [one for _, one in data_below(scan.parent, partial(formats.open, pixel_m="0.65 um"))]
    assert [one.pixel_m.value for one in told if isinstance(one, Scan) and one.pixel_m] == [6.5e-7] * 2
