"""SOLEIL Flyscan: nothing has a fixed name, references may be averages, absent or damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tomarium as tm
from formats.beamline_makers import ALL, pixels, write_flyscan
from tomarium.errors import FormatError, ParameterError
from tomarium.formats import recognise
from tomarium.formats.beamlines.soleil_flyscan import par_values
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Geometry, Scan, Value
from tomarium.model.scan import Reference


def a_scan(angles: np.ndarray | None = None, seed: int = 1) -> Scan:
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 180, 12) if angles is None else angles

    def frames(count: int) -> ArrayFrames:
        return ArrayFrames(rng.integers(0, 60000, (count, 4, 8), np.uint16))

    return Scan(
        path=Path("made"), name="made", format="memory", dialect="", why="",
        projections=frames(len(angles)), geometry=Geometry(angles_deg=Value(angles, "read", "made")),
        flats=Reference(frames(5), np.array([-1.0, -1.0, -1.0, len(angles), len(angles)])),
        darks=Reference(frames(3), np.array([-1.0, -1.0, -1.0])),
    )  # fmt: skip


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    assert scan.format == "flyscan"
    return scan


def test_folder_and_file_give_the_same_scan(tmp_path: Path) -> None:
    made = a_scan()
    folder = write_flyscan(tmp_path / "bone_01", made)
    for path in (folder, folder / "bone_01.nxs"):
        scan = opened(path)
        assert (scan.name, scan.dialect) == ("bone_01", "ANATOMIX")
        np.testing.assert_array_equal(pixels(scan.projections), pixels(made.projections))
        np.testing.assert_array_equal(pixels(scan.flats.frames), pixels(made.flats.frames))
        np.testing.assert_array_equal(pixels(scan.darks.frames), pixels(made.darks.frames))
        assert scan.flats.position.tolist() == [-1, -1, -1, 12, 12]
        assert scan.darks.position.tolist() == [12, 12, 12]  # there is no pre_dark
        assert scan.angles_deg.value.tolist() == made.angles_deg.value.tolist()
        assert scan.angles_deg.source.endswith("scan_data/tomo1Rz1")
        assert scan.pixel_m == Value(
            6.5e-7, "read", "bone_01.par:IMAGE_PIXEL_SIZE_1, in µm as PyHST2 takes it"
        )
        assert scan.metadata["title"].value == "a title"
        assert scan.metadata["beamline"].value == "ANATOMIX"
        assert scan.metadata["/bone_01.par/tz"].value == "-3.5"
        assert scan.metadata["/flyscan_00001/ANATOMIX/i11-c-c03__op__mono/energy"].value == 20.0
        assert [text for text in scan.warnings if "no unit" not in text] == []


@pytest.mark.parametrize("root", ["flyscan_00001", "flyscan_0003", "flyscan_0001", "scan_of_may"])
@pytest.mark.parametrize("beamline", ["ANATOMIX", "PSICHE"])
def test_any_names(tmp_path: Path, root: str, beamline: str) -> None:
    made = a_scan()
    folder = write_flyscan(
        tmp_path / "s", made, root=root, camera="hamamatsu", rotation="some_axis", beamline=beamline
    )
    scan = opened(folder)
    assert scan.dialect == beamline
    assert f"/{root}/scan_data holds the images hamamatsu" in scan.why
    assert scan.angles_deg.value.tolist() == made.angles_deg.value.tolist()


def test_averages(tmp_path: Path) -> None:
    made = a_scan()
    scan = opened(write_flyscan(tmp_path / "s", made, averaged=True))
    flats = pixels(made.flats.frames)
    np.testing.assert_allclose(pixels(scan.flats.frames), [flats[:3].mean(axis=0), flats[3:].mean(axis=0)])
    assert scan.flats.position.tolist() == [-1, 12]
    assert scan.darks.frames.shape == (1, 4, 8)
    assert sum("holds an average, not a stack" in text for text in scan.warnings) == 3


@settings(max_examples=40, deadline=None)
@given(
    start=st.floats(-720, 720),
    turns=st.integers(1, 6),
    count=st.integers(8, 60),
    down=st.booleans(),
    endpoint=st.booleans(),
    jitter=st.floats(0, 1e-3),
)
def test_the_rotation_is_found_among_others(
    tmp_path_factory: pytest.TempPathFactory,
    start: float, turns: int, count: int, down: bool, endpoint: bool, jitter: float,
) -> None:  # fmt: skip
    """It spans a multiple of 180°, may be negative, go down and beyond 360°; other motors move too."""
    angles = start + np.linspace(0, 180 * turns, count, endpoint=endpoint) * (-1 if down else 1)
    angles += np.random.default_rng(count).normal(size=count) * jitter
    others = {
        "tz": np.linspace(0, 11.7, count), "thickness": 3 + np.linspace(0, 91.0, count),
        "shaker": np.sin(np.arange(count)), "still": np.full(count, 5.0), "short": np.linspace(0, 360, count - 1),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("spool") / "s"
    scan = opened(write_flyscan(folder, a_scan(angles), rotation="mystage", more=others))
    assert scan.angles_deg.source.endswith("/mystage")
    np.testing.assert_array_equal(scan.angles_deg.value, angles)
    assert any("was taken for the rotation by how it moves; so do" in text for text in scan.warnings)


def test_the_user_may_choose_the_rotation(tmp_path: Path) -> None:
    other = np.linspace(-90, 90, 12)
    folder = write_flyscan(tmp_path / "s", a_scan(), more={"tomo2Rx": other})
    assert opened(folder).angles_deg.value[0] == 0
    nexus = "s.nxs:/flyscan_00001/scan_data/tomo2Rx"
    assert opened(folder, angles=nexus).angles_deg.value.tolist() == other.tolist()
    with pytest.raises(ParameterError, match=r"names no file, and .* is a folder"):
        tm.open(folder, angles="/flyscan_00001/scan_data/tomo2Rx")
    path = "/flyscan_00001/scan_data/tomo2Rx"
    assert opened(folder / "s.nxs", angles=path).angles_deg.value.tolist() == other.tolist()


def test_no_rotation_is_said_with_what_there_is(tmp_path: Path) -> None:
    folder = write_flyscan(tmp_path / "s", a_scan(), rotation="tomo1Rz1")
    with h5py.File(folder / "s.nxs", "a") as file:
        del file["flyscan_00001/scan_data/tomo1Rz1"]
    with pytest.raises(
        FormatError, match=r"no rotation of 12 positions \(there are ring_current of 12.*give 12"
    ):
        tm.open(folder)
    assert opened(folder, angles_deg=np.arange(12.0)).angles_deg.origin == "user"


@pytest.mark.parametrize("how", ["text", "cut", "empty", "other"])
def test_a_damaged_reference_is_said_and_another_scan_lends_its_own(tmp_path: Path, how: str) -> None:
    lender = write_flyscan(tmp_path / "lender", a_scan(seed=2))
    folder = write_flyscan(tmp_path / "s", a_scan())
    for file in folder.glob("*_ref.nxs"):
        content = {"text": b"no HDF5", "cut": file.read_bytes()[:900], "empty": b"", "other": None}[how]
        if content is None:
            with h5py.File(file, "w") as other:
                other["spectrum"] = np.zeros(4)
        else:
            file.write_bytes(content)
    scan = opened(folder)
    assert scan.flats is None
    assert scan.darks is not None
    assert all(
        any(name in text and "left out" in text for text in scan.warnings) for name in ("pre_ref", "post_ref")
    )
    borrowed = opened(folder, flats=f"{lender}/pre_ref.nxs:/ref_0")
    np.testing.assert_array_equal(pixels(borrowed.flats.frames), pixels(a_scan(seed=2).flats.frames)[:3])
    assert not any("no flat fields" in text for text in borrowed.warnings)


def test_references_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = write_flyscan(tmp_path / "s", a_scan())
    with h5py.File(folder / "post_dark.nxs", "w") as file:
        file["dark_0"] = np.zeros((3, 4, 9), np.uint16)
    with pytest.raises(FormatError, match=r"post_dark\.nxs has frames of \(4, 9\) rows and columns"):
        tm.open(folder)


def test_several_scans_in_one_folder_keep_their_references_apart(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        folder = write_flyscan(tmp_path / name, a_scan(seed=number))
        for file in folder.iterdir():
            own = file.name if file.stem == name else f"{name}_{file.name}"
            (tmp_path / "both").mkdir(exist_ok=True)
            file.rename(tmp_path / "both" / own)
    for number, name in enumerate(("a", "b")):
        scan = opened(tmp_path / "both" / f"{name}.nxs")
        np.testing.assert_array_equal(pixels(scan.flats.frames), pixels(a_scan(seed=number).flats.frames))


def test_a_reference_file_alone_points_to_its_folder(tmp_path: Path) -> None:
    folder = write_flyscan(tmp_path / "s", a_scan())
    with pytest.raises(FormatError, match="that of a Flyscan scan's references; open their folder"):
        tm.open(folder / "pre_ref.nxs")


def test_without_images_it_is_refused_with_its_reason(tmp_path: Path) -> None:
    folder = write_flyscan(tmp_path / "s", a_scan())
    with h5py.File(folder / "s.nxs", "a") as file:
        del file["flyscan_00001/scan_data/orca_image"]
    matches = {form.name: match for form, match in recognise(folder / "s.nxs")}
    assert matches["flyscan"].score == 0
    assert "scan_data holds no three-dimensional dataset" in matches["flyscan"].why


def test_a_par_is_read_and_never_run(tmp_path: Path) -> None:
    file = tmp_path / "x.par"
    file.write_bytes(
        b"! PyHST_SLAVE PARAMETER FILE\r\n# IMAGE_PIXEL_SIZE_1 = 9\r\nIMAGE_PIXEL_SIZE_1 = 1.3 # \xb5m\r\n"
        b"X = 1\nX = 2\nFILE_PREFIX = '/a b/c' # x\nar = __import__('os').abort()\nar[0]=0.0\n"
    )
    found = par_values(file)
    assert found["IMAGE_PIXEL_SIZE_1"] == "1.3"
    assert found["X"] == "2"
    assert found["FILE_PREFIX"] == "/a b/c"


@pytest.mark.parametrize("said", ["N.A.", "0", "-1", "nan", ""])
def test_a_pixel_size_that_cannot_be_is_said(tmp_path: Path, said: str) -> None:
    folder = write_flyscan(tmp_path / "s", a_scan())
    (folder / "s.par").write_text(f"IMAGE_PIXEL_SIZE_1 = {said}\n")
    scan = opened(folder)
    assert scan.pixel_m is None
    assert any("gives no pixel size" in text for text in scan.warnings)
    (folder / "s.par").unlink()
    assert any("there is no .par" in text for text in opened(folder).warnings)


def test_reading_some_rows(tmp_path: Path) -> None:
    made = a_scan()
    scan = opened(write_flyscan(tmp_path / "s", made))
    np.testing.assert_array_equal(
        scan.projections.read(np.array([7, 2]), slice(1, 3)), pixels(made.projections)[[7, 2], 1:3]
    )
    assert scan.projections.read(slice(0, 2), ALL).shape == (2, 4, 8)
