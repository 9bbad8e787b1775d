"""One slice of a scan that has just arrived, or still arrives, with its axis and what speaks against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import formats, units
from tomarium.beamtime.scan_warnings import ScanWarning, of_data_check
from tomarium.errors import InputError
from tomarium.model import Domain, Scan
from tomarium.model.half_acquisition import turn_deg
from tomarium.pipeline.plan.warnings import of_result
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.reconstruct import Slices, slices_at, with_axis
from tomarium.steps.core.step import Probe, View
from tomarium.viewers.picture import png

ENOUGH_DEG: Final = 170.0
"""Turn from which a scan counts as whole; below it, the picture says which angles it shows."""

LARGEST_PX: Final = 1024
"""Width of a picture at most; larger slices are averaged down."""

AXIS_MOVED_PX: Final = 1.0
"""Difference from the last axis of the station that is a warning."""

ProtocolOf = Callable[[Domain], Protocol]
"""Gives the protocol for scans of counts, transmission or attenuation."""


@dataclass(frozen=True)
class Axis:
    """A rotation axis.

    Attributes
    ----------
    column : float or None
        0-based column of the frames with the views of the protocol; None where nothing needed one.
    confidence : str
        "high", "medium", "low"; "given" where the protocol or the file tells it; "last good" where that of another scan
        was taken.
    scan : str
        Of which scan it is.
    station : str
        What two scans must share for their axes to be compared: the width of the frames and the size of a pixel.
    """

    column: float | None
    confidence: str
    scan: str = ""
    station: str = ""


@dataclass(frozen=True)
class Look:
    """A slice, and what was found on the way.

    Attributes
    ----------
    picture : bytes
        PNG.
    row : int
        Detector row, 0-based, after the views of the protocol.
    views : int
        Projections that were there.
    covered_deg : tuple of float
        Lowest and highest angle of them, degrees.
    complete : bool
        Whether they make at least half a turn and nothing said that more were coming.
    axis : Axis
        That was used.
    axis_sought : bool
        Whether the axis of this scan was looked for, where the protocol asks for it.
    warnings : tuple of ScanWarning
        What people must know before the sample is taken off.
    notes : tuple of str
        What they may want to know.
    opened, seen : Scan
        As it was opened, and with the views of the protocol, for further checks.
    width, height : int
        Of the picture, pixels.
    """

    picture: bytes
    row: int
    views: int
    covered_deg: tuple[float, float]
    complete: bool
    axis: Axis
    axis_sought: bool
    warnings: tuple[ScanWarning, ...]
    notes: tuple[str, ...]
    opened: Scan
    seen: Scan
    width: int
    height: int


@dataclass
class LookSettings:
    """What is the same for all scans of a watch.

    Attributes
    ----------
    protocol_of : callable
        Gives the protocol.
    row : str
        "middle", a number, or a height from the first row with its unit such as "1.2mm".
    given : mapping of str to object
        What is told of every scan, as `tomarium.open` takes it.
    """

    protocol_of: ProtocolOf
    row: str = "middle"
    given: Mapping[str, Any] = field(default_factory=dict)


def look_at_scan(
    path: Path,
    name: str,
    settings: LookSettings,
    last: Mapping[str, Axis],
    *,
    growing: bool = False,
    quick: bool = False,
) -> Look:
    """Reconstruct one slice of a scan.

    Parameters
    ----------
    path : Path
        File or folder of the scan, which may be being written.
    name : str
        What the scan is called.
    settings : LookSettings
        Protocol and row.
    last : mapping of str to Axis
        The last axis of each station that was found with high confidence; taken where that of this scan is not.
    growing : bool
        Whether the scan is seen to grow.
    quick : bool
        Whether the last axis of the station is taken without looking for that of this scan, where there is one.

    Returns
    -------
    Look
        With its picture.

    Raises
    ------
    TomariumError, OSError
        It cannot be read, holds no scan, or no slice can be made of it.
    """
    opened = formats.open(path, **settings.given)
    if not isinstance(opened, Scan):
        raise InputError(f"{name} holds an image of shape {opened.shape}, not a scan with projections")
    opened.demand_frames()
    protocol = settings.protocol_of(opened.domain)
    resolution = resolve(protocol, opened)
    row = row_of(settings.row, opened, resolution.scan.shape[1])
    station = _station(resolution.scan)
    last_axis = last.get(station)
    looks_for_axis = any(
        "axis_column" in item.step.fields for item in resolution.probes if isinstance(item.step, Probe)
    )
    reuses_axis = quick and looks_for_axis and last_axis is not None and not _has_views(protocol)
    scan = with_axis(opened, last_axis.column) if reuses_axis and last_axis is not None else opened
    [slices] = slices_at(scan, [row], protocol)
    axis = _axis_of(slices, name, station)
    warnings_found: list[ScanWarning] = []
    if reuses_axis and last_axis is not None:
        axis = Axis(last_axis.column, "last good", last_axis.scan, station)
    elif _doubtful(axis) and last_axis is not None and not _has_views(protocol):
        [slices] = slices_at(with_axis(opened, last_axis.column), [row], protocol)
        assert axis.column is not None
        assert last_axis.column is not None
        warnings_found.append(
            ScanWarning(
                "axis",
                "Axis not sure",
                f"found with {axis.confidence} confidence at column {axis.column:.2f}; the slice is shown about "
                f"{last_axis.column:.2f}, the axis of {last_axis.scan}",
            )
        )
        axis = Axis(last_axis.column, "last good", last_axis.scan, station)
    elif _doubtful(axis):
        warnings_found.append(
            ScanWarning(
                "axis",
                "Axis not sure",
                f"found with {axis.confidence} confidence at column {axis.column:.2f}; look for arcs and doubled "
                f"edges in the slice",
            )
        )
    warnings_found += _axis_warnings(axis, slices.resolution.scan.shape[2], last_axis)
    warnings_found += [*of_data_check(opened, slices.resolution.scan), *_turn_warnings(slices)]
    angles = opened.angles_deg.value
    covered = (float(np.min(angles)), float(np.max(angles)))
    is_written = any("still being written" in text for text in opened.warnings)
    complete = not (growing or is_written) and turn_deg(angles) >= ENOUGH_DEG
    image = _small(
        np.asarray(slices.slab.data[0] if slices.slab.domain == "slice" else slices.slab.data[:, 0])
    )
    factor = max(1, -(-slices.slab.data.shape[-1] // LARGEST_PX))
    size = slices.resolution.layout.geometry.pixel_m
    title = None if complete else f"incomplete: {len(angles)} views, {covered[0]:.4g}° to {covered[1]:.4g}°"
    picture = png(image, scale_m=None if size is None else size.value * factor, title=title)
    return Look(
        picture=picture,
        row=slices.slab.rows.start,
        views=len(angles),
        covered_deg=covered,
        complete=complete,
        axis=axis,
        axis_sought=not reuses_axis,
        warnings=tuple(warnings_found),
        notes=_notes(slices, warnings_found),
        opened=opened,
        seen=slices.resolution.scan,
        width=image.shape[1],
        height=image.shape[0],
    )


def row_of(text: str, scan: Scan, height: int) -> int:
    """Read which row is wanted.

    Parameters
    ----------
    text : str
        "middle", a number of a row (negative from the end), or a length from the first row with its unit.
    scan : Scan
        The scan, for its pixel size.
    height : int
        Rows that there are.

    Returns
    -------
    int
        0 to `height` - 1.

    Raises
    ------
    InputError
        There is no such row, or the pixel size is not known.
    """
    if text == "middle":
        return height // 2
    try:
        chosen = int(text)
    except ValueError:
        pixel = scan.pixel_m
        if pixel is None:
            raise InputError(
                f"--row {text}: {scan.path.name} does not tell its pixel size; give the number of a row, or --pixel"
            ) from None
        chosen = round(units.parse(text, "m") / pixel.value * height / scan.shape[1])
    if not -height <= chosen < height:
        raise InputError(f"--row {text}: {scan.path.name} has the rows 0 to {height - 1}, not {chosen}")
    return chosen % height


def _station(scan: Scan) -> str:
    pixel = scan.pixel_m
    return f"{scan.shape[2]} columns, pixel " + ("unknown" if pixel is None else units.show(pixel.value, "m"))


def _axis_of(slices: Slices, name: str, station: str) -> Axis:
    for item in slices.resolution.probes:
        if "axis_column" in getattr(item.step, "fields", ()) and item.key in slices.answers:
            answer = slices.answers[item.key]
            return Axis(float(answer["answer"]), str(answer.get("confidence", "unknown")), name, station)
    value = slices.resolution.geometry.axis_column
    return Axis(None if value is None else float(value.value), "given", name, station)


def _doubtful(axis: Axis) -> bool:
    return axis.column is not None and axis.confidence not in ("high", "given")


def _has_views(protocol: Protocol) -> bool:
    """Tell whether columns of the protocol may be others than those of the file."""
    return any(isinstance(item.step, View) for item in protocol.items)


def _axis_warnings(axis: Axis, columns: int, last_axis: Axis | None) -> list[ScanWarning]:
    """Tell where the axis lies outside of the field, or elsewhere than in the scans before."""
    if axis.column is None:
        return []
    if not 0 <= axis.column <= columns - 1:
        text = f"at column {axis.column:.1f}, and the frames have the columns 0 to {columns - 1}; move the sample stage"
        return [ScanWarning("axis", "Axis out of the field", text, "stop")]
    if (
        last_axis is None
        or last_axis.column is None
        or axis.confidence != "high"
        or last_axis.scan == axis.scan
    ):
        return []
    moved = axis.column - last_axis.column
    if abs(moved) <= AXIS_MOVED_PX:
        return []
    text = (
        f"{moved:+.1f} px from where it is in {last_axis.scan}; is the sample loose, or was the stage moved?"
    )
    return [ScanWarning("axis", "Axis moved", text)]


def _turn_warnings(slices: Slices) -> list[ScanWarning]:
    """Tell where opposite views of a full turn place the axis in several columns."""
    notes = [note for answer in slices.answers.values() for note in answer.get("notes", ())]
    return [
        ScanWarning("moved", "Sample moved", note) for note in notes if "in the course of the turn" in note
    ]


def _notes(slices: Slices, warnings: list[ScanWarning]) -> tuple[str, ...]:
    not_finite = int(np.count_nonzero(~np.isfinite(slices.slab.data)))
    messages = of_result(slices.resolution, slices.answers, slices.slab.report, not_finite, rows=1)
    warned = {warning.text for warning in warnings}
    return tuple(
        text
        for text in dict.fromkeys(messages)
        if text not in warned and "rotation axis was found" not in text
    )


def _small(image: NDArray[Any]) -> NDArray[np.float32]:
    factor = max(1, -(-image.shape[1] // LARGEST_PX))
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    if factor == 1 or not rows:
        return np.asarray(image, np.float32)
    part = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return np.asarray(part.mean(axis=(1, 3)), np.float32)
