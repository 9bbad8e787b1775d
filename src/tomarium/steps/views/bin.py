"""The view that bins rows, columns and angles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.model import Geometry, Layout, Scan, Value
from tomarium.model.geometry import PER_VIEW
from tomarium.model.scan import Reference
from tomarium.steps.core.parameter import Count
from tomarium.steps.core.step import Example, view
from tomarium.steps.views.frames import BinnedFrames

WIDEST_DEG: Final = 15.0
"""Views further apart than this are no neighbours, and their mean would be of nothing."""


def _column_before(values: Mapping[str, Any], _: Layout, column: float) -> float:
    """Tell which column of the scan is a column of the binned one."""
    return float((column + 0.5) * values["columns"] - 0.5)


@view(
    place=2,
    example=Example({"rows": 2, "columns": 2, "angles": 2}),
    aliases=("binning",),
    column_before=_column_before,
)
def bin(scan: Scan, *, rows: Count = 1, columns: Count = 1, angles: Count = 1) -> Scan:
    """Average neighbouring detector rows, columns and views.

    Flats and darks are averaged in rows and columns alike. The pixel grows, and the rotation axis keeps its
    place: column c becomes (c + 1/2) / columns - 1/2. What is left over at the ends is left out. Where rows and
    columns differ, voxels are no cubes: `pixel_aspect`, the height of a pixel over its width, says so to all that
    follows.

    Parameters
    ----------
    scan : Scan
        The scan.
    rows, columns : int
        Pixels that are averaged along each axis of a frame.
    angles : int
        Views that are averaged, each group in the order of the scan.

    Returns
    -------
    Scan
        A lazy view, float32.

    Raises
    ------
    ParameterError
        Fewer rows, columns or views than are averaged; views that are averaged lie more than 15 degrees apart.
    """
    for name, count, length in zip(
        ("angles", "rows", "columns"), (angles, rows, columns), scan.shape, strict=True
    ):
        if count > length:
            raise ParameterError(
                f"step bin: {name} = {count}, but {scan.path} has only {length}; give at most {length}"
            )

    def binned(reference: Reference | None) -> Reference | None:
        if reference is None:
            return None
        position = (reference.position + 0.5) / angles - 0.5
        # Before the first and after the last projection is before the first and after the last group of them.
        position = np.where(reference.position < 0, -1.0, position)
        position = np.where(reference.position >= scan.shape[0], scan.shape[0] // angles, position)
        return Reference(BinnedFrames(reference.frames, 1, rows, columns), position)

    return replace(
        scan,
        projections=BinnedFrames(scan.projections, angles, rows, columns),
        flats=binned(scan.flats),
        darks=binned(scan.darks),
        geometry=_geometry(scan, rows, columns, angles),
    )


def _geometry(scan: Scan, rows: int, columns: int, angles: int) -> Geometry:
    geometry = scan.geometry
    changed: dict[str, Any] = {}
    if columns > 1:
        note = f"binned {columns} times"
        if geometry.pixel_m is not None:
            changed["pixel_m"] = _moved(geometry.pixel_m, geometry.pixel_m.value * columns, note)
        if geometry.axis_column is not None:
            changed["axis_column"] = _moved(
                geometry.axis_column, (geometry.axis_column.value + 0.5) / columns - 0.5, note
            )
    if rows != columns:
        changed["pixel_aspect"] = _aspect(geometry, rows, columns)
    for name in PER_VIEW:
        value = getattr(geometry, name)
        if value is None:
            continue
        numbers = _means(
            np.unwrap(value.value, period=360.0) if name == "angles_deg" else value.value, angles
        )
        if name == "angles_deg" and angles > 1:
            _demand_neighbours(scan, np.unwrap(value.value, period=360.0), angles)
        scale = {"shift_columns_px": columns, "shift_rows_px": rows}.get(name, 1)
        changed[name] = replace(value, value=numbers / scale)
    motors = {
        name: replace(value, value=_means(value.value, angles)) for name, value in geometry.motors.items()
    }
    return replace(geometry, **changed, motors=motors)


def _aspect(geometry: Geometry, rows: int, columns: int) -> Value[float] | None:
    """Return how high a binned pixel is over its width; None of a square."""
    ratio = geometry.aspect * rows / columns
    return (
        None
        if math.isclose(ratio, 1.0)
        else Value(ratio, "derived", f"{rows} rows and {columns} columns binned")
    )


def _moved(value: Value[float], number: float, note: str) -> Value[float]:
    return Value(number, value.origin, f"{value.source}, {note}")


def _means(numbers: Any, size: int) -> NDArray[np.float64]:
    array = np.asarray(numbers, np.float64)
    count = len(array) // size
    return np.asarray(array[: count * size].reshape(count, size).mean(axis=1))


def _demand_neighbours(scan: Scan, angles: NDArray[np.float64], size: int) -> None:
    count = len(angles) // size
    widest = float(np.ptp(angles[: count * size].reshape(count, size), axis=1).max())
    if widest > WIDEST_DEG:
        raise ParameterError(
            f"step bin: {size} views that follow each other in {scan.path} lie up to {widest:.1f}° apart, too far to "
            f"be averaged ({WIDEST_DEG:g}° at most); leave angles at 1, or choose views with select_views"
        )
