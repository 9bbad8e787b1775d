"""The log book of records, proposals, specimens and instruments: what people and programs wrote, in all its versions.

No entry is ever deleted: a correction is a new version, and what is removed leaves a line that says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from tomarium.catalogue import form_words
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.log_access import demand_log, may_read_entry, visible_names
from tomarium.catalogue.log_entry import (
    LONGEST,
    Entry,
    EntryContent,
    Version,
    read_subject,
    read_tags,
    read_text,
)
from tomarium.catalogue.log_files import files_as_data, keep_files, read_files
from tomarium.catalogue.log_tables import log_entries, log_links
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.words import fold
from tomarium.errors import InputError, ParameterError
from tomarium.model.sentence import Sentence

MOST_LINKS: Final = 20


def entries_of(
    connection: Connection, reader: Reader, subject: str, *, most: int = 0, linked: bool = True
) -> tuple[Entry, ...]:
    """List the log book of something, the oldest entry first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks; what this reader may not read is left out.
    subject : str
        "records/tooth", "proposals/hg-123".
    most : int
        Only so many, the newest; 0 for all.
    linked : bool
        Whether entries of other log books that are about it too are among them.

    Returns
    -------
    tuple of Entry
        By the time when they were first written.
    """
    about = log_entries.c.subject == subject
    if linked:
        named = select(log_links.c.entry).where(log_links.c.subject == subject)
        about = or_(about, log_entries.c.number.in_(named))
    query = select(log_entries).where(about, may_read_entry(reader))
    query = query.order_by(log_entries.c.written_utc.desc(), log_entries.c.number.desc())
    rows = connection.execute(query.limit(most) if most else query).all()
    return as_entries(connection, reader, rows[::-1])


def entry_numbered(connection: Connection, reader: Reader, number: int) -> Entry | None:
    """Find an entry that a reader may read by its number; None where there is none."""
    query = select(log_entries).where(log_entries.c.number == number, may_read_entry(reader))
    rows = connection.execute(query).all()
    return as_entries(connection, reader, rows)[0] if rows else None


def write_entry(
    catalogue: Catalogue, reader: Reader, subject: str, said: EntryContent | str, *, machine: bool = False
) -> int:
    """Write into the log book of a record, proposal, specimen or instrument.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who writes; the subject must be this reader's to change.
    subject : str
        "records/tooth", "proposals/hg-123", "specimens/…", "instruments/…".
    said : EntryContent or str
        What is to be remembered.
    machine : bool
        Whether a program writes it, where `said` is a text.

    Returns
    -------
    int
        Number of the entry; of an event that was told before, of the one that tells it.

    Raises
    ------
    InputError
        There is no such subject or link that the reader may see, or the text is empty or too long, or a file too large.
    NotAllowed
        It is not this reader's.
    """
    content = EntryContent(said, machine=machine) if isinstance(said, str) else said
    with catalogue.reading() as connection:  # before any file is kept
        demand_log(connection, reader, subject)
        values = _checked(connection, reader, subject, content)
    values["files"] = files_as_data(keep_files(catalogue.home, content.files))
    with catalogue.writing() as connection:
        demand_log(connection, reader, subject)
        return _insert(connection, subject, {**values, "who": reader.name, "event": content.event})


def note_event(
    connection: Connection, who: str, subject: str, event: str, text: str, links: Sequence[str] = ()
) -> None:
    """Note what a program has done, once: in the transaction in which it was done, and without asking who may.

    Parameters
    ----------
    connection : Connection
        That may write.
    who : str
        Name of the account for which it was done.
    subject : str
        "records/tooth", "proposals/hg-123".
    event : str
        What it is about: the same for the same event, however often it is told.
    text : str
        For people.
    links : sequence of str
        What else it is about, as subjects.
    """
    values = {"text": text[:LONGEST], "tags": "", "links": [link for link in links if link != subject]}
    _insert(connection, subject, {**values, "machine": 1, "files": [], "who": who, "event": event})


def add_entries(
    catalogue: Catalogue,
    reader: Reader,
    subject: str,
    entries: Iterable[tuple[str, str, str, bool] | Version],
) -> int:
    """Put entries that were written elsewhere, as at a beamline, into the log book of something.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who does it; the subject must be this reader's to change.
    subject : str
        "records/tooth", "proposals/hg-123".
    entries : iterable of (str, str, str, bool) or Version
        When (ISO 8601), who and what, and whether a program wrote it, as they stand there; files were kept before.

    Returns
    -------
    int
        How many were not in it yet; those that are, are not written again.

    Raises
    ------
    InputError
        There is no such subject that the reader may see, or an entry is empty or too long or has no time.
    NotAllowed
        It is not this reader's.
    """
    with catalogue.writing() as connection:
        demand_log(connection, reader, subject)
        query = select(log_entries).where(log_entries.c.subject == subject)
        versions = set()
        for row in connection.execute(query).all():
            versions_of_row = [[row.moment_utc, row.who, row.text], *row.before]
            versions |= {(round(moment, 3), who, text) for moment, who, text, *_ in versions_of_row}
        added = 0
        for entry in entries:
            version = entry if isinstance(entry, Version) else Version(*entry)
            try:
                moment = round(datetime.fromisoformat(version.when).timestamp(), 3)
            except ValueError as problem:
                raise InputError(
                    f"{version.when[:40]!r} is no time of an entry; ISO 8601 was expected"
                ) from problem
            text = read_text(version.text, files=bool(version.files))
            if (moment, version.who, text) in versions:
                continue
            versions.add((moment, version.who, text))
            values: dict[str, Any] = {"text": text, "tags": read_tags(version.tags), "links": []}
            values |= {"files": files_as_data(version.files)}
            values |= {"machine": int(version.machine), "who": version.who, "event": ""}
            _insert(connection, subject, values, moment)
            added += 1
    return added


def may_change_entry(reader: Reader, entry: Entry) -> bool:
    """Tell whether a reader who keeps the subject may change an entry: who wrote it, and curators."""
    return _is_own(reader, entry.who)


def change_entry(
    catalogue: Catalogue,
    reader: Reader,
    subject: str,
    number: int,
    said: EntryContent | str,
    *,
    machine: bool = False,
    keep: Sequence[str] | None = None,
) -> None:
    """Change an entry of one's own; what it said before is kept.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who wrote it, or a curator.
    subject : str
        Whose log book it stands in.
    number : int
        Number of the entry.
    said : EntryContent or str
        What it says from now on; of a text alone, tags, links and files stay as they are.
    machine : bool
        Whether a program changes it, where `said` is a text.
    keep : sequence of str, optional
        Checksums of its files that it still has; all by default.

    Raises
    ------
    InputError
        There is no such entry, or it is another's, or it was removed.
    """
    is_content = isinstance(said, EntryContent)
    content = said if isinstance(said, EntryContent) else EntryContent(said, machine=machine)
    with catalogue.reading() as connection:
        row = _own(connection, reader, subject, number)
        stays = [file for file in row.files if keep is None or file["digest"] in keep]
        values = _checked(connection, reader, subject, content, files=bool(stays))
    if not is_content:
        values |= {"tags": row.tags, "links": row.links}
    added = files_as_data(keep_files(catalogue.home, content.files))
    with catalogue.writing() as connection:
        row = _own(connection, reader, subject, number)
        values["files"] = [file for file in row.files if keep is None or file["digest"] in keep] + added
        _replace(connection, row, reader, values)


def remove_entry(catalogue: Catalogue, reader: Reader, subject: str, number: int, reason: str) -> None:
    """Remove an entry of one's own: a line stays that says so; those who may change it still see what it said.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who wrote it, or a curator.
    subject : str
        Whose log book it stands in.
    number : int
        Number of the entry.
    reason : str
        Why; shown in its place.

    Raises
    ------
    InputError
        There is no such entry, it is another's, it was removed before, or no reason is given.
    """
    if not reason.strip() or len(reason) > 500:
        raise ParameterError(Sentence(form_words.WHY_REMOVED))
    with catalogue.writing() as connection:
        row = _own(connection, reader, subject, number)
        values = {"text": "", "tags": "", "links": [], "files": [], "machine": 0}
        _replace(connection, row, reader, values, f"by {reader.name}: {' '.join(reason.split())}")


def as_entries(connection: Connection, reader: Reader, rows: Sequence[Row[Any]]) -> tuple[Entry, ...]:
    """Turn rows of `log_entry` that a reader may read into entries, without links to what the reader does not see."""
    linked = {link for row in rows for link in row.links}
    linked |= {subject for row in rows for version in row.before for subject in (*version[5:6], [])[0]}
    names = visible_names(connection, reader, linked) if linked else {}
    return tuple(_entry(row, reader, names) for row in rows)


def _entry(row: Row[Any], reader: Reader, names: dict[str, str]) -> Entry:
    hidden = bool(row.removed) and not _is_own(reader, row.who)
    before = () if hidden else tuple(_version(version, names) for version in row.before)
    return Entry(
        row.number,
        row.who,
        _moment(row.moment_utc),
        row.text,
        bool(row.machine),
        before,
        row.subject,
        _moment(row.written_utc or row.moment_utc),
        tuple(row.tags.split()),
        tuple(link for link in row.links if link in names),
        read_files(row.files),
        row.removed,
    )


def _version(fields: Sequence[Any], names: dict[str, str]) -> Version:
    when, who, text, *more = fields
    machine, tags, links, files = (*more, *(False, "", [], [])[len(more) :])[:4]
    visible_links = tuple(link for link in links if link in names)
    return Version(
        _moment(when), who, text, bool(machine), tuple(tags.split()), visible_links, read_files(files)
    )


def _insert(connection: Connection, subject: str, values: dict[str, Any], moment: float | None = None) -> int:
    """Add a row, unless its event is told already; the number of the row that tells it."""
    if values["event"]:
        query = select(log_entries.c.number).where(
            log_entries.c.subject == subject, log_entries.c.event == values["event"]
        )
        if (number := connection.execute(query.limit(1)).scalar_one_or_none()) is not None:
            return int(number)
    now = time.time() if moment is None else moment
    row = {"subject": subject, "moment_utc": now, "written_utc": now, "before": [], "removed": "", **values}
    primary_key = connection.execute(
        insert(log_entries).values(**row, words=_words(row))
    ).inserted_primary_key
    assert primary_key is not None
    _link(connection, primary_key[0], values["links"])
    return int(primary_key[0])


def _replace(
    connection: Connection, row: Row[Any], reader: Reader, values: dict[str, Any], removed: str = ""
) -> None:
    """Change an entry; what it said before becomes one of its versions."""
    old = [row.moment_utc, row.who, row.text, bool(row.machine), row.tags, row.links, row.files]
    new = {**values, "before": [*row.before, old], "moment_utc": time.time(), "removed": removed}
    new["who"] = row.who if removed else reader.name
    new["written_utc"] = row.written_utc or (row.before[0][0] if row.before else row.moment_utc)
    condition = log_entries.c.number == row.number
    connection.execute(
        update(log_entries).where(condition).values(**new, words="" if removed else _words(new))
    )
    connection.execute(delete(log_links).where(log_links.c.entry == row.number))
    _link(connection, row.number, values["links"])


def _link(connection: Connection, number: int, links: Iterable[str]) -> None:
    if rows := [{"subject": link, "entry": number} for link in dict.fromkeys(links)]:
        connection.execute(insert(log_links), rows)


def _own(connection: Connection, reader: Reader, subject: str, number: int) -> Row[Any]:
    demand_log(connection, reader, subject)
    condition = (log_entries.c.number == number) & (log_entries.c.subject == subject)
    row = connection.execute(select(log_entries).where(condition)).one_or_none()
    if row is None:
        raise InputError(Sentence(form_words.NO_ENTRY, id=subject, number=number))
    if not _is_own(reader, row.who):
        raise NotAllowed(Sentence(form_words.ENTRY_OF_ANOTHER, id=subject, number=number, name=row.who))
    if row.removed:
        raise InputError(Sentence(form_words.ENTRY_REMOVED, id=subject, number=number))
    return row


def _is_own(reader: Reader, who: str) -> bool:
    return (bool(who) and who == reader.name) or reader.sees_all


def _checked(
    connection: Connection, reader: Reader, subject: str, content: EntryContent, *, files: bool = False
) -> dict[str, Any]:
    """Read what is to be written; raises InputError where a part of it is wrong."""
    if len(content.links) > MOST_LINKS:
        raise ParameterError(Sentence(form_words.TOO_MANY_LINKS, count=len(content.links), most=MOST_LINKS))
    links = [link for link in dict.fromkeys(map(read_subject, content.links)) if link != subject]
    visible = visible_names(connection, reader, links)
    if unknown := [link for link in links if link not in visible]:
        raise InputError(Sentence(form_words.NO_SUCH_LINK, text=repr(unknown[0][:100])))
    if len(content.event) > 200:
        raise ParameterError(Sentence(form_words.LONG_EVENT))
    text = read_text(content.text, files=files or bool(content.files))
    return {
        "text": text,
        "tags": read_tags(content.tags),
        "links": links,
        "machine": int(content.machine),
    }


def _words(row: dict[str, Any]) -> str:
    names = " ".join(file["name"] for file in row["files"])
    return f" {' '.join(fold(' '.join((row['text'], row['who'], row['tags'], names))))} "


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()
