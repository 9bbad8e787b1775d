"""Parsers of what people and programs type: protocols, filters, headers, Markdown, units, words, crates, archives."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from urllib.parse import parse_qsl

import yaml
from fastapi import HTTPException, Request

from tomarium import units
from tomarium.catalogue import open_catalogue
from tomarium.catalogue.archive import archive_held, held
from tomarium.catalogue.cursor import read_cursor
from tomarium.catalogue.field_texts import changes_of
from tomarium.catalogue.panosc_filter import read_filter, read_where
from tomarium.catalogue.ranges import read_range
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.search import search
from tomarium.catalogue.words import mark, read_terms, snippet
from tomarium.doctor.core.table import read_table
from tomarium.errors import TomariumError
from tomarium.formats.hdf5.node_values import read_selection
from tomarium.model.page_text import read_page_text
from tomarium.pipeline.protocol import protocol as protocols
from tomarium.pipeline.protocol.read import read as read_protocol
from tomarium.pipeline.protocol.tomodata import read_instructions
from tomarium.portal import uploads
from tomarium.portal.byte_answer import wanted_range
from tomarium.portal.markdown import marked_down
from tomarium.portal.oai_request import OaiError, read_arguments
from tomarium.specimen.link_file import link_of
from tomarium.standards import panosc, ro_crate
from tomarium.standards.read_works import read_works

Begun = tuple[Callable[[bytes], object], list[bytes]]
EXPECTED: Final = (TomariumError, HTTPException, OaiError)


def of_text(read: Callable[[str], object], *seeds: str) -> Callable[[], Begun]:
    """A reader of text, whose documented errors are fine."""

    def once(content: bytes) -> None:
        try:
            read(content.decode("utf-8", "replace"))
        except EXPECTED as problem:
            assert str(problem) or isinstance(problem, HTTPException), "an error without words"

    return lambda: (once, [one.encode() for one in seeds])


def protocol_yaml(text: str) -> None:
    path = _folder() / "protocol.yaml"
    path.write_text(text, encoding="utf-8")
    found = read_protocol(path)
    again = protocols.from_data(yaml.safe_load(protocols.to_yaml(found)), "again")
    assert again == found, "the protocol is another one when it is written and read again"


def protocol_text(text: str) -> None:
    found = protocols.from_text(text, "protocol.txt")
    assert protocols.from_text(protocols.to_text(found), "again") == found, (
        "another one when written and read"
    )


def filters(text: str) -> None:
    for model in panosc.MODELS:
        for read in (read_filter, read_where):
            try:
                read(model, text)
            except EXPECTED:
                continue


def markdown(text: str) -> None:
    page = _Page()
    page.feed(str(marked_down(text)))
    page.close()


class _Page(HTMLParser):
    """Refuses what a page may not hold of a text of strangers."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "form",
            "svg",
            "link",
            "meta",
            "base",
        }, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("href", "src"):
                scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", value or "", re.IGNORECASE)
                assert scheme is None or scheme[1].lower() in ("http", "https", "mailto"), value


def unit(text: str) -> None:
    for kind in ("m", "keV", "deg", "s", "B"):
        try:
            value = units.parse(text, kind)
        except EXPECTED:
            continue
        assert isinstance(value, float)
        units.show(value, kind)


def cursor(text: str) -> None:
    found = read_cursor(text)
    assert read_cursor(str(found)) == found or found != found


def ranges(text: str) -> None:
    for key in ("energy_kev", "voxel_m", "created"):
        try:
            read_range(key, text)
        except EXPECTED:
            continue


def range_header(text: str) -> None:
    headers = [(b"range", text.encode("latin-1", "replace"))]
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})
    for size in (0, 1, 1000):
        try:
            wanted = wanted_range(request, size, '"tag"')
        except HTTPException as problem:
            assert problem.status_code == 416
            continue
        assert wanted is None or 0 <= wanted[0] < wanted[1] <= size, wanted


def tus(text: str) -> None:
    headers = [(b"upload-length", text.encode("latin-1", "replace"))]
    request = Request(
        {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    )
    for read in (
        uploads._metadata,
        uploads._checksum,
        lambda _text: uploads._number(request, "upload-length"),
    ):
        try:
            read(text)
        except HTTPException as problem:
            assert 400 <= problem.status_code < 500


def archives(text: str) -> None:
    """Names and contents of any kind, in archives that Python's own readers unpack."""
    names = list(
        dict.fromkeys(one.strip("/") for one in text.split("\n") if one.strip("/") and "\0" not in one)
    )
    held_ones = [held(name, name.encode()) for name in names[:20]]
    for kind in ("zip", "tar"):
        made = archive_held(held_ones, datetime(2026, 11, 1, tzinfo=UTC), kind)  # type: ignore[arg-type]
        content = b"".join(made.table.read())
        if kind == "zip":
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                assert packed.testzip() is None
                assert [packed.read(one) for one in packed.namelist()] == [one.encode() for one in names[:20]]
        else:
            with tarfile.open(fileobj=io.BytesIO(content)) as tape:
                found = [tape.extractfile(one) for one in tape.getmembers()]
                assert [one.read() for one in found if one] == [one.encode() for one in names[:20]]


def words(text: str) -> None:
    terms = read_terms(text)
    for start, stop in mark(text, terms):
        assert 0 <= start <= stop <= len(text)
    snippet(text, terms)


def begin_search() -> Begun:
    catalogue = open_catalogue(_folder() / "catalogue.sqlite")

    def read(text: str) -> None:
        search(catalogue, Reader("", "visitor"), text)

    return of_text(read, "tooth", '"human molar" -bone', "paganin*", "größe OR µm", "title:sand (a b)")()


def crate(text: str) -> None:
    record = ro_crate.read(text)
    assert ro_crate.read(ro_crate.export(record)).id == record.id


def links(text: str) -> None:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(told, dict):
        link_of(told)


def tables(text: str) -> None:
    for ending in ("csv", "json"):
        path = _folder() / f"table.{ending}"
        path.write_text(text, encoding="utf-8")
        try:
            read_table(path)
        except EXPECTED:
            continue


def selections(text: str) -> None:
    class Node:
        shape, ndim, dtype, name = (5, 6, 7), 3, "<u2", "/data"

    read_selection(Node(), text)  # type: ignore[arg-type]


def form(text: str) -> None:
    changes_of(dict(parse_qsl(text)))


_FOLDERS: list[Path] = []


def _folder() -> Path:
    if not _FOLDERS:
        _FOLDERS.append(Path(mkdtemp(prefix="tomarium-fuzz-")))
    return _FOLDERS[0]


_FILTER: Final = (
    '{"where": {"and": [{"title": {"like": "tooth"}}, {"or": [{"isPublic": true}, {"size": {"between": [1, 2]}}]}]},'
    ' "include": [{"relation": "parameters", "scope": {"where": {"and": [{"name": "photon_energy"},'
    ' {"value": {"gt": 20}}, {"unit": "keV"}]}}}], "limit": 5, "skip": 1, "order": "title ASC"}'
)
_LINK: Final = (
    '{"from": "a#0", "to": "b#1", "kind": "rigid", "matrix": [[1,0,0,0],[0,1,0,0],[0,0,1,0]],'
    ' "covariance": [[1,0],[0,1]], "landmarks": [{"from": [1,2,3], "to": [1,2,3]}]}'
)

BEGIN: Final[dict[str, Callable[[], Begun]]] = {
    "protocol-yaml": of_text(
        protocol_yaml,
        protocols.to_yaml(protocols.default_protocol()),
        "steps:\n- flat_field\n- paganin: {delta_beta: 50, energy_kev: 20 keV}\n- fbp: {window: hann}\n",
    ),
    "protocol-txt": of_text(
        protocol_text, protocols.to_text(protocols.default_protocol()), "fbp --window hann --cutoff 0.8 # so\n"
    ),
    "instructions": of_text(
        lambda text: read_instructions(text, "protocol.txt"),
        "python ~/Python/paganin.py XXX -m 50\npython launch_reconstruction.py XXX -r True\n",
    ),
    "panosc-filter": of_text(filters, _FILTER, '{"title": {"regexp": "a+"}}', '{"where": {"pid": {"inq": ["a"]}}}'),
    "tus-headers": of_text(tus, "filename c2Nhbi5oNQ==,type YQ==", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "12"),
    "range-header": of_text(range_header, "bytes=0-5", "bytes=-5", "bytes = 7-", "bytes=1-2,4-5"),
    "archives": of_text(archives, "a.txt\nb/c.txt", "größe/µm\n" + "x" * 120, "a/" * 90 + "b"),
    "markdown": of_text(
        markdown,
        "# A\n\n[a](https://b.org) ![c](d.png) `e` **f**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> g\n\n1. h\n   - i\n",
        '<b onclick="x">a</b> [x](javascript:alert(1)) <http://a.b> [y][z]\n\n[z]: data:text/html,x "t"\n',
    ),
    "page-text": of_text(
        lambda text: [read_page_text(kind, text) for kind in ("pages", "news")],
        "---\ntitle: A\ndate: 2026-11-29\n---\nText\n",
    ),
    "units": of_text(unit, "0.65 um", "20 keV", "180 deg", "1e-3 mm", "3 µm", "1.5 GiB", "-2 m", "1/2 s"),
    "cursor": of_text(cursor, "bj4yYSAweDAuMHArMCAw", "cjwxIDB4MS44cCsxIDM"),
    "ranges": of_text(ranges, "10 keV..20 keV", "..3 um", "2026-01-01..", ">= 5", "7"),
    "search-words": of_text(words, "tooth größe", '"human molar" -bone', "Zahn* OR µm " * 5),
    "search": begin_search,
    "oai": of_text(
        lambda text: read_arguments(parse_qsl(text, keep_blank_values=True)),
        "verb=ListRecords&metadataPrefix=oai_dc&from=2026-01-01&set=a", "verb=ListRecords&resumptionToken=abc",
    ),
    "crate": of_text(
        crate,
        '{"@context": "https://w3id.org/ro/crate/1.2/context", "@graph": [{"@id": "ro-crate-metadata.json", "@type":'
        ' "CreativeWork", "about": {"@id": "./"}}, {"@id": "./", "@type": "Dataset", "name": "a", "identifier": "a",'
        ' "dateCreated": "2026-11-01T00:00:00+00:00", "hasPart": []}]}',
    ),
    "publications": of_text(
        read_works,
        "@article{a, title={A {B}}, author={Müller, A. and Zahn, B.}, year=2026, doi={10.1/x}}",
        "TY  - JOUR\nTI  - A\nAU  - B, C\nPY  - 2026\nER  - \n", '[{"title": "A", "DOI": "10.1/x"}]',
    ),
    "links": of_text(links, _LINK),
    "tables": of_text(tables, "name,value,unit\nenergy,20,keV\npixel,0.65,um\n", '{"energy": "20 keV", "n": [1, 2]}'),
    "selections": of_text(selections, "3,:,10:20", ":,:,:", "0,1,2", "1:5:2,:,-1"),
    "forms": of_text(form, "title=a&keywords=b%2Cc&energy_kev=20+keV&creators=A%3B+B&licence=CC-BY-4.0"),
}  # fmt: skip
