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


def read_companions(words: Iterable[str], techniques: Sequence[str]) -> tuple[Companion, ...]:
    """Find what techniques are called in a catalogue.

    Parameters
    ----------
    words : iterable of str
        As `values_of` takes them; empty ones are left out.
    techniques : sequence of str
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
    unique_words = dict.fromkeys(" ".join(word.split()) for word in words)
    return tuple(Companion(word, values_of(word, techniques)) for word in unique_words if word)


def has_companions(
    reader: Reader, companions: Sequence[Companion], id: ColumnElement[str], *, hides: bool
) -> ColumnElement[bool]:
    """Return the condition on `record` that images of its specimen have techniques.

    Parameters
    ----------
    reader : Reader
        Who asks: what this reader may not see has no part in it.
    companions : sequence of Companion
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
    if not all(companion.values for companion in companions):
        return false()
    at = [_at_specimens(reader, companion.values, hides) for companion in companions]
    another_condition = [id.in_(_records_at(at_specimens, another=True)) for at_specimens in at]
    if len(companions) == 1:
        return another_condition[0]
    return and_(
        *(id.in_(_records_at(at_specimens, another=False)) for at_specimens in at), or_(*another_condition)
    )


def _at_specimens(reader: Reader, values: Sequence[str], hides: bool) -> Subquery:
    """Select specimens with the number of records of a technique, one of these, and how many were told to be of it."""
    linked, other_records = record_entities.alias("there"), records.alias("other")
    sets = select(facets.c.facets).where(facets.c.name == "technique", facets.c.value.in_(values))
    statement = (
        select(
            linked.c.entity,
            func.count().label("held"),
            func.min(linked.c.record).label("one"),
            func.sum(linked.c.chosen).label("own"),
        )
        .select_from(linked)
        .join(other_records, other_records.c.id == linked.c.record)
        .join(entities, entities.c.id == linked.c.entity)
        .where(
            entities.c.kind == "specimen",
            other_records.c.facets.in_(sets),
            *_seen(reader, other_records.c, hides),
        )
        .group_by(linked.c.entity)
    )
    return statement.correlate(None).subquery()


def _records_at(at: Subquery, *, another: bool) -> Select[tuple[str]]:
    """Select the records of these specimens, of what they were made from and of what was made from them."""
    linked = record_entities.alias("here")
    # Its own specimen has this record too, and those of all that was made from it. Of what it was made from, only the
    # records that were told to be of that count: the others are of other pieces.
    same = or_(at.c.held > 1, at.c.one != linked.c.record) if another else true()
    statement = (
        select(linked.c.record)
        .select_from(linked)
        .join(at, at.c.entity == linked.c.entity)
        .where(or_(and_(linked.c.chosen == 1, same), and_(linked.c.chosen == 0, at.c.own > 0)))
    )
    return statement.correlate(None)


def _seen(reader: Reader, of: Any, hides: bool) -> list[ColumnElement[bool]]:
    return [may_see(reader, of=of), *([of.id.not_in(select(stale_records.c.record))] if hides else [])]


def any_linked(connection: Connection) -> bool:
    """Tell whether any record is of a specimen or of anything else that is described."""
    return connection.execute(select(record_entities.c.record).limit(1)).first() is not None


def count_companions(
    connection: Connection,
    reader: Reader,
    numbers_and_sets: Sequence[tuple[str, int]],
    companions: Sequence[Companion],
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
    numbers_and_sets : sequence of (str, int)
        Identifier and set of facets of the records that are found whatever techniques are asked of other images, one
        more than `MOST` where there are more.
    companions : sequence of Companion
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
    chosen = [FacetChoice(companion.word, total, True) for companion in companions]
    beside = (
        _beside(connection, reader, numbers_and_sets, sets, hides=hides)
        if len(numbers_and_sets) <= MOST
        else []
    )
    techniques = sets.values("technique")
    chosen_values = {companion.values for companion in companions}
    counts = {}
    for value in sorted({value for own, other_techniques in beside for value in own | other_techniques}):
        (companion,) = read_companions([value], techniques)
        if companion.values in chosen_values:
            continue
        value_sets = [set(each_companion.values) for each_companion in (*companions, companion)]
        counts[value] = sum(_meets(own, other_techniques, value_sets) for own, other_techniques in beside)
    free = [
        FacetChoice(value, n, False) for value, n in sorted(counts.items(), key=lambda item: -item[1]) if n
    ]
    return FacetCounts(NAME, LABEL, (*chosen, *free)) if chosen or free else None


def _meets(own: set[str], other_techniques: set[str], value_sets: Sequence[set[str]]) -> bool:
    """Tell what `has_companions` does of one record by the techniques of it and of the other images."""
    if len(value_sets) == 1:
        return bool(other_techniques & value_sets[0])
    return all((own | other_techniques) & values for values in value_sets) and any(
        other_techniques & values for values in value_sets
    )


def _beside(
    connection: Connection,
    reader: Reader,
    numbers_and_sets: Sequence[tuple[str, int]],
    sets: FacetSets,
    *,
    hides: bool,
) -> list[tuple[set[str], set[str]]]:
    """Return the techniques of each record that is of a specimen, and those of the specimen's other images."""
    set_of = dict(numbers_and_sets)
    of_records: dict[str, list[tuple[str, bool]]] = {}
    for record_ids in _parts(list(set_of)):
        statement = (
            select(record_entities)
            .join(entities, entities.c.id == record_entities.c.entity)
            .where(unindexed(entities.c.kind) == "specimen", record_entities.c.record.in_(record_ids))
        )
        for row in connection.execute(statement):
            of_records.setdefault(row.record, []).append((row.entity, row.chosen == 1))
    at: dict[str, list[tuple[int, int, int]]] = {}
    for entity_ids in _parts(sorted({entity for rows in of_records.values() for entity, _ in rows})):
        counted = (
            select(
                record_entities.c.entity,
                records.c.facets,
                func.count().label("held"),
                func.sum(record_entities.c.chosen).label("own"),
            )
            .join(records, records.c.id == record_entities.c.record)
            .where(record_entities.c.entity.in_(entity_ids), *_seen(reader, records.c, hides))
            .group_by(record_entities.c.entity, records.c.facets)
        )
        for row in connection.execute(counted):
            at.setdefault(row.entity, []).append((row.facets, row.held, int(row.own)))
    techniques_of_sets = sets.values_of_sets("technique") if of_records else {}
    beside = []
    for record, rows in of_records.items():
        own_set, other_techniques = set_of[record], set[str]()
        for entity, is_own in rows:
            for number, record_count, own in at.get(entity, ()):
                # The record itself is one of its own specimen's, and no image of an ancestor's.
                if (record_count - (number == own_set) if is_own else own) > 0:
                    other_techniques |= techniques_of_sets.get(number, frozenset())
        beside.append((set(techniques_of_sets.get(own_set, ())), other_techniques))
    return beside


def _parts(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
