"""What reaches a probe: a scan's raw frames, or what the steps before the probe leave of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    if not isinstance(given, Scan):
        raise InputError(
            f"a scan is wanted, as tomarium.open returns it, but {type(given).__name__} was given; make a scan of an "
            f"array with tomarium.scan_of_arrays(projections, angles_deg)"
        )
    given.demand_frames()
    scan = given

    def read(rows: Sequence[slice]) -> tuple[Slab, ...]:
        layout = layout_of(scan)
        everything = slice(0, scan.shape[0])
        return tuple(
            Slab(data, part, domain=layout.domain, unit=layout.unit)
            for data, part in zip(scan.projections.read_ranges(everything, rows), rows, strict=True)
        )

    return Sample(scan, layout_of(scan), read)
