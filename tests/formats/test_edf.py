"""EDF: every type and spelling, several frames, damage, series with their .info; fabio is the judge."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import fabio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tomarium as tm
from scans import changed
from tomarium.errors import FormatError, InputError
from tomarium.formats import formats, recognise
from tomarium.formats.edf.header import SPELLINGS, TYPES, all_blocks, edf_bytes
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import FrameKind, Geometry, Image, Scan, Value
from tomarium.model.scan import Reference

Find = Callable[[str], Path]
ALL = (slice(None), slice(None))
RNG = np.random.default_rng(3)
WRITE = formats()["edf"].write
assert WRITE is not None


def a_scan(**changes: object) -> Scan:
    stack = RNG.integers(0, 60000, (9, 5, 7)).astype(np.uint16)
    scan = Scan(
        path=Path("x"),
        name="x",
        format="memory",
        dialect="",
        why="",
        projections=ArrayFrames(stack),
        geometry=Geometry(
            angles_deg=Value(np.arange(9) * 20.0, "read", ""), pixel_m=Value(1.3e-6, "read", "")
        ),
        flats=Reference(ArrayFrames(stack[:5] // 2), np.array([-1, -1, -1, 9.0, 9.0])),
        darks=Reference(ArrayFrames(stack[:2] // 100), np.array([-1.0, 9.0])),
    )
    return changed(scan, **changes)


def opened(path: Path) -> Scan:
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    return scan


def image(path: Path) -> Image:
    found = tm.open(path)
    assert isinstance(found, Image)
    return found


def raw_edf(path: Path, pixels: np.ndarray, **header: str) -> Path:
    """An EDF written by hand: only the keys given."""
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in header.items())
    path.write_bytes(text.ljust(510).encode("latin-1") + b"}\n" + pixels.tobytes())
    return path


class TestHeaders:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("spelling", TYPES)
    def test_every_spelling_and_byte_order(self, spelling: str, order: str, tmp_path: Path) -> None:
        pixels = RNG.integers(0, 120, (3, 4)).astype(np.dtype(TYPES[spelling]).newbyteorder(order))
        path = raw_edf(
            tmp_path / "x.edf",
            pixels,
            DATATYPE=spelling.upper() + "_Value" * (spelling in ("float", "double")),
            ByteOrder="HighByteFirst" if order == ">" else "LowByteFirst",
            dim_1="4",
            Dim_2="3",
        )
        found = image(path)
        assert found.dtype == np.dtype(TYPES[spelling])
        np.testing.assert_array_equal(found[...], pixels)

    @pytest.mark.parametrize("dtype", SPELLINGS)
    def test_what_we_write_fabio_reads(self, dtype: str, tmp_path: Path) -> None:
        pixels = RNG.integers(0, 120, (6, 11)).astype(dtype)
        frames = [pixels, pixels[::-1].copy()]
        path = tmp_path / "x.edf"
        path.write_bytes(
            b"".join(edf_bytes({"count_time": "0.5"}, one, number) for number, one in enumerate(frames, 1))
        )
        judge = fabio.open(str(path))
        assert judge.nframes == 2
        assert judge.header["count_time"] == "0.5"
        for number, frame in enumerate(frames):
            np.testing.assert_array_equal(judge.get_frame(number).data, frame)
            assert judge.get_frame(number).data.dtype == np.dtype(dtype)

    @given(
        st.dictionaries(
            st.from_regex(r"[A-Za-z][A-Za-z0-9_ ]{0,20}[A-Za-z0-9]", fullmatch=True).filter(
                lambda key: not key.lower().startswith(("dim_", "size", "edf_", "image", "compression"))
            ),
            st.text(st.characters(codec="latin-1", exclude_characters=";{}"), max_size=300),
            max_size=40,
        )
    )
    @settings(max_examples=40)
    def test_headers_survive(self, tmp_path_factory: pytest.TempPathFactory, header: dict[str, str]) -> None:
        path = tmp_path_factory.mktemp("h") / "x.edf"
        path.write_bytes(edf_bytes(header, np.eye(3, dtype=np.float32)))
        (block,) = all_blocks(path)
        assert block.offset % 512 == 0
        for key, value in header.items():
            if key.lower() not in ("byteorder", "datatype", "headerid"):
                assert block.header[key.strip()] == value.replace("\r", " ").replace("\n", " ").strip() or (
                    "\n" in value or "\r" in value
                )

    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            ({"Dim_1": "4", "Dim_2": "3"}, "no DataType is given"),
            ({"Dim_1": "4", "Dim_2": "3", "DataType": "Complex"}, "DataType is 'Complex'"),
            ({"Dim_1": "4x", "Dim_2": "3", "DataType": "Float"}, "Dim_1 is '4x', no whole number"),
            ({"Dim_1": "4", "Dim_2": "0", "DataType": "Float"}, "rows and columns above 0"),
            ({"Dim_1": "99999", "Dim_2": "99999", "DataType": "Float"}, "is truncated"),
            ({"Dim_1": "4", "Dim_2": "3", "DataType": "Float", "Size": "12"}, "Size is 12 bytes"),
            ({"Dim_1": "4", "Dim_2": "3", "DataType": "Float", "Compression": "ByteOffset"}, "ByteOffset"),
        ],
    )
    def test_a_wrong_header_is_named(self, header: dict[str, str], reason: str, tmp_path: Path) -> None:
        path = raw_edf(tmp_path / "x.edf", np.zeros((3, 4), np.float32), **header)
        with pytest.raises(FormatError, match=reason):
            tm.open(path)

    def test_no_byte_order_is_said(self, tmp_path: Path) -> None:
        pixels = RNG.normal(size=(3, 4)).astype("<f8")
        found = image(raw_edf(tmp_path / "x.edf", pixels, Dim_1="4", Dim_2="3", DataType="DoubleValue"))
        assert "low byte first was assumed" in found.metadata["notes"][0]
        np.testing.assert_array_equal(found[...], pixels)

    def test_every_cut_is_refused_and_every_flip_survived(self, tmp_path: Path) -> None:
        whole = edf_bytes({"a": "b"}, np.eye(8, dtype=np.uint16))
        path = tmp_path / "x.edf"
        for length in range(1, len(whole), 7):
            path.write_bytes(whole[:length])
            with pytest.raises(FormatError, match=str(path)):
                tm.open(path)
        told: list[str] = []
        for _ in range(150):
            damaged = bytearray(whole)
            damaged[RNG.integers(0, 200)] = RNG.integers(0, 256)
            path.write_bytes(damaged)
            try:
                np.asarray(image(path)[...])
            except FormatError as problem:
                told.append(str(problem))
        assert told
        assert all(str(path) in text for text in told)


class TestCompressed:
    @pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, "gz"), (bz2.compress, "bz2")])
    def test_series_of_compressed_files(
        self, pack: Callable[[bytes], bytes], suffix: str, tmp_path: Path
    ) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        plain = opened(folder).projections.read(*ALL)
        for file in list(folder.glob("s*.edf")):
            file.with_name(f"{file.name}.{suffix}").write_bytes(pack(file.read_bytes()))
            file.unlink()
        scan = opened(folder)
        np.testing.assert_array_equal(scan.projections.read(*ALL), plain)
        np.testing.assert_array_equal(scan.projections.read(np.array([4]), slice(2, 4))[0], plain[4, 2:4])
        assert scan.projections.cost(2, slice(0, 1))[1] == 2 * 5 * 7 * 2

    def test_a_bomb_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tomarium.formats.opening.unpacked.MOST_UNPACKED", 1 << 16)
        path = tmp_path / "x.edf.gz"
        path.write_bytes(gzip.compress(edf_bytes({}, np.zeros((512, 512), np.float32))))
        with pytest.raises(FormatError, match="more than 65536 bytes once they are decompressed"):
            tm.open(path)

    def test_damaged_compressed_bytes(self, tmp_path: Path) -> None:
        whole = gzip.compress(edf_bytes({}, RNG.integers(0, 9, (64, 64)).astype(np.uint16)))
        path = tmp_path / "x.edf.gz"
        for place in RNG.integers(20, len(whole), 60):
            damaged = bytearray(whole)
            damaged[place] ^= 0xFF
            path.write_bytes(damaged)
            with pytest.raises(FormatError, match=str(path)):
                tm.open(path)


class TestSeries:
    def test_names_and_texts_are_the_esrfs(self, tmp_path: Path) -> None:
        WRITE(tmp_path / "bone", a_scan())
        names = {file.name for file in (tmp_path / "bone").iterdir()}
        assert {
            "bone0000.edf",
            "bone0008.edf",
            "bone.info",
            "dark.edf",
            "refHST0000.edf",
            "refHST0009.edf",
        } <= names
        assert {"ref0002_0000.edf", "ref0001_0009.edf", "dark0000_0000.edf", "dark0000_0009.edf"} <= names
        info = (tmp_path / "bone" / "bone.info").read_text()
        assert "TOMO_N=                 9\n" in info
        assert "PixelSize=              1.3\n" in info
        assert "ScanRange=              180.0\n" in info

    def test_fabio_reads_the_frames_and_medians(self, tmp_path: Path) -> None:
        scan = a_scan()
        WRITE(tmp_path / "s", scan)
        np.testing.assert_array_equal(
            fabio.open(str(tmp_path / "s" / "s0004.edf")).data, scan.projections.read(*ALL)[4]
        )
        assert scan.flats is not None
        median = np.median(scan.flats.frames.read(*ALL)[:3], axis=0)
        np.testing.assert_array_equal(fabio.open(str(tmp_path / "s" / "refHST0000.edf")).data, median)

    @pytest.mark.parametrize("seed", range(5))
    def test_any_angles_survive(self, seed: int, tmp_path: Path) -> None:
        draw = np.random.default_rng(seed)
        angles = [
            draw.uniform(-400, 400, 9),
            np.arange(9) * 0.1,
            np.linspace(0, 180, 9),
            5 + np.arange(9) * 180 / 7,
            -np.arange(9) * 40.0,
        ][seed]
        WRITE(tmp_path / "s", a_scan(angles_deg=Value(angles, "read", "")))
        np.testing.assert_array_equal(opened(tmp_path / "s").angles_deg.value, angles)

    def test_frames_beyond_tomo_n_are_alignment(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        info = (folder / "s.info").read_text()
        (folder / "s.info").write_text(info.replace("TOMO_N=                 9", "TOMO_N=                 7"))
        scan = opened(folder)
        assert scan.shape == (7, 5, 7)
        assert scan.counts[FrameKind.ALIGNMENT] == 2
        np.testing.assert_allclose(scan.angles_deg.value, np.arange(7) * 180 / 7)
        assert any("the .info was believed" in text for text in scan.warnings)  # headers still tell 20° steps

    def test_an_aborted_scan_keeps_its_step(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        for number in (7, 8):
            (folder / f"s{number:04d}.edf").unlink()
        scan = opened(folder)
        assert scan.angles_deg.value.tolist() == [0, 20, 40, 60, 80, 100, 120]
        assert any("tells 9 projections, 7 are there" in text for text in scan.warnings)

    def test_angles_from_headers_where_no_info_is(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan(angles_deg=Value(np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5]), "read", "")))
        (folder / "s.info").unlink()
        (folder / "angles.txt").unlink()
        scan = opened(folder)
        assert scan.angles_deg.value.tolist() == [3, 1, 4, 1, 5, 9, 2, 6, 5]
        assert "srot" in scan.angles_deg.source

    def test_xml_in_place_of_info(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        (folder / "s.info").unlink()
        (folder / "s.xml").write_text(
            "<tomodb2><acquisition><tomo_N>9</tomo_N><scanRange>180</scanRange><pixelSize>0.65</pixelSize>"
            "<distance>120</distance><energy>17.5</energy></acquisition></tomodb2>"
        )
        scan = opened(folder)
        assert scan.pixel_m is not None
        assert scan.distance_m is not None
        assert scan.energy_kev is not None
        assert (scan.pixel_m.value, scan.distance_m.value, scan.energy_kev.value) == (0.65e-6, 0.12, 17.5)
        assert scan.angles_deg.origin == "derived"

    def test_xml_with_entities_is_not_read(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        (folder / "s.info").unlink()
        (folder / "s.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
        with pytest.raises(FormatError, match="declares entities"):
            tm.open(folder)

    def test_medians_serve_where_single_flats_are_gone(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        for file in [*folder.glob("ref0*"), *folder.glob("dark0*")]:
            file.unlink()
        scan = opened(folder)
        assert scan.flats is not None
        assert scan.darks is not None
        assert scan.flats.position.tolist() == [-1.0, 9.0]
        assert scan.darks.frames.shape == (1, 5, 7)

    def test_a_frame_of_another_size_is_named(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        (folder / "s0003.edf").write_bytes(edf_bytes({}, np.zeros((5, 8), np.uint16)))
        with pytest.raises(FormatError, match=r"s0003.edf: its frame 0 has \(5, 8\) pixels"):
            opened(folder).projections.read(*ALL)

    def test_two_frames_are_no_scan(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        for file in folder.iterdir():
            if file.name not in ("s0000.edf", "s0001.edf"):
                file.unlink()
        with pytest.raises(FormatError, match=r"2 EDF projections and no .info"):
            tm.open(folder)

    def test_volumes_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="only a scan"):
            WRITE(tmp_path / "s", Image(np.zeros((2, 2)), ()))
        assert list(tmp_path.iterdir()) == []

    def test_a_row_of_each_frame_costs_a_row(self, tmp_path: Path) -> None:
        WRITE(tmp_path / "s", a_scan())
        assert opened(tmp_path / "s").projections.cost(9, slice(0, 1)) == (9 * 7 * 2, 0)


class TestRealFiles:
    def test_frelon_in_bzip2(self, shared: Find) -> None:
        path = shared("edf/F2K_Seb_Lyso0675.edf.bz2")
        found = image(path)
        assert (found.shape, found.dtype) == ((2048, 2048), np.uint16)
        assert found.metadata["uncalibrated"] is True
        assert found.metadata["headers"][0]["count_time"] == "Na"
        judge = fabio.open(str(path))
        np.testing.assert_array_equal(found[...], judge.data)
        assert dict(judge.header).items() <= found.metadata["headers"][0].items()

    def test_truncated(self, shared: Find) -> None:
        with pytest.raises(
            FormatError, match="8388608 bytes of pixels from byte 3072, the file ends at 10000"
        ):
            tm.open(shared("edf/F2K_Seb_Lyso0675_header_only.edf"))

    def test_without_header_id_and_size(self, shared: Find) -> None:
        found = image(shared("edf/im0000.edf"))
        assert found.metadata["headers"][0]["History-1"] == "something=something else"
        np.testing.assert_array_equal(found[...], fabio.open(str(shared("edf/im0000.edf"))).data)

    def test_several_frames(self, shared: Find) -> None:
        path = shared("edf/mydet_chip_1.edf")
        found = image(path)
        assert found.shape == (4, 256, 256)
        assert [axis.name for axis in found.axes] == ["frame", "y", "x"]
        judge = fabio.open(str(path))
        for number in range(4):
            np.testing.assert_array_equal(found[number], judge.get_frame(number).data)
        np.testing.assert_array_equal(found[1:3, 5, ::7], found[...][1:3, 5, ::7])

    def test_a_lone_image_says_that_it_is_one(self, shared: Find) -> None:
        form, match = recognise(shared("edf/im0000.edf"))[0]
        assert form.name == "edf"
        assert "no scan around it" in match.why


class TestNeverAnotherFramesAngle:
    def test_a_gap_is_said_where_no_info_is(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        for name in ("s.info", "angles.txt", "s0004.edf"):
            (folder / name).unlink(missing_ok=True)
        assert any("no number 4" in text for text in opened(folder).warnings)

    def test_a_lost_beginning_is_said(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        assert not any("begins with" in text for text in opened(folder).warnings)
        (folder / "s0000.edf").unlink()
        assert any("begins with s0001.edf" in text for text in opened(folder).warnings)

    @pytest.mark.parametrize("twin", ["s4.edf", "s0004.edf.gz"])
    def test_a_number_that_is_there_twice_is_refused(self, tmp_path: Path, twin: str) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        content = (folder / "s0004.edf").read_bytes()
        (folder / twin).write_bytes(gzip.compress(content) if twin.endswith("gz") else content)
        with pytest.raises(FormatError, match="have the same number"):
            tm.open(folder)

    def test_motors_that_are_not_as_many_as_their_names_are_left_out(self, tmp_path: Path) -> None:
        """The second of three positions is lost: srot would get that of the motor after it."""
        header = {"Dim_1": "2", "Dim_2": "1", "DataType": "UnsignedShort", "ByteOrder": "LowByteFirst"}
        names = {"motor_mne": "sx srot sy"}
        good = raw_edf(tmp_path / "a.edf", np.zeros((1, 2), "<u2"), **header, **names, motor_pos="1 90 3")
        lost = raw_edf(tmp_path / "b.edf", np.zeros((1, 2), "<u2"), **header, **names, motor_pos="1 3")
        assert all_blocks(good)[0].motors() == {"sx": 1, "srot": 90, "sy": 3}
        assert all_blocks(lost)[0].motors() == {}

    @pytest.mark.parametrize(
        ("key", "word"), [("RasterConfiguration", "turned"), ("DataValueOffset", "not added")]
    )
    def test_what_the_header_asks_for_and_is_not_done_is_said(
        self, key: str, word: str, tmp_path: Path
    ) -> None:
        header = {"Dim_1": "2", "Dim_2": "1", "DataType": "UnsignedShort", "ByteOrder": "LowByteFirst"}
        found = image(raw_edf(tmp_path / "a.edf", np.zeros((1, 2), "<u2"), **header, **{key: "3"}))
        assert any(word in note for note in found.metadata["notes"])

    @pytest.mark.parametrize(("text", "metres"), [("1.3", 1.3e-6), ("1.3 um", 1.3e-6), ("0.0013 mm", None)])
    def test_a_unit_in_the_info_is_not_passed_over(
        self, text: str, metres: float | None, tmp_path: Path
    ) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        info = folder / "s.info"
        lines = [line for line in info.read_text().splitlines() if not line.lower().startswith("pixelsize")]
        info.write_text("\n".join([*lines, f"PixelSize= {text}"]) + "\n")
        scan = opened(folder)
        assert (scan.pixel_m.value if scan.pixel_m else None) == metres
        assert any("'mm'" in said for said in scan.warnings) == (metres is None)

    def test_an_info_that_contradicts_itself_is_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "s"
        WRITE(folder, a_scan())
        info = folder / "s.info"
        info.write_text(info.read_text() + "ScanRange= 77\n")
        with pytest.raises(FormatError, match=r"ScanRange is .* and '77'"):
            tm.open(folder)
