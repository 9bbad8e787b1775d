"""A newsletter tells what everybody may see of what was published within some days, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from sqlalchemy import update

from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import make_entity, publish_entity
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.catalogue.newsletter import (
    Newsletter,
    first_sentences,
    make_newsletter,
    read_day,
    write_newsletter,
)
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import records
from tomarium.cli import execute
from tomarium.errors import ParameterError
from tomarium.model import Person

HOME = "https://data.example.org"
TODAY = datetime.now(UTC).date()
TEXT = "A canine of S. smilodon, cf. Fig. 2, by A. Lovelace et al. from a cave. It is *whole*! Nobody reads this."


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("newsletter")
    with open_catalogue(home / "c.sqlite") as opened:
        with opened.writing() as connection:
            change_setting(connection, "address", HOME)
            change_setting(connection, "name", "Bears & <b>bones</b>")
        for id in ("open", "shut", "gone", "old", "draft", "chosen"):
            make_volume(home / id / "volume.ome.zarr", size=8)
            file_record(home / id, title=f"Tooth [{id}] & <b>", id=id, description=TEXT)
            ingest(opened, home / id)
            technique = ("PaNET01203",) if id == "shut" else ()
            told = Changes(licence="CC0-1.0", creators=(Person("Lovelace, Ada"),), techniques=technique)
            edit(opened, LOCAL_OWNER, id, told)
            if id != "draft":
                publish(opened, LOCAL_OWNER, id, Request(embargo="1 year" if id == "shut" else "0"))
        withdraw(opened, LOCAL_OWNER, "gone", "the wrong bear")
        choice = make_entity(opened, LOCAL_OWNER, "collection", "Choice", {"members": "chosen; draft"})
        publish_entity(opened, LOCAL_OWNER, choice.id)
        with opened.writing() as connection:
            change_setting(connection, "curators_choice", choice.id)
            before = (datetime.now(UTC) - timedelta(40)).timestamp()
            connection.execute(update(records).where(records.c.id == "old").values(public_from=before))
        yield opened


def ids(newsletter: Newsletter) -> dict[str, list[str]]:
    return {theme.name: [one.id for one in theme.items] for theme in newsletter.themes}


def test_it_tells_what_everybody_may_see_the_curators_choice_first(catalogue: Catalogue) -> None:
    made = make_newsletter(catalogue, TODAY - timedelta(7))
    told = ids(made)
    assert next(iter(told.values())) == ["chosen"]
    assert next(iter(told)) == "Curator’s choice"
    assert sorted(one for some in told.values() for one in some) == ["chosen", "open", "shut"]
    assert list(told)[-1] == "More records"
    assert (made.total, made.lead) == (3, "3 records were published.")
    items = {one.id: one for theme in made.themes for one in theme.items}
    assert (
        items["open"].text
        == "A canine of S. smilodon, cf. Fig. 2, by A. Lovelace et al. from a cave. It is whole!"
    )
    assert items["open"].picture == f"{HOME}/records/open/files/previews/thumbnail.png"
    assert (items["shut"].picture, items["shut"].note[:18]) == ("", "Its files open on ")
    assert f"{HOME}/records/open" in items["open"].citation
    assert "old" in ids(make_newsletter(catalogue, TODAY - timedelta(60)))["More records"]
    assert ids(make_newsletter(catalogue, TODAY - timedelta(60), TODAY - timedelta(8))) == {
        "More records": ["old"]
    }
    assert make_newsletter(catalogue, date(2020, 1, 1), date(2020, 1, 1)).lead == "No record was published."
    with pytest.raises(ParameterError, match="before since"):
        make_newsletter(catalogue, TODAY, TODAY - timedelta(1))


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_each_form_says_the_same_and_keeps_signs_as_signs(catalogue: Catalogue) -> None:
    made = make_newsletter(catalogue, TODAY)
    written = {form: write_newsletter(made, form) for form in ("markdown", "html", "text")}
    for page in (Page(MarkdownIt("commonmark").render(written["markdown"])), Page(written["html"])):
        assert "Tooth [open] & <b>" in page.words
        assert "b" not in {tag for tag, _ in page.tags}
        linked = [shown["href"] for tag, shown in page.tags if tag == "a"]
        assert sorted(linked) == [f"{HOME}/records/{id}" for id in ("chosen", "open", "shut")]
        assert len([tag for tag, _ in page.tags if tag == "img"]) == 2
    assert "Tooth [open] & <b>\nA canine" in written["text"]
    with pytest.raises(ParameterError, match="give one of"):
        write_newsletter(made, "pdf")


def test_the_command_writes_it(
    catalogue: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["newsletter", "--since", f"{TODAY - timedelta(7)}", "--catalogue", catalogue.name]
    assert execute(words) == 0
    assert capsys.readouterr().out.startswith("# Bears & \\<b\\>bones\\</b\\>: new records, ")
    assert execute([*words, "--format", "html", "-o", str(tmp_path / "news.html")]) == 0
    assert "3 records" in capsys.readouterr().out
    assert execute(["newsletter", "--since", "October", "--catalogue", catalogue.name]) == 2
    with pytest.raises(ParameterError):
        read_day("2026-13-01")


def test_sentences_are_counted() -> None:
    assert first_sentences("One. Two? Three! Four.", 3) == "One. Two? Three!"
    assert first_sentences("See [the page](https://a.org). And `code`.") == "See the page. And code."
    assert first_sentences("") == ""
