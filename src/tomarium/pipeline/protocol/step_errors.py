"""Errors of a step are told as its own, with the package it comes from."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from tomarium import registry
from tomarium.errors import StepFailed, TomariumError
from tomarium.steps.core.step import AnyStep

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def told_as_its_own(step: AnyStep) -> Iterator[None]:
    """Run what a step brings: its function, or what it says of its result, memory and context.

    Parameters
    ----------
    step : Step, View, Probe or Tally
        Whose it is.

    Yields
    ------
    None
        For the time of the call.

    Raises
    ------
    StepFailed
        It ended in an error of its own. Errors of tomarium pass, for they say already what to do; so do a lack of
        memory, a full disk, and, of our own steps, files that cannot be read.
    """
    try:
        yield
    except (TomariumError, MemoryError):
        raise
    except (Exception, SystemExit) as problem:
        if isinstance(problem, OSError) and (problem.errno in DISK_FULL or not package(step)):
            raise
        why = f"{type(problem).__name__}: {problem}".removesuffix(": ")
        raise StepFailed(f"step {step.name}{package(step)} failed: {why}") from problem


def package(step: AnyStep) -> str:
    """Name the package of a step in brackets, behind a space; nothing for our own."""
    name, version = registry.package_of(step.function)
    return "" if name == "tomarium" else f" (package {name} {version})"
