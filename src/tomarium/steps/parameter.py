"""Parameters of steps: their types, their units, and what can be read off a signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Interval

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

    def _number(self, given: Any) -> Any:
        try:
            return units.parse(given, self.name) if isinstance(given, str) else given
        except UnitError as problem:
            raise ValueError(str(problem)) from problem


Metres = Annotated[float, Unit("m"), Gt(0)]
KiloElectronVolts = Annotated[float, Unit("keV"), Gt(0)]
Degrees = Annotated[float, Unit("deg")]
Column = Annotated[float, "0-based detector column, pixel centres at integers"]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(gt=0, le=1)]
Count = Annotated[int, Ge(1)]


class FromScan:
    """The default "as the scan says"; there is one, `FROM_SCAN`."""

    def __repr__(self) -> str:
        return "FROM_SCAN"


FROM_SCAN: Final[Any] = FromScan()

HANDED_IN: Final = ("scan", "prepared", "threads")
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
    def from_scan(self) -> bool:
        """Whether the scan's own value is the default."""
        return self.default is FROM_SCAN

    @property
    def kind(self) -> Literal["choice", "boolean", "integer", "number", "text"]:
        """Which control of a form suits it."""
        if self.choices:
            return "choice"
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
        `function(slab_or_scan, *, scan, prepared, threads, <parameters>)`; of the keyword arguments those
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
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or name in HANDED_IN:
            continue
        if parameter.default is inspect.Parameter.empty or name not in hints:
            raise TypeError(f"{function.__qualname__}: the parameter {name!r} needs a type and a default")
        found.append(_parameter(name, hints[name], parameter.default))
    return tuple(found)


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    leaves = _leaves(annotation)
    return Parameter(
        name=name,
        annotation=annotation,
        default=default,
        unit=next((mark.name for leaf in leaves for mark in leaf[1] if isinstance(mark, Unit)), ""),
        choices=tuple(value for leaf, _ in leaves if get_origin(leaf) is Literal for value in get_args(leaf)),
        optional=any(leaf is NoneType for leaf, _ in leaves),
    )


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
