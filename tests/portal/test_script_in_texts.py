"""Texts of strangers with scripts in them, in every field that is kept or reflected: they stay texts on every page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urldefrag, urlencode, urljoin, urlsplit

import h5py
import PIL.Image
import pytest

import chromium
from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.comments import comment
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import link_specimen, make_entity
from tomarium.catalogue.harvest_sources import add_source
from tomarium.catalogue.harvested import Item, keep
from tomarium.catalogue.log_book import write_entry
from tomarium.catalogue.log_entry import EntryContent
from tomarium.catalogue.parcels import make_parcel, tell_of_parcel
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.specimen_events import EventContent, tell_of_specimen
from tomarium.model import Person, Value
from tomarium.model.entity import KINDS
from tomarium.model.parcel import FACTS as PARCEL_FACTS
from tomarium.portal.app import create_app

HOME = "http://testserver"
# What each would do is to set `tomariumRan`; the element that carries it is named `x-ran` where it does nothing more.
PAYLOADS = (
    "<script>tomariumRan=1</script>",
    '"><x-ran onmouseover=tomariumRan=1>',
    "'><x-ran onfocus=tomariumRan=1 autofocus tabindex=1>",
    "<img src=x onerror=tomariumRan=1>",
    "<svg/onload=tomariumRan=1>",
    "</script><script>tomariumRan=1</script>",
    "</title><script>tomariumRan=1</script>",
    "</textarea><script>tomariumRan=1</script>",
    "--><script>tomariumRan=1</script>",
    "</style><script>tomariumRan=1</script>",
    '" onfocus=tomariumRan=1 autofocus x="',
    "' onfocus=tomariumRan=1 autofocus x='",
    "` onfocus=tomariumRan=1 autofocus x=`",
    "javascript:tomariumRan=1",
    " javascript:tomariumRan=1",
    "data:text/html,<script>tomariumRan=1</script>",
    "[x](javascript:tomariumRan=1)",
    '![x](x"onerror="tomariumRan=1)',
    '<https://a"onfocus=tomariumRan=1//>',
    "[x]: javascript:tomariumRan=1",
    "{{7*7}}{% include 'layout.html' %}${tomariumRan=1}",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=tomariumRan=1>",
    "<iframe srcdoc='<script>parent.tomariumRan=1</script>'></iframe>",
    "<base href=//evil.example><meta http-equiv=refresh content='0;url=//evil.example'>",
    "&lt;script&gt;tomariumRan=1&lt;/script&gt;",
    "\u003cscript\u003etomariumRan=1\u003c/script\u003e",
    '<a href="java\tscript:tomariumRan=1">x</a>',
)
ALL = " ".join(PAYLOADS)
MOST_PAGES = 100
_URLS = ("href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href")


class Scripts(HTMLParser):
    """Finds what would run a script, or what a payload has put into a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag in ("x-ran", "base", "object", "embed", "math") or (
            told.get("http-equiv")
            and not told.get("content", "").isdecimal()  # some pages ask themselves again
        ):
            self.found.append(f"<{tag}>")
        if tag == "iframe" and "srcdoc" in told:
            self.found.append("<iframe srcdoc>")
        if tag == "script" and "src" not in told and "json" not in told.get("type", ""):
            self.found.append("<script>")
        self.found += [f"<{tag} {name}>" for name in told if name.startswith("on") or name == "style"]
        for name in _URLS:
            scheme = re.sub(r"[\x00-\x20]", "", told.get(name, "")).partition(":")[0].lower()
            if scheme in ("javascript", "vbscript") or (scheme == "data" and tag != "img"):
                self.found.append(f"<{tag} {name}={told[name][:40]}>")
        if tag == "a":
            self.links.append(told.get("href", ""))


def judged(html: str) -> Scripts:
    reader = Scripts()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("scripts")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        _file(home / "records" / "bad", make_volume)
        ingest(opened, home / "records" / "bad")
        _describe(opened)
        yield opened


def _file(folder: Path, make_volume: Callable[..., Path]) -> None:
    make_volume(folder / "volume.ome.zarr", size=16)
    named = cycle(one.replace("/", "∕").replace("\t", " ") for one in PAYLOADS)
    for ending in ("txt", "html", "svg", "png", "h5", "md", "json"):
        (folder / f"{next(named)[:80]}.{ending}").write_text(f"<svg>{ALL}</svg>")
    (folder / "scan.h5").unlink(missing_ok=True)
    with h5py.File(folder / "scan.h5", "w") as scan:
        for number, one in enumerate(PAYLOADS):
            held = scan.create_dataset(f"group {number}/{one.replace('/', '∕')}", data=[1, 2, 3])
            held.attrs[one] = one
            scan[f"text {number}"] = one
    (folder / "provenance.json").write_text(json.dumps({"source": {"path": ALL}, "plan": {ALL: ALL}}))
    (folder / "protocol.yaml").write_text(f"steps: []\n# {ALL}\n")
    each = cycle(PAYLOADS)
    file_record(
        folder,
        title=ALL,
        id="bad",
        description=ALL,
        creators=(ALL, *PAYLOADS),
        keywords=(*PAYLOADS, ALL),
        licence=next(each),
        parameters={
            **{name: Value(one, "read", one) for name, one in pairwise(PAYLOADS)},
            "energy_kev": Value(20.0, "read", ALL),
            "instrument": Value(ALL, "read", ALL),
            "sample_name": Value({ALL: [ALL]}, "read", ALL),
            "series": Value(ALL, "derived", ALL),
            "series_moment": Value(1, "derived", ""),
            "series_moments": Value(2, "derived", ""),
        },
        volume={"unit": next(each)},
    )


def _describe(opened: Catalogue) -> None:
    owner = LOCAL_OWNER
    picture = io.BytesIO()
    PIL.Image.new("L", (8, 6), 90).save(picture, "PNG")
    files = tuple(
        (f"{one.replace('/', '∕')}.png"[:120], picture.getvalue() + one.encode()) for one in PAYLOADS[:5]
    )
    files += tuple((f"{one.replace('/', '∕')}.html"[:120], one.encode()) for one in PAYLOADS[:3])
    for kind in KINDS.values():
        typed = {"people": PAYLOADS[0], "day": "2026-11-20", "ror": "02550n020", "doi": "10.1038/abc"}
        facts = {fact.key: typed.get(fact.form, ALL[:900]) for fact in kind.facts}
        if "members" in facts:
            facts["members"] = "bad"
        facts = {key: value for key, value in facts.items() if "\n" not in value}
        make_entity(opened, owner, kind.name, ALL.replace("\t", " ")[:480], facts, f"bad-{kind.name}")
    make_entity(opened, owner, "specimen", PAYLOADS[3], {}, "part")
    link_specimen(opened, owner, "part", "bad-specimen", "section")
    described = {kind: f"bad-{kind}" for kind in ("specimen", "proposal", "instrument")}
    edit(opened, owner, "bad", Changes(**described, creators=(Person(PAYLOADS[1]),)))
    for subject in ("records/bad", "proposals/bad-proposal", "specimens/bad-specimen"):
        for one in (ALL, *PAYLOADS):
            write_entry(opened, owner, subject, EntryContent(one))
    write_entry(opened, owner, "records/bad", EntryContent(ALL, (), ("specimens/part",), files))
    told = {fact.key: PAYLOADS[2] for fact in PARCEL_FACTS if fact.form == "text"}
    make_parcel(opened, owner, told, ["part"], id="box")
    tell_of_parcel(opened, owner, "box", "received", place=PAYLOADS[4], files=files)
    moved = EventContent("moved", PAYLOADS[3], PAYLOADS[4], PAYLOADS[5], PAYLOADS[6], files)
    tell_of_specimen(opened, owner, "part", moved)
    comment(opened, owner, "bad", ALL)
    item = Item("<1>", title=ALL, created="2019", creators=PAYLOADS, licence=ALL, description=ALL, keywords=PAYLOADS,
                instrument=ALL, facility=ALL, address="https://example.org/1", content={ALL: ALL},
                parameters={"energy_kev": 20.0})  # fmt: skip
    with opened.writing() as connection:
        source = add_source(connection, "oai", "https://example.org/oai", PAYLOADS[3]).number
        keep(connection, source, [item])
        for key in ("name", "institution", "publisher", "acknowledgement", "oidc_label"):
            change_setting(connection, key, ALL.replace("\t", " "))


@pytest.fixture(scope="module")
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    app = create_app(catalogue, local=True)
    with TestClient(app, base_url=HOME, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def pages(client: TestClient) -> dict[str, str]:
    """Go from the first page wherever links lead, a page of each kind of address some times."""
    todo = [
        "/",
        "/records/bad",
        "/newsletter",
        "/parcels/box",
        "/specimens/bad-specimen",
        "/admin/log",
        "/records/bad/manage",
        "/records/bad/hdf5/scan.h5",
    ]
    seen = set[str]()
    kinds: dict[str, int] = {}
    found = {}
    while todo and len(found) < MOST_PAGES:
        address = todo.pop(0)
        kind = re.sub(r"[^/?&=]{25,}|\d+", "*", urlsplit(address).path) + " ".join(
            sorted({name for name, _ in parse_qsl(urlsplit(address).query)})
        )
        if address in seen or kinds.setdefault(kind, 0) >= 2:
            continue
        seen.add(address)
        kinds[kind] += 1
        answer = client.get(address, headers={"Accept": "text/html"}, follow_redirects=False)
        saved = answer.headers.get("content-disposition", "").startswith("attachment")
        if saved or not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        assert answer.status_code < 500, address
        found[address] = answer.text
        for link in judged(answer.text).links:
            whole = urldefrag(urljoin(HOME + address, link)).url
            if whole.startswith(HOME) and "/download" not in whole:
                todo.append(whole.removeprefix(HOME))
    return found


def test_no_text_becomes_a_script(pages: dict[str, str]) -> None:
    wanted = {"/", "/records", "/records/bad", "/logbook", "/parcels/box", "/specimens/part", "/admin/log"}
    wanted |= {"/records/bad/hdf5/scan.h5", "/admin/settings", "/records/bad/manage", "/newsletter"}
    assert {one.partition("?")[0] for one in pages} >= wanted
    assert sum("tomariumRan" in text for text in pages.values()) > 30
    assert {address: judged(text).found for address, text in pages.items() if judged(text).found} == {}


def test_what_is_json_in_a_page_ends_where_it_should(pages: dict[str, str]) -> None:
    found = 0
    for address, text in pages.items():
        for content in re.findall(
            r'<script type="application/[a-z+]*json"[^>]*>(.*?)</script', text, re.DOTALL
        ):
            assert "<" not in content, address
            json.loads(content)
            found += 1
    assert found


def test_nothing_that_is_asked_for_becomes_a_script(client: TestClient, pages: dict[str, str]) -> None:
    """Each field of each form of each page, and each part of its address, has a payload in it."""
    asked = set[str]()
    for address, text in pages.items():
        path = urlsplit(address).path
        fields = set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', text))
        fields |= {name for name, _ in parse_qsl(urlsplit(address).query)}
        if path in asked or len(path) > 60:
            continue
        asked.add(path)
        query = urlencode(dict.fromkeys(fields | {"said", "q", "back"}, ALL[:400]))
        for there in (f"{path}?{query}", f"{path.rstrip('/')}/{quote(PAYLOADS[3], safe='')}"):
            answer = client.get(there, headers={"Accept": "text/html"})
            assert answer.status_code < 500, there
            assert judged(answer.text).found == [], there
    assert len(asked) > 25


def test_a_file_of_a_stranger_opens_no_page(client: TestClient, catalogue: Catalogue) -> None:
    """A browser saves it, or shows it in a sandbox without scripts and cookies, and never guesses what it is."""
    folder = catalogue.home / "records" / "bad"
    names = [file.name for file in folder.iterdir() if file.is_file()]
    assert len(names) > 8
    for name in names:
        answer = client.get(f"/records/bad/files/{quote(name, safe='')}")
        assert answer.status_code == 200, name
        headers = answer.headers
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        kind, _, named = headers["content-disposition"].partition("; ")
        shown = headers["content-type"].partition(";")[0] in ("text/plain", "image/png", "application/json")
        assert kind == "inline" if shown else kind == "attachment", name
        assert re.fullmatch(r"filename\*=UTF-8''[A-Za-z0-9._~%!-]+", named), named  # RFC 8187
        assert kind == "attachment" or not re.search("html|svg|xml", headers["content-type"]), name


def test_links_to_files_lead_there_whatever_their_names_are(
    client: TestClient, pages: dict[str, str]
) -> None:
    folders = [
        text for address, text in pages.items() if address in ("/records/bad", "/records/bad/download")
    ]
    links = {link for text in folders for link in judged(text).links if "/records/bad/files/" in link}
    assert sum("%" in link for link in links) > 5
    assert {link for link in links if client.get(link).status_code != 200} == set()


def test_files_of_the_log_book_open_no_page(client: TestClient, pages: dict[str, str]) -> None:
    links = {
        link
        for text in pages.values()
        for link in re.findall(r'(?:href|src)="([^"]*/files/[0-9a-f]{64})"', text)
    }
    assert len(links) > 6
    for link in links:
        headers = client.get(link).headers
        assert headers["content-security-policy"] == "default-src 'none'; sandbox", link
        assert not re.search("html|svg", headers["content-type"]), link
        assert headers["content-type"].startswith("image/") or headers["content-disposition"].startswith(
            "attachment"
        )


def test_feeds_and_lists_are_whole(client: TestClient) -> None:
    etree = pytest.importorskip("lxml.etree")
    for address in ("/feed.atom", "/records.atom?q=script", "/sitemap.xml", "/oai?verb=Identify"):
        answer = client.get(address)
        etree.fromstring(answer.content)
        assert "html" not in answer.headers["content-type"], address


def test_nothing_runs_in_a_browser(pages: dict[str, str], browser: Any) -> None:
    """The same pages without their policy, so that it is the pages themselves that keep the texts from running."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))

    def answer(route: object) -> None:
        url = route.request.url  # type: ignore[attr-defined]
        text = pages.get(url.removeprefix(HOME))
        if text is None:
            route.abort()  # type: ignore[attr-defined]
        else:
            route.fulfill(body=text, content_type="text/html; charset=utf-8")  # type: ignore[attr-defined]

    page.route("**/*", answer)
    page.set_content("<img src=x onerror=tomariumRan=1>")
    chromium.wait_until(page, "window.tomariumRan === 1")  # the payloads do run where they can
    wanted = ["/records/bad", "/records", "/logbook", "/records/bad/manage", "/records/bad/hdf5/scan.h5",
              "/parcels/box", "/specimens/bad-specimen", "/admin/log", "/admin/settings"]  # fmt: skip
    for address in wanted:
        page.goto(HOME + address, wait_until="load")
        page.evaluate("for (const one of document.querySelectorAll('*')) { one.dispatchEvent(new Event('focus')); "
                      "one.dispatchEvent(new Event('mouseover')) }")  # fmt: skip
        assert page.evaluate("window.tomariumRan") is None, address
        assert asked == [], address
    context.close()
