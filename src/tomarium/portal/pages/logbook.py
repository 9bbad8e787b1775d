"""The log book: all entries that the reader may read, the newest first, and one of them with all of its versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from fastapi import HTTPException, Query, Request

from tomarium.catalogue.log_access import keeps_log, subjects_of_keeper, visible_names
from tomarium.catalogue.log_book import entry_numbered
from tomarium.catalogue.log_find import find_entries, last_change
from tomarium.errors import ParameterError
from tomarium.portal.identity import identify
from tomarium.portal.log_shown import About, ShownEntry, about, shown_entries
from tomarium.portal.logbook import RequestedEntries
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest

SHOWN: Final = 50
FOLDED_FROM: Final = 3
"""So many entries of programs, one after the other, are folded into one line."""


@dataclass(frozen=True)
class Group:
    """Entries that stand together: one, or several of programs that are `folded`, from `first` to `last` (ISO 8601)."""

    folded: bool
    entries: tuple[ShownEntry, ...]
    first: str = ""
    last: str = ""


@dataclass(frozen=True)
class LogbookPage:
    """Content of the list.

    Attributes
    ----------
    title : str
        Of the page.
    entries : tuple of ShownEntry
        At most 50, the newest first.
    about : About or None
        Whose entries alone they are; None for all.
    older : str
        Address of the entries before these; "" where there are none.
    asked : dict of str to str
        The filters.
    groups : tuple of Group
        The same entries, those of programs folded.
    subjects : tuple of (str, str)
        What the reader may write about.
    writes : bool
        Whether the reader may write here.
    exports : tuple of (str, str)
        Words and addresses: the same entries for other programs.
    events : str
        Address that tells when there is something new.
    unfolded : str
        Address of the page with nothing folded.
    """

    title: str
    entries: tuple[ShownEntry, ...]
    about: About | None
    older: str
    asked: dict[str, str] = field(metadata=FOR_PEOPLE)
    groups: tuple[Group, ...] = field(metadata=FOR_PEOPLE)
    subjects: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    writes: bool = field(metadata=FOR_PEOPLE)
    exports: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    events: str = field(metadata=FOR_PEOPLE)
    unfolded: str = field(metadata=FOR_PEOPLE)
    tags: tuple[str, ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    filters: RequestedEntries,
    request: Request,
    after: Annotated[str, Query(max_length=200, description="Where the page before ended")] = "",
    fold: Annotated[
        Literal["yes", "no"], Query(description="Whether entries of programs are folded")
    ] = "yes",
) -> LogbookPage:
    """List the entries of the log book that the reader may read: by words, author, day, tag, people or programs."""
    texts = {name: request.query_params.get(name, "") for name in ("q", "who", "by", "tag", "since", "until")}
    with request_context.catalogue.reading() as connection:
        reader = request_context.reader
        seen = last_change(connection, reader, filters)
        try:
            stored, beyond = find_entries(connection, reader, filters, after=after, limit=SHOWN)
        except ParameterError as problem:
            raise HTTPException(400, f"{problem}.") from problem
        entries = shown_entries(request_context, connection, stored)
        named = visible_names(connection, reader, [filters.about]) if filters.about else {}
        if filters.about and filters.about not in named:
            raise HTTPException(404, f"There is no “{filters.about[:100]}” in this catalogue.")
        signed_in = identify(request_context.request).way != "nobody"
        subjects = subjects_of_keeper(connection, reader) if signed_in and not filters.about else {}
        may_write = bool(subjects) or (
            signed_in and filters.about and bool(keeps_log(connection, reader, filters.about))
        )
    query = {**texts, "about": filters.about}
    return LogbookPage(
        title=f"Log book of {named[filters.about]}" if filters.about else "Log book",
        entries=entries,
        about=about(request_context, filters.about, named[filters.about]) if filters.about else None,
        older=request_context.link("logbook", query={**query, "after": beyond}) if beyond else "",
        asked=query,
        groups=tuple(_grouped(entries, folds=fold == "yes" and filters.by != "machine")),
        subjects=tuple(subjects.items()),
        writes=bool(may_write),
        exports=tuple(
            (words, request_context.link(name, query=query))
            for words, name in (("Markdown", "log.markdown"), ("RO-Crate (zip)", "log.crate"))
        ),
        events="" if after else request_context.link("log.events", query={**query, "seen": seen}),
        unfolded=request_context.link("logbook", query={**query, "fold": "no"}) if fold == "yes" else "",
        tags=tuple(sorted({tag for entry in entries for tag in entry.tags})),
    )


def _grouped(entries: Sequence[ShownEntry], *, folds: bool) -> list[Group]:
    groups: list[Group] = []
    start = 0
    while start < len(entries):
        stop = start + 1
        if folds and entries[start].machine:
            while stop < len(entries) and entries[stop].machine:
                stop += 1
        run = tuple(entries[start:stop])
        if len(run) >= FOLDED_FROM:
            groups.append(Group(True, run, run[-1].written, run[0].written))
        else:
            groups += [Group(False, (entry,)) for entry in run]
        start = stop
    return groups


@dataclass(frozen=True)
class LogEntryPage:
    """Content of the page of one entry.

    Attributes
    ----------
    title : str
        Whose log book, and when.
    entry : ShownEntry
        With all of its versions.
    book : str
        Address of the log book in which it stands.
    links : str
        What else it is about, for the form.
    """

    title: str
    entry: ShownEntry
    book: str = field(metadata=FOR_PEOPLE)
    links: str = field(metadata=FOR_PEOPLE)


def entry_content(request_context: CurrentRequest, number: int) -> LogEntryPage:
    """Show an entry of the log book with what it said before."""
    with request_context.catalogue.reading() as connection:
        stored = entry_numbered(connection, request_context.reader, number) if number < 2**62 else None
        if stored is None:
            raise HTTPException(404, f"There is no entry {number} of the log book that you may read.")
        entry = shown_entries(request_context, connection, [stored])[0]
    return LogEntryPage(
        f"Entry {number} of the log book of {entry.about.name}",
        entry,
        request_context.link("logbook", query={"about": entry.about.subject}),
        " ".join(link.subject for link in entry.links),
    )


def _is_shown(request: Request) -> bool:
    """Tell whether who asks has an account: log books are those of people who work here."""
    return identify(request).reader.role != "visitor"


LOGBOOK = Page(
    "logbook", "/logbook", "/logbook.json", "logbook.html", content, "Log book", 30, _is_shown, own=True
)
ENTRY = Page(
    "log_entry", "/logbook/{number:int}", "/logbook/{number:int}.json", "log_entry.html", entry_content
)
