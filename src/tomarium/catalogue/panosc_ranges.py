"""Ranges of parameters that a PaNOSC filter asks for, found by the index of numbers and not by reading bodies of JSON.

What is found here is more than what is asked, never less; the conditions on the bodies still decide. It helps where few
datasets are in the range: of many, the newest are found sooner by looking at one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, false, func, select, union_all

from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.panosc_filter import Group, Include, Test
from tomarium.catalogue.queries import parameter_numbers
from tomarium.catalogue.ranges import Range
from tomarium.catalogue.tables import records
from tomarium.model import parameter
from tomarium.standards.panosc import NAMES, UNITS, keyed
from tomarium.standards.panosc_units import base_of, in_base

RARE: Final = 5000
"""Datasets in a range, at most, that are looked at one by one."""
SEVERAL: Final = "panosc_several"
"""Key of a dataset that tells two numbers by one key, of which the index has the first: such are always looked at."""
_WIDER: Final = 1e-9  # relative: what conversions of units may lose
_BASES: Final = frozenset((*UNITS, "K"))
"""Base units whose numbers are in the index of all that is told, of other catalogues too."""


def tells_several(parameters: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether parameters of a dataset have two of one key."""
    keys = [key for parameter in parameters for key in keyed((parameter,))]
    return len(keys) > len(set(keys))


def rare_in_range(connection: Connection, include: Include) -> Select[Any] | None:
    """Select the numbers of records among which all are that meet the range of a parameter.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    include : Include
        Parameters that are demanded: their name, a range, and its unit.

    Returns
    -------
    Select or None
        None where no range is asked, the index cannot tell, or many are in it.
    """
    name_and_range = _asked(include.asked.where)
    if name_and_range is None:
        return None
    name, test = name_and_range
    numbers = _numbers(connection, name, test)
    if numbers is None:
        return None
    count = connection.execute(
        select(func.count()).select_from(numbers.limit(RARE + 1).subquery())
    ).scalar_one()
    return numbers if count <= RARE else None


def _asked(where: Group) -> tuple[str, Test] | None:
    """Find one name and one range of numbers with a unit that must all be met."""
    tests = list(_all_of(where))
    names = {
        str(test.value)
        for test in tests
        if test.name == "name" and test.operator == "eq" and isinstance(test.value, str)
    }
    ranges = [
        test for test in tests if test.name == "value" and base_of(test.unit) in _BASES and _bounds(test)
    ]
    return (names.pop(), ranges[0]) if len(names) == 1 and ranges else None


def _all_of(where: Group) -> Iterator[Test]:
    if where.join != "and" and len(where.parts) > 1:
        return
    for part in where.parts:
        if isinstance(part, Group):
            yield from _all_of(part)
        elif not part.negated:
            yield part


def _bounds(test: Test) -> tuple[float, float] | None:
    """Return the lowest and the highest number that meets a test; None of one that is no range of numbers."""
    values = test.value if test.operator in ("inq", "between") else (test.value,)
    if not values or not all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    ):
        return None
    low, high = min(values), max(values)
    ends = {
        "eq": (low, high),
        "inq": (low, high),
        "between": (low, high),
        "lt": (-float("inf"), high),
        "lte": (-float("inf"), high),
        "gt": (low, float("inf")),
        "gte": (low, float("inf")),
    }
    return ends.get(test.operator)


def _numbers(connection: Connection, name: str, test: Test) -> Select[Any] | None:
    bounds, base = _bounds(test), base_of(test.unit)
    assert bounds is not None
    keys = parameter_numbers(connection)
    ranges = [(keys[SEVERAL], Range(SEVERAL))] if SEVERAL in keys else []
    for key in _keys(name, keys):
        unit = parameter.unit(key)
        zero, unit_in_base = in_base(0.0, unit), in_base(1.0, unit)
        if zero is None or unit_in_base is None or zero[1] != base:
            continue
        low, high = (_in_unit(bound, test.unit, zero[0], unit_in_base[0]) for bound in bounds)
        ranges.append((keys[key], _wider(key, low, high)))
    if not ranges:
        return select(records.c.number).where(false())
    return select(
        union_all(
            *(_held(connection, place, *key_and_range) for place, key_and_range in enumerate(ranges))
        ).subquery()
    )


def _held(connection: Connection, place: int, key: int, span: Range) -> Select[Any]:
    of, record, conditions = dialect_of(connection).in_ranges(
        [(key, span)], by_size=True, name=f"span{place}"
    )
    return select(record.label("record")).select_from(of).where(*conditions)


def _keys(name: str, numbers_of_keys: Mapping[str, int]) -> list[str]:
    """List the keys by which a parameter of this name may be in the index."""
    plain = "_".join(name.lower().split())
    stem = {theirs: ours for ours, theirs in NAMES.items()}.get(plain, plain)
    return [
        key
        for key in numbers_of_keys
        if key == stem or (key.startswith(f"{stem}_") and key[len(stem) + 1 :] in parameter.ENDINGS)
    ]


def _in_unit(bound: float, unit: str, zero: float, unit_in_base: float) -> float:
    in_base_unit = in_base(bound, unit)
    assert in_base_unit is not None
    return (in_base_unit[0] - zero) / (unit_in_base - zero)


def _wider(key: str, low: float, high: float) -> Range:
    spare = _WIDER * max(abs(bound) for bound in (low, high, 1e-300) if abs(bound) != float("inf"))
    return Range(key, low - spare, high + spare)
