"""Where a site of files has what the portal has at an address."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

from tomarium.model.entity import KINDS
from tomarium.model.level import DEFAULT, LEVELS
from tomarium.portal.languages import ENGLISH, LANGUAGES, without_language
from tomarium.registry import collect
from tomarium.standards.standard import Standard

Files = Literal["none", "previews", "all"]
LISTS: Final = frozenset(kind.plural for kind in KINDS.values())
WITHOUT_PORTAL: Final = frozenset(
    ("volume", "model", "site-search", "make-a-slice", "hdf5-file", "hdf5-worker", "LICENCES")
)
"""Built scripts that need nothing but files."""
RECORD: Final = re.compile(r"/records/([^/]+)")
METADATA: Final = re.compile(r"/records/([^/]+)/metadata/([\w-]+)")
PICTURE: Final = re.compile(r"/records/([^/]+)/pictures/(\w+)/([\w.-]+\.(?:png|webp|u8))")
SLICE: Final = re.compile(r"/records/([^/]+)/(make-a-slice|worksheet)(\.json)?")
TRANSLATED: Final = frozenset(("pages", "news", "events", "publications"))
"""Lists of what people wrote for the portal."""
FEEDS: Final = frozenset(("/news.atom",))
"""Feeds that are there in each language."""
LEVELED: Final = re.compile(r"/(?:glossary|(?:records|documents)/[\w.-]*(?<!\.json)|records/[^/]+/worksheet)")
"""Pages that show something else to pupils, students and scientists."""
HDF5: Final = re.compile(r"/records/([^/]+)/hdf5/(.+?)(\.json)?")
FILE: Final = re.compile(r"/records/([^/]+)/(files|folders)/(.+)")


def level_in(query: str) -> str:
    """Return the level that an address names and nothing else; "" where it does not."""
    values = dict(parse_qsl(query))
    level = values.pop("level", "")
    return level if level in LEVELS and not values else ""


@dataclass(frozen=True)
class Places:
    """What a site has.

    Attributes
    ----------
    records : collection of str
        Identifiers of the records.
    entities : Mapping of str to collection of str
        Kind → identifiers of specimens, proposals and the like.
    lists : Mapping of str to str
        Address of a page of the list of records, and of its JSON → path in the site.
    files : str
        "none": no files and no pictures; "previews": pictures; "all": all files.
    volumes : Mapping of str to tuple of str
        Identifier → path of the volume's folder in the record and in the site; what "all" leaves out is not there.
    whole : bool
        Whether volumes are there in full resolution.
    feeds : bool
        Whether there is a feed and a sitemap, which need the address of the site.
    logo : str
        Ending of the logo's name; "" where there is none.
    texts : Mapping of str to bool
        Pages of text, news and events, "pages/faq" → whether they have parts for pupils, students or scientists.
    """

    records: Collection[str]
    entities: Mapping[str, Collection[str]]
    lists: Mapping[str, str]
    files: Files
    volumes: Mapping[str, tuple[str, str]]
    whole: bool
    feeds: bool
    logo: str
    texts: Mapping[str, bool]

    def of(self, path: str, query: str) -> str | None:
        """Tell where the site has what is at an address of the portal.

        Parameters
        ----------
        path, query : str
            As in the address, without scheme, host and "#".

        Returns
        -------
        str or None
            Path in the site, with a query where a script reads it; None where the site has no such thing.
        """
        path = unquote(path)
        language, bare = without_language(path)
        if language != ENGLISH:
            place = self.of(bare, query)
            return f"{language}/{place}" if place is not None and self.is_translated(bare) else place
        address = f"{path}?{query}" if query else path
        if address in self.lists:
            return self.lists[address]
        if path == "/records" and "after" not in dict(parse_qsl(query)):
            return f"records/index.html?{query}" if query else "records/index.html"
        if path.startswith(("/static/", "/assets/")):
            needs_portal = (
                path.startswith("/static/built/")
                and not path.startswith("/static/built/hdf5-filters/")
                and PurePosixPath(path).stem not in WITHOUT_PORTAL
            )
            return None if needs_portal else path[1:]
        if (
            path in FEEDS
            and self.feeds
            and query in ("", *(f"language={language}" for language in LANGUAGES))
        ):
            feed_language = query.removeprefix("language=") or ENGLISH
            return path[1:] if feed_language == ENGLISH else f"{feed_language}{path}"
        if self.has_levels(path) and (level := level_in(query)):
            place = self.of(path, "")
            return (
                place
                if place is None or level == DEFAULT
                else f"{place.removesuffix('index.html')}{level}.html"
            )
        if query and not PICTURE.fullmatch(path):
            return None
        return self._fixed(path) or self._entity(path) or self._of_record(path, query)

    def is_translated(self, path: str) -> bool:
        """Tell whether what is at a path is there in each language: what people wrote for the portal, not records."""
        bare = path.removesuffix(".json").strip("/")
        return path in ("/", "/index.json") or bare in TRANSLATED or bare in self.texts

    def has_levels(self, path: str) -> bool:
        """Tell whether the site has a page once for pupils, students and scientists."""
        return bool(LEVELED.fullmatch(path)) or self.texts.get(path.strip("/"), False)

    def _fixed(self, path: str) -> str | None:
        places = {"/": "index.html", "/index.json": "index.json", "/about": "about/index.html"}
        places |= {
            "/about.json": "about.json",
            "/glossary": "glossary/index.html",
            "/glossary.json": "glossary.json",
        }
        name = path.removesuffix(".json").strip("/")
        if name in TRANSLATED or name in self.texts:
            return f"{name}.json" if path.endswith(".json") else f"{name}/index.html"
        if self.logo:
            places["/logo"] = f"logo.{self.logo}"
        if self.feeds:
            places |= {"/feed.atom": "feed.atom", "/sitemap.xml": "sitemap.xml"}
        return places.get(path)

    def _entity(self, path: str) -> str | None:
        plural, _, id = path[1:].partition("/")
        bare = plural.removesuffix(".json")
        if not id:
            return None if bare not in LISTS else f"{bare}.json" if plural != bare else f"{bare}/index.html"
        kind = next((kind.name for kind in KINDS.values() if kind.plural == plural), "")
        if id.removesuffix(".json") not in self.entities.get(kind, ()):
            return None
        return f"{plural}/{id}" if id.endswith(".json") else f"{plural}/{id}/index.html"

    def _of_record(self, path: str, query: str) -> str | None:
        match = RECORD.match(path)
        if match is None:
            return None
        id = match[1]
        if RECORD.fullmatch(path) and id in self.records:
            return f"records/{id}/index.html"
        if RECORD.fullmatch(path) and id.endswith(".json") and id.removesuffix(".json") in self.records:
            return f"records/{id}"
        if id not in self.records:
            return None
        if standard := METADATA.fullmatch(path):
            standard_found = collect("standards", Standard).get(standard[2])
            return (
                f"records/{id}/metadata/{standard_found.name}{PurePosixPath(standard_found.filename).suffix}"
                if standard_found
                else None
            )
        if picture := PICTURE.fullmatch(path):
            values = dict(parse_qsl(query))
            shown = self.files != "none" and not set(values) - {"v"} and "INDEX" not in path
            return f"records/{id}/pictures/{picture[2]}/{picture[3]}" if shown else None
        if page := SLICE.fullmatch(path):
            place = f"records/{id}/{page[2]}"
            return None if self.files == "none" else f"{place}.json" if page[3] else f"{place}/index.html"
        if (inside := HDF5.fullmatch(path)) and not query:
            has_page = self.files == "all" and not inside[3] and bool(self._file(id, "files", inside[2]))
            return f"records/{id}/hdf5/{inside[2]}/index.html" if has_page else None
        if file := FILE.fullmatch(path):
            return self._file(id, file[2], file[3])
        return None

    def _file(self, id: str, door: str, path: str) -> str | None:
        if self.files == "none" or (self.files == "previews" and not path.startswith("previews/")):
            return None
        inside, written = self.volumes.get(id, ("", ""))
        if door == "folders":
            return f"records/{id}/{written}/zarr.json" if inside and path == inside else None
        if inside and path.startswith(f"{inside}/"):
            return f"records/{id}/{written}{path.removeprefix(inside)}" if self.whole else None
        return f"records/{id}/files/{path}"
