"""Parts of a scan that are lost, of which the rest still tells: never a shorter scan without a word."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

import tomarium as tm
from contracts.test_formats import FORMATS, example_scan, example_volume, write_ring_buffer
from formats.hostile_files import txrm_bytes
from tomarium.errors import TomariumError
from tomarium.formats.hdf5.source import reading
from tomarium.formats.tiff.ifd_check import MOST_PAGES, chain_of
from tomarium.model import Scan, Volume

ALL = (slice(None), slice(None))
FRAMES = np.random.default_rng(3).integers(0, 60000, (12, 16, 32), np.uint16)


def cut(path: Path, whole: bytes, length: int) -> None:
    path.write_bytes(whole[:length])


class TestTiff:
    def page_by_page(self, path: Path) -> bytes:
        with tifffile.TiffWriter(path) as writer:
            for frame in FRAMES:
                writer.write(frame, photometric="minisblack", metadata=None, contiguous=False)
        return path.read_bytes()

    def test_the_chain_of_a_whole_file_ends_in_it(self, tmp_path: Path) -> None:
        path = tmp_path / "s.tif"
        self.page_by_page(path)
        assert (chain_of(path).pages, chain_of(path).cut) == (12, "")
        assert not [one for one in tm.open(path, domain="counts").warnings if "truncated" in one]
        for bigtiff, byteorder in ((True, "<"), (False, ">"), (True, ">")):
            tifffile.imwrite(path, FRAMES, bigtiff=bigtiff, byteorder=byteorder, photometric="minisblack")
            assert (chain_of(path).pages, chain_of(path).cut) == (12, "")

    @pytest.mark.parametrize("bigtiff", [False, True])
    @pytest.mark.parametrize("byteorder", ["<", ">"])
    def test_a_volume_whose_voxel_size_is_cut_off_says_so(
        self, tmp_path: Path, bigtiff: bool, byteorder: str
    ) -> None:
        """tifffile writes the description of OME behind the pixels, and reads a cut one as absent."""
        path = tmp_path / "v.ome.tif"
        told = {"axes": "ZYX"} | {f"PhysicalSize{axis}": 0.65 for axis in "XYZ"}
        tifffile.imwrite(path, FRAMES, ome=True, bigtiff=bigtiff, byteorder=byteorder, metadata=told)  # type: ignore[arg-type]
        whole = path.read_bytes()
        assert isinstance(tm.open(path), Volume)
        for length in range(len(whole) - FRAMES.nbytes // 4, len(whole), 97):
            cut(path, whole, length)
            try:
                found = tm.open(path)
            except TomariumError:
                continue
            said = found.warnings if isinstance(found, Scan) else ()
            same = isinstance(found, Volume) and found.voxel_m == pytest.approx((0.65e-6,) * 3)
            assert same or any("truncated" in text for text in said)

    def test_a_stack_that_is_cut_anywhere_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "s.tif"
        whole = self.page_by_page(path)
        with tifffile.TiffFile(path) as tif:
            between = {page.offset + more for page in tif.pages for more in (-1, 0, 1, 2, 40)}
        shorter = 0
        for length in sorted({*range(16, len(whole), 331), *between}):
            cut(path, whole, length)
            try:
                scan = tm.open(path, domain="counts")
                found = scan.projections.read(*ALL)
            except TomariumError:
                continue
            shorter += 1
            np.testing.assert_array_equal(found, FRAMES[: len(found)])
            assert len(found) == 12 or any(
                f"truncated after {len(found)} pages" in one for one in scan.warnings
            )
        assert shorter > 20

    @pytest.mark.parametrize(("name", "told"), [("s.tif", "ImageJ"), ("s.ome.tif", "OME")])
    def test_a_volume_without_some_of_its_pages_is_refused(
        self, name: str, told: str, tmp_path: Path
    ) -> None:
        path = tmp_path / name
        kind = {"ome": True} if told == "OME" else {"imagej": True, "resolution": (1.0, 1.0)}
        metadata = {"axes": "ZYX", "unit": "um", "spacing": 1.0}
        if told == "OME":
            metadata = {"axes": "ZYX", **{f"PhysicalSize{axis}": 1.0 for axis in "XYZ"}}
        tifffile.imwrite(
            path, FRAMES, metadata=metadata, compression="zlib" if told == "OME" else None, **kind
        )
        assert tm.open(path).shape == FRAMES.shape
        with tifffile.TiffFile(path) as tif:
            fifth = tif.pages[4].offset
        content = bytearray(path.read_bytes())
        count = struct.unpack_from("<H", content, fifth)[0]
        struct.pack_into("<I", content, fifth + 2 + 12 * count, 0)  # the chain ends after page 4
        path.write_bytes(content)
        with pytest.raises(TomariumError, match=f"holds 5 of the 12 pages its {told} description tells"):
            tm.open(path)

    def test_a_volume_of_ours_that_is_cut_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "v.tif"
        FORMATS["tiff-volume"].write(path, example_volume())
        whole = path.read_bytes()
        for length in range(16, len(whole), 97):
            cut(path, whole, length)
            with pytest.raises(TomariumError):
                _ = tm.open(path)[:]

    def test_pages_without_end_are_counted_only_so_far(self) -> None:
        assert MOST_PAGES == 262144


class TestRingBuffer:
    def test_a_recording_that_is_cut_anywhere_says_so_or_is_refused(self, tmp_path: Path) -> None:
        home = tmp_path / "ring"
        write_ring_buffer(home)
        good = tm.open(home).projections.read(*ALL)
        refused = 0
        for name, frames in (("rec.tif", 12), ("rec@0001.tif", 12), ("flat.tif", 4), ("dark.tif", 3)):
            whole = (home / name).read_bytes()
            for length in range(0, len(whole), 23):
                cut(home / name, whole, length)
                try:
                    scan = tm.open(home)
                    found = scan.projections.read(*ALL)
                except TomariumError:
                    refused += 1
                    continue
                np.testing.assert_array_equal(found, good)
                stack = {"flat.tif": scan.flats, "dark.tif": scan.darks}.get(name)
                held = stack.frames.shape[0] if stack else len(found)
                assert held == frames or any(f"{name} is truncated" in one for one in scan.warnings), length
            (home / name).write_bytes(whole)
        assert refused > 50

    def test_a_step_that_makes_no_turn_is_said(self, tmp_path: Path) -> None:
        home = tmp_path / "ring"
        write_ring_buffer(home)
        text = (home / "rec.par").read_text()
        (home / "rec.par").write_text(text.replace("= 15", "= 1"))
        assert any("neither a turn nor half of one" in one for one in tm.open(home).warnings)
        (home / "rec.par").write_text(text[: text.index("ANGLE")])
        assert any("tells no angle between projections" in one for one in tm.open(home).warnings)


class TestEdf:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("ref0000_0000.edf", "the .info tells 4 frames refNNNN_MMMM.edf, 3 are there"),
            ("ref0001_0000.edf", "the .info tells 4 frames refNNNN_MMMM.edf, 3 are there"),
            ("ref0000_0012.edf", "the .info tells 4 frames refNNNN_MMMM.edf, 3 are there"),
            ("dark0000_0000.edf", "the .info tells 3 frames darkNNNN_MMMM.edf, 2 are there"),
            ("dark0002_0000.edf", "the .info tells 3 frames darkNNNN_MMMM.edf, 2 are there"),
        ],
    )
    @pytest.mark.parametrize("form", ["edf", "pyhst-par"])
    def test_a_lost_reference_is_said_with_both_numbers(
        self, form: str, name: str, said: str, tmp_path: Path
    ) -> None:
        FORMATS[form].write(tmp_path / "scan", example_scan())
        assert not tm.open(tmp_path / "scan").warnings
        next((tmp_path / "scan").rglob(name)).unlink()
        assert said in tm.open(tmp_path / "scan").warnings

    def test_a_set_of_the_beamline_has_ref_n_frames(self, tmp_path: Path) -> None:
        FORMATS["edf"].write(tmp_path / "scan", example_scan())
        info = tmp_path / "scan" / "scan.info"
        info.write_text(
            "".join(line + "\n" for line in info.read_text().splitlines() if "REF_TOTAL" not in line)
        )
        warnings = tm.open(tmp_path / "scan").warnings
        assert "REF_N tells 2 frames refNNNN_0006.edf, 1 are there" in warnings
        assert not any("refNNNN_0000" in one for one in warnings)

    def test_without_an_info_the_numbers_tell(self, tmp_path: Path) -> None:
        FORMATS["edf"].write(tmp_path / "scan", example_scan())
        (tmp_path / "scan" / "scan.info").unlink()
        (tmp_path / "scan" / "ref0000_0000.edf").unlink()
        warnings = tm.open(tmp_path / "scan").warnings
        assert "1 frames refNNNN_0000.edf are there, which are numbered up to 1" in warnings


def test_a_page_of_jpeg_2000_without_its_end_is_refused(tmp_path: Path) -> None:
    FORMATS["jpeg2000"].write(tmp_path / "v", example_volume(), lossy=True)
    page = sorted((tmp_path / "v").glob("*.jp2"))[4]
    whole = page.read_bytes()
    for length in range(len(whole) - 1, len(whole) // 2, -7):
        cut(page, whole, length)
        with pytest.raises(TomariumError, match=r"is truncated|cannot be decoded|no whole"):
            _ = tm.open(tmp_path / "v")[:]


def test_a_scan_of_zeiss_whose_angles_do_not_turn_is_said(tmp_path: Path) -> None:
    content = bytes(txrm_bytes())
    assert isinstance(tm.open(kept(tmp_path / "a.txrm", content)), Scan)
    angles = np.arange(4, dtype="<f4").tobytes()
    assert content.count(angles) == 1
    volume = tm.open(kept(tmp_path / "b.txrm", content.replace(angles, bytes(16))))
    assert any("angles are absent or all the same" in one for one in volume.metadata["notes"])
    assert "notes" not in tm.open(kept(tmp_path / "b.txm", content)).metadata


def kept(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_text_that_claims_more_than_its_file_is_not_read(tmp_path: Path) -> None:
    """HDF5 would ask for two gigabytes first."""
    path = tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        file["title"] = "a bone"
        offset = file["title"].id.get_offset()
    with reading(path) as source:
        assert source.text("/title") == "a bone"
    content = bytearray(path.read_bytes())
    assert struct.unpack_from("<I", content, offset)[0] == len("a bone")
    struct.pack_into("<I", content, offset, 0x7FFFFFFF)
    path.write_bytes(content)
    with reading(path) as source:
        assert source.text("/title") is None
