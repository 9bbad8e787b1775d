"""What a source found becomes drafts; again it brings them up to date and keeps what somebody changed here."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from sqlalchemy import select

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, open_catalogue, read_record, verify
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entities import demand_entity
from tomarium.catalogue.entity_edit import change_entity
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.tables import withheld
from tomarium.importers import folder, icat
from tomarium.importers.bring_in import Order, Outcome, bring_in
from tomarium.importers.found import DraftEntity, DraftFile, DraftRecord, Found
from tomarium.model import Person, Record, Value
from tomarium.portal.app import create_app

KEY = "dataset 1"


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return open_catalogue(tmp_path / "catalogue.sqlite")


def draft(**values: object) -> DraftRecord:
    told = DraftRecord(
        key=KEY,
        title="A tooth",
        created=datetime(2021, 10, 7, tzinfo=UTC),
        description="A molar of a bear, scanned at 0.65 µm, for the description to be long enough.",
        creators=(Person("Lovelace, Ada"),),
        licence="CC-BY-4.0",
        parameters={
            "energy_kev": Value(20.0, "read", "a.json"),
            "donor_age_years": Value(69, "read", "a.json"),
        },
        specimen="s",
        original={"name": "tooth", "ownerEmail": "ada@example.org", "colour": "white"},
    )
    return replace(told, **values)  # type: ignore[arg-type]


def found(*records: DraftRecord, facts: dict[str, str] | None = None) -> Found:
    return Found((DraftEntity("specimen", "s", "Bear 7", facts or {"material": "dentine"}),), records)


def bring(catalogue: Catalogue, told: Found, **order: object) -> Outcome:
    records = Path(catalogue.name).parent / "records"
    return bring_in(catalogue, LOCAL_OWNER, told, Order("test", records, **order))  # type: ignore[arg-type]


def record_of(catalogue: Catalogue, outcome: Outcome) -> tuple[Record, Path]:
    id = next(line.id for line in outcome.lines if line.kind == "record")
    with catalogue.reading() as connection:
        place = folder_of(connection, id)
    assert place is not None
    return read_record(place), place


def actions(outcome: Outcome) -> list[str]:
    return [line.action for line in outcome.lines]


def test_a_draft_with_all_that_was_told(catalogue: Catalogue) -> None:
    dry = bring(catalogue, found(draft()), dry=True)
    assert actions(dry) == ["new", "new"]
    outcome = bring(catalogue, found(draft()))
    assert (actions(outcome), outcome.problems) == (["new", "new"], [])
    record, place = record_of(catalogue, outcome)
    assert verify(place) == ()
    assert (record.title, record.licence, record.creators[0].name) == (
        "A tooth",
        "CC-BY-4.0",
        "Lovelace, Ada",
    )
    assert record.created == datetime(2021, 10, 7, tzinfo=UTC)
    assert (record.specimen, record.publication) == ("bear-7", None)
    assert dict(record.parameters) == {"energy_kev": Value(20.0, "read", "a.json")}
    told = json.loads((place / "original-metadata.json").read_text())
    assert told == {"name": "tooth", "ownerEmail": "withheld", "colour": "white"}
    with catalogue.reading() as connection:
        kept = {row.key: row.value["value"] for row in connection.execute(select(withheld))}
    assert kept == {"donor_age_years": 69, "original_owner_email": "ada@example.org"}
    assert not any(b"ada@example.org" in one.read_bytes() for one in place.rglob("*") if one.is_file())


def test_again_changes_nothing(tmp_path: Path, place: Files) -> None:
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as catalogue:
        again_changes_nothing(catalogue, tmp_path / "records")


def again_changes_nothing(catalogue: Catalogue, records: Path) -> None:
    order = Order("test", records)
    outcome = bring_in(catalogue, LOCAL_OWNER, found(draft()), order)
    _, folder = record_of(catalogue, outcome)
    before = {one: one.stat().st_mtime_ns for one in folder.rglob("*")}
    again = bring_in(catalogue, LOCAL_OWNER, found(draft()), order)
    assert (actions(again), again.conflicts, again.made) == (["same", "same"], [], [])
    assert {one: one.stat().st_mtime_ns for one in folder.rglob("*")} == before


def test_what_changed_there_and_what_changed_here(catalogue: Catalogue) -> None:
    first = bring(catalogue, found(draft()))
    record, place = record_of(catalogue, first)
    edit(catalogue, LOCAL_OWNER, record.id, Changes(title="My title", keywords=("mine",)))
    change_entity(catalogue, LOCAL_OWNER, "bear-7", {"material": "enamel"})
    changed = draft(
        title="Their new title",
        description="Theirs",
        parameters={"energy_kev": Value(30.0, "read", "b.json")},
    )
    told = found(changed, facts={"material": "dentine, told anew", "organ": "jaw"})
    for _ in range(2):  # a conflict stays one until somebody ends it
        outcome = bring(catalogue, told)
        assert [(one.field, one.here, one.there) for one in outcome.conflicts] == [
            ("material", "enamel", "dentine, told anew"),
            ("title", "My title", "Their new title"),
        ]
    record, place = record_of(catalogue, outcome)
    assert (record.title, record.description, record.keywords) == ("My title", "Theirs", ("mine",))
    assert record.parameters["energy_kev"] == Value(30.0, "read", "b.json")
    assert verify(place) == ()
    with catalogue.reading() as connection:
        facts = demand_entity(connection, LOCAL_OWNER, "bear-7").entity.facts
    assert facts == {"material": "enamel", "organ": "jaw"}


def test_what_was_published_is_left_as_it_is(catalogue: Catalogue) -> None:
    record, _ = record_of(catalogue, bring(catalogue, found(draft())))
    publish(catalogue, LOCAL_OWNER, record.id, Request(embargo="0"))
    outcome = bring(catalogue, found(draft(title="Other")))
    assert actions(outcome) == ["same", "kept"]
    assert [(one.field, one.there) for one in outcome.conflicts] == [("title", "Other")]
    assert record_of(catalogue, outcome)[0].title == "A tooth"


def test_what_is_open_there_is_published_if_nothing_lacks(catalogue: Catalogue) -> None:
    later = datetime(2099, 5, 1, tzinfo=UTC)
    open_now, lacks = draft(is_open=True), draft(key="2", title="Two", licence="", is_open=True)
    closed, embargoed = (
        draft(key="3", title="Three", opens=later),
        draft(key="4", title="Four", opens=later, is_open=True),
    )
    outcome = bring(catalogue, found(open_now, lacks, closed, embargoed), publish_open=True)
    states = {}
    for line in outcome.lines[1:]:
        with catalogue.reading() as connection:
            place = folder_of(connection, line.id)
        assert place is not None
        states[line.key] = read_record(place)
    assert [line.id for line in outcome.lines if line.id in outcome.published] == [
        states[KEY].id,
        states["4"].id,
    ]
    assert ["no licence is stated" in one for one in outcome.problems] == [True]
    assert states["3"].publication is None
    assert states["3"].parameters["opens_on"].value == "2099-05-01"
    publications = [states[key].publication for key in (KEY, "4")]
    assert [one and one.open_from > datetime.now(UTC) for one in publications] == [False, True]
    later_on = publish(catalogue, LOCAL_OWNER, states["3"].id).publication  # the day is its embargo
    assert later_on
    assert later_on.open_from == later


def test_files_at_hand(catalogue: Catalogue, tmp_path: Path) -> None:
    archive = tmp_path / "archive" / "raw"
    archive.mkdir(parents=True)
    scan(archive / "tooth.h5")
    (archive / "notes.txt").write_text("changed since")
    told = draft(
        files=(
            DraftFile("tooth.h5", ("raw/tooth.h5",), (archive / "tooth.h5").stat().st_size),
            DraftFile("notes.txt", ("raw/notes.txt",), None, "0" * 32),
            DraftFile("lost.dat", ("raw/lost.dat",), 4),
        )
    )
    without = bring(catalogue, found(told))
    assert [(line.files, line.at_hand) for line in without.lines] == [(0, 0), (3, 0)]
    outcome = bring(catalogue, found(told), files=tmp_path / "archive")
    assert [(line.action, line.at_hand) for line in outcome.lines] == [("same", 0), ("update", 1)]
    assert outcome.problems == [f"{KEY}: notes.txt: other checksum; it was not taken"]
    record, place = record_of(catalogue, outcome)
    assert (place / "tooth.h5").samefile(archive / "tooth.h5")
    assert record.parts[0].kind == "projections"
    assert record.parameters["projections"].value == 12  # the file's own, beside what the source told
    assert record.parameters["energy_kev"].value == 20.0
    table = (place / "files-of-the-source.tsv").read_text().splitlines()
    assert [line.split("\t")[-1] for line in table[1:]] == ["at hand", "other checksum", "not at hand"]
    assert verify(place) == ()


def test_names_that_a_record_needs_itself(catalogue: Catalogue, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    for name in ("ro-crate-metadata.json", "previews/thumbnail.png", ".source.json", "a/x.dat", "b/x.dat"):
        (archive / name).parent.mkdir(parents=True, exist_ok=True)
        (archive / name).write_text(name)
    told = [
        DraftFile(name, (location,))
        for name, location in (
            ("ro-crate-metadata.json", "ro-crate-metadata.json"),
            ("previews/thumbnail.png", "previews/thumbnail.png"),
            (".source.json", ".source.json"),
            ("x.dat", "a/x.dat"),
            ("x.dat", "b/x.dat"),
            ("../x.dat", "a/x.dat"),
        )
    ]
    for _ in range(2):
        outcome = bring(catalogue, found(draft(files=tuple(told))), files=archive)
        assert outcome.problems == []
        record, place = record_of(catalogue, outcome)
        assert verify(place) == ()
    kept = {one.path: (place / one.path).read_text() for one in record.files if one.path.endswith("x.dat")}
    assert kept == {
        "x.dat": "a/x.dat",
        "source-files/2/x.dat": "b/x.dat",
        "source-files/3/x.dat": "a/x.dat",
    }
    apart = {one.path for one in record.files if one.path.startswith("source-files/")}
    assert {"source-files/ro-crate-metadata.json", "source-files/source.json"} < apart


def test_one_that_fails_stops_no_other(catalogue: Catalogue) -> None:
    outcome = bring(catalogue, found(draft(title=" ", key=" "), draft(key="2", title="Two")))
    assert len(outcome.problems) == 1
    assert [one.title for one in outcome.made] == ["Two"]


def test_a_real_dump_into_the_catalogue(
    catalogue: Catalogue, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    told = icat.read(shared("catalogue/icat/icatdump-5.0.xml"))
    outcome = bring(catalogue, told)
    assert outcome.problems == []
    assert {line.action for line in outcome.lines} == {"new"}
    assert len(outcome.lines) == 21
    made = next(one for one in outcome.made if one.title.endswith("e208947"))
    assert [one.relation for one in made.related] == ["IsDerivedFrom", "IsDerivedFrom"]
    assert {one.kind: one.id for one in made.entities} == {
        "proposal": "12100409-st",
        "instrument": "eddi-energy-dispersive-diffraction",
    }
    assert {line.action for line in bring(catalogue, told).lines} == {"same"}


def test_the_folder_of_a_beamtime(catalogue: Catalogue, tmp_path: Path) -> None:
    session = tmp_path / "visitor" / "md1252" / "bm05" / "20211007"
    raw, processed = session / "RAW_DATA" / "brain", session / "PROCESSED_DATA" / "brain"
    for name in ("overview", "zoom"):
        (raw / f"brain_{name}").mkdir(parents=True)
        scan(raw / f"brain_{name}" / f"brain_{name}.h5")
    split_detector(raw / "brain_zoom")
    (raw / "brain_failed").mkdir()
    slices = processed / "brain_zoom" / "slices"
    slices.mkdir(parents=True)
    for k in range(4):
        tifffile.imwrite(slices / f"s_{k}.tif", np.full((8, 8), k, np.float32))
    (session / "README.md").write_text("# Notes")
    (session / "report.pdf").write_bytes(b"%PDF-1.4")
    (session / "align.mac").write_text("x")
    told = folder.read(tmp_path / "visitor" / "md1252")
    assert told.notes.left_out == {"1 file .mac": "no scan, volume, image or document"}
    outcome = bring(catalogue, told)
    assert outcome.problems == []
    made = {one.title: one for one in outcome.made}
    assert list(made) == [
        "brain: brain_overview", "brain: brain_zoom", "brain: brain_zoom, processed",
        "Documents of md1252/bm05/20211007",
    ]  # fmt: skip
    zoom, volume = made["brain: brain_zoom"], made["brain: brain_zoom, processed"]
    assert [(one.relation, one.identifier) for one in volume.related] == [("IsDerivedFrom", zoom.id)]
    assert {one.kind: one.id for one in zoom.entities} == {
        "specimen": "brain",
        "proposal": "md1252",
        "instrument": "bm05",
    }
    place = Path(catalogue.name).parent / "records" / zoom.id
    assert (place / "scan0001" / "detector.h5").samefile(raw / "brain_zoom" / "scan0001" / "detector.h5")
    assert zoom.parameters["projections"].value == 12
    documents = made["Documents of md1252/bm05/20211007"].parts
    assert [part.path for part in documents] == ["original-metadata.json", "README.md", "report.pdf"]
    assert {line.action for line in bring(catalogue, folder.read(session)).lines} == {"same"}


def scan(path: Path) -> None:
    counts = np.random.default_rng(0).poisson(100, (12, 8, 16)).astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["exchange/data"] = counts
        file["exchange/data_white"] = counts[:2] + 50
        file["exchange/data_dark"] = np.zeros((2, 8, 16), np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, 12, endpoint=False)


def split_detector(place: Path) -> None:
    """Put the frames of a scan into a file of the detector beside it, as BLISS does."""
    path = place / f"{place.name}.h5"
    (place / "scan0001").mkdir()
    with h5py.File(path, "a") as file, h5py.File(place / "scan0001" / "detector.h5", "w") as detector:
        detector["data"] = file["exchange/data"][...]
        del file["exchange/data"]
        file["exchange/data"] = h5py.ExternalLink("scan0001/detector.h5", "/data")


def test_its_page_shows_what_the_source_told(catalogue: Catalogue) -> None:
    record, _ = record_of(catalogue, bring(catalogue, found(draft())))
    with TestClient(create_app(catalogue, local=True)) as client:
        page = client.get(f"/records/{record.id}", params={"metadata": "colour"})
        told = client.get(f"/records/{record.id}/files/original-metadata.json").json()
    assert page.status_code == 200
    assert "1 of 3 lines" in page.text
    assert "ada@example.org" not in page.text
    assert told["ownerEmail"] == "withheld"
