"""Changing what a record says of itself; its files are not touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tomarium.catalogue import form_words, queries
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.dois import ask_for_update
from tomarium.catalogue.entities import choose
from tomarium.catalogue.ingest import save
from tomarium.catalogue.links import links_of_crate
from tomarium.catalogue.picture_credits import Credit, credited
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.store import write_crate
from tomarium.catalogue.withheld_values import forget_withheld, is_withheld, withheld_of, withhold
from tomarium.errors import InputError, ParameterError
from tomarium.model import Funding, Person, Record, Related, Value
from tomarium.model.plain_card import read_field
from tomarium.model.sentence import Sentence
from tomarium.standards.ro_crate import FILENAME, export


@dataclass(frozen=True)
class Changes:
    """What is to be changed; None leaves a field as it is, an empty value empties it.

    Attributes
    ----------
    title, description, licence, specimen, acknowledgement : str or None
        As in `model.Record`.
    proposal, instrument : str or None
        Identifier of a proposal or an instrument of the catalogue.
    creators, keywords, techniques, funding, related : tuple or None
        The whole list anew.
    withhold : tuple of str
        Keys of parameters that are taken out of the record and kept in the catalogue for those who keep it.
    disclose : tuple of str
        Keys of parameters that are declared public; what was withheld is put back.
    parameters : mapping of str to Value
        Parameters to set. What may tell of a person, as a donor's age, is withheld unless `disclose` names it, too.
    credits : tuple of Credit
        Who made pictures and documents, and by whose permission they are published.
    card : mapping of str to str
        Field of `model.plain_card.PlainCard` → its text, "" to empty it.
    """

    title: str | None = None
    description: str | None = None
    licence: str | None = None
    specimen: str | None = None
    acknowledgement: str | None = None
    proposal: str | None = None
    instrument: str | None = None
    creators: tuple[Person, ...] | None = None
    keywords: tuple[str, ...] | None = None
    techniques: tuple[str, ...] | None = None
    funding: tuple[Funding, ...] | None = None
    related: tuple[Related, ...] | None = None
    withhold: tuple[str, ...] = ()
    disclose: tuple[str, ...] = ()
    parameters: dict[str, Value[Any]] = field(default_factory=dict)
    credits: tuple[Credit, ...] = ()
    card: Mapping[str, str] = field(default_factory=dict)


FIELDS = (
    "title", "description", "licence", "specimen", "acknowledgement",
    "creators", "keywords", "techniques", "funding", "related",
)  # fmt: skip
"""Fields of `Changes` that replace those of the record."""
KINDS = ("specimen", "proposal", "instrument")
"""Fields of `Changes` that may name an entity of the catalogue."""
_NEEDED = {"licence": "a licence", "creators": "creators"}


def edit(catalogue: Catalogue, reader: Reader, id: str, changes: Changes) -> Record:
    """Change what a record says.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who changes it: its owner, somebody of its team, a curator.
    id : str
        Identifier of the record.
    changes : Changes
        What is to be changed.

    Returns
    -------
    Record
        As it is now. Where it was published, its DOI's metadata are sent anew.

    Raises
    ------
    InputError
        There is no such record, it is not this reader's to change, or a change cannot be made.
    """
    changed = tuple(name for name in dict.fromkeys(FIELDS + KINDS) if getattr(changes, name) is not None)
    changed_names = [*changed, *changes.parameters, *(f"withhold {key}" for key in changes.withhold)]
    changed_names += [f"disclose {key}" for key in changes.disclose]
    changed_names += [f"credit {credit.path}" for credit in changes.credits]
    changed_names += [f"{name} in plain words" for name in changes.card]
    if not changed_names:
        raise ParameterError(Sentence(form_words.NOTHING_TO_CHANGE, id=id))
    return rewrite(
        catalogue,
        reader,
        id,
        "edit",
        lambda connection, record: _apply(connection, reader, record, changes),
        changed_names,
    )


def _apply(connection: Connection, reader: Reader, record: Record, changes: Changes) -> Record:
    fields = {name: getattr(changes, name) for name in FIELDS if getattr(changes, name) is not None}
    if "title" in fields and not fields["title"].strip():
        raise ParameterError(Sentence(form_words.NO_TITLE, id=record.id))
    for kind in KINDS:
        if (id := getattr(changes, kind)) is not None:
            record = choose(connection, reader, record, kind, id)
    values, disclosed = _set_parameters(connection, record, changes)
    for credit in changes.credits:
        record = credited(record, credit)
    card = replace(record.card, **{name: read_field(name, text) for name, text in changes.card.items()})
    changed = replace(record, **fields, parameters=values, disclosed=disclosed, card=card)
    for name in _NEEDED if record.publication else ():
        if getattr(record, name) and not getattr(changed, name):
            raise ParameterError(
                f"{record.id}: was published, and what is published has {_NEEDED[name]}; give another"
            )
    return changed


def _set_parameters(
    connection: Connection, record: Record, changes: Changes
) -> tuple[dict[str, Value[Any]], tuple[str, ...]]:
    """Return the parameters that a record tells afterwards, and which of them are declared public.

    What may tell of a person, or is withheld already, is withheld however it is set, unless it is declared public.
    """
    values, disclosed = dict(record.parameters), dict.fromkeys(record.disclosed)
    kept = withheld_of(connection, record.id)
    for key, value in changes.parameters.items():
        if is_withheld(key, record, kept) and key not in changes.disclose:
            kept[key] = value
            values.pop(key, None)
            withhold(connection, record.id, {key: value})
        else:
            values[key] = value
    for key in changes.withhold:
        if key not in values and key not in kept:
            raise ParameterError(
                f"{record.id}: has no parameter {key[:60]!r} to withhold; it has {', '.join(values) or 'none'}"
            )
        if key in values:
            withhold(connection, record.id, {key: values.pop(key)})
        disclosed.pop(key, None)
    for key in changes.disclose:
        if key in kept:
            values.setdefault(key, kept[key])
            forget_withheld(connection, record.id, key)
        elif key not in values:
            raise ParameterError(
                f"{record.id}: has no parameter {key[:60]!r} to disclose, and withholds none of it"
            )
        disclosed[key] = None
    return values, tuple(disclosed)


def rewrite(
    catalogue: Catalogue,
    reader: Reader,
    id: str,
    action: str,
    change: Callable[[Connection, Record], Record],
    told: object = (),
) -> Record:
    """Change a record: its crate first, then its rows, in one transaction with the log.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who changes it.
    id : str
        Identifier of the record.
    action : str
        Word for the log.
    change : callable
        `change(connection, record) -> Record`.
    told : object
        What the log says of it, JSON-ready.

    Returns
    -------
    Record
        As it is now. Where the program is stopped between the crate and the rows, filing the record anew, or the
        same change once more, brings the rows up to date.

    Raises
    ------
    InputError
        There is no such record that the reader may see.
    NotAllowed
        It is not this reader's to change.
    """
    with catalogue.writing() as connection:
        place = place_for(connection, reader, id)
        record = change(connection, read_record(place))
        write_record(connection, reader, record, place)
        if record.publication is not None and record.publication.doi:
            ask_for_update(connection, record)
        note(connection, reader, action, id, told=told)
    return record


def write_record(connection: Connection, reader: Reader, record: Record, place: Path) -> None:
    """Write a record's crate with the links that all who see it may know, whole or not at all, and then its rows.

    Parameters
    ----------
    connection : Connection
        That may write.
    reader : Reader
        Who writes it.
    record : Record
        As it is to be.
    place : Path
        Its folder.
    """
    record = replace(record, links=links_of_crate(connection, record))
    write_crate(place / FILENAME, export(record).encode())
    save(connection, record, place, reader)


def place_for(connection: Connection, reader: Reader, id: str) -> Path:
    """Find the folder of a record that a reader may change.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who wants to change it.
    id : str
        Identifier of the record.

    Returns
    -------
    Path
        Its folder.

    Raises
    ------
    InputError
        There is no such record that the reader may see.
    NotAllowed
        It is not this reader's to change.
    """
    place = queries.place_of(connection, reader, id)
    if place is None:
        raise InputError(
            f"there is no record {id[:80]!r} in this catalogue; file it with: tomarium ingest FOLDER"
        )
    if not place.mine:
        raise NotAllowed(Sentence(form_words.NOT_YOURS, id=id, name=reader.name or "a visitor"))
    return place.folder
