"""The view that keeps or drops projections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.model import Scan
from tomarium.model.scan import Reference
from tomarium.steps.core.parameter import Count, Index, Ranges
from tomarium.steps.core.step import Example, view
from tomarium.steps.views.frames import ChosenFrames


@view(
    place=1,
    example=Example({"drop": "3,10:12"}),
    aliases=("drop_views", "keep_views"),
    column_before=lambda values, before, column: column,
)
def select_views(scan: Scan, *, keep: Ranges = "", drop: Ranges = "") -> Scan:
    """Keep some projections, or drop some.

    Flats keep their place in time: they are interpolated to the projections that are left.

    Parameters
    ----------
    scan : Scan
        The scan.
    keep : str
        Numbers of the projections that are kept, from 0: "0:900", "::2", "0:100, 105, 200:300". All by default.
    drop : str
        Numbers of those that are dropped, after `keep`, in numbers of the whole scan.

    Returns
    -------
    Scan
        A lazy view.

    Raises
    ------
    ParameterError
        A number beyond the last projection, or none is left.
    """
    count = scan.shape[0]
    numbers_kept = numbers(keep, count, scan.path) if keep else np.arange(count)
    if drop:
        numbers_kept = numbers_kept[~np.isin(numbers_kept, numbers(drop, count, scan.path))]
    if len(numbers_kept) == 0:
        raise ParameterError(
            f"step select_views: keep={keep!r}, drop={drop!r} leaves none of {count} projections"
        )
    return chosen(scan, numbers_kept)


@view(
    place=1,
    example=Example({"views": 30, "step": 10, "number": 1}),
    aliases=("sliding_window",),
    column_before=lambda values, before, column: column,
)
def window(scan: Scan, *, views: Count = 1, step: Count = 1, number: Index = 0) -> Scan:
    """Take one window of a series: `views` projections, from projection `number` · `step` on.

    A series of turns without a stop is a window for each moment: half a turn of views, a step of a few.

    Parameters
    ----------
    scan : Scan
        The series.
    views : int
        Projections of a window.
    step : int
        Projections from one window to the next.
    number : int
        Which window, from 0.

    Returns
    -------
    Scan
        A lazy view.

    Raises
    ------
    ParameterError
        The series ends before that window does.
    """
    first = number * step
    if first + views > scan.shape[0]:
        raise ParameterError(
            f"step window: window {number} is made of the projections {first} to {first + views - 1}, but {scan.path} "
            f"has {scan.shape[0]}; the last window is number {max(0, (scan.shape[0] - views) // step)}"
        )
    return chosen(scan, np.arange(first, first + views))


def numbers(text: str, count: int, place: object) -> NDArray[np.intp]:
    """Read numbers and ranges of projections.

    Parameters
    ----------
    text : str
        "0:100,105,200:300:2".
    count : int
        How many projections there are.
    place : object
        Path of the scan or the like, for the message.

    Returns
    -------
    array of int
        In the order told.

    Raises
    ------
    ParameterError
        A number beyond the last.
    """
    parts = []
    for part in text.split(","):
        ends = [int(word) if word else None for word in part.split(":")]
        if any(end is not None and not -count <= end <= count for end in ends[:2]) or ends == [count]:
            raise ParameterError(
                f"{place}: projections {part} were asked for, but there are {count}, from 0 to {count - 1}"
            )
        parts.append(np.arange(count)[slice(*ends)] if len(ends) > 1 else np.array([ends[0]]) % count)
    return np.concatenate(parts).astype(np.intp)


def chosen(scan: Scan, frame_numbers: NDArray[np.intp]) -> Scan:
    """Make the view of some projections.

    Parameters
    ----------
    scan : Scan
        The scan.
    frame_numbers : array of int
        Which projections, in the order wanted.

    Returns
    -------
    Scan
        A lazy view; where the order is not that of time, flats taken at several times are averaged, which is
        a warning.
    """
    in_time = bool((np.diff(frame_numbers) > 0).all())
    warnings = scan.warnings
    groups = len(np.unique(scan.flats.position)) if scan.flats is not None else 0
    if not in_time and groups > 1:
        warnings += ("projections were put in another order than they were taken: all flats are averaged",)

    def placed(reference: Reference | None) -> Reference | None:
        if reference is None:
            return None
        if not in_time:
            return replace(reference, position=np.full(len(reference.position), -1.0))
        position = np.interp(
            reference.position, frame_numbers, np.arange(len(frame_numbers), dtype=np.float64)
        )
        position = np.where(reference.position < frame_numbers[0], -1.0, position)
        return replace(
            reference,
            position=np.where(reference.position > frame_numbers[-1], float(len(frame_numbers)), position),
        )

    return replace(
        scan,
        projections=ChosenFrames(scan.projections, frame_numbers),
        geometry=scan.geometry.of_views(frame_numbers),
        flats=placed(scan.flats),
        darks=placed(scan.darks),
        warnings=warnings,
    )
