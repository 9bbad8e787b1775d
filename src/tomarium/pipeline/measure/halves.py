"""Whether two volumes were made of two halves of the views of one scan, as far as their runs tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.steps.views.select_views import numbers

_VIEWS: Final = "select_views"
_SHOWN: Final = 3

Provenance = Mapping[str, Any]
"""As a run wrote it."""


def doubts_of_halves(first: Provenance | None, second: Provenance | None) -> tuple[str, ...]:
    """Say what speaks against two volumes being halves of one scan.

    Parameters
    ----------
    first, second : mapping or None
        What the runs tell that made them; None where no run is known.

    Returns
    -------
    tuple of str
        Nothing where they were made of different views of one scan, by the same steps.
    """
    if first is None or second is None:
        return (
            "nothing tells of which views the two volumes were made: the resolution holds where they are of two halves "
            "of the views of one scan, as the records of two runs with select_views tell",
        )
    sources = [provenance["source"] for provenance in (first, second)]
    if sources[0]["fingerprint"] != sources[1]["fingerprint"]:
        return (
            f"the two volumes were made of two scans, {sources[0]['name']} and {sources[1]['name']}: a movement "
            f"between them lowers the resolution; that of one scan is told by two runs with select_views.keep=::2 and "
            f"1::2",
        )
    views = [_views_of(provenance) for provenance in (first, second)]
    doubts = []
    shared = np.intersect1d(views[0], views[1])
    if len(shared):
        doubts.append(
            f"{len(shared)} of {len(views[0])} and {len(views[1])} views are in both volumes: their noise counts as "
            f"detail, and the resolution is coarser than told; run with select_views.keep=::2 and 1::2"
        )
    differing = _differing_steps(first, second)
    if differing:
        doubts.append(f"the two volumes were made by different steps or values: {', '.join(differing)}")
    return tuple(doubts)


def _views_of(provenance: Provenance) -> NDArray[np.intp]:
    """Return the numbers of the projections that a run kept."""
    count = int(provenance["source"]["shape"][0])
    kept = np.arange(count)
    for name, told in _steps_of(provenance):
        if name != _VIEWS:
            continue
        places = numbers(told["keep"], len(kept), _VIEWS) if told.get("keep") else np.arange(len(kept))
        if told.get("drop"):
            places = places[~np.isin(places, numbers(told["drop"], len(kept), _VIEWS))]
        kept = kept[places]
    return kept


def _steps_of(provenance: Provenance) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for step in provenance["frozen"]["steps"]:
        yield from step.items() if isinstance(step, Mapping) else [(step, {})]


def _differing_steps(first: Provenance, second: Provenance) -> list[str]:
    """Name the values in which two runs differ, but for the views and the axis, which each finds for itself."""
    values = [_values_of(provenance) for provenance in (first, second)]
    names = [
        name for name in dict.fromkeys([*values[0], *values[1]]) if values[0].get(name) != values[1].get(name)
    ]
    return names if len(names) <= _SHOWN else [*names[:_SHOWN], f"{len(names) - _SHOWN} more"]


def _values_of(provenance: Provenance) -> dict[str, Any]:
    return {
        f"{name}.{key}": value
        for name, parameters in _steps_of(provenance)
        if name != _VIEWS
        for key, value in parameters.items()
        if key != "axis_column"
    }
