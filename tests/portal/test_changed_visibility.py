"""What a reader was given before a record was withdrawn opens nothing after: tags, ranges, caches, lists and feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import event

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.model import Person, Value
from tomarium.portal.app import create_app

FILES = (
    "/records/one/files/volume.ome.zarr/zarr.json",
    "/records/one/files/manifest-sha256.txt",
    "/records/one/files/previews/thumbnail.png",
    "/records/one/files/ro-crate-metadata.json",
    "/records/one/pictures/slices/z-3.png",
    "/records/one/pictures/slices/z-3.png?v=1",
    "/records/one/pictures/look/volume.u8",
    "/records/one/download.zip",
    "/records/one/download.tar",
    "/records/one/manifest.sha256",
    "/records/one/volume.npy",
    "/records/one/volume.zarr.zip",
    "/records/one/notebook.ipynb",
)
LISTS = ("/records.json?q=femur", "/records.atom?q=femur", "/feed.atom", "/statistics.json", "/index.json")


@pytest.fixture
def catalogue(tmp_path: Path, make_volume: Callable[..., Path], place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        for id in ("one", "other"):
            make_volume(tmp_path / "records" / id / "volume.ome.zarr", size=16)
            told = {"energy_kev": Value(20.0, "read", ""), "instrument": Value("BM05", "read", "")}
            file_record(tmp_path / "records" / id, title=f"A femur of {id}", id=id, parameters=told)
            ingest(opened, tmp_path / "records" / id)
            edit(opened, LOCAL_OWNER, id, Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),)))
            publish(opened, LOCAL_OWNER, id, Request(embargo="0"))
        yield opened


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: ANYBODY
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def test_nothing_given_before_a_withdrawal_is_given_after(client: TestClient, catalogue: Catalogue) -> None:
    given = {door: client.get(door) for door in FILES}
    given = {door: answer for door, answer in given.items() if answer.status_code == 200}
    assert len(given) >= 11
    tagged = {door: answer.headers["etag"] for door, answer in given.items() if "etag" in answer.headers}
    assert len(tagged) >= 6
    for door, tag in tagged.items():
        assert client.get(door, headers={"If-None-Match": tag}).status_code == 304, door
    for door, answer in given.items():  # no cache between keeps a file for others, and none keeps it unasked
        kept = answer.headers.get("cache-control", "")
        assert "public" not in kept, door
        assert "no-cache" in kept or "no-store" in kept or "private" in kept, (door, kept)
    withdraw(catalogue, LOCAL_OWNER, "one", "the wrong bear")
    for door in given:
        tag, stamp = tagged.get(door, '"x"'), given[door].headers.get("last-modified", "")
        asked = (
            {},
            {"If-None-Match": tag},
            {"If-None-Match": "*"},
            {"If-Modified-Since": stamp or "Thu, 01 Jan 2099 00:00:00 GMT"},
            {"Range": "bytes=0-3"},
            {"Range": "bytes=0-3", "If-Range": tag},
        )
        for headers in asked:
            answer = client.get(door, headers=headers)
            assert answer.status_code == 403, (door, headers)
            assert not {"etag", "last-modified", "content-range", "repr-digest"} & set(answer.headers), door
        assert client.head(door).status_code == 403, door


def test_lists_counts_and_pictures_change_with_a_withdrawal(client: TestClient, catalogue: Catalogue) -> None:
    before = {door: client.get(door).text for door in LISTS}
    found = client.get("/records.json?q=femur").json()
    assert found["total"] == 2
    withdraw(catalogue, LOCAL_OWNER, "one", "the wrong bear")
    after = client.get("/records.json?q=femur").json()
    shown = {hit["id"]: bool(hit["thumbnail"]) for hit in after["hits"]}
    assert shown == {"one": False, "other": True}
    assert "/records/one/files/" not in client.get("/feed.atom").text
    assert "/records/one/files/" not in client.get("/records.atom?q=femur").text
    for door in ("/catalogue.dcat.json", "/catalogue.croissant.json", "/index.json", "/sitemap.xml"):
        assert "/records/one/files/" not in client.get(door).text, door
    page = client.get("/records/one")
    assert page.status_code == 200
    assert "the wrong bear" in page.text
    assert "previews/thumbnail" not in page.text
    assert [hit["id"] for hit in client.get("/index.json").json()["hits"]] == ["other"]
    assert before.keys() == set(LISTS)


def test_what_is_not_there_and_what_is_hidden_are_answered_alike(
    client: TestClient, catalogue: Catalogue, make_volume: Callable[..., Path]
) -> None:
    """A draft and a name that nobody took: the same status, headers and words, but for the name."""
    folder = catalogue.home / "records" / "hid"
    make_volume(folder / "volume.ome.zarr", size=16)
    file_record(folder, title="Hidden", id="hid")
    ingest(catalogue, folder)
    doors = ("", ".json", "/metadata/datacite", "/files/volume.ome.zarr/zarr.json", "/download.zip", "/linkset",
             "/volume", "/series", "/manage", "/models", "/worksheet", "/pictures/slices/z-3.png")  # fmt: skip
    statements: list[str] = []
    event.listen(catalogue.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

    def asked(id: str, door: str) -> tuple[httpx2.Response, list[str]]:
        statements.clear()
        return client.get(f"/records/{id}{door}"), list(statements)

    asked("nix", "")  # the settings are read once
    for door in doors:
        (hidden, took), (absent, took_absent) = asked("hid", door), asked("nix", door)
        assert took == took_absent, f"{door}: other questions to the database, whose time would tell"
        assert hidden.status_code == absent.status_code, door
        assert hidden.text.replace("hid", "nix") == absent.text.replace("hid", "nix"), door
        assert hidden.headers.keys() == absent.headers.keys(), door
