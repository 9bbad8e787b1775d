"""Specimens and the like: who sees them, how they hang together, and that nothing private leaves by any door."""

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from tests.catalogue.datacite_server import fake_datacite

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    entity_records,
    file_record,
    ingest,
    open_catalogue,
    rebuild,
    search,
)
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.backup import backup, restore
from tomarium.catalogue.datacite_client import DataCite
from tomarium.catalogue.dois import any_due, tell_due
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entities import entity_of, public_entity, records_of
from tomarium.catalogue.entity_edit import change_entity, link_specimen, make_entity, publish_entity
from tomarium.catalogue.jobs import LEASE_S, take_job
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.log_book import change_entry, entries_of, write_entry
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import dois
from tomarium.catalogue.tokens import make_token
from tomarium.catalogue.work import work_once
from tomarium.errors import InputError
from tomarium.model import Person
from tomarium.model.entity import KINDS, Entity, Origin, public_facts
from tomarium.portal import feeds
from tomarium.portal.app import create_app
from tomarium.standards import ro_crate

ADA, EVE, TIM = Reader("ada", "member"), Reader("eve", "member"), Reader("tim", "member", teams=("bones",))
PRIVATE = "sixty-three-years"


def fill(opened: Catalogue, records: Path) -> None:
    """File a scan of a section of a block of a heart, with its proposal and its instrument."""
    with opened.writing() as connection:
        for key, value in (("doi_prefix", "10.5072"), ("address", "https://data.example.org")):
            change_setting(connection, key, value)
    file_record(records / "scan", title="A scan", id="scan")
    ingest(opened, records / "scan", reader=ADA)
    organ = {"taxon": "Homo sapiens", "taxon_synonyms": "Homo diluvii; wise ape", "age": PRIVATE}
    make_entity(opened, ADA, "specimen", "Heart", organ, "heart")
    make_entity(opened, ADA, "specimen", "Block", {"medical_history": PRIVATE}, "block")
    make_entity(opened, ADA, "specimen", "Section", {}, "section")
    link_specimen(opened, ADA, "block", "heart", "section")
    link_specimen(opened, ADA, "section", "block", "polished")
    make_entity(opened, ADA, "proposal", "HG-123", {"facility": "ESRF", "email": PRIVATE}, "hg-123")
    facility = {"facility": "ESRF", "facility_ror": "https://ror.org/02550n020"}
    make_entity(opened, ADA, "instrument", "BM18", facility)
    people = (Person("Lovelace, Ada"),)
    edit(
        opened,
        ADA,
        "scan",
        Changes(
            specimen="section", proposal="hg-123", instrument="bm18", creators=people, licence="CC-BY-4.0"
        ),
    )


@pytest.fixture(scope="module")
def filled(
    tmp_path_factory: pytest.TempPathFactory, place: Files, make_volume: Callable[..., Path]
) -> tuple[Path, str]:
    """Make the catalogue once; where it is, and what the crate of its record says."""
    home = tmp_path_factory.mktemp("entities")
    make_volume(home / "records" / "scan" / "volume.ome.zarr", size=16)
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        fill(opened, home / "records")
    return home, (home / "records" / "scan" / ro_crate.FILENAME).read_text()


@pytest.fixture
def records(filled: tuple[Path, str]) -> Path:
    """Give the folder of the records, as it was when it was filled."""
    home, crate = filled
    for folder in (home / "records").iterdir():
        if folder.name != "scan":
            shutil.rmtree(folder)
    (home / "records" / "scan" / ro_crate.FILENAME).write_text(crate)
    return home / "records"


@pytest.fixture
def catalogue(records: Path, tmp_path: Path, place: Files) -> Iterator[Catalogue]:
    """Open a copy of it."""
    with place.copy(records.parent / "catalogue.sqlite", tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(filled: tuple[Path, str], place: Files) -> Iterator[FastAPI]:
    """Make the portal once."""
    with open_catalogue(place(filled[0] / "portal.sqlite")) as opened:
        yield create_app(opened)


@pytest.fixture
def client(app: FastAPI, catalogue: Catalogue) -> TestClient:
    """Ask the portal as anybody; `as_reader` changes that."""
    app.state.catalogue, app.state.reader_of = catalogue, lambda _request: ANYBODY
    return TestClient(app)


def as_reader(client: TestClient, reader: Reader) -> TestClient:
    """Ask the portal as somebody."""
    cast(FastAPI, client.app).state.reader_of = lambda _request: reader
    return client


def seen(catalogue: Catalogue, reader: Reader) -> set[str]:
    with catalogue.reading() as connection:
        known = ("heart", "block", "section", "hg-123", "bm18")
        return {id for id in known if entity_of(connection, reader, id)}


def told(catalogue: Catalogue) -> str:
    with catalogue.reading() as connection:
        folder = folder_of(connection, "scan")
    assert folder is not None
    return (folder / ro_crate.FILENAME).read_text()


def test_the_crate_of_a_record_tells_its_specimen_and_reads_back_the_same(catalogue: Catalogue) -> None:
    record = ro_crate.read(told(catalogue))
    assert {one.id for one in record.entities} == {"section", "block", "heart", "hg-123", "bm18"}
    own = record.entity("specimen")
    assert own is not None
    assert own.id == "section"
    assert own.origins[0].parent == "block"
    assert ro_crate.read(ro_crate.export(record)) == record


def test_a_specimen_is_seen_by_whoever_sees_a_record_of_it_or_of_its_descendants(
    catalogue: Catalogue,
) -> None:
    everything = {"heart", "block", "section", "hg-123", "bm18"}
    assert seen(catalogue, ADA) == seen(catalogue, LOCAL_OWNER) == everything
    assert seen(catalogue, ANYBODY) == seen(catalogue, EVE) == seen(catalogue, TIM) == set()
    publish(catalogue, LOCAL_OWNER, "scan", Request(embargo="0"))
    assert seen(catalogue, ANYBODY) == everything
    with catalogue.reading() as connection:
        assert records_of(connection, ANYBODY, "heart") == [("scan", "A scan")]
    make_entity(catalogue, ADA, "specimen", "Other block", {}, "other")
    link_specimen(catalogue, ADA, "other", "heart", "section")
    with catalogue.reading() as connection:
        assert entity_of(connection, ANYBODY, "other") is None  # no record is of it


def test_a_record_of_ones_own_opens_no_specimen_of_others(
    catalogue: Catalogue, records: Path, make_volume: Callable[..., Path]
) -> None:
    make_volume(records / "eves" / "volume.ome.zarr", size=16)
    file_record(records / "eves", title="Eve's", id="eves")
    ingest(catalogue, records / "eves", reader=EVE)
    edit(catalogue, EVE, "eves", Changes(specimen="heart"))  # a text of her own
    with pytest.raises(InputError, match="no proposal"):
        edit(catalogue, EVE, "eves", Changes(proposal="hg-123"))
    copied = told(catalogue).replace('"identifier": "scan"', '"identifier": "eves"')
    (records / "eves" / ro_crate.FILENAME).write_text(copied)
    ingest(catalogue, records / "eves", checksums=False, reader=EVE)
    rebuild(catalogue, [records])
    assert seen(catalogue, EVE) == set()


def test_nothing_private_leaves_by_any_door(catalogue: Catalogue, client: TestClient) -> None:
    publish(catalogue, LOCAL_OWNER, "scan", Request(embargo="0"))
    for id in ("heart", "block", "hg-123"):
        publish_entity(catalogue, LOCAL_OWNER, id)
    doors = [
        "/",
        "/records?q=heart",
        "/records.json?q=heart",
        "/feed.atom",
        "/records/scan",
        "/records/scan.json",
    ]
    doors += [f"/records/scan/metadata/{one}" for one in ("ro-crate", "datacite", "schema-org", "bibtex")]
    doors += [f"/{kind.plural}{end}" for kind in KINDS.values() for end in ("", ".json")]
    ids = ("specimens/heart", "specimens/block", "specimens/section", "proposals/hg-123", "instruments/bm18")
    doors += [f"/{id}{end}" for id in ids for end in ("", ".json")]
    for door in doors:
        answer = client.get(door)
        assert answer.status_code == 200, door
        assert PRIVATE not in answer.text, door
    assert client.get("/records/scan/files/ro-crate-metadata.json").text.find(PRIVATE) == -1
    assert PRIVATE in as_reader(client, ADA).get("/specimens/heart").text
    change_entity(catalogue, ADA, "heart", {}, disclosed=["age"])
    assert PRIVATE in as_reader(client, ANYBODY).get("/specimens/heart").text
    assert search(catalogue, ANYBODY, "medical").total == 0
    with fake_datacite() as fake:
        tell_due(catalogue, DataCite(fake.address, "ACME.LAB", "secret"))
        change_entity(catalogue, ADA, "heart", {}, disclosed=[])
        tell_due(catalogue, DataCite(fake.address, "ACME.LAB", "secret"))
        assert PRIVATE not in str(fake.dois)


def test_the_form_makes_a_private_fact_public_and_private_again(
    catalogue: Catalogue, client: TestClient
) -> None:
    with catalogue.writing() as connection:
        make_account(connection, LOCAL_OWNER, "root", "administrator", password="a long pass phrase")
        make_account(connection, LOCAL_OWNER, "ada", "member")
        token = make_token(connection, LOCAL_OWNER, "ada", "t", ("write",), 1.0)
    headers = {"Authorization": f"Bearer {token}"}
    for ticked, age in (({"disclose-age": "1"}, PRIVATE), ({}, None)):
        sent = {"disclosing": "1", "organ": "heart", **ticked}
        client.post("/entities/heart/edit", data=sent, headers=headers, follow_redirects=False)
        with catalogue.reading() as connection:
            shown = public_entity(connection, "heart")
        assert shown is not None
        assert (shown.facts["organ"], shown.facts.get("age")) == ("heart", age)


def test_a_great_age_is_rounded_for_others() -> None:
    ages = {"69 years": "69 years", "89": "89", "90": "90+", "104 years": "90+"}
    for told, shown in ages.items():
        entity = Entity("specimen", "a", "A", {"age": told}, disclosed=("age",))
        assert public_facts(entity) == {"age": shown}
        assert public_facts(replace(entity, disclosed=())) == {}


def test_a_specimen_is_not_made_from_itself(catalogue: Catalogue) -> None:
    for parent in ("heart", "block", "section"):
        with pytest.raises(InputError, match="cannot be made from"):
            link_specimen(catalogue, ADA, "heart", parent, "pooled")
    with pytest.raises(InputError):
        link_specimen(catalogue, EVE, "section", "heart", "pooled")
    link_specimen(catalogue, ADA, "section", "heart", "pooled")  # two parents are no cycle
    with catalogue.reading() as connection:
        held = entity_of(connection, ADA, "section")
    assert held is not None
    assert [one.parent for one in held.entity.origins] == ["block", "heart"]


def test_records_are_found_by_taxon_and_synonym_and_follow_a_change(catalogue: Catalogue) -> None:
    for words in ("heart", "homo sapiens", "diluvii", "esrf"):
        assert search(catalogue, ADA, words).total == 1, words
    change_entity(catalogue, ADA, "heart", {"taxon": "Ursus spelaeus"})
    assert search(catalogue, ADA, "spelaeus").total == 1
    assert search(catalogue, ADA, "sapiens").total == 0
    link_specimen(catalogue, ADA, "block", "heart", "section", remove=True)
    assert search(catalogue, ADA, "spelaeus").total == 0


def test_dois_of_specimens_tell_their_relations(catalogue: Catalogue) -> None:
    with fake_datacite() as fake:
        for id in ("section", "block", "heart"):
            publish_entity(catalogue, LOCAL_OWNER, id)
        publish(catalogue, LOCAL_OWNER, "scan", Request(embargo="0"))
        assert {one.state for one in tell_due(catalogue, DataCite(fake.address, "ACME.LAB", "secret"))} == {
            "findable"
        }
        block = fake.dois["10.5072/specimen/block"]
        record = fake.dois["10.5072/scan.v1"]
    assert block["types"]["resourceTypeGeneral"] == "PhysicalObject"
    assert block["url"] == "https://data.example.org/specimens/block"
    relations = {one["relatedIdentifier"]: one["relationType"] for one in block["relatedIdentifiers"]}
    assert relations == {"10.5072/specimen/heart": "IsPartOf"}
    of_record = {one["relatedIdentifier"]: one["relationType"] for one in record["relatedIdentifiers"]}
    assert of_record["10.5072/specimen/section"] == "IsDerivedFrom"


def test_a_lost_database_has_published_specimens_again(
    catalogue: Catalogue, records: Path, tmp_path: Path, place: Files
) -> None:
    publish_entity(catalogue, LOCAL_OWNER, "heart")
    publish(catalogue, LOCAL_OWNER, "scan", Request(embargo="0"))
    with open_catalogue(place(tmp_path / "new.sqlite")) as new:
        rebuild(new, [records])
        with new.reading() as connection:
            held = entity_of(connection, ANYBODY, "heart")
            assert records_of(connection, ANYBODY, "heart") == [("scan", "A scan")]
    assert held is not None
    assert held.entity.doi == "10.5072/specimen/heart"
    backup(catalogue, tmp_path / "all.zip")
    with open_catalogue(place(tmp_path / "restored.sqlite")) as restored:
        restore(restored, tmp_path / "all.zip")
        with restored.reading() as connection:
            held = entity_of(connection, ADA, "heart")
    assert held is not None
    assert held.entity.facts["age"] == PRIVATE


def test_a_collection_shows_what_its_reader_sees_in_its_order(
    catalogue: Catalogue, client: TestClient
) -> None:
    make_entity(catalogue, ADA, "collection", "Hearts", {"members": "heart; scan; nothing; block"}, "hearts")
    publish_entity(catalogue, LOCAL_OWNER, "hearts")
    hidden = client.get("/collections/hearts.json")
    assert hidden.json()["members"] == []
    assert "scan" not in hidden.text
    assert "scan" not in client.get("/collections/hearts").text
    shown = as_reader(client, ADA).get("/collections/hearts.json").json()["members"]
    assert [one["id"] for one in shown] == ["heart", "scan", "block"]


def test_the_first_page_shows_the_curators_choice(catalogue: Catalogue, client: TestClient) -> None:
    make_entity(catalogue, ADA, "collection", "Best hearts", {"members": "nothing; heart; scan"}, "hearts")
    with catalogue.writing() as connection:
        change_setting(connection, "curators_choice", "hearts")
    publish(catalogue, LOCAL_OWNER, "scan", Request(embargo="0"))
    assert "Best hearts" not in client.get("/").text  # it is not published
    publish_entity(catalogue, LOCAL_OWNER, "hearts")
    assert [one["id"] for one in client.get("/index.json").json()["choice"]["hits"]] == ["scan"]
    page = client.get("/").text
    assert "Curator’s choice" in page
    assert "/collections/hearts" in page
    change_entity(catalogue, ADA, "hearts", {"members": "heart"})
    assert client.get("/index.json").json()["choice"] is None


def test_the_choice_opens_no_draft_and_the_sitemap_lists_what_anybody_sees(
    catalogue: Catalogue, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_entity(catalogue, ADA, "collection", "Best hearts", {"members": "scan"}, "hearts")
    publish_entity(catalogue, LOCAL_OWNER, "hearts")
    with catalogue.writing() as connection:
        change_setting(connection, "curators_choice", "hearts")
    assert client.get("/index.json").json()["choice"] is None
    assert as_reader(client, ADA).get("/index.json").json()["choice"]["hits"][0]["id"] == "scan"
    pages = listed(as_reader(client, ANYBODY))[:-1]  # of text, which a portal has before its first record
    assert {"/", "/records", "/about", "/pages/faq", "/de/pages/faq"} <= set(pages)
    assert listed(client) == [*pages, "/collections/hearts"]
    publish(catalogue, LOCAL_OWNER, "scan", Request(embargo="0"))
    whole = listed(client)[len(pages) :]
    assert whole[0] == "/records/scan"
    opened = (
        "instruments/bm18",
        "proposals/hg-123",
        "specimens/block",
        "specimens/heart",
        "specimens/section",
    )
    assert sorted(whole[1:]) == ["/collections/hearts", *(f"/{one}" for one in opened)]
    monkeypatch.setattr(feeds, "ADDRESSES", 3)
    last = -(-len(whole) // 3)
    parts = [one for page in range(1, last + 1) for one in listed(client, f"?page={page}")]
    assert parts == [*pages, *whole]
    assert client.get(f"/sitemap.xml?page={last + 1}").status_code == 404


def listed(client: TestClient, page: str = "") -> list[str]:
    """Read the addresses of the sitemap."""
    found = re.findall("<loc>(.*?)</loc>", client.get(f"/sitemap.xml{page}").text)
    return [urlsplit(one).path for one in found]


def test_a_log_entry_keeps_what_it_said(catalogue: Catalogue, client: TestClient) -> None:
    write_entry(catalogue, ADA, "records/scan", "beam lost")
    with catalogue.reading() as connection:
        number = entries_of(connection, LOCAL_OWNER, "records/scan")[0].number
    change_entry(catalogue, ADA, "records/scan", number, "beam lost <b>14:20</b>")
    for reader in (ANYBODY, EVE):
        with pytest.raises(InputError):
            write_entry(catalogue, reader, "records/scan", "x")
    publish(catalogue, LOCAL_OWNER, "scan", Request(embargo="1 year"))
    page = as_reader(client, ADA).get("/records/scan").text
    assert "&lt;b&gt;14:20" in page
    assert "What it said before" in page
    assert "beam lost" not in as_reader(client, ANYBODY).get("/records/scan").text
    assert client.get("/records/scan.json").json()["log"] == []


def test_the_log_of_a_proposal_is_read_and_written_by_its_team(
    catalogue: Catalogue, client: TestClient
) -> None:
    change_entity(catalogue, ADA, "hg-123", {}, team="bones")
    publish_entity(catalogue, LOCAL_OWNER, "hg-123")
    write_entry(catalogue, ADA, "proposals/hg-123", "**shutter** exchanged")
    write_entry(catalogue, TIM, "proposals/hg-123", "motor at 12.3 mm", machine=True)
    with catalogue.reading() as connection:
        first, second = (entry.number for entry in entries_of(connection, LOCAL_OWNER, "proposals/hg-123"))
    page = as_reader(client, TIM).get("/proposals/hg-123").text
    assert "<strong>shutter</strong> exchanged" in page
    assert page.count("by a program") == 1
    assert f"/logbook/{second}#change" in page
    assert f"/logbook/{first}#change" not in page  # that is Ada's
    with pytest.raises(InputError, match="is ada's"):
        change_entry(catalogue, TIM, "proposals/hg-123", first, "x")
    change_entry(catalogue, TIM, "proposals/hg-123", second, "motor at 12.4 mm")
    with catalogue.reading() as connection:
        changed = entries_of(connection, LOCAL_OWNER, "proposals/hg-123")[1]
    assert (changed.machine, [(one.text, one.machine) for one in changed.before]) == (
        False,
        [("motor at 12.3 mm", True)],
    )
    for reader in (EVE, ANYBODY):
        assert "shutter" not in as_reader(client, reader).get("/proposals/hg-123").text
        assert client.get("/proposals/hg-123.json").json()["log"] == []


def test_record_is_unlinked(catalogue: Catalogue) -> None:
    edit(catalogue, ADA, "scan", Changes(specimen="", proposal=""))
    with catalogue.reading() as connection:
        folder = folder_of(connection, "scan")
    assert folder is not None
    assert [one.id for one in read_record(folder).entities] == ["bm18"]


def test_a_crate_from_elsewhere_opens_no_ancestor_of_others(
    catalogue: Catalogue, tmp_path: Path, make_volume: Callable[..., Path]
) -> None:
    make_volume(tmp_path / "records" / "eves" / "volume.ome.zarr", size=16)
    record = file_record(tmp_path / "records" / "eves", title="Eve's", id="eves")
    claimed = (
        Entity("specimen", "mine", "Mine", origins=(Origin("heart", "section"),)),
        Entity("specimen", "heart", "Whatever it is called"),
    )
    crate = tmp_path / "records" / "eves" / ro_crate.FILENAME
    crate.write_text(ro_crate.export(replace(record, specimen="mine", entities=claimed)))
    ingest(catalogue, tmp_path / "records" / "eves", reader=EVE)
    assert "heart" not in seen(catalogue, EVE)
    with catalogue.reading() as connection:
        mine = entity_of(connection, EVE, "mine")
        assert mine is not None
        assert not mine.entity.origins


@pytest.mark.parametrize("number", ["one", "٣", "-1", "9" * 30])
def test_a_form_that_names_no_entry_writes_none(catalogue: Catalogue, number: str) -> None:
    with TestClient(create_app(catalogue, local=True)) as client:
        answer = client.post("/records/scan/log", json={"text": "changed", "number": number})
    assert answer.status_code == 422
    with catalogue.reading() as connection:
        assert entries_of(connection, LOCAL_OWNER, "records/scan") == ()


def test_a_record_that_is_filed_again_keeps_its_specimen(catalogue: Catalogue, records: Path) -> None:
    folder = records / "scan"
    before = read_record(folder)
    file_record(folder, title=before.title, id="scan", volume=before.volume)
    assert before.entities
    assert read_record(folder).entities == before.entities


def test_many_records_follow_by_a_worker(
    catalogue: Catalogue, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_entity(catalogue, ADA, "heart", {}, disclosed=["age"])
    monkeypatch.setattr(entity_records, "AT_ONCE", 0)
    change_entity(catalogue, ADA, "heart", {"taxon": "Ursus spelaeus"})
    change_entity(catalogue, ADA, "heart", {"organ": "ventricle"})
    as_reader(client, ADA)
    assert "Homo sapiens" in told(catalogue)
    assert "being written anew" in client.get("/specimens/heart").text
    assert PRIVATE in told(catalogue)
    done: list[str] = []
    assert work_once(catalogue, done.append)
    assert [line.split(": ", 1)[1] for line in done] == ["done (1 records written)"]
    assert "Ursus spelaeus" in told(catalogue)
    assert search(catalogue, ADA, "ventricle").total == 1
    assert "being written anew" not in client.get("/specimens/heart").text


DOORS = ("", ".json", "/metadata/ro-crate", "/metadata/datacite", "/metadata/schema-org", "/manage",
         "/files/ro-crate-metadata.json", "/download.tar", "/download.zip")  # fmt: skip


def test_what_is_taken_back_of_many_records_is_hidden_at_once(
    catalogue: Catalogue, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crates still tell it until a worker has written them, and no door does."""
    publish(catalogue, LOCAL_OWNER, "scan", Request("0", files=False))
    change_entity(catalogue, ADA, "heart", {}, disclosed=["age"])
    for reader in (ANYBODY, ADA, LOCAL_OWNER):
        as_reader(client, reader)
        assert PRIVATE.encode() in client.get("/records/scan/files/ro-crate-metadata.json").content
        assert search(catalogue, reader, "sapiens").total == 1
    monkeypatch.setattr(entity_records, "AT_ONCE", 0)
    change_entity(catalogue, ADA, "heart", {"taxon": ""}, disclosed=[])
    assert PRIVATE in told(catalogue)
    for reader in (ANYBODY, ADA, LOCAL_OWNER):
        as_reader(client, reader)
        for door in DOORS:
            answer = client.get(f"/records/scan{door}")
            assert answer.status_code == (403 if door == "/manage" and reader is ANYBODY else 200), (
                door,
                answer.text,
            )
            assert PRIVATE.encode() not in answer.content, (door, reader)
            assert b"Homo sapiens" not in answer.content, (door, reader)
        manifest = client.get("/records/scan/manifest.json").json()["files"]
        crate = client.get("/records/scan/files/ro-crate-metadata.json").content
        listed = next(one for one in manifest if one["path"] == ro_crate.FILENAME)
        assert (listed["bytes"], listed["sha256"]) == (len(crate), hashlib.sha256(crate).hexdigest())
        assert ro_crate.read(crate.decode()).entities
        for words in ("sapiens", "scan", ""):
            page = search(catalogue, reader, words, facets=True)
            assert page.total == 0
            assert not page.facets
        assert search(catalogue, reader, filters={"taxon": "Homo sapiens"}).total == 0
    assert any_due_now(catalogue) == 0  # DataCite is not told of it either
    as_reader(client, ADA)
    page = client.get("/specimens/heart").text
    assert "What was taken back is hidden from everybody. 1 of its 1 records" in page
    done: list[str] = []
    work_once(catalogue, done.append)
    assert "done (1 records written)" in done[0]
    assert PRIVATE not in told(catalogue)
    assert "Homo sapiens" not in told(catalogue)
    assert search(catalogue, ANYBODY, "scan", facets=True).total == 1
    assert search(catalogue, ANYBODY, "sapiens").total == 0
    assert "hidden from everybody" not in client.get("/specimens/heart").text


def any_due_now(catalogue: Catalogue) -> int:
    with catalogue.writing() as connection:
        connection.execute(dois.update().where(dois.c.record != "scan").values(state="findable"))
    with catalogue.reading() as connection:
        return any_due(connection)


def test_a_change_that_was_stopped_is_finished_by_a_worker(
    catalogue: Catalogue, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(entity_records, "write_record", _stop)
        with pytest.raises(KeyboardInterrupt):
            change_entity(catalogue, ADA, "heart", {"taxon": "Ursus spelaeus"})
    assert take_job(catalogue) is None  # it may still be at it
    job = take_job(catalogue, time.time() + LEASE_S + 1)
    assert job is not None
    assert "Homo sapiens" in told(catalogue)
    assert entity_records.rewrite(catalogue, ADA, job.arguments["entity"])[0] == "done"
    assert "Ursus spelaeus" in told(catalogue)


def test_a_record_that_cannot_be_written_is_told(catalogue: Catalogue, records: Path) -> None:
    crate = records / "scan" / ro_crate.FILENAME
    whole = crate.read_text()
    crate.write_text("{")
    assert change_entity(catalogue, ADA, "heart", {"organ": "heart"}).facts["organ"] == "heart"
    with catalogue.reading() as connection:
        assert "scan: " in entity_records.still_to_write(connection, "heart")
    crate.write_text(whole)
    change_entity(catalogue, ADA, "heart", {"organ": "ventricle"})
    with catalogue.reading() as connection:
        assert entity_records.still_to_write(connection, "heart") == ""


def _stop(*_given: object) -> None:
    raise KeyboardInterrupt
