"""A look at a scan with its present parameters: the rotation axis, one slice, and where its voxels lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.beamtime.scan_parameters import FoundAxis
from tomarium.errors import InputError, MissingData
from tomarium.model import Scan
from tomarium.pipeline.plan.warnings import of_result
from tomarium.pipeline.protocol.protocol import Protocol, to_text
from tomarium.pipeline.run.data_check import checked
from tomarium.pipeline.run.journal import Journal
from tomarium.pipeline.run.probes import ask_probes
from tomarium.pipeline.run.reconstruct import slices_at, slices_at_axes, with_axis
from tomarium.pipeline.run.runner import Progress, silent
from tomarium.steps.core.step import View

_MOST_MOTORS: Final = 8


@dataclass(frozen=True)
class SliceLook:
    """One slice, and where it lies.

    Attributes
    ----------
    image : array, shape (y, x)
        The slice.
    row : int
        Detector row, from 0, of the frames as the protocol's views leave them.
    first_voxel : tuple of float
        Where its first voxel lies, (y, x) in voxels from the rotation axis.
    pixel_m : float or None
        Voxel size.
    axis_column : float or None
        Column of the axis that was used.
    axis_source : str
        Where that comes from.
    warnings : tuple of str
        What the user should know.
    unit : str
        Of the values.
    axis_in_file : float or None
        The same column as the scan's file counts; None where it has none there.
    """

    image: NDArray[Any]
    row: int
    first_voxel: tuple[float, float]
    pixel_m: float | None
    axis_column: float | None
    axis_source: str
    warnings: tuple[str, ...]
    unit: str = ""
    axis_in_file: float | None = None


def steps_behind_axis(protocol: Protocol) -> str | None:
    """Write the steps that the search of the rotation axis looks behind, with their parameters.

    Parameters
    ----------
    protocol : Protocol
        The protocol.

    Returns
    -------
    str or None
        Text that changes when the axis would have to be found anew; None where it is not looked for.
    """
    names = [item.step.name for item in protocol.items]
    if "find_axis" not in names:
        return None
    return to_text(Protocol(protocol.items[: names.index("find_axis") + 1]))


def find_axis(
    scan: Scan,
    protocol: Protocol,
    *,
    on_progress: Progress = silent,
    demand_wanted: Callable[[], object] | None = None,
) -> tuple[FoundAxis, tuple[str, ...]]:
    """Find the rotation axis as a run of the protocol would.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is done with it.
    on_progress : callable
        `on_progress(section, done, total)`.
    demand_wanted : callable, optional
        Called between steps; raises an error of ours where the axis is not wanted any more.

    Returns
    -------
    FoundAxis, tuple of str
        The axis, and what the search says of it.

    Raises
    ------
    InputError
        The protocol does not look for the axis, or the scan states it.
    """
    behind = steps_behind_axis(protocol)
    if behind is None:
        raise InputError("the protocol does not look for the axis; it is given")
    answers = ask_probes(checked(scan, protocol), protocol, Journal(None, {}), on_progress, demand_wanted)
    if "find_axis" not in answers:
        assert scan.axis_column is not None
        raise InputError(
            f"the scan states its axis, column {scan.axis_column.value:.2f} ({scan.axis_column.source}), which is "
            "used; give another column to replace it"
        )
    answer = answers["find_axis"]
    return FoundAxis(answer["column"], answer["confidence"], behind), tuple(answer["notes"])


def look(
    scan: Scan,
    protocol: Protocol,
    row: int | None = None,
    axis: FoundAxis | None = None,
    *,
    on_progress: Progress = silent,
    demand_wanted: Callable[[], object] | None = None,
) -> SliceLook:
    """Reconstruct one slice.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is done with it.
    row : int, optional
        Detector row; the middle one by default.
    axis : FoundAxis, optional
        Taken where it still holds, so that the axis is not looked for again.
    on_progress : callable
        `on_progress(section, done, total)`.
    demand_wanted : callable, optional
        Called between steps; raises an error of ours where the slice is not wanted any more.

    Returns
    -------
    SliceLook
        The slice.

    Raises
    ------
    InputError, MissingData, ParameterError
        As `tomarium.pipeline.run.reconstruct.slices_at`; or the protocol makes no slices.
    """
    views = any(isinstance(item.step, View) for item in protocol.items)
    is_known = axis is not None and not views and axis.behind == steps_behind_axis(protocol)
    scan_with_axis = with_axis(scan, axis.column) if axis is not None and is_known else scan
    [slices] = slices_at(
        scan_with_axis, [row], protocol, on_progress=on_progress, demand_wanted=demand_wanted
    )
    if slices.slab.domain != "slice":
        raise InputError("the protocol ends before a reconstruction, so that there is no slice to look at")
    image = slices.slab.data[0]
    layout = slices.resolution.layout
    not_finite = int(np.count_nonzero(~np.isfinite(image)))
    column, pixel = slices.resolution.geometry.axis_column, layout.geometry.pixel_m
    source = "" if column is None else column.source
    height, width = image.shape
    return SliceLook(
        image=np.asarray(image),
        row=slices.slab.rows.start,
        first_voxel=layout.first_voxel or (-(height - 1) / 2, -(width - 1) / 2),
        pixel_m=None if pixel is None else float(pixel.value),
        axis_column=None if column is None else float(column.value),
        axis_source=f"found, confidence {axis.confidence}" if axis is not None and is_known else source,
        warnings=tuple(of_result(slices.resolution, slices.answers, slices.slab.report, not_finite, rows=1)),
        unit=layout.unit,
        axis_in_file=slices.resolution.axis_in_file,
    )


def look_at_axes(
    scan: Scan,
    protocol: Protocol,
    columns: Sequence[float],
    row: int | None,
    *,
    on_progress: Progress = silent,
) -> tuple[tuple[NDArray[Any], ...], int, float | None]:
    """Reconstruct one slice about several rotation axes.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is done with it, without a column of its own.
    columns : sequence of float
        Columns of the axis.
    row : int or None
        Detector row; the middle one by default.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    tuple of array, int, float or None
        The slices, shape (y, x) each, their row, and the voxel size in m.
    """
    slices_of_columns = slices_at_axes(scan, columns, row, protocol, on_progress=on_progress)
    pixel = slices_of_columns[0].resolution.layout.geometry.pixel_m
    images = tuple(np.asarray(slices.slab.data[0]) for slices in slices_of_columns)
    return images, slices_of_columns[0].slab.rows.start, None if pixel is None else float(pixel.value)


def axes_in_words(slice_look: SliceLook, unit: str, start: tuple[int, int]) -> str:
    """Tell where a slice lies, along each axis.

    Parameters
    ----------
    slice_look : SliceLook
        The slice.
    unit : {"mm", "pixel"}
        In mm x and y are from the rotation axis and z from the first row; in pixels they count from 1, as PyHST2's
        regions do. Without a pixel size always in pixels.
    start : tuple of int
        First voxel (y, x) of the region in the slice, from 0.

    Returns
    -------
    str
        One line.
    """
    (y, x), (height, width) = slice_look.first_voxel, slice_look.image.shape
    if unit == "mm" and slice_look.pixel_m is not None:
        mm = slice_look.pixel_m * 1e3
        ends = [
            f"{name} {first * mm:.4g} to {(first + count - 1) * mm:.4g}"
            for name, first, count in (("x", x, width), ("y", y, height))
        ]
        return f"mm from axis and first row: {', '.join(ends)}, z {slice_look.row * mm:.4g}"
    return (
        f"pixels from 1: x {start[1] + 1} to {start[1] + width}, y {start[0] + 1} to {start[0] + height}, "
        f"z {slice_look.row + 1}{'' if slice_look.pixel_m else '; the scan tells no pixel size'}"
    )


def motors_in_words(scan: Scan) -> str:
    """Tell where the first motors stood; empty where the file tells none."""
    motors = list(scan.geometry.motors.items())
    texts = [f"{name} {motor_positions.shown}" for name, motor_positions in motors[:_MOST_MOTORS]]
    return "; ".join([*texts, f"and {len(motors) - len(texts)} more"] if len(motors) > len(texts) else texts)


def column_by_motor(scan: Scan, motor: str, sign: int | None = None) -> tuple[float, str]:
    """Guess the column of the axis by the position of a motor that scans with a known axis calibrated.

    Parameters
    ----------
    scan : Scan
        The scan.
    motor : str
        Name of the motor in the file.
    sign : int, optional
        1 where the axis is known to move to higher columns with its position, -1 to lower ones.

    Returns
    -------
    float, str
        The column, and how it was guessed.

    Raises
    ------
    InputError
        The motor is not calibrated yet.
    MissingData
        The file tells no position of it, or no pixel size.
    """
    from tomarium.catalogue import axis_motors

    if scan.pixel_m is None:
        raise MissingData(f"{scan.path} does not tell its pixel size, by which positions become columns")
    motor_calibration = axis_motors.calibration_of(motor, sign=sign)
    offset = motor_calibration.offset_px(axis_motors.position_of(scan, motor), float(scan.pixel_m.value))
    return (scan.shape[2] - 1) / 2 + offset, f"by motor {motor} and {motor_calibration.scans} accepted scans"
