"""Conditions of the PaNOSC search API as SQL, on bodies of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, not_, or_, select, true

from tomarium import units
from tomarium.catalogue.json_columns import NumberAt, ObjectAt, TextAt, items_of
from tomarium.catalogue.panosc_filter import Group, Test
from tomarium.errors import ParameterError
from tomarium.standards.panet import ADDRESS, address_of, id_of, narrower, terms
from tomarium.standards.panosc_units import base_of

LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
"""What the databases do alike: the letters A to Z, whatever their locale."""


@dataclass(frozen=True)
class JsonObject:
    """One object that conditions are asked of.

    Attributes
    ----------
    model : str
        Of `standards.panosc.MODELS`.
    value : ColumnElement
        The object, JSON.
    reckoned : Mapping of str to ColumnElement
        Properties that do not stand in it, as texts.
    """

    model: str
    value: ColumnElement[Any]
    reckoned: Mapping[str, ColumnElement[Any]]


def meets(
    connection: Connection, json_object: JsonObject, group_or_test: Group | Test
) -> ColumnElement[bool]:
    """Return the condition that an object meets what is asked.

    Parameters
    ----------
    connection : Connection
        Of the database that is asked.
    json_object : JsonObject
        The object.
    group_or_test : Group or Test
        What is asked.

    Returns
    -------
    ColumnElement of bool
        NULL is as good as false. A property that is not told is null: it is equal to null alone, and nothing is below
        or above it.
    """
    if isinstance(group_or_test, Group):
        parts = [meets(connection, json_object, part) for part in group_or_test.parts]
        return and_(true(), *parts) if group_or_test.join == "and" else or_(false(), *parts)
    condition = _positive(connection, json_object, group_or_test)
    return not_(func.coalesce(condition, false())) if group_or_test.negated else condition


def _positive(connection: Connection, json_object: JsonObject, test: Test) -> ColumnElement[bool]:
    values = test.value if test.operator in ("inq", "between") else (test.value,)
    if test.kind == "":  # no such property, so null
        return true() if test.operator in ("eq", "inq") and None in values else false()
    if test.operator in ("eq", "inq") and None in values:
        not_null = tuple(value for value in values if value is not None)
        test_of_values = Test(test.name, test.kind, "inq", not_null, unit=test.unit)
        return or_(
            _absent(json_object, test),
            _positive(connection, json_object, test_of_values) if not_null else false(),
        )
    if json_object.model == "Technique" and test.operator in ("eq", "inq"):
        return _technique(json_object, test.name, values)
    if test.kind == "texts":
        items = items_of(connection, json_object.value, test.name, texts=True)
        return exists(select(items.c.value).where(_compare(connection, items.c.value, test.operator, values)))
    if test.kind == "any":
        return _any(connection, json_object, test, values)
    if json_object.model == "Parameter" and test.name == "unit" and test.operator == "eq":
        base = base_of(test.value)
        if base is not None:
            return TextAt(json_object.value, "base") == base
    return _compare(connection, _column(json_object, test), test.operator, _as_texts(values))


def _column(json_object: JsonObject, test: Test) -> ColumnElement[Any]:
    if test.name in json_object.reckoned:
        return json_object.reckoned[test.name]
    return (
        NumberAt(json_object.value, test.name)
        if test.kind == "number"
        else TextAt(json_object.value, test.name)
    )


def _absent(json_object: JsonObject, test: Test) -> ColumnElement[bool]:
    if test.name in json_object.reckoned:
        return json_object.reckoned[test.name].is_(None)
    return ObjectAt(json_object.value, test.name).is_(None)


def _as_texts(values: Sequence[Any]) -> list[Any]:
    """Write truth values as they are compared."""
    return [str(value).lower() if isinstance(value, bool) else value for value in values]


def _any(
    connection: Connection, json_object: JsonObject, test: Test, values: Sequence[Any]
) -> ColumnElement[bool]:
    """Compare a value that may be a number or a text with those of its own kind; with a unit in its base unit."""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str)]
    if test.operator == "between" and texts and numbers:
        raise ParameterError(f"between compares {test.name} with two numbers or two texts")
    conditions = []
    if texts:
        conditions.append(_compare(connection, TextAt(json_object.value, test.name), test.operator, texts))
    if numbers:
        base = base_of(test.unit) if test.unit else None
        key = test.name
        if base is not None:
            key, numbers = "si", [units.convert(number, test.unit, base) for number in numbers]
        conditions.append(_compare(connection, NumberAt(json_object.value, key), test.operator, numbers))
    return or_(false(), *conditions)


def _technique(json_object: JsonObject, name: str, values: Sequence[Any]) -> ColumnElement[bool]:
    """Compare with techniques of PaNET and all that they comprise."""
    texts = [str(value) for value in values]
    ids: set[str] = set()
    for text in texts:
        id = text.removeprefix(ADDRESS)
        if name == "name":
            try:
                id = id_of(text)
            except ParameterError:
                continue
        if id in terms():
            ids |= narrower(id)
    told_ids = [*ids, *map(address_of, sorted(ids))]
    same: ColumnElement[bool] = TextAt(json_object.value, name).in_(texts)
    if not ids:
        return same
    return or_(same, *(TextAt(json_object.value, key).in_(told_ids) for key in ("pid", "panetId")))


def _compare(
    connection: Connection, column: ColumnElement[Any], operator: str, values: Sequence[Any]
) -> ColumnElement[bool]:
    first = values[0] if values else None
    if operator == "inq":
        return column.in_(values)
    if operator == "between":
        return and_(column >= values[0], column <= values[1])
    if operator in ("like", "ilike"):
        return like(connection, column, str(first), folded=operator == "ilike")
    if first is None:
        return false()
    return {"eq": column.__eq__, "lt": column.__lt__, "lte": column.__le__, "gt": column.__gt__,
            "gte": column.__ge__}[operator](first)  # fmt: skip


def like(
    connection: Connection, column: ColumnElement[Any], pattern: str, *, folded: bool
) -> ColumnElement[bool]:
    """Return the condition that a text is like a pattern.

    Parameters
    ----------
    connection : Connection
        Of the database that is asked.
    column : ColumnElement
        The text.
    pattern : str
        In it "%" stands for any letters, "_" for one, and a backslash takes the next sign as it is.
    folded : bool
        Whether capitals A to Z do not matter.

    Returns
    -------
    ColumnElement of bool
        NULL where there is no text.
    """
    if folded:
        column, pattern = func.lower(column), pattern.translate(LOWER)
    if connection.dialect.name == "sqlite":  # whose LIKE never minds capitals
        return column.op("GLOB", is_comparison=True)(_glob(pattern))
    return column.like(pattern, escape="\\")


def _glob(pattern: str) -> str:
    written, signs = "", iter(pattern)
    for sign in signs:
        if sign == "%":
            written += "*"
        elif sign == "_":
            written += "?"
        else:
            plain = next(signs, "") if sign == "\\" else sign
            written += f"[{plain}]" if plain and plain in "*?[" else plain
    return written
