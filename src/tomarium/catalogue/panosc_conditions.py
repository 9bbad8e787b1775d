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
class Told:
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


def meets(connection: Connection, told: Told, asked: Group | Test) -> ColumnElement[bool]:
    """Return the condition that an object meets what is asked.

    Parameters
    ----------
    connection : Connection
        Of the database that is asked.
    told : Told
        The object.
    asked : Group or Test
        What is asked.

    Returns
    -------
    ColumnElement of bool
        NULL is as good as false. A property that is not told is null: it is equal to null alone, and nothing is below
        or above it.
    """
    if isinstance(asked, Group):
        parts = [meets(connection, told, part) for part in asked.parts]
        return and_(true(), *parts) if asked.join == "and" else or_(false(), *parts)
    condition = _positive(connection, told, asked)
    return not_(func.coalesce(condition, false())) if asked.negated else condition


def _positive(connection: Connection, told: Told, test: Test) -> ColumnElement[bool]:
    values = test.value if test.operator in ("inq", "between") else (test.value,)
    if test.kind == "":  # no such property, so null
        return true() if test.operator in ("eq", "inq") and None in values else false()
    if test.operator in ("eq", "inq") and None in values:
        rest = tuple(value for value in values if value is not None)
        others = Test(test.name, test.kind, "inq", rest, unit=test.unit)
        return or_(_absent(told, test), _positive(connection, told, others) if rest else false())
    if told.model == "Technique" and test.operator in ("eq", "inq"):
        return _technique(told, test.name, values)
    if test.kind == "texts":
        items = items_of(connection, told.value, test.name, texts=True)
        return exists(select(items.c.value).where(_compare(connection, items.c.value, test.operator, values)))
    if test.kind == "any":
        return _any(connection, told, test, values)
    if told.model == "Parameter" and test.name == "unit" and test.operator == "eq":
        base = base_of(test.value)
        if base is not None:
            return TextAt(told.value, "base") == base
    return _compare(connection, _column(told, test), test.operator, _as_texts(values))


def _column(told: Told, test: Test) -> ColumnElement[Any]:
    if test.name in told.reckoned:
        return told.reckoned[test.name]
    return NumberAt(told.value, test.name) if test.kind == "number" else TextAt(told.value, test.name)


def _absent(told: Told, test: Test) -> ColumnElement[bool]:
    if test.name in told.reckoned:
        return told.reckoned[test.name].is_(None)
    return ObjectAt(told.value, test.name).is_(None)


def _as_texts(values: Sequence[Any]) -> list[Any]:
    """Write truth values as they are compared."""
    return [str(value).lower() if isinstance(value, bool) else value for value in values]


def _any(connection: Connection, told: Told, test: Test, values: Sequence[Any]) -> ColumnElement[bool]:
    """Compare a value that may be a number or a text with those of its own kind; with a unit in its base unit."""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str)]
    if test.operator == "between" and texts and numbers:
        raise ParameterError(f"between compares {test.name} with two numbers or two texts")
    conditions = []
    if texts:
        conditions.append(_compare(connection, TextAt(told.value, test.name), test.operator, texts))
    if numbers:
        base = base_of(test.unit) if test.unit else None
        key = test.name
        if base is not None:
            key, numbers = "si", [units.convert(number, test.unit, base) for number in numbers]
        conditions.append(_compare(connection, NumberAt(told.value, key), test.operator, numbers))
    return or_(false(), *conditions)


def _technique(told: Told, name: str, values: Sequence[Any]) -> ColumnElement[bool]:
    """Compare with techniques of PaNET and all that they comprise."""
    asked = [str(value) for value in values]
    wanted: set[str] = set()
    for text in asked:
        id = text.removeprefix(ADDRESS)
        if name == "name":
            try:
                id = id_of(text)
            except ParameterError:
                continue
        if id in terms():
            wanted |= narrower(id)
    told_ids = [*wanted, *map(address_of, sorted(wanted))]
    same: ColumnElement[bool] = TextAt(told.value, name).in_(asked)
    if not wanted:
        return same
    return or_(same, *(TextAt(told.value, key).in_(told_ids) for key in ("pid", "panetId")))


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
