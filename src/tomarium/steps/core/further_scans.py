"""Scans that a step takes beside the one it is done on: the paths in its parameter `scans`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tomarium.model import Scan


def paths_beside(scan: Scan, scans: str) -> list[Path]:
    """Read the paths of further scans.

    Parameters
    ----------
    scan : Scan
        The first.
    scans : str
        Paths separated by commas; relative ones count from the first's folder.

    Returns
    -------
    list of Path
        Whether they are there is not asked.
    """
    return [scan.path.parent / given for given in _given(scans)]


def scans_beside(scan: Scan, scans: str) -> Iterator[Scan]:
    """Open the further scans that are there, their headers alone, for what a plan has to count.

    Parameters
    ----------
    scan : Scan
        The first.
    scans : str
        See `paths_beside`.

    Yields
    ------
    Scan
        Whole, without the views of the first. What is not there, or holds no scan, is left to the step, which refuses
        it by name.
    """
    from tomarium import formats

    for path in paths_beside(scan, scans):
        other = formats.open(path) if path.exists() else None
        if isinstance(other, Scan):
            yield other


def further_paths(scan: Scan, steps: Iterable[Any]) -> Iterator[tuple[str, Path]]:
    """Find the further scans that steps take.

    Parameters
    ----------
    scan : Scan
        The first.
    steps : iterable
        Entries of a recipe or a protocol as they are written: a name, or {name: {parameter: value}}.

    Yields
    ------
    str
        A path as it was given.
    Path
        Where it is.
    """
    for step in steps:
        for values in step.values() if isinstance(step, Mapping) else ():
            told = values.get("scans") if isinstance(values, Mapping) else None
            if isinstance(told, str):
                yield from ((given, scan.path.parent / given) for given in _given(told))


def with_places(steps: Iterable[Any], places: Mapping[str, str]) -> list[Any]:
    """Tell steps where the further scans lie that are not beside the first any more.

    Parameters
    ----------
    steps : iterable
        Entries of a recipe or a protocol, as plain data.
    places : mapping of str to str
        A path as it was given → where it is.

    Returns
    -------
    list
        The same entries with those paths.
    """
    if not places:
        return list(steps)
    return [
        {name: _with_places(values, places) for name, values in step.items()}
        if isinstance(step, Mapping)
        else step
        for step in steps
    ]


def _with_places(values: Any, places: Mapping[str, str]) -> Any:
    told = values.get("scans") if isinstance(values, Mapping) else None
    if not isinstance(told, str):
        return values
    return {**values, "scans": ",".join(places.get(given, given) for given in _given(told))}


def _given(scans: str) -> list[str]:
    return [part.strip() for part in scans.split(",") if part.strip()]
