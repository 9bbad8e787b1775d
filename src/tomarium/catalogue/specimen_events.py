"""Where a specimen is and was: events that are only ever added, each with the place and the holder from then on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select

from tomarium.catalogue import form_words
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.entities import demand_entity, entity_of
from tomarium.catalogue.log_access import keeps_entity
from tomarium.catalogue.log_files import LogFile, files_as_data, keep_files, read_files
from tomarium.catalogue.log_tables import specimen_events
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.tables import entities
from tomarium.errors import InputError, ParameterError
from tomarium.model.parcel import BY_HAND, EVENTS, read_place
from tomarium.model.sentence import Sentence

LONGEST: Final = 2000


@dataclass(frozen=True)
class SpecimenEvent:
    """What became of a specimen.

    Attributes
    ----------
    number : int
        Its number; events are in the order in which they were told.
    specimen, kind : str
        Identifier of the specimen; a key of `model.parcel.EVENTS`.
    when, who : str
        When it was told (ISO 8601), and by whom.
    place, holder : str
        Where it is from then on, and who has it; "" where nobody said.
    condition, note : str
        How it looked, and what else there is to say.
    parcel : str
        Identifier of the parcel with which it went or came; "" for none.
    files : tuple of LogFile
        Pictures.
    """

    number: int
    specimen: str
    kind: str
    when: str
    who: str
    place: str
    holder: str
    condition: str
    note: str
    parcel: str
    files: tuple[LogFile, ...]

    @property
    def on_its_way(self) -> bool:
        """Whether it is in a parcel that did not arrive yet."""
        return self.kind in ("sent", "returned")


@dataclass(frozen=True)
class EventContent:
    """What is told of a specimen; what is empty stays as it was.

    Attributes
    ----------
    kind : str
        "moved", "handed-over", "received" or "examined".
    place : str
        Where it is from now on.
    holder : str
        Who has it from now on.
    condition, note : str
        How it looks, and what else there is to say.
    files : sequence of (str, bytes)
        Name and content of pictures.
    """

    kind: str
    place: str = ""
    holder: str = ""
    condition: str = ""
    note: str = ""
    files: Sequence[tuple[str, bytes]] = ()


def tell_of_specimen(
    catalogue: Catalogue, reader: Reader, specimen: str, content: EventContent
) -> SpecimenEvent:
    """Say that a specimen was moved, handed over, received or examined.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who keeps it: its owner, its team, or a curator.
    specimen : str
        Its identifier.
    content : EventContent
        What became of it.

    Returns
    -------
    SpecimenEvent
        As it was written.

    Raises
    ------
    InputError
        There is no such specimen that the reader may see, or something is missing or too long.
    NotAllowed
        It is not the reader's.
    """
    read = _checked(content)
    with catalogue.reading() as connection:
        demand_kept(connection, reader, specimen)
    files = keep_files(catalogue.home, content.files)
    with catalogue.writing() as connection:
        demand_kept(connection, reader, specimen)
        number = add_event(connection, reader.name, specimen, read, files)
        row = connection.execute(select(specimen_events).where(specimen_events.c.number == number)).one()
    return _event(row)


def add_event(
    connection: Connection,
    who: str,
    specimen: str,
    content: EventContent,
    files: Sequence[LogFile] = (),
    *,
    parcel: str = "",
) -> int:
    """Add an event; who may is asked before. Place and holder stay as they were unless they are told."""
    last = _last(connection, specimen)
    leaves = content.kind in ("sent", "returned")
    place = content.place or ("" if leaves or last is None else last.place)
    holder = content.holder or ("" if last is None or leaves else last.holder)
    values = {
        "specimen": specimen,
        "parcel": parcel,
        "kind": content.kind,
        "moment_utc": time.time(),
        "who": who,
    }
    values |= {"place": place, "holder": holder, "condition": content.condition, "note": content.note}
    result = connection.execute(insert(specimen_events).values(**values, files=files_as_data(files)))
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def events_of(connection: Connection, reader: Reader, specimen: str) -> tuple[SpecimenEvent, ...]:
    """List what became of a specimen, the newest first; empty for who does not keep it.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    specimen : str
        Its identifier.

    Returns
    -------
    tuple of SpecimenEvent
        The first of them tells where it is now.
    """
    if not keeps_specimen(connection, reader, specimen):
        return ()
    query = select(specimen_events).where(specimen_events.c.specimen == specimen)
    rows = connection.execute(query.order_by(specimen_events.c.number.desc())).all()
    return tuple(_event(row) for row in rows)


def event_numbered(connection: Connection, reader: Reader, number: int) -> SpecimenEvent | None:
    """Find an event of a specimen that a reader keeps; None where there is none."""
    query = select(specimen_events).where(specimen_events.c.number == number)
    row = connection.execute(query).one_or_none()
    return _event(row) if row is not None and keeps_specimen(connection, reader, row.specimen) else None


def keeps_specimen(connection: Connection, reader: Reader, specimen: str) -> bool:
    """Tell whether a reader keeps a specimen, and so knows where it is."""
    query = select(entities.c.id).where(
        entities.c.id == specimen, entities.c.kind == "specimen", keeps_entity(reader)
    )
    return connection.execute(query).first() is not None


def demand_kept(connection: Connection, reader: Reader, specimen: str) -> None:
    """Refuse who does not keep a specimen; raises InputError, and NotAllowed where the reader sees it."""
    if keeps_specimen(connection, reader, specimen):
        return
    held_entity = entity_of(connection, reader, specimen)
    if held_entity is None or held_entity.entity.kind != "specimen":
        if held_entity is None:
            demand_entity(connection, reader, specimen)
        raise InputError(Sentence(form_words.NO_SPECIMEN, id=specimen))
    raise NotAllowed(
        f"{specimen}: is not {reader.name or 'a visitor'}'s, so where it is is not theirs to say"
    )


def where_now(connection: Connection, reader: Reader, most: int = 5000) -> dict[str, SpecimenEvent]:
    """Tell where the specimens are that a reader keeps: identifier → its last event; without those never told of."""
    newest = (
        select(func.max(specimen_events.c.number))
        .join(entities, entities.c.id == specimen_events.c.specimen)
        .where(keeps_entity(reader))
        .group_by(specimen_events.c.specimen)
    )
    query = select(specimen_events).where(specimen_events.c.number.in_(newest))
    rows = connection.execute(
        query.order_by(specimen_events.c.place, specimen_events.c.specimen).limit(most)
    ).all()
    return {row.specimen: _event(row) for row in rows}


def names_of(connection: Connection, ids: Sequence[str]) -> Mapping[str, str]:
    """Return the names of specimens; who may know them is asked before."""
    query = select(entities.c.id, entities.c.name).where(entities.c.id.in_(list(ids)))
    return {row.id: row.name for row in connection.execute(query)}


def _last(connection: Connection, specimen: str) -> Row[Any] | None:
    query = select(specimen_events).where(specimen_events.c.specimen == specimen)
    return connection.execute(query.order_by(specimen_events.c.number.desc()).limit(1)).one_or_none()


def _checked(content: EventContent) -> EventContent:
    if content.kind not in BY_HAND:
        raise ParameterError(
            f"{content.kind[:40]!r} is nothing that becomes of a specimen; give one of {', '.join(BY_HAND)}"
        )
    place, holder = read_place(content.place), " ".join(content.holder.split())
    if content.kind == "moved" and not place:
        raise ParameterError(Sentence(form_words.WHERE_TO))
    if content.kind == "handed-over" and not holder:
        raise ParameterError(Sentence(form_words.TO_WHOM))
    for name, text in (("condition", content.condition), ("note", content.note), ("holder", holder)):
        if len(text) > LONGEST:
            raise ParameterError(
                Sentence(form_words.LONG_FIELD, name=Sentence(name), count=len(text), most=LONGEST)
            )
    if content.kind == "examined" and not (
        content.condition.strip() or content.note.strip() or content.files
    ):
        raise ParameterError(Sentence(form_words.HOW_IT_LOOKS))
    return EventContent(content.kind, place, holder, content.condition.strip(), content.note.strip())


def _event(row: Row[Any]) -> SpecimenEvent:
    assert row.kind in EVENTS
    when = datetime.fromtimestamp(int(row.moment_utc), UTC).isoformat()
    values = (row.place, row.holder, row.condition, row.note, row.parcel)
    return SpecimenEvent(row.number, row.specimen, row.kind, when, row.who, *values, read_files(row.files))
