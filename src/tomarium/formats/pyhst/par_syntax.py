"""The text of a PyHST2 parameter file, read as data and never run.

PyHST2 runs its `.par` as Python after small replacements (YES becomes 1). Here each line is only looked at:
constants, lists, dictionaries and the statements that build an array of ones (`ar = numpy.ones(2048,'f')`,
`ar[0] = 0.0`) are understood; any other text stays the text it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np

from tomarium.errors import FormatError

ParValue: TypeAlias = Any
"""Text, number, truth value, None (N.A.), list, tuple, dictionary, or an array of float64."""

# A parameter file has a few hundred lines; one longer than this is none.
LONGEST: Final = 4 << 20
_LONGEST_VALUE: Final = 1 << 16
_MOST_LINES: Final = 1000
# A detector has fewer columns; arrays are kept with each statement that changes them, up to that many numbers.
_LONGEST_ARRAY: Final = 1 << 16
_MOST_NUMBERS: Final = 1 << 22
_STATEMENT: Final = re.compile(
    r"\s*(?P<name>[A-Za-z_]\w*)\s*(?:\[(?P<index>[^\]\n]*)\]\s*)?=(?!=)[ \t]*", re.ASCII
)
# A quoted text ends with its line at the latest, unless the line end is escaped; a comment always does.
_PART: Final = re.compile(
    r"""'(?:[^'\\\n]|\\(?s:.))*['\n]?|"(?:[^"\\\n]|\\(?s:.))*["\n]?|\#[^\n]*|[\[\](){}]""", re.ASCII
)
_KINDS: Final = {"#": "comment"} | dict.fromkeys("([{", "open") | dict.fromkeys(")]}", "close")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_QUOTED: Final = re.compile(r"'[\w ./-]*'|\"[\w ./-]*\"", re.ASCII)
_WORDS: Final = {"YES": True, "NO": False, "N.A.": None}
_FILLED: Final = {"ones": 1.0, "zeros": 0.0}
_ARRAY_MODULES: Final = ("numpy", "Numeric", "numarray", "np")


@dataclass(frozen=True)
class ParStatement:
    """One statement of the file, or a line that is none."""

    key: str  # its name; "" for a comment or an empty line
    # what stands in brackets after the name, as in `MULTI_PAGANIN_PARS["BONE_Lmicron"] = 30`; else ""
    index: str
    comment: str  # what follows its "#", or all of a line that is a comment
    value: ParValue  # what the value says


@dataclass(frozen=True)
class ParFile:
    """A parameter file."""

    statements: tuple[ParStatement, ...]  # all of it, in order

    @cached_property
    def values(self) -> Mapping[str, ParValue]:
        """Key → value. Of a key that comes twice the last one wins, as it does when the file is run."""
        values_by_key: dict[str, ParValue] = {}
        for statement in self.statements:
            if not statement.key:
                continue
            if not statement.index:
                values_by_key[statement.key] = (
                    dict(statement.value) if isinstance(statement.value, dict) else statement.value
                )
            elif isinstance(values_by_index := values_by_key.get(statement.key), dict):
                values_by_index[_index(statement.index)] = statement.value
        return values_by_key

    def all_values(self, key: str) -> tuple[ParValue, ...]:
        """List every value a key was given, in order."""
        return tuple(
            statement.value for statement in self.statements if statement.key == key and not statement.index
        )

    def twice(self) -> tuple[str, ...]:
        """List the keys that come more than once with different values."""
        keys = dict.fromkeys(statement.key for statement in self.statements if statement.key)
        return tuple(
            key for key in keys if key.isupper() and len({repr(value) for value in self.all_values(key)}) > 1
        )


def parse_par(content: bytes, source: str) -> ParFile:
    """Read a parameter file."""
    if len(content) > LONGEST or b"\0" in content:
        raise FormatError(
            f"{source}: is no parameter file: it has {len(content)} bytes{' and some are zero' * (0 in content)}; "
            f"give the text PyHST2 reads"
        )
    arrays: dict[str, Any] = {}
    statements: list[ParStatement] = []
    numbers = 0
    for chunk in _logical_lines(content.decode("utf-8", "surrogateescape")):
        statement = _statement(chunk, arrays)
        statements.append(statement)
        if statement.key and not statement.index and isinstance(statement.value, np.ndarray):
            arrays[statement.key] = statement.value
        elif statement.key and statement.index and statement.key in arrays:
            arrays[statement.key] = _with_item(arrays[statement.key], statement.index, statement.value)
        numbers += len(arrays[statement.key]) if statement.key in arrays else 0
        if numbers > _MOST_NUMBERS:
            raise FormatError(
                f"{source}: builds arrays of more than {_MOST_NUMBERS} numbers, which no detector needs; it is made to "
                f"mislead, so take it from its origin"
            )
    return ParFile(tuple(statements))


def _logical_lines(text: str) -> Iterator[str]:
    """Yield lines with their ends; a value in brackets that goes on over lines is one."""
    lines: list[str] = []
    depth = 0
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        if lines or _STATEMENT.match(line):
            lines.append(line)
            depth += _depth(line)
            if depth > 0 and len(lines) < _MOST_LINES:
                continue
            # Brackets that never close: every line stands for itself.
            yield from ["".join(lines)] if depth <= 0 else lines
            lines, depth = [], 0
        else:
            yield line
    yield from lines


def _depth(text: str) -> int:
    """Count the brackets a line leaves open; a quoted text ends with its line."""
    return sum({"open": 1, "close": -1}.get(kind, 0) for _, kind in _parts(text))


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Yield where brackets open and close and comments begin, outside of quoted texts."""
    for match in _PART.finditer(text):
        if kind := _KINDS.get(match[0][0]):
            yield match.start(), kind


def _statement(chunk: str, arrays: Mapping[str, Any]) -> ParStatement:
    matched = _STATEMENT.match(chunk)
    # HST1 begins comments with "!" too.
    if matched is None or chunk.lstrip().startswith(("#", "!")):
        return ParStatement("", "", _comment(chunk), None)
    remaining = chunk[matched.end() :]
    depth = 0
    end = len(remaining)
    for place, kind in _parts(remaining):
        depth += {"open": 1, "close": -1}.get(kind, 0)
        if kind == "comment" and depth <= 0:
            end = place
            break
    value_text = remaining[:end].rstrip()
    comment = _comment(remaining[len(value_text) :])
    return ParStatement(matched["name"], matched["index"] or "", comment, _value(value_text, arrays))


def _comment(text: str) -> str:
    return text.partition("#")[2].strip() if "#" in text else text.strip().removeprefix("!").strip()


def _value(text: str, arrays: Mapping[str, Any]) -> ParValue:
    if text in _WORDS:
        return _WORDS[text]
    return _constant(text, arrays)


def _constant(text: str, arrays: Mapping[str, Any]) -> ParValue:
    """Return the constant a text spells, or the text."""
    if not text or len(text) > _LONGEST_VALUE:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _QUOTED.fullmatch(text):
        return text[1:-1]
    try:
        return _meaning(ast.parse(text, mode="eval").body, arrays)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return text.strip("'\"") if text[:1] in "'\"" and text[:1] == text[-1:] else text


def _meaning(node: ast.expr, arrays: Mapping[str, Any]) -> ParValue:
    """Interpret what a constant is made of; ValueError for anything that would have to be run."""
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(
            op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as value)
        ):
            return -value if isinstance(sign, ast.USub) else value
        case ast.List(elts=items):
            return [_meaning(item, arrays) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_meaning(item, arrays) for item in items)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return {_key(key): _meaning(value, arrays) for key, value in pairs if key is not None}
        case ast.Name(id=name) if name in arrays:
            return arrays[name]
        case ast.Name(id="YES" | "NO" as word):
            return _WORDS[word]
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=module), attr=attribute),
            args=[ast.Constant(value=int() as count), *_],
        ) if module in _ARRAY_MODULES and attribute in _FILLED and 0 < count <= _LONGEST_ARRAY:
            return np.full(count, _FILLED[attribute])
    raise ValueError("not a constant")


def _key(node: ast.expr) -> str | int | float:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        return node.value
    raise ValueError("not a constant")


def _index(text: str) -> ParValue:
    return _constant(text.strip(), {})


def _with_item(array: Any, index: str, value: ParValue) -> Any:
    """Interpret `ar[3] = 0.0` and `ar[2:18] = 0.0`; anything else leaves the array as it is."""
    matched = re.fullmatch(r"\s*(\d{1,9})?\s*(:)?\s*(\d{1,9})?\s*", index)
    if matched is None or not isinstance(value, int | float) or not any(matched.groups()):
        return array
    first, colon, last = matched.groups()
    changed = array.copy()
    if colon:
        changed[int(first) if first else None : int(last) if last else None] = value
    elif first and int(first) < len(array):
        changed[int(first)] = value
    return changed
