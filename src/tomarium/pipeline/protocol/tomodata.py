"""Files of instructions of tomodata (`protocol.txt`): each line calls one of its functions, as on a command line.

``python ~/Python/paganin.py XXX -m 50`` sets a parameter of the reconstruction; XXX stands for the scan. The order of
the lines is not that of the processing, which PyHST2 fixes: here the steps stand in their natural places.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from tomarium.errors import ParameterError
from tomarium.pipeline.protocol.tomodata_functions import FUNCTIONS, Function, Option, Settings
from tomarium.steps.core.serialization import find_step
from tomarium.steps.core.values import check

SCAN: Final = "XXX"
_CALL = re.compile(r"^\s*(?:(?:\S*/)?python[\d.]*|%run|run)\s", re.IGNORECASE)
_SCRIPT = re.compile(r"^\s*\S+\.py(?:\s|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """A line of a file of instructions.

    Attributes
    ----------
    number : int
        Its place, from 1.
    text : str
        The line.
    became : str
        What it sets here, in words.
    """

    number: int
    text: str
    became: str


@dataclass(frozen=True)
class Instructions:
    """What a file of instructions asks for.

    Attributes
    ----------
    steps : tuple of (str, mapping)
        Steps besides those of the standard protocol, and parameters of any; checked.
    left_out : frozenset of str
        Steps of the standard protocol that are left out.
    run : mapping of str to object
        Options of the run: `roi` ("Z0:Z1,Y0:Y1,X0:X1" in voxels), `crop` ("Z,Y,X"), `memory`, `volume` (an output),
        `like` (name of another scan), `slice` (a row, or None for the middle one), `whole` (True).
    lines : tuple of Line
        Each line that calls a function, and what it became.
    """

    steps: tuple[tuple[str, Mapping[str, Any]], ...]
    left_out: frozenset[str]
    run: Mapping[str, Any]
    lines: tuple[Line, ...]


def is_instructions(text: str) -> bool:
    """Tell whether a text is a file of instructions of tomodata, by a line that calls a script of Python."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return any((_CALL.match(line) and ".py" in line) or _SCRIPT.match(line) for line in lines)


def read_instructions(text: str, where: str) -> Instructions:
    """Read a file of instructions.

    Parameters
    ----------
    text : str
        Lines such as ``python ~/Python/paganin.py XXX -m 50``; ``#`` begins a comment.
    where : str
        What the text came from, for messages.

    Returns
    -------
    Instructions
        What it asks for.

    Raises
    ------
    ParameterError
        A line calls an unknown function or option, has a value that is not allowed, or asks for what a protocol
        cannot do; the message names the line, and the nearest known word.
    """
    settings, lines = Settings(), []
    steps: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            words = shlex.split(line, comments=True)
            if words:
                lines.append(Line(number, line.strip(), _apply(settings, words)))
                steps = tuple((name, check(find_step(name), step)) for name, step in settings.steps.items())
        except (ParameterError, ValueError) as problem:
            raise ParameterError(f"{where}, line {number}: {problem}") from problem
    if "region_used" not in settings.run and "roi" in settings.run:
        del settings.run["roi"]
        lines = [
            Line(
                line.number,
                line.text,
                line.became + "; not used, for no line says launch_reconstruction.py XXX -r True",
            )
            if line.became.startswith("--roi")
            else line
            for line in lines
        ]
    settings.run.pop("region_used", None)
    if "crop" in settings.run and "roi" in settings.run:
        raise ParameterError(
            f"{where}: both auto_crop and roi choose the part of the volume; leave one of them out"
        )
    return Instructions(steps, frozenset(settings.left_out), settings.run, tuple(lines))


def calls_in(text: str, where: str) -> dict[str, dict[str, Any]]:
    """Read which functions a file of instructions calls, and with what.

    Parameters
    ----------
    text : str
        As for `read_instructions`.
    where : str
        What the text came from, for messages.

    Returns
    -------
    dict of str to dict
        Function → first flag of an option → value; what a later line gives replaces what an earlier one gave.

    Raises
    ------
    ParameterError
        As `read_instructions`.
    """
    read_instructions(text, where)
    calls: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        if words := shlex.split(line, comments=True):
            name, _, values = _call(words)
            calls.setdefault(name, {}).update(values)
    return calls


def call_line(name: str, values: Mapping[str, Any]) -> str:
    """Write the line that calls a function of tomodata.

    Parameters
    ----------
    name : str
        Its name, such as "paganin".
    values : mapping of str to object
        Flag → value, as `calls_in` gives them, or text.

    Returns
    -------
    str
        Such as ``python ~/Python/paganin.py XXX -m 50.0``.
    """
    words = [f"python ~/Python/{name}.py {SCAN}"]
    for flag, value in values.items():
        words += [
            flag,
            *(shlex.quote(str(word)) for word in (value if isinstance(value, tuple) else (value,))),
        ]
    return " ".join(words)


def _apply(settings: Settings, words: list[str]) -> str:
    name, function, values = _call(words)
    if function.apply is None:
        raise ParameterError(f"{name}: {function.refused}")
    return function.apply(settings, values)


def _call(words: list[str]) -> tuple[str, Function, dict[str, Any]]:
    words = words[1:] if _CALL.match(f"{words[0]} ") and len(words) > 1 else words
    name = words[0].replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".py").lower()
    function = FUNCTIONS.get(name)
    if function is None:
        raise ParameterError(
            f"{words[0]} is no function of tomodata that is known{_nearest(name, FUNCTIONS)}"
        )
    return name, function, _values(name, function, words[1:]) if function.apply else {}


def _values(name: str, function: Function, words: list[str]) -> dict[str, Any]:
    """Read the options of a call, as Python's argparse does, and see that it is about the scan."""
    values: dict[str, Any] = {}
    by_flag = {flag: option for option in (*function.options, _INTERACTIVE) for flag in option.flags}
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        if not word.startswith("-") or _is_number(word):
            if word != SCAN:
                raise ParameterError(
                    f"{name} is called for {word!r}; a protocol serves many scans and writes {SCAN} in place of a name"
                )
            continue
        flag, glued = _flag(name, word, by_flag)
        option = by_flag[flag]
        if glued is not None:
            remaining.insert(0, glued)
        texts = remaining[: option.count]
        del remaining[: option.count]
        if len(texts) < option.count or any(text == SCAN for text in texts):
            kind = "a value" if option.count == 1 else f"{option.count} values"
            raise ParameterError(f"{name} {word} takes {kind}, but {' '.join(texts) or 'none'} was found")
        read = [_value(name, word, option, text) for text in texts]
        values[option.flags[0]] = read[0] if option.count == 1 else tuple(read)
    values.pop("-i", None)  # nothing is asked on the console here
    return values


_INTERACTIVE: Final = Option(("-i", "--interactive"), "yes")


def _flag(name: str, word: str, by_flag: Mapping[str, Option]) -> tuple[str, str | None]:
    """Return the flag that a word names, and the value that stands in the same word."""
    if word in ("-h", "--help"):
        raise ParameterError(f"{name} {word} prints a help; leave the line out")
    flag, equals, value = word.partition("=")
    if flag in by_flag:
        return flag, value if equals else None
    if word.startswith("--"):
        flags = [longer for longer in by_flag if longer.startswith(flag)]
        if len(flags) == 1:
            return flags[0], value if equals else None
    elif word[:2] in by_flag:
        return word[:2], word[2:]
    listed = ", ".join(sorted({flag for flag in by_flag if flag not in _INTERACTIVE.flags})) or "none but -i"
    raise ParameterError(f"{name} has no option {flag}{_nearest(flag, by_flag)}; it has {listed}")


def _value(name: str, word: str, option: Option, text: str) -> Any:
    try:
        match option.kind:
            case "yes":
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            case "whole":
                return int(text)
            case "number":
                return float(text)
            case _:
                return text
    except (KeyError, ValueError) as problem:
        kind = {"yes": "True or False", "whole": "a whole number", "number": "a number"}[option.kind]
        raise ParameterError(f"{name} {word} {text}: {kind} was expected") from problem


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _nearest(word: str, words: Mapping[str, Any]) -> str:
    nearest = get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"; the nearest is {nearest[0]}" if nearest else ""
