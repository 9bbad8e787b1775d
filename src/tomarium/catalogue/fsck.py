"""All checks of a catalogue's state, and the repair of what can be brought in order without a loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.state_checks.state_check import CheckContext, StateCheck
from tomarium.doctor.core.finding import Finding
from tomarium.errors import TomariumError
from tomarium.registry import collect


@dataclass(frozen=True)
class FindingAndRepair:
    """A finding, and what became of it.

    Attributes
    ----------
    finding : Finding
        Of severity "error" where something is lost or wrong, "warning" where something is half done, "info" where it
        only takes room or waits.
    can_repair : bool
        Whether `repair` brings it in order.
    repaired : str
        What was done; "" where nothing was.
    problem : str
        Why the repair failed; "" where it did not.
    """

    finding: Finding
    can_repair: bool
    repaired: str = ""
    problem: str = ""


def _no_progress(_stage: str, _done: int, _total: int) -> None:
    """Report no progress."""


def fsck(
    catalogue: Catalogue,
    *,
    files: bool = True,
    repair: bool = False,
    now: float | None = None,
    tell: Callable[[str, int, int], None] = _no_progress,
) -> Iterator[FindingAndRepair]:
    """Find what a program that was stopped, a full disk or a lost file has left half done.

    Rows and folders are read some hundred at a time, so that memory does not grow with the catalogue; the portal and
    workers go on meanwhile, and what is younger than a minute is left alone.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    files : bool
        Whether folders of records are looked into: their crates and the names of their files. The files themselves are
        not read; `tomarium store check` and the rolling audit of a worker do that.
    repair : bool
        Whether what can be brought in order without a loss is; each repair is a line of the log.
    now : float, optional
        Seconds since 1970; the present moment by default.
    tell : callable
        `tell(stage, done, total)`.

    Yields
    ------
    FindingAndRepair
        One after the other.
    """
    context = CheckContext(catalogue, time.time() if now is None else now, files, tell)
    for check in collect("catalogue.state_checks", StateCheck).values():
        for code, fault in check.run(context):
            named = fault.called(code, check.name)
            can = named.repair is not None
            if not repair or named.repair is None:
                yield FindingAndRepair(named.finding, can)
                continue
            try:
                repaired = named.repair()
            except (TomariumError, OSError) as problem:
                yield FindingAndRepair(named.finding, can, problem=str(problem))
                continue
            with catalogue.writing() as connection:
                note(
                    connection,
                    LOCAL_OWNER,
                    "repair",
                    told={"code": code, "where": named.finding.where, "done": repaired},
                )
            yield FindingAndRepair(named.finding, can, repaired=repaired)
