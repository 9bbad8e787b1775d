"""Filters of the PaNOSC search API, which are those of LoopBack 3, read into plain data and checked.

The syntax: https://loopback.io/doc/en/lb3/Querying-data.html. Where the answer depends on it, the reference
implementation was followed (https://github.com/panosc-eu/search-api).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tomarium.errors import ParameterError
from tomarium.standards.panosc import MODELS, RELATIONS, TEXTS, read_date
from tomarium.standards.panosc_units import base_of

USUAL: Final = 100
"""Results where no limit is asked for."""
LARGEST: Final = 1000
"""Results at most; a larger limit is this one."""
LONGEST: Final = 100_000
"""Letters of a filter."""
_DEEPEST: Final = 8
_MOST: Final = 200
_MOST_VALUES: Final = 1000
_LONGEST_TEXT: Final = 1000
_FARTHEST: Final = 2**31

PATTERNS: Final = frozenset({"like", "nlike", "ilike", "nilike", "regexp"})
LISTS: Final = frozenset({"inq", "nin", "between"})
OPERATORS: Final = frozenset({"eq", "neq", "lt", "lte", "gt", "gte"}) | PATTERNS | LISTS
_NEGATED: Final = {"neq": "eq", "nin": "inq", "nlike": "like", "nilike": "ilike"}
_OPENING: Final = "^"
_CLOSING: Final = "$"


@dataclass(frozen=True)
class Test:
    r"""One comparison.

    Attributes
    ----------
    name : str
        Property.
    kind : str
        Of it, as in `standards.panosc.MODELS`; "" where the model has no such property.
    operator : str
        "eq", "inq", "lt", "lte", "gt", "gte", "between", "like" or "ilike".
    value : any
        Text, number, truth value or None; a tuple of them for "inq" and "between"; for "like" and "ilike" a pattern
        of SQL in which "\" takes the next sign as it is.
    negated : bool
        Whether it must not be met.
    unit : str
        Unit of the numbers, where the same condition names one; "" where it names none.
    """

    name: str
    kind: str
    operator: str
    value: Any
    negated: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Group:
    """Conditions of which all, or any, must be met; all of none are met, any of none are not."""

    join: Literal["and", "or"]
    parts: tuple[Group | Test, ...] = ()


ALL: Final = Group("and")
"""What everything meets."""


@dataclass(frozen=True)
class Include:
    """A relation that is told too.

    Attributes
    ----------
    relation : str
        Its name.
    asked : Filter
        What of it is told.
    demanded : bool
        Whether only those are found that have some of it, as the reference does where there is a scope.
    """

    relation: str
    asked: Filter
    demanded: bool


@dataclass(frozen=True)
class Filter:
    """What is asked of one model.

    Attributes
    ----------
    where : Group
        The conditions.
    include : tuple of Include
        Relations.
    limit, skip : int
        How many, after how many.
    order : tuple of (str, bool)
        Properties, and whether downwards.
    fields : frozenset of str or None
        Properties that are told; None for all.
    query : str
        Words by which the answers are scored; "" for none.
    """

    where: Group = ALL
    include: tuple[Include, ...] = ()
    limit: int = USUAL
    skip: int = 0
    order: tuple[tuple[str, bool], ...] = ()
    fields: frozenset[str] | None = None
    query: str = ""


def read_filter(model: str, text: str) -> Filter:
    """Read a filter.

    Parameters
    ----------
    model : str
        A model of `standards.panosc.MODELS`.
    text : str
        JSON; "" asks for all.

    Returns
    -------
    Filter
        Checked.

    Raises
    ------
    ParameterError
        It is no JSON, or no filter of this model.
    """
    return filter_of(model, read_json(text)) if text.strip() else Filter()


def read_where(model: str, text: str) -> Group:
    """Read the conditions of a count: a `where` alone, as JSON; "" for all."""
    if not text.strip():
        return ALL
    return _Reader().where(model, read_json(text))


def read_json(text: str) -> Any:
    """Read JSON of an address.

    Raises
    ------
    ParameterError
        It is none, too long or too deep.
    """
    if len(text) > LONGEST:
        raise ParameterError(f"the filter has {len(text)} letters; give one of at most {LONGEST}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ParameterError(
            f'the filter is no JSON ({problem}); write one such as {{"where": {{"title": "…"}}}}'
        ) from problem


def filter_of(model: str, content: Any) -> Filter:
    """Read a filter that was JSON, or was told in brackets (`filter[limit]=5`).

    Parameters
    ----------
    model : str
        A model of `standards.panosc.MODELS`.
    content : any JSON value
        An object with `where`, `include`, `limit`, `skip` or `offset`, `order`, `fields` and `query`.

    Returns
    -------
    Filter
        Checked.

    Raises
    ------
    ParameterError
        It is no filter of this model.
    """
    return _Reader().filter(model, content, 0)


class _Reader:
    """Reads one filter, and counts what it asks for."""

    def __init__(self) -> None:
        self._count = 0

    def filter(self, model: str, content: Any, depth: int) -> Filter:
        if not isinstance(content, Mapping):
            raise ParameterError(f'a filter is an object, not {_brief(content)}; write {{"where": …}}')
        self._enter(depth)
        query = content.get("query", "")
        return Filter(
            where=self.where(model, content["where"], depth) if content.get("where") is not None else ALL,
            include=tuple(self._include(model, member, depth) for member in _listed(content.get("include"))),
            limit=min(_whole("limit", content.get("limit"), USUAL) or USUAL, LARGEST),
            skip=_whole("skip", content.get("skip", content.get("offset")), 0),
            order=tuple(_order(model, member) for member in _listed(content.get("order"))),
            fields=_fields(model, content.get("fields")),
            query=query[:_LONGEST_TEXT] if isinstance(query, str) else "",
        )

    def _include(self, model: str, content: Any, depth: int) -> Include:
        name = content.get("relation") if isinstance(content, Mapping) else content
        relations = RELATIONS.get(model, {})
        if not isinstance(name, str) or name not in relations:
            names = ", ".join(relations) or "none"
            raise ParameterError(f"{_brief(name)} is no relation of {model}; there are {names}")
        scope = content.get("scope") if isinstance(content, Mapping) else None
        if scope is None:
            return Include(name, Filter(limit=LARGEST), demanded=False)
        scope_filter = self.filter(relations[name].model, {"limit": LARGEST, **scope}, depth + 1)
        return Include(name, scope_filter, demanded=True)

    def where(self, model: str, content: Any, depth: int = 0) -> Group:
        if not isinstance(content, Mapping):
            raise ParameterError(f'a where is an object, not {_brief(content)}; write {{"title": "…"}}')
        self._enter(depth)
        unit = _unit_of(content) if model == "Parameter" else ""
        return Group(
            "and", tuple(self._part(model, key, value, unit, depth) for key, value in content.items())
        )

    def _part(self, model: str, key: str, value: Any, unit: str, depth: int) -> Group | Test:
        if key in ("and", "or"):
            value = _numbered(value)
            if not isinstance(value, list):
                raise ParameterError(f"{key} joins a list of conditions, not {_brief(value)}")
            # Of conditions that must all be met, a unit is that of the numbers beside it.
            beside = [_unit_of(part) for part in value if isinstance(part, Mapping)] if key == "and" else []
            common = next(filter(None, beside), unit) if model == "Parameter" else ""
            return Group("and" if key == "and" else "or", tuple(
                self._group(model, part, common if key == "and" else unit, depth + 1) for part in value
            ))  # fmt: skip
        if key == "text" and "text" not in MODELS[model]:
            return self._text(model, value, depth)
        return self._property(model, key, value, unit)

    def _group(self, model: str, content: Any, unit: str, depth: int) -> Group:
        if not isinstance(content, Mapping):
            raise ParameterError(f'a condition is an object, not {_brief(content)}; write {{"title": "…"}}')
        self._enter(depth)
        own = (_unit_of(content) if model == "Parameter" else "") or unit
        return Group(
            "and", tuple(self._part(model, key, value, own, depth) for key, value in content.items())
        )

    def _text(self, model: str, value: Any, depth: int) -> Group:
        self._enter(depth)
        if not isinstance(value, str):
            raise ParameterError(f"text is compared with words, not with {_brief(value)}")
        pattern = f"%{_escape(_short(value))}%"
        return Group("or", tuple(Test(name, "text", "ilike", pattern) for name in TEXTS.get(model, ())))

    def _property(self, model: str, name: str, value: Any, unit: str) -> Group | Test:
        kind = MODELS[model].get(name, "")
        if not isinstance(value, Mapping):
            if isinstance(value, list):  # as LoopBack does
                return self._test(name, kind, "inq", value, unit)
            return self._test(name, kind, "eq", value, unit)
        operators = {key: operand for key, operand in value.items() if key != "options"}
        unknown = [key for key in operators if key not in OPERATORS]
        if unknown:
            names = ", ".join(sorted(OPERATORS))
            raise ParameterError(f"{_brief(unknown[0])} is no operator, at {name}; there are {names}")
        options = str(value.get("options", ""))
        return Group("and", tuple(
            self._test(name, kind, key, operand, unit, options) for key, operand in operators.items()
        ))  # fmt: skip

    def _test(self, name: str, kind: str, operator: str, value: Any, unit: str, options: str = "") -> Test:
        self._enter(0)
        negated, plain = operator in _NEGATED, _NEGATED.get(operator, operator)
        if operator in PATTERNS:
            if not isinstance(value, str):
                raise ParameterError(
                    f"{operator} compares with a pattern, not with {_brief(value)}, at {name}"
                )
            if operator == "regexp":
                plain, pattern = _of_regexp(_short(value), options)
            else:
                plain = "ilike" if "i" in options else plain
                pattern = f"%{_whole_escapes(_short(value))}%"
            return Test(name, kind, plain, pattern, negated)
        if operator in LISTS:
            value = _numbered(value)
            if not isinstance(value, list) or (operator == "between" and len(value) != 2):
                expected = "a list of two values" if operator == "between" else "a list of values"
                raise ParameterError(
                    f"{operator} compares with {expected}, not with {_brief(value)}, at {name}"
                )
            if len(value) > _MOST_VALUES:
                raise ParameterError(
                    f"{operator} has {len(value)} values, at {name}; give {_MOST_VALUES} at most"
                )
            return Test(
                name, kind, plain, tuple(_read(name, kind, operand, unit) for operand in value), negated, unit
            )
        return Test(name, kind, plain, _read(name, kind, value, unit), negated, unit)

    def _enter(self, depth: int) -> None:
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST:
            raise ParameterError(
                f"the filter asks for too much at once; give at most {_MOST} conditions, {_DEEPEST} deep"
            )


def _read(name: str, kind: str, value: Any, unit: str) -> Any:
    """Read a value as that of a property: an address has texts alone."""
    if value is None:
        return None
    if isinstance(value, (Mapping, list)):
        raise ParameterError(f"{name} is compared with one value, not with {_brief(value)}")
    if kind == "boolean":
        truth = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
        if truth is None:
            raise ParameterError(f"{name} is true or false, not {_brief(value)}")
        return truth
    if kind == "date":
        moment = read_date(str(value))
        if moment is None:
            raise ParameterError(f"{name} is a date, not {_brief(value)}; write it as 2026-11-20T12:00:00Z")
        return moment
    if kind == "number" or (kind == "any" and unit and base_of(unit) is not None):
        return _number(name, value)
    if kind == "any" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(name, value)
    return _short(value if isinstance(value, str) else json.dumps(value))


def _number(name: str, value: Any) -> Any:
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        if isinstance(value, str) and name == "value":
            return _short(value)  # a text may stand beside a unit that does not concern it
        raise ParameterError(f"{name} is a number, not {_brief(value)}")
    return number


def _unit_of(content: Mapping[str, Any]) -> str:
    unit = content.get("unit")
    unit = unit.get("eq") if isinstance(unit, Mapping) else unit
    return unit if isinstance(unit, str) else ""


def _of_regexp(text: str, options: str) -> tuple[str, str]:
    """Write a regular expression as a pattern of SQL, which takes no long time whatever it says."""
    if text.startswith("/") and text.rpartition("/")[0]:
        text, _, flags = text[1:].rpartition("/")
        options += flags
    body = text.removeprefix(_OPENING)
    closed = body.endswith(_CLOSING) and not body.endswith("\\" + _CLOSING)
    body = body[:-1] if closed else body
    pattern = "" if text.startswith(_OPENING) else "%"
    signs = iter(range(len(body)))
    for at in signs:
        sign, following = body[at], body[at + 1 : at + 2]
        if sign == "." and following == "*":
            pattern += "%"
            next(signs)
        elif sign == ".":
            pattern += "_"
        elif sign == "\\" and following and not following.isalnum():
            pattern += _escape(following)
            next(signs)
        elif sign in "\\*+?()[]{}|^$":
            raise ParameterError(
                f"the regular expression {_brief(text)} has {sign!r}, which is not taken here: letters, '.', '.*', a "
                "'^' that begins it and a '$' that ends it are; or give like or ilike"
            )
        else:
            pattern += _escape(sign)
    return ("ilike" if "i" in options else "like"), pattern if closed else f"{pattern}%"


def _whole_escapes(pattern: str) -> str:
    """Take a sign that escapes nothing, at the end of a pattern, as it is."""
    loose = len(pattern) - len(pattern.rstrip("\\"))
    return f"{pattern}\\" if loose % 2 else pattern


def _escape(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in text)


def _short(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ParameterError(f"a text of {len(text)} letters is compared with; give {_LONGEST_TEXT} at most")
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _whole(name: str, value: Any, usual: int) -> int:
    if value in (None, ""):
        return usual
    try:
        number = int(value)
    except (ValueError, TypeError, OverflowError):
        number = -1
    if isinstance(value, bool) or not 0 <= number < _FARTHEST:
        raise ParameterError(f"{name} is a whole number from 0, not {_brief(value)}")
    return number


def _order(model: str, text: Any) -> tuple[str, bool]:
    words = text.split() if isinstance(text, str) else []
    if not 1 <= len(words) <= 2 or words[-1].upper() not in ("ASC", "DESC", words[0].upper()):
        raise ParameterError(f"order is a property and ASC or DESC, not {_brief(text)}")
    return words[0], len(words) == 2 and words[1].upper() == "DESC"


def _fields(model: str, content: Any) -> frozenset[str] | None:
    if not content:
        return None
    if isinstance(content, Mapping):
        chosen = {str(key) for key, value in content.items() if value in (True, "true", 1, "1")}
        hidden = {str(key) for key, value in content.items() if value in (False, "false", 0, "0")}
        return frozenset(chosen if chosen else MODELS[model].keys() - hidden)
    return frozenset(name for name in _listed(content) if isinstance(name, str))


def _listed(content: Any) -> list[Any]:
    """Take one as a list of one; in brackets lists are objects with numbers as keys."""
    if content is None or content == "":
        return []
    content = _numbered(content)
    return list(content) if isinstance(content, list) else [content]


def _numbered(content: Any) -> Any:
    if isinstance(content, Mapping) and content and all(str(key).isdecimal() for key in content):
        return [content[key] for key in sorted(content, key=int)]
    return content


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"
