"""One slab through the steps of a stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tomarium.model import Frames, Scan, Slab
from tomarium.pipeline.protocol import Bound
from tomarium.pipeline.slabs import Cut
from tomarium.steps.step import Step


@dataclass(frozen=True)
class Ready:
    """A step with all it needs to work on a slab.

    Attributes
    ----------
    step : Step
        The step.
    keywords : dict
        Its parameters, and what it asks for of `scan`, `prepared` and `threads`.
    halo : int
        Rows of context that it and the steps behind it need on each side.
    """

    step: Step
    keywords: dict[str, Any]
    halo: int = 0


def make_ready(
    bound: Iterable[Bound], scan: Scan, threads: int, rows: slice | None = None
) -> tuple[Ready, ...]:
    """Do what steps need done once, before the first slab.

    Parameters
    ----------
    bound : iterable of Bound
        Steps with all their values.
    scan : Scan
        The scan.
    threads : int
        Threads a step may use.
    rows : slice, optional
        Rows that will be asked for, halo included; all by default.

    Returns
    -------
    tuple of Ready
        In order; probes and tallies are left out.
    """
    ready: list[Ready] = []
    halo = 0
    for b in reversed(tuple(bound)):
        if not isinstance(b.step, Step):
            continue
        halo += b.step.halo(b.plain, scan)
        handed: dict[str, Any] = {"scan": scan, "threads": threads}
        if b.step.prepare is not None:
            handed["prepared"] = b.step.prepare(scan, b.plain, rows or slice(0, scan.shape[1]))
        ready.append(Ready(b.step, b.plain | {name: handed[name] for name in b.step.takes}, halo))
    return tuple(reversed(ready))


def load(frames: Frames, cut: Cut) -> Slab:
    """Read the rows of a slab at all angles.

    Parameters
    ----------
    frames : Frames
        Projections, or their spool; shape (angle, row, column).
    cut : Cut
        Which rows, with their halo.

    Returns
    -------
    Slab
        Counts of the detector's own type.
    """
    return Slab(frames.read(slice(0, frames.shape[0]), cut.reads), rows=cut.reads, halo=cut.halo)


def process(slab: Slab, steps: Iterable[Ready]) -> Slab:
    """Take a slab through steps.

    Parameters
    ----------
    slab : Slab
        As read.
    steps : iterable of Ready
        The steps, in order.

    Returns
    -------
    Slab
        What the last step gives, with what halo it was given.
    """
    for ready in steps:
        slab = trim(slab, ready.halo)
        slab = ready.step(slab, **ready.keywords)
    return slab


def trim(slab: Slab, keep: int = 0) -> Slab:
    """Cut the halo off.

    Parameters
    ----------
    slab : Slab
        Slices or projections.
    keep : int
        Rows of it that are kept on each side, where there are so many.

    Returns
    -------
    Slab
        The rows it is responsible for, and those that are kept.
    """
    left = min(slab.halo[0], keep), min(slab.halo[1], keep)
    above, below = slab.halo[0] - left[0], slab.halo[1] - left[1]
    if not (above or below):
        return slab
    axis = 0 if slab.domain == "slice" else 1
    kept = np.take(slab.data, range(above, slab.data.shape[axis] - below), axis=axis)
    return replace(slab, data=kept, rows=slice(slab.rows.start + above, slab.rows.stop - below), halo=left)
