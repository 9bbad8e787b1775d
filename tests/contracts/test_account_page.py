"""The account's page is sound HTML for who has no account, who signed in, and who was refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argon2 import profiles

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, open_catalogue, passwords
from tomarium.catalogue.accounts import make_account
from tomarium.portal.app import create_app


def test_every_state_of_the_page_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_html: Callable[[str], Any]
) -> None:
    monkeypatch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        client = TestClient(create_app(catalogue), base_url="https://testserver")
        shown = [client.get("/sign-in").text]
        with catalogue.writing() as connection:
            make_account(connection, LOCAL_OWNER, "ada", "administrator", password="seven grey stones")
        shown.append(client.get("/sign-in").text)
        form = {"name": "ada", "password": "wrong", "back": "/sign-in"}
        shown.append(client.post("/sign-in", data=form, headers={"Accept": "text/html"}).text)
        shown.append(client.post("/sign-in", data=form | {"password": "seven grey stones"}).text)
        shown.append(
            client.post("/account/tokens", data={"name": "a", "days": "3", "scope.read": "yes"}).text
        )
        shown.append(
            client.post("/account/tokens/revoke", data={"name": "b"}, headers={"Accept": "text/html"}).text
        )
    states = ["no accounts yet", 'name="password"', "is wrong", "Sign out", "tom_", "no token named"]
    for text, state in zip(shown, states, strict=True):
        assert state in text
        html = read_html(text)
        assert html.judge() == []
        assert html.headings[0] == 1
