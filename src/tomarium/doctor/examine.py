"""The examination: every check that applies, once, in the order of the themes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tomarium.doctor.check import Check, checks
from tomarium.doctor.finding import SEVERITIES, Finding, Report, error
from tomarium.doctor.subject import Subject, subject_of
from tomarium.errors import TomariumError


def examine(subject: Subject, *, on_progress: Callable[[int, int], None] | None = None) -> Report:
    """Make every check that applies.

    Parameters
    ----------
    subject : Subject
        What is examined, as `subject_of` opens it.
    on_progress : callable, optional
        Called as `on_progress(done, total)` in checks, after each.

    Returns
    -------
    Report
        Findings, the worst first. Frames and slices are sampled, so that the time is bounded: a few seconds for
        a scan of any size.
    """
    applying = [check for check in checks().values() if check.applies_to(subject)]
    findings: list[Finding] = []
    for done, check in enumerate(applying, 1):
        findings += _made(check, subject)
        if on_progress is not None:
            on_progress(done, len(applying))
    found = sorted(dict.fromkeys(findings), key=lambda one: (SEVERITIES.index(one.severity), one.theme))
    return Report(subject.name, tuple(found), tuple(check.name for check in applying))


def examine_path(path: Path, *, on_progress: Callable[[int, int], None] | None = None) -> Report:
    """Open a scan, a volume or a table and examine it.

    Parameters
    ----------
    path : Path
        File or folder; what cannot be opened gives a report that says why.
    on_progress : callable, optional
        As in `examine`.

    Returns
    -------
    Report
        As `examine`.
    """
    return examine(subject_of(Path(path)), on_progress=on_progress)


def _made(check: Check, subject: Subject) -> list[Finding]:
    try:
        said = list(check.run(subject))
    except TomariumError as problem:
        # What a damaged file answers when its frames are read; the examination goes on.
        said = [
            error(subject.name, str(problem), "data that can be read", "copy the file again from its origin")
        ]
        return [replace(finding, code="unreadable", theme="files") for finding in said]
    return [replace(finding, code=check.name, theme=check.theme) for finding in said]
