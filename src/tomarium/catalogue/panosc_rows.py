"""Rows of `shared`, which the PaNOSC search API tells: who may know of them, and what they must be.

A row of ours is told where its record is published and the reader may see it; one that was harvested is told to
everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
)

from tomarium.catalogue.harvest_tables import harvest_sources
from tomarium.catalogue.json_columns import ObjectAt, TextAt, items_of
from tomarium.catalogue.panosc_conditions import JsonObject, meets
from tomarium.catalogue.panosc_filter import Filter, Include
from tomarium.catalogue.panosc_ranges import rare_in_range
from tomarium.catalogue.reader import ANYBODY, Reader, may_open, may_see
from tomarium.catalogue.tables import records, shared, shared_links, stale_records
from tomarium.catalogue.unindexed import unindexed
from tomarium.standards.panosc import RELATIONS

OWN: Final = "own"
EVERY: Final = "all"


@dataclass(frozen=True)
class Question:
    """Who asks of what.

    Attributes
    ----------
    connection : Connection
        Of a catalogue.
    reader : Reader
        Who asks.
    provider : str
        "own" for this catalogue alone, "all", or the title of a harvested one.
    name : str
        What this catalogue is called.
    records : str
        What the addresses of its records begin with, up to the identifier; "" where they are not told.
    """

    connection: Connection
    reader: Reader
    provider: str = EVERY
    name: str = ""
    records: str = ""


class Rows:
    """The rows of `shared` under names of their own, with their record and their source."""

    def __init__(self, question: Question, model: str) -> None:
        self.model = model
        self.shared, self.record, self.source = shared.alias(), records.alias(), harvest_sources.alias()
        self._asked = question
        of = self.shared.c
        own = of.source == 0
        address = func.nullif(literal(question.records, Text).concat(of.holder), of.holder)
        is_open = case((may_open(ANYBODY, of=self.record.c), "true"), else_="false")
        self.json_object = JsonObject(model, of.body, {
            "pid": of.pid,
            "isPublic": case((own, is_open), else_=TextAt(of.body, "isPublic")) if model == "Dataset"
            else TextAt(of.body, "isPublic"),
            "url": case((own, address), else_=TextAt(of.body, "url")),
            "provider": case((own, literal(question.name, Text)), else_=self.source.c.title),
        })  # fmt: skip

    @property
    def tables(self) -> FromClause:
        """Return all rows of `shared`, with their record and their source."""
        return self.beside(self.shared)

    def beside(self, shared_rows: FromClause) -> FromClause:
        """Join the records and sources of rows to tables that hold these."""
        of = self.shared.c
        with_records = shared_rows.outerjoin(self.record, self.record.c.id == of.holder)
        return with_records.outerjoin(self.source, self.source.c.number == of.source)

    @property
    def by_record(self) -> FromClause:
        """Return the rows that have a record, as all datasets do, to be read in the order of the records."""
        of = self.shared.c
        joined = self.record.join(self.shared, of.holder == self.record.c.id)
        return joined.outerjoin(self.source, self.source.c.number == of.source)

    @property
    def columns(self) -> tuple[ColumnElement[Any], ...]:
        """Return what an answer is made of."""
        of = self.shared.c
        reckoned = (self.json_object.reckoned[name].label(name) for name in ("isPublic", "provider", "url"))
        return (of.holder, of.pid, of.source, of.body, *reckoned)

    @property
    def visible(self) -> ColumnElement[bool]:
        """Tell who may know of a row, of the providers that are asked."""
        return and_(self.shared.c.model == self.model, self._seen)

    @property
    def visible_one_by_one(self) -> ColumnElement[bool]:
        """Tell the same of rows that come in the order of their records, by no index of their own."""
        return and_(unindexed(self.shared.c.model) == self.model, self._seen)

    @property
    def _seen(self) -> ColumnElement[bool]:
        of, reader = self.shared.c, self._asked.reader
        own = and_(
            of.source == 0,
            self.record.c.state == "published",
            may_see(reader, of=self.record.c),
            of.holder.not_in(select(stale_records.c.record)),
        )
        if self._asked.provider == OWN or reader.open_only:
            return own
        if self._asked.provider == EVERY:
            return or_(of.source > 0, own)
        return self.source.c.title == self._asked.provider

    def meets(self, conditions: Filter) -> ColumnElement[bool]:
        """Tell what a row must be, also by what it must be related to."""
        connection = self._asked.connection
        parts = [meets(connection, self.json_object, conditions.where)]
        for include in conditions.include:
            if include.demanded:
                parts += [*self._near(include), self._related(include)]
        return and_(true(), *parts)

    def _near(self, include: Include) -> Iterator[ColumnElement[bool]]:
        """Tell among which datasets all are that have a parameter, where the index knows that they are few."""
        if self.model == "Dataset" and include.relation == "parameters":
            numbers = rare_in_range(self._asked.connection, include)
            if numbers is not None:
                yield self.record.c.number.in_(numbers)

    def _related(self, include: Include) -> ColumnElement[bool]:
        relation = RELATIONS[self.model][include.relation]
        if relation.inside:
            return _has(self._asked.connection, self.json_object, include)
        # Those that are related are found once, not for each row anew.
        place = tuple_(self.shared.c.source, self.shared.c.pid)
        return place.in_(union_all(*(self._related_to(include, own=own) for own in (True, False))))

    def _related_to(self, include: Include, *, own: bool) -> Select[Any]:
        """Select source and identifier of rows that are related to what is asked."""
        related_rows, link = (
            Rows(self._asked, RELATIONS[self.model][include.relation].model),
            shared_links.alias(),
        )
        of = related_rows.shared.c
        # A record of ours tells its document and instrument itself, as many others do: all but its own are left out.
        same = of.holder == link.c.holder if own else of.source > 0
        tables = related_rows.beside(
            link.join(
                related_rows.shared, and_(related_rows.linked(link), same, of.model == related_rows.model)
            )
        )
        places = select(link.c.source, self.end(link)).select_from(tables)
        kind = self.model if related_rows.model == "Dataset" else related_rows.model
        places = places.where(link.c.model == kind, link.c.source == 0 if own else link.c.source > 0)
        return places.where(related_rows.visible, related_rows.meets(include.asked))

    def linked(self, link: Any) -> ColumnElement[bool]:
        """Tell which links lead to these rows."""
        of, same = self.shared.c, link.c.source == self.shared.c.source
        model = true() if self.model == "Dataset" else link.c.model == self.model
        return and_(self.end(link) == of.pid, same, model)

    def end(self, link: Any) -> ColumnElement[Any]:
        """Return the end of links that leads to these rows."""
        end: ColumnElement[Any] = link.c.dataset if self.model == "Dataset" else link.c.pid
        return end


def _has(connection: Connection, json_object: JsonObject, include: Include) -> ColumnElement[bool]:
    """Tell that some of what lies in an object meets what is asked of it."""
    relation = RELATIONS[json_object.model][include.relation]
    if relation.many:
        items = items_of(connection, json_object.value, relation.inside)
        inner = JsonObject(relation.model, items.c.value, {})
        return exists(select(items.c.key).where(meets_inside(connection, inner, include.asked)))
    inner = JsonObject(relation.model, ObjectAt(json_object.value, relation.inside), {})
    return and_(inner.value.is_not(None), meets_inside(connection, inner, include.asked))


def meets_inside(connection: Connection, json_object: JsonObject, conditions: Filter) -> ColumnElement[bool]:
    """Return the condition that an object meets what is asked, also of what lies in it."""
    demands = [_has(connection, json_object, include) for include in conditions.include if include.demanded]
    return and_(meets(connection, json_object, conditions.where), *demands)
