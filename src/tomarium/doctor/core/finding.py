"""What the doctor says: findings, and the report they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Severity = Literal["info", "warning", "error"]
"""info: numbers that agree, or worth knowing · warning: look at it before you trust the data · error: wrong."""

Verdict = Literal["clean", "warnings", "errors"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing the doctor found.

    Attributes
    ----------
    severity : Severity
        "info", "warning" or "error".
    where : str
        What it is about: a file and path, "flats", "slice 40 of 192".
    found : str
        What is there, with its numbers.
    expected : str
        What should be there, with its numbers.
    mend : str
        What to do; "" where there is nothing to do.
    code : str
        Name of the check, stamped on by `examine`.
    theme : str
        Theme of the check, likewise.
    """

    severity: Severity
    where: str
    found: str
    expected: str
    mend: str = ""
    code: str = ""
    theme: str = ""


@dataclass(frozen=True)
class Report:
    """Everything the doctor found in one subject.

    Attributes
    ----------
    name : str
        What was examined.
    findings : tuple of Finding
        The worst first, in the order of the themes.
    checked : tuple of str
        Names of the checks that could be made.
    """

    name: str
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings: "clean", "warnings" or "errors"."""
        severities = {finding.severity for finding in self.findings}
        return "errors" if "error" in severities else "warnings" if "warning" in severities else "clean"

    @property
    def exit_code(self) -> int:
        """What the command leaves with: 0 clean, 1 warnings, 2 errors."""
        return {"clean": 0, "warnings": 1, "errors": 2}[self.verdict]

    def as_data(self) -> Mapping[str, Any]:
        """Return it JSON-ready: `name`, `verdict`, `findings` and `checked`."""
        keys = ("code", "severity", "where", "found", "expected", "mend")
        return {
            "name": self.name,
            "verdict": self.verdict,
            "findings": [{key: getattr(finding, key) for key in keys} for finding in self.findings],
            "checked": list(self.checked),
        }


def info(where: str, found: str, expected: str, mend: str = "") -> Finding:
    """Say that numbers agree, or something worth knowing.

    Parameters
    ----------
    where, found, expected, mend : str
        As in `Finding`.

    Returns
    -------
    Finding
        Of severity "info".
    """
    return Finding("info", where, found, expected, mend)


def warning(where: str, found: str, expected: str, mend: str) -> Finding:
    """Say what should be looked at before the data are trusted.

    Parameters
    ----------
    where, found, expected, mend : str
        As in `Finding`.

    Returns
    -------
    Finding
        Of severity "warning".
    """
    return Finding("warning", where, found, expected, mend)


def error(where: str, found: str, expected: str, mend: str) -> Finding:
    """Say what is wrong.

    Parameters
    ----------
    where, found, expected, mend : str
        As in `Finding`.

    Returns
    -------
    Finding
        Of severity "error".
    """
    return Finding("error", where, found, expected, mend)
