"""What a step, a probe and a tally are; their signature and docstring are their only definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any, Literal

from tomarium.model import Domain, Scan, Slab
from tomarium.steps.parameter import HANDED_IN, Parameter, read_signature

Values = Mapping[str, Any]
"""Parameter name → plain value."""

Cut = Literal["row", "angle"]
"""How a slab may be cut: "row", slabs of detector rows (all angles); "angle", slabs of angles (all rows)."""


@dataclass(frozen=True)
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
    gives : callable
        `gives(domain, values) -> Domain` of its result.
    halo : callable
        `halo(values, scan) -> int`: rows of context it needs above and below.
    peak : callable
        `peak(values, scan, rows) -> int`: bytes held at its worst moment for `rows` rows, input and
        result included.
    prepare : callable or None
        `prepare(scan, values, rows) -> object` computed once for all slabs within `rows` and handed in as
        `prepared`.
    plane : callable or None
        `plane(values, scan) -> (y, x)`: size of the slices it makes; None where rows and columns stay.
    demand : callable or None
        `demand(scan)` refuses a scan that lacks what the step needs, before anything is begun.
    aliases : tuple of str
        Other names it is known by.
    """

    name: str
    function: Callable[..., Slab]
    cut: Cut
    accepts: tuple[Domain, ...]
    gives: Callable[[Domain, Values], Domain]
    halo: Callable[[Values, Scan], int]
    peak: Callable[[Values, Scan, int], int]
    prepare: Callable[[Scan, Values, slice], Any] | None = None
    plane: Callable[[Values, Scan], tuple[int, int]] | None = None
    demand: Callable[[Scan], None] | None = None
    aliases: tuple[str, ...] = ()

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


@dataclass(frozen=True)
class Probe:
    """A documented function scan → value with a confidence. Made by `probe`.

    Attributes
    ----------
    name : str
        Word users write.
    function : callable
        `function(scan, *, <parameters>) -> result`, a frozen dataclass with a `confidence`.
    fills : str
        Field of `Scan` that its answer fills.
    answer : callable
        `answer(result)`: the value to fill it with.
    reads : callable
        `reads(values, scan) -> tuple of slice`: the detector rows it reads at all angles.
    aliases : tuple of str
        Other names it is known by.
    """

    name: str
    function: Callable[..., Any]
    fills: str
    answer: Callable[[Any], Any]
    reads: Callable[[Values, Scan], tuple[slice, ...]]
    aliases: tuple[str, ...] = ()

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order of the signature."""
        return read_signature(self.function)

    def __call__(self, scan: Scan, **values: Any) -> Any:
        """Run the function."""
        return self.function(scan, **values)


@dataclass(frozen=True)
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
    aliases : tuple of str
        Other names it is known by.
    """

    name: str
    function: Callable[..., Any]
    merge: Callable[[Any, Any], Any]
    accepts: tuple[Domain, ...]
    aliases: tuple[str, ...] = ()

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order of the signature."""
        return read_signature(self.function)

    def __call__(self, slab: Slab, **values: Any) -> Any:
        """Run the function after a look at the slab's domain."""
        slab.demand(*self.accepts, by=self.name)
        return self.function(slab, **values)


AnyStep = Step | Probe | Tally


def step(
    *,
    accepts: tuple[Domain, ...],
    gives: Domain | Callable[[Domain, Values], Domain] | None = None,
    cut: Cut = "row",
    halo: int | Callable[[Values, Scan], int] = 0,
    peak: float | Callable[[Values, Scan, int], int] = 2.0,
    prepare: Callable[[Scan, Values, slice], Any] | None = None,
    plane: Callable[[Values, Scan], tuple[int, int]] | None = None,
    demand: Callable[[Scan], None] | None = None,
    aliases: tuple[str, ...] = (),
) -> Callable[[Callable[..., Slab]], Step]:
    """Make a step of a function.

    Parameters
    ----------
    accepts : tuple of Domain
        What numbers it works on.
    gives : Domain or callable, optional
        What numbers it returns; by default those it was given.
    cut : Cut
        How its input may be cut.
    halo : int or callable
        Rows of context above and below, or `halo(values, scan)`.
    peak : float or callable
        Memory at its worst moment, input and result included: in multiples of the slab as float32, or
        `peak(values, scan, rows)` in bytes.
    prepare : callable, optional
        `prepare(scan, values, rows)`, done once for all slabs within `rows` and handed in as `prepared`.
    plane : callable, optional
        `plane(values, scan)`: size (y, x) of the slices it makes.
    demand : callable, optional
        `demand(scan)` raises MissingData where the scan lacks what the step needs.
    aliases : tuple of str
        Other names it is known by.

    Returns
    -------
    callable
        Decorator that turns the function into a `Step`.
    """

    def decorate(function: Callable[..., Slab]) -> Step:
        return Step(
            name=function.__name__,
            function=function,
            cut=cut,
            accepts=accepts,
            gives=gives if callable(gives) else lambda domain, _: gives or domain,
            halo=halo if callable(halo) else lambda _values, _scan: halo,
            peak=peak if callable(peak) else lambda _values, scan, rows: slab_bytes(scan, rows, peak),
            prepare=prepare,
            plane=plane,
            demand=demand,
            aliases=aliases,
        )

    return decorate


def probe(
    *,
    fills: str,
    answer: Callable[[Any], Any],
    reads: Callable[[Values, Scan], tuple[slice, ...]],
    aliases: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Probe]:
    """Make a probe of a function.

    Parameters
    ----------
    fills : str
        Field of `Scan` that its answer fills.
    answer : callable
        `answer(result)`: the value to fill it with.
    reads : callable
        `reads(values, scan)`: the detector rows it reads at all angles.
    aliases : tuple of str
        Other names it is known by.

    Returns
    -------
    callable
        Decorator that turns the function into a `Probe`.
    """
    return lambda function: Probe(function.__name__, function, fills, answer, reads, aliases)


def tally(
    *, merge: Callable[[Any, Any], Any], accepts: tuple[Domain, ...], aliases: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Tally]:
    """Make a tally of a function.

    Parameters
    ----------
    merge : callable
        `merge(partial, partial) -> partial`; associative and commutative.
    accepts : tuple of Domain
        What numbers it works on.
    aliases : tuple of str
        Other names it is known by.

    Returns
    -------
    callable
        Decorator that turns the function into a `Tally`.
    """
    return lambda function: Tally(function.__name__, function, merge, accepts, aliases)


def slab_bytes(scan: Scan, rows: int, times: float = 1.0) -> int:
    """Return the bytes of a slab of projections held as float32.

    Parameters
    ----------
    scan : Scan
        Tells the number of angles and columns.
    rows : int
        Rows of the slab.
    times : float
        How many of them.

    Returns
    -------
    int
        4 · angles · rows · columns · times.
    """
    angles, _, columns = scan.shape
    return int(4 * angles * rows * columns * times)
