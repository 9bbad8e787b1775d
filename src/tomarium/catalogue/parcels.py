"""Parcels of specimens: from whom, to whom, by which carrier, what is in them, and every state they were in."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, false, func, insert, or_, select, update

from tomarium.catalogue import form_words
from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.log_files import LogFile, files_as_data, keep_files, read_files
from tomarium.catalogue.log_tables import parcel_contents, parcel_events, parcels
from tomarium.catalogue.reader import MEMBERS, NotAllowed, Reader, demand_role, owns
from tomarium.catalogue.record_folder import ID
from tomarium.catalogue.specimen_events import EventContent, add_event, demand_kept
from tomarium.catalogue.tables import entities
from tomarium.errors import InputError, ParameterError
from tomarium.model.parcel import FACTS, STATES, read_parcel_facts, read_place
from tomarium.model.sentence import Sentence

MOST_SPECIMENS = 500


@dataclass(frozen=True)
class ParcelEvent:
    """What became of a parcel.

    Attributes
    ----------
    number : int
        Its number.
    state : str
        From then on, a key of `model.parcel.STATES`.
    when, who, note : str
        When it was told (ISO 8601), by whom, and what else.
    files : tuple of LogFile
        Pictures.
    """

    number: int
    state: str
    when: str
    who: str
    note: str
    files: tuple[LogFile, ...]


@dataclass(frozen=True)
class Parcel:
    """A parcel as a reader may know it.

    Attributes
    ----------
    id, state : str
        Its identifier, and a key of `model.parcel.STATES`.
    facts : mapping of str to str
        Key of a fact → what is told.
    specimens : tuple of (str, str)
        Identifier and name of what is in it.
    owner, receiver : str
        Account that announced it, and the one that may receive it; "" for none.
    mine, receives : bool
        Whether the reader may change it, and whether the reader may say that it arrived.
    changed : str
        When something was last told of it, ISO 8601.
    events : tuple of ParcelEvent
        The newest first; only where one parcel was asked for.
    """

    id: str
    state: str
    facts: Mapping[str, str]
    specimens: tuple[tuple[str, str], ...]
    owner: str
    receiver: str
    mine: bool
    receives: bool
    changed: str
    events: tuple[ParcelEvent, ...] = ()


def may_see_parcel(reader: Reader) -> ColumnElement[bool]:
    """Return the condition on `parcel` that a reader may know of it, with addresses and contents.

    Parameters
    ----------
    reader : Reader
        Who asks.

    Returns
    -------
    ColumnElement of bool
        True for who announced it, that one's team, its receiver, curators and administrators.
    """
    return or_(owns(reader, parcels.c), parcels.c.receiver == reader.name if reader.name else false())


def parcels_of(
    connection: Connection, reader: Reader, *, state: str = "", specimen: str = "", most: int = 200
) -> tuple[Parcel, ...]:
    """List the parcels that a reader may see, those of which something was told last first.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    state : str
        Only those in this state; "" for all.
    specimen : str
        Only those that hold this specimen; "" for all.
    most : int
        At most so many.

    Returns
    -------
    tuple of Parcel
        Without events.
    """
    query = select(parcels).where(may_see_parcel(reader))
    if state:
        query = query.where(parcels.c.state == state)
    if specimen:
        holding = select(parcel_contents.c.parcel).where(parcel_contents.c.specimen == specimen)
        query = query.where(parcels.c.id.in_(holding))
    rows = connection.execute(query.order_by(parcels.c.changed_utc.desc(), parcels.c.id).limit(most)).all()
    contents = _contents(connection, [row.id for row in rows])
    return tuple(_parcel(row, reader, contents.get(row.id, ())) for row in rows)


def parcel_of(connection: Connection, reader: Reader, id: str) -> Parcel | None:
    """Find a parcel that a reader may see, with its events; None where there is none."""
    row = connection.execute(select(parcels).where(parcels.c.id == id, may_see_parcel(reader))).one_or_none()
    if row is None:
        return None
    query = select(parcel_events).where(parcel_events.c.parcel == id)
    events = connection.execute(query.order_by(parcel_events.c.number.desc())).all()
    parcel = _parcel(row, reader, _contents(connection, [id]).get(id, ()))
    parcel_events_read = tuple(
        ParcelEvent(
            event.number,
            event.state,
            _moment(event.moment_utc),
            event.who,
            event.note,
            read_files(event.files),
        )
        for event in events
    )
    return Parcel(**{**parcel.__dict__, "events": parcel_events_read})


def make_parcel(
    catalogue: Catalogue,
    reader: Reader,
    facts: Mapping[str, str],
    specimens: Sequence[str],
    *,
    receiver: str = "",
    team: str = "",
    id: str = "",
) -> Parcel:
    """Announce a parcel.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who announces it.
    facts : mapping of str to str
        Key of a `model.parcel.FACTS` → text.
    specimens : sequence of str
        Identifiers of what is in it; each must be the reader's.
    receiver : str
        Name of the account that may receive it; "" for none.
    team : str
        A group of people who may change it too; "" for none.
    id : str
        Its identifier; one is made where it is "".

    Returns
    -------
    Parcel
        As it is now.

    Raises
    ------
    InputError
        A fact, a specimen, the receiver or the identifier is wrong.
    NotAllowed
        A visitor asks, or a specimen is not the reader's.
    """
    demand_role(reader, *MEMBERS, to="announce a parcel")
    filled_facts = {key: text for key, text in read_parcel_facts(facts).items() if text}
    if id and not ID.fullmatch(id):
        raise ParameterError(Sentence(form_words.NO_IDENTIFIER, text=repr(id[:80])))
    with catalogue.writing() as connection:
        if receiver:
            account_named(connection, receiver)
        named = id or _free_id(connection)
        if connection.execute(select(parcels.c.id).where(parcels.c.id == named)).first():
            raise InputError(Sentence(form_words.IDENTIFIER_TAKEN, id=named))
        values = {
            "id": named,
            "state": "announced",
            "facts": filled_facts,
            "owner": reader.name,
            "team": team,
        }
        connection.execute(insert(parcels).values(**values, receiver=receiver, changed_utc=time.time()))
        _fill(connection, reader, named, specimens)
        _add_event(connection, reader, named, "announced", filled_facts.get("note", ""), ())
        return _demand_parcel(connection, reader, named)


def change_parcel(
    catalogue: Catalogue,
    reader: Reader,
    id: str,
    facts: Mapping[str, str],
    *,
    specimens: Sequence[str] | None = None,
    receiver: str | None = None,
) -> Parcel:
    """Change what is told of a parcel; that it was changed, and what, is one of its events.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who announced it, that one's team, or a curator.
    id : str
        Its identifier.
    facts : mapping of str to str
        Key of a fact → text; "" takes it away. Facts that are not named stay.
    specimens : sequence of str, optional
        All that is in it from now on; only before it is sent.
    receiver : str, optional
        Name of the account that may receive it.

    Returns
    -------
    Parcel
        As it is now.

    Raises
    ------
    InputError
        There is no such parcel of the reader, or a fact is wrong, or it was sent.
    """
    read = read_parcel_facts(facts)
    with catalogue.writing() as connection:
        parcel = _demand_parcel(connection, reader, id, mine=True)
        filled_facts = {key: text for key, text in {**parcel.facts, **read}.items() if text}
        changed = [key for key in read if filled_facts.get(key, "") != parcel.facts.get(key, "")]
        values: dict[str, Any] = {"facts": filled_facts}
        if receiver is not None and receiver != parcel.receiver:
            if receiver:
                account_named(connection, receiver)
            values["receiver"], changed = receiver, [*changed, "account of the receiver"]
        if specimens is not None and list(specimens) != [specimen_id for specimen_id, _ in parcel.specimens]:
            if parcel.state != "announced":
                raise InputError(
                    Sentence(form_words.PARCEL_ON_ITS_WAY, id=id, state=Sentence(STATES[parcel.state]))
                )
            connection.execute(delete(parcel_contents).where(parcel_contents.c.parcel == id))
            _fill(connection, reader, id, specimens)
            changed.append("contents")
        connection.execute(update(parcels).where(parcels.c.id == id).values(**values))
        if changed:
            _add_event(connection, reader, id, parcel.state, f"changed: {', '.join(changed)}", ())
        return _demand_parcel(connection, reader, id)


def tell_of_parcel(
    catalogue: Catalogue,
    reader: Reader,
    id: str,
    state: str,
    *,
    place: str = "",
    condition: str = "",
    note: str = "",
    files: Sequence[tuple[str, bytes]] = (),
) -> Parcel:
    """Say that a parcel was sent, received, stored, sent back or arrived back: its specimens are where it is.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who announced it, that one's team, its receiver, or a curator.
    id : str
        Its identifier.
    state : str
        A key of `model.parcel.STATES`.
    place : str
        Where its specimens are from now on: "lab 3 / shelf B".
    condition, note : str
        How they look, and what else there is to say.
    files : sequence of (str, bytes)
        Name and content of pictures.

    Returns
    -------
    Parcel
        As it is now.

    Raises
    ------
    InputError
        There is no such parcel that the reader may see, or no such state, or it is in it already.
    """
    if state not in STATES:
        raise ParameterError(Sentence(form_words.NO_STATE, text=repr(state[:40]), names=", ".join(STATES)))
    to = read_place(place)
    with catalogue.reading() as connection:
        _demand_parcel(connection, reader, id)
    log_files = keep_files(catalogue.home, files)
    with catalogue.writing() as connection:
        parcel = _demand_parcel(connection, reader, id)
        if parcel.state == state:
            raise InputError(
                Sentence(
                    form_words.PARCEL_SO_ALREADY,
                    id=id,
                    state=Sentence(STATES[state]),
                    moment=parcel.changed[:16].replace("T", " "),
                )
            )
        sentence = "; ".join(text for text in (condition.strip(), note.strip()) if text)
        _add_event(connection, reader, id, state, sentence, log_files)
        if state not in ("announced", "cancelled"):
            event = EventContent(state, to, "", condition.strip(), note.strip())
            for specimen, _ in parcel.specimens:
                add_event(connection, reader.name, specimen, event, log_files, parcel=id)
        return _demand_parcel(connection, reader, id)


def _add_event(
    connection: Connection, reader: Reader, id: str, state: str, note: str, files: Sequence[LogFile]
) -> None:
    if len(note) > 4000:
        raise ParameterError(Sentence(form_words.LONG_NOTE, count=len(note), most=4000))
    now = time.time()
    values = {"parcel": id, "state": state, "moment_utc": now, "who": reader.name, "note": note}
    connection.execute(insert(parcel_events).values(**values, files=files_as_data(files)))
    connection.execute(update(parcels).where(parcels.c.id == id).values(state=state, changed_utc=now))


def _fill(connection: Connection, reader: Reader, id: str, specimens: Sequence[str]) -> None:
    specimen_ids = list(dict.fromkeys(specimens))
    if not specimen_ids or len(specimen_ids) > MOST_SPECIMENS:
        raise ParameterError(
            Sentence(form_words.SPECIMENS_OF_PARCEL, count=len(specimen_ids), most=MOST_SPECIMENS)
        )
    for specimen_id in specimen_ids:
        demand_kept(connection, reader, specimen_id)
    connection.execute(
        insert(parcel_contents), [{"parcel": id, "specimen": specimen_id} for specimen_id in specimen_ids]
    )


def _demand_parcel(connection: Connection, reader: Reader, id: str, *, mine: bool = False) -> Parcel:
    parcel = parcel_of(connection, reader, id)
    if parcel is None:
        raise InputError(Sentence(form_words.NO_PARCEL, text=repr(id[:80])))
    if mine and not parcel.mine:
        raise NotAllowed(Sentence(form_words.PARCEL_OF_ANOTHER, id=id, name=parcel.owner))
    return parcel


def _free_id(connection: Connection) -> str:
    """Make an identifier that no other parcel has: the year, and a number."""
    start = f"parcel-{datetime.now(UTC).year}-"
    count = connection.execute(
        select(func.count()).select_from(parcels).where(parcels.c.id.startswith(start))
    ).scalar_one()
    ids = set(connection.execute(select(parcels.c.id).where(parcels.c.id.startswith(start))).scalars())
    return next(
        candidate
        for number in range(count + 1, count + len(ids) + 2)
        if (candidate := f"{start}{number}") not in ids
    )


def _contents(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    query = (
        select(parcel_contents.c.parcel, entities.c.id, entities.c.name)
        .join(entities, entities.c.id == parcel_contents.c.specimen)
        .where(parcel_contents.c.parcel.in_(list(ids)))
        .order_by(entities.c.name, entities.c.id)
    )
    contents: dict[str, tuple[tuple[str, str], ...]] = {}
    for row in connection.execute(query):
        contents[row.parcel] = (*contents.get(row.parcel, ()), (row.id, row.name))
    return contents


def _parcel(row: Row[Any], reader: Reader, contents: tuple[tuple[str, str], ...]) -> Parcel:
    mine = reader.owns(row.owner, row.team)
    receives = mine or (bool(reader.name) and row.receiver == reader.name)
    facts = {fact.key: row.facts[fact.key] for fact in FACTS if fact.key in row.facts}
    changed = _moment(row.changed_utc)
    return Parcel(row.id, row.state, facts, contents, row.owner, row.receiver, mine, receives, changed)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()
