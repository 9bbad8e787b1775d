"""Tables of metadata: the Human Organ Atlas record's own numbers check each other; units are never guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium.doctor import examine_path
from tomarium.doctor.core.table import Row, read_table, understand
from tomarium.doctor.core.written_numbers import read_number
from tomarium.errors import FormatError

# The record ESRF-DG-572252655 as a slide shows it; "2x79", the step and its unit are read from damaged text, and
# the agreement of the numbers supports that reading.
HOA = Path(__file__).parent / "hoa.csv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property share."""
    return tmp_path_factory.mktemp("tables")


# What the record's numbers say of each other: check → what must stand in `found`, and in `expected`.
CROSS_CHECKS = {
    "volume-height-against-steps": ("6990 × 25.08 µm = 175.3 mm", "79 × 2.2 mm = 173.8 mm"),
    "field-of-view-against-step": ("176 px × 25.08 µm = 4.414 mm for steps of 2.2 mm: 2.01 times", ""),
    "series-time-against-scans": ("158 scans × 7.88 min = 20.75 h", "22 h"),
    "exposures-against-scan-time": ("9990 × 0.036 s = 5.99 min", "7.88 min"),
    "size-against-volume": ("52.5 GB, +5.5 %", "5965 × 5965 × 6990 × 2 B / 10 = 49.74 GB"),
    "pixel-against-sensor": (
        "25.08 µm",
        "6.5 µm / 0.24 = 27.08 µm: a geometric magnification of 1.080 at 3.475 m",
    ),
    "dose-against-rate": ("2.48 kGy", "2 × 10.5 Gy/s × 7.88 min = 9.93 kGy"),
    "volume-width-against-detector": ("5965 voxels", "4 × 2048"),
}


@pytest.mark.parametrize("name", CROSS_CHECKS)
def test_the_atlas_record_agrees_with_itself(name: str) -> None:
    finding = next(one for one in examine_path(HOA).findings if one.code == name)
    found, expected = CROSS_CHECKS[name]
    assert finding.severity == "info"
    assert found in finding.found
    assert expected in finding.expected


def test_only_the_grey_range_of_the_atlas_record_lacks_its_unit() -> None:
    warned = [one for one in examine_path(HOA).findings if one.severity != "info"]
    assert [(one.code, one.where.split(": ")[1]) for one in warned] == [
        ("unit-absent", "32to16bitsmin"),
        ("unit-absent", "32to16bitsmax"),
    ]


# One wrong number each, as they are mistyped: check → name in the table, wrong value.
MISTAKES = {
    "volume-height-against-steps": ("Volume Z", "5990"),
    "field-of-view-against-step": ('"Step (x,y,z) (mm)"', '",,22"'),
    "series-time-against-scans": ("Series time (h)", "2.2"),
    "exposures-against-scan-time": ("Exposure Time (s)", "0.36"),
    "size-against-volume": ("Download size", "52.5 MB"),
    "pixel-against-sensor": ("Magnification", "0.42"),
    "dose-against-rate": ("VOI Integ. Dose (kGy)", "2480"),
    "quantity-absurd": ("Energy (avg) (keV)", "-1"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistyped_number_is_found(name: str, tmp_path: Path) -> None:
    key, wrong = MISTAKES[name]
    lines = [f"{key},{wrong}" if line.startswith(key) else line for line in HOA.read_text().splitlines()]
    assert lines != HOA.read_text().splitlines()
    path = tmp_path / "mistyped.csv"
    path.write_text("\n".join(lines))
    found = {one.code: one.severity for one in examine_path(path).findings if one.severity != "info"}
    assert name in found


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        ("csv", "name,value,unit\npixel size,0.65,um\nenergy,20,keV\n"),
        ("csv", "pixel_um;0.65\nenergy_kev;20\n"),
        ("tsv", "Pixel size (µm)\t0.65\nEnergy (keV)\t20\n"),
        ("json", json.dumps({"pixel_m": 0.65e-6, "energy": "20 keV"})),
        ("json", '[{"name": "pixel size", "value": 650, "unit": "nm"}, {"name": "energy_ev", "value": 20000}]'),
        ("json", json.dumps({"pixel size": {"value": 0.65, "units": "micron"}, "energy_kev": 20})),
    ],
)  # fmt: skip
def test_every_spelling_gives_the_same_numbers(suffix: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"table.{suffix}"
    path.write_text(text, encoding="utf-8")
    facts = read_table(path).facts
    assert facts["pixel_m"].value == pytest.approx(0.65e-6, rel=1e-12)
    assert facts["energy_kev"].value == pytest.approx(20.0, rel=1e-12)


def test_a_name_shared_by_two_is_told_apart_by_its_unit() -> None:
    table = understand([Row("Size", "6.5", "µm", ""), Row("Size", "52.5", "GB", "")], "t")
    assert table.facts["sensor_pixel_m"].value == pytest.approx(6.5e-6)
    assert table.facts["file_bytes"].value == 52.5e9


@given(st.floats(1e-9, 1e3), st.sampled_from(["m", "mm", "um", "nm"]))
def test_a_number_without_unit_is_never_used(number: float, unit: str) -> None:
    without = understand([Row("pixel size", repr(number), "", "line 1")], "t")
    assert not without.facts
    assert len(without.without_unit) == 1
    known = understand([Row("pixel size", f"{number!r} {unit}", "", "line 1")], "t")
    assert known.facts["pixel_m"].value > 0


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"text"', '{"colour": "red"}'])
def test_what_is_no_table_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"table\.json"):
        read_table(path)


@given(st.sampled_from(["csv", "json"]), st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_no_content_makes_it_crash(folder: Path, suffix: str, content: bytes) -> None:
    path = folder / f"table.{suffix}"
    path.write_bytes(content)
    try:
        table = read_table(path)
    except FormatError:
        return
    assert table.facts or table.without_unit or table.unreadable or table.scans


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9,990", 9990), ("2 048", 2048), ("2\u202f048", 2048), ("9'990", 9990), ("1.5e3", 1500),
        ("1,234,567", 1234567), ("9990 px", 9990), ("0,5", 0.5),
        ("\u22121", -1), ("1.234,5", 1234.5), ("1,234.5", 1234.5),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text: str, number: float) -> None:
    read = read_number(text, whole=True)
    assert read is not None
    assert read.number == pytest.approx(number)


@pytest.mark.parametrize("text", ["1,500", "1.2.3", "12,34,5", "nan", "inf", "", "~15", "1,,5"])
def test_what_may_be_two_numbers_is_none(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize("text", ["15oo", "2x2048", "20-30", "3 to 5"])
def test_a_count_with_words_behind_it_is_not_cut(text: str) -> None:
    table = understand([Row("Projections", text, "", "line 1")], "t")
    assert not table.facts
    assert len(table.unreadable) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_spreadsheet_s_encoding_is_read(encoding: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(
        end.join(["name;value", "Pixel size (µm);25,08", "Projections;9 990", ""]).encode(encoding)
    )
    facts = read_table(path).facts
    assert facts["pixel_m"].value == pytest.approx(25.08e-6)
    assert facts["projections"].value == 9990


LINES = "scan,pixel size [um],energy [keV],projections,detector columns\n"
SCANS = {
    "lines.csv": LINES + "a,0.65,20,4000,2048\nb,0.65,-1,4000,2048\nc,0.65,20,400,2048\n",
    "units.csv": "scan,pixel size,energy,projections,columns\n,um,keV,,\n"
    "a,0.65,20,4000,2048\nb,0.65,-1,4000,2048\nc,0.65,20,400,2048\n",
    "columns.csv": "parameter;unit;a;b;c\npixel size;um;0,65;0,65;0,65\nenergy;keV;20;-1;20\n"
    "projections;;4000;4000;400\ncolumns;;2048;2048;2048\n",
    "lines.json": json.dumps(
        [
            {"sample": name, "pixel_um": 0.65, "energy_kev": energy, "projections": views, "columns": 2048}
            for name, energy, views in (("a", 20, 4000), ("b", -1, 4000), ("c", 20, 400))
        ]
    ),
    "objects.json": json.dumps(
        {
            name: {"pixel_um": 0.65, "energy_kev": energy, "projections": views, "columns": 2048}
            for name, energy, views in (("a", 20, 4000), ("b", -1, 4000), ("c", 20, 400))
        }
    ),
}


@pytest.mark.parametrize("name", SCANS)
def test_a_table_may_have_a_scan_in_each_line(name: str, tmp_path: Path) -> None:
    """The finding names the scan it is about, and the good one has none."""
    path = tmp_path / name
    path.write_text(SCANS[name], encoding="utf-8")
    found = {one.code: one.where for one in examine_path(path).findings if one.severity != "info"}
    assert found.keys() == {"quantity-absurd", "projections-against-width"}
    places = {"b": found["quantity-absurd"], "c": found["projections-against-width"]}
    number = {
        "lines.csv": "line {}",
        "units.csv": "line {}",
        "columns.csv": "column {}",
        "lines.json": "item {}",
    }
    first = {"lines.csv": 3, "units.csv": 4, "columns.csv": 4, "lines.json": 2}
    for n, (scan, where) in enumerate(places.items()):
        wanted = f"{number[name].format(first[name] + n)} ({scan})" if name in number else scan
        assert where.startswith(f"{wanted}: "), where


def test_thousands_of_lines_are_told_in_few(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text(LINES + "".join(f"s{n},0.65,20,{100 + n},2048\n" for n in range(3000)))
    findings = [one for one in examine_path(path).findings if one.severity == "warning"]
    assert len(findings) == 6
    assert findings[-1].found.startswith("1504 more")


def test_objects_within_objects_are_read(tmp_path: Path) -> None:
    path = tmp_path / "nested.json"
    path.write_text(
        json.dumps({"scan": {"pixel_size": {"value": 0.65, "unit": "um"}, "optics": {"energy_kev": 20}}})
    )
    assert read_table(path).facts.keys() == {"pixel_m", "energy_kev"}


def test_what_convert_writes_before_its_columns_is_understood(tmp_path: Path) -> None:
    """`# rows` counts lines there, not pixels."""
    path = tmp_path / "frames.csv"
    path.write_text(
        "# title: scan\n# rows: 2\n# pixel_m: 3.25e-06 m\n# energy_kev: -1.0 keV\nframe,angle [deg]\n0,0\n1,1\n"
    )
    assert read_table(path).facts.keys() == {"pixel_m", "energy_kev"}
    assert [one.code for one in examine_path(path).findings] == ["quantity-absurd"]


def test_a_table_of_a_spectrum_is_no_broken_table_of_metadata(tmp_path: Path) -> None:
    path = tmp_path / "spectrum.csv"
    path.write_text("energy [keV],counts\n0,5\n1,7\n2,4\n")
    report = examine_path(path)
    assert (report.verdict, report.checked) == ("clean", ())
