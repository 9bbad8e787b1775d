"""What must be known of a scan before its sample is taken off: the checks of the doctor and of a run, in short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from tomarium.doctor.checks import beam, counts, flats
from tomarium.doctor.core.check import Check
from tomarium.doctor.core.finding import Finding
from tomarium.doctor.core.subject import Subject
from tomarium.model import Scan

Level = Literal["warn", "stop"]
"""warn: look at it now · stop: the scan cannot give what it was made for, as far as can be told."""


@dataclass(frozen=True)
class ScanWarning:
    """Something to know before the sample is taken off.

    Attributes
    ----------
    kind : str
        "moved", "bubbles", "flats", "saturated", "beam", "axis" or "frames".
    title : str
        Two or three words.
    text : str
        What was found, with its numbers.
    level : str
        "warn" or "stop".
    """

    kind: str
    title: str
    text: str
    level: Level = "warn"

    def as_data(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return asdict(self)


CHECKS: Final[tuple[tuple[Check, str, str], ...]] = (
    (beam.beam_lost, "beam", "Beam lost"),
    (counts.projections_saturated, "saturated", "Projections saturated"),
    (counts.flats_saturated, "saturated", "Flats saturated"),
    (counts.frames_blank, "frames", "Blank frames"),
    (flats.flats_moved, "flats", "Flats drifted"),
    (flats.flats_intensity, "flats", "Flats drifted"),
    (beam.references_uneven, "flats", "Flats uneven"),
)
"""Checks of the doctor that are made, with the kind and the title of what they find."""

_SAID: Final = (
    ("saturated", "saturated", "Saturated"),
    ("hold no information", "beam", "Beam lost"),
    ("no flat is brighter", "beam", "No beam in the flats"),
    ("as bright as the flats", "beam", "Beam changed"),
    ("the signal changes", "beam", "Beam changed"),
    ("flats are black", "flats", "Black flats"),
    ("partly blocked", "frames", "Views blocked"),
    ("the sample turned by", "frames", "Wrong angles"),
)
"""Words of the data check of a run, with kind and title."""
OTHER: Final = "Look at the frames"
TITLES: Final = (*(title for *_, title in CHECKS), *(title for *_, title in _SAID), OTHER)
"""Titles of what is found in frames."""


def of_data_check(opened: Scan, checked: Scan) -> list[ScanWarning]:
    """Tell what the data check of a run has added to the warnings of a scan.

    Parameters
    ----------
    opened : Scan
        As it was opened.
    checked : Scan
        As it was reconstructed.

    Returns
    -------
    list of ScanWarning
        One for each sentence.
    """
    new_warnings = [text for text in checked.warnings if text not in opened.warnings]
    return [warning_of_sentence(text) for text in new_warnings]


def warning_of_sentence(text: str, level: Level = "warn") -> ScanWarning:
    """Give a sentence of the data check its kind and title.

    Parameters
    ----------
    text : str
        The sentence.
    level : str
        "warn" or "stop".

    Returns
    -------
    ScanWarning
        Of kind "frames" where the words are not known.
    """
    for words, kind, title in _SAID:
        if words in text:
            return ScanWarning(kind, title, text, level)
    return ScanWarning("frames", OTHER, text, level)


def of_frames(scan: Scan) -> list[ScanWarning]:
    """Make the checks of the doctor that concern a scan just taken.

    Parameters
    ----------
    scan : Scan
        Its frames are there; some of them are read.

    Returns
    -------
    list of ScanWarning
        What was found; empty as a rule.
    """
    subject = Subject(scan.name, scan=scan)
    return [scan_warning for check, kind, title in CHECKS if check.applies_to(subject)
            for scan_warning in _run_check(check, subject, kind, title)]  # fmt: skip


def _run_check(check: Check, subject: Subject, kind: str, title: str) -> Iterator[ScanWarning]:
    for finding in check.run(subject):
        # A beam that is a few percent weaker at the end is told, for the next flats come from it too.
        if finding.severity == "info" and check is not flats.flats_intensity:
            continue
        yield ScanWarning(kind, title, _sentence(finding), "stop" if finding.severity == "error" else "warn")


def _sentence(finding: Finding) -> str:
    return (
        f"{finding.where}: {finding.found}; {finding.mend}"
        if finding.mend
        else f"{finding.where}: {finding.found}"
    )
