"""Saving a search in the portal: from the button on the list of records to the link that ends its mails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import profiles
from sqlalchemy import select

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, open_catalogue, passwords
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.catalogue.reader_tables import mails, saved_searches
from tomarium.model import Record
from tomarium.portal.app import create_app

WORDS = "seven grey stones"
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as patch, open_catalogue(home / "c.sqlite") as catalogue:
        patch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
        with catalogue.writing() as connection:
            make_account(connection, LOCAL_OWNER, "boss", "administrator", password=WORDS)
            for name in ("ada", "ben"):
                make_account(connection, LOCAL_OWNER, name, password=WORDS)
            record = Record(id="tooth", title="Tooth", created=datetime(2026, 1, 1, tzinfo=UTC))
            save_records(connection, [entry_of(connection, record, Path("/nowhere/tooth"), LOCAL_OWNER)])
        yield catalogue


def client_of(catalogue: Catalogue, name: str = "") -> TestClient:
    client = TestClient(create_app(catalogue), follow_redirects=False)
    if name:
        assert client.post("/sign-in", data={"name": name, "password": WORDS}).status_code == 303
    return client


def test_a_search_is_saved_changed_and_deleted(catalogue: Catalogue) -> None:
    ada = client_of(catalogue, "ada")
    assert 'name="asked" value="q=tooth"' in ada.get("/records?q=tooth&limit=5").text
    saved = ada.post("/account/searches", data={"asked": "q=tooth", "name": "Teeth", "every": "weekly"})
    assert (saved.status_code, saved.headers["location"].partition("?")[0]) == (303, "/account/searches")
    page = ada.get(saved.headers["location"])
    assert "“Teeth” is saved." in page.text
    assert "sends no mail" in page.text  # no server is set
    [row] = ada.get("/account/searches.json").json()["searches"]
    assert (row["name"], row["every"], row["page"], row["feed"]) == (
        "Teeth", "weekly", "/records?q=tooth", "/records.atom?q=tooth",
    )  # fmt: skip
    for sent in ({"paused": "yes"}, {"name": "Fangs", "every": "at once"}, {"paused": "no"}):
        assert ada.post(f"/account/searches/{row['number']}", data=sent).status_code == 303
    [row] = ada.get("/account/searches.json").json()["searches"]
    assert (row["name"], row["every"], row["paused"]) == ("Fangs", "at once", False)
    # Others neither see nor change it.
    ben = client_of(catalogue, "ben")
    assert ben.get("/account/searches.json").json()["searches"] == []
    assert ben.post(f"/account/searches/{row['number']}", data={"delete": "yes"}).status_code == 422
    assert ada.post(f"/account/searches/{row['number']}", data={"delete": "yes"}).status_code == 303
    assert ada.get("/account/searches.json").json()["searches"] == []
    for wrong in ({"asked": "pxel=1"}, {"asked": "q=a", "every": "hourly"}, {"asked": "q=%26"}):
        assert ada.post("/account/searches", data=wrong).status_code == 422, wrong


def test_who_has_no_account_saves_nothing(catalogue: Catalogue) -> None:
    nobody = client_of(catalogue)
    assert "Sign in to save this search" in nobody.get("/records?q=tooth").text
    assert nobody.get("/account/searches").status_code == 401
    for door in ("/account/searches", "/account/searches/1", "/account/mail"):
        assert nobody.post(door, json={"asked": "q=tooth"}, headers=JSON).status_code == 401, door


def test_an_address_is_confirmed_by_a_button_and_mails_end_by_another(catalogue: Catalogue) -> None:
    ada, nobody = client_of(catalogue, "ada"), client_of(catalogue)
    sent = {"asked": "q=tooth", "address": "ada@example.org"}
    assert ada.post("/account/searches", data=sent).status_code == 303
    assert ada.get("/account/searches.json").json()["confirmed"] is False
    with catalogue.reading() as connection:
        secret = connection.execute(select(mails.c.content)).scalar_one()["secret"]
        key = connection.execute(select(saved_searches.c.key)).scalar_one()
    link, end = f"/account/mail/{secret}", f"/unsubscribe/{key}"
    for _ in range(2):  # a program that looks at the links of a mail changes nothing
        assert "Confirm" in nobody.get(link).text
        assert "No more mail" in nobody.get(end).text
    assert ada.get("/account/searches.json").json()["confirmed"] is False
    assert nobody.post(link).status_code == 200
    assert ada.get("/account/searches.json").json()["confirmed"] is True
    assert nobody.post(link).status_code == 404
    one_click = nobody.post(
        end,
        content="List-Unsubscribe=One-Click",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert one_click.status_code == 200
    assert ada.get("/account/searches.json").json()["searches"][0]["paused"] is True
    for door in ("/unsubscribe/guessed", "/account/mail/guessed"):
        assert nobody.post(door).status_code == 404, door
    assert nobody.get("/unsubscribe/guessed").status_code == 404
    assert ada.post("/account/mail", data={"address": "a@b\r\nBcc: c@d"}).status_code == 422
    assert ada.post("/account/mail", data={"address": ""}).status_code == 303
    assert ada.get("/account/searches.json").json()["address"] == ""
