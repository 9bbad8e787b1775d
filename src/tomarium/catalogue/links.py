"""Links between frames as a reader may see them: only who may see both ends may see a link."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, or_, select

from tomarium.catalogue.entities import entities_of_record, may_see_entity
from tomarium.catalogue.reader import ANYBODY, Reader, may_see
from tomarium.catalogue.tables import entities, frame_links, records
from tomarium.errors import FormatError, InputError
from tomarium.model import Record
from tomarium.model.link import Link, read_frame
from tomarium.specimen.link_file import link_json, link_of

MOST: Final = 2000
"""Links that are followed from a frame; a specimen has fewer."""
_AT_ONCE: Final = 400


def visible_frames(connection: Connection, reader: Reader, frames: Iterable[str]) -> dict[str, str]:
    """Find which frames a reader may see.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    frames : iterable of str
        Names of frames.

    Returns
    -------
    dict of str to str
        Name of a frame that the reader may see → title of the record, or name of the specimen.
    """
    frames_by_name = {name: read_frame(name) for name in frames}
    titles: dict[str, str] = {}
    for kind, table, title, condition in (
        ("records", records, records.c.title, may_see(reader)),
        ("specimens", entities, entities.c.name, may_see_entity(reader)),
    ):
        ids = sorted({frame.id for frame in frames_by_name.values() if frame.kind == kind})
        for start in range(0, len(ids), _AT_ONCE):
            query = select(table.c.id, title).where(table.c.id.in_(ids[start : start + _AT_ONCE]), condition)
            if kind == "specimens":
                query = query.where(entities.c.kind == "specimen")
            titles_by_id = {row[0]: row[1] for row in connection.execute(query)}
            titles |= {
                name: titles_by_id[frame.id]
                for name, frame in frames_by_name.items()
                if frame.kind == kind and frame.id in titles_by_id
            }
    return titles


def links_around(connection: Connection, reader: Reader, frames: Iterable[str]) -> list[Link]:
    """List the links that are in use and lead to or from frames, and from there on, as far as a reader sees both ends.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    frames : iterable of str
        Names of frames from which on links are followed.

    Returns
    -------
    list of Link
        In the order in which they were filed, at most `MOST`.
    """
    visible = set(visible_frames(connection, reader, frames))
    hidden: set[str] = set()
    frontier, rows_by_number = sorted(visible), dict[int, Row[Any]]()
    while frontier and len(rows_by_number) < MOST:
        rows = list(_touching(connection, frontier))
        ends = {end for row in rows for end in (row.from_frame, row.to_frame)} - visible - hidden
        new = set(visible_frames(connection, reader, ends))
        hidden |= ends - new
        visible |= new
        rows_by_number |= {row.number: row for row in rows if {row.from_frame, row.to_frame} <= visible}
        frontier = sorted(new)
    return [_link(rows_by_number[number]) for number in sorted(rows_by_number)[:MOST]]


def _touching(connection: Connection, frames: list[str]) -> Iterable[Row[Any]]:
    of = frame_links.c
    for start in range(0, len(frames), _AT_ONCE):
        part = frames[start : start + _AT_ONCE]
        query = select(frame_links).where(
            of.latest == 1, of.withdrawn == "", or_(of.from_frame.in_(part), of.to_frame.in_(part))
        )
        yield from connection.execute(query.order_by(of.number).limit(MOST))


def versions_of(connection: Connection, reader: Reader, id: str) -> list[Link]:
    """List all versions of a link that a reader may see, the latest first; none where it may not see both ends."""
    query = select(frame_links).where(frame_links.c.id == id).order_by(frame_links.c.version.desc())
    links = [_link(row) for row in connection.execute(query)]
    visible = visible_frames(
        connection, reader, {end for link in links for end in (link.from_frame, link.to_frame)}
    )
    return [link for link in links if link.from_frame in visible and link.to_frame in visible]


def withdrawn_links(connection: Connection, reader: Reader, frames: Iterable[str]) -> list[Link]:
    """List the links between some frames that were withdrawn, the newest first, as far as a reader sees both ends."""
    names, of = sorted(set(frames)), frame_links.c
    links: list[Link] = []
    for start in range(0, len(names), _AT_ONCE):
        query = select(frame_links).where(
            of.latest == 1, of.withdrawn != "", of.from_frame.in_(names[start : start + _AT_ONCE])
        )
        rows = connection.execute(query.order_by(of.number.desc()).limit(MOST))
        links += [link for link in map(_link, rows) if link.to_frame in names]
    visible = visible_frames(
        connection, reader, {end for link in links for end in (link.from_frame, link.to_frame)}
    )
    return [link for link in links if link.from_frame in visible and link.to_frame in visible]


def demand_link(connection: Connection, reader: Reader, id: str) -> Link:
    """Return the latest version of a link, or refuse."""
    links = versions_of(connection, reader, id)
    if not links:
        raise InputError(
            f"there is no link {id[:80]!r}; see those of a specimen with: tomarium specimen tree SPECIMEN"
        )
    return links[0]


def links_of_crate(connection: Connection, record: Record) -> tuple[Link, ...]:
    """List the links that a record's crate tells: those whose other end all who see the record may see too.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    record : Record
        As its crate says; links that this catalogue does not know, of a crate that came from elsewhere, are kept.

    Returns
    -------
    tuple of Link
        Those in use.
    """
    of = frame_links.c
    main = f"records/{record.id}"
    own = [
        or_(end == main, end.startswith(f"{main}/", autoescape=True)) for end in (of.from_frame, of.to_frame)
    ]
    rows = connection.execute(
        select(frame_links)
        .where(of.latest == 1, of.withdrawn == "", or_(*own))
        .order_by(of.number)
        .limit(MOST)
    ).all()
    links = [_link(row) for row in rows]
    ends = {end for link in links for end in (link.from_frame, link.to_frame)}
    public = set(visible_frames(connection, ANYBODY, ends)) if links else set()
    public |= {end for end in ends if read_frame(end)[:2] == ("records", record.id)}
    if links:
        public |= {
            f"specimens/{entity.id}"
            for entity in entities_of_record(connection, record.id)
            if entity.kind == "specimen"
        }
    elsewhere = [link.id for link in record.links]
    known_ids: set[str] = set()
    for start in range(0, len(elsewhere), _AT_ONCE):
        query = select(of.id).where(of.id.in_(elsewhere[start : start + _AT_ONCE]))
        known_ids |= set(connection.execute(query).scalars())
    unknown_links = [link for link in record.links if link.id not in known_ids]
    return (*(link for link in links if {link.from_frame, link.to_frame} <= public), *unknown_links)


def adopt_links(connection: Connection, record: Record, owner: str) -> None:
    """Take the links that a record's crate tells and the catalogue does not know, as after its database was lost."""
    for link in record.links:
        ends = [read_frame(end) for end in (link.from_frame, link.to_frame) if end]
        is_of_record = any(end[:2] == ("records", record.id) for end in ends)
        query = select(frame_links.c.number).where(frame_links.c.id == link.id).limit(1)
        if len(ends) == 2 and is_of_record and link.id and connection.execute(query).first() is None:
            connection.execute(insert(frame_links).values(**row_of(link, owner)))


def row_of(link: Link, owner: str) -> Mapping[str, Any]:
    """Return the row of a version that is the latest now."""
    content = link_json(replace(link, withdrawn=""))
    return {
        "id": link.id,
        "version": link.version,
        "from_frame": link.from_frame,
        "to_frame": link.to_frame,
        "content": content,
        "filed_by": owner,
        "filed_utc": time.time(),
        "latest": 1,
        "withdrawn": link.withdrawn,
    }


def _link(row: Row[Any]) -> Link:
    try:
        return replace(link_of(row.content, f"the link {row.id}"), withdrawn=row.withdrawn)
    except FormatError as problem:
        raise FormatError(f"{problem}; restore the catalogue from a backup: tomarium restore") from problem
