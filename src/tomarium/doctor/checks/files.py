"""Files: what cannot be opened, what is absent, what the reader had to repair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, a_scan, refused

# What references-absent and angles-assumed say too; and what only tells of a choice that was made.
_SAID_ELSEWHERE: Final = ("holds no flat fields", "holds no dark fields", " were assumed")
_HARMLESS: Final = ("there is no /implements", " was opened; the file also holds ")


@check(refused)
def unreadable(subject: Subject) -> Iterator[Finding]:
    """Say why it cannot be opened.

    Parameters
    ----------
    subject : Subject
        What was refused.

    Yields
    ------
    Finding
        An error with the reader's own words.
    """
    yield error(
        subject.name,
        subject.refusal,
        "a scan, a volume, a record or a table of metadata",
        "follow the last words of the message; what else is wrong is listed below it",
    )


@check(a_scan)
def sources_missing(subject: Subject) -> Iterator[Finding]:
    """Say which files are absent that the scan points to.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        An error where the frames themselves lie there, else a warning.
    """
    assert subject.scan is not None
    missing = subject.scan.missing
    if not missing:
        return
    frames_gone = 0 in subject.scan.shape
    names = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    say = error if frames_gone else warning
    yield say(
        subject.name,
        f"{'the frames' if frames_gone else 'values'} lie in what is absent: {names}",
        "every file it points to beside it",
        "copy the absent files beside the scan, under the names it gives them",
    )


@check(a_scan)
def reader_warned(subject: Subject) -> Iterator[Finding]:
    """Pass on what the reader warns of.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        A warning for each; an information where it only says that a part is not there, or what it chose.
    """
    assert subject.scan is not None
    texts = [text.removeprefix(f"{subject.name}:") for text in subject.scan.warnings]
    left_out = [text for text in texts if " was left out: " in text]
    for text in ["; ".join(left_out)] * bool(left_out) + [text for text in texts if text not in left_out]:
        if any(words in text for words in _SAID_ELSEWHERE):
            continue
        say = info if any(words in text for words in _HARMLESS) else warning
        yield say(
            subject.name,
            text,
            "a file that says what its format demands",
            "check it, and give the right value when you open the scan",
        )


@check(a_scan)
def reader_mended(subject: Subject) -> Iterator[Finding]:
    """Pass on what the reader repaired.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        An information for each.
    """
    assert subject.scan is not None
    for text in subject.scan.repaired:
        yield info(
            subject.name, text, "the format's own spelling", "nothing; `tomarium convert` writes it right"
        )
