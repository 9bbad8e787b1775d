"""Filing links between frames, new versions of them, and withdrawing them; the crates of their records follow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, insert, select, update

from tomarium import __version__
from tomarium.catalogue import queries
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import write_record
from tomarium.catalogue.entities import entity_of
from tomarium.catalogue.links import demand_link, links_around, row_of, visible_frames
from tomarium.catalogue.reader import MEMBERS, NotAllowed, Reader, demand_role
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.specimen_space import images_at
from tomarium.catalogue.tables import frame_links
from tomarium.errors import InputError, ParameterError, TomariumError
from tomarium.model.link import Link, read_frame
from tomarium.specimen.link_file import checked

_LONGEST: Final = 1000


def file_link(
    catalogue: Catalogue, reader: Reader, link: Link, *, replaces: str = "", beside: bool = False
) -> Link:
    """File a link between two frames, or a new version of one.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who files it: at least one of the two is the reader's to change, and the other is seen by it.
    link : Link
        With both frames; its identifier and version are given here.
    replaces : str
        Identifier of the link whose next version it is; between the same two frames.
    beside : bool
        Whether it is to stand beside others between the same frames, as a measurement of its own.

    Returns
    -------
    Link
        With its identifier, version, author, software and date.

    Raises
    ------
    InputError
        It is not sound, a frame does not exist, or there is a link between the two already and nothing is said of it.
    NotAllowed
        Neither end is the reader's.
    """
    demand_role(reader, *MEMBERS, to="link images")
    sound = checked(link)
    if not (sound.from_frame and sound.to_frame):
        raise InputError("a link needs both of its frames; say which image each is: --from IMAGE --to IMAGE")
    with catalogue.writing() as connection:
        _demand_ends(connection, reader, sound)
        filed = replace(
            sound,
            author=sound.author or reader.name,
            software=sound.software or f"tomarium {__version__}",
            date=sound.date or f"{datetime.now(UTC):%Y-%m-%d}",
            withdrawn="",
            version=1,
        )
        if replaces:
            before = demand_link(connection, reader, replaces)
            if {before.from_frame, before.to_frame} != {filed.from_frame, filed.to_frame}:
                raise InputError(
                    f"{replaces}: links {before.from_frame} and {before.to_frame}; a new version links the same two"
                )
            filed = replace(filed, id=before.id, version=before.version + 1)
            connection.execute(update(frame_links).where(frame_links.c.id == before.id).values(latest=0))
        else:
            _demand_new(connection, reader, filed, beside)
            filed = replace(filed, id=_free_id(connection, filed))
        connection.execute(insert(frame_links).values(**row_of(filed, reader.name)))
        note(
            connection,
            reader,
            "link images",
            told=[filed.id, filed.version, filed.from_frame, filed.to_frame],
        )
        _rewrite(connection, reader, (filed.from_frame, filed.to_frame))
    return filed


def withdraw_link(catalogue: Catalogue, reader: Reader, id: str, reason: str) -> Link:
    """Withdraw a link: it stays, with the reason, and is not used any more.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who keeps at least one of its ends.
    id : str
        Identifier of the link.
    reason : str
        One line.

    Returns
    -------
    Link
        As it is now.

    Raises
    ------
    InputError
        There is no such link that the reader may see, or no reason is given.
    NotAllowed
        Neither end is the reader's.
    """
    why = " ".join(reason.split())
    if not why or len(why) > _LONGEST:
        raise ParameterError(f"{id[:80]}: say in one line why the link is withdrawn; it stays with its link")
    with catalogue.writing() as connection:
        link = demand_link(connection, reader, id)
        _demand_ends(connection, reader, link)
        latest = (frame_links.c.id == link.id) & (frame_links.c.version == link.version)
        connection.execute(update(frame_links).where(latest).values(withdrawn=why))
        note(connection, reader, "withdraw link", told=[link.id, link.version, why])
        _rewrite(connection, reader, (link.from_frame, link.to_frame))
    return replace(link, withdrawn=why)


def demand_both_ends(connection: Connection, reader: Reader, start: str, end: str) -> None:
    """Refuse a reader who may not change both frames; raises InputError where one is not seen, else NotAllowed."""
    visible = visible_frames(connection, reader, (start, end))
    for frame in (start, end):
        if frame not in visible:
            raise InputError(f"there is no image {frame!r} in this catalogue; choose one of the list")
        if not _is_mine(connection, reader, frame):
            raise NotAllowed(
                f"{frame} is not {reader.name or 'a visitor'}'s; who may change both images links them here"
            )


def may_change_both(connection: Connection, reader: Reader, link: Link) -> bool:
    """Tell whether a reader may change both ends of a link."""
    return all(_is_mine(connection, reader, end) for end in (link.from_frame, link.to_frame))


def may_change_frame(connection: Connection, reader: Reader, frame: str) -> bool:
    """Tell whether a reader may change what has a frame: a record or a specimen."""
    return _is_mine(connection, reader, frame)


def tell_linked(catalogue: Catalogue, reader: Reader, id: str) -> None:
    """Write the crates of the records that are linked with one anew, after more people may see it.

    What cannot be written now is told when it is written next: the links themselves are in the catalogue.
    """
    with catalogue.reading() as connection:
        links = [
            link
            for link in links_around(connection, reader, frames_of(connection, id))
            if any(_is_of(end, id) for end in (link.from_frame, link.to_frame))
        ]
    other_ends = {end for link in links for end in (link.from_frame, link.to_frame) if not _is_of(end, id)}
    for frame in sorted(other_ends):
        with suppress(TomariumError, OSError), catalogue.writing() as connection:
            _rewrite(connection, reader, (frame,))


def _is_of(frame: str, record: str) -> bool:
    return read_frame(frame)[:2] == ("records", record)


def frames_of(connection: Connection, id: str) -> list[str]:
    """List the frames of a record and of its images that links name, and the record's own."""
    main, of = f"records/{id}", frame_links.c
    frames = {main}
    for end in (of.from_frame, of.to_frame):
        query = select(end).where(end.startswith(f"{main}/", autoescape=True)).distinct()
        frames |= set(connection.execute(query).scalars())
    return sorted(frames)


def _demand_ends(connection: Connection, reader: Reader, link: Link) -> None:
    ends = (link.from_frame, link.to_frame)
    visible = visible_frames(connection, reader, ends)
    for end in ends:
        if end not in visible:
            kind = "specimen" if end.startswith("specimens/") else "record"
            raise InputError(
                f"there is no {kind} {read_frame(end).id!r} in this catalogue to link; file it first: tomarium "
                f"{'specimen new NAME' if kind == 'specimen' else 'ingest FOLDER'}"
            )
    for end in ends:
        _demand_image(connection, reader, end)
    if not any(_is_mine(connection, reader, end) for end in ends):
        raise NotAllowed(
            f"neither {ends[0]} nor {ends[1]} is {reader.name or 'a visitor'}'s; ask the owner of one of them"
        )


def _demand_image(connection: Connection, reader: Reader, frame: str) -> None:
    kind, id, number = read_frame(frame)
    place = queries.place_of(connection, reader, id) if kind == "records" and number else None
    if place is None:
        return
    images, _ = images_at(place)
    if frame not in (names := [image.frame for image in images]):
        raise InputError(
            f"{id} has no image {frame} whose pixels have a size; it has {', '.join(names) or 'none'}"
        )


def _is_mine(connection: Connection, reader: Reader, frame: str) -> bool:
    kind, id, _ = read_frame(frame)
    if kind == "records":
        place = queries.place_of(connection, reader, id)
        return place is not None and place.mine
    held_entity = entity_of(connection, reader, id)
    return held_entity is not None and held_entity.mine


def _demand_new(connection: Connection, reader: Reader, link: Link, beside: bool) -> None:
    ends = {link.from_frame, link.to_frame}
    linked = [
        known_link
        for known_link in links_around(connection, reader, [link.from_frame])
        if {known_link.from_frame, known_link.to_frame} == ends
    ]
    if linked and not beside:
        raise InputError(
            f"{link.from_frame} and {link.to_frame} are linked already by {linked[0].id} (version {linked[0].version}, "
            f"{linked[0].kind}); give --replaces {linked[0].id} for a better version of it, or --beside to keep both"
        )


def _free_id(connection: Connection, link: Link) -> str:
    """Make an identifier that no other link has."""
    names = [
        re.sub(r"[^a-z0-9]+", "-", end.partition("/")[2])[:80].strip("-")
        for end in (link.from_frame, link.to_frame)
    ]
    start = "-in-".join(names)
    query = select(frame_links.c.id).where(frame_links.c.id.startswith(start, autoescape=True))
    ids = set(connection.execute(query).scalars())
    if start not in ids:
        return start
    return next(
        candidate for number in range(2, len(ids) + 3) if (candidate := f"{start}-{number}") not in ids
    )


def _rewrite(connection: Connection, reader: Reader, frames: Iterable[str]) -> None:
    for id in sorted({read_frame(frame).id for frame in frames if read_frame(frame).kind == "records"}):
        folder = queries.folder_of(connection, id)
        if folder is not None:
            write_record(connection, reader, read_record(folder), folder)
