"""Write the open part of a catalogue as a site of files."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, relpath
from typing import Any, Final
from urllib.parse import quote

from tomarium import __version__
from tomarium.catalogue import Catalogue, read_record
from tomarium.catalogue.checksums import MANIFEST, read_manifest
from tomarium.catalogue.entities import entities_of_kind, with_current_entities
from tomarium.catalogue.queries import count_states, place_of
from tomarium.catalogue.reader import OPEN_ONLY
from tomarium.catalogue.settings import all_settings
from tomarium.errors import FormatError, InputError
from tomarium.model import Record
from tomarium.model.entity import KINDS
from tomarium.model.level import LEVELS
from tomarium.model.page_text import FACTS
from tomarium.portal.built import built
from tomarium.portal.languages import ENGLISH, LANGUAGES, without_language
from tomarium.portal.pages.texts import ELSEWHERE
from tomarium.portal.site import search_index
from tomarium.portal.site.asking import HOST, Portal
from tomarium.portal.site.places import LISTS, TRANSLATED, Files, Places
from tomarium.portal.site.rewriting import json_text, rewrite_json, rewrite_page
from tomarium.portal.site.writing import Target
from tomarium.portal.texts import shown_texts
from tomarium.viewers.volume import volume_path

LIMIT: Final = 200
"""Records on a page of the list."""
INDEX: Final = "search-index.js"
STATIC: Final = Path(__file__).parents[1] / "static"
NO_SCRIPT: Final = (
    '<noscript><p class="quiet">The search needs JavaScript; '
    "without it all records are listed.</p></noscript>\n"
)


@dataclass
class Built:
    """What was written.

    Attributes
    ----------
    records, pages : int
        Open records, and HTML pages of all kinds.
    written, kept, removed, bytes : int
        Files written, found as they were, and removed because they are no longer part of it; the size of all.
    embargoed, unpublished : int
        Records left out: under embargo; drafts and what is in review.
    search : bool
        Whether it has a search; without the scripts that `make web` builds it has none.
    problems : list of str
        What could not be written, and why.
    """

    records: int = 0
    pages: int = 0
    written: int = 0
    kept: int = 0
    removed: int = 0
    bytes: int = 0
    embargoed: int = 0
    unpublished: int = 0
    search: bool = False
    problems: list[str] = field(default_factory=list)


def build_site(
    catalogue: Catalogue,
    out: Path,
    *,
    files: Files = "previews",
    level: int = 2,
    address: str = "",
    progress: Callable[[int, int], None] = lambda done, known: None,
) -> Built:
    """Write the records of a catalogue whose files are open to everybody, with all their pages, as files.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    out : Path
        Folder: new, empty, or a site written before, of which only what changed is written again.
    files : str
        "none": pages and metadata; "previews": also pictures and the small volume of the 3-D look; "all": also the
        files of the records.
    level : int
        With "all": finest level of volumes, 0 for full resolution; a volume with fewer gives its coarsest.
    address : str
        Where the site will be, "https://example.org/tomograms/"; without it there is neither feed nor sitemap.
    progress : callable
        `progress(done, known)`: pages written, and known so far.

    Returns
    -------
    Built
        Counts, and what could not be written.

    Raises
    ------
    InputError
        `out` holds something else; `level` is negative; `address` is none.
    """
    if level < 0:
        raise InputError(f"--level {level} is no level; 0 is full resolution, 1 half of it, and so on")
    if address and not re.fullmatch(r"https?://[^\s?#]+", address):
        raise InputError(
            f"--address {address!r} is no address; give it whole: https://example.org/tomograms/"
        )
    target = Target(out)
    with Portal(catalogue) as portal:
        site = _Site(catalogue, portal, target, files, level, address and address.rstrip("/") + "/", progress)
        return site.build()


class _Site:
    """One run: a queue of pages, each of which names further ones."""

    def __init__(
        self,
        catalogue: Catalogue,
        portal: Portal,
        target: Target,
        files: Files,
        level: int,
        address: str,
        progress: Callable[[int, int], None],
    ) -> None:
        self.catalogue, self.portal, self.target, self.level = catalogue, portal, target, level
        self.address, self.progress = address, progress
        self.told = Built(search=built("site-search") is not None)
        self.folders: dict[str, Path] = {}
        self.records: dict[str, Record] = {}
        self.failed: set[str] = set()
        with catalogue.reading() as connection:
            settings = all_settings(connection)
            entities = {
                kind: frozenset(
                    held_entity.entity.id
                    for held_entity in entities_of_kind(connection, OPEN_ONLY, kind, 10**6)
                )
                for kind in KINDS
            }
            texts = {
                shown_text.name: ":::" in shown_text.text.body
                for kind in FACTS
                for shown_text in shown_texts(connection, OPEN_ONLY, kind, ENGLISH)
                if kind != "pages" or shown_text.slug not in ELSEWHERE
            }
        homes = filter(None, (settings["address"].rstrip("/"), f"http://{HOST}"))
        self.whole = re.compile(rf"(?:{'|'.join(map(re.escape, homes))})(?=[/\s\"'<>)]|$)([^\s\"'<>)\\]*)")
        lists = self._lists()
        inside = {id: str(volume_path(record)) for id, record in self.records.items() if volume_path(record)}
        volumes = {
            id: (path, f"files/{path}" if not level else f"volume-level-{level}.ome.zarr")
            for id, path in inside.items()
        }
        self.places = Places(
            records=self.records,
            entities=entities,
            lists=lists,
            files=files,
            volumes=volumes,
            whole=level == 0 and files == "all",
            feeds=bool(address),
            logo=settings["logo"].rpartition(".")[2],
            texts=texts,
        )
        self.queue: deque[tuple[str, str]] = deque()
        self.known: set[str] = set()

    def build(self) -> Built:
        """Write all files of the site."""
        for place in ("/", "/about", "/glossary", *(f"/{name}" for name in sorted(LISTS))):
            self._page(f"/{name}" if (name := place[1:]) else "/", self._place(place))
        for path in ("", *sorted(TRANSLATED), *self.places.texts):
            for language in LANGUAGES:
                address_asked = f"/{path}" if language == ENGLISH else f"/{language}/{path}"
                self._page(address_asked, self._place(address_asked))
        for address_asked, path in self.places.lists.items():
            if "limit=" in address_asked:
                self._page(address_asked, path)
        for id in self.records:
            self._page(f"/records/{quote(id)}", f"records/{id}/index.html")
        self._static()
        if self.address:
            for name in ("feed.atom", "sitemap.xml"):
                self.target.write(name, self._absolute(self.portal.ask(f"/{name}").content.decode()).encode())
            for language in LANGUAGES:
                address_asked = f"/news.atom?language={language}"
                feed = self._absolute(self.portal.ask(address_asked).content.decode())
                self.target.write(self._place(address_asked), feed.encode())
        while self.queue:
            self._write(*self.queue.popleft())
            self.progress(len(self.known) - len(self.queue), len(self.known))
        if self.told.search:
            thumbnails = {id: f"records/{id}/files/previews/thumbnail.png" for id in self.records}
            existing = {
                id: path if (self.target.folder / path).is_file() else "" for id, path in thumbnails.items()
            }
            entries = (search_index.entry(record, existing[id]) for id, record in self.records.items())
            self.target.write(INDEX, search_index.script(entries))
        if self.places.files == "all":
            for id, record in self.records.items():
                self._files(id, record)
        self.target.finish(tuple(LISTS))
        built, target = self.told, self.target
        built.records, built.written, built.kept = len(self.records), target.written, target.kept
        built.removed, built.bytes = target.removed, target.bytes
        with self.catalogue.reading() as connection:
            states = count_states(connection)
        built.embargoed = max(0, states.get("published", 0) - built.records)
        built.unpublished = states.get("draft", 0) + states.get("review", 0)
        return built

    def _lists(self) -> dict[str, str]:
        """Follow the list of records to its end; its records are those of the site."""
        places = {"/records": "records/index.html", "/records.json": "records.json"}
        query, number = f"limit={LIMIT}", 1
        while query:
            html, twin = places["/records"], places["/records.json"]
            if number > 1:
                html, twin = f"records/page-{number}.html", f"records/page-{number}.json"
            places[f"/records?{query}"], places[f"/records.json?{query}"] = html, twin
            content = json.loads(self.portal.ask(f"/records.json?{query}").content)
            if content["previous"]:
                before = "records/index.html" if number == 2 else f"records/page-{number - 1}.html"
                places.setdefault(content["previous"], before)
            for hit in content["hits"]:
                self._read(hit["id"])
            query = (content["next"] or "").partition("?")[2]
            number += 1
        return places

    def _read(self, id: str) -> None:
        with self.catalogue.reading() as connection:
            place = place_of(connection, OPEN_ONLY, id)
        if place is None or not place.open:
            return
        try:
            with self.catalogue.reading() as connection:
                self.records[id] = with_current_entities(
                    connection, read_record(place.folder), stale=place.stale
                )
            self.folders[id] = place.folder
        except (OSError, FormatError) as problem:
            self.told.problems.append(f"record {id} was left out: {problem}")

    def _place(self, address: str) -> str:
        path, _, query = address.partition("?")
        place = self.places.of(path, query)
        return place.partition("?")[0] if place else ""

    def _page(self, address: str, path: str) -> None:
        if path not in self.known:
            self.known.add(path)
            self.queue.append((address, path))

    def _write(self, address: str, path: str) -> None:
        answer = self.portal.ask(address)
        if answer.status != 200:
            self.told.problems.append(f"{address}: the portal answered {answer.status}")
            return
        link = self._linker(path)

        def text(words: str) -> str:
            return self._texts(words, path)

        if path.endswith(".json"):
            self.target.write(path, json_text(rewrite_json(json.loads(answer.content), link, text)))
            return
        self.told.pages += 1
        without = () if self.places.whole else ("open",)
        bare = without_language(address.partition("?")[0])[1]
        if bare in ("/", "/records") or (bare.startswith("/pages/") and not self.places.has_levels(bare)):
            without = (*without, "levels")  # lists are there once, as scientists see them
        if not self.places.is_translated(bare):
            without = (*without, "languages")
        page = rewrite_page(answer.content.decode(), link, text, without=without, search=self.told.search)
        if path == "records/index.html" and self.told.search:
            scripts = f'  <script src="../{INDEX}" defer></script>\n'
            scripts += f'  <script src="{link("/static/built/site-search.js")}" defer></script>\n</body>'
            page = page.replace("</body>", scripts)
            page = page.replace('<div class="results">', f'{NO_SCRIPT}<div class="results">')
        self.target.write(path, page.encode())

    def _linker(self, page: str) -> Callable[[str], str | None]:
        level = stem if (stem := Path(page).stem) in LEVELS else ""
        own = "/" + page.removesuffix("index.html").strip("/")

        def link(address: str) -> str | None:
            match = self.whole.fullmatch(address)
            inner = (match[1] or "/") if match else address
            if not inner.startswith("/") or inner.startswith("//"):
                return address
            without_fragment, mark, fragment = inner.partition("#")
            path, _, query = without_fragment.partition("?")
            language, bare = without_language(path)
            if language != ENGLISH and bare == own and not self.places.is_translated(bare):
                return None  # it is there in English alone
            if level and not query and self.places.has_levels(bare):
                query = f"level={level}"  # there are no cookies here
            if not self.portal.knows(path):
                return None if match else address
            place = self.places.of(path, query)
            if place is None:
                return None
            bare, _, kept_query = place.partition("?")
            if not self._has(path, query, bare):
                return None
            relative = quote(relpath(bare, dirname(page) or "."))
            return relative + (f"?{kept_query}" if kept_query else "") + (f"#{fragment}" if mark else "")

        return link

    def _has(self, path: str, query: str, place: str) -> bool:
        """Put a page into the queue, or write what is no page; False where the portal has no such thing."""
        address = f"{path}?{query}" if query else path
        if place.endswith((".html", ".atom", ".xml")) and "/metadata/" not in place:
            if place.endswith(".html"):
                alone = address in self.places.lists or Path(place).stem in LEVELS
                self._page(address if alone else path, place)
            return True
        if place.endswith(".json") and not re.search(r"/(metadata|files|folders|static)/", path):
            self._page(address, place)
            return True
        if path.endswith(".ome.zarr") or "/folders/" in path:
            return True  # written with the files
        if place in self.failed:
            return False
        if self.target.has_now(place):
            return True
        if "/metadata/" in path:
            content = self.portal.ask(address).content.decode()
            self.target.write(place, self._texts(content, place).encode())
            return True
        return self._copy(address, place)

    def _copy(self, address: str, place: str, tag: str = "") -> bool:
        """Write a file as the portal gives it, unless it is there with the tag of its content."""
        match = re.search(r"[?&]v=([\w.]+)", address)
        tag = tag or (f"{__version__}-{match[1]}" if match and "/pictures/" in address else "")
        if self.target.has(place, tag):
            return True
        if not tag:
            head = self.portal.ask(address, method="HEAD")
            tag, size = head.headers.get("etag", ""), head.headers.get("content-length", "")
            if head.status == 200 and size.isdecimal() and self.target.has(place, tag, int(size)):
                return True
        try:
            with self.target.file(place, tag) as write:
                answer = self.portal.ask(address, take=write)
                if answer.status != 200:
                    raise FileNotFoundError(f"the portal answered {answer.status}")
        except FileNotFoundError as problem:
            self.failed.add(place)
            self.told.problems.append(f"{address}: {problem}")
            return False
        return True

    def _static(self) -> None:
        for file in sorted(STATIC.rglob("*")):
            path = file.relative_to(STATIC).as_posix()
            if file.is_file() and (not path.startswith("built/") or path == "built/LICENCES.txt"):
                self.target.write(f"static/{path}", file.read_bytes())

    def _files(self, id: str, record: Record) -> None:
        """Write the files of a record, its volume from a level on."""
        try:
            listed: Mapping[str, str] = read_manifest(self.folders[id] / MANIFEST)
        except (OSError, FormatError):
            listed = {entry.path: entry.sha256 for entry in record.files if not entry.path.endswith("/")}
        inside, written = self.places.volumes.get(id, ("", ""))
        levels: tuple[str, ...] | None = None
        if inside and self.level:
            levels = self._coarse(id, inside, written)
        for path, sha256 in listed.items():
            place = f"records/{id}/files/{path}"
            if inside and path.startswith(f"{inside}/"):
                within = path[len(inside) + 1 :]
                if levels is not None and within.split("/")[0] not in levels:
                    continue
                place = f"records/{id}/{written}/{within}"
            self._copy(f"/records/{quote(id)}/files/{quote(path)}", place, sha256)

    def _coarse(self, id: str, inside: str, written: str) -> tuple[str, ...]:
        """Write the metadata of a volume without its finer levels; return the names of those that stay."""
        answer = self.portal.ask(f"/records/{quote(id)}/files/{quote(inside)}/zarr.json")
        try:
            group = json.loads(answer.content)
            scales: Any = group["attributes"]["ome"]["multiscales"][0]
            first = min(self.level, len(scales["datasets"]) - 1)
            scales["datasets"] = scales["datasets"][first:]
            coarse = tuple(str(dataset["path"]) for dataset in scales["datasets"])
        except (ValueError, KeyError, IndexError, TypeError):
            self.told.problems.append(f"record {id}: its volume is no OME-Zarr 0.5 and was left out")
            return ()
        group.pop("consolidated_metadata", None)
        self.target.write(f"records/{id}/{written}/zarr.json", json_text(group))
        return coarse

    def _texts(self, words: str, page: str) -> str:
        """Replace the whole addresses in a text: by those of the site, or where it has none by relative ones.

        Then what stands in a sentence, as at the end of a citation, is left out.
        """
        if self.address:
            return self._absolute(words)
        sentences = page.endswith((".html", ".json")) and "/metadata/" not in page

        def relative(match: re.Match[str]) -> str:
            if sentences and words[: match.start()].endswith(" "):
                return ""
            place = self._place(match[1].partition("#")[0] or "/") or "index.html"
            return relpath(place, dirname(page) or ".").removesuffix("index.html") or "./"

        return self.whole.sub(relative, words)

    def _absolute(self, words: str) -> str:
        def absolute(match: re.Match[str]) -> str:
            return self.address + self._place(match[1].partition("#")[0] or "/").removesuffix("index.html")

        return self.whole.sub(absolute, words)
