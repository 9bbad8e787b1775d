"""Queries of the PaNOSC search API: datasets, documents and instruments of this catalogue and of harvested ones.

Each is a row of `shared` (`standards.panosc`), found by conditions in SQL (`panosc_rows`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    column,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.json_columns import NumberAt, TextAt, items_of
from tomarium.catalogue.panosc_conditions import LOWER, JsonObject, like
from tomarium.catalogue.panosc_filter import ALL, Filter, Group, Include, Test
from tomarium.catalogue.panosc_rows import Question, Rows, meets_inside
from tomarium.catalogue.queries import RANKED_AT_MOST
from tomarium.catalogue.tables import shared, shared_links
from tomarium.catalogue.words import read_terms
from tomarium.errors import ParameterError
from tomarium.standards.panosc import MODELS, RELATIONS, TEXTS
from tomarium.standards.panosc_units import base_of, from_base

MOST_INCLUDED: Final = 10_000
"""Related datasets, documents or instruments of one answer."""
_WORDS: Final = 10  # of a query that scores


def count(question: Question, model: str, where: Group) -> int:
    """Count what a reader finds.

    Parameters
    ----------
    question : Question
        Who asks of what.
    model : str
        Of `standards.panosc.ROOTS`.
    where : Group
        The conditions.

    Returns
    -------
    int
        A document that several records tell of counts once.
    """
    rows = Rows(question, model)
    pids = select(rows.shared.c.source, rows.shared.c.pid).select_from(rows.tables)
    pids = pids.where(rows.visible, rows.meets(Filter(where))).distinct()
    return int(question.connection.execute(select(func.count()).select_from(pids.subquery())).scalar_one())


def find(question: Question, model: str, conditions: Filter) -> list[dict[str, Any]]:
    """Find datasets, documents or instruments.

    Parameters
    ----------
    question : Question
        Who asks of what.
    model : str
        Of `standards.panosc.ROOTS`.
    conditions : Filter
        What is asked.

    Returns
    -------
    list of dict
        As the API tells them: the best scored first where there is a query, else in the order that is asked for, else
        datasets with the newest first, and others by their identifiers.

    Raises
    ------
    ParameterError
        The answer would include too much.
    """
    rows = Rows(question, model)
    newest_first = model == "Dataset" and not conditions.order and not conditions.query.strip()
    page = _newest(rows, conditions) if newest_first else _sorted(question, rows, conditions)
    places = question.connection.execute(page.limit(conditions.limit).offset(conditions.skip)).all()
    rows_by_place = _bodies(question, model, [(row.holder, row.pid) for row in places])
    answer_rows = [
        rows_by_place[row.holder, row.pid] for row in places if (row.holder, row.pid) in rows_by_place
    ]
    for answer_row, row in zip(answer_rows, places, strict=True):
        answer_row.out["score"] = round(float(row.score or 0.0), 6)
    _include(question, model, answer_rows, conditions)
    return [_only(row.out, conditions) for row in answer_rows]


def _newest(rows: Rows, conditions: Filter) -> Select[Any]:
    """Select datasets in the order of their records, which ends when a page is full."""
    of, number = rows.shared.c, rows.record.c.number
    page = select(of.source, of.pid, of.holder, literal(0.0).label("score")).select_from(rows.by_record)
    return page.where(rows.visible_one_by_one, rows.meets(conditions)).order_by(number.desc())


def _sorted(question: Question, rows: Rows, conditions: Filter) -> Select[Any]:
    """Select rows in the order that is asked for."""
    of = rows.shared.c
    score, terms = _score(question, rows, conditions.query)
    source = (
        rows.tables if terms is None else rows.tables.outerjoin(terms, terms.c.number == rows.record.c.number)
    )
    # What several records tell of is told once, as the last of them in the order of identifiers tells it.
    columns = (of.source, of.pid, func.max(of.holder).label("holder"), func.max(score).label("score"))
    page = select(*columns).select_from(source).where(rows.visible, rows.meets(conditions))
    if conditions.query.strip():
        page = page.where(score > 0)
    return page.group_by(of.source, of.pid).order_by(*_order(rows, conditions))


def one_of(question: Question, model: str, pid: str, conditions: Filter) -> dict[str, Any] | None:
    """Find one by its identifier: a dataset of ours also by that of its record; None where there is none.

    Parameters
    ----------
    question : Question
        Who asks of what.
    model : str
        Of `standards.panosc.ROOTS`.
    pid : str
        Any text.
    conditions : Filter
        What is told of it: relations and fields.

    Returns
    -------
    dict or None
        As `find` tells it.
    """
    exact = replace(
        conditions, where=Group("and", (Test("pid", "text", "eq", pid),)), limit=1, skip=0, query=""
    )
    if bodies := find(question, model, exact):
        return bodies[0]
    rows = Rows(question, model)
    pids = select(rows.shared.c.pid).select_from(rows.tables).where(rows.visible, rows.shared.c.holder == pid)
    other_pid = question.connection.execute(pids).scalars().first() if model == "Dataset" else None
    return one_of(question, model, other_pid, conditions) if other_pid not in (None, pid) else None


def files_of(question: Question, pid: str, conditions: Filter) -> list[dict[str, Any]] | None:
    """List the files that a dataset tells of; None where there is no such dataset."""
    include = Include("files", replace(conditions, limit=conditions.limit), demanded=False)
    dataset = one_of(question, "Dataset", pid, Filter(include=(include,)))
    return None if dataset is None else dataset["files"]


@dataclass
class _Row:
    """A row of an answer, and what is told of it."""

    holder: str
    pid: str
    source: int
    body: Mapping[str, Any]
    out: dict[str, Any]


def _row(model: str, row: Any) -> _Row:
    out = {name: row.body[name] for name in MODELS[model] if name in row.body}
    if model == "Dataset":
        out["isPublic"] = row.isPublic == "true"
    elif "isPublic" in MODELS[model]:
        out["isPublic"] = row.isPublic != "false"
    if model == "Dataset" and row.url:
        out["url"] = row.url
    return _Row(row.holder, row.pid, row.source, row.body, out | {"provider": row.provider})


def _bodies(question: Question, model: str, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], _Row]:
    rows = Rows(question, model)
    of = rows.shared.c
    statement = select(*rows.columns).select_from(rows.tables).where(
        of.model == model, of.holder.in_({holder for holder, _ in places}), of.pid.in_({pid for _, pid in places})
    )  # fmt: skip
    return {(row.holder, row.pid): _row(model, row) for row in question.connection.execute(statement)}


def _order(rows: Rows, conditions: Filter) -> Iterator[ColumnElement[Any]]:
    if conditions.query.strip():
        yield column("score").desc()
    for name, down in conditions.order:
        kind = MODELS[rows.model].get(name, "")
        value = rows.json_object.reckoned.get(name)
        if value is None:
            value = (
                NumberAt(rows.json_object.value, name)
                if kind == "number"
                else TextAt(rows.json_object.value, name)
            )
        first = func.max(value)
        yield case((first.is_(None), 1), else_=0)  # those without a value last, in both databases
        yield first.desc() if down else first.asc()
    if rows.model == "Dataset" and not conditions.order:
        yield func.coalesce(func.max(rows.record.c.number), 0).desc()
    yield rows.shared.c.pid.asc()
    yield rows.shared.c.source.asc()


def _score(question: Question, rows: Rows, query: str) -> tuple[ColumnElement[Any], Any]:
    """Reckon a score from 0 to 1: the share of words in the title and the like; of datasets by all that is searched.

    A dataset that holds all words somewhere has at least a half, the most relevant of all 1.
    """
    words = list(dict.fromkeys(query.translate(LOWER).split()))[:_WORDS]
    if not words:
        return literal(0.0), None
    share: ColumnElement[Any] = literal(0.0)
    for word in words:
        pattern = "%" + "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in word) + "%"
        has = [
            like(question.connection, TextAt(rows.json_object.value, name), pattern, folded=True)
            for name in TEXTS[rows.model]
        ]
        share = share + case((func.coalesce(or_(false(), *has), false()), 1.0 / len(words)), else_=0.0)
    terms = read_terms(query) if rows.model == "Dataset" else ()
    if not terms:
        return share, None
    match, score = dialect_of(question.connection).match(terms)
    score = score.label("score")
    # Ranked apart: SQLite's bm25 cannot be asked where rows are put together.
    subquery = (
        select(match.c.number, score)
        .select_from(match)
        .order_by(score.desc())
        .limit(RANKED_AT_MOST)
        .subquery()
    )
    best = question.connection.execute(select(subquery.c.score).limit(1)).scalar()
    if not best or best <= 0:
        return share * 0.5, None
    return case(
        (subquery.c.score.is_not(None), 0.5 + 0.5 * subquery.c.score / float(best)), else_=share * 0.5
    ), subquery


def _include(question: Question, model: str, answer_rows: Sequence[_Row], conditions: Filter) -> None:
    """Tell what is related to the rows of an answer."""
    for include in conditions.include:
        relation = RELATIONS[model][include.relation]
        if relation.inside:
            _include_inner(question, model, answer_rows, include)
        else:
            _include_others(question, model, answer_rows, include)


def _include_inner(question: Question, model: str, answer_rows: Sequence[_Row], include: Include) -> None:
    relation = RELATIONS[model][include.relation]
    inner = include.asked
    if inner.where == ALL and not any(include.demanded for include in inner.include):
        lists = {(row.holder, row.pid): list(row.body.get(relation.inside, ())) for row in answer_rows}
    else:
        lists = {(row.holder, row.pid): [] for row in answer_rows}
        of = shared.alias()
        items = items_of(question.connection, of.c.body, relation.inside)
        inside = JsonObject(relation.model, items.c.value, {})
        query = select(of.c.holder, of.c.pid, items.c.value).select_from(of.join(items, true())).where(
            of.c.model == model,
            of.c.holder.in_({row.holder for row in answer_rows}),
            of.c.pid.in_({row.pid for row in answer_rows}),
            meets_inside(question.connection, inside, inner),
        ).order_by(of.c.holder, of.c.pid, items.c.key)  # fmt: skip
        for holder, pid, value in question.connection.execute(query):
            if (holder, pid) in lists:
                lists[holder, pid].append(value if isinstance(value, dict) else json.loads(value))
    for row in answer_rows:
        told_ones = lists[row.holder, row.pid][inner.skip : inner.skip + inner.limit]
        row.out[include.relation] = [
            _only(_plain(relation.model, inner_object, inner), inner) for inner_object in told_ones
        ]


def _plain(model: str, values: Mapping[str, Any], conditions: Filter) -> dict[str, Any]:
    """Tell one object that lies in another: its properties, in the unit that was asked for, and what it includes."""
    out = {name: values[name] for name in MODELS[model] if name in values}
    if model == "Parameter":
        out |= _in_unit(values, conditions.where)
    for include in conditions.include:
        relation = RELATIONS[model][include.relation]
        inner = values.get(relation.inside)
        if isinstance(inner, Mapping):
            out[include.relation] = _only(_plain(relation.model, inner, include.asked), include.asked)
    return out


def _in_unit(values: Mapping[str, Any], where: Group) -> dict[str, Any]:
    for names, unit in _units(where, frozenset()):
        if values.get("base") == base_of(unit) and (not names or values.get("name") in names):
            return (
                {"value": from_base(values["si"], values["base"], unit), "unit": unit}
                if "si" in values
                else {}
            )
    return {}


def _units(where: Group, names: frozenset[str]) -> Iterator[tuple[frozenset[str], str]]:
    """Find the units that were asked for, each with the names of parameters that stand beside it."""
    tests = list(_flat(where)) if where.join == "and" else []
    names_tested = {
        str(test.value)
        for test in tests
        if test.name == "name" and test.operator == "eq" and not test.negated
    }
    names = frozenset(names_tested) or names
    for test in tests:
        if test.name == "unit" and test.operator == "eq" and not test.negated and isinstance(test.value, str):
            yield names, test.value
    for part in where.parts:
        if isinstance(part, Group):
            yield from _units(part, names)


def _flat(where: Group) -> Iterator[Test]:
    """List the tests that must all be met."""
    for part in where.parts:
        if isinstance(part, Test):
            yield part
        elif part.join == "and":
            yield from _flat(part)


def _include_others(question: Question, model: str, answer_rows: Sequence[_Row], include: Include) -> None:
    relation = RELATIONS[model][include.relation]
    rows, related_rows, link = Rows(question, model), Rows(question, relation.model), shared_links.alias()
    near_pid, far_pid = rows.end(link), related_rows.end(link)
    kind = model if relation.model == "Dataset" else relation.model
    of_these = and_(near_pid.in_({row.pid for row in answer_rows}), link.c.model == kind)
    of = related_rows.shared.c
    place = tuple_(of.source, of.pid)
    # Of ours a dataset's own record tells its document and instrument, as many others do.
    told_by = or_(of.source > 0, of.holder.in_({row.holder for row in answer_rows}))
    own = told_by if model == "Dataset" else true()
    query: Select[Any] = (
        select(*related_rows.columns)
        .select_from(related_rows.tables)
        .where(place.in_(select(link.c.source, far_pid).where(of_these)), own)
        .where(related_rows.visible, related_rows.meets(include.asked))
        .order_by(of.pid, of.holder.desc())
        .limit(MOST_INCLUDED + 1)
    )
    answered = question.connection.execute(query).all()
    if len(answered) > MOST_INCLUDED:
        raise ParameterError(
            f"{include.relation} of these has more than {MOST_INCLUDED} entries; ask for fewer with limit, or for "
            f"{relation.model}s by themselves"
        )
    first_rows: dict[tuple[int, str], Any] = {}
    for row in answered:
        first_rows.setdefault((row.source, row.pid), row)
    links = select(link.c.source, near_pid, far_pid).where(
        of_these, far_pid.in_({row.pid for row in answered})
    )
    lists: dict[tuple[int, str], dict[str, _Row]] = {}
    for source, of_pid, pid in question.connection.execute(links.order_by(far_pid)):
        if (source, pid) in first_rows:
            lists.setdefault((source, of_pid), {})[pid] = _row(relation.model, first_rows[source, pid])
    pages = {
        key: list(related_rows.values())[include.asked.skip :][: include.asked.limit]
        for key, related_rows in lists.items()
    }
    _include(
        question,
        relation.model,
        [row for related_rows in pages.values() for row in related_rows],
        include.asked,
    )
    for answer_row in answer_rows:
        bodies = [
            _only(related_row.out, include.asked)
            for related_row in pages.get((answer_row.source, answer_row.pid), [])
        ]
        if relation.many:
            answer_row.out[include.relation] = bodies
        elif bodies:
            answer_row.out[include.relation] = bodies[0]


def _only(out: dict[str, Any], conditions: Filter) -> dict[str, Any]:
    if conditions.fields is None:
        return out
    names = conditions.fields | {include.relation for include in conditions.include}
    return {name: value for name, value in out.items() if name in names}
