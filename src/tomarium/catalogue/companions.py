"""Records whose specimen has other images: which techniques made these, as far as a reader may see them.

Two records are of one specimen where both are of the same, or one of what the other's was made from, however far
back. Pieces of one block that were not made from each other are specimens of their own. All is reckoned by specimens,
not by pairs of records, so that a specimen of ten thousand images takes no longer than these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Subquery, and_, false, func, or_, select, true

from tomarium.catalogue.facet_counts import FacetChoice, FacetCounts, FacetSets
from tomarium.catalogue.reader import Reader, may_see
from tomarium.catalogue.tables import entities, facets, record_entities, records, stale_records
from tomarium.catalogue.unindexed import unindexed
from tomarium.standards.technique_words import values_of

NAME: Final = "with"
"""As it is asked for in addresses and at the command line."""
LABEL: Final = "Other images of the specimen"
MOST: Final = 2000
"""Records that are counted by the techniques of their specimens' other images; of more only what was chosen is told."""
_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Companion:
    """A technique that other images of the specimen are to have.

    Attributes
    ----------
    word : str
        As it was asked for.
    values : tuple of str
        Values of the facet `technique` that are it; none where no record has it.
    """

    word: str
    values: tuple[str, ...]


def read_companions(words: Iterable[str], known: Sequence[str]) -> tuple[Companion, ...]:
    """Find what techniques are called in a catalogue.

    Parameters
    ----------
    words : iterable of str
        As `values_of` takes them; empty ones are left out.
    known : sequence of str
        Values of the facet `technique`.

    Returns
    -------
    tuple of Companion
        Each word once.

    Raises
    ------
    ParameterError
        A word has no letter.
    """
    asked = dict.fromkeys(" ".join(word.split()) for word in words)
    return tuple(Companion(word, values_of(word, known)) for word in asked if word)


def has_companions(
    reader: Reader, asked: Sequence[Companion], id: ColumnElement[str], *, hides: bool
) -> ColumnElement[bool]:
    """Return the condition on `record` that images of its specimen have techniques.

    Parameters
    ----------
    reader : Reader
        Who asks: what this reader may not see has no part in it.
    asked : sequence of Companion
        Each must be among the images of the specimen, at least one of them in another record: with one technique the
        other image has it; of several the record itself may have some.
    id : ColumnElement
        Identifier of the record.
    hides : bool
        As in `find.Question`.

    Returns
    -------
    ColumnElement of bool
        It holds sets that do not depend on the record, so that each is made once.
    """
    if not all(one.values for one in asked):
        return false()
    at = [_at_specimens(reader, one.values, hides) for one in asked]
    others = [id.in_(_records_at(one, another=True)) for one in at]
    if len(asked) == 1:
        return others[0]
    return and_(*(id.in_(_records_at(one, another=False)) for one in at), or_(*others))


def _at_specimens(reader: Reader, values: Sequence[str], hides: bool) -> Subquery:
    """Select specimens with the number of records of a technique, one of these, and how many were told to be of it."""
    there, other = record_entities.alias("there"), records.alias("other")
    sets = select(facets.c.facets).where(facets.c.name == "technique", facets.c.value.in_(values))
    wanted = (
        select(
            there.c.entity,
            func.count().label("held"),
            func.min(there.c.record).label("one"),
            func.sum(there.c.chosen).label("own"),
        )
        .select_from(there)
        .join(other, other.c.id == there.c.record)
        .join(entities, entities.c.id == there.c.entity)
        .where(entities.c.kind == "specimen", other.c.facets.in_(sets), *_seen(reader, other.c, hides))
        .group_by(there.c.entity)
    )
    return wanted.correlate(None).subquery()


def _records_at(at: Subquery, *, another: bool) -> Select[tuple[str]]:
    """Select the records of these specimens, of what they were made from and of what was made from them."""
    here = record_entities.alias("here")
    # Its own specimen has this record too, and those of all that was made from it. Of what it was made from, only the
    # records that were told to be of that count: the others are of other pieces.
    same = or_(at.c.held > 1, at.c.one != here.c.record) if another else true()
    wanted = (
        select(here.c.record)
        .select_from(here)
        .join(at, at.c.entity == here.c.entity)
        .where(or_(and_(here.c.chosen == 1, same), and_(here.c.chosen == 0, at.c.own > 0)))
    )
    return wanted.correlate(None)


def _seen(reader: Reader, of: Any, hides: bool) -> list[ColumnElement[bool]]:
    return [may_see(reader, of=of), *([of.id.not_in(select(stale_records.c.record))] if hides else [])]


def any_linked(connection: Connection) -> bool:
    """Tell whether any record is of a specimen or of anything else that is described."""
    return connection.execute(select(record_entities.c.record).limit(1)).first() is not None


def count_companions(
    connection: Connection,
    reader: Reader,
    found: Sequence[tuple[str, int]],
    asked: Sequence[Companion],
    sets: FacetSets,
    *,
    total: int,
    hides: bool,
) -> FacetCounts | None:
    """Count records by the techniques of the other images of their specimens.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    found : sequence of (str, int)
        Identifier and set of facets of the records that are found whatever techniques are asked of other images, one
        more than `MOST` where there are more.
    asked : sequence of Companion
        What is asked.
    sets : FacetSets
        Of this catalogue.
    total : int
        Records that are found.
    hides : bool
        As in `find.Question`.

    Returns
    -------
    FacetCounts or None
        Each value with the number that would be found if it were asked for too. None where there is no value.
    """
    chosen = [FacetChoice(one.word, total, True) for one in asked]
    beside = _beside(connection, reader, found, sets, hides=hides) if len(found) <= MOST else []
    known = sets.values("technique")
    taken = {one.values for one in asked}
    counts = {}
    for value in sorted({value for own, others in beside for value in own | others}):
        (more,) = read_companions([value], known)
        if more.values in taken:
            continue
        wanted = [set(one.values) for one in (*asked, more)]
        counts[value] = sum(_meets(own, others, wanted) for own, others in beside)
    free = [
        FacetChoice(value, n, False) for value, n in sorted(counts.items(), key=lambda item: -item[1]) if n
    ]
    return FacetCounts(NAME, LABEL, (*chosen, *free)) if chosen or free else None


def _meets(own: set[str], others: set[str], wanted: Sequence[set[str]]) -> bool:
    """Tell what `has_companions` does of one record by the techniques of it and of the other images."""
    if len(wanted) == 1:
        return bool(others & wanted[0])
    return all((own | others) & one for one in wanted) and any(others & one for one in wanted)


def _beside(
    connection: Connection, reader: Reader, found: Sequence[tuple[str, int]], sets: FacetSets, *, hides: bool
) -> list[tuple[set[str], set[str]]]:
    """Return the techniques of each record that is of a specimen, and those of the specimen's other images."""
    set_of = dict(found)
    of_records: dict[str, list[tuple[str, bool]]] = {}
    for some in _parts(list(set_of)):
        wanted = (
            select(record_entities)
            .join(entities, entities.c.id == record_entities.c.entity)
            .where(unindexed(entities.c.kind) == "specimen", record_entities.c.record.in_(some))
        )
        for row in connection.execute(wanted):
            of_records.setdefault(row.record, []).append((row.entity, row.chosen == 1))
    at: dict[str, list[tuple[int, int, int]]] = {}
    for some in _parts(sorted({entity for rows in of_records.values() for entity, _ in rows})):
        counted = (
            select(
                record_entities.c.entity,
                records.c.facets,
                func.count().label("held"),
                func.sum(record_entities.c.chosen).label("own"),
            )
            .join(records, records.c.id == record_entities.c.record)
            .where(record_entities.c.entity.in_(some), *_seen(reader, records.c, hides))
            .group_by(record_entities.c.entity, records.c.facets)
        )
        for row in connection.execute(counted):
            at.setdefault(row.entity, []).append((row.facets, row.held, int(row.own)))
    told = sets.values_of_sets("technique") if of_records else {}
    beside = []
    for record, rows in of_records.items():
        mine, others = set_of[record], set[str]()
        for entity, is_own in rows:
            for number, held, own in at.get(entity, ()):
                # The record itself is one of its own specimen's, and no image of an ancestor's.
                if (held - (number == mine) if is_own else own) > 0:
                    others |= told.get(number, frozenset())
        beside.append((set(told.get(mine, ())), others))
    return beside


def _parts(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
