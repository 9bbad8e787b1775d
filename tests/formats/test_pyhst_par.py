"""PyHST2 .par: read as data and never run, opened as the scan it describes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

import tomarium as tm
from formats.test_edf import ALL, a_scan
from tomarium.cli import execute
from tomarium.errors import FormatError, InputError
from tomarium.formats import formats
from tomarium.formats.pyhst.par import paganin_length_m, read_par
from tomarium.formats.pyhst.par_corrections import corrections
from tomarium.formats.pyhst.par_frames import TypedPar
from tomarium.formats.pyhst.par_syntax import parse_par
from tomarium.model import Scan, Value
from tomarium.model.scan import Reference

WRITE = formats()["pyhst-par"].write
assert WRITE is not None
OLD = rb"""! HST_SLAVE PARAMETER FILE
# pyHST_SLAVE PARAMETER FILE

FILE_PREFIX = /data/visitor/ma1234/id19/bone_/bone_ # prefix
NUM_FIRST_IMAGE = 0 # No. of first projection
NUM_LAST_IMAGE = 1499   # No. of last projection
NUMBER_LENGTH_VARIES = NO
SUBTRACT_BACKGROUND = YES # Subtract background from data
BACKGROUND_FILE = N.A.
CORRECT_FLATFIELD=YES
IMAGE_PIXEL_SIZE_1 = 0.650000 # Pixel size horizontally (microns)
OPTIONS= { 'padding':'E' , 'axis_to_the_center':'Y' , 'avoidhalftomo':'Y'} # a = b
ar = Numeric.ones(16,'f')
ar[0]=0.0
ar[2:6]=0.0
SINO_FILTER_PARA = {"FILTER": ar }
CCD_FILTER_PARA = {"threshold":
      0.0400 }
MULTI_PAGANIN_PARS={}
MULTI_PAGANIN_PARS["BONE_Lmicron"]= 30
MULTI_PAGANIN_PARS["THRESHOLD"]= 0.3
#motor position tx = 12.5
"""
TWICE = b"ANGLE_OFFSET = -12.5\r\nANGLE_OFFSET = 3 # later\r\nUNKNOWN_THING = some words, \xb5m\t\n"
HARMFUL = b"""X = __import__('os').system('touch harm')
Y = [].__class__
Z = open('/etc/passwd').read()
W = (lambda: 0)()
V = [i for i in range(9)]
U = {'a': exec('1')}
ar = numpy.ones(10**12,'f')
br = numpy.ones(99999999999,'f')
NUM_IMAGE_1 = 2 ** 99999999
"""


class TestText:
    def test_what_values_say(self) -> None:
        values = parse_par(OLD + TWICE, "x").values
        assert values["FILE_PREFIX"] == "/data/visitor/ma1234/id19/bone_/bone_"
        assert (values["NUM_LAST_IMAGE"], values["IMAGE_PIXEL_SIZE_1"]) == (1499, 0.65)
        assert (values["SUBTRACT_BACKGROUND"], values["NUMBER_LENGTH_VARIES"]) == (True, False)
        assert values["BACKGROUND_FILE"] is None
        assert values["OPTIONS"] == {"padding": "E", "axis_to_the_center": "Y", "avoidhalftomo": "Y"}
        assert values["SINO_FILTER_PARA"]["FILTER"].tolist() == [0, 1] + [0] * 4 + [1] * 10
        assert values["CCD_FILTER_PARA"] == {"threshold": 0.04}
        assert values["MULTI_PAGANIN_PARS"] == {"BONE_Lmicron": 30, "THRESHOLD": 0.3}

    def test_the_last_of_two_wins_and_both_are_kept(self) -> None:
        par = parse_par(TWICE, "x")
        assert par.values["ANGLE_OFFSET"] == 3
        assert par.all_values("ANGLE_OFFSET") == (-12.5, 3)
        assert par.twice() == ("ANGLE_OFFSET",)

    @given(st.binary(max_size=400).filter(lambda content: b"\0" not in content))
    def test_any_bytes_are_read(self, content: bytes) -> None:
        assert set(parse_par(content, "x").values) >= {
            one.key for one in parse_par(content, "x").statements if one.key and not one.index
        }
        parse_par(OLD + content + TWICE, "x")

    def test_nothing_is_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        values = parse_par(HARMFUL, "x").values
        assert list(tmp_path.iterdir()) == []
        for key in "XYZWVU":
            assert isinstance(values[key], str), key
        assert isinstance(values["ar"], str)
        assert isinstance(values["br"], str)
        assert values["NUM_IMAGE_1"] == "2 ** 99999999"

    @pytest.mark.parametrize(
        "content", [b"A={\n" * 40_000, b"A = [" * 10_000, b"A = " + b"(" * 9000 + b"\n" * 9]
    )
    def test_brackets_without_end_take_no_time(self, content: bytes) -> None:
        assert len(parse_par(content, "x").statements) == len(content.splitlines())


def opened(path: Path) -> Scan:
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    return scan


def with_changes(path: Path, **changes: object) -> Path:
    """Change keys of a parameter file where they stand; new ones come last."""
    text = path.read_text("utf-8")
    for key, value in changes.items():
        written = {True: "YES", False: "NO"}[value] if isinstance(value, bool) else str(value)
        line = rf"(?m)^{key} *=.*$"
        text = re.sub(line, lambda _, new=f"{key} = {written}": new, text) if re.search(line, text) else (
            f"{text}{key} = {written}\n"
        )  # fmt: skip
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def par(tmp_path: Path) -> Path:
    WRITE(tmp_path / "bone", a_scan(axis_column=Value(3.1, "read", ""), energy_kev=Value(20.0, "read", "")))
    return tmp_path / "bone" / "bone.par"


class TestScan:
    def test_layout_is_tomodatas(self, par: Path) -> None:
        assert {item.name for item in par.parent.iterdir()} == {"bone.par", "bone_edfs"}
        values = read_par(par).values
        assert values["FILE_PREFIX"] == "bone_edfs/bone"
        assert (values["NUM_IMAGE_1"], values["NUM_IMAGE_2"], values["END_VOXEL_3"]) == (7, 5, 5)
        assert values["FF_FILE_INTERVAL"] == 9

    def test_the_axis_is_half_a_pixel_from_the_edge(self, par: Path) -> None:
        """A centred axis is NUM_IMAGE_1 / 2 in the file and (columns - 1) / 2 here."""
        assert read_par(par).values["ROTATION_AXIS_POSITION"] == 3.6
        scan = opened(with_changes(par, ROTATION_AXIS_POSITION=7 / 2))
        assert scan.axis_column is not None
        assert scan.axis_column.value == (7 - 1) / 2
        assert scan.axis_column.origin == "derived"

    def test_absolute_paths_of_the_beamline_are_found_beside_the_par(self, par: Path) -> None:
        with_changes(
            par,
            FILE_PREFIX="/nfs/ruche/2024/bone/bone_edfs/bone",
            FF_PREFIX="/nfs/ruche/2024/bone/bone_edfs/refHST",
            BACKGROUND_FILE="/nfs/ruche/2024/bone/bone_edfs/dark.edf",
        )
        assert opened(par).projections.read(*ALL).shape == (9, 5, 7)

    @pytest.mark.parametrize(
        "prefix", ["{outside}/other", "../outside/other", "bone_edfs/../../outside/other"]
    )
    def test_no_file_outside_the_folder_is_opened(self, par: Path, prefix: str) -> None:
        outside = par.parent.parent / "outside"
        for number in range(9):
            outside.mkdir(exist_ok=True)
            (outside / f"other{number:04d}.edf").write_bytes(
                (par.parent / "bone_edfs" / f"bone{number:04d}.edf").read_bytes()
            )
        scan = opened(with_changes(par, FILE_PREFIX=prefix.format(outside=outside)))
        assert scan.missing
        with pytest.raises(FormatError, match="which is absent"):
            scan.projections.read(*ALL)

    def test_some_projections_absent(self, par: Path) -> None:
        (par.parent / "bone_edfs" / "bone0004.edf").unlink()
        with pytest.raises(FormatError, match=r"1 of 9 projections are absent, the first is bone0004.edf"):
            tm.open(par)

    def test_every_second_projection(self, par: Path) -> None:
        scan = opened(with_changes(par, FILE_INTERVAL=2, ANGLE_BETWEEN_PROJECTIONS=40.0, ANGLES_FILE=None))
        assert scan.angles_deg.value.tolist() == [0, 40, 80, 120, 160]

    def test_the_numbers_of_the_names(self, par: Path) -> None:
        for number in range(9):
            file = par.parent / "bone_edfs" / f"bone{number:04d}.edf"
            file.rename(file.with_name(f"bone{number}.edf"))
        assert opened(with_changes(par, NUMBER_LENGTH_VARIES=True)).shape[0] == 9

    def test_tiff_frames(self, par: Path) -> None:
        for file in (par.parent / "bone_edfs").glob("bone0*.edf"):
            tifffile.imwrite(file.with_suffix(".tif"), np.full((5, 7), int(file.stem[-4:]), np.uint16))
        scan = opened(with_changes(par, FILE_POSTFIX=".tif"))
        assert scan.projections.read(*ALL)[:, 0, 0].tolist() == list(range(9))

    def test_hdf5_frames_are_pointed_to(self, par: Path) -> None:
        with pytest.raises(FormatError, match=r"projections are in scan.nxs; open that file itself"):
            tm.open(with_changes(par, FILE_PREFIX="/data/scan.nxs"))

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"NUM_LAST_IMAGE": None}, "NUM_LAST_IMAGE is None"),
            ({"NUM_LAST_IMAGE": "many"}, "NUM_LAST_IMAGE is 'many'"),
            ({"NUM_LAST_IMAGE": 10**12}, "NUM_LAST_IMAGE is 1000000000000"),
            ({"NUM_FIRST_IMAGE": 50}, "must rise from 0"),
            ({"FILE_POSTFIX": "/../x.edf"}, "an ending holds no folder"),
        ],
    )
    def test_wrong_values_are_named(self, par: Path, changes: dict[str, object], reason: str) -> None:
        with pytest.raises(FormatError, match=reason):
            tm.open(with_changes(par, **changes))

    def test_size_and_twice_are_warned_of_and_pixels_may_be_no_squares(self, par: Path) -> None:
        with_changes(par, NUM_IMAGE_1=2048, IMAGE_PIXEL_SIZE_2=0.7)
        par.write_bytes(par.read_bytes() + b"ANGLE_BETWEEN_PROJECTIONS = 10\n")
        scan = opened(par)
        said = " ".join(scan.warnings)
        assert scan.geometry.voxel_m == pytest.approx((0.7e-6, 1.3e-6, 1.3e-6))
        assert "NUM_IMAGE_1 are 5 and 2048, the frames 5 x 7" in said
        assert "ANGLE_BETWEEN_PROJECTIONS comes more than once" in said

    def test_uneven_angles_and_flats(self, tmp_path: Path) -> None:
        flats = Reference(a_scan().projections, np.array([-1, 1.5, 4.5, 4.5, 5.5, 9, 9, 9, 9.0]))
        angles = np.array([0, 1, 2.5, 7, 8, 9, 100, 110, 180.0])
        scan = a_scan(flats=flats, angles_deg=Value(angles, "read", ""))
        WRITE(tmp_path / "s", scan)
        again = opened(tmp_path / "s")
        np.testing.assert_array_equal(again.angles_deg.value, angles)
        assert again.flats is not None
        assert again.flats.position.tolist() == flats.position.tolist()
        assert "PyHST2 takes equal steps" in (tmp_path / "s" / "s.par").read_text()

    def test_types_pyhst_does_not_read(self, tmp_path: Path) -> None:
        from tomarium.formats.frames.array_frames import ArrayFrames

        wide = ArrayFrames(np.full((9, 5, 7), 2**31 + 1, np.uint32))
        with pytest.raises(InputError, match="fit into neither uint16 nor float32"):
            WRITE(tmp_path / "s", a_scan(projections=wide))
        WRITE(tmp_path / "s", a_scan(projections=wide), lossy=True)
        assert opened(tmp_path / "s").projections.dtype == np.float32

    def test_references_are_neither_wrapped_nor_cut(self, tmp_path: Path) -> None:
        """Flats and darks were written as the projections' uint16: -5 as 65531, 0.5 as 0, 100000 as 34464."""
        from tomarium.formats.frames.array_frames import ArrayFrames

        def of(kind: str, number: float) -> Reference:
            return Reference(ArrayFrames(np.full((2, 5, 7), number, kind)), np.array([-1.0, -1.0]))

        for place, (kind, number) in enumerate((("int16", -5), ("float32", 0.5), ("uint8", 9))):
            scan = a_scan(flats=of(kind, number), darks=of(kind, number))
            WRITE(tmp_path / str(place), scan)
            again = opened(tmp_path / str(place))
            assert again.flats is not None
            assert again.darks is not None
            assert np.unique(again.flats.frames.read(*ALL)).tolist() == [number]
            assert np.unique(again.darks.frames.read(*ALL)).tolist() == [number]
            np.testing.assert_array_equal(again.projections.read(*ALL), scan.projections.read(*ALL))
        with pytest.raises(InputError, match="flats of int32 fit into neither"):
            WRITE(tmp_path / "s", a_scan(flats=of("int32", 100_000)))
        assert not (tmp_path / "s").exists()
        WRITE(tmp_path / "s", a_scan(flats=of("int32", 100_000)), lossy=True)
        flats = opened(tmp_path / "s").flats
        assert flats is not None
        assert np.unique(flats.frames.read(*ALL)).tolist() == [100_000]

    @pytest.mark.parametrize("name", ["sc#an.par", '"q".par', "a\\b.par", " lead.par", "x .par", "sc#an"])
    def test_a_name_that_would_read_back_otherwise_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(InputError, match="cannot stand in a parameter file"):
            WRITE(tmp_path / name, a_scan())
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "name", ["my scan.par", "dark.par", "pröbe.par", "scan12.par", "x.y.par", "NO.par"]
    )
    def test_other_names_are_written(self, tmp_path: Path, name: str) -> None:
        scan = a_scan()
        WRITE(tmp_path / name, scan)
        np.testing.assert_array_equal(
            opened(tmp_path / name).projections.read(*ALL), scan.projections.read(*ALL)
        )

    @pytest.mark.parametrize("angles", [np.zeros(9), np.full(9, np.nan)])
    def test_angles_that_say_nothing_are_refused_first(self, tmp_path: Path, angles: np.ndarray) -> None:
        with pytest.raises(InputError, match="give its angles"):
            WRITE(tmp_path / "s.par", a_scan(angles_deg=Value(angles, "read", "")))
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("text", "kept"),
        [("y" * (5 << 20), f"{'y' * (1 << 14)} …"), ("a\ud800b", "a?b"), ("two\nlines", "two lines")],
        ids=["long", "half a character", "lines"],
    )
    def test_texts_that_no_info_holds(self, tmp_path: Path, text: str, kept: str) -> None:
        """All frames were written, and then the .info could not be, or not be read."""
        WRITE(tmp_path / "s.par", a_scan(metadata={"sample_name": Value(text, "read", "")}))
        assert opened(tmp_path / "s.par").metadata["sample_name"].value == kept

    def test_the_logarithm_is_not_taken_twice(self, tmp_path: Path) -> None:
        for domain, taken in (("attenuation", "NO"), ("transmission", "YES"), ("counts", "YES")):
            WRITE(tmp_path / f"{domain}.par", replace(a_scan(), domain=domain))
            values = read_par(tmp_path / f"{domain}.par").values
            assert values["TAKE_LOGARITHM"] is (taken == "YES")
            assert values["CORRECT_FLATFIELD"] is values["SUBTRACT_BACKGROUND"] is (domain == "counts")
        assert opened(tmp_path / "attenuation.par").domain == "attenuation"
        assert opened(tmp_path / "counts.par").domain == "counts"

    def test_a_half_acquisition_is_joined_by_pyhst2_too(self, tmp_path: Path) -> None:
        turn = Value(np.arange(9) * 40.0, "read", "")
        WRITE(tmp_path / "half.par", a_scan(angles_deg=turn, axis_column=Value(1.0, "user", "")))
        values = read_par(tmp_path / "half.par").values
        assert values["OPTIONS"]["avoidhalftomo"] == "N"
        assert values["PENTEZONE"] == 1  # the axis is 1.5 px from the edge of the first pixel
        assert [values[f"END_VOXEL_{axis}"] for axis in (1, 2, 3)] == [11, 11, 5]  # 7 + 2 x (3.5 - 1.5)
        again = opened(tmp_path / "half.par")
        assert again.axis_column is not None
        assert again.axis_column.value == 1.0
        assert not any("opening does not do it" in text for text in again.warnings)
        for name, axis in (("middle.par", Value(3.0, "user", "")), ("unknown.par", None)):
            WRITE(tmp_path / name, a_scan(angles_deg=turn, axis_column=axis))
            values = read_par(tmp_path / name).values
            assert "OPTIONS" not in values
            assert "PENTEZONE" not in values
            assert values["END_VOXEL_1"] == 7

    def test_unknown_axis_and_pixel_are_left_out(self, tmp_path: Path) -> None:
        WRITE(tmp_path / "s", a_scan(pixel_m=None, flats=None, darks=None))
        text = (tmp_path / "s" / "s.par").read_text()
        assert "# ROTATION_AXIS_POSITION is not known yet" in text
        scan = opened(tmp_path / "s")
        assert scan.axis_column is scan.pixel_m is scan.flats is scan.darks is None


class TestPaganin:
    def test_length_of_the_documented_example(self) -> None:
        """20 keV, 0.1 m and δ/β = 250 make 69.8 µm."""
        assert paganin_length_m(250, 20, 0.1) == pytest.approx(69.8e-6, rel=1e-3)

    @pytest.mark.parametrize(("length", "warned"), [("250", "no length"), ("500", "should be"), ("69.8", "")])
    def test_a_wrong_length_is_found(self, tmp_path: Path, length: str, warned: str) -> None:
        WRITE(tmp_path / "s", a_scan(energy_kev=Value(20.0, "", ""), distance_m=Value(0.1, "", "")))
        par = tmp_path / "s" / "s.par"
        lines = f"DO_PAGANIN = 1\n# delta over beta = 250.0\nPAGANIN_Lmicron = {length}\n"
        par.write_text(par.read_text() + lines)
        found = [text for text in opened(par).warnings if "PAGANIN_Lmicron" in text]
        assert len(found) == bool(warned)
        asked = "delta_beta=250" if warned == "no length" else f"length_px={float(length) / 1.3:.6g}"
        assert any(text.endswith(f"--set paganin.{asked}") for text in opened(par).warnings)
        assert all(warned in text and "at 20 keV and 0.1 m it should be 69.78" in text for text in found)


KEYWORDS = """keyword,type,default,meaning,source
FILE_INTERVAL,int,1,use every n-th projection,
CORRECT_FLATFIELD,bool,0,,
NUMBER_LENGTH_VARIES,bool,NO,,
FF2_SIGMA,float,0.0,,
ANGLE_OFFSET,float deg,0,,
CCD_FILTER_PARA,dict,"{""threshold"": 0.04}",,
SINO_FILTER_PARA / RING_FILTER_PARA,dict,"{""FILTER"": ar}",,
DOUBLEFFCORRECTION,file or 0/1,0,,
PAGANIN_Lmicron,float um,0,,
PROJ_OUTPUT_FILE,pattern,v2p_%04d.edf,,
DISTORTION_FILE,prefix,None,,
"""

# Type of the table → what a file may hold, and what it says.
WRITTEN: dict[str, tuple[str, object]] = {
    "int": ("7", 7), "int px": ("7", 7), "float": ("2.5", 2.5), "float deg": ("-2.5e-3", -0.0025),
    "float px": ("1024.25", 1024.25), "float um": ("176.03", 176.03), "bool": ("YES", True),
    "path": ("/data/visitor/ma1/id19/bone_/bone_", "/data/visitor/ma1/id19/bone_/bone_"),
    "file": ("'dark mean.edf'", "dark mean.edf"), "file or 0/1": ('"filtered_mean.edf"', "filtered_mean.edf"),
    "str": ("CCD_Filter", "CCD_Filter"), "prefix": ("None", None), "pattern": ("v2p_%04d.edf", "v2p_%04d.edf"),
    "dict": ("{'a': 1, \"b\": [2, 'E']}", {"a": 1, "b": [2, "E"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", ["own", "table"])
def test_every_keyword_is_parsed(name: str, shared: Callable[[str], Path], par: Path) -> None:
    """All of PyHST2's keywords in one file, alone and beside a scan."""
    table = KEYWORDS if name == "own" else shared("../design/pyhst2-keywords.csv").read_text("utf-8")
    given = {
        key.strip(): WRITTEN[row["type"]]
        for row in csv.DictReader(io.StringIO(table))
        for key in row["keyword"].split("/")
    }
    assert len(given) == (12 if name == "own" else 106)
    kept = {one.key for one in read_par(par).statements}
    lines = [f"{key} = {text} # {key.lower()}\r\n" for key, (text, _) in given.items()]
    content = "".join(lines).encode()
    parsed = parse_par(content, "x")
    assert {key: parsed.values[key] for key in given} == {key: value for key, (_, value) in given.items()}

    # Beside a real scan, each key that the scan itself does not need.
    free = [
        line
        for line, key in zip(lines, given, strict=True)
        if key not in kept | {"ANGLES_FILE", "FILE_INTERVAL"}
    ]
    par.write_bytes(par.read_bytes() + "".join(free).encode())
    scan = tm.open(par)
    assert isinstance(scan, Scan)
    for key in given.keys() - kept - {"ANGLES_FILE", "FILE_INTERVAL"}:
        assert scan.metadata[f"/{par.name}/{key}"].value == given[key][1], key


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("DZPERPROJ", 0.5, "helical"),
        ("DXPERPROJ", 0.5, "sideways"),
        ("CONICITY", True, "a parallel beam is assumed"),
        ("CONICITY_FAN", 1, "a parallel beam is assumed"),
        ("DO_AXIS_CORRECTION", True, "correct.txt is absent"),
        ("DISTORTION_FILE", "maps", "were not applied"),
        ("STEAM_INVERTER", 1, "project a volume"),
        ("ROTATION_VERTICAL", False, "turn the frames by 90°"),
    ],
)
def test_what_is_not_followed_is_said(key: str, value: object, said: str, par: Path) -> None:
    before = tm.open(par)
    with_changes(par, **{key: value})
    scan = tm.open(par)
    assert isinstance(scan, Scan)
    assert isinstance(before, Scan)
    assert not [text for text in before.warnings if key in text]
    assert [text for text in scan.warnings if text.startswith(f"{key} is") and said in text]
    assert (scan.axis_column is None) == (key == "ROTATION_VERTICAL")


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"DO_PAGANIN": True, "PAGANIN_Lmicron": 13}, "DO_PAGANIN: --step paganin --set paganin.length_px=10"),
        ({"DO_PAGANIN": True, "PUC": 2, "PUS": 1.5, "UNSHARP_LOG": 1},
         "PUC: --set paganin.unsharp_coefficient=2 --set paganin.unsharp_sigma_px=1.5 --set paganin.unsharp_form=log"),
        ({"DO_PAGANIN": True, "MULTI_PAGANIN_PARS": "{'BONE_Lmicron': 30}"}, "MULTI_PAGANIN_PARS"),
        ({"DO_RING_FILTER": True}, "DO_RING_FILTER: --step remove_stripes"),
        ({"DO_SINO_FILTER": True}, "DO_SINO_FILTER: --step remove_stripes"),
        ({"DO_CCD_FILTER": True}, "DO_CCD_FILTER: --step remove_spikes"),
        ({"DOUBLEFFCORRECTION": "mean.edf"}, "DOUBLEFFCORRECTION: --step double_flat_field"),
        ({"DOUBLEFFCORRECTION_ONTHEFLY": 1}, "DOUBLEFFCORRECTION_ONTHEFLY: --step double_flat_field"),
        ({"ANGLE_OFFSET": -12.5}, "ANGLE_OFFSET: --set fbp.angle_offset_deg=-12.5"),
        ({"BH_LUT_FILE": "table.txt"}, "BH_LUT_FILE"),
        ({"ONECLIPVALUE": 1.5}, "ONECLIPVALUE"),
        ({"CURRENT_NAME": "SRCUR"}, "CURRENT_NAME: --step normalise_beam --beam-intensity FILE"),
        ({"BINNING": 2}, "BINNING: --bin 2"),
        ({"FBFILTER": 1}, "FBFILTER: --set fbp.window=ramp"),
        ({"FBFILTER": -1}, "FBFILTER"),
        ({"ITERATIVE_CORRECTIONS": 20}, "ITERATIVE_CORRECTIONS: --step tv"),
        ({"OPTIONS": "{'avoidhalftomo': -1}"}, "OPTIONS: --set half_acquisition.mode=on"),
        ({"START_VOXEL_3": 2, "END_VOXEL_3": 4}, "START_VOXEL_1,2,3 : END_VOXEL_1,2,3: --rows 1:4"),
        ({"START_VOXEL_1": 3, "END_VOXEL_1": 6}, "START_VOXEL_1,2,3 : END_VOXEL_1,2,3: --roi 0:5,0:7,2:6"),
    ],
)  # fmt: skip
def test_corrections_that_opening_does_not_do_are_told(
    changes: dict[str, object], asked: str, par: Path
) -> None:
    assert not any("opening does not do it" in text for text in opened(par).warnings)
    told = [
        text for text in opened(with_changes(par, **changes)).warnings if "opening does not do it" in text
    ]
    key, _, words = asked.rpartition(": ") if ": " in asked else (asked, "", "")
    assert [text for text in told if text.startswith(f"{key} is")], told
    assert any(text.endswith(f"ask for it: {words}" if words else "does not do it") for text in told), told


def test_a_command_of_a_par_is_taken_by_run(par: Path, tmp_path: Path) -> None:
    """Every word that is told is one of `tomarium run`."""
    with_changes(
        par, DO_PAGANIN=True, PAGANIN_Lmicron=13, PUC=1, PUS=1, DO_RING_FILTER=1, DO_CCD_FILTER=1, BINNING=1,
        DOUBLEFFCORRECTION_ONTHEFLY=1, ANGLE_OFFSET=90, FBFILTER=1, START_VOXEL_1=2, END_VOXEL_1=6,
        OPTIONS="{'avoidhalftomo': -1}",
    )  # fmt: skip
    words = [word for one in corrections(TypedPar(par, read_par(par))) for word in one.words]
    assert len(words) > 15
    assert execute(["plan", str(par), *words]) == 0


def test_the_axis_correction_of_pyhst_is_read(par: Path) -> None:
    count = tm.open(par).shape[0]  # type: ignore[union-attr]
    given = {"DO_AXIS_CORRECTION": True, "AXIS_CORRECTION_FILE": "moved.txt"}
    with_changes(par, **given)
    (par.parent / "moved.txt").write_text("".join(f"{0.25 * k} {-0.5 * k}\n" for k in range(count)))
    told = tm.open(par).geometry  # type: ignore[union-attr]
    np.testing.assert_allclose(told.shift_columns_px.value, 0.25 * np.arange(count))
    np.testing.assert_allclose(told.shift_rows_px.value, -0.5 * np.arange(count))
    (par.parent / "moved.txt").write_text("0.25\n" * (count + 1))
    short = tm.open(par)
    assert short.geometry.shift_columns_px is None  # type: ignore[union-attr]
    assert any(f"moved.txt has {count + 1} lines" in said for said in short.warnings)  # type: ignore[union-attr]


def test_references_of_a_part_of_the_files_keep_their_time(tmp_path: Path) -> None:
    """Files 100 to 199, every second one: flats before file 150 were taken before projection 25."""
    for number in range(100, 200):
        tifffile.imwrite(tmp_path / f"p{number:04d}.tif", np.full((4, 5), number, np.uint16))
    for number in (100, 150, 200):
        tifffile.imwrite(tmp_path / f"f{number:04d}.tif", np.full((4, 5), 999, np.uint16))
    (tmp_path / "s.par").write_text(
        "FILE_PREFIX = C:\\data\\bone\\p\nFILE_POSTFIX = .tif\nNUM_FIRST_IMAGE = 100\nNUM_LAST_IMAGE = 199\n"
        "FILE_INTERVAL = 2\nCORRECT_FLATFIELD = YES\nFLATFIELD_CHANGING = YES\nFF_PREFIX = f\nFF_POSTFIX = .tif\n"
        "FF_NUM_FIRST_IMAGE = 100\nFF_NUM_LAST_IMAGE = 200\nFF_FILE_INTERVAL = 50\nANGLE_BETWEEN_PROJECTIONS = 3.6\n"
    )
    scan = tm.open(tmp_path / "s.par")
    assert isinstance(scan, Scan)
    assert scan.projections.read(*ALL)[:, 0, 0].tolist() == list(range(100, 200, 2))
    assert scan.flats.position.tolist() == [-1.0, 24.5, 50.0]
