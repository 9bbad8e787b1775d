"""Entries of the log book as pages and JSON show them: with addresses of their files and of what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from tomarium.catalogue.log_access import keeps_log, visible_names
from tomarium.catalogue.log_book import may_change_entry
from tomarium.catalogue.log_entry import Entry, Version
from tomarium.catalogue.log_files import LogFile
from tomarium.portal.page import FOR_PEOPLE
from tomarium.portal.request_context import RequestContext

KINDS = {
    "records": "record",
    "proposals": "proposal",
    "specimens": "specimen",
    "instruments": "instrument",
}
"""The word in a subject → the name of its page."""


@dataclass(frozen=True)
class About:
    """What an entry is about: its `subject` ("records/tooth"), its `name`, and the `address` of its page."""

    subject: str
    name: str
    address: str


@dataclass(frozen=True)
class ShownFile:
    """A file of an entry: `name`, `digest` (SHA-256), `bytes`, whether it is a `picture`, and its `address`."""

    name: str
    digest: str
    bytes: int
    picture: bool
    address: str


@dataclass(frozen=True)
class ShownVersion:
    """What an entry said before, as `log_book.Version` tells it; `tags` and `files` among it."""

    when: str
    who: str
    text: str
    machine: bool
    tags: tuple[str, ...]
    files: tuple[ShownFile, ...]


@dataclass(frozen=True)
class ShownEntry:
    """An entry of the log book.

    Attributes
    ----------
    number, who, when, text, machine, written, tags, removed
        As `log_book.Entry` has them.
    address : str
        Of its own page.
    about : About
        Whose log book it stands in.
    links : tuple of About
        What else it is about.
    files : tuple of ShownFile
        Its pictures and files.
    before : tuple of ShownVersion
        What it said before, the oldest first.
    """

    number: int
    address: str
    about: About
    who: str
    when: str
    written: str
    machine: bool
    text: str
    tags: tuple[str, ...]
    links: tuple[About, ...]
    files: tuple[ShownFile, ...]
    removed: str
    before: tuple[ShownVersion, ...]
    may_change: bool = field(metadata=FOR_PEOPLE)


def shown_entries(
    request_context: RequestContext, connection: Connection, entries: Iterable[Entry]
) -> tuple[ShownEntry, ...]:
    """Give entries that the reader may read their addresses.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    connection : Connection
        Of the catalogue.
    entries : iterable of Entry
        As `entries_of` or `find_entries` gave them.

    Returns
    -------
    tuple of ShownEntry
        In this order.
    """
    listed, reader = list(entries), request_context.reader
    subjects = {entry.subject for entry in listed}
    names = visible_names(connection, reader, subjects | {link for entry in listed for link in entry.links})
    is_kept = {subject: bool(keeps_log(connection, reader, subject)) for subject in subjects}
    return tuple(
        ShownEntry(
            number=entry.number,
            address=request_context.link("log_entry", {"number": str(entry.number)}),
            about=about(request_context, entry.subject, names.get(entry.subject, entry.subject)),
            who=entry.who,
            when=entry.when,
            written=entry.written,
            machine=entry.machine,
            text=entry.text,
            tags=entry.tags,
            links=tuple(about(request_context, link, names.get(link, link)) for link in entry.links),
            files=_files(request_context, entry.number, entry.files),
            removed=entry.removed,
            before=tuple(_version(request_context, entry.number, version) for version in entry.before),
            may_change=is_kept[entry.subject] and not entry.removed and may_change_entry(reader, entry),
        )
        for entry in listed
    )


def about(request_context: RequestContext, subject: str, name: str) -> About:
    """Give what an entry is about its address."""
    plural, _, id = subject.partition("/")
    return About(subject, name, request_context.link(KINDS[plural], {"id": id}))


def _version(request_context: RequestContext, number: int, version: Version) -> ShownVersion:
    files = _files(request_context, number, version.files)
    return ShownVersion(version.when, version.who, version.text, version.machine, version.tags, files)


def files_at(
    request_context: RequestContext, name: str, parts: Mapping[str, str], files: Sequence[LogFile]
) -> tuple[ShownFile, ...]:
    """Give files their addresses; `name` is that of the route, `parts` what it needs but the digest."""
    return tuple(
        ShownFile(
            file.name,
            file.digest,
            file.bytes,
            file.is_picture,
            request_context.link(name, {**parts, "digest": file.digest}),
        )
        for file in files
    )


def _files(request_context: RequestContext, number: int, files: Sequence[LogFile]) -> tuple[ShownFile, ...]:
    return files_at(request_context, "log_entry.file", {"number": str(number)}, files)
