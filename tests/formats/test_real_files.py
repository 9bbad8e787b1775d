"""Files nobody here made: each opens with the right numbers, or is refused with the right reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats import recognise
from tomarium.formats.opening.summary import describe
from tomarium.model import FrameKind, Image, Scan, Volume

Find = Callable[[str], Path]
ALL = slice(None)


def opened(path: Path, **given: float) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    json.dumps(describe(scan), allow_nan=False)
    return scan


def test_tooth(shared: Find) -> None:
    scan = opened(shared("dx/tooth.h5"))
    assert (scan.format, scan.dialect) == ("data-exchange", "0.9.1")
    assert scan.shape == (181, 2, 640)
    assert scan.angles_deg.origin == "read"
    assert scan.angles_deg.value[[0, -1]] == pytest.approx([0, 179.005525], abs=1e-6)
    assert scan.flats is not None
    assert scan.darks is not None
    assert scan.flats.frames.shape == scan.darks.frames.shape == (10, 2, 640)
    assert scan.metadata["title"].value == "tomography_raw_projections"
    assert scan.metadata["sample_name"].value == "Tooth"
    assert scan.pixel_m is scan.energy_kev is scan.distance_m is scan.axis_column is None
    assert scan.warnings == scan.repaired == scan.missing == ()
    flat, dark = (one.frames.read(ALL, ALL).mean() for one in (scan.flats, scan.darks))
    middle = scan.projections.read(np.array([90]), ALL).mean()
    assert dark < middle < flat


def test_tooth_described(shared: Find) -> None:
    found = describe(opened(shared("dx/tooth.h5"), pixel_m=1e-6))
    assert found["frames"] == {"projection": 181, "flat": 10, "dark": 10}
    assert found["shape"] == [181, 2, 640]
    assert found["dtype"] == "float32"
    assert found["angles_deg"]["count"] == 181
    assert found["pixel_m"] == {"value": 1e-6, "origin": "user", "source": "given when the scan was opened"}
    assert found["energy_kev"] is None


def test_7bm_has_angles_by_start_and_step(shared: Find) -> None:
    scan = opened(shared("dx/7bm_meta_mock.h5"))
    assert scan.dialect == "APS areaDetector, rotation_start"
    assert scan.shape == (11, 50, 50)
    assert scan.angles_deg.origin == "derived"
    np.testing.assert_allclose(scan.angles_deg.value, 0.05625 * np.arange(11))
    assert any("6401" in warning and "11" in warning for warning in scan.warnings)
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == pytest.approx(1.18063734e-6, rel=1e-8)
    assert scan.metadata["beamline"].value == "7-BM"
    assert scan.metadata["exposure_s"].value == pytest.approx(0.008004129)
    assert scan.metadata["/measurement/instrument/detector/pixel_size"].value == "5.86 microns"


def test_guide_listing_with_three_exchanges(shared: Find) -> None:
    path = shared("dx/DataExchange-example5.h5")
    scan = opened(path)
    assert scan.shape == (180, 256, 256)
    assert scan.energy_kev is not None
    assert scan.energy_kev.value == 19.26
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == pytest.approx(6.7e-6 / 20)
    assert scan.pixel_m.origin == "derived"
    assert scan.metadata["sample_environment"].value == "air"
    assert any("enviroment" in text for text in scan.repaired)
    assert any("exchange_2" in text for text in scan.warnings)
    assert scan.flats is not None
    assert scan.flats.position.tolist() == [-1.0, 180.0]
    assert (scan.projections.read(ALL, slice(100, 101)) == 1).all()
    assert opened(path, entry="exchange_2").shape == (180, 256, 256)  # type: ignore[arg-type]
    volume = tm.open(path, entry="exchange_3")
    assert isinstance(volume, Volume)
    assert (volume.shape, volume.unit, volume.name) == (
        (256, 256, 256),
        "density",
        "tomography reconstructions",
    )
    assert volume.voxel_m == pytest.approx((3.35e-7,) * 3)
    assert "the pixel size of the projections was taken" in volume.metadata["warnings"][0]


def test_reader_h5_gets_default_angles(shared: Find) -> None:
    scan = opened(shared("dx/reader.h5"))
    assert scan.shape == (4, 8, 16)
    assert scan.angles_deg.origin == "default"
    assert scan.angles_deg.value.tolist() == [0, 45, 90, 135]
    assert scan.flats is scan.darks is None
    assert len(scan.warnings) == 3


def test_k11_has_no_definition_and_dangling_links(shared: Find) -> None:
    scan = opened(shared("nexus/k11_diad/k11-18014.nxs"))
    assert (scan.format, scan.dialect) == ("nxtomo", "Diamond, without a definition")
    assert scan.shape == (3001, 22, 26)
    assert scan.angles_deg.value[[0, -1]] == pytest.approx([89.99511, 269.99463], abs=1e-4)
    assert scan.counts == {FrameKind.PROJECTION: 3001, FrameKind.FLAT: 100, FrameKind.DARK: 100}
    assert scan.flats is not None
    assert scan.darks is not None
    assert scan.flats.position.tolist() == [-1.0] * 50 + [3001.0] * 50
    assert set(scan.missing) == {"k11-18014/k11-18014-EtherCAT.h5", "k11-18014/k11-18014-detectorPanda.h5"}
    flat = scan.flats.frames.read(ALL, ALL).mean(axis=0) - scan.darks.frames.read(ALL, ALL).mean(axis=0)
    beam = scan.projections.read(np.array([100, 1500]), ALL).mean(axis=(1, 2))
    assert (flat > 0).all()
    assert beam[1] < 0.85 * beam[0]  # the beam dips in projections 1372-1581
    _, decoded = scan.projections.cost(10, slice(0, 1))
    assert decoded == 0  # chunks of one frame, not compressed


def test_i12_opens_without_its_frames(shared: Find) -> None:
    scan = opened(shared("nexus/i12_360scan_112482.nxs"))
    assert scan.counts == {FrameKind.PROJECTION: 3601, FrameKind.FLAT: 100, FrameKind.DARK: 50}
    assert scan.angles_deg.value[[0, -1]] == pytest.approx([0, 360.015], abs=1e-3)
    assert scan.missing == ("pco1-112482.hdf",)
    assert scan.pixel_m is scan.distance_m is scan.axis_column is None  # NaN, "undefined"
    assert sum("nan is no finite number" in text for text in scan.warnings) == 3
    with pytest.raises(FormatError, match=r"3601 frames lie in pco1-112482\.hdf, which is absent"):
        scan.projections.read(slice(0, 1), ALL)
    assert describe(scan)["dtype"] is None


def test_savu_24888_has_a_uuid_for_a_pixel_size(shared: Find) -> None:
    scan = opened(shared("nexus/savu_24888.nxs"))
    assert scan.counts == {FrameKind.PROJECTION: 91, FrameKind.FLAT: 10, FrameKind.DARK: 10}
    assert scan.angles_deg.value[[0, -1]] == pytest.approx([-89.1, 90.9], abs=1e-3)
    assert scan.missing == ("/dls/i13/data/2014/mt9396-1/raw/pco1-24888.hdf",)
    assert scan.pixel_m is scan.distance_m is None
    assert any("x_pixel_size was left out" in text for text in scan.warnings)
    assert scan.metadata["title"].value == "Mg[2]33C1"


def test_savu_tiffs_and_their_111_angles(shared: Find) -> None:
    folder = shared("tiff/savu_image_test")
    scan = opened(folder)
    assert scan.format == "tiff"
    assert scan.shape == (91, 135, 160)
    assert scan.angles_deg.value[[0, 1, -1]] == pytest.approx([-88.2, -86.2, 91.8], abs=1e-3)
    assert len(scan.repaired) == 1
    assert "111 angles for 91 projections: the first 10 and the last 10" in scan.repaired[0]
    assert scan.warnings == ()
    raw = tifffile.imread(folder / "tiffs" / "raw_00041.tiff")
    np.testing.assert_array_equal(scan.projections.read(np.array([41]), slice(30, 40))[0], raw[30:40])
    assert scan.flats is not None
    assert scan.darks is not None
    assert scan.flats.frames.dtype == np.float32
    assert scan.flats.frames.read(ALL, ALL).mean() > 100 * scan.darks.frames.read(ALL, ALL).mean()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nexus/i12_separate/flat_field.h5", r"without axes.*data=/1-NoProcessPlugin-tomo/data"),
        ("nexus/i12_separate/dark_field.h5", r"20 × 10 × 192 without axes: a stack of frames"),
        ("nexus/i12_separate/dark_field_different_path.h5", r"/tomo/data \(20 × 10 × 192\); to open one"),
        ("nexus/k11_diad/k11-18014/k11-18014-imaging.h5", r"/entry/detector/detector \(3201 × 22 × 26\)"),
        ("nexus/k11_diad/k11-18014/k11-18014-pcompPanda.h5", "holds no group /exchange"),
        ("tiff", "holds only 2 TIFF files"),
        ("tiff/savu_image_test/angles.txt", "a text file of 644 bytes that begins '-88.2'"),
    ],
)
def test_is_refused_with_its_reason(shared: Find, name: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        tm.open(shared(name))
    assert str(shared(name)) in str(caught.value)


def test_one_page_is_an_image_that_says_what_else_it_may_be(shared: Find) -> None:
    for name, shape in (
        ("tiff/savu_image_test/flat_00001.tiff", (135, 160)), ("sinograms/neutron_360.tif", (459, 503)),
    ):  # fmt: skip
        image = tm.open(shared(name))
        assert isinstance(image, Image)
        assert image.shape == shape
        assert "open the folder of the series" in image.metadata["notes"][0]


def test_tiffs_without_their_angles_say_so(shared: Find) -> None:
    scan = opened(shared("tiff/savu_image_test/tiffs"))
    assert scan.angles_deg.origin == "default"
    assert len(scan.warnings) == 3


def test_every_shared_scan_file_has_an_answer(shared: Find) -> None:
    """What the tables above forget still opens as a scan or an image, or is refused in words."""
    for folder in ("dx", "tiff", "nexus", "bliss"):
        for path in sorted(shared(folder).rglob("*")):
            said = str(path)
            try:
                json.dumps(describe(tm.open(path), recognise(path)[0]), allow_nan=False)
            except FormatError as problem:
                said = str(problem)
            assert str(path) in said


def test_a_file_of_compressed_texts_is_no_scan(shared: Find) -> None:
    with pytest.raises(FormatError, match="is not a scan or volume"):
        tm.open(shared("filters/bitshuffle_regression_0.4.0.h5"))
