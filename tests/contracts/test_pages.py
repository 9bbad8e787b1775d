"""Every page: sound HTML, links that lead somewhere, JSON with the same facts, and no other host."""

import shutil
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from app_client import TestClient
from tomarium.catalogue import Catalogue
from tomarium.catalogue.harvested import id_of
from tomarium.model.entity import KINDS
from tomarium.portal.app import create_app
from tomarium.portal.languages import ENGLISH, LANGUAGES, translate, without_language
from tomarium.portal.page import Page
from tomarium.registry import collect

PAGES = collect("portal.pages", Page)
HOME = "http://testserver"
OUTSIDE = ("https://doi.org/", "https://ror.org/", "https://orcid.org/", "https://example.org", "mailto:")
"""Where links of the examples may lead that somebody follows by hand."""
# Where each page is looked at; a page that is not here is looked at without parameters.
EXAMPLES = {
    "record": [
        "/records/full",
        "/records/uncalibrated",
        "/records/bare",
        "/records/full?z=3&y=1&histogram=linear&low=0.1&high=1.5",
        "/records/full?level=pupil",
        "/records/full?level=student&z=3",
        "/records/bare?level=pupil",
    ],
    "glossary": ["/glossary", "/glossary?level=pupil", "/glossary?level=student"],
    "home": ["/", "/?level=pupil", "/?level=student"],
    "records": [
        "/records",
        "/records?level=pupil",
        "/records?level=student&limit=1",
        "/records?q=enamel",
        "/records?q=%22%3Cscript%3E",
        "/records?limit=1&offset=1",
    ],
    "compare": [
        "/compare",
        "/compare?a=full",
        "/compare?a=full&b=uncalibrated&plane=y&at=100",
        "/compare?a=full&b=full",
    ],
    **{name: [f"/{kind.plural}/a-{name}"] for name, kind in KINDS.items()},
    "specimen_images": [
        "/specimens/a-specimen/images",
        "/specimens/tooth/images",
        "/specimens/tooth/images?along=y&plane=x&frame=records/full&at=10,20,30%20px&whole=-",
    ],
    "specimen_links": [
        "/specimens/a-specimen/links",
        "/specimens/tooth/links",
        "/specimens/tooth/links?plane_from=y&slice_from=3&pairs=1,2,3%20px",
    ],
    "document": ["/documents/a-document", "/documents/a-document?level=pupil"],
    "specimen": ["/specimens/a-specimen", "/specimens/tooth?said=Saved."],
    "admin.user": [],  # with an account the owner of this machine is nobody; tests/portal looks at it
    "hdf5": [],  # tests/portal/test_hdf5
    "volume": ["/records/full/volume"],
    "harvested": [f"/harvested/{id_of('oai', 'https://example.org/oai', 'dataset', '<1>')}"],
    "models": ["/records/full/models", "/records/full/models?threshold=0.4&up=-y", "/records/bare/models"],
    "make_a_slice": ["/records/full/make-a-slice"],
    "sizes": ["/compare/sizes"],
    "worksheet": ["/records/full/worksheet", "/records/full/worksheet?level=pupil&answers=false&parts=dark"],
    "pages": ["/pages", "/de/pages"],
    "pages.text": [
        "/pages/tomography",
        "/pages/tomography?level=pupil",
        "/fr/pages/beamlines",
        "/de/pages/datasets",
        "/pages/documents",
        "/pages/partners",
        "/fr/pages/how-to",
    ],
    "news": ["/news", "/fr/news"],
    "news.one": ["/news/first-light", "/de/news/first-light"],
    "events": ["/events", "/de/events"],
    "events.one": ["/events/open-day", "/fr/events/open-day"],
    "publications": [
        "/publications",
        "/publications?q=ada&year=2025&sort=title&data=true",
        "/fr/publications",
    ],
    "feedback": ["/feedback", "/de/feedback?page=/records/full", "/feedback?sent=true"],
    "record.ask": ["/records/full/ask", "/fr/records/full/ask?sent=true"],
    "texts.edit": [
        "/texts/pages/edit?name=partners&language=fr",
        "/texts/news/edit",
        "/texts/events/edit?name=open-day&language=de",
    ],
    "texts.history": ["/texts/news/history?name=first-light&version=1", "/texts/pages/history?name=faq"],
    "advise": [
        "/advise",
        "/advise?columns=2048&rows=2048&scans=24&methods=2&scan-time=20+min&disk-speed=80+MB/s&pixel=0.65+um&energy=20+keV",
        "/advise?columns=%3Cb%3E&pixel=1",
    ],
    "work.slice": [],  # test_a_slice_of_a_raw_scan
    "work.job": [],  # jobs need a worker; tests/portal/test_work and tests/browser/test_work look at them
    "work.compare": [],
    "parcel": ["/parcels/box"],
    "parcels": ["/parcels", "/parcels?state=sent"],
    "labels": ["/labels", "/labels?specimens=tooth+a-specimen&size=70x37"],
    "logbook": ["/logbook", "/logbook?about=records/full&q=kept&by=people", "/logbook?fold=no"],
    "log_entry": ["/logbook/1"],
    "series": ["/records/full/series", "/records/full/series?moment=2&z=3&low=0.1&high=1.5"],
    "manage": ["/records/full/manage", "/records/bare/manage?said=Saved."],
    "remove": ["/records/bare/remove"],
    "download": ["/records/full/download", "/records/bare/download"],
    "folder": ["/records/full/folders/volume.ome.zarr", "/records/full/folders/volume.ome.zarr/0/c"],
}
ADDRESSES = [address for name, page in PAGES.items() for address in EXAMPLES.get(name, [page.path])]
every_address = pytest.mark.parametrize("address", ADDRESSES)


@pytest.fixture(scope="module")
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    used = shutil.disk_usage(catalogue.home)  # others write to the disk meanwhile
    with pytest.MonkeyPatch.context() as patch, _client(catalogue) as client:
        patch.setattr(shutil, "disk_usage", lambda _path: used)
        now = time.time()  # ages grow between two answers
        patch.setattr("tomarium.portal.pages.live.time", lambda: now)
        yield client


def _client(catalogue: Catalogue) -> TestClient:
    client = TestClient(create_app(catalogue, local=True), base_url=HOME)
    # Else the level of one page would be that of the next.
    client.event_hooks = {"response": [lambda _answer: client.cookies.clear()]}
    return client


def test_every_page_with_parameters_has_an_example() -> None:
    assert {name for name, page in PAGES.items() if "{" in page.path} <= EXAMPLES.keys()


@every_address
def test_html_is_sound(client: TestClient, address: str, read_html: Callable[[str], Any]) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    html = read_html(answer.text)
    assert html.judge() == []
    assert html.headings[0] == 1
    assert html.headings.count(1) == 1
    assert answer.text.startswith("<!doctype html>")
    for landmark in (
        "<header",
        "<main id=",
        "<footer",
        'href="#main"',
        f'<html lang="{without_language(address)[0]}">',
        "<nav",
    ):
        assert landmark in answer.text


def test_a_slice_of_a_raw_scan(
    client: TestClient, records: dict[str, tuple[Any, Any]], read_html: Callable[[str], Any]
) -> None:
    page = client.get("/reconstruct/slice", params={"scan": f"record:{records['scan'][0].id}"})
    html = read_html(page.text)
    assert page.status_code == 200
    assert html.judge() == []
    assert html.headings.count(1) == 1
    for link in html.links + html.sources:
        assert client.get(link).status_code == 200, link


@every_address
def test_nothing_is_asked_of_another_host(
    client: TestClient, address: str, read_html: Callable[[str], Any]
) -> None:
    answer = client.get(address)
    html = read_html(answer.text)
    for link in html.links + html.sources:
        assert urljoin(HOME + address, link).startswith(HOME), link
    assert [link for link in html.outside if not link.startswith(OUTSIDE)] == []
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'self'"
    assert not any("unsafe" in part or "http" in part for part in policy)


@pytest.fixture(scope="module")
def follow(client: TestClient, read_html: Callable[[str], Any]) -> Callable[[str], tuple[int, list[str]]]:
    """Follow a link: the status and, of a page, the ids. Most pages lead to the same places, each is asked once."""

    @cache
    def follow(link: str) -> tuple[int, list[str]]:
        answer = client.get(link, follow_redirects=False)
        of_html = answer.headers.get("content-type", "").startswith("text/html")
        return answer.status_code, read_html(answer.text).ids if of_html else []

    return follow


@every_address
def test_links_lead_somewhere(
    client: TestClient,
    address: str,
    read_html: Callable[[str], Any],
    follow: Callable[[str], tuple[int, list[str]]],
) -> None:
    html = read_html(client.get(address).text)
    here = without_language(urlsplit(address).path)[1]
    for link in dict.fromkeys(html.links + html.sources):
        if without_language(urlsplit(link).path)[1] == here and urlsplit(link).path != here:
            continue  # this page in another language: test_languages
        parts = urlsplit(urljoin(HOME + address, link.replace("INDEX", "0")))
        status, ids = follow(parts._replace(fragment="").geturl())
        assert status == 200, link
        assert not parts.fragment or parts.fragment in ids, link
    for form in html.forms:  # it takes something, and gives nothing but the page that it stands on
        assert (
            form == urlsplit(address).path or client.get(form, follow_redirects=False).status_code == 405
        ), form


@every_address
def test_json_has_the_same_facts(client: TestClient, address: str, read_html: Callable[[str], Any]) -> None:
    page = client.get(address)
    twin = page.headers["link"].split(">")[0].removeprefix("<")
    assert twin in read_html(page.text).links
    facts = client.get(twin).json()
    assert client.get(address, headers={"Accept": "application/json"}).json() == facts
    shown = "".join(read_html(page.text).text.split())  # marks and line ends do not matter
    language = address.split("/")[1] if address.split("/")[1] in LANGUAGES else ENGLISH
    for text in texts_for_people(facts):
        words = translate(text, language).replace("`", "")  # code is marked by its element
        assert "".join(words.split()) in shown, text


def texts_for_people(facts: Any, name: str = "") -> Iterator[str]:
    """Find what a page must say: titles, names, labels, values …; the state of a viewer is for its script."""
    said = {
        "title", "description", "snippet", "licence", "label", "shown", "source", "path", "sha256",
        "creators", "keywords", "summary", "name", "protocol", "message", "version",
    }  # fmt: skip
    if isinstance(facts, dict):
        for key, value in facts.items():
            if key not in ("parameters", "provenance", "state") or isinstance(value, list):
                yield from texts_for_people(value, key)
    elif isinstance(facts, list):
        for value in facts:
            yield from texts_for_people(value, name)
    elif isinstance(facts, str) and name in said and facts:
        yield facts


@every_address
def test_answers_head(client: TestClient, address: str) -> None:
    assert client.head(address).status_code == 200
    assert client.head(address).content == b""
