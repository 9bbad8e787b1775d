"""What a check is: when it applies, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps

from tomarium import registry
from tomarium.doctor.core.finding import Finding
from tomarium.doctor.core.subject import Subject

Run = Callable[[Subject], Iterable[Finding]]
Applies = Callable[[Subject], bool]


@dataclass(frozen=True)
class Check:
    """One check; a module of `tomarium.doctor` makes it known by holding it.

    Attributes
    ----------
    name : str
        The findings' code, "flats-moved".
    theme : str
        Name of its module, by which findings are grouped.
    applies_to : callable
        `applies_to(subject)`: whether what it needs is there.
    run : callable
        `run(subject)`: the findings; none where all is well and no number is worth showing.
    function : callable
        The function as it was written; its docstring says what is checked and why.
    """

    name: str
    theme: str
    applies_to: Applies
    run: Run
    function: Callable[..., Iterable[Finding]] = field(repr=False)


def check(applies_to: Applies) -> Callable[[Run], Check]:
    """Make a function a check of the subjects it applies to.

    Parameters
    ----------
    applies_to : callable
        One of `a_scan`, `a_volume` …, or `knows("pixel_m", …)`.

    Returns
    -------
    callable
        Decorator; the check is named after the function, "_" becoming "-".
    """

    def made(function: Run) -> Check:
        theme = function.__module__.rsplit(".", 1)[-1].replace("_", " ")
        return Check(_name(function), theme, applies_to, function, function)

    return made


def compares(*names: str) -> Callable[[Callable[..., Iterable[Finding]]], Check]:
    """Make a function of facts a check, which applies where all of them are known.

    Parameters
    ----------
    *names : str
        Facts the function takes as its positional arguments, in this order; see `facts.FACTS`.

    Returns
    -------
    callable
        Decorator; the function gets the numbers, or the whole subject first where it asks for `subject`.
    """

    def made(function: Callable[..., Iterable[Finding]]) -> Check:
        @wraps(function)
        def run(subject: Subject) -> Iterable[Finding]:
            return function(subject, *(subject.facts[name].value for name in names))

        theme = function.__module__.rsplit(".", 1)[-1].replace("_", " ")
        return Check(_name(function), theme, knows(*names), run, function)

    return made


def knows(*names: str) -> Applies:
    """Apply where facts are known.

    Parameters
    ----------
    *names : str
        Facts that must all be known.

    Returns
    -------
    callable
        The predicate.
    """
    return lambda subject: all(name in subject.facts for name in names)


def all_checks() -> dict[str, Check]:
    """List the checks there are.

    Returns
    -------
    dict of str to Check
        Name → check, those of other installed packages included.
    """
    return registry.collect("doctor", Check)


def _name(function: Callable[..., object]) -> str:
    return function.__name__.replace("_", "-")
