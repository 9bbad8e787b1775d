"""How numbers of the records found are spread, with the addresses that narrow their range to each bar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tomarium.catalogue.ranges import Range, key_of, read_range
from tomarium.catalogue.spreads import SPREAD, Spread
from tomarium.errors import ParameterError
from tomarium.model import parameter
from tomarium.portal.facet_links import Chosen, with_query
from tomarium.portal.page import FOR_PEOPLE

LABELS: Final = {"voxel": "Voxel size", "pixel": "Pixel size", "energy": "Energy"}
"""Name of a parameter in addresses → its label for people."""


@dataclass(frozen=True)
class ShownBar:
    """One bar of a spread.

    Attributes
    ----------
    low, high, range, count
        As in `catalogue.spreads.Bar`.
    chosen : bool
        Whether the range that was asked for holds numbers of it.
    address : str
        Where the range is narrowed to it.
    percent : int
        Of the longest bar; at least 4 where there is a record.
    """

    low: float
    high: float
    range: str
    count: int
    chosen: bool
    address: str
    percent: int = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class ShownSpread:
    """How the numbers of one parameter are spread.

    Attributes
    ----------
    name, label, unit : str
        Name in addresses, label for people, and unit of the numbers.
    logarithmic, of_newest : bool
        As in `catalogue.spreads.Spread`.
    narrowed : bool
        Whether a range of this parameter was asked for.
    bars : tuple of ShownBar
        From the smallest to the largest number.
    """

    name: str
    label: str
    unit: str
    logarithmic: bool
    of_newest: bool
    narrowed: bool
    bars: tuple[ShownBar, ...]


def spread_links(
    spreads: Iterable[Spread], path: str, chosen: Chosen, ranges: Mapping[str, tuple[str, ...]]
) -> tuple[ShownSpread, ...]:
    """Give the bars of spreads their addresses.

    Parameters
    ----------
    spreads : iterable of Spread
        As the catalogue told them.
    path : str
        Of the list.
    chosen : Mapping of str to tuple of str
        What was asked, without the place in the answer.
    ranges : Mapping of str to tuple of str
        The ranges among it, by the names that they were asked by.

    Returns
    -------
    tuple of ShownSpread
        In the same order.
    """
    shown = []
    for spread in spreads:
        names = [name for name in ranges if _is_named(name, spread.key)]
        asked = [read_range(spread.key, text) for name in names for text in ranges[name]]
        others = {name: values for name, values in chosen.items() if name not in names}
        most = max(bar.count for bar in spread.bars)
        bars = tuple(
            ShownBar(
                bar.low,
                bar.high,
                bar.range,
                bar.count,
                bool(asked) and all(_overlap(one, bar.low, bar.high) for one in asked),
                with_query(path, {**others, spread.name: (bar.range,)}),
                max(4, round(100 * bar.count / most)) if bar.count else 0,
            )
            for bar in spread.bars
        )
        shown.append(
            ShownSpread(
                spread.name,
                LABELS[spread.name],
                parameter.unit(spread.key),
                spread.logarithmic,
                spread.of_newest,
                bool(asked),
                bars,
            )
        )
    return tuple(shown)


def bounds_of(name: str, text: str) -> tuple[float | None, float | None, str]:
    """Tell the bounds of a range of a parameter that is spread, and their unit; None where there is no bound."""
    if name not in SPREAD:
        return None, None, ""
    key = key_of(name, ())
    asked = read_range(key, text)
    low, high = (bound if abs(bound) < float("inf") else None for bound in (asked.low, asked.high))
    return low, high, parameter.unit(key)


def _is_named(name: str, key: str) -> bool:
    try:
        return key_of(name, (key,)) == key
    except ParameterError:  # another parameter, which the catalogue knows and these do not
        return False


def _overlap(asked: Range, low: float, high: float) -> bool:
    """Tell whether a range holds numbers from `low` to below `high`."""
    return asked.low < high and (low <= asked.high if asked.with_high else low < asked.high)
