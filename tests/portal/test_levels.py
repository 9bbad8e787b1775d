"""Levels of pages: what pupils, students and scientists see, remembered by a cookie, and the card in its form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue, read_record
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.edit_table import merge_table
from tomarium.catalogue.entity_edit import make_entity
from tomarium.cli.edit import command as edit_command
from tomarium.errors import ParameterError
from tomarium.model import Part, Value
from tomarium.model.plain_card import PlainCard
from tomarium.portal.app import create_app

JSON = {"Accept": "application/json"}
LESSON = """A **voxel** and a voxel; `a slice`; [a slice](https://example.org/).
::: pupil
Count them.
:::
::: student
Integrate.
:::"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("levels")


@pytest.fixture(scope="module")
def catalogue(home: Path, make_volume: Callable[..., Path]) -> Iterator[Catalogue]:
    make_volume(home / "tooth" / "volume.ome.zarr", size=32)
    file_record(
        home / "tooth",
        title="Molar M2",
        id="tooth",
        description="A molar of *Ursus*.",
        created=datetime(2026, 11, 20, tzinfo=UTC),
        parameters={"projections": Value(900, "read", "a.h5"), "energy_kev": Value(20.0, "read", "a.h5")},
    )
    with open_catalogue(home / "catalogue.sqlite") as opened:
        ingest(opened, home / "tooth")
        make_entity(opened, LOCAL_OWNER, "document", "A lesson", {"description": LESSON}, "lesson")
        yield opened


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.fast
def test_each_level_sees_what_is_for_it(client: TestClient) -> None:
    pages = {
        level: client.get(f"/records/tooth?level={level}").text for level in ("pupil", "student", "scientist")
    }
    expected = {  # words → at which levels they stand on the page
        'id="slices"': "pupil student scientist",
        "900 pictures were taken": "pupil student scientist",
        "How to look": "pupil",
        "What do the words mean?": "pupil student",
        "From parameter: projections": "student scientist",
        'id="histogram"': "student scientist",
        'id="parameters"': "student scientist",
        'id="files"': "student scientist",
        "A molar of *Ursus*.": "student scientist",
        "Versions and slips": "student scientist",
        'id="log"': "scientist",
        'rel="describedby"': "scientist",
    }  # fmt: skip
    for words, levels in expected.items():
        assert [level for level in pages if words in pages[level]] == levels.split(), words
    for level, page in pages.items():
        assert page.count('rel="nofollow" aria-current="true"') == 1
        assert f'level={level}" rel="nofollow" aria-current="true"' in page
    assert 'href="/glossary#voxel"' in pages["pupil"]
    assert "/records/tooth/make-a-slice" in pages["pupil"]
    assert "/compare/sizes?records=tooth" in pages["student"]
    assert client.get("/records/tooth?level=teacher").status_code == 400


@pytest.mark.fast
def test_the_level_is_remembered_and_asked_of_no_program(client: TestClient) -> None:
    plain = client.get("/records/tooth")
    assert "set-cookie" not in plain.headers
    assert plain.headers["vary"] == "Accept, Cookie"
    told = client.get("/records/tooth?level=pupil&z=3")
    assert told.headers["set-cookie"].startswith(
        "level=pupil; HttpOnly; Max-Age=15552000; Path=/; SameSite=lax"
    )
    assert told.headers["cache-control"] == "private, no-cache"
    assert "/records/tooth?z=3&amp;level=student" in told.text
    assert "How to look" in client.get("/records/tooth").text
    assert 'level=pupil" rel="nofollow" aria-current' in client.get("/glossary").text
    assert "Count them" in client.get("/documents/lesson").text
    assert client.get("/records/tooth.json").json()["level"] == "scientist"
    assert client.get("/records/tooth", headers=JSON).json()["level"] == "scientist"
    assert client.get("/records/tooth.json?level=pupil").json()["level"] == "pupil"
    assert "set-cookie" not in client.get("/about").headers
    assert "How to look" not in client.get("/records/tooth?level=scientist").text
    assert "How to look" not in client.get("/records/tooth").text
    client.cookies.set("level", "everybody")
    assert client.get("/records/tooth").status_code == 200


@pytest.mark.fast
def test_a_lesson_has_parts_for_levels_and_words_of_the_glossary(client: TestClient) -> None:
    pupil = client.get("/documents/lesson?level=pupil").text
    lesson = pupil.partition('<div class="lesson">')[2].partition("</div>")[0]
    assert "Count them." in lesson
    assert "Integrate" not in lesson
    assert lesson.count('href="/glossary#voxel"') == 1
    assert '<strong><a class="word"' in lesson
    assert "#slice" not in lesson  # it stands in code and in a link
    assert "<code>a slice</code>" in lesson
    assert "Integrate." in client.get("/documents/lesson?level=student").text
    assert "levels" not in client.get("/specimens").text
    answer = client.post(
        "/entities/lesson/edit", data={"name": "A lesson", "description": "::: pupil\nopen"}, headers=JSON
    )
    assert answer.status_code == 422
    assert "never ended" in answer.json()["detail"]


def test_the_card_goes_from_the_form_to_the_crate_and_the_page(
    client: TestClient, home: Path, catalogue: Catalogue
) -> None:
    form = client.get("/records/tooth/manage").text
    assert 'name="plain_look_for"' in form
    given = {"plain_title": "A bear's  tooth ", "plain_what": "It is a tooth.\r\nA big one.", "plain_why": ""}
    assert "Saved." in client.post("/records/tooth/edit", data=given).text
    assert read_record(home / "tooth").card == PlainCard("A bear's tooth", "It is a tooth.\nA big one.")
    pupil = client.get("/records/tooth?level=pupil").text
    assert "<h1>A bear&#39;s tooth</h1>" in pupil
    assert "Among scientists: Molar M2" in pupil
    assert "<h1>Molar M2</h1>" in client.get("/records/tooth?level=scientist").text
    told = client.get("/records/tooth.json").json()["viewers"]["plain_card"]["data"]["told"]
    assert told == {"title": "A bear's tooth", "what": "It is a tooth.\nA big one."}
    assert "card" in (home / "tooth" / "ro-crate-metadata.json").read_text()
    found = client.get("/records.json?q=bear's+tooth").json()["hits"]
    assert [one["id"] for one in found] == ["tooth"]  # pupils search for what they read
    file_record(home / "tooth", title="Molar M2", id="tooth")  # filed again, the card stays
    assert read_record(home / "tooth").card.title == "A bear's tooth"
    too_long = client.post("/records/tooth/edit", data={"plain_title": "x" * 121}, headers=JSON)
    assert too_long.status_code == 422
    assert "has 121 characters; at most 120" in too_long.json()["detail"]


def test_lists_tell_their_cards_for_the_level(client: TestClient, home: Path, catalogue: Catalogue) -> None:
    plain = {"plain_title": "A bear's tooth", "plain_what": "It is a tooth.\nA big one."}
    plain["description"] = "A molar of *Ursus*."
    assert client.post("/records/tooth/edit", data=plain).status_code == 200
    client.cookies.clear()

    def card(address: str) -> str:
        return client.get(address).text.partition('<li class="card">')[2].partition("</li>")[0]

    expected = {  # words → at which levels they stand on the card
        "A bear&#39;s tooth": "pupil student",
        "Molar M2": "scientist",
        "It is a tooth. A big one.": "pupil",
        "A molar of": "student scientist",
        "as long as a red blood cell": "pupil student",
        "0.65 µm": "student scientist",
        '<dt class="hidden">Volume in voxels</dt>': "student scientist",
    }
    for address in ("/records", "/records?year=2026"):
        joint = "&" if "?" in address else "?"
        told = {level: card(f"{address}{joint}level={level}") for level in ("pupil", "student", "scientist")}
        for words, levels in expected.items():
            assert [level for level in told if words in told[level]] == levels.split(), words
    page = client.get("/records?q=tooth&level=pupil")
    assert page.headers["set-cookie"].startswith("level=pupil; ")
    assert '/records?q=tooth&amp;level=student" rel="nofollow"' in page.text
    assert "Molar M2" not in card("/records")  # remembered
    assert client.get("/records.json").json()["hits"][0]["title"] == "Molar M2"
    hit = client.get("/records.json?level=pupil").json()["hits"][0]
    assert (hit["title"], hit["level"]) == ("A bear's tooth", "pupil")
    home_page = client.get("/?level=pupil").text
    assert "A bear&#39;s tooth" in home_page
    assert client.get("/?level=scientist").text.count("A bear&#39;s tooth") == 0
    assert client.get("/records?level=teacher").status_code == 400


def test_the_page_of_a_worksheet_asks_about_dark_parts(client: TestClient) -> None:
    address = "/records/tooth/worksheet"
    bright = client.get(f"{address}.json?level=student").json()
    dark = client.get(f"{address}.json?level=student&parts=dark").json()
    assert (bright["parts"], dark["parts"]) == ("bright", "dark")
    assert "What share is dark?" in [one["title"] for one in dark["tasks"]]
    page = client.get(f"{address}?parts=dark&answers=false").text
    assert "dark parts inside the specimen" in page
    assert "Ask about the bright parts" in page
    assert 'href="/records/tooth/worksheet?parts=dark&amp;answers=true"' in page
    assert client.get(f"{address}?parts=grey").status_code in (400, 422)


def test_a_list_keeps_the_level_on_its_next_page(catalogue: Catalogue, tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "many.sqlite") as many:
        for number in range(3):
            folder = tmp_path / f"scan-{number}"
            folder.mkdir()
            (folder / "notes.txt").write_text("nothing")
            file_record(
                folder, title=f"Scan {number}", id=f"scan-{number}", parts=[Part("document", "notes.txt")]
            )
            ingest(many, folder)
        with TestClient(create_app(many, local=True)) as client:
            told = client.get("/records.json?level=pupil&limit=2").json()
            assert told["level"] == "pupil"
            beyond = client.get("/records.json?" + told["next"].partition("?")[2]).json()
            assert beyond["level"] == "pupil"
            assert len(beyond["hits"]) == 1


def test_the_card_is_edited_by_command_and_by_table(home: Path, catalogue: Catalogue, tmp_path: Path) -> None:
    def run(*words: str) -> Any:
        return CliRunner().invoke(
            edit_command, ["tooth", "--catalogue", str(home / "catalogue.sqlite"), *words]
        )

    (tmp_path / "why.txt").write_text("To see its roots.\n")
    assert run("--plain-why", f"@{tmp_path / 'why.txt'}", "--plain-title", "").exit_code == 0
    card = read_record(home / "tooth").card
    assert (card.title, card.why) == ("", "To see its roots.")
    assert "plain why" in run().output
    table = tmp_path / "cards.csv"
    table.write_text("record,plain_look_for,Plain why\ntooth,The enamel.,Because.\n")
    told = merge_table(catalogue, LOCAL_OWNER, table)
    assert ([one.field for one in told.changed], [one.field for one in told.conflicts]) == (
        ["plain_look_for"], ["plain_why"],
    )  # fmt: skip
    assert read_record(home / "tooth").card.look_for == "The enamel."
    with pytest.raises(ParameterError, match="no field 'sound'"):
        edit(catalogue, LOCAL_OWNER, "tooth", Changes(card={"sound": "x"}))
