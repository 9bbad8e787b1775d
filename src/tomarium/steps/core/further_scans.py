"""Scans that a step takes beside the one it is done on: the paths in its parameter `scans`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

from tomarium.model import Frames, Scan
from tomarium.steps.core.step import Step


class Through(Protocol):
    """What `prepare` of a step is handed as `through`: it takes further scans through the steps before that one."""

    def __call__(self, scan: Scan, *, by_frame: bool = False) -> Frames:
        """Return a scan's projections as the steps leave them; `by_frame`, as those before sinograms."""
        ...


def follows(step: Step) -> bool:
    """Tell whether further scans go through the steps before this one, which its `prepare` asks for by `through`."""
    return step.prepare is not None and "through" in signature(step.prepare).parameters


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
    return [scan.path.parent / text for text in _given(scans)]


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
    for path in paths_beside(scan, scans):
        if path.exists():
            state = path.stat()
            further_scan = _opened(path, state.st_mtime_ns, state.st_size)
            if isinstance(further_scan, Scan):
                yield further_scan


@lru_cache(maxsize=8)
def _opened(path: Path, changed_ns: int, size: int) -> object:
    """Open a file as long as it is the same: a plan asks for each way to split a protocol."""
    from tomarium import formats

    return formats.open(path)


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
            paths = values.get("scans") if isinstance(values, Mapping) else None
            if isinstance(paths, str):
                yield from ((text, scan.path.parent / text) for text in _given(paths))


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
    paths = values.get("scans") if isinstance(values, Mapping) else None
    if not isinstance(paths, str):
        return values
    return {**values, "scans": ",".join(places.get(text, text) for text in _given(paths))}


def _given(scans: str) -> list[str]:
    return [part.strip() for part in scans.split(",") if part.strip()]
