"""ESRF BLISS: sequences of numbered scans are tomographies, the rest are images over what moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_formats import example_scan
from formats.beamline_makers import ALL, pixels, write_bliss
from tomarium.errors import FormatError, ParameterError
from tomarium.formats import recognise
from tomarium.model import FrameKind, Image, Scan


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    assert scan.format == "bliss"
    return scan


@pytest.mark.parametrize("keyed", [False, True])
def test_a_full_turn(tmp_path: Path, keyed: bool) -> None:
    made = example_scan()
    scan = opened(write_bliss(tmp_path / "x.h5", made, keyed=keyed))
    np.testing.assert_array_equal(pixels(scan.projections), pixels(made.projections))
    np.testing.assert_array_equal(pixels(scan.flats.frames), pixels(made.flats.frames))
    np.testing.assert_array_equal(pixels(scan.darks.frames), pixels(made.darks.frames))
    assert scan.flats.position.tolist() == [-1, -1, 5.5, 12]
    assert scan.darks.position.tolist() == [-1, -1, -1]
    np.testing.assert_allclose(scan.angles_deg.value, np.linspace(0, 165, 12))
    assert "hrsrot" in scan.angles_deg.source
    assert (scan.pixel_m.value, scan.energy_kev.value, scan.distance_m.value) == (6.5e-7, 20.0, 0.1)
    assert scan.metadata["title"].value == "tomo:fullturn"
    assert scan.counts == {FrameKind.PROJECTION: 12, FrameKind.FLAT: 4, FrameKind.DARK: 3}
    assert scan.warnings == scan.repaired == scan.missing == ()


def test_one_position_too_many_is_mended(tmp_path: Path) -> None:
    scan = opened(write_bliss(tmp_path / "x.h5", example_scan(), extra=1))
    np.testing.assert_allclose(scan.angles_deg.value, np.linspace(0, 165, 12))
    assert all("the last was left out" in text for text in scan.repaired)
    assert len(scan.repaired) == 2


def test_several_detectors_are_entries(tmp_path: Path) -> None:
    made = example_scan()
    path = write_bliss(tmp_path / "x.h5", made, detectors=("pco", "frelon"))
    assert recognise(path)[0][1].entries == ("1.1/pco", "1.1/frelon")
    for turn, detector in enumerate(("pco", "frelon")):
        scan = opened(path, entry=f"1.1/{detector}")
        np.testing.assert_array_equal(pixels(scan.projections), pixels(made.projections) + turn)
        assert any("the file holds 1.1/pco, 1.1/frelon" in text for text in scan.warnings)
    assert opened(path).why == opened(path, entry="1.1/pco").why
    with pytest.raises(ParameterError, match=r"no scan called 'basler'; it holds 1\.1/pco, 1\.1/frelon"):
        tm.open(path, entry="basler")


def test_two_sequences_are_two_scans(tmp_path: Path) -> None:
    made = example_scan()
    write_bliss(tmp_path / "one.h5", made)
    with (
        h5py.File(write_bliss(tmp_path / "x.h5", made), "a") as file,
        h5py.File(tmp_path / "one.h5") as other,
    ):
        count = len(other)
        for number in range(1, count + 1):
            other.copy(f"{number}.1", file, f"{number + count}.1")
    entries = recognise(tmp_path / "x.h5")[0][1].entries
    assert entries == ("1.1", f"{count + 1}.1")
    names = {opened(tmp_path / "x.h5", entry=entry).name for entry in entries}
    assert names == {"x_1.1", f"x_{count + 1}.1"}
    scan = opened(tmp_path / "x.h5", entry=entries[1])
    np.testing.assert_array_equal(pixels(scan.projections), pixels(made.projections))
    assert scan.counts[FrameKind.FLAT] == 4


def as_heights(path: Path, heights: dict[str, float | None]) -> Path:
    """Make a series of two heights of a file: all its scans again, after its own."""
    with h5py.File(path, "a") as file:
        del file["1.1/title"]
        file["1.1/title"] = "tomo:zseries"
        own = [name for name in file if name != "1.1"]
        for name in own:
            again = f"{int(name.split('.')[0]) + len(own)}.1"
            file.copy(name, again)
            data = file[f"{again}/instrument/pcolinux/data"]
            data[...] = data[()] + 1
            for group, height in ((name, heights["low"]), (again, heights["high"])):
                if height is not None:
                    count = len(file[f"{group}/instrument/pcolinux/data"])
                    file[f"{group}/instrument/positioners/sz"] = np.full(count, height)
    return path


def test_a_series_of_heights_is_one_scan_a_height(tmp_path: Path) -> None:
    made = example_scan()
    path = as_heights(write_bliss(tmp_path / "x.h5", made), {"low": 1.5, "high": 3.0})
    assert recognise(path)[0][1].entries == ("1.1/height_0", "1.1/height_1")
    for number in (0, 1):
        scan = opened(path, entry=f"1.1/height_{number}")
        np.testing.assert_array_equal(pixels(scan.projections), pixels(made.projections) + number)
        np.testing.assert_array_equal(pixels(scan.flats.frames), pixels(made.flats.frames) + number)
        np.testing.assert_allclose(scan.angles_deg.value, np.linspace(0, 165, 12))


@pytest.mark.parametrize("heights", [{"low": None, "high": None}, {"low": 1.0, "high": None}])
def test_heights_that_are_not_told_are_not_mixed_up(tmp_path: Path, heights: dict[str, float | None]) -> None:
    path = as_heights(write_bliss(tmp_path / "x.h5", example_scan()), heights)
    with pytest.raises(
        FormatError, match=r"several heights \(tomo:zseries\).*data=/3\.1/instrument/pcolinux/data"
    ):
        tm.open(path)


def test_without_a_rotation_the_answer_says_where_it_looked(tmp_path: Path) -> None:
    path = write_bliss(tmp_path / "x.h5", example_scan())
    with h5py.File(path, "a") as file:
        for group in file.values():
            if "instrument/positioners/hrsrot" in group:
                del group["instrument/positioners/hrsrot"]
    with pytest.raises(FormatError, match=r"no rotation of 6 positions.*give 12 angles"):
        tm.open(path)


def test_frames_in_files_beside_and_absent(tmp_path: Path) -> None:
    path = write_bliss(tmp_path / "x.h5", example_scan())
    with h5py.File(path, "a") as file, h5py.File(tmp_path / "scan0004.h5", "w") as lima:
        name = next(n for n in file if file[n]["title"][()].startswith(b"projections 0"))
        lima["entry/data"] = file[f"{name}/instrument/pcolinux/data"][()]
        del file[f"{name}/instrument/pcolinux/data"]
        file[f"{name}/instrument/pcolinux/data"] = h5py.ExternalLink("scan0004.h5", "/entry/data")
    np.testing.assert_array_equal(pixels(opened(path).projections), pixels(example_scan().projections))
    (tmp_path / "scan0004.h5").unlink()
    scan = opened(path)
    assert scan.missing == ("scan0004.h5",)
    assert scan.shape[0] == 6
    assert any("holds no frames of pcolinux: left out" in text for text in scan.warnings)


def test_all_frames_absent_is_said(tmp_path: Path) -> None:
    path = write_bliss(tmp_path / "x.h5", example_scan())
    with h5py.File(path, "a") as file:
        for name, group in file.items():
            if "instrument/pcolinux/data" in group:
                del group["instrument/pcolinux/data"]
                group["instrument/pcolinux/data"] = h5py.ExternalLink(f"scan{name}.h5", "/entry/data")
    with pytest.raises(FormatError, match=r"its frames lie in scan2\.1\.h5, .*absent; copy them beside it"):
        tm.open(path)


def test_darks_alone_are_no_tomography(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["1.1/title"] = "dark images"
        file["1.1/instrument/pco/data"] = np.zeros((3, 4, 5), np.uint16)
        file["2.1/title"] = "ascan srot 0 1 10 0.1"
        file["2.1/instrument/diode/data"] = np.zeros(10)
    assert isinstance(tm.open(tmp_path / "x.h5"), Image)
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["1.1"]
    with pytest.raises(FormatError, match=r"1 numbered scans as BLISS writes them, none of them projections"):
        tm.open(tmp_path / "x.h5")


def test_the_energy_scan_of_id03(shared: Callable[[str], Path]) -> None:
    """Dark-field microscopy: 9 scans of 62 angles chi at 9 settings of the monochromator; no tomography."""
    path = shared("bliss/id03_energy_scan_layer_0.h5")
    image = tm.open(path)
    assert isinstance(image, Image)
    assert image.shape == (9, 62, 50, 70)
    assert [axis.name for axis in image.axes] == ["ccmth", "chi", "row", "column"]
    assert [axis.unit for axis in image.axes] == ["", "", "px", "px"]  # the file gives none
    energy, chi = image.axes[:2]
    assert (energy.offset, energy.scale) == pytest.approx((5.922446, 0.005), abs=1e-6)
    assert (chi.offset, chi.scale) == pytest.approx((-1.0, 0.08), abs=1e-6)
    assert image.metadata["title"] == "fscan2d chi -1 0.08 62 diffrz -1.5 3.5 1 1 1.00041"
    assert image.metadata["uncalibrated"] is True
    names = [f"110_5pct_layer_0_111_strain_energy_{i}_1.1" for i in range(9)]
    match = recognise(path)[0][1]
    assert match.entries == ("series", *names)
    assert "none of them projections" in match.why
    with h5py.File(path, "r", locking=False) as file:
        truth = np.stack([file[f"{name}/instrument/pco_ff/data"][()] for name in names])
    for key in (np.s_[4, 10], np.s_[2:5, ::7, 3], np.s_[-1], np.s_[..., 5], np.s_[[0, 3], 1, 2, 3]):
        np.testing.assert_array_equal(image[key], truth[key])
    one = tm.open(path, entry=names[3])
    assert isinstance(one, Image)
    assert one.axes == image.axes[1:]
    np.testing.assert_array_equal(one[:], truth[3])


def test_files_of_nxtomomill(tmp_path: Path) -> None:
    """Its own mock of an acquisition, which its converter is tested with."""
    mocks = pytest.importorskip("nxtomomill.tests.utils.bliss")
    made = mocks.MockBlissAcquisition(
        n_sample=1, n_sequence=2, n_scan_per_sequence=3, n_darks=5, n_flats=5, output_dir=str(tmp_path / "m")
    )
    path = Path(made.samples[0].sample_file)
    scan = opened(path)
    assert scan.shape == (30, 64, 64)
    assert scan.counts == {FrameKind.DARK: 10, FrameKind.FLAT: 10, FrameKind.PROJECTION: 30}
    assert len(recognise(path)[0][1].entries) == 2
    assert scan.energy_kev.value == 19.0
    assert scan.distance_m.value == pytest.approx(0.1)
    np.testing.assert_allclose(scan.angles_deg.value, np.tile(np.linspace(0, 360, 10), 3))
    assert scan.projections.read(slice(0, 1), ALL).shape == (1, 64, 64)


def test_keys_of_several_kinds_in_one_scan_are_not_taken_for_the_first(tmp_path: Path) -> None:
    path = write_bliss(tmp_path / "x.h5", example_scan(), keyed=True)
    with h5py.File(path, "r+") as file:
        name = next(name for name, one in file.items() if "technique/image_key" in one and np.ravel(
            one["technique/image_key"][()])[0] == 0)  # fmt: skip
        count = file[f"{name}/technique/image_key"].size
        del file[f"{name}/technique/image_key"]
        file[f"{name}/technique/image_key"] = np.r_[np.zeros(max(count, 3), int), 1]
    with pytest.raises(FormatError, match="holds several keys"):
        tm.open(path)
