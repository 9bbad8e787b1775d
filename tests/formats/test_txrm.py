"""Zeiss files: the real one against olefile alone, made ones for what it does not hold, damage."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import olefile
import pytest

import tomarium as tm
from formats.ole2_writer import ole2
from formats.txrm_example import zeiss_streams
from tomarium.cli import execute
from tomarium.errors import FormatError, TomariumError
from tomarium.formats import recognise
from tomarium.model import Image, Scan, Volume

RNG = np.random.default_rng(11)
STACK = RNG.integers(0, 60000, (5, 40, 70)).astype(np.uint16)  # frames of 5600 bytes lie in sectors
ANGLES = np.array([-60.0, -30.5, 0.0, 30.25, 60.0])
Find = Callable[[str], Path]


def opened(path: Path) -> Scan:
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    return scan


def made(path: Path, scatter: tuple[str, ...] = (), **changed: bytes | None) -> Path:
    """Write a scan with some streams changed, or left out where None; `__` in a name stands for "/"."""
    streams: dict[str, bytes | None] = {**zeiss_streams(STACK, ANGLES)}
    streams |= {name.replace("__", "/"): content for name, content in changed.items()}
    path.write_bytes(
        ole2({name: content for name, content in streams.items() if content is not None}, scatter)
    )
    return path


def test_the_writer_here_writes_ole2(tmp_path: Path) -> None:
    streams = zeiss_streams(STACK, ANGLES)
    with olefile.OleFileIO(made(tmp_path / "x.txrm", ("ImageData1/Image2",))) as ole:
        assert ole.parsing_issues == []
        for name, content in streams.items():
            assert ole.openstream(name).read() == content, name


def test_a_made_scan(tmp_path: Path) -> None:
    scan = opened(made(tmp_path / "x.txrm", ("ImageData1/Image2",)))
    assert scan.angles_deg.value.tolist() == ANGLES.tolist()
    assert (scan.pixel_m.value, scan.energy_kev.value, scan.distance_m.value) == (0.65e-6, 20.0, 0.1)
    assert scan.metadata["source_distance_m"].value == 0.05
    assert scan.metadata["exposure_s"].value == 5.0
    assert scan.metadata["start_time"].value == "2015-11-09T18:19:21"
    assert scan.metadata["sample_name"].value == "a bone"
    assert scan.metadata["/PositionInfo/AxisUnits"].value == "µm"
    whole = scan.projections.read(slice(None), slice(None))
    np.testing.assert_array_equal(whole, STACK)
    np.testing.assert_array_equal(
        scan.projections.read(np.array([4, 1, 1]), slice(3, 30, 2)), STACK[[4, 1, 1], 3:30:2]
    )
    assert scan.projections.cost(5, slice(0, 1)) == (5 * 40 * 70 * 2, 0)  # one frame is scattered
    assert opened(made(tmp_path / "y.txrm")).projections.cost(5, slice(0, 1)) == (5 * 70 * 2, 0)


def test_more_than_a_hundred_frames_keep_their_order(tmp_path: Path) -> None:
    stack = np.arange(230, dtype=np.uint16)[:, None, None] + np.zeros((1, 2, 3), np.uint16)
    path = tmp_path / "x.txrm"
    path.write_bytes(ole2(zeiss_streams(stack, np.linspace(0, 180, 230))))
    np.testing.assert_array_equal(opened(path).projections.read(slice(None), slice(None)), stack)


@pytest.mark.parametrize(("dtype", "code"), [("u1", 3), ("i2", 4), ("f4", 10), ("u2", 77), ("f4", 77)])
def test_types_of_pixels(tmp_path: Path, dtype: str, code: int) -> None:
    stack = (STACK // 300).astype(dtype)
    path = tmp_path / "x.txrm"
    path.write_bytes(ole2({**zeiss_streams(stack, ANGLES), "ImageInfo/DataType": struct.pack("<I", code)}))
    scan = opened(path)
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), stack)
    assert np.dtype(scan.projections.dtype) == np.dtype(dtype)
    assert bool(scan.repaired) == (code == 77)


def test_the_reference_is_the_flat(tmp_path: Path) -> None:
    flat = RNG.uniform(1e4, 2e4, (40, 70)).astype("<f4")
    path = made(
        tmp_path / "x.txrm",
        ReferenceData__Image=flat.tobytes(),
        ReferenceData__DataType=struct.pack("<I", 10),
        ReferenceData__ExpTime=struct.pack("<f", 10.0),
    )
    scan = opened(path)
    assert scan.flats is not None
    np.testing.assert_array_equal(scan.flats.frames.read(slice(None), slice(None))[0], flat)
    assert scan.flats.position.tolist() == [-1.0]
    assert any("must be scaled by 0.5" in text for text in scan.warnings)
    several = made(
        tmp_path / "y.txrm",
        MultiReferenceData__Image1=flat.tobytes(),
        MultiReferenceData__Image2=(2 * flat).tobytes(),
    )
    flats = opened(several).flats
    assert flats is not None
    np.testing.assert_array_equal(flats.frames.read(slice(None), slice(None)), [flat, 2 * flat])
    divided = made(
        tmp_path / "z.txrm",
        ReferenceData__Image=flat.tobytes(),
        ImageInfo__OriginalDataRefCorrected=struct.pack("<I", 1),
    )
    assert opened(divided).flats is None
    assert any("divided by the reference image already" in text for text in opened(divided).warnings)


def test_the_cone_is_told_in_pixels(tmp_path: Path) -> None:
    """Half a field of 35 px of 0.65 µm, 50 mm from the source: 35² · 0.65e-6 / 0.05 = 0.016 px, too little to say."""
    assert not any("cone" in text for text in opened(made(tmp_path / "x.txrm")).warnings)
    near = made(tmp_path / "y.txrm", ImageInfo__StoRADistance=struct.pack("<5f", *[-1.0] * 5))
    assert any("off by up to 0.796 px" in text for text in opened(near).warnings)


def test_a_stopped_scan_and_a_cut_one(tmp_path: Path) -> None:
    stopped = made(
        tmp_path / "x.txrm",
        ImageData1__Image5=None,
        ImageInfo__ImagesTaken=struct.pack("<I", 4),
        ImageInfo__Angles=ANGLES[:4].astype("<f4").tobytes(),
    )
    assert opened(stopped).shape == (4, 40, 70)
    assert "4 taken" in opened(stopped).repaired[0]
    with pytest.raises(FormatError, match="says it has 5 images and holds 4"):
        tm.open(made(tmp_path / "y.txrm", ImageData1__Image5=None))


def test_one_image_and_a_volume(tmp_path: Path) -> None:
    path = tmp_path / "x.xrm"
    path.write_bytes(ole2(zeiss_streams(STACK[:1], ANGLES[:1])))
    image = tm.open(path)
    assert isinstance(image, Image)
    assert [(axis.name, axis.scale, axis.unit) for axis in image.axes] == [
        ("y", 0.65e-6, "m"),
        ("x", 0.65e-6, "m"),
    ]
    np.testing.assert_array_equal(image[3:5, 7], STACK[0, 3:5, 7])
    path = tmp_path / "x.txm"
    path.write_bytes(ole2(zeiss_streams(STACK, None)))
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    assert volume.voxel_m == (0.65e-6,) * 3
    for key in (2, slice(1, 3), (slice(None), 3), (0, slice(2, 4), 5), (..., 4), Ellipsis):
        np.testing.assert_array_equal(volume[key], STACK[key])


def test_how_an_image_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.xrm"
    path.write_bytes(ole2(zeiss_streams(STACK[1:2], ANGLES[1:2])))
    image = tm.open(path)
    assert isinstance(image, Image)
    told = {
        name: image.metadata[name] for name in ("energy_kev", "angle_deg", "distance_m", "source_distance_m")
    }
    assert told == {"energy_kev": 20.0, "angle_deg": -30.5, "distance_m": 0.1, "source_distance_m": 0.05}
    sources = image.metadata["sources"]
    assert sources["angle_deg"] == {
        "origin": "read",
        "source": "x.xrm:ImageInfo/Angles, degrees with the sign of the file",
    }
    assert sources["energy_kev"]["source"] == "x.xrm:ImageInfo/Energy, its size says keV"
    assert sources["start_time"]["origin"] == "derived"
    scan = tm.open(path, angles_deg=np.arange(40.0))  # as a sinogram
    assert isinstance(scan, Scan)
    assert scan.energy_kev is not None
    assert (scan.energy_kev.value, scan.energy_kev.source) == (20.0, sources["energy_kev"]["source"])


def test_an_image_without_an_angle_has_none(tmp_path: Path) -> None:
    for number, angles in enumerate((None, np.array([np.nan]))):
        path = tmp_path / f"{number}.xrm"
        path.write_bytes(ole2(zeiss_streams(STACK[:1], angles)))
        image = tm.open(path)
        assert isinstance(image, Image)
        assert "angle_deg" not in image.metadata
    path = tmp_path / "volume.txm"
    path.write_bytes(ole2(zeiss_streams(STACK, ANGLES)))
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    assert volume.metadata["energy_kev"] == 20.0
    assert "angle_deg" not in volume.metadata


def test_info_shows_energy_and_angle_of_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.xrm"
    path.write_bytes(ole2(zeiss_streams(STACK[1:2], ANGLES[1:2])))
    assert execute(["info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("20 keV" in line and "read: x.xrm:ImageInfo/Energy" in line for line in lines)
    assert any("-30.5°" in line and "read: x.xrm:ImageInfo/Angles" in line for line in lines)


@pytest.mark.parametrize(
    ("stream", "content", "said"),
    [
        ("ImageInfo__ImageWidth", struct.pack("<I", 2**31), "which cannot be"),
        ("ImageInfo__NoOfImages", struct.pack("<I", 0), "which cannot be"),
        ("ImageInfo__ImageWidth", struct.pack("<I", 80), "5600 bytes; 40 x 80 pixels of uint16 need 6400"),
        ("ImageInfo__ImageHeight", None, "lacks ImageInfo/ImageHeight"),
        ("ImageInfo__Angles", ANGLES[:3].astype("<f4").tobytes(), "3 angles for 5 projections"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, stream: str, content: bytes | None, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        tm.open(made(tmp_path / "x.txrm", **{stream: content}))


def test_another_ole2_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.doc").write_bytes(ole2({"WordDocument": b"text"}))
    with pytest.raises(FormatError, match="holds WordDocument and no ImageInfo"):
        tm.open(tmp_path / "x.doc")


def test_damage_to_the_real_file(shared: Find, tmp_path: Path) -> None:
    """Flips in the tables and cuts end in words; what still opens has frames of the right size."""
    whole = shared("lab/test_chip_tomo.txrm").read_bytes()
    with olefile.OleFileIO(shared("lab/test_chip_tomo.txrm")) as ole:
        last_image = 4096 * (1 + ole.direntries[ole._find("ImageData1/Image7")].isectStart) + 131072
    path = tmp_path / "x.txrm"

    def met(content: bytes) -> bool:
        path.write_bytes(content)
        try:
            scan = opened(path)
        except TomariumError as problem:
            return str(path) in str(problem)
        assert scan.projections.read(slice(0, 1), slice(0, 2)).shape == (1, 2, 256)
        return False

    assert all(met(whole[:cut]) for cut in RNG.integers(1, last_image, 15))
    tables = [0, 80, *range(4096, 8192, 97)]
    refused = 0
    for _ in range(30):
        damaged = bytearray(whole)
        for place in RNG.choice(tables, 4):
            damaged[place] ^= int(RNG.integers(1, 256))
        refused += met(bytes(damaged))
    assert refused > 0


def test_the_real_file(shared: Find) -> None:
    path = shared("lab/test_chip_tomo.txrm")
    form, match = recognise(path)[0]
    assert (form.name, match.dialect) == ("txrm", "txrm")
    scan = opened(path)
    assert scan.shape == (7, 256, 256)
    assert np.round(scan.angles_deg.value).tolist() == [-45, -30, -15, 0, 15, 30, 45]
    assert scan.pixel_m.value == pytest.approx(0.15578948e-6)
    assert scan.energy_kev.value == pytest.approx(9.2, rel=1e-5)
    assert scan.distance_m is None
    assert any("placeholder" in text for text in scan.warnings)
    assert any("1.28 px" in text for text in scan.warnings)
    assert scan.metadata["/ConfigureBackup/ConfigCamera/Camera 1/CameraName"].value == "Imaging"
    with olefile.OleFileIO(path) as ole:
        names = {"/" + "/".join(parts) for parts in ole.listdir()}
        for number in (1, 7):
            frame = np.frombuffer(ole.openstream(f"ImageData1/Image{number}").read(), "<u2").reshape(256, 256)
            np.testing.assert_array_equal(
                scan.projections.read(slice(number - 1, number), slice(None))[0], frame
            )
    lost = {name for name in names if "ImageData" not in name} - {
        name for name in scan.metadata if name[0] == "/"
    }
    assert lost == set()


def test_a_lost_image_in_the_middle_is_refused(tmp_path: Path) -> None:
    """Images 1 2 4 5 with the angles of 1 2 3 4 5: also where the file says that four were taken."""
    lost: dict[str, bytes | None] = {"ImageData1__Image3": None}
    for count in (4, 5):
        told = struct.pack("<I", count)
        with pytest.raises(FormatError, match=r"Image3 should be frame 3|says it has 5 images and holds 4"):
            tm.open(made(tmp_path / f"{count}.txrm", **lost, ImageInfo__NoOfImages=told))
    taken = struct.pack("<I", 4)
    with pytest.raises(FormatError, match="Image3 should be frame 3"):
        tm.open(made(tmp_path / "t.txrm", **lost, ImageInfo__ImagesTaken=taken))


def test_a_scan_that_was_stopped_keeps_the_angles_of_what_was_taken(tmp_path: Path) -> None:
    lost: dict[str, bytes | None] = {
        "ImageData1__Image5": None,
        "ImageInfo__ImagesTaken": struct.pack("<I", 4),
    }
    scan = opened(made(tmp_path / "t.txrm", **lost))
    assert scan.angles_deg.value.tolist() == ANGLES[:4].tolist()
    assert any("planned and 4 taken" in text for text in scan.repaired)
