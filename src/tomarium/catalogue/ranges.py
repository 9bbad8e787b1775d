"""Ranges of numbers with units, as people write them: "<1 um", ">=20 keV", "0.5..1 um"."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from tomarium import units
from tomarium.errors import InputError, ParameterError, UnitError
from tomarium.model import parameter
from tomarium.model.geometry import FIELDS
from tomarium.model.sentence import Sentence, sentence_of

# What people say → key; for every other key the name without its unit will do.
_SHORT: Final = {field.words: field.name for field in FIELDS if not field.per_view} | {"voxel": "voxel_m"}
_BARE: Final = frozenset({"", "px", "deg"})  # units that need not be written
_SAME: Final = 1e-9  # relative: what a person calls the same number

UNCLEAR: Final = "%(label)s: %(text)s cannot be understood: %(why)s. Write one of %(ways)s"
NO_FACET: Final = (
    "%(name)s is no facet and no numeric parameter of a record here; Write the key that records show, such as pixel or "
    "exposure_s"
)
NO_FACET_BUT: Final = (
    "%(name)s is no facet and no numeric parameter of a record here; did you mean %(near)s? Write the key that records "
    "show, such as pixel or exposure_s"
)
NO_BOUND: Final = "it has no bound"
NO_BOUND_AFTER: Final = "no bound follows its <"
REVERSED: Final = "its first bound is the larger one"
NOT_FINITE: Final = "it is no finite number"
NO_UNIT: Final = "it has no unit"

_BOUND = re.compile(r"\s*(<=|>=|≤|≥|<|>|=)?\s*(.*?)\s*", re.DOTALL)
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*")
_SPLIT = re.compile(r"\s*([^<>=≤≥]+?)\s*(?:=\s*)?((?:[<>≤≥]|(?<==)).*)", re.DOTALL)


@dataclass(frozen=True)
class Range:
    """Numbers of one parameter from `low` to `high`, in the unit of its key.

    Attributes
    ----------
    key : str
        "pixel_m", "energy_kev" …
    low, high : float
        Bounds; infinite where there is none.
    with_low, with_high : bool
        Whether the bound itself belongs to it.
    """

    key: str
    low: float = -math.inf
    high: float = math.inf
    with_low: bool = True
    with_high: bool = True

    def __contains__(self, number: float) -> bool:
        """Whether a number, in the unit of the key, is in the range."""
        above = self.low <= number if self.with_low else self.low < number
        return above and (number <= self.high if self.with_high else number < self.high)


def key_of(name: str, parameter_keys: Collection[str]) -> str:
    """Find the key of a parameter by what people call it.

    Parameters
    ----------
    name : str
        "pixel_m", "pixel", "exposure", "source distance" …
    parameter_keys : collection of str
        Keys whose numbers a catalogue holds.

    Returns
    -------
    str
        The key.

    Raises
    ------
    ParameterError
        No key has this name, or several have it.
    """
    word = "_".join(name.split()).replace("-", "_")
    keys = {*parameter_keys, *_SHORT.values()}
    if word in keys:
        return word
    if (short := _SHORT.get(word.replace("_", " "))) is not None:
        return short
    matching_keys = sorted(key for key in keys if word == _without_unit(key))
    if len(matching_keys) == 1:
        return matching_keys[0]
    if matching_keys:
        raise ParameterError(f"{name!r} may be {' or '.join(matching_keys)}; write one of them")
    near = get_close_matches(word, [*_SHORT, *keys], 3, 0.5)
    if near:
        raise ParameterError(Sentence(NO_FACET_BUT, name=repr(name[:80]), near=", ".join(near)))
    raise ParameterError(Sentence(NO_FACET, name=repr(name[:80])))


def _without_unit(key: str) -> str:
    stem, _, ending = key.rpartition("_")
    return stem if stem and ending in parameter.ENDINGS else key


def split_range(text: str) -> tuple[str, str]:
    """Cut "pixel<1um" into its name and its range.

    Parameters
    ----------
    text : str
        A name, then "<", ">", "<=", ">=" or "=" and the rest.

    Returns
    -------
    tuple of str
        ("pixel", "<1um"); of "energy=20..60keV" ("energy", "20..60keV").

    Raises
    ------
    ParameterError
        It holds no name or no sign.
    """
    match = _SPLIT.fullmatch(text)
    if match is None or not match[2].strip():
        raise ParameterError(
            f"{text!r} is no range; write a name, a sign and a number with its unit, such as 'pixel<1um' or "
            f"'energy=20..60keV'"
        )
    return match[1], match[2].strip()


def read_range(key: str, text: str) -> Range:
    """Read the range of a parameter.

    Parameters
    ----------
    key : str
        Its key, which tells its unit.
    text : str
        "<1um", "<=1 um", ">20 keV", "0.5..1 um" (both bounds belong to it; one may be left out), "0.5..<1 um" (the
        upper bound does not), "20 keV" for this number alone. A number without a unit only where the key has none, or
        pixels or degrees.

    Returns
    -------
    Range
        In the unit of the key.

    Raises
    ------
    ParameterError
        It cannot be understood, or its unit is not one of the key's; the message says what to write.
    """
    low, dots, high = text.partition("..")
    if dots:
        return _between(key, text, low, high)
    match = _BOUND.fullmatch(text)
    assert match is not None
    number = _number(key, text, match[2])
    match match[1]:
        case "<":
            return Range(key, high=number, with_high=False)
        case "<=" | "≤":
            return Range(key, high=number)
        case ">":
            return Range(key, low=number, with_low=False)
        case ">=" | "≥":
            return Range(key, low=number)
    tolerance = abs(number) * _SAME
    return Range(key, number - tolerance, number + tolerance)


def _between(key: str, text: str, low: str, high: str) -> Range:
    with_high = not high.lstrip().startswith("<")
    high = high if with_high else high.lstrip()[1:]
    if not with_high and not high.strip():
        raise _unclear(key, text, NO_BOUND_AFTER)
    if not low.strip() and not high.strip():
        raise _unclear(key, text, NO_BOUND)
    if _NUMBER.fullmatch(low) and (number := _NUMBER.match(high)):
        low += high[number.end() :]  # 20..60 keV: the unit belongs to both
    bounds = Range(
        key,
        _number(key, text, low) if low.strip() else -math.inf,
        _number(key, text, high) if high.strip() else math.inf,
        with_high=with_high,
    )
    if bounds.low > bounds.high:
        raise _unclear(key, text, REVERSED)
    return bounds


def _number(key: str, text: str, part: str) -> float:
    unit = parameter.unit(key)
    try:
        if unit in _BARE and _NUMBER.fullmatch(part):
            number = float(part)
        elif not unit:
            raise UnitError(f"{part.strip()!r} is no bare number, and this parameter has no unit")
        else:
            number = units.parse(part, unit)
    except InputError as problem:
        # The unit alone is lacking, which is told in every language.
        why = NO_UNIT if unit and _NUMBER.fullmatch(part) else sentence_of(problem)
        raise _unclear(key, text, why) from problem
    if not math.isfinite(number):
        raise _unclear(key, text, NOT_FINITE)
    return number


def _unclear(key: str, text: str, why: str) -> ParameterError:
    unit = {"m": " um"}.get(parameter.unit(key), f" {parameter.unit(key)}").rstrip()
    ways = f"<1{unit}, >=1{unit}, 1..2{unit}, 1..<2{unit}, 1{unit}"
    label = Sentence(parameter.label(key))
    told = why if isinstance(why, Sentence) else Sentence(why)
    return ParameterError(Sentence(UNCLEAR, label=label, text=repr(text[:80]), why=told, ways=ways))
