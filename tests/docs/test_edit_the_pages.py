"""The examples of `docs/how-to/edit-the-pages.md`."""

import json
import re
from pathlib import Path

from app_client import TestClient
from tomarium.catalogue import open_catalogue
from tomarium.portal.app import create_app
from tomarium.portal.text_lists import LISTS
from tomarium.portal.texts import shipped

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "edit-the-pages.md").read_text(encoding="utf-8")


def test_the_event_is_taken_and_shown(tmp_path: Path) -> None:
    sent = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0]
    address = re.findall(r"https://data\.example\.org(/texts\S+)", PAGE)[0]
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        client = TestClient(create_app(catalogue, local=True))
        kinds = {"Content-Type": "application/json", "Accept": "application/json"}
        assert client.post(address, content=sent, headers=kinds).status_code == 200
        assert client.post(address, content=sent, headers=kinds).status_code == 409
        assert "Everybody is <strong>welcome</strong>" in client.get("/events/open-day").text
        for path in re.findall(r"`(/[\w./?=-]+)`", PAGE):
            if "NAME" not in path and "/ID/" not in path:
                assert client.get(path).status_code == 200, path
        assert json.loads(sent)["title"] in client.get("/events.ics").text


def test_what_is_told_is_so() -> None:
    assert len(shipped()) == 16
    assert f"below it”: {', '.join(LISTS)}" in PAGE
