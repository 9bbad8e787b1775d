"""A spreadsheet for many records: nothing is set silently, nothing is lost."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue, read_record
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.edit_table import merge_table
from tomarium.catalogue.withheld_values import withheld_of
from tomarium.errors import FormatError
from tomarium.model import Person, Record, Related, Value


@pytest.fixture
def catalogue(tmp_path: Path, make_volume: Callable[..., Path]) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        for id in ("tooth", "bone"):
            make_volume(tmp_path / id / "volume.ome.zarr", size=16)
            known = {"energy_kev": Value(20.0, "read", "scan.h5")}
            file_record(tmp_path / id, title=id.capitalize(), id=id, parameters=known)
            ingest(opened, tmp_path / id)
        yield opened


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "metadata.csv"
    path.write_text(text, encoding="utf-8")
    return path


def both(tmp_path: Path) -> tuple[Record, Record]:
    return read_record(tmp_path / "tooth"), read_record(tmp_path / "bone")


def test_fields_and_parameters_are_set_with_their_units(catalogue: Catalogue, tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "record;creators;Licence;technique;Pixel size at the sample (um);exposure_s;sample_name;Funder;Related to\n"
        "tooth;Lovelace, Ada 0000-0002-1825-0097; CC BY 4.0;PaNET01207;0.65;20 ms;M2;ERC: 12;iscitedby 10.1038/abc\n"
        "# a remark;;;;;;;;\n"
        "bone;;cc0;;;;;;\n".replace("Ada 0000-0002-1825-0097;", "Ada 0000-0002-1825-0097;"),
    )
    merged = merge_table(catalogue, LOCAL_OWNER, path)
    assert (merged.conflicts, merged.problems) == ((), ())
    tooth, bone = both(tmp_path)
    assert tooth.creators == (Person("Lovelace, Ada", "0000-0002-1825-0097"),)
    assert (tooth.licence, tooth.techniques, bone.licence) == ("CC-BY-4.0", ("PaNET01207",), "CC0-1.0")
    values = {key: tooth.parameters[key].value for key in ("pixel_m", "exposure_s", "sample_name")}
    assert values == {"pixel_m": 6.5e-7, "exposure_s": 0.02, "sample_name": "M2"}
    assert tooth.parameters["pixel_m"].origin == "user"
    assert "metadata.csv, line 2" in tooth.parameters["pixel_m"].source
    assert (tooth.funding[0].funder, tooth.funding[0].award) == ("ERC", "12")
    assert tooth.related == (Related("IsCitedBy", "10.1038/abc"),)


def test_what_differs_is_listed_and_left(catalogue: Catalogue, tmp_path: Path) -> None:
    path = table(tmp_path, "record,title,energy_kev,specimen\ntooth,Molar,21,MB.1\nbone,Bone,20000 eV,\n")
    merged = merge_table(catalogue, LOCAL_OWNER, path)
    assert [(c.record, c.field, c.before, c.wanted) for c in merged.conflicts] == [
        ("tooth", "title", "Tooth", "Molar"),
        ("tooth", "energy_kev", 20.0, 21.0),
    ]
    tooth, _ = both(tmp_path)
    assert (tooth.title, tooth.specimen, tooth.parameters["energy_kev"].value) == ("Tooth", "MB.1", 20.0)
    assert merge_table(catalogue, LOCAL_OWNER, path, dry_run=True, overwrite=True).changed
    assert both(tmp_path)[0] == tooth
    merge_table(catalogue, LOCAL_OWNER, path, overwrite=True)
    tooth, _ = both(tmp_path)
    assert (tooth.title, tooth.parameters["energy_kev"].value) == ("Molar", 21.0)
    assert merge_table(catalogue, LOCAL_OWNER, path).changed == ()


def test_headers_of_spreadsheets_are_understood_and_what_is_not_known_is_named(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    header = "record,Pixel size (um),Detector distance (mm),Dose (kGy),Energy (keV),batch,Phone,licens,cut"
    path = table(tmp_path, f"{header}\ntooth,25.08,3475,2.5,93,0012,0123,CC0-1.0,nan\n")
    for dry_run in (True, False):
        merged = merge_table(catalogue, LOCAL_OWNER, path, dry_run=dry_run)
        assert [(cell.field, cell.before, cell.wanted) for cell in merged.conflicts] == [
            ("energy_kev", 20.0, 93.0)
        ]
        assert (merged.private, merged.problems) == (("phone",), ())
        assert [text.split("'")[1] for text in merged.new] == [
            "Dose (kGy)",
            "batch",
            "Phone",
            "licens",
            "cut",
        ]
        assert merged.new[3].endswith("becomes the parameter licens; license was meant?")
    tooth, _ = both(tmp_path)
    values = {key: value.value for key, value in tooth.parameters.items()}
    assert values == {
        "energy_kev": 20.0, "pixel_m": pytest.approx(25.08e-6), "distance_m": pytest.approx(3.475),
        "dose_gy": pytest.approx(2500), "batch": "0012", "licens": "CC0-1.0", "cut": "nan",
    }  # fmt: skip
    with catalogue.reading() as connection:
        assert {key: value.value for key, value in withheld_of(connection, "tooth").items()} == {
            "phone": "0123"
        }
    merged = merge_table(catalogue, LOCAL_OWNER, table(tmp_path, "record,phone\ntooth,0456\n"))
    assert [(cell.before, cell.wanted) for cell in merged.conflicts] == [("0123", "0456")]


def test_what_nobody_wrote_gives_way_and_keywords_are_added(catalogue: Catalogue, tmp_path: Path) -> None:
    edit(catalogue, LOCAL_OWNER, "bone", Changes(description="A bone of a bear.", keywords=("bear",)))
    rows = 'tooth,A molar.,bear\nbone,A femur.,"bear;bone"\n'
    merged = merge_table(catalogue, LOCAL_OWNER, table(tmp_path, f"record,description,keywords\n{rows}"))
    assert [(cell.record, cell.field) for cell in merged.conflicts] == [("bone", "description")]
    tooth, bone = both(tmp_path)
    assert (tooth.description, tooth.keywords) == ("A molar.", ("bear",))
    assert (bone.description, bone.keywords) == ("A bone of a bear.", ("bear", "bone"))


def test_what_cannot_be_used_is_named_and_the_rest_is_used(catalogue: Catalogue, tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "record,licence,exposure_s,creators,specimen\n"
        "tooht,CC0-1.0,,,\n"
        "tooth,CC-BY-9,fast,Ada 0000-0002-1825-0098,MB.1\n",
    )
    merged = merge_table(catalogue, LOCAL_OWNER, path)
    said = "\n".join(merged.problems)
    assert "line 2: there is no record 'tooht'; tooth was meant?" in said
    for column in ("licence", "exposure_s", "creators"):
        assert f"line 3, column {column}: " in said
    assert len(merged.problems) == 4
    assert both(tmp_path)[0].specimen == "MB.1"


@pytest.mark.parametrize(
    "text", ["", "title,licence\nA,CC0-1.0\n", "record\ntooth\n", "record,title,Title\na,b,c\n"]
)
def test_what_is_no_such_table_is_refused(catalogue: Catalogue, tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError):
        merge_table(catalogue, LOCAL_OWNER, table(tmp_path, text))


def workbook(tmp_path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    book.save(tmp_path / "metadata.xlsx")
    return tmp_path / "metadata.xlsx"


def test_a_workbook_says_what_csv_says(catalogue: Catalogue, tmp_path: Path) -> None:
    lines: list[list[object]] = [
        [],
        ["Record", "licence", "Pixel size at the sample (um)", "projections", "cut_on", "sample_name"],
        ["tooth", "CC BY 4.0", 0.65, 1500.0, date(2026, 11, 20), " M2 "],
        ["# a remark"],
        ["bone", None, None, 900, None, 7],
    ]
    path = workbook(tmp_path, {"Read me": [["How to fill this in"]], "Scans": lines})
    merged = merge_table(catalogue, LOCAL_OWNER, path)
    assert (merged.conflicts, merged.problems) == ((), ())
    tooth, bone = both(tmp_path)
    values = {key: tooth.parameters[key].value for key in ("pixel_m", "projections", "cut_on", "sample_name")}
    assert values == {"pixel_m": 6.5e-7, "projections": 1500, "cut_on": "2026-11-20", "sample_name": "M2"}
    assert (tooth.licence, bone.parameters["projections"].value) == ("CC-BY-4.0", 900)
    assert tooth.parameters["pixel_m"].source == (
        "metadata.xlsx, line 3, column Pixel size at the sample (um): 0.65"  # as it is written there
    )


def test_a_workbook_that_cannot_be_used_says_why(catalogue: Catalogue, tmp_path: Path) -> None:
    lines: list[list[object]] = [["record", "licence"], ["tooth", "CC0-1.0"]]
    cases = [
        (workbook(tmp_path, {"a": lines, "b": lines}), "the sheets a, b have a column `record` each"),
        (tmp_path / "torn.xlsx", "is no Excel workbook"),
        (tmp_path / "old.ods", "save it as .xlsx or CSV"),
    ]
    for path, said in cases:
        if not path.exists():
            path.write_bytes(b"PK\x03\x04 torn")
        with pytest.raises(FormatError, match=said):
            merge_table(catalogue, LOCAL_OWNER, path)
    failed = openpyxl.load_workbook(cases[0][0])
    failed.remove(failed["b"])
    failed["a"]["B2"] = "#N/A"
    failed["a"]["B2"].data_type = "e"
    failed.save(cases[0][0])
    with pytest.raises(FormatError, match="cell B2 holds #N/A, a formula that failed"):
        merge_table(catalogue, LOCAL_OWNER, cases[0][0])
    assert both(tmp_path)[0].licence == ""
