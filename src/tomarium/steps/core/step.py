"""What a step, a view, a probe and a tally are; their signature and docstring are their only definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from inspect import signature
from typing import Any, Literal

import numpy as np

from tomarium.model import Domain, Layout, Scan, Slab, Value
from tomarium.model.slab import unit_of
from tomarium.steps.core.parameter import HANDED_IN, Parameter, read_signature
from tomarium.steps.core.sample import demand_scan
from tomarium.steps.core.values import check, spelled

Values = Mapping[str, Any]
"""Parameter name → plain value."""

Settle = Callable[[Mapping[str, Value[Any]]], Mapping[str, Value[Any]]]
"""Values of a step's parameters → those of them that follow from others."""

Cut = Literal["any", "row", "angle", "slice"]
"""How a step's input may be cut: "any", a frame or a row, whatever it gets, with a halo of rows; "row", all angles of
some rows; "angle", whole frames of some angles, with a halo of angles; "slice", some slices, with a halo of slices."""


@dataclass(frozen=True)
class Cost:
    """What a step needs, relative to what reaches it.

    Attributes
    ----------
    host : float or callable
        Memory at its worst moment, input and result included: in multiples of its input as float32, or
        `host(values, layout)` in bytes, `layout` being that of the slab with its halo.
    device : float or callable or None
        The same on a GPU; None where it is as on the host.
    prepared : callable or None
        `prepared(scan, values)`: bytes of what it prepares once for all slabs.
    further : callable or None
        `further(scan, values)`: bytes that it reads of other scans, and those of them that are unpacked.
    nanoseconds : float
        Time of one core for one number of its input, for the plan's estimate and its choice of sections.
    """

    host: float | Callable[[Values, Layout], int] = 2.0
    device: float | Callable[[Values, Layout], int] | None = None
    prepared: Callable[[Scan, Values], int] | None = None
    further: Callable[[Scan, Values], tuple[int, int]] | None = None
    nanoseconds: float = 5.0

    def host_bytes(self, values: Values, layout: Layout) -> int:
        """Return the memory at its worst moment for a slab of that layout, input and result included."""
        return self.host(values, layout) if callable(self.host) else int(4 * layout.values * self.host)

    def device_bytes(self, values: Values, layout: Layout) -> int:
        """Return the memory on a GPU at its worst moment."""
        price = self.host if self.device is None else self.device
        return price(values, layout) if callable(price) else int(4 * layout.values * price)


@dataclass(frozen=True)
class Figure:
    """A count that a step has to tell.

    Attributes
    ----------
    name : str
        Key of the slab's report, below the step's name: "clipped" is "flat_field.clipped".
    warn_above : float or None
        Part of the numbers above which it is a warning; None where it never is.
    warning : str
        The warning, with `{percent}` in it.
    """

    name: str
    warn_above: float | None = None
    warning: str = ""


@dataclass(frozen=True)
class Example:
    """Small input that a step works on, so that it can be tested in under a second.

    Attributes
    ----------
    values : mapping
        Parameters, as a protocol gives them.
    angles, rows, columns : int
        Size of the projections; for steps on slices, `rows` slices of `columns` squared.
    """

    values: Mapping[str, Any] | None = None
    angles: int = 60
    rows: int = 12
    columns: int = 64


@dataclass(frozen=True, eq=False)
class Step:
    """A documented function slab → slab with checked parameters. Made by `step`.

    Attributes
    ----------
    name : str
        Word users write.
    function : callable
        `function(slab, *, <handed in>, <parameters>) -> Slab`.
    cut : Cut
        How its input may be cut.
    accepts : tuple of Domain
        What numbers it works on.
    after : callable
        `after(layout, values) -> Layout` of what it returns: shape, type, domain, unit and geometry. It may change
        angles and columns; the number of rows stays, and row i becomes slice i.
    halo : callable
        `halo(values, layout) -> int`: context it needs on each side, in rows ("any", "row"), angles ("angle") or
        slices ("slice").
    together : int
        Rows that it works on together, counted from the first of the scan: a slab holds all of them.
    anywhere : callable
        `anywhere(values, layout) -> bool`: whether it takes an array wherever that lies, and works on it there.
    cost : Cost
        Memory and time.
    prepare : callable or None
        `prepare(scan, values, rows) -> object` computed once for all slabs within `rows` and handed in as `prepared`.
        One that asks for `through`, too, takes further scans by it; see `steps.core.further_scans`.
    alone : callable or None
        `alone(prepared, layout, rows) -> bool`: whether these rows come out the same without the halo.
    demand : callable or None
        `demand(scan, layout)` refuses a scan that lacks what the step needs, before anything is begun.
    first : callable or None
        `first(layout, values) -> tuple of str`: names of steps that are put before it where the protocol lacks them.
    settle : callable or None
        `settle(values) -> values`, of parameter name → `Value`: gives parameters that follow from others their value.
    asks : mapping of str to str
        Parameter → probe: where the parameter is "auto", it is asked right before the step, and its answer taken.
    figures : tuple of Figure
        What it counts.
    place : int
        Natural place in a protocol, for steps given by name alone: 10 raw frames, 20 counts to attenuation,
        30 phase, 40 sinograms, 50 weights, 60 reconstruction, 70 volume.
    example : Example
        Small input for the contract suite.
    aliases : tuple of str
        Other names it is known by.
    gives : Domain or None
        What numbers it returns, where that does not hang on its parameters.
    """

    name: str
    function: Callable[..., Slab]
    cut: Cut
    accepts: tuple[Domain, ...]
    after: Callable[[Layout, Values], Layout]
    halo: Callable[[Values, Layout], int]
    anywhere: Callable[[Values, Layout], bool]
    cost: Cost
    prepare: Callable[..., Any] | None = None
    alone: Callable[[Any, Layout, slice], bool] | None = None
    demand: Callable[[Scan, Layout], None] | None = None
    first: Callable[[Layout, Values], tuple[str, ...]] | None = None
    settle: Settle | None = None
    asks: Mapping[str, str] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    place: int = 40
    example: Example = Example()
    aliases: tuple[str, ...] = ()
    gives: Domain | None = None
    together: int = 1

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order of the signature."""
        return read_signature(self.function)

    @cached_property
    def takes(self) -> frozenset[str]:
        """Which of `HANDED_IN` its signature asks for."""
        return frozenset(HANDED_IN) & frozenset(signature(self.function).parameters)

    def __call__(self, slab: Slab, **values: Any) -> Slab:
        """Run the function after a look at the slab's domain."""
        slab.demand(*self.accepts, by=self.name)
        return self.function(slab, **values)

    def __reduce__(self) -> Any:
        return _again, (self.function.__module__, self.function.__name__)


@dataclass(frozen=True, eq=False)
class View:
    """A documented function scan → scan, lazy: it takes projections, flats and darks along. Made by `view`.

    Attributes
    ----------
    name : str
        Word users write.
    function : callable
        `function(scan, *, <parameters>) -> Scan`.
    place : int
        Natural place in a protocol, before every step.
    example : Example
        Small input for the contract suite.
    aliases : tuple of str
        Other names it is known by.
    gives : Domain or None
        What the numbers of the made scan are; None where they are those of the scan.
    column_before : callable or None
        `(values, layout before, column of the made scan) -> column of the scan`; None where columns are of several.
    """

    name: str
    function: Callable[..., Scan]
    place: int = 0
    example: Example = Example()
    aliases: tuple[str, ...] = ()
    gives: Domain | None = None
    column_before: Callable[[Values, Layout, float], float] | None = None

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order of the signature."""
        return read_signature(self.function)

    def __call__(self, scan: Scan, **values: Any) -> Scan:
        """Make the view, and note in the scan's recipe how, and what its user had told before."""
        scan = demand_scan(scan)
        values = check(self, values)
        for parameter in self.parameters:
            if parameter.from_scan and parameter.name not in values:
                value = getattr(scan.geometry, parameter.name)
                values[parameter.name] = None if value is None else value.value
        view = self.function(scan, **values)
        opened = scan.recipe or ({"open": scan.geometry.given()},)
        return replace(view, recipe=(*opened, {self.name: spelled(self, values)}))

    def __reduce__(self) -> Any:
        return _again, (self.function.__module__, self.function.__name__)


@dataclass(frozen=True, eq=False)
class Probe:
    """A documented function that looks at what reaches it and answers with a confidence. Made by `probe`.

    Attributes
    ----------
    name : str
        Word users write.
    function : callable
        `function(sample, *, <parameters>) -> result`, a frozen dataclass with a `confidence`; `sample` is a Scan,
        or a `Sample` of what the steps before the probe leave.
    fills : str or tuple of str
        Field of `Geometry` that its answer fills, or several; none of a probe that steps ask by their `asks`.
    answer : callable
        `answer(result)`: the value to fill it with, or one for each of several; None where a field stays as it is.
    reads : callable
        `reads(values, layout) -> tuple of slice`: the detector rows it reads at all angles.
    warnings : callable
        `warnings(result as mapping) -> list of str`: what the user should know of an answer.
    cost : Cost
        Memory, relative to the rows it reads.
    place : int
        Natural place in a protocol.
    example : Example
        Small input for the contract suite.
    aliases : tuple of str
        Other names it is known by.
    """

    name: str
    function: Callable[..., Any]
    fills: str | tuple[str, ...]
    answer: Callable[[Any], Any]
    reads: Callable[[Values, Layout], tuple[slice, ...]]
    warnings: Callable[[Mapping[str, Any]], list[str]]
    cost: Cost = Cost(host=4.0)
    place: int = 5
    example: Example = Example()
    aliases: tuple[str, ...] = ()

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order of the signature."""
        return read_signature(self.function)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the geometry that it fills."""
        return (self.fills,) if isinstance(self.fills, str) else self.fills

    def filled(self, answer: Any) -> dict[str, Any]:
        """Return the value for each field, of an answer as `answer` gives it or JSON keeps it."""
        if not self.fields:
            return {}
        answers = (answer,) if isinstance(self.fills, str) else answer
        answers_by_field = {
            name: value for name, value in zip(self.fields, answers, strict=True) if value is not None
        }
        return {
            name: np.asarray(value) if isinstance(value, list) else value
            for name, value in answers_by_field.items()
        }

    def __call__(self, sample: Any, **values: Any) -> Any:
        """Run the function."""
        return self.function(sample, **values)

    def __reduce__(self) -> Any:
        return _again, (self.function.__module__, self.function.__name__)


@dataclass(frozen=True, eq=False)
class Tally:
    """A documented function slab → partial result that merges. Made by `tally`.

    Attributes
    ----------
    name : str
        Word users write.
    function : callable
        `function(slab, *, <parameters>) -> partial`, JSON-ready.
    merge : callable
        `merge(partial, partial) -> partial`; associative and commutative.
    accepts : tuple of Domain
        What numbers it works on.
    place : int
        Natural place in a protocol.
    example : Example
        Small input for the contract suite.
    aliases : tuple of str
        Other names it is known by.
    """

    name: str
    function: Callable[..., Any]
    merge: Callable[[Any, Any], Any]
    accepts: tuple[Domain, ...]
    place: int = 90
    example: Example = Example()
    aliases: tuple[str, ...] = ()

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order of the signature."""
        return read_signature(self.function)

    def __call__(self, slab: Slab, **values: Any) -> Any:
        """Run the function after a look at the slab's domain."""
        slab.demand(*self.accepts, by=self.name)
        return self.function(slab, **values)

    def __reduce__(self) -> Any:
        return _again, (self.function.__module__, self.function.__name__)


AnyStep = Step | View | Probe | Tally


def _again(module: str, name: str) -> Any:
    """Find a member where its function was defined, in another process."""
    return getattr(import_module(module), name)


def step(
    *,
    accepts: tuple[Domain, ...],
    gives: Domain | None = None,
    after: Callable[[Layout, Values], Layout] | None = None,
    cut: Cut = "row",
    halo: int | Callable[[Values, Layout], int] = 0,
    together: int = 1,
    anywhere: bool | Callable[[Values, Layout], bool] = False,
    cost: Cost = Cost(),
    prepare: Callable[..., Any] | None = None,
    alone: Callable[[Any, Layout, slice], bool] | None = None,
    demand: Callable[[Scan, Layout], None] | None = None,
    first: Callable[[Layout, Values], tuple[str, ...]] | None = None,
    settle: Settle | None = None,
    asks: Mapping[str, str] | None = None,
    figures: tuple[Figure, ...] = (),
    place: int = 40,
    example: Example = Example(),
    aliases: tuple[str, ...] = (),
) -> Callable[[Callable[..., Slab]], Step]:
    """Make a step of a function.

    Parameters
    ----------
    accepts : tuple of Domain
        What numbers it works on.
    gives : Domain, optional
        What numbers it returns; by default those it was given.
    after : callable, optional
        `after(layout, values)`: all that it changes, where that is more than the domain.
    cut, halo, together, anywhere, cost, prepare, alone, demand, first, settle, asks, figures, place, example, aliases
        See `Step`; a halo may be a number, `anywhere` the same for all values.

    Returns
    -------
    callable
        Decorator that turns the function into a `Step`.
    """

    def same_shape(layout: Layout, _: Values) -> Layout:
        domain = gives or layout.domain
        unit = layout.unit if domain == layout.domain else unit_of(domain)
        return replace(layout, dtype=np.dtype(np.float32), domain=domain, unit=unit)

    def decorate(function: Callable[..., Slab]) -> Step:
        return Step(
            function.__name__, function, cut, accepts, after or same_shape,
            halo=halo if callable(halo) else lambda _values, _layout: halo,
            anywhere=anywhere if callable(anywhere) else lambda _values, _layout: bool(anywhere),
            cost=cost, prepare=prepare, alone=alone, demand=demand, first=first, settle=settle, asks=asks or {},
            figures=figures, place=place, example=example, aliases=aliases, gives=gives, together=together,
        )  # fmt: skip

    return decorate


def view(
    *,
    place: int = 0,
    example: Example = Example(),
    aliases: tuple[str, ...] = (),
    gives: Domain | None = None,
    column_before: Callable[[Values, Layout, float], float] | None = None,
) -> Callable[[Callable[..., Scan]], View]:
    """Make a view of a function.

    Parameters
    ----------
    place, example, aliases, gives, column_before
        See `View`.

    Returns
    -------
    callable
        Decorator that turns the function into a `View`.
    """
    return lambda function: View(function.__name__, function, place, example, aliases, gives, column_before)


def probe(
    *,
    fills: str | tuple[str, ...],
    answer: Callable[[Any], Any],
    reads: Callable[[Values, Layout], tuple[slice, ...]],
    warnings: Callable[[Mapping[str, Any]], list[str]] = lambda _: [],
    cost: Cost = Cost(host=4.0),
    place: int = 5,
    example: Example = Example(),
    aliases: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Probe]:
    """Make a probe of a function.

    Parameters
    ----------
    fills, answer, reads, warnings, cost, place, example, aliases
        See `Probe`.

    Returns
    -------
    callable
        Decorator that turns the function into a `Probe`.
    """
    return lambda function: Probe(
        function.__name__, function, fills, answer, reads, warnings, cost, place, example, aliases
    )


def tally(
    *,
    merge: Callable[[Any, Any], Any],
    accepts: tuple[Domain, ...],
    place: int = 90,
    example: Example = Example(),
    aliases: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Tally]:
    """Make a tally of a function.

    Parameters
    ----------
    merge : callable
        `merge(partial, partial) -> partial`; associative and commutative.
    accepts, place, example, aliases
        See `Tally`.

    Returns
    -------
    callable
        Decorator that turns the function into a `Tally`.
    """
    return lambda function: Tally(function.__name__, function, merge, accepts, place, example, aliases)
