"""Sets of published records that can be harvested alone: open data, by technique, instrument, facility, collection.

A set is named as OAI-PMH names sets: "open", "technique:PaNET01207", "instrument:BM05", "collection:teeth". What is no
letter, digit or one of "-_.*'()~" stands as "!" and two digits for each of its bytes: "instrument:X02DA!20TOMCAT".
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, or_, select

from tomarium.catalogue.reader import Reader, may_see
from tomarium.catalogue.record_changes import Changed
from tomarium.catalogue.tables import entities, facets, records, totals
from tomarium.standards import panet

OPEN: Final = "open"
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-_.*'()~]")
_SPELLED: Final = re.compile(r"(?:[A-Za-z0-9\-_.*'()~]|![0-9A-F]{2})+")
_LABELS: Final = {"technique": "Technique", "instrument": "Instrument", "facility": "Facility"}


def all_sets(connection: Connection, reader: Reader) -> dict[str, str]:
    """List the sets in which there are published records.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        `ANYBODY`, or `OPEN_ONLY`.

    Returns
    -------
    dict of str to str
        Name of the set → what it holds, for people.
    """
    of, condition = (
        (records.c, may_see(reader)) if reader.open_only else (totals.c, may_see(reader, of=totals.c))
    )
    used = select(of.facets).where(condition).distinct()
    query = select(facets.c.name, facets.c.value).where(facets.c.facets.in_(used), facets.c.name.in_(_LABELS))
    sets = {OPEN: "Records whose files are open to everybody"}
    for row in connection.execute(query.distinct().order_by(facets.c.name, facets.c.value)):
        for value in _named_by(row.name, row.value):
            sets[set_name(row.name, value)] = f"{_LABELS[row.name]}: {_value_in_words(row.name, value)}"
    for id, name, _ in _collections(connection):
        sets[set_name("collection", id)] = f"Collection: {name}"
    return sets


def is_in_set(connection: Connection, name: str) -> ColumnElement[bool] | None:
    """Return the condition on `record` that it is in a set.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    name : str
        Name of the set; any text.

    Returns
    -------
    ColumnElement of bool or None
        None where there can be no such set. A withdrawn record stays in the sets it was in, so that those who
        harvested one of them learn of it.
    """
    if name == OPEN:
        return or_(records.c.open_from <= time.time(), records.c.state == "withdrawn")
    kind, value = read_set_name(name)
    if kind == "collection":
        members = next((member_ids for id, _, member_ids in _collections(connection, value)), None)
        return None if members is None else records.c.id.in_(members)
    if kind not in _LABELS:
        return None
    values = panet.narrower(value) if kind == "technique" else (value,)
    return records.c.facets.in_(
        select(facets.c.facets).where(facets.c.name == kind, facets.c.value.in_(sorted(values)))
    )


def sets_of(connection: Connection, changes: Sequence[Changed]) -> dict[str, list[str]]:
    """Tell the sets that records are in.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    changes : sequence of Changed
        The records.

    Returns
    -------
    dict of str to list of str
        Identifier → names of sets.
    """
    facet_sets = {changed.facets for changed in changes}
    query = select(facets).where(facets.c.facets.in_(facet_sets), facets.c.name.in_(_LABELS))
    of_facets: dict[int, dict[str, None]] = {}
    for row in connection.execute(query.order_by(facets.c.name, facets.c.value)):
        names = [set_name(row.name, value) for value in _named_by(row.name, row.value)]
        of_facets.setdefault(row.facets, {}).update(dict.fromkeys(names))
    sets = {
        changed.id: [
            *([OPEN] if changed.open or changed.withdrawn else []),
            *of_facets.get(changed.facets, ()),
        ]
        for changed in changes
    }
    for id, _, members in _collections(connection):
        for member in sets.keys() & members:
            sets[member].append(set_name("collection", id))
    return sets


def set_name(kind: str, value: str) -> str:
    """Name a set, "instrument:X02DA!20TOMCAT"."""
    signs = (
        sign if _PLAIN.fullmatch(sign) else "".join(f"!{byte:02X}" for byte in sign.encode())
        for sign in value
    )
    return f"{kind}:{''.join(signs)}"


def read_set_name(name: str) -> tuple[str, str]:
    """Read the name of a set, any text: its kind, and the value; "" and "" where it is no such name."""
    kind, _, spelled = name.partition(":")
    if not _SPELLED.fullmatch(spelled):
        return "", ""
    try:
        return kind, re.sub(r"!(..)", lambda match: chr(int(match[1], 16)), spelled).encode(
            "latin-1"
        ).decode()
    except UnicodeDecodeError:
        return "", ""


def _named_by(name: str, value: str) -> Iterable[str]:
    """Tell what a facet's value belongs to: a technique to every broader one that is known."""
    return sorted(panet.broader(value)) if name == "technique" else (value,)


def _value_in_words(name: str, value: str) -> str:
    label = panet.label_of(value) if name == "technique" else value
    return label if label == value else f"{label} ({value})"


def _collections(connection: Connection, id: str | None = None) -> list[tuple[str, str, set[str]]]:
    """List published collections: identifier, name and members."""
    query = select(entities).where(entities.c.kind == "collection", entities.c.published_utc.is_not(None))
    query = query if id is None else query.where(entities.c.id == id)
    rows = connection.execute(query.order_by(entities.c.id)).all()
    return [(row.id, row.name, set(row.facts.get("members", ()))) for row in rows]
