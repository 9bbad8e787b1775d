"""Any HDF5 file by the paths its user gives, in one file or in several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from formats.beamline_makers import ALL, pixels
from tomarium.errors import FormatError, ParameterError
from tomarium.formats.hdf5.user_paths import place_of
from tomarium.model import FrameKind, Scan

Find = Callable[[str], Path]
FRAMES = np.random.default_rng(3).integers(0, 60000, (20, 6, 9), np.uint16)
THETA = np.linspace(10, 190, 20)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "any.h5", "w") as made:
        made["a/frames"], made["a/theta"] = FRAMES, THETA
        made["a/keys"] = np.repeat([2, 1, 0, 1], [2, 3, 12, 3])
        made["a/words"] = np.array(
            ["DarkField"] * 2 + ["FlatField"] * 3 + ["Projection"] * 12 + ["FlatField"] * 3, "S"
        )
        made["a/sinograms"] = FRAMES.transpose(1, 0, 2)
        made["flats"], made["one_dark"] = FRAMES[:4] + 1, FRAMES[0]
        made["a/note"] = "by hand"
    with h5py.File(tmp_path / "other.h5", "w") as made:
        made["tomo/data"], made["angles"] = FRAMES[5:9] + 2, np.deg2rad(THETA)
        made["angles"].attrs["units"] = "rad"
        made["wide"] = np.zeros((3, 6, 10))
    return tmp_path / "any.h5"


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def test_all_in_one_file(file: Path) -> None:
    scan = opened(file, data="/a/frames", flats="/flats", darks="/one_dark", angles="/a/theta")
    assert scan.format == "hdf5-paths"
    np.testing.assert_array_equal(pixels(scan.projections), FRAMES)
    np.testing.assert_array_equal(pixels(scan.flats.frames), FRAMES[:4] + 1)
    np.testing.assert_array_equal(pixels(scan.darks.frames), FRAMES[:1])
    assert scan.flats.position.tolist() == [-1] * 4
    assert scan.angles_deg.value.tolist() == THETA.tolist()
    assert scan.counts == {FrameKind.PROJECTION: 20, FrameKind.FLAT: 4, FrameKind.DARK: 1}
    assert scan.warnings == scan.repaired == scan.missing == ()
    assert scan.metadata["/a/note"].value == "by hand"
    assert scan.metadata["opened_flats"].value == "/flats"
    assert "data /a/frames, flats /flats" in scan.why


def test_several_files_from_anywhere(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent.parent)
    places = {"flats": "other.h5:/tomo/data", "angles": f"{file.parent}/other.h5:/angles"}
    scan = opened(file, data="/a/frames", **places)
    np.testing.assert_array_equal(pixels(scan.flats.frames), FRAMES[5:9] + 2)
    np.testing.assert_allclose(scan.angles_deg.value, THETA)
    assert any("no dark fields were named" in text for text in scan.warnings)


@pytest.mark.parametrize("key", ["/a/keys", "/a/words"])
def test_keys_tell_what_each_frame_shows(file: Path, key: str) -> None:
    scan = opened(file, data="/a/frames", angles="/a/theta", image_key=key)
    np.testing.assert_array_equal(pixels(scan.projections), FRAMES[5:17])
    np.testing.assert_array_equal(pixels(scan.flats.frames), FRAMES[[2, 3, 4, 17, 18, 19]])
    np.testing.assert_array_equal(pixels(scan.darks.frames), FRAMES[:2])
    assert scan.flats.position.tolist() == [-1, -1, -1, 12, 12, 12]
    assert scan.angles_deg.value.tolist() == THETA[5:17].tolist()


def test_some_frames_of_one_stack(file: Path) -> None:
    scan = opened(
        file, data="/a/frames[5:17]", angles="/a/theta", darks="/a/frames[:2]", flats="/a/frames[17:]"
    )
    np.testing.assert_array_equal(pixels(scan.projections), FRAMES[5:17])
    np.testing.assert_array_equal(pixels(scan.flats.frames), FRAMES[17:])
    assert scan.flats.position.tolist() == [12, 12, 12]
    assert scan.darks.position.tolist() == [-1, -1]
    assert scan.angles_deg.value.tolist() == THETA[5:17].tolist()
    np.testing.assert_array_equal(scan.projections.read(np.array([3, 0]), slice(2, 4)), FRAMES[[8, 5], 2:4])


def test_sinogram_order_is_seen_by_the_angles(file: Path) -> None:
    scan = opened(file, data="/a/sinograms", angles="/a/theta")
    np.testing.assert_array_equal(pixels(scan.projections), FRAMES)
    assert any("read in sinogram order" in text for text in scan.repaired)


def test_without_angles_the_default_is_said(file: Path) -> None:
    scan = opened(file, data="/a/frames")
    assert scan.angles_deg.origin == "default"
    assert any("no angles were named" in text for text in scan.warnings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"data": "/a/nothing"}, r"/a/nothing is not there; / holds a, flats, one_dark"),
        ({"data": "/a"}, r"/a is a group; /a holds frames, keys"),
        ({"data": "/a/theta"}, r"has shape \(20,\).*frames are numbers of shape"),
        (
            {"data": "/a/frames", "flats": "other.h5:/wide"},
            r"/wide, given as flat fields, has frames of \(6, 10\)",
        ),
        ({"data": "/a/frames", "angles": "/a/words"}, r"/a/words holds no numbers"),
        ({"data": "/a/frames", "angles": "/a/theta[:5]"}, r"5 angles for 20 projections"),
        ({"data": "/a/frames", "image_key": "/a/keys[:5]"}, "/a/keys holds 5 keys for 20 frames"),
        ({"data": "/a/frames", "image_key": "/a/theta"}, "holds no projections"),
        ({"data": "/a/frames", "image_key": "/flats"}, r"keys for 20 frames"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(file: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        tm.open(file, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"data": "a/frames"}, "is no place in an HDF5 file; write /group/dataset"),
        ({"data": "absent.h5:/a"}, "there is no such file, neither from here nor in"),
        ({"data": "/a/frames", "entry": "x"}, "leaves no choice of format or entry"),
        ({"image_key": "/a/keys"}, "image_key was given without data"),
        ({"data": "/a/frames", "angles": "/a/theta", "angles_deg": THETA}, "both given; give one"),
    ],
)
def test_what_cannot_be_meant_is_refused(file: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        tm.open(file, **given)


def test_a_file_of_no_known_format_names_what_could_be_opened(file: Path) -> None:
    with pytest.raises(
        FormatError, match=r"holds stacks of frames: /a/frames \(20 × 6 × 9\).*data=/a/frames"
    ):
        tm.open(file)


def test_places(tmp_path: Path) -> None:
    scan, other = tmp_path / "scan.h5", tmp_path / "a b.c.nxs"
    scan.touch()
    other.touch()
    assert place_of("/x/y", scan).file == scan
    found = place_of("a b.c.nxs:/x/1-Plug in:z/data[3:]", scan)
    assert (found.file, found.path, found.frames) == (other, "/x/1-Plug in:z/data", slice(3, None))


# Real files.


def test_i12_flats_and_darks_in_their_own_files(shared: Find) -> None:
    """The scan they belong to is not to be had: sixty frames are made to their size."""
    flat, dark, elsewhere = (
        shared(f"nexus/i12_separate/{name}.h5")
        for name in ("flat_field", "dark_field", "dark_field_different_path")
    )
    scan = opened(
        flat,
        data="/1-NoProcessPlugin-tomo/data",
        flats=f"{flat}:/1-NoProcessPlugin-tomo/data",
        darks=f"{dark}:/1-NoProcessPlugin-tomo/data",
    )
    assert scan.shape == (20, 10, 192)
    assert (pixels(scan.flats.frames) == 65535).all()
    again = opened(flat, data="/1-NoProcessPlugin-tomo/data", darks=f"{elsewhere}:/tomo/data")
    np.testing.assert_array_equal(pixels(again.darks.frames), pixels(scan.darks.frames))


def test_k11_by_its_parts_is_the_scan_its_master_gives(shared: Find) -> None:
    master = shared("nexus/k11_diad/k11-18014.nxs")
    whole = opened(master)
    home = master.parent / "k11-18014"
    scan = opened(
        home / "k11-18014-imaging.h5",
        data="/entry/detector/detector",
        angles="k11-18014-pcompPanda.h5:/entry/gts_theta.value/gts_theta.value",
        image_key=f"{master}:/entry/instrument/imaging/image_key",
    )
    assert scan.shape == whole.shape == (3001, 22, 26)
    assert scan.angles_deg.value.tolist() == whole.angles_deg.value.tolist()
    assert scan.flats.position.tolist() == whole.flats.position.tolist()
    some = np.array([0, 1500, 3000])
    np.testing.assert_array_equal(scan.projections.read(some, ALL), whole.projections.read(some, ALL))
    np.testing.assert_array_equal(pixels(scan.darks.frames), pixels(whole.darks.frames))


def test_an_stxm_of_many_angles_opens_as_the_tomography_it_is(shared: Find) -> None:
    home = "/entry1/stxm_entry/data"
    scan = opened(shared("nexus/savu_multimodal.nxs"), data=f"{home}/data", angles=f"{home}/theta")
    assert scan.shape == (52, 7, 101)
    assert scan.angles_deg.value[:3].tolist() == [-42.0, 63.0, -140.0]


def test_flats_of_another_file_for_a_scan_of_a_known_format(shared: Find, tmp_path: Path) -> None:
    tooth = shared("dx/tooth.h5")
    with h5py.File(tmp_path / "f.h5", "w") as made:
        made["f"] = np.full((3, 2, 640), 7.0, np.float32)
    scan = opened(tooth, flats=f"{tmp_path}/f.h5:/f", angles="/exchange/theta")
    assert scan.format == "data-exchange"
    assert (pixels(scan.flats.frames) == 7).all()
    assert scan.counts[FrameKind.FLAT] == 3
    assert scan.darks.frames.shape == (10, 2, 640)


def test_an_image_has_no_flats(shared: Find) -> None:
    with pytest.raises(ParameterError, match="is an image, which has no flats, darks or angles"):
        tm.open(shared("nexus/chopper.nxs"), flats="/entry/data/data")
