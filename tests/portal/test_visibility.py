"""Every door of the portal, for every reader, one second before, at and after the end of an embargo; no job runs."""

import io
import json
import pickle
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image as Pillow
from starlette.routing import Route

from app_client import TestClient
from postgresql_server import Files
from tomarium import formats
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.child_reader import ChildReaders
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import link_specimen, make_entity, publish_entity
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.catalogue.log_book import write_entry
from tomarium.catalogue.log_entry import EntryContent
from tomarium.catalogue.mesh_files import About, write_files
from tomarium.catalogue.mesh_part import add_mesh, place_of_mesh
from tomarium.catalogue.parcels import make_parcel, tell_of_parcel
from tomarium.catalogue.record_use import Counted, add_use
from tomarium.catalogue.saved_views import save_view
from tomarium.catalogue.specimen_events import EventContent, tell_of_specimen
from tomarium.formats.zarr import reader as ome_zarr
from tomarium.model import Mesh, Person, Value
from tomarium.model.entity import KINDS
from tomarium.portal.app import create_app
from tomarium.viewers import volume

ADA = Reader("ada", "member")
READERS = {
    "nobody": ANYBODY,
    "visitor": Reader("vic", "visitor"),
    "member": Reader("eve", "member"),
    "editor": Reader("edi", "editor"),
    "owner": ADA,
    "team": Reader("tim", "member", teams=("bones",)),
    "referee": Reader(invited=("embargoed", "draft")),
    "scientist": Reader("sam", "instrument scientist"),
    "scientist of it": Reader("bea", "instrument scientist", instruments=("ID19", "BM05")),
    "scientist of another": Reader("joe", "instrument scientist", instruments=("ID19", "bm05", "%", "")),
    "scientist no more": Reader("una", "member", instruments=("BM05",)),
    "curator": Reader("cora", "curator"),
    "administrator": LOCAL_OWNER,
}
SEES_ALL = {"owner", "curator", "administrator"}
STATES = ("draft", "embargoed", "open", "withdrawn")

# Doors by what they give. A route that is in neither list makes `test_every_route_is_known` fail.
METADATA = (
    "/records/{id}",
    "/records/{id}.json",
    "/records/{id}/metadata/ro-crate",
    "/records/{id}/metadata/datacite",
    "/records/{id}/metadata/schema-org",
    "/records/{id}/metadata/bibtex",
    "/records/{id}/metadata/croissant",
    "/records/{id}/metadata/dcat",
    "/records/{id}/linkset",
    "/records/{id}/linkset.json",
    "/records/{id}/ask",
    "/records/{id}/ask.json",
)
CONTENT = (
    "/records/{id}/files/previews/thumbnail.png",
    "/records/{id}/files/manifest-sha256.txt",
    "/records/{id}/files/ro-crate-metadata.json",
    "/records/{id}/files/volume.ome.zarr/zarr.json",
    "/records/{id}/folders/volume.ome.zarr",
    "/records/{id}/pictures/slices/z-3.png",
    "/records/{id}/pictures/look/volume.u8",
    "/records/{id}/pictures/look/still.png",
    "/records/{id}/pictures/make_a_slice/of-4.png",
    "/records/{id}/make-a-slice",
    "/records/{id}/make-a-slice.json",
    "/records/{id}/worksheet",
    "/records/{id}/worksheet.json",
    "/records/{id}/download",
    "/records/{id}/download.json",
    "/records/{id}/download.zip",
    "/records/{id}/download.tar",
    "/records/{id}/manifest.sha256",
    "/records/{id}/manifest.aria2",
    "/records/{id}/volume.npy",
    "/records/{id}/notebook.ipynb",
    "/records/{id}/model.html",
    "/records/{id}/hdf5/scan.h5",
    "/records/{id}/hdf5/scan.h5.json",
    "/records/{id}/h5/meta?file=scan.h5",
    "/records/{id}/h5/data?file=scan.h5&path=/data",
    "/records/{id}/volume",
    "/records/{id}/volume.json",
    "/records/{id}/volume/v/now",
    "/records/{id}/volume?view={view}",
    "/records/{id}/volume/v/now?view={view}",
    "/records/open/volume.json?with={id}",
    "/compare/sizes?records=open,{id}",
    "/compare/sizes.json?records={id}",
    "/compare/sizes.png?records=open&records={id}",
    "/records/{id}/series",
    "/records/{id}/series.json",
)
ENTITIES = (
    "/specimens/organ-{id}",
    "/specimens/organ-{id}/images",
    "/specimens/block-{id}/images.json",
    "/specimens/block-{id}/links",
    "/specimens/organ-{id}/links.json",
    "/specimens/block-{id}.json",
    "/proposals/proposal-{id}",
    "/instruments/instrument-{id}.json",
    "/instruments/instrument-{id}/linkset",
    "/specimens/organ-{id}/linkset.json",
)
HOUSES = ("/facilities/light", "/organisations/museum")
"""Pages of what is published, and what they tell of what the catalogue holds."""
LISTS = (
    "/records.json",
    "/records.json?q=secret",
    "/index.json",
    "/feed.atom",
    "/records.atom?q=secret",
    "/sitemap.xml",
    "/records",
    "/statistics",
    "/statistics.json",
    "/statistics.csv",
    "/reports/dsr",
    "/publications/report",
    "/publications/report.json?by=publication",
    "/publications/report.csv?by=year",
    "/",
    "/pages/datasets",
    "/fr/pages/datasets.json",
    "/pages/beamlines.json",
    "/publications.json",
)


VIEWS: dict[str, str] = {}
ENTRIES: dict[str, tuple[int, str]] = {}
"""Entries of the log book and events of specimens and parcels: the number of each, and the checksum of its picture."""


@pytest.fixture(scope="module", autouse=True)
def _each_is_drawn_once() -> Iterator[None]:
    """Keep what processes answered that draw and read: a door asks them after it asked whether the reader may."""
    kept: dict[tuple[ChildReaders, bytes], Any] = {}
    ask = ChildReaders.ask

    def ask_once(readers: ChildReaders, question: Any, **how: Any) -> Any:
        key = (readers, pickle.dumps(question))
        if key not in kept:
            kept[key] = ask(readers, question, **how)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChildReaders, "ask", ask_once)
        yield


@pytest.fixture(scope="module")
def ends() -> datetime:
    return datetime.fromtimestamp(int(time.time()) + 86400 * 365, UTC)


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory,
    make_volume: Callable[..., Path],
    ends: datetime,
    place: Files,
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("portal")
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        for number, id in enumerate(STATES, 1):
            make_volume(home / "records" / id / "volume.ome.zarr", size=16)
            with h5py.File(home / "records" / id / "scan.h5", "w") as scan:
                scan["data"] = [1, 2, 3]
            file_record(
                home / "records" / id,
                title=f"Secret {id}",
                id=id,
                parameters={
                    "energy_kev": Value(20.0, "read", ""),
                    "instrument": Value("BM05", "read", ""),
                    "series": Value("teeth-1", "derived", ""),
                    "series_moment": Value(number, "derived", ""),
                    "series_moments": Value(len(STATES), "derived", ""),
                },
            )
            _with_a_mesh(home / "records" / id)
            ingest(opened, home / "records" / id, reader=ADA)
            make_entity(opened, ADA, "specimen", f"Organ of {id}", {"age": "63"}, f"organ-{id}")
            make_entity(opened, ADA, "specimen", f"Block of {id}", {}, f"block-{id}")
            link_specimen(opened, ADA, f"block-{id}", f"organ-{id}", "section")
            for kind in ("proposal", "instrument"):
                at = {"facility": "A light source" if kind == "instrument" else "A museum"}
                make_entity(opened, ADA, kind, f"{kind} of {id}", at, f"{kind}-{id}")
            told = Changes(
                licence="CC-BY-4.0",
                creators=(Person("Lovelace, Ada"),),
                specimen=f"block-{id}",
                proposal=f"proposal-{id}",
                instrument=f"instrument-{id}",
            )
            edit(opened, ADA, id, told)
        paper = {"type": "paper", "members": "; ".join(STATES)}
        make_entity(opened, LOCAL_OWNER, "document", "A paper about all", paper, "paper")
        publish_entity(opened, LOCAL_OWNER, "paper")
        publish(opened, LOCAL_OWNER, "embargoed", Request(embargo=f"{ends:%Y-%m-%d}"))
        for id in ("open", "withdrawn"):
            publish(opened, LOCAL_OWNER, id, Request(embargo="0"))
        withdraw(opened, LOCAL_OWNER, "withdrawn", "the wrong bear")
        make_entity(opened, LOCAL_OWNER, "facility", "A light source", {}, "light")
        make_entity(opened, LOCAL_OWNER, "organisation", "A museum", {}, "museum")
        for id in ("light", "museum"):
            publish_entity(opened, LOCAL_OWNER, id)
        add_use(opened, {Counted(id, "2026-11", "view", "regular"): (7, 7) for id in STATES})
        with opened.writing() as connection:
            VIEWS.update({id: save_view(connection, ADA, id, {"layers": []}) for id in STATES})
        _remark(opened)
        yield opened


def _with_a_mesh(folder: Path) -> None:
    """Give a record a mesh: a tetrahedron."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    mesh = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.uint32))
    keeper, target = place_of_mesh(folder, "surface")
    add_mesh(folder, keeper, "surface", "surface", write_files(target, "surface", mesh, About(""), {}, ()))


def _remark(opened: Catalogue) -> None:
    """Write an entry with a picture about each thing, and say where the organs are."""
    for id in STATES:
        subjects = {
            "record": f"records/{id}",
            "specimen": f"specimens/organ-{id}",
            "proposal": f"proposals/proposal-{id}",
        }
        for kind, subject in subjects.items():
            files = (("picture.png", f"\x89PNG {subject}".encode("latin-1")),)
            said = EntryContent(f"remark on {kind} {id}.", links=(f"records/{id}",), files=files)
            number = write_entry(opened, LOCAL_OWNER, subject, said)
            ENTRIES[f"{kind} {id}"] = number, sha256(files[0][1]).hexdigest()
        told = EventContent("moved", f"vault of {id}", files=(("vault.png", f"vault {id}".encode()),))
        event = tell_of_specimen(opened, ADA, f"organ-{id}", told)
        ENTRIES[f"where {id}"] = event.number, event.files[0].digest
        make_parcel(opened, ADA, {}, [f"block-{id}"], id=f"parcel-{id}")
        files = (("box.png", f"box {id}".encode()),)
        told_parcel = tell_of_parcel(opened, ADA, f"parcel-{id}", "sent", files=files)
        ENTRIES[f"parcel {id}"] = told_parcel.events[0].number, sha256(files[0][1]).hexdigest()


def client_of(catalogue: Catalogue, reader: Reader) -> TestClient:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: reader
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def doors(catalogue: Catalogue) -> tuple[str, ...]:
    """The doors to the files of a record that are there for this one: some need an optional package."""
    with client_of(catalogue, LOCAL_OWNER) as client:
        asked = {door: client.get(door.format(id="open", view=VIEWS["open"])) for door in CONTENT}
    return tuple(door for door, answer in asked.items() if answer.status_code == 200)


def expected(name: str, id: str) -> str:
    """Tell what a reader has of a record today: nothing, its metadata, or its files."""
    if name in SEES_ALL or (name == "referee" and id in ("draft", "embargoed")):
        return "files"
    if name == "scientist of it" and id == "draft":
        return "files"
    return {"draft": "nothing", "embargoed": "metadata", "open": "files", "withdrawn": "metadata"}[id]


@pytest.mark.parametrize("name", READERS)
def test_every_door_for_every_reader(catalogue: Catalogue, doors: tuple[str, ...], name: str) -> None:
    assert {CONTENT[0], CONTENT[3], CONTENT[5]} <= set(doors)
    with client_of(catalogue, READERS[name]) as client:
        for id in STATES:
            has = expected(name, id)
            for door in METADATA:
                status = client.get(door.format(id=id)).status_code
                assert status == (404 if has == "nothing" else 200), (door, id)
                if name in ("nobody", "owner"):  # all else of the two is the same
                    assert client.head(door.format(id=id)).status_code == status
            for door in doors:
                answer = client.get(door.format(id=id, view=VIEWS[id]))
                assert answer.status_code == {"nothing": 404, "metadata": 403, "files": 200}[has], (door, id)
                if has != "files":
                    assert "etag" not in answer.headers
                    assert answer.headers["content-type"].startswith(
                        ("text/html", "application/problem+json")
                    )
            compared = client.get(f"/compare?a={id}&b=open").status_code
            assert compared == {"nothing": 404, "metadata": 403, "files": 200}[has], id
        choices = client.get("/compare").text
        assert all((f"a={id}" in choices) is (expected(name, id) == "files") for id in STATES)
        for door in LISTS:
            text = client.get(door).text.lower()
            personal = door.startswith(("/feed.atom", "/records.atom", "/sitemap.xml"))  # the same for all
            for id in STATES:
                hidden = expected("nobody" if personal else name, id) == "nothing"
                hidden |= id == "withdrawn" and door in ("/", "/index.json")  # nothing of the newest
                found = f"secret {id}" in text or f"/records/{id}<" in text or f'/records/{id}"' in text
                found |= f"\n{id}," in text  # a row of CSV
                assert found is not hidden, (door, id)
        moments = client.get("/records/open/series.json").json()["moments"]
        has = {id: expected(name, id) for id in STATES}
        assert [one["id"] for one in moments] == ["" if has[id] == "nothing" else id for id in STATES]
        assert [not one["problem"] for one in moments] == [has[id] == "files" for id in STATES]
        page = client.get("/records/embargoed").text
        assert ("previews/thumbnail" in page) is (expected(name, "embargoed") == "files")


def test_no_door_reads_a_file_of_a_stranger_in_the_portal_itself(
    catalogue: Catalogue, doors: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers are other processes: those of this one are broken, and every door opens all the same."""
    files = ((h5py, "File"), (tifffile, "TiffFile"), (Pillow, "open"), (zarr, "open_array"))
    for library, name in (*files, (ome_zarr, "read"), (formats, "open")):

        def broken(*_told: object, _what: str = f"{library.__name__}.{name}", **_more: object) -> None:
            raise AssertionError(f"the portal itself asked {_what}")

        monkeypatch.setattr(library, name, broken)
    volume._header.cache_clear()
    volume._window.cache_clear()
    monkeypatch.setattr(volume, "_changed_ns", lambda _path: -1)  # and what was kept of each is asked again
    with client_of(catalogue, LOCAL_OWNER) as client:
        answers = {door: client.get(door.format(id="open", view=VIEWS["open"])) for door in doors}
        told = {door: answer.text[:300] for door, answer in answers.items() if answer.status_code != 200}
        assert told == {}
        with pytest.raises(AssertionError, match="the portal itself"):
            volume.open_here(catalogue.home / "records" / "open" / "volume.ome.zarr")


@pytest.mark.parametrize("name", READERS)
def test_what_a_record_is_of_is_seen_with_it(catalogue: Catalogue, name: str) -> None:
    with client_of(catalogue, READERS[name]) as client:
        lists = {kind: client.get(f"/{kind}.json").text for kind in ("specimens", "proposals", "instruments")}
        for id in STATES:
            seen = expected(name, id) != "nothing"
            for door in ENTITIES:
                answer = client.get(door.format(id=id))
                assert answer.status_code == (200 if seen else 404), (door, id)
                kind, own = door.format(id=id).removesuffix(".json").split("/")[1:3]
                assert f"/records/{id}>" not in answer.headers.get("link", "") or seen, (door, id)
                assert (f'"{own}"' in lists[kind]) is seen, (door, id)
            changed = client.post(f"/entities/organ-{id}/edit", json={"place": "here"})
            assert changed.status_code in (401, 403, 404), id


@pytest.mark.parametrize("name", READERS)
def test_facilities_tell_of_no_hidden_record(catalogue: Catalogue, name: str) -> None:
    seen = {id for id in STATES if expected(name, id) != "nothing"}
    with client_of(catalogue, READERS[name]) as client:
        for door, kind in zip(HOUSES, ("instrument", "proposal"), strict=True):
            page, told = client.get(door).text, client.get(f"{door}.json").json()
            assert {one["id"] for one in told["members"]} == {f"{kind}-{id}" for id in seen}
            assert {id for id in STATES if f"{kind}-{id}" in page} == seen
            found = (
                seen if kind == "instrument" else set()
            )  # the instrument's facility goes before the proposal's
            assert {one["id"] for one in told["records"]} == found
            assert {id for id in STATES if f"Secret {id}" in page} == found
        assert 'href="/facilities/light"' in client.get("/instruments/instrument-open").text


@pytest.mark.parametrize("name", READERS)
def test_use_and_publications_tell_of_no_hidden_record(catalogue: Catalogue, name: str) -> None:
    seen = {id for id in STATES if expected(name, id) != "nothing"}
    with client_of(catalogue, READERS[name]) as client:
        assert client.get("/statistics.json").json()["total"]["views"] == 7 * len(seen)
        assert client.get("/publications/report.json").json()["records"] == len(seen)
        document = client.get("/documents/paper").text
        assert {id for id in STATES if f"Secret {id}" in document} == seen
        for door in ("/account/searches", "/account/searches.json", "/newsletter", "/publications/import"):
            assert client.get(door).status_code in (401, 403), door  # nobody is signed in
        own = "/account/second-factor"
        assert [client.get(door).status_code for door in (own, f"{own}.json")] == [401, 401]
        for form in ("set-up", "on", "codes", "off"):
            answer = client.post(f"{own}/{form}", json={"current": "x", "code": "000000"})
            assert answer.status_code in (401, 403), form


@pytest.mark.parametrize("name", READERS)
def test_log_books_follow_the_files_and_whereabouts_their_keepers(catalogue: Catalogue, name: str) -> None:
    """Entries and their pictures: at their own address, in the list, in exports and on the pages they are about."""
    with client_of(catalogue, READERS[name]) as client:
        texts = {
            door: client.get(door).text
            for door in ("/logbook", "/logbook.json", "/logbook.md", "/logbook?q=remark&fold=no")
        }
        places, parcels = client.get("/places.json").text, client.get("/parcels.json").text
        for id in STATES:
            opened, keeps = expected(name, id) == "files", name in SEES_ALL
            for subject, may in (("record", opened), ("specimen", keeps), ("proposal", keeps)):
                number, digest = ENTRIES[f"{subject} {id}"]
                said = f"remark on {subject} {id}."
                for door in (f"/logbook/{number}", f"/logbook/{number}.json"):
                    assert client.get(door).status_code == (200 if may else 404), (door, subject, id)
                picture = client.get(f"/logbook/{number}/files/{digest}")
                assert picture.status_code == (200 if may else 404), (subject, id)
                assert all((said in text) is may for text in texts.values()), (subject, id)
                for door in ("change", "remove"):  # nobody is signed in
                    assert client.post(f"/logbook/{number}/{door}").status_code == 401
            record = client.get(f"/records/{id}").text
            assert (f"remark on record {id}." in record) is opened, id
            assert f"remark on proposal {id}." not in record or keeps  # it leads to the record
            assert (f'"organ-{id}"' in places) is keeps, id
            assert (f"parcel-{id}" in parcels) is keeps, id
            number, digest = ENTRIES[f"where {id}"]
            for door in (f"/parcels/parcel-{id}", f"/parcels/parcel-{id}.json"):
                assert client.get(door).status_code == (200 if keeps else 404), door
            picture = client.get(f"/specimens/organ-{id}/where/{number}/files/{digest}")
            assert picture.status_code == (200 if keeps else 404), id
            stranger = client.get(f"/specimens/block-{id}/where/{number}/files/{digest}")
            assert stranger.status_code == 404, id
            number, digest = ENTRIES[f"parcel {id}"]
            picture = client.get(f"/parcels/parcel-{id}/events/{number}/files/{digest}")
            assert picture.status_code == (200 if keeps else 404), id
            for door in (f"/specimens/organ-{id}/where", f"/parcels/parcel-{id}/edit"):
                assert client.post(door).status_code == 401, door
            label = client.get("/labels", params={"specimens": f"organ-{id}"})
            assert label.status_code == (404 if expected(name, id) == "nothing" else 200), id
        with zipfile.ZipFile(io.BytesIO(client.get("/records/open/download.zip").content)) as archive:
            assert archive.testzip() is None
            told = archive.read("open/logbook/logbook.md").decode()
        assert "remark on record open." in told
        assert client.post("/logbook.json", json={"about": "records/open", "text": "x"}).status_code == 401


def test_entries_open_with_the_files(
    catalogue: Catalogue, ends: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, digest = ENTRIES["record embargoed"]
    for seconds, status in ((-1, 404), (0, 200)):
        moment = ends.replace(hour=0, minute=0, second=0).timestamp() + seconds
        monkeypatch.setattr("tomarium.catalogue.reader.time.time", lambda moment=moment: moment)
        with client_of(catalogue, ANYBODY) as client:
            for door in (f"/logbook/{number}", f"/logbook/{number}/files/{digest}"):
                assert client.get(door).status_code == status, (door, seconds)
            found = client.get("/logbook.json?about=records/embargoed").json()["entries"]
            assert bool(found) is (status == 200)


def test_totals_count_what_is_seen(catalogue: Catalogue) -> None:
    totals = {}
    for name, reader in READERS.items():
        with client_of(catalogue, reader) as client:
            totals[name] = client.get("/records.json").json()["total"]
    assert totals == {name: sum(expected(name, id) != "nothing" for id in STATES) for name in READERS}


@pytest.mark.parametrize(
    ("name", "seconds", "opened"),
    [
        (name, seconds, seconds >= 0)
        for name in READERS
        if name not in (*SEES_ALL, "referee")  # who have the files meanwhile as well
        for seconds in ((-1, 0, 1) if name == "nobody" else (-1, 0))
    ],
)
def test_an_embargo_ends_at_its_second_at_every_door(
    catalogue: Catalogue,
    doors: tuple[str, ...],
    ends: datetime,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    seconds: int,
    opened: bool,
) -> None:
    """No job runs meanwhile: the clock alone is another one.

    What a reader is given before and after is asked of each door in `test_every_door_for_every_reader`; the clock is in
    the condition that all doors ask, so all of them are tried for two readers, and four for the others.
    """
    asked = doors if name in ("nobody", "scientist of it") else (doors[0], *doors[3:6])
    moment = ends.replace(hour=0, minute=0, second=0).timestamp() + seconds
    monkeypatch.setattr("tomarium.catalogue.reader.time.time", lambda: moment)
    wanted = 200 if opened else 403
    with client_of(catalogue, READERS[name]) as client:
        for door in METADATA if asked is doors else METADATA[:2]:
            assert client.get(door.format(id="embargoed")).status_code == 200, door
        for door in asked:
            answer = client.get(door.format(id="embargoed", view=VIEWS["embargoed"]))
            assert answer.status_code == wanted, door
        page = client.get("/records/embargoed").text
        assert ("previews/thumbnail" in page) is (wanted == 200)
        found = client.get("/records.json?q=embargoed").json()["hits"]
        assert [bool(hit["thumbnail"]) for hit in found] == [wanted == 200]


@pytest.mark.parametrize("name", READERS)
def test_harvesters_are_told_what_anybody_may_know(catalogue: Catalogue, name: str) -> None:
    with client_of(catalogue, READERS[name]) as client:
        for prefix in ("oai_dc", "oai_datacite"):
            text = client.get(f"/oai?verb=ListRecords&metadataPrefix={prefix}").text
            told = [id for id in STATES if f":{id}</identifier>" in text]
            assert told == ["embargoed", "open", "withdrawn"]
            assert [id for id in STATES if f"Secret {id}" in text] == ["embargoed", "open"]
        draft = client.post(
            "/oai",
            data={"verb": "GetRecord", "identifier": "oai:testserver:draft", "metadataPrefix": "oai_dc"},
        )
        assert "idDoesNotExist" in draft.text


def test_why_files_are_closed_is_said(catalogue: Catalogue, ends: datetime) -> None:
    with client_of(catalogue, ANYBODY) as client:
        said: dict[str, Any] = {
            id: client.get(f"/records/{id}.json").json()["closed"]
            for id in ("embargoed", "open", "withdrawn")
        }
    assert re.search(rf"open on {ends.day} {ends:%B} {ends.year}", said["embargoed"])
    assert said["open"] == ""
    assert "the wrong bear" in said["withdrawn"]


def test_the_stamp_says_whether_files_are_open(catalogue: Catalogue) -> None:
    client = client_of(catalogue, ADA)
    stamps = ("NOT PUBLISHED YET", "UNDER EMBARGO", "OPEN FILES", "FILES WITHDRAWN")
    for id, stamp in zip(STATES, stamps, strict=True):
        page = client.get(f"/records/{id}").text
        assert [one for one in stamps if f"· {one} ·" in page] == [stamp]


def test_grey_values_under_embargo_are_told_to_nobody(catalogue: Catalogue) -> None:
    with client_of(catalogue, ANYBODY) as client:
        texts = [client.get(door.format(id="embargoed")).text for door in METADATA]
    assert not any("edges" in text or "minimum" in text for text in texts)


def test_files_under_embargo_are_linked_for_nobody_else(catalogue: Catalogue) -> None:
    for name in READERS:
        with client_of(catalogue, READERS[name]) as client:
            for id in STATES[1:]:
                asked = [client.get(f"/records/{id}{end}") for end in ("", "/linkset", "/linkset.json")]
                told = [asked[0].headers["link"], *(one.text for one in asked[1:])]
                linked = [f"/records/{id}/files/" in text or "download.zip" in text for text in told]
                assert linked == [expected(name, id) == "files"] * 3, (name, id)


@pytest.mark.parametrize("name", READERS)
def test_only_keepers_manage(catalogue: Catalogue, name: str) -> None:
    with client_of(catalogue, READERS[name]) as client:
        for id in STATES:
            status = client.get(f"/records/{id}/manage.json").status_code
            hidden = 404 if expected(name, id) == "nothing" else 403
            keeps = name in SEES_ALL or (name == "scientist of it" and id == "draft")
            assert status == (200 if keeps else hidden), id


@pytest.mark.parametrize("name", READERS)
def test_only_owners_and_curators_remove_a_draft(catalogue: Catalogue, name: str) -> None:
    with client_of(catalogue, READERS[name]) as client:
        for id in STATES:
            hidden = 404 if expected(name, id) == "nothing" else 403
            told = 200 if id == "draft" else 422  # what was published is never removed
            for door in ("remove", "remove.json"):
                status = client.get(f"/records/{id}/{door}").status_code
                assert status == (told if name in SEES_ALL else hidden), (door, id)
            assert client.post(f"/records/{id}/remove", data={"confirm": "yes"}).status_code == 401, id


@pytest.mark.parametrize("name", READERS)
def test_only_keepers_make_models(catalogue: Catalogue, name: str) -> None:
    with client_of(catalogue, READERS[name]) as client:
        for id in STATES:
            hidden = 404 if expected(name, id) == "nothing" else 403
            keeps = name in SEES_ALL or (name == "scientist of it" and id == "draft")
            for door in ("models", "models.json", "models/slice.png", "models/silhouette.png"):
                status = client.get(f"/records/{id}/{door}").status_code
                assert status == (200 if keeps else hidden), (door, id)
            for door in ("models/mesh", "models/print"):  # nobody is signed in
                assert client.post(f"/records/{id}/{door}").status_code == 401, (door, id)


@pytest.mark.parametrize("name", READERS)
def test_a_view_is_kept_for_those_who_may_open_it(catalogue: Catalogue, name: str) -> None:
    with client_of(catalogue, READERS[name]) as client:
        for id in STATES:
            layer = {"type": "image", "source": f"/records/{id}/files/volume.ome.zarr/|zarr3:"}
            sent = {"state": json.dumps({"layers": [layer]})}
            status = client.post(f"/records/{id}/views", json=sent).status_code
            has = expected(name, id)
            assert status == {"nothing": 404, "metadata": 403, "files": 201}[has], id
            # Nor does a view of an open record lay a hidden one over it.
            other = client.post("/records/open/views", json=sent).status_code
            assert other == (201 if has == "files" else 400), id


def test_every_route_is_known(catalogue: Catalogue) -> None:
    app = create_app(catalogue)
    known = {
        *("/records/{id}", "/records/{id}.json", "/records/{id}/metadata/{standard}"),
        *("/records/{id}/files/{path:path}", "/records/{id}/folders/{path:path}"),
        *("/records/{id}/pictures/{viewer}/{name}", "/records/{id}/folders/{path:path}.json"),
        *("/records/{id}/download", "/records/{id}/download.json"),
        *("/records/{id}/download.zip", "/records/{id}/download.tar", "/records/{id}/manifest.{kind}"),
        *(f"/records/{{id}}/volume.{kind}" for kind in ("npy", "tiff", "zarr.zip")),
        "/records/{id}/notebook.ipynb",
        "/records/{id}/model.html",
        *("/records/{id}/linkset", "/records/{id}/linkset.json"),
    }
    known |= {
        *("/records/{id}/models", "/records/{id}/models.json", "/records/{id}/models/{name}.png"),
        *("/records/{id}/models/mesh", "/records/{id}/models/print"),  # test_only_keepers_make_models
    }
    known |= {"/records/{id}/series", "/records/{id}/series.json"}
    known |= {"/records/{id}/ask", "/records/{id}/ask.json"}  # also test_messages.py
    known |= {"/records/{id}/volume", "/records/{id}/volume.json", "/records/{id}/volume/v/{client}"}
    known |= {"/records/{id}/views"}  # test_a_view_is_kept_for_those_who_may_open_it
    known |= {
        "/records/{id}/hdf5/{path:path}",
        "/records/{id}/hdf5/{path:path}.json",
        "/records/{id}/h5/{endpoint}",
        *("/records/{id}/make-a-slice", "/records/{id}/make-a-slice.json"),
        *("/records/{id}/worksheet", "/records/{id}/worksheet.json"),
    }
    doors = {
        route.path
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith("/records/{id}")
    }
    keepers = (
        "manage",
        "manage.json",
        "edit",
        "submit",
        "send-back",
        "comment",
        "publish",
        "open-now",
        "withdraw",
        "invite",
        "picture",
        "uninvite",
        "log",  # test_entities.py
    )
    known |= {f"/records/{{id}}/{door}" for door in keepers}  # test_only_keepers_manage
    known |= {
        "/records/{id}/remove",
        "/records/{id}/remove.json",
    }  # test_only_owners_and_curators_remove_a_draft
    kinds = {route.path for route in app.routes if isinstance(route, Route) and route.path.count("{id}")}
    others = {path for path in kinds if not path.startswith(("/records/", "/uploads/"))}
    entities = {
        f"/{kind.plural}/{{id}}{end}"
        for kind in KINDS.values()
        for end in ("", ".json", "/linkset", "/linkset.json")
    }  # test_what_a_record_is_of_is_seen_with_it, test_entities.py
    entities |= {"/specimens/{id}/images", "/specimens/{id}/images.json"}
    # test_log_books_follow_the_files_and_whereabouts_their_keepers
    tracked = ("where", "where/{number:int}/files/{digest}")
    entities |= {f"/specimens/{{id}}/{one}" for one in tracked}
    parcels = ("", ".json", "/edit", "/state", "/events/{number:int}/files/{digest}")
    entities |= {f"/parcels/{{id}}{one}" for one in parcels}
    numbered = {
        route.path for route in app.routes if isinstance(route, Route) and route.path.startswith("/logbook")
    }
    entries = ("", ".json", "/change", "/remove", "/files/{digest}")
    lists = ("", ".json", ".md", ".zip", "/write", "/events")  # test_log_book.py
    assert numbered == {f"/logbook/{{number:int}}{one}" for one in entries} | {
        f"/logbook{one}" for one in lists
    }
    links = ("links", "links.json", "links/align", "links/{link}/withdraw")  # test_specimen_links.py
    entities |= {f"/specimens/{{id}}/{one}" for one in links}
    entities |= {"/harvested/{id}", "/harvested/{id}.json"}  # test_harvested.py
    entities |= {"/proposals/{id}/log", *(f"/entities/{{id}}/{one}" for one in ("edit", "link", "publish"))}
    entities |= {"/entities/{id}/claim"}  # test_same_sample.py
    assert others <= entities, "a new door of a specimen or the like: add it to ENTITIES above"
    assert doors <= known, "a new door of a record: add it to METADATA or CONTENT above"


def test_readers_are_as_told() -> None:
    assert replace(ANYBODY) == Reader()
    assert not any(READERS[name].sees_all for name in ("nobody", "member", "scientist", "referee"))
