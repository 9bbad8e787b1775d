"""Quantities: numbers without a unit, without a sense, or that only hold a place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from statistics import median_low
from typing import Final

from tomarium import units
from tomarium.doctor.core.check import check
from tomarium.doctor.core.facts import FACTS
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, a_scan, a_table
from tomarium.doctor.core.written_numbers import has_two_senses

_FAR: Final = 300.0
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_PHYSICAL: Final = re.compile(
    r"(energy|current|pixel_size|distance|exposure_time|count_time|magnification|wavelength)$"
)


def _any_fact(subject: Subject) -> bool:
    return bool(subject.facts)


@check(_any_fact)
def quantity_absurd(subject: Subject) -> Iterator[Finding]:
    """Compare each number with the range it can be in: a pixel of 1 m, an energy of -1 keV.

    Parameters
    ----------
    subject : Subject
        Anything that knows a number.

    Yields
    ------
    Finding
        An error for each that is out of its range, or no finite number.
    """
    for name, value in subject.facts.items():
        fact = FACTS.get(name)
        if fact is None or not isinstance(value.value, (int, float)):
            continue
        if math.isfinite(value.value) and fact.lowest <= value.value <= fact.highest:
            continue
        placeholder = " (-1 often stands for unknown)" if value.value == -1 else ""
        yield error(
            value.source or name,
            f"{name} = {units.show(value.value, fact.unit)}{placeholder}",
            f"{units.show(fact.lowest, fact.unit)} to {units.show(fact.highest, fact.unit)}",
            "check the number and its unit, and give the right one when you open the scan",
        )


@check(a_table)
def unit_absent(subject: Subject) -> Iterator[Finding]:
    """Look for numbers of a table that lack their unit.

    Parameters
    ----------
    subject : Subject
        A table.

    Yields
    ------
    Finding
        A warning for each; such a number takes part in no other check.
    """
    assert subject.table is not None
    for row in subject.table.without_unit:
        yield warning(
            f"{row.place}: {row.name}",
            f"{row.value} without a unit",
            "a number with its unit",
            "ask who wrote it, then put the unit in its column or behind the number; it was left out here",
        )


@check(a_table)
def value_unreadable(subject: Subject) -> Iterator[Finding]:
    """Look for cells of a table that hold no number, or a unit of another kind.

    Parameters
    ----------
    subject : Subject
        A table.

    Yields
    ------
    Finding
        An error for each; an information for those that are empty.
    """
    assert subject.table is not None
    for row in subject.table.unreadable:
        hint = " (a UUID stands where a number should)" if _UUID.search(row.value) else ""
        if has_two_senses(row.value):
            hint = " (the comma may be a decimal sign or part the thousands)"
        yield error(
            f"{row.place}: {row.name}",
            f"{row.value} {row.unit}".strip() + hint,
            "a number with a unit of its kind",
            "correct the cell",
        )
    for row in subject.table.empty:
        yield info(f"{row.place}: {row.name}", "nothing", "a number", "write 'unknown' where nobody knows it")


@check(a_table)
def value_contradicted(subject: Subject) -> Iterator[Finding]:
    """Look for quantities of a table that are given twice, with different values.

    Parameters
    ----------
    subject : Subject
        A table.

    Yields
    ------
    Finding
        A warning for each; the first of the values took part in the other checks.
    """
    assert subject.table is not None
    for row in subject.table.contradicted:
        yield warning(f"{row.place}: {row.name}", row.value, "one value", "remove the line that is wrong")


@check(a_table)
def scans_apart(subject: Subject) -> Iterator[Finding]:
    """Compare the scans of a table: a number a thousand times that of the others has the wrong unit.

    Parameters
    ----------
    subject : Subject
        A table with a scan in each line or column; else nothing is said.

    Yields
    ------
    Finding
        A warning for each quantity of a scan that is 300 times the median of all or more, or a 300th or less.
    """
    assert subject.table is not None
    scans = subject.table.scans
    for name, fact in FACTS.items():
        values = [(place, scan.facts[name].value) for place, scan in scans if name in scan.facts]
        usual = median_low(value for _, value in values) if len(values) > 1 else 0.0
        if not fact.unit or usual <= 0:
            continue
        far = [(place, value) for place, value in values if value > 0 and not 1 / _FAR < value / usual < _FAR]
        if far:
            more = f" and {len(far) - 3} more" if len(far) > 3 else ""
            yield warning(
                ", ".join(place for place, _ in far[:3]) + more,
                f"{name} = {units.show(far[0][1], fact.unit)}",
                f"the order of {units.show(usual, fact.unit)}, as in others of the {len(values)} scans",
                "check the unit of the cell: mm for m, eV for keV, ms for s",
            )


@check(a_scan)
def placeholders(subject: Subject) -> Iterator[Finding]:
    """Look for physical quantities of a file that only hold a place: -1, NaN, a UUID.

    Parameters
    ----------
    subject : Subject
        A scan; its other values, by their path in the file, are looked at.

    Yields
    ------
    Finding
        One warning that names them.
    """
    assert subject.scan is not None
    placeholders = []
    for path, value in subject.scan.metadata.items():
        if path.startswith("/") and _PHYSICAL.search(path):
            text = str(value.value).split(" ")[0]
            is_warned = any(f":{path} " in warned for warned in subject.scan.warnings)
            if not is_warned and (text in {"-1", "-1.0", "nan"} or _UUID.fullmatch(text)):
                placeholders.append(f"{path} = {value.value}")
    if placeholders:
        more = f" and {len(placeholders) - 3} more" if len(placeholders) > 3 else ""
        yield warning(
            "metadata",
            ", ".join(placeholders[:3]) + more,
            "measured values, or nothing",
            "these were not recorded: take them from the logbook, and give what the reconstruction needs yourself",
        )


@check(a_scan)
def calibration_absent(subject: Subject) -> Iterator[Finding]:
    """Say which of pixel size, energy and distance the scan does not tell.

    Parameters
    ----------
    subject : Subject
        A scan.

    Yields
    ------
    Finding
        A warning without a pixel size; an information without energy or distance.
    """
    facts = subject.facts
    if "pixel_m" not in facts:
        yield warning(
            "pixel size",
            "not known",
            "a length",
            "give it: --pixel '0.65 um'; without it results are in 1/px",
        )
    absent = [
        word for name, word in (("energy_kev", "energy"), ("distance_m", "distance")) if name not in facts
    ]
    if absent:
        yield info(
            " and ".join(absent),
            "not known",
            "values with a unit",
            "phase retrieval needs them: --energy, --distance",
        )
