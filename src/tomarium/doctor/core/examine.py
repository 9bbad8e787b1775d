"""The examination: every check that applies, once, in the order of the themes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from tomarium.doctor.core.check import Check, all_checks
from tomarium.doctor.core.finding import SEVERITIES, Finding, Report, error
from tomarium.doctor.core.subject import Subject, subject_of
from tomarium.doctor.core.table import Table
from tomarium.errors import TomariumError

MOST_OF_A_KIND: Final = 5
"""Findings of one check that are told of the scans of a table; the others are counted."""

_LINE: Final = re.compile(r"^(.*, )?(line|item) \d+: ")


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
    applying = [check for check in all_checks().values() if check.applies_to(subject)]
    findings: list[Finding] = []
    for done, check in enumerate(applying, 1):
        findings += _run_check(check, subject)
        if on_progress is not None:
            on_progress(done, len(applying))
    if subject.table is not None and subject.table.scans:
        findings += _findings_of_scans(subject.table)
    sorted_findings = sorted(
        dict.fromkeys(findings), key=lambda finding: (SEVERITIES.index(finding.severity), finding.theme)
    )
    return Report(subject.name, tuple(sorted_findings), tuple(check.name for check in applying))


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


def _findings_of_scans(table: Table) -> list[Finding]:
    """Examine each scan of a table; what is found in several is said once, with the places."""
    places: dict[Finding, list[str]] = {}
    for place, scan in table.scans:
        subject = Subject(place, table=scan)
        for check in all_checks().values():
            if check.applies_to(subject):
                for finding in _run_check(check, subject):
                    places.setdefault(replace(finding, where=_LINE.sub("", finding.where)), []).append(place)
    counts: dict[tuple[str, str], int] = {}
    findings = []
    for finding, where in places.items():
        kind = (finding.code, finding.severity)
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= MOST_OF_A_KIND:
            more = f" and {len(where) - 3} more" if len(where) > 3 else ""
            findings.append(replace(finding, where=f"{', '.join(where[:3])}{more}: {finding.where}"))
    for (code, severity), count in counts.items():
        if count > MOST_OF_A_KIND:
            first = next(
                finding for finding in findings if (finding.code, finding.severity) == (code, severity)
            )
            more = f"{count - MOST_OF_A_KIND} more findings of this kind, with other numbers"
            findings.append(replace(first, where="other scans", found=more))
    return findings


def _run_check(check: Check, subject: Subject) -> list[Finding]:
    try:
        findings_of_check = list(check.run(subject))
    except TomariumError as problem:
        # What a damaged file answers when its frames are read; the examination goes on.
        findings_of_check = [
            error(subject.name, str(problem), "data that can be read", "follow the last words of the message")
        ]
        return [replace(finding, code="unreadable", theme="files") for finding in findings_of_check]
    return [replace(finding, code=check.name, theme=check.theme) for finding in findings_of_check]
