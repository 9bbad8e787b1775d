"""The feed of a search, read by a foreign reader of feeds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, open_catalogue
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.model import Record, Value
from tomarium.model.publication import Publication
from tomarium.portal.app import create_app

NOW = datetime.fromtimestamp(int(time.time()), UTC)


def put(catalogue: Catalogue, id: str, days: int, **publication: Any) -> None:
    """File a record without files that was published some days ago; with days < 0, one that is a draft."""
    told = (
        Publication(
            **{"published": NOW - timedelta(days), "open_from": NOW - timedelta(days)} | publication,
            publisher="X",
        )
        if days >= 0
        else None
    )
    record = Record(
        id=id,
        title=f"Tooth & <{id}>" if id != "rock" else "Rock",
        created=NOW - timedelta(400),
        description="Enamel\x07 of a bear.",
        parameters={"pixel_m": Value(1e-6, "read", ""), "instrument": Value("ID19", "read", "")},
        publication=told,
    )
    with catalogue.writing() as connection:
        save_records(connection, [entry_of(connection, record, Path("/nowhere") / id, LOCAL_OWNER)])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with open_catalogue(tmp_path_factory.mktemp("feed") / "c.sqlite") as catalogue:
        put(catalogue, "old", 30, doi="10.5072/old.v1")
        put(catalogue, "new", 1)
        put(catalogue, "rock", 2)
        put(catalogue, "shut", 3, open_from=NOW + timedelta(300))
        put(catalogue, "gone", 4, withdrawn=NOW, reason="the wrong bear")
        put(catalogue, "draft", -1)
        with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
            yield client


def read(client: TestClient, query: str) -> Any:
    answer = client.get(f"/records.atom{query}")
    assert answer.status_code == 200
    told = feedparser.parse(answer.content)
    assert not told.bozo, told.get("bozo_exception")
    return told


def test_a_search_has_a_feed_of_what_is_published_the_newest_first(client: TestClient) -> None:
    told = read(client, "?q=tooth&pixel=<=1um&instrument=ID19&sort=relevance&limit=3")
    pages = [one.link.rpartition("/")[2] for one in told.entries]
    assert pages == ["new", "shut", "gone", "old"]  # its owner asks, and the draft is in no feed
    assert told.entries[0].title == "Tooth & <new>"
    assert told.entries[3].id == "https://doi.org/10.5072/old.v1"
    assert "Its files open on" in told.entries[1].summary
    assert "withdrawn" in told.entries[2].summary
    assert told.feed.links[1].href == told.feed.id
    assert told.feed.id.endswith("/records?q=tooth&instrument=ID19&pixel=%3C%3D1um")
    listed = client.get(told.feed.id.removeprefix("http://testserver"))
    assert f'href="{told.feed.links[0].href.removeprefix("http://testserver")}"' in listed.text.replace(
        "&amp;", "&"
    )


def test_nothing_found_is_a_feed_without_entries(client: TestClient) -> None:
    assert [len(read(client, query).entries) for query in ("?q=zebra", "?q=%26%26", "?year=1850")] == [
        0,
        0,
        0,
    ]
    assert client.get("/records.atom?pxel=1").status_code == 400


def test_an_entry_keeps_its_identifier_and_moves_when_its_files_open(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {one.link: one for one in read(client, "?q=tooth").entries}
    later = time.time() + 301 * 86400
    monkeypatch.setattr("tomarium.catalogue.publications.time.time", lambda: later)
    after = {one.link: one for one in read(client, "?q=tooth").entries}
    assert {link: one.id for link, one in before.items()} == {link: one.id for link, one in after.items()}
    moved = [link.rpartition("/")[2] for link in before if before[link].updated != after[link].updated]
    assert moved == ["shut"]
    assert "open on" not in after["http://testserver/records/shut"].summary
