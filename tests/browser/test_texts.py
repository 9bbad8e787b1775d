"""Pages of text, news, events and forms in three languages: no serious fault, no wider than a phone, no dead link."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from lxml import html

from app_client import TestClient
from chromium import width
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.entity_edit import make_entity, publish_entity
from tomarium.catalogue.messages import write_message
from tomarium.catalogue.page_texts import write_text
from tomarium.portal.app import create_app
from tomarium.portal.languages import LANGUAGES
from tomarium.portal.pages.texts import ELSEWHERE
from tomarium.portal.texts import shipped

NAMES = [name.partition("/")[2] for name in shipped()]
PLACES = [
    "/",
    "/pages",
    *(f"/{name}" if name in ELSEWHERE else f"/pages/{name}" for name in NAMES if name != "home"),
]
PLACES += [
    "/news/first-light",
    "/events/open-day",
    "/feedback",
    "/records/tooth/ask",
    "/records/tooth",
    "/sign-in",
]
EDITED = (
    "/texts",
    "/texts/pages/edit?name=partners&language=fr",
    "/texts/news/history?name=first-light&version=1",
    "/messages",
)


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("texts")
    make_volume(home / "tooth" / "volume.ome.zarr", size=32)
    file_record(home / "tooth", title="Tooth", id="tooth")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, home / "tooth")
        announce(catalogue)
        yield catalogue


@pytest.fixture(scope="module")
def address(catalogue: Catalogue, serving: Callable[..., Any]) -> Iterator[str]:
    with serving(catalogue) as address:
        yield address


def announce(catalogue: Catalogue) -> None:
    """Write news, an event, a paper and a message."""
    news = "title: First light\nsummary: A tooth.\ndate: 2026-11-20\nrecord: tooth\ncredit: Ada"
    event = "title: Open day\nstarts: 2100-06-05 10:00\nzone: Europe/Paris\nplace: Hall 3"
    for name, head in (("news/first-light", news), ("events/open-day", event)):
        source = f"---\n{head}\n---\n## Seen\nA [tooth](/records/tooth).\n"
        write_text(catalogue, LOCAL_OWNER, name, "en", source, seen=0)
    write_message(catalogue, {"text": "How was it fixed?", "email": "a@example.org"}, record="tooth")
    paper = {"type": "paper", "year": "2025", "members": "tooth", "paper_doi": "10.1038/a"}
    make_entity(catalogue, LOCAL_OWNER, "document", "Growth of a tooth", paper, "growth")
    publish_entity(catalogue, LOCAL_OWNER, "growth")


def prefixed(language: str, place: str) -> str:
    return place if language == "en" else f"/{language}{place}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_have_no_serious_fault(
    language: str, address: str, page: Any, phone: Any, axe: Callable[..., list[str]]
) -> None:
    """Each page is looked at on a phone in German, and by axe in one language: by day, and its contrast by night."""
    for number, place in enumerate(PLACES):
        here = address + prefixed(language, place)
        if language == "de":  # its words are the longest
            phone.goto(here)
            assert width(phone) <= 390, here
            assert phone.evaluate("document.documentElement.lang") == language
        if number % 3 == list(LANGUAGES).index(language):
            page.emulate_media(color_scheme="light")
            page.goto(here)
            assert axe(page) == [], here
            page.emulate_media(color_scheme="dark")
            assert axe(page, "color-contrast") == [], here


@pytest.mark.parametrize("place", EDITED)
def test_forms_of_editors_have_no_serious_fault(
    place: str, address: str, page: Any, phone: Any, axe: Callable[..., list[str]]
) -> None:
    page.goto(address + place)
    assert axe(page) == []
    phone.goto(address + place)
    assert width(phone) <= 390


def test_every_link_of_the_texts_answers(catalogue: Catalogue) -> None:
    asked: dict[str, int] = {}
    with TestClient(create_app(catalogue, local=True)) as client:
        address = str(client.base_url)
        for language in LANGUAGES:
            for place in PLACES:
                here = address + prefixed(language, place)
                page = html.fromstring(client.get(here).text)
                for link in page.xpath("//main//@href"):
                    target = urljoin(here, link)
                    bare = urlsplit(target)._replace(fragment="").geturl()
                    if not target.startswith(address):
                        continue
                    if bare not in asked:
                        asked[bare] = client.get(bare, follow_redirects=True).status_code
                    assert asked[bare] == 200, f"{here} leads to {target}"
    assert len(asked) > 60
