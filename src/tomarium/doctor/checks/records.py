"""Records: whether every byte is as it was filed, and who made it and what may be done with it is said."""

from __future__ import annotations

from collections.abc import Iterator

from tomarium import units
from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, a_record


@check(a_record)
def files_changed(subject: Subject) -> Iterator[Finding]:
    """Pass on which files are missing, changed or unlisted against the record's checksums.

    Parameters
    ----------
    subject : Subject
        The folder of a record.

    Yields
    ------
    Finding
        An error for what is missing or changed, a warning for what is unlisted; five of each are named.
    """
    remedies = {
        "missing": "take it from a backup",
        "changed": "take it from a backup; if the change was meant, file the record again",
        "unlisted": "file the record again to include it, or take it away",
    }
    for kind, remedy in remedies.items():
        paths = [problem.path for problem in subject.problems if problem.problem == kind]
        if not paths:
            continue
        names = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        say = warning if kind == "unlisted" else error
        yield say(subject.name, f"{kind}: {names}", "every file as its checksum says", remedy)
    for problem in subject.problems:
        if problem.problem not in remedies:
            yield error(
                problem.path,
                problem.problem,
                "a record that can be read",
                "take it from a backup, or file the run again",
            )


@check(a_record)
def checksums_not_compared(subject: Subject) -> Iterator[Finding]:
    """Say how much was left uncompared to keep the time bounded.

    Parameters
    ----------
    subject : Subject
        The folder of a record.

    Yields
    ------
    Finding
        An information where anything was.
    """
    if subject.not_compared_bytes:
        yield info(
            subject.name,
            f"the checksums of {units.show(subject.not_compared_bytes, 'B')} were not compared",
            "all of them",
            "compare them with `sha256sum -c manifest-sha256.txt` in the record's folder",
        )


@check(a_record)
def statements_absent(subject: Subject) -> Iterator[Finding]:
    """Say what the record does not tell and its publication will ask for.

    Parameters
    ----------
    subject : Subject
        The folder of a record.

    Yields
    ------
    Finding
        An information that names what is absent.
    """
    record = subject.record
    if record is None:
        return
    absent = [
        word for word, value in (("licence", record.licence), ("creators", record.creators)) if not value
    ]
    if absent:
        yield info(
            subject.name,
            f"no {' and no '.join(absent)}",
            "a licence and the names of those who made it",
            "state them when you file it; nothing can be published without",
        )
