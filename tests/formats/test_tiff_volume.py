"""TIFF, BigTIFF and OME-TIFF volumes, and TIFF series; tifffile is the judge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import tomarium as tm
from formats.test_edf import ALL, a_scan
from tomarium.errors import FormatError
from tomarium.formats import formats, recognise
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.tiff.header import TiffPlan, tiff_head
from tomarium.model import Axis, Scan, Volume

WRITE, WRITE_SERIES = formats()["tiff-volume"].write, formats()["tiff"].write
assert WRITE is not None
assert WRITE_SERIES is not None
RNG = np.random.default_rng(6)
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


def a_volume(dtype: str = "float32", scale: float = 0.65e-6, **more: Any) -> Volume:
    data = (RNG.normal(size=(7, 12, 14)) * 30).astype(dtype)
    axes = tuple(Axis(name, one, 0.0, "m") for name, one in zip("zyx", (2e-6, scale, scale), strict=True))
    return Volume(data, axes, "1/cm", "Knöchel µ", **more)


def opened(path: Path) -> Volume:
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    return volume


def one_slice(path: Path) -> Any:
    found = tm.open(path)
    return found.projections.read(slice(0, 1), slice(0, 1)) if isinstance(found, Scan) else found[0]


class TestJudgedByTifffile:
    @pytest.mark.parametrize("big", [False, True])
    @pytest.mark.parametrize("ome", [False, True])
    @pytest.mark.parametrize("dtype", TYPES)
    def test_every_page_and_the_whole(
        self, dtype: str, ome: bool, big: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if big:
            monkeypatch.setattr("tomarium.formats.tiff.header.CLASSIC_LIMIT", 1000)
        volume = a_volume(dtype)
        path = tmp_path / ("v.ome.tif" if ome else "v.tif")
        WRITE(path, volume)
        with tifffile.TiffFile(path) as judge:
            assert judge.is_bigtiff == big
            assert (judge.is_ome, judge.is_imagej) == (ome, not ome)
            assert len(judge.pages) == 7
            assert judge.series[0].axes == "ZYX"
            np.testing.assert_array_equal(judge.asarray(), volume[:])
            for number in range(7):
                np.testing.assert_array_equal(judge.pages[number].asarray(), volume[number])
        again = opened(path)
        assert again.dtype == volume.dtype
        np.testing.assert_array_equal(again[2:5, ::2, 3], volume[2:5, ::2, 3])
        assert (again.voxel_m, again.unit, again.name) == (volume.voxel_m, "1/cm", "Knöchel µ")

    def test_imagej_finds_voxel_and_range(self, tmp_path: Path) -> None:
        volume = a_volume()
        WRITE(tmp_path / "v.tif", volume)
        with tifffile.TiffFile(tmp_path / "v.tif") as judge:
            found = judge.imagej_metadata
            resolution = judge.pages[0].tags["XResolution"].value
        assert found is not None
        assert (found["unit"], found["spacing"], found["images"], found["slices"]) == ("micron", 2, 7, 7)
        assert resolution[0] / resolution[1] == pytest.approx(1 / 0.65, rel=1e-9)
        assert found["min"] == volume[:].min()
        assert found["max"] == volume[:].max()

    def test_ome_tells_physical_sizes(self, tmp_path: Path) -> None:
        WRITE(tmp_path / "v.ome.tif", a_volume())
        with tifffile.TiffFile(tmp_path / "v.ome.tif") as judge:
            pixels = tifffile.xml2dict(judge.ome_metadata)["OME"]["Image"]["Pixels"]
        assert [pixels[f"PhysicalSize{axis}"] for axis in "XYZ"] == [0.65, 0.65, 2]
        assert pixels["PhysicalSizeXUnit"] == "µm"
        assert pixels["TiffData"] == {"IFD": 0, "PlaneCount": 7}

    def test_offsets_beyond_four_gigabytes(self, tmp_path: Path) -> None:
        """The head of a large volume, on a file with a hole in it."""
        plan = TiffPlan((3000, 1024, 1024), np.dtype("f4"), (1e-6,) * 3, "", "v", False, None)
        head = tiff_head(plan)
        assert plan.is_big
        last = np.full((1024, 1024), 5, np.float32)
        with (tmp_path / "v.tif").open("wb") as stream:
            stream.write(head)
            stream.seek(len(head) + 2999 * last.nbytes)
            stream.write(last.data)
        with tifffile.TiffFile(tmp_path / "v.tif") as judge:
            assert len(judge.pages) == 3000
            assert judge.pages[2999].dataoffsets[0] == len(head) + 2999 * last.nbytes
            np.testing.assert_array_equal(judge.pages[2999].asarray(), last)
        volume = opened(tmp_path / "v.tif")
        assert volume.shape == (3000, 1024, 1024)
        assert volume[2999, 7, 7] == 5
        assert not volume[1500].any()

    @pytest.mark.parametrize("pages", [1, 2, 3])
    def test_classic_until_it_does_not_fit(self, pages: int) -> None:
        plan = TiffPlan((pages, 1 << 14, 1 << 14), np.dtype("f4"), None, "", "", False, None)
        assert plan.is_big == (pages > 3)
        assert TiffPlan((4, 1 << 14, 1 << 14), np.dtype("f4"), None, "", "", False, None).is_big
        assert tiff_head(plan)[:4] == b"II*\0"

    @pytest.mark.parametrize("scale", [1 / 3 * 1e-6, 1.23456789012345e-7, 5e-3, 3.7e-10])
    def test_any_pixel_size_to_nine_digits(self, scale: float, tmp_path: Path) -> None:
        for name in ("v.tif", "v.ome.tif"):
            WRITE(tmp_path / name, a_volume(scale=scale))
            assert opened(tmp_path / name).voxel_m == pytest.approx((2e-6, scale, scale), rel=1e-9)


class TestReading:
    def test_what_tifffile_writes_for_imagej(self, tmp_path: Path) -> None:
        data = RNG.integers(0, 999, (5, 6, 7)).astype(np.uint16)
        tifffile.imwrite(
            tmp_path / "v.tif",
            data,
            imagej=True,
            resolution=(1 / 0.65, 1 / 0.65),
            metadata={"unit": "um", "spacing": 0.65, "axes": "ZYX"},
        )
        volume = opened(tmp_path / "v.tif")
        assert volume.voxel_m == pytest.approx((0.65e-6,) * 3, rel=1e-6)
        np.testing.assert_array_equal(volume[1:4, 2], data[1:4, 2])

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_what_tifffile_writes_as_ome(self, compression: str | None, tmp_path: Path) -> None:
        data = RNG.normal(size=(5, 6, 7)).astype(np.float32)
        sizes = {f"PhysicalSize{axis}": size for axis, size in zip("XYZ", (0.3, 0.3, 1.1), strict=True)}
        tifffile.imwrite(
            tmp_path / "v.ome.tif", data, compression=compression, photometric="minisblack",
            metadata={"axes": "ZYX", **sizes},
        )  # fmt: skip
        volume = opened(tmp_path / "v.ome.tif")
        assert volume.voxel_m == (1.1e-6, 0.3e-6, 0.3e-6)
        np.testing.assert_array_equal(volume[:], data)
        np.testing.assert_array_equal(volume[3, 2:5, ::2], data[3, 2:5, ::2])

    @pytest.mark.parametrize(
        ("name", "dtype", "kind", "why"),
        [
            ("v", "u2", Volume, "taken for slices: if they are projections, say so by --angles, such as --angles 0"),
            ("v", "f4", Volume, "as of slices"),
            ("tooth_rec", "u2", Volume, "the name tooth_rec speaks of slices"),
            ("projections", "u2", Scan, "speaks of projections"),
        ],
    )  # fmt: skip
    def test_a_stack_without_calibration_says_what_it_is_taken_for(
        self, tmp_path: Path, name: str, dtype: str, kind: type, why: str
    ) -> None:
        path, pages = tmp_path / f"{name}.tif", np.arange(210).reshape(5, 6, 7).astype(dtype)
        tifffile.imwrite(path, pages, imagej=True)
        found = tm.open(path)
        assert type(found) is kind
        assert why in (found.why if isinstance(found, Scan) else found.metadata["why"])
        for told in ({"angles": "0:180:5"}, {"domain": "transmission"}, {"flats": path}):
            scan = tm.open(path, **told)
            assert isinstance(scan, Scan)
            assert scan.format == "tiff"
        if kind is Volume:
            np.testing.assert_array_equal(found[1:, ::2], pages[1:, ::2])
            assert tm.open(path, pixel_m="2 um").voxel_m == (2e-6,) * 3
            assert ("taken_for" in found.metadata) == ("taken" in why)

    def test_an_uncalibrated_volume_of_ours_stays_one(self, tmp_path: Path) -> None:
        data = RNG.normal(size=(5, 6, 7)).astype(np.float32)
        WRITE(tmp_path / "v.tif", Volume(data, tuple(Axis(name) for name in "zyx")))
        volume = opened(tmp_path / "v.tif")
        assert volume.voxel_m is None
        assert volume.metadata["uncalibrated"] is True

    def test_every_cut_is_refused(self, tmp_path: Path) -> None:
        WRITE(tmp_path / "v.tif", a_volume())
        whole = (tmp_path / "v.tif").read_bytes()
        for length in range(1, len(whole), 211):
            (tmp_path / "v.tif").write_bytes(whole[:length])
            with pytest.raises(FormatError, match=str(tmp_path)):
                one_slice(tmp_path / "v.tif")

    def test_flipped_bytes_of_the_head_crash_nothing(self, tmp_path: Path) -> None:
        WRITE(tmp_path / "v.tif", a_volume())
        whole = (tmp_path / "v.tif").read_bytes()
        told: list[str] = []
        for _ in range(150):
            damaged = bytearray(whole)
            for place in RNG.integers(0, 2500, 3):
                damaged[place] = RNG.integers(0, 256)
            (tmp_path / "v.tif").write_bytes(damaged)
            try:
                one_slice(tmp_path / "v.tif")
            except FormatError as problem:
                told.append(str(problem))
        assert told
        assert all(str(tmp_path) in text for text in told)

    def test_xml_with_entities_is_not_read(self, tmp_path: Path) -> None:
        bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb">]><OME><Image><Pixels SizeZ="5"/></Image></OME>'
        tifffile.imwrite(
            tmp_path / "v.tif", np.zeros((5, 6, 7), np.uint16), description=bomb, metadata=None,
            photometric="minisblack",
        )  # fmt: skip
        assert recognise(tmp_path / "v.tif")[0][1].dialect == "pages"

    @pytest.mark.parametrize(
        "key",
        [
            np.s_[2], np.s_[-1], np.s_[1:4], np.s_[::2, 1], np.s_[..., 3], np.s_[2, ..., ::-1], np.s_[1, 2, 3],
            np.s_[:, 1:3, 2], np.s_[[4, 0, 0]], np.s_[:, ::-1], np.s_[np.array([1, 3]), 2:4, :], np.s_[...],
            np.s_[1:1], np.s_[:, -2, 1:3],
        ],
    )  # fmt: skip
    def test_frames_slice_like_an_array(self, key: Any) -> None:
        data = RNG.normal(size=(5, 6, 7))
        np.testing.assert_array_equal(ArrayFrames(data)[key], data[key])


@pytest.mark.parametrize("name", ["v.tif", "v.ome.tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_range_that_integers_stand_for_is_kept(dtype: str, name: str, tmp_path: Path) -> None:
    told = {"low": -50.0, "high": 75.5, "unit": "1/cm"}
    whole = RNG.integers(0, 255, (7, 12, 14)).astype(dtype)
    WRITE(tmp_path / name, replace(a_volume(), data=whole, unit="", metadata={"grey_range": told}))
    stored = opened(tmp_path / name)
    np.testing.assert_array_equal(stored[:], whole)
    assert stored.metadata["grey_range"] == told
    assert json.loads((tmp_path / f"{name}.json").read_text())["grey_range"] == told


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomarium.formats.resumable.array_file._BLOCK_BYTES", 3 * 12 * 14 * 4)
    WRITE(tmp_path / "source.tif", a_volume())
    volume = opened(tmp_path / "source.tif")

    def stop(written: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WRITE(tmp_path / "v.tif", volume, resume=True, on_progress=stop)
    assert not (tmp_path / "v.tif").exists()
    WRITE(tmp_path / "v.tif", volume, resume=True)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "v.tif"), volume[:])


class TestSeries:
    def test_tifffile_reads_each_frame_with_its_pixel(self, tmp_path: Path) -> None:
        scan = a_scan()
        WRITE_SERIES(tmp_path / "s", scan)
        with tifffile.TiffFile(tmp_path / "s" / "raw_00004.tif") as judge:
            np.testing.assert_array_equal(judge.asarray(), scan.projections.read(*ALL)[4])
            resolution = judge.pages[0].tags["XResolution"].value
        assert resolution[0] / resolution[1] == pytest.approx(1 / 1.3, rel=1e-9)
        assert len(list((tmp_path / "s").glob("flat_*.tif"))) == 5

    def test_a_damaged_side_car_is_named(self, tmp_path: Path) -> None:
        WRITE_SERIES(tmp_path / "s", a_scan())
        (tmp_path / "s" / "scan.json").write_text('{"made_by": "tomarium", "pixel_m": "one"}')
        with pytest.raises(FormatError, match=r"scan.json: cannot be read \('one' is no finite number\)"):
            tm.open(tmp_path / "s")

    def test_a_side_car_of_another_program_is_left_alone(self, tmp_path: Path) -> None:
        WRITE_SERIES(tmp_path / "s", a_scan())
        (tmp_path / "s" / "scan.json").write_text('{"pixel_m": 3}')
        scan = tm.open(tmp_path / "s")
        assert isinstance(scan, Scan)
        assert scan.pixel_m is not None
        assert scan.pixel_m.source.startswith("raw_00000.tif: its description by ImageJ")

    def test_flats_removed_since(self, tmp_path: Path) -> None:
        WRITE_SERIES(tmp_path / "s", a_scan())
        (tmp_path / "s" / "flat_00004.tif").unlink()
        scan = tm.open(tmp_path / "s")
        assert isinstance(scan, Scan)
        assert any("tells the time of 5 reference frames, 4 are there" in text for text in scan.warnings)


@pytest.mark.parametrize(("resolution", "pixel_m"), [(1, 1e-6), (2, 0.5e-6)])
def test_pixels_as_imagej_tells_them(tmp_path: Path, resolution: int, pixel_m: float) -> None:
    pages = RNG.integers(0, 60000, (5, 12, 14)).astype(np.uint16)
    told = {"imagej": True, "resolution": (resolution, resolution)}
    tifffile.imwrite(tmp_path / "page.tif", pages[0], **told, metadata={"unit": "um"})
    tifffile.imwrite(tmp_path / "scan.tif", pages, **told, metadata={"unit": "um", "axes": "TYX"})
    page, scan = tm.open(tmp_path / "page.tif"), tm.open(tmp_path / "scan.tif")
    assert [(axis.name, axis.scale, axis.unit) for axis in page.axes] == [
        ("y", pixel_m, "m"),
        ("x", pixel_m, "m"),
    ]
    assert isinstance(scan, Scan)
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == pixel_m
    assert scan.pixel_m.origin == "read"
    doubt = "which programs also write where they know none"
    assert any(doubt in said for said in scan.warnings) == (resolution == 1)
    assert any(doubt in said for said in page.metadata["notes"]) == (resolution == 1)


def test_a_resolution_for_print_is_no_pixel_of_a_scan(tmp_path: Path) -> None:
    pages = RNG.integers(0, 60000, (5, 12, 14)).astype(np.uint16)
    told = {"unit": "inch", "axes": "TYX"}
    tifffile.imwrite(tmp_path / "scan.tif", pages, imagej=True, resolution=(300, 300), metadata=told)
    scan = tm.open(tmp_path / "scan.tif")
    assert isinstance(scan, Scan)
    assert scan.pixel_m is None
