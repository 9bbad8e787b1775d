"""Shapes of exports that no real file here has: YAML of icatdump, SciCat 4, lines, and what is hostile."""

import json
from pathlib import Path

import pytest

from tomarium.catalogue.quantity import parameter_of
from tomarium.errors import FormatError, InputError
from tomarium.importers import hoa, icat, scicat
from tomarium.importers.found import DraftFile
from tomarium.importers.local_files import look_for
from tomarium.importers.original import without_private

DUMP = """%YAML 1.1
# Generator: icatdump (python-icat 1.2.0)
---
facility:
  Facility_name-F: {name: F, fullName: A facility}
parameterType:
  PT_energy: {name: Energy, units: keV, facility: Facility_name-F, valueType: NUMERIC}
technique:
  T1: {name: tomography, pid: 'PaNET:PaNET01207'}
user:
  U1: {name: db/ada, fullName: Ada Lovelace, familyName: Lovelace, givenName: Ada,
       orcidId: 0000-0002-1825-0097, email: ada@example.org}
grouping:
  G1: {name: inv_writer}
---
investigation:
  I1:
    name: MA-1
    title: Teeth
    facility: Facility_name-F
    releaseDate: '2099-01-01T00:00:00+00:00'
    doi: 10.15151/inv-1
    investigationGroups: [{role: writer, grouping: G1}]
    investigationUsers: [{role: Principal Investigator, user: U1}]
---
dataset:
  D1:
    name: scan
    investigation: I1
    startDate: '2021-10-07T16:03:18+02:00'
    shade: blue
    parameters: [{type: PT_energy, numericValue: 93}]
    datasetTechniques: [{technique: T1}]
    datafiles: [{name: scan.h5, location: data/scan.h5, fileSize: 3, checksum: 9ae0daaf}]
"""


def test_icatdump_as_yaml(tmp_path: Path) -> None:
    path = tmp_path / "dump.yaml"
    path.write_text(DUMP)
    found = icat.read(path)
    (one,) = found.records
    assert (one.title, one.parameters["energy_kev"].value, one.techniques) == (
        "Teeth: scan",
        93.0,
        ("PaNET01207",),
    )
    assert [(person.name, person.orcid) for person in one.creators] == [
        ("Lovelace, Ada", "0000-0002-1825-0097")
    ]
    assert (one.opens.year if one.opens else 0, one.is_open, one.team) == (2099, False, "inv_writer")
    assert [(other.relation, other.identifier) for other in one.related] == [("IsPartOf", "10.15151/inv-1")]
    assert found.notes.unknown == {"dataset.shade": 1}
    assert one.original["shade"] == "blue"
    public, private = without_private(one.original)
    assert "ada@example.org" not in json.dumps(public)
    assert "ada@example.org" in private.values()


@pytest.mark.parametrize("lines", [True, False])
def test_scicat_of_version_4(tmp_path: Path, lines: bool) -> None:
    told = [
        {
            "pid": "20.500/1", "datasetName": "tooth", "type": "raw", "creationTime": "2024-01-02T03:04:05Z",
            "sourceFolder": "/data/p1", "principalInvestigators": ["Ada Lovelace", "Max Born"], "sampleIds": ["s1"],
            "proposalIds": ["p1"], "license": "CC BY 4.0", "isPublished": False, "colour": 1,
            "scientificMetadata": {
                "beam": {"energy": {"value": 20000, "unit": "eV", "type": "quantity"}}, "mode": "pink",
            },
        },
        {"_id": "b", "datasetId": "20.500/1", "dataFileList": [{"path": "raw/tooth.h5", "size": 4}]},
        {
            "doi": "10.5072/pub", "title": "Teeth", "datasetPids": ["20.500/1"], "status": "public",
            "metadata": {"creators": [{"name": "Lovelace, Ada", "nameIdentifiers": [
                {"nameIdentifier": "https://orcid.org/0000-0002-1825-0097"}], "affiliation": [{"name": "ESRF"}]}]},
        },
        {"sampleId": "s1", "description": "A molar", "sampleCharacteristics": {"mass": {"value": 2, "unit": "g"}}},
        {"proposalId": "p1", "title": "Teeth of bears", "pi_lastname": "Born", "pi_firstname": "Max"},
    ]  # fmt: skip
    path = tmp_path / "scicat.json"
    path.write_text("\n".join(map(json.dumps, told)) if lines else json.dumps(told))
    found = scicat.read(path)
    (one,) = found.records
    assert one.creators[0].affiliation == "ESRF"
    assert (one.licence, one.parameters["energy_kev"].value) == ("CC-BY-4.0", 20.0)
    assert one.parameters["mode"].value == "pink"
    assert one.files == (DraftFile("raw/tooth.h5", ("/data/p1/raw/tooth.h5", "raw/tooth.h5"), 4, ""),)
    assert {(e.kind, e.name) for e in found.entities} == {
        ("specimen", "A molar"), ("proposal", "Teeth of bears"), ("collection", "Teeth"),
    }  # fmt: skip
    assert found.notes.unknown == {"Dataset.colour": 1}


def test_hoa_by_the_public_schema(tmp_path: Path) -> None:
    told = {
        "name": "LADAF-2021-17_heart_overview", "dataset_type": "overview", "voi": "complete-organ",
        "data": {"shape": [10, 20, 30], "voxel_size_um": 19.57, "gcs_url": "zarr://x"},
        "donor": {"id": "LADAF-2021-17", "age": 63, "sex": "M", "diabetes": "Type 2", "weight": 70},
        "sample": {"organ": "heart", "fixation_method": "immersion", "scan_solvent_concentration": 70},
        "scan": {
            "date": "2021-12-01", "beamline": "BM18", "energy": 77, "n_frames": 9990, "scan_time": 300,
            "pixel_size": 19.57,
            "distance_sample_detector": 20000, "sensor_name": "Iris15", "scan_range": 360,
            "technique": "Hierarchical Phase-Contrast Tomography (HiP-CT)",
        },
        "proposal": {"proposal_number": "md1290", "title": "Hearts", "proposers": ["Ada Lovelace"]},
        "citation": {"title": "A heart", "author_list": ["Lovelace, Ada", "Born, Max"], "doi": "10.15151/x"},
    }  # fmt: skip
    path = tmp_path / "heart.json"
    path.write_text(json.dumps([told]))
    found = hoa.read(path)
    (one,) = found.records
    got = {key: value.value for key, value in one.parameters.items()}
    assert (got["pixel_m"], got["voxel_m"]) == pytest.approx((1.957e-5, 1.957e-5))
    assert (got["distance_m"], got["scan_time_s"], got["energy_kev"], got["projections"]) == (
        20.0,
        300.0,
        77.0,
        9990,
    )
    assert (one.key, one.title, one.techniques) == (
        "LADAF-2021-17_heart_overview",
        "A heart",
        ("PaNET01152",),
    )
    assert [person.name for person in one.creators] == ["Lovelace, Ada", "Born, Max"]
    specimen = next(entity for entity in found.entities if entity.kind == "specimen")
    assert (specimen.facts["age"], specimen.facts["weight"], specimen.facts["medical_history"]) == (
        "63", "70 kg", "diabetes: Type 2",
    )  # fmt: skip
    assert found.notes.unknown == {}
    public, _ = without_private(one.original, one.private_names, one.containers)
    assert public["donor"] == {
        "id": "LADAF-2021-17", "age": "withheld", "sex": "withheld", "diabetes": "withheld", "weight": "withheld",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "told", "unit", "key", "value"),
    [
        ("Exposure Time", 36, "ms", "exposure_s", 0.036),
        ("VOI dose", "2.48", "kGy", "voi_dose_gy", 2480.0),
        ("sampleTemp", 20, "degC", "sample_temp_celsius", 20.0),
        ("width", 3, "inch", "width_m", 0.0762),
        ("rate", 3, "quux", "rate", "3 quux"),
        ("gain_s", 3, "", "gain_s_value", 3),
        ("energy", 3, "", "energy", 3),
    ],
)
def test_quantities(name: str, told: object, unit: str, key: str, value: object) -> None:
    got, one = parameter_of(name, told, unit, "a")
    assert got == key
    assert one.value == (pytest.approx(value) if isinstance(value, float) else value)


BOMB = """<?xml version="1.0"?><!DOCTYPE icatdata [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>
<icatdata><data><user id="u"><name>&x;</name></user></data></icatdata>"""


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bomb.xml", BOMB, "line 1 declares a document type"),
        ("deep.xml", "<icatdata>" + "<a>" * 100_000, "line 1 is nested too deeply"),
        ("other.xml", "<html></html>", "begins with <html>"),
        ("cut.xml", "<icatdata><data>", "is no XML"),
        ("bomb.yaml", "a: &a [x, x]\nb: [*a, *a]\n", "line 2 refers to an earlier value"),
        ("object.yaml", "user: !!python/object/apply:os.system ['echo']\n", "is no YAML"),
        ("list.yaml", "[1, 2]\n", "holds no objects by their types"),
    ],
)
def test_hostile_and_foreign_files(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FormatError, match=said):
        icat.read(path)


def test_hostile_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" * 200_000)
    with pytest.raises(FormatError, match=r"nested too deeply|is no JSON"):
        scicat.read(path)
    path.write_text('{"datasetName": "a", "type": "raw"}\n{"datasetName": \n')
    with pytest.raises(FormatError, match="line 2 is no JSON"):
        scicat.read(path)
    with pytest.raises(InputError, match="is no file"):
        hoa.read(tmp_path / "none.json")


def test_files_are_looked_for_below_one_folder_alone(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    (root / "a.dat").write_bytes(b"123456789")
    (tmp_path / "secret").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "secret")
    for checksum in (
        "cbf43926",
        "25f9e794323b453885f5181f1b624d0b",
        "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    ):
        file = DraftFile("a.dat", ("/a.dat",), 9, checksum)  # CRC-32, MD5 and SHA-1 of 123456789
        assert look_for(file, root, read=True).state == "at hand"
        assert (
            look_for(DraftFile("a.dat", ("a.dat",), 9, checksum[::-1]), root, read=True).state
            == "other checksum"
        )
    assert look_for(DraftFile("a.dat", ("a.dat",), 8), root).state == "other size"
    assert look_for(DraftFile("a.dat", (str(root / "a.dat"),)), root).place == root / "a.dat"
    for location in ("../secret", "link", "x/../../secret"):
        assert look_for(DraftFile("s", (location,)), root).state == "leads out of the folder", location
    assert look_for(DraftFile("s", ("/etc/passwd",)), root).state == "not at hand"
    assert look_for(DraftFile("a.dat", ("a.dat",)), None).state == "not at hand"
