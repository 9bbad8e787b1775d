"""Folders of TIFF slices: told from scans, read slice by slice, oddities named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import tomarium as tm
from tomarium.errors import FormatError, TomariumError
from tomarium.formats import recognise
from tomarium.formats.opening.filenames import gaps, series_of
from tomarium.model import Scan, Volume

DATA = np.random.default_rng(4).normal(size=(9, 6, 7)).astype(np.float32)


def folder(path: Path, stem: str, data: Any = DATA, numbers: Any = None, **how: Any) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for number, one in zip(numbers or range(len(data)), data, strict=True):
        tifffile.imwrite(path / f"{stem}{number:04d}.tif", one, photometric="minisblack", **how)
    return path


def volume(path: Path, **how: Any) -> Volume:
    found = tm.open(path, **how)
    assert isinstance(found, Volume)
    return found


@pytest.mark.parametrize("stem", ["rec_", "slice", "recon-", "ct.rec", "my_vol_"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_names_speak_of_slices(tmp_path: Path, stem: str, dtype: str) -> None:
    data = (DATA * 20 + 100).astype(dtype)
    found = volume(folder(tmp_path / "a", stem, data))
    np.testing.assert_array_equal(found[:], data)
    np.testing.assert_array_equal(found[3, 2:5, ::2], data[3, 2:5, ::2])
    assert found.voxel_m is None
    assert found.metadata["uncalibrated"] is True
    assert "speaks of slices" in found.metadata["why"]


def test_the_folder_may_speak_too(tmp_path: Path) -> None:
    folder(tmp_path / "sample" / "recon", "a_", DATA.astype(np.uint8))
    assert len(volume(tmp_path / "sample" / "recon")) == 9
    assert len(volume(tmp_path / "sample")) == 9  # the only folder below with TIFF files


def test_real_numbers_are_slices(tmp_path: Path) -> None:
    assert "float32" in volume(folder(tmp_path / "a", "x"))[:].dtype.name


@pytest.mark.parametrize("beside", ["angles.txt", "flat_0001.tif", "dark_0001.tif"])
def test_angles_or_references_make_a_scan(tmp_path: Path, beside: str) -> None:
    data = (DATA * 20 + 100).astype(np.uint16)
    place = folder(tmp_path / "a", "rec_", data)
    if beside.endswith("txt"):
        (place / beside).write_text("\n".join(str(20 * number) for number in range(9)))
    else:
        tifffile.imwrite(place / beside, data[0])
    assert isinstance(tm.open(place), Scan)
    why = {form.name: match.why for form, match in recognise(place)}
    assert "scan and no volume" in why["tiff-slices"]


def test_integers_of_no_name_are_slices_that_say_how_they_become_projections(tmp_path: Path) -> None:
    place = folder(tmp_path / "a", "x", (DATA * 20 + 100).astype(np.uint16))
    assert len(volume(place)) == 9
    assert (
        "if they are projections, say so by --angles, such as --angles 0:180:9"
        in volume(place).metadata["taken_for"]
    )
    assert isinstance(tm.open(place, angles_deg="0:180:9"), Scan)
    assert isinstance(tm.open(place, as_format="tiff"), Scan)
    assert isinstance(tm.open(place, domain="transmission"), Scan)


def test_radiographs_outweigh_the_folder(tmp_path: Path) -> None:
    place = folder(tmp_path / "recon", "proj_", (DATA * 20 + 100).astype(np.uint16))
    assert isinstance(tm.open(place), Scan)


def test_slices_become_a_scan_by_their_angles(tmp_path: Path) -> None:
    place = folder(tmp_path / "a", "rec_")
    scan = tm.open(place, angles_deg=np.arange(9) * 20.0)
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), DATA)


def test_the_user_tells_the_voxel_size(tmp_path: Path) -> None:
    found = volume(folder(tmp_path / "a", "rec_"), pixel_m=2e-6)
    assert found.voxel_m == (2e-6, 2e-6, 2e-6)
    assert "uncalibrated" not in found.metadata


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_imagej_tells_the_voxel_size(tmp_path: Path, unit: str) -> None:
    def calibrated(name: str, **more: Any) -> Volume:
        place = tmp_path / name
        place.mkdir()
        lines = ["ImageJ=1.54f", f"unit={unit}", *(f"{key}={value}" for key, value in more.items())]
        for number, one in enumerate(DATA):
            tifffile.imwrite(
                place / f"rec_{number}.tif", one, description="\n".join(lines), metadata=None,
                resolution=((2, 1), (4, 1)), resolutionunit=1,
            )  # fmt: skip
        return volume(place)

    assert calibrated("a", spacing=3.0).voxel_m == (3e-6, 0.25e-6, 0.5e-6)
    alone = calibrated("b")
    assert alone.voxel_m == (0.5e-6, 0.25e-6, 0.5e-6)
    assert any("distance of slices is not told" in note for note in alone.metadata["notes"])


def test_holes_and_strangers_are_named(tmp_path: Path) -> None:
    place = folder(tmp_path / "a", "rec_", numbers=[0, 1, 2, 5, 6, 7, 8, 10, 11])
    tifffile.imwrite(place / "logo.tif", DATA[0])
    notes = " ".join(volume(place).metadata["notes"])
    assert "3 numbers are absent from the series: 3, 4, 9;" in notes
    assert "logo.tif" in notes


def test_slices_sort_by_number(tmp_path: Path) -> None:
    place = tmp_path / "a"
    place.mkdir()
    for number in range(12):
        tifffile.imwrite(place / f"rec_{number}.tif", np.full((3, 4), number, np.uint8))
    assert volume(place)[:, 0, 0].tolist() == list(range(12))


def test_other_sizes_are_refused_by_name(tmp_path: Path) -> None:
    place = folder(tmp_path / "a", "rec_")
    tifffile.imwrite(place / "rec_0004.tif", DATA[0, :5])
    with pytest.raises(FormatError, match=r"rec_0004\.tif"):
        tm.open(place)
    tifffile.imwrite(place / "rec_0004.tif", DATA[0].T)  # as many bytes: seen when it is read
    with pytest.raises(FormatError, match=r"rec_0004\.tif"):
        volume(place)[:]


def test_what_is_no_stack_of_slices_is_refused(tmp_path: Path) -> None:
    place = folder(tmp_path / "a", "rec_")
    folder(place, "slice_")
    with pytest.raises(FormatError, match="two series of 9 files"):
        tm.open(place)
    two = tmp_path / "pages"
    two.mkdir()
    for number in range(3):
        tifffile.imwrite(two / f"rec_{number}.tif", DATA, photometric="minisblack")
    with pytest.raises(TomariumError, match="has 9 pages"):
        tm.open(two, as_format="tiff-slices")
    one = folder(tmp_path / "one", "rec_", DATA[:1])
    with pytest.raises(FormatError, match="only one TIFF file"):
        tm.open(one)


def test_a_huge_gap_costs_nothing(tmp_path: Path) -> None:
    assert len(gaps([tmp_path / "a_1.tif", tmp_path / "a_999999999999.tif"])) == 1000
    assert gaps([tmp_path / "a.tif"]) == []
    assert [
        len(one) for one in series_of([tmp_path / "b.tif", tmp_path / "a1.tif", tmp_path / "a2.tif"])
    ] == [2, 1]
