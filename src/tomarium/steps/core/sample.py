"""What reaches a probe: a scan's raw frames, or what the steps before the probe leave of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tomarium.errors import InputError
from tomarium.model import Layout, Scan, Slab
from tomarium.model.slab import unit_of


@dataclass(frozen=True)
class Sample:
    """What a probe may look at.

    Attributes
    ----------
    scan : Scan
        The scan, with the views before the probe; tells flats and darks.
    layout : Layout
        What reaches the probe.
    read : callable
        `read(rows)`: one slab of all angles for each range of rows, as the steps before the probe leave them.
    """

    scan: Scan
    layout: Layout
    read: Callable[[Sequence[slice]], tuple[Slab, ...]]


def layout_of(scan: Scan) -> Layout:
    """Return the layout of a scan's projections.

    Parameters
    ----------
    scan : Scan
        Any scan.

    Returns
    -------
    Layout
        What the first step sees.
    """
    dtype = np.dtype(scan.projections.dtype)
    return Layout(scan.shape, dtype, scan.domain, unit_of(scan.domain), scan.geometry)


def demand_scan(given: object) -> Scan:
    """Refuse what is no scan, and say how one is made of it.

    Parameters
    ----------
    given : object
        What was given in place of a scan.

    Returns
    -------
    Scan
        The same.

    Raises
    ------
    InputError
        It is something else.
    """
    if isinstance(given, Scan):
        return given
    what = f"{given!r}" if isinstance(given, str | Path) else type(given).__name__
    remedy = (
        f"open it first: tomarium.open({str(given)!r})"
        if isinstance(given, str | Path)
        else "make a scan of an array with tomarium.scan_of_arrays(projections, angles_deg)"
    )
    raise InputError(f"a scan is wanted, as tomarium.open returns it, but {what} was given; {remedy}")


def sample_of(given: object) -> Sample:
    """Return what a probe may look at, of a scan or of a sample.

    Parameters
    ----------
    given : Scan or Sample
        A scan is looked at as its file holds it.

    Returns
    -------
    Sample
        Reads raw frames where a scan was given.

    Raises
    ------
    InputError
        Something else was given.
    MissingData
        The frames of the scan are not there.
    """
    if isinstance(given, Sample):
        return given
    scan = demand_scan(given)
    scan.demand_frames()

    def read(rows: Sequence[slice]) -> tuple[Slab, ...]:
        layout = layout_of(scan)
        everything = slice(0, scan.shape[0])
        return tuple(
            Slab(data, part, domain=layout.domain, unit=layout.unit)
            for data, part in zip(scan.projections.read_ranges(everything, rows), rows, strict=True)
        )

    return Sample(scan, layout_of(scan), read)
