"""Parameters of steps: their types, their units, and what can be read off a signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Interval, Le, Predicate

from tomarium import units
from tomarium.errors import UnitError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Unit:
    """Marks a number with its unit: text must carry one ("0.65 um"), a bare number is already in it.

    Attributes
    ----------
    name : str
        Unit of the number inside the program, the one its parameter's name ends in.
    """

    name: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read text through `units.parse` before the number is checked."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self._number, handler(source))

    def _number(self, number: Any) -> Any:
        if not isinstance(number, str):
            return number
        if self.name == "deg":  # a bare number of degrees is what everybody writes
            with suppress(ValueError):
                return float(number)
        try:
            return units.parse(number, self.name)
        except UnitError as problem:
            raise ValueError(str(problem)) from problem


Metres = Annotated[float, Unit("m"), Gt(0)]
KiloElectronVolts = Annotated[float, Unit("keV"), Gt(0)]
Degrees = Annotated[float, Unit("deg")]
Column = Annotated[float, "0-based detector column, pixel centres at integers"]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(gt=0, le=1)]
Percent = Annotated[float, Interval(gt=0, lt=50)]
Relaxation = Annotated[float, Interval(gt=0, lt=2)]
Count = Annotated[int, Ge(1)]
Index = Annotated[int, Ge(0)]
OddCount = Annotated[int, Ge(1), Le(101), Predicate(lambda number: number % 2 == 1)]


@dataclass(frozen=True)
class RangeText:
    """Marks text that tells ranges of whole numbers, "10:20"; Python may give a slice, a number or a list.

    Attributes
    ----------
    several : bool
        Whether it may be a list of numbers and ranges, "0:100, 105, 200:300:2".
    """

    several: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Bring what is given into its one spelling before it is checked."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self._text, handler(source))

    def _text(self, written: Any) -> Any:
        parts = [written] if isinstance(written, str | int | slice | range) else list(written)
        texts = [
            part for entry in parts for part in (entry.split(",") if isinstance(entry, str) else [entry])
        ]
        ranges = [self._one(part) for part in texts if not (isinstance(part, str) and not part.strip())]
        if len(ranges) > 1 and not self.several:
            raise ValueError(f"{written!r} holds {len(ranges)} ranges; write one, A:B")
        return ",".join(ranges)

    def _one(self, part: Any) -> str:
        if isinstance(part, slice | range):
            ends = (part.start, part.stop, part.step)
        else:
            words = str(part).strip().split(":")
            try:
                numbers = [int(word) if word.strip() else None for word in words]
            except ValueError as problem:
                raise ValueError(f"{part!r} is no range; write A:B with whole numbers") from problem
            if len(words) == 1:
                if not self.several:
                    raise ValueError(f"{part!r} is no range; write A:B with whole numbers")
                return str(numbers[0])
            if len(words) > 3:
                raise ValueError(f"{part!r} is no range; write A:B or A:B:STEP")
            ends = (numbers[0], numbers[1], numbers[2] if len(words) == 3 else None)
        if ends[2] == 0:
            raise ValueError(f"{part!r} has a step of 0; write A:B or A:B:STEP")
        if not self.several and ends[2] not in (None, 1):
            raise ValueError(f"{part!r} has a step; write A:B")
        text = ":".join("" if end is None else str(end) for end in ends[:2])
        return text if ends[2] in (None, 1) else f"{text}:{ends[2]}"


Range = Annotated[str, RangeText()]
Ranges = Annotated[str, RangeText(several=True)]


class FromScan:
    """The default "as the scan says"; there is one, `FROM_SCAN`."""

    def __repr__(self) -> str:
        return "FROM_SCAN"


FROM_SCAN: Final[Any] = FromScan()

HANDED_IN: Final = ("geometry", "context", "prepared")
"""Keyword arguments the pipeline hands to a step; every other one is a parameter."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a step, as its signature and its docstring tell.

    Attributes
    ----------
    name : str
        Name in Python, YAML, forms and provenance.
    annotation : type
        Its type, with `Unit` and limits.
    default : object
        Its default; `FROM_SCAN` where the scan tells.
    unit : str
        Unit, or "" for a number without one and for words.
    choices : tuple
        Allowed words, or empty.
    optional : bool
        Whether None is allowed.
    """

    name: str
    annotation: Any
    default: Any
    unit: str = ""
    choices: tuple[Any, ...] = ()
    optional: bool = False

    @property
    def needs_unit(self) -> bool:
        """Whether people must write its unit: degrees are understood without."""
        return self.unit not in ("", "deg")

    @property
    def from_scan(self) -> bool:
        """Whether the scan's own value is the default."""
        return self.default is FROM_SCAN

    @property
    def kind(self) -> Literal["choice", "boolean", "integer", "number", "text"]:
        """Which control of a form suits it."""
        if self.choices:
            return "choice"
        if any(get_origin(leaf) is Literal for leaf in _strip(self.annotation)):
            return "text"  # a number, or a word in its place
        plain = _without_none(_strip(self.annotation))
        kinds: dict[Any, Literal["boolean", "integer", "number"]] = {
            bool: "boolean",
            int: "integer",
            float: "number",
        }
        return kinds.get(plain, "text")


def read_signature(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Read the parameters of a step, probe or tally off its signature.

    Parameters
    ----------
    function : callable
        `function(slab_or_scan, *, geometry, context, prepared, <parameters>)`; of the keyword arguments those
        named in `HANDED_IN` come from the pipeline, the others are parameters and need a default.

    Returns
    -------
    tuple of Parameter
        In the order of the signature.

    Raises
    ------
    TypeError
        A parameter has no type or no default: a step must be usable as it is.
    """
    hints = get_type_hints(function, include_extras=True)
    parameters = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or name in HANDED_IN:
            continue
        if parameter.default is inspect.Parameter.empty or name not in hints:
            raise TypeError(f"{function.__qualname__}: the parameter {name!r} needs a type and a default")
        parameters.append(_parameter(name, hints[name], parameter.default))
    return tuple(parameters)


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    leaves = _leaves(annotation)
    return Parameter(
        name=name,
        annotation=annotation,
        default=default,
        unit=next((mark.name for leaf in leaves for mark in leaf[1] if isinstance(mark, Unit)), ""),
        choices=_choices(leaves),
        optional=any(leaf is NoneType for leaf, _ in leaves),
    )


def _choices(leaves: list[tuple[Any, tuple[Any, ...]]]) -> tuple[Any, ...]:
    """Return the allowed words, where nothing but words is allowed."""
    words = [leaf for leaf, _ in leaves if leaf is not NoneType]
    if not all(get_origin(leaf) is Literal for leaf in words):
        return ()
    return tuple(value for leaf in words for value in get_args(leaf))


def _leaves(annotation: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    """Split `Annotated[float, Unit("m")] | None` into its plain types and their marks."""
    if get_origin(annotation) is Annotated:
        plain, *marks = get_args(annotation)
        return [(leaf, (*own, *marks)) for leaf, own in _leaves(plain)]
    if get_origin(annotation) in (Union, UnionType):
        return [leaf for part in get_args(annotation) for leaf in _leaves(part)]
    return [(annotation, ())]


def _strip(annotation: Any) -> Any:
    return tuple(leaf for leaf, _ in _leaves(annotation))


def _without_none(leaves: tuple[Any, ...]) -> Any:
    return next((leaf for leaf in leaves if leaf is not NoneType), NoneType)
