"""What every page has at hand: the catalogue, the records, and addresses built by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import Depends, HTTPException, Request

from tomarium.catalogue import ANYBODY, Catalogue, Reader, read_record
from tomarium.catalogue.entities import entities_of_record, telling
from tomarium.catalogue.queries import Place, place_of
from tomarium.catalogue.record_folder import folders_told
from tomarium.catalogue.settings import all_settings
from tomarium.errors import FormatError
from tomarium.model import Record
from tomarium.model.entity import KINDS
from tomarium.model.sentence import Day, Sentence
from tomarium.portal import refusals
from tomarium.portal.identity import demand_valid
from tomarium.portal.languages import ENGLISH, language_of, root_of
from tomarium.portal.routes import is_for_people, path_of
from tomarium.standards.ro_crate import FILENAME


@dataclass(frozen=True)
class RequestContext:
    """One request's view of the house.

    Attributes
    ----------
    catalogue : Catalogue
        Open.
    request : Request
        As it came.
    reader : Reader
        Who asks.
    """

    catalogue: Catalogue
    request: Request
    reader: Reader

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """The settings of the catalogue."""
        with self.catalogue.reading() as connection:
            return all_settings(connection)

    @cached_property
    def origin(self) -> str:
        """Scheme and host of this portal: of the setting `address`, or else of this request."""
        if home := self.settings["address"]:
            return "{0.scheme}://{0.netloc}".format(urlsplit(home))
        return str(self.request.base_url.replace(path="")).rstrip("/")

    @property
    def anybody(self) -> Reader:
        """As whom a list is read that is the same for all; who makes a copy for others knows only what is open."""
        return self.reader if self.reader.open_only else ANYBODY

    @property
    def language(self) -> str:
        """Language in which pages are shown, as the address says."""
        return language_of(self.request)

    def link(
        self, name: str, parts: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> str:
        """Build an address by the name of its route.

        Pages and forms are in the language of the request; files, pictures and metadata have one address.

        Parameters
        ----------
        name : str
            Name of a page or of another route.
        parts : Mapping of str to str, optional
            Parameters in the path.
        query : Mapping of str to str, optional
            What stands behind the question mark; empty texts are left out.

        Returns
        -------
        str
            Path and query, without scheme and host.
        """
        app = self.request.app
        language = self.language if is_for_people(app, name) else ENGLISH
        path = root_of(self.request, language) + path_of(app, name, parts or {})
        query_set = {key: text for key, text in (query or {}).items() if text}
        return f"{path}?{urlencode(query_set)}" if query_set else path

    def page_of(self, subject: str) -> str:
        """Return the page of what a DOI or a line of the log names.

        Parameters
        ----------
        subject : str
            "tooth" is a record, "specimens/heart-27" a specimen.

        Returns
        -------
        str
            Path without scheme and host.
        """
        plural, _, id = subject.rpartition("/")
        name = next((name for name, kind in KINDS.items() if kind.plural == plural), "record")
        return self.link(name, {"id": id})

    def inner(self, path: str) -> str:
        """Put a path that somebody wrote, "/records?q=tooth", below this application, in the language of the request.

        Parameters
        ----------
        path : str
            Begins with "/" and names no language; a picture, a feed or JSON has none.

        Returns
        -------
        str
            Path without scheme and host.
        """
        ending = path.partition("?")[0].rpartition("/")[2].rpartition(".")[2]
        bare = path.startswith("/static/") or ending in ("json", "atom", "ics", "xml", "png", "zip", "csv")
        return root_of(self.request, ENGLISH if bare else self.language) + path

    def address(self, name: str, parts: Mapping[str, str] | None = None) -> str:
        """Build a whole address by the name of its route, for what is copied elsewhere; it names no language.

        Parameters
        ----------
        name : str
            Name of a page or of another route.
        parts : Mapping of str to str, optional
            Parameters in the path.

        Returns
        -------
        str
            With scheme and host: those of the setting `address`, or else those of this request.
        """
        if home := self.settings["address"]:
            return home + path_of(self.request.app, name, parts or {})
        return self.origin + root_of(self.request) + path_of(self.request.app, name, parts or {})

    def record(self, id: str) -> tuple[Record, Path]:
        """Find a record whose files the reader may have, and its folder.

        Parameters
        ----------
        id : str
            Identifier from the address; any text.

        Returns
        -------
        tuple of Record and Path
            As its folder says now.

        Raises
        ------
        HTTPException
            404: no such record that the reader may see. 403: its files are not open. 503: its folder is gone or
            damaged.
        """
        record, place = self.opened(id)
        return record, place.folder

    def opened(self, id: str) -> tuple[Record, Place]:
        """Find a record whose files the reader may have, and its place; raises as `record` does."""
        record, place = self.seen(id)
        if not place.open:
            raise HTTPException(403, closed(record))
        return record, place

    def seen(self, id: str) -> tuple[Record, Place]:
        """Find a record whose metadata the reader may have.

        Parameters
        ----------
        id : str
            Identifier from the address; any text.

        Returns
        -------
        tuple of Record and Place
            As its folder says now; whether its files are open to the reader is `open` of its place.

        Raises
        ------
        HTTPException
            404: no such record that the reader may see. 503: its folder is gone or damaged.
        """
        with self.catalogue.reading() as connection:
            place = place_of(connection, self.reader, id)
            entities = entities_of_record(connection, id) if place is not None and place.stale else ()
        if place is None:
            raise HTTPException(404, Sentence(refusals.NO_RECORD, id=id[:80]))
        try:
            record = read_at(place)
            return (telling(record, entities) if place.stale else record), place
        except (OSError, FormatError) as problem:
            raise HTTPException(503, refusals.UNREADABLE) from problem

    def folders_told(self, folder: Path) -> re.Pattern[str]:
        """Describe the folders of a machine that a record's files tell and that nobody else is told.

        Parameters
        ----------
        folder : Path
            Of a record, as `record` gives it.

        Returns
        -------
        re.Pattern
            For `without_folders`.
        """
        state = (folder / FILENAME).stat()
        return _folders(folder, state.st_mtime_ns, state.st_size)


def closed(record: Record) -> str:
    """Say why the files of a record are not open.

    Parameters
    ----------
    record : Record
        One that was published.

    Returns
    -------
    str
        A sentence for people.
    """
    publication = record.publication
    if publication is not None and publication.withdrawn:
        when, reason = Day(publication.withdrawn), publication.reason.rstrip(".")
        if not reason:
            return Sentence(refusals.WITHDRAWN, day=when)
        return Sentence(refusals.WITHDRAWN_FOR, day=when, reason=reason)
    if publication is not None:
        return Sentence(refusals.OPENS_LATER, day=Day(publication.open_from))
    return refusals.NOT_OPEN


def without_content(record: Record) -> Record:
    """Leave out what a record tells of the grey values in its files.

    Parameters
    ----------
    record : Record
        One whose files are not open.

    Returns
    -------
    Record
        Sizes and units are kept; histograms, limits and means are not.
    """
    open_keys = ("path", "shape", "dtype", "voxel_m", "unit")
    parts = tuple(
        replace(part, summary={key: part.summary[key] for key in open_keys if key in part.summary})
        for part in record.parts
    )
    return replace(record, parts=parts)


def read_at(place: Place) -> Record:
    """Read a record as its folder says; OSError or FormatError where it cannot be read."""
    state = (place.folder / FILENAME).stat()
    return _read(place.folder, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _folders(folder: Path, _changed_ns: int, _bytes: int) -> re.Pattern[str]:
    return folders_told(folder)


@lru_cache(maxsize=64)
def _read(folder: Path, _changed_ns: int, _bytes: int) -> Record:
    return read_record(folder)


def context_of(request: Request) -> RequestContext:
    """Make the context of a request.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    RequestContext
        Its reader is whom the application takes the request for.
    """
    return RequestContext(request.app.state.catalogue, request, request.app.state.reader_of(request))


def _context(request: Request) -> RequestContext:
    demand_valid(request)
    return context_of(request)


CurrentRequest = Annotated[RequestContext, Depends(_context)]
