"""What was done with one scan, carried over to another: protocol, rotation axis, region, rescaled to its pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose, prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import formats, units
from tomarium.catalogue.make_record import read_provenance
from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.model import Scan, Value, Volume
from tomarium.model.geometry import BY_NAME
from tomarium.pipeline.protocol.protocol import Item, Protocol, from_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.provenance import demand_packages
from tomarium.pipeline.run.result_files import PROVENANCE, VOLUME
from tomarium.steps.core.serialization import find_step
from tomarium.steps.core.step import View
from tomarium.steps.core.values import check

LENGTHS: Final = (("paganin", "length_px"), ("paganin", "unsharp_sigma_px"))
"""Parameters that are lengths in the sample, in pixels: they are rescaled. Windows that follow the detector are not."""

COPIED: Final = "parameters_copied"
"""Name under which a record tells what was copied."""


_MORE_THAN_HALF_DEG: Final = 270.0


@dataclass(frozen=True)
class Copied:
    """What another record's run becomes for a scan.

    Attributes
    ----------
    scan : Scan
        The scan, with the rotation axis of the other one, and its energy and distance where it tells none.
    protocol : Protocol
        The steps, rescaled.
    rows : slice or None
        Detector rows wanted, after the views of the protocol; None for all.
    told : tuple of str
        What was copied, each with its origin.
    """

    scan: Scan
    protocol: Protocol
    rows: slice | None
    told: tuple[str, ...]


@dataclass(frozen=True)
class _Field:
    """How pixels of the other scan's frames lie in those of this one, along one side.

    Attributes
    ----------
    old, new : int
        Pixels of a frame along the side.
    ratio : float
        Pixel size of the other over that of this.
    zoomed : bool
        Whether the optics changed and the frames did not: then the middle stays, else the edge.
    """

    old: int
    new: int
    ratio: float
    zoomed: bool

    @property
    def is_known(self) -> bool:
        """Whether both show the same field, or the same detector through other optics."""
        return self.zoomed or abs(self.new - self.old * self.ratio) <= max(1.0, self.ratio)

    def edge(self, place: float) -> float:
        """Return where an edge of pixels lies, counted from the first edge."""
        if self.zoomed:
            return (place - self.old / 2) * self.ratio + self.new / 2
        return place * self.ratio


def copy_parameters(
    record: Path, scan: Scan, *, binning: int = 1, axis: bool = True, region: bool = True
) -> Copied:
    """Carry the run of a record over to another scan.

    Parameters
    ----------
    record : Path
        Folder of a record, as `tomarium run` makes it.
    scan : Scan
        The other scan.
    binning : int
        Pixels that the user bins along rows and columns; it takes the place of the record's own binning. 1 keeps that.
    axis : bool
        Whether the rotation axis is copied; else it is looked for where the protocol does so.
    region : bool
        Whether the rows and the part of the slices are copied.

    Returns
    -------
    Copied
        The scan with its axis: column c of pixels p becomes (c + 1/2) p / p' - 1/2 where both frames show the same
        field. Where the frames have the same size and the pixel differs, the optics changed, and the axis keeps its
        distance from the middle.

    Raises
    ------
    FormatError
        The record has no provenance.
    InputError, ParameterError, MissingData
        It cannot be carried over: the fields of view differ, a pixel size is not known, or a step belongs to the other
        scan alone.
    """
    provenance = read_provenance(record)
    protocol = protocol_like(record)
    name = record.resolve().name
    notes: list[str] = []
    bins, other_views = _views(protocol, name)
    ratio = _ratio(provenance, scan, name, bins[1], notes)
    old_rows, old_columns = (int(length) for length in provenance["source"]["shape"][1:])
    same_frames = (old_rows, old_columns) == scan.shape[1:]
    zoomed = same_frames and not isclose(ratio, 1.0, rel_tol=1e-9)
    if other_views and (zoomed or not same_frames or binning != 1):
        raise ParameterError(
            f"{name} was made with the view {other_views[0]}, whose numbers hold for its own frames; give a scan with "
            f"frames and pixels alike, or a protocol of your own"
        )
    rows_field = _Field(old_rows, scan.shape[1], ratio, zoomed)
    columns_field = _Field(old_columns, scan.shape[2], ratio, zoomed)
    new_bins = (binning, binning) if binning != 1 else bins
    scale = ratio * bins[1] / new_bins[1]
    protocol = _rescaled(protocol, scale, binning != 1, scan, name, notes)
    chosen, scan = scan, _beam(provenance, scan, name, notes)
    used = provenance["geometry"].get("axis_column")
    if axis and used is not None:
        if chosen.geometry.axis_column is not None and chosen.geometry.axis_column.origin == "user":
            notes.append("rotation axis: not copied, it is given")
        elif other_views:
            protocol = _with_column(protocol, float(used["value"]), name)
            notes.append(f"rotation axis: column {used['value']:.2f} of {name}")
        else:
            scan = _with_axis(scan, float(used["value"]), bins[1], columns_field, name, notes)
    rows, plane = None, _plane_of(protocol)
    protocol = _without_plane(protocol)
    if region:
        rows = _rows(provenance["rows"], bins[0], new_bins[0], rows_field, name, bool(other_views), notes)
        if plane:
            protocol = _with_plane(protocol, record, scan, binning, scale, name, notes)
    notes.insert(0, f"protocol: {', '.join(item.step.name for item in protocol.items)} of {name}")
    value = Value("; ".join(notes), "user", f"parameters copied from {name}")
    return Copied(replace(scan, metadata={**scan.metadata, COPIED: value}), protocol, rows, tuple(notes))


def protocol_like(record: Path) -> Protocol:
    """Return the protocol that a record was made by, as it was asked for.

    Parameters
    ----------
    record : Path
        Its folder.

    Returns
    -------
    Protocol
        The steps with their numbers, not rescaled.

    Raises
    ------
    FormatError
        The record has no provenance.
    MissingData
        A step came with a package that is not installed.
    """
    provenance = read_provenance(record)
    demand_packages(provenance, record)
    return from_data(provenance["protocol"], str(record / PROVENANCE))


def find_record(name: str, folders: Sequence[Path]) -> Path:
    """Find the record of a scan by the scan's name, as `copy_parameters -s` of tomodata gives it.

    Parameters
    ----------
    name : str
        Name of the scan, or the path of the record.
    folders : sequence of Path
        Where it is looked for, as NAME and NAME_record.

    Returns
    -------
    Path
        The first that is there.

    Raises
    ------
    InputError
        There is none.
    """
    places = [folder / file_name for folder in folders for file_name in (name, f"{name}_record")]
    for place in places:
        if (place / PROVENANCE).is_file():
            return place
    where = ", ".join(dict.fromkeys(str(folder) for folder in folders))
    raise InputError(
        f"no record of {name} was found in {where}, so its parameters cannot be copied; reconstruct that scan first, "
        f"or give its record with --like"
    )


def _views(protocol: Protocol, name: str) -> tuple[tuple[int, int], list[str]]:
    """Return by how much rows and columns are binned, and the names of other views."""
    views = [item for item in protocol.items if isinstance(item.step, View)]
    for item in views:
        if "scans" in item.given:
            raise ParameterError(
                f"{name} was made of several scans by {item.step.name}, which no other scan has; give a protocol of "
                f"your own, or the record of a single scan"
            )
    bins = [item.given for item in views if item.step.name == "bin"]
    other_names = [item.step.name for item in views if item.step.name not in ("bin", "select_views")]
    return (
        prod(parameters.get("rows", 1) for parameters in bins),
        prod(parameters.get("columns", 1) for parameters in bins),
    ), other_names


def _ratio(provenance: Mapping[str, Any], scan: Scan, name: str, binned: int, notes: list[str]) -> float:
    """Return the pixel of the other scan's frames over that of this one's."""
    used = provenance["geometry"].get("pixel_m")
    old = None if used is None else float(used["value"]) / binned
    new = None if scan.pixel_m is None else float(scan.pixel_m.value)
    same_frames = tuple(provenance["source"]["shape"][1:]) == scan.shape[1:]
    if old is not None and new is not None:
        ratio = old / new
        if isclose(ratio, 1.0, rel_tol=1e-6):
            return 1.0
        notes.append(
            f"pixel: {units.show(new, 'm')}, of {name} {units.show(old, 'm')}: lengths in pixels × {ratio:.4g}"
        )
        return ratio
    if old is None and new is None and same_frames:
        notes.append("pixel: neither scan tells it; taken to be the same, as the frames have the same size")
        return 1.0
    lacking = scan.path if new is None else name
    raise MissingData(
        f"the pixel size of {lacking} is not known, so parameters of {name} cannot be rescaled to {scan.path}; give it "
        f"with --pixel" + ("" if new is None else f", and reconstruct {name} again with its pixel size")
    )


def _rescaled(
    protocol: Protocol, scale: float, without_bin: bool, scan: Scan, name: str, notes: list[str]
) -> Protocol:
    """Rescale lengths in pixels, and leave out what this scan tells itself."""
    items, unscaled = [], []
    for item in protocol.items:
        if without_bin and item.step.name == "bin":
            notes.append("binning: not copied, --bin is given")
            continue
        values = dict(item.given)
        for parameter in item.step.parameters:
            is_of_scan = parameter.from_scan and parameter.name in BY_NAME
            if is_of_scan and (
                parameter.name == "axis_column" or getattr(scan.geometry, parameter.name) is not None
            ):
                values.pop(parameter.name, None)
        if not isclose(scale, 1.0):
            values, unscaled_of_step = _lengths(item, values, scale, notes)
            unscaled += unscaled_of_step
        items.append(replace(item, given=values))
    if unscaled:
        notes.append(f"as they are, for they follow the detector's pixels: {', '.join(unscaled)}")
    return Protocol(tuple(items))


def _lengths(
    item: Item, values: dict[str, Any], scale: float, notes: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values of a step with its lengths rescaled, and the names of other values in pixels."""
    step = item.step
    if values.get("unsharp_coefficient") and step.name == "paganin":
        defaults = {parameter.name: parameter.default for parameter in step.parameters}
        values.setdefault("unsharp_sigma_px", defaults["unsharp_sigma_px"])
    for owner, parameter in LENGTHS:
        if owner != step.name or values.get(parameter) is None:
            continue
        if isinstance(values[parameter], str):
            notes.append(f"{owner}.{parameter}: {values[parameter]}, which this scan's run finds itself")
        else:
            notes.append(f"{owner}.{parameter}: {values[parameter]:g} → {values[parameter] * scale:.4g}")
            values[parameter] = values[parameter] * scale
    try:
        checked = dict(check(step, values))
    except ParameterError as problem:
        raise ParameterError(f"rescaled to this scan's pixel by {scale:.4g}, {problem}") from problem
    windows = [
        f"{step.name}.{key}"
        for key in values
        if not isinstance(step, View)
        and (step.name, key) not in LENGTHS
        and (key.endswith("_px") or key in ("rows", "columns", "size"))
    ]
    return checked, windows


def _beam(provenance: Mapping[str, Any], scan: Scan, name: str, notes: list[str]) -> Scan:
    """Give a scan the energy and the distance of the other one where it tells none."""
    values = {}
    for field in ("energy_kev", "distance_m"):
        used = provenance["geometry"].get(field)
        if used is not None and getattr(scan.geometry, field) is None:
            values[field] = Value(float(used["value"]), "user", f"copied from {name}: {used['source']}")
            notes.append(f"{field}: {used['value']:g} of {name}, this scan tells none")
    return scan.with_geometry(**values) if values else scan


def _with_axis(scan: Scan, column: float, binned: int, field: _Field, name: str, notes: list[str]) -> Scan:
    """Give a scan the axis of the other one, at its place in these frames."""
    if not field.is_known:
        raise InputError(
            f"the rotation axis of {name} cannot be copied to {scan.path}: its frames are {field.old} columns wide, "
            f"{field.old * field.ratio:.0f} in the pixels of this scan, which has {field.new}, and where they lie in "
            f"each other is not known; give --axis COLUMN, or, of a batch, --each-axis to look for it"
        )
    edge = (column + 0.5) * binned
    placed = field.edge(edge) - 0.5
    if not -0.5 <= placed <= field.new - 0.5 and 0 <= column < field.old / binned:
        raise InputError(
            f"the rotation axis of {name}, at column {column:.2f}, would lie at column {placed:.2f} of {scan.path}, "
            f"which has {field.new}; give --axis COLUMN"
        )
    placed = column if isclose(placed, column, abs_tol=1e-9) else placed
    how = ", at the same distance from the middle" if field.zoomed else ""
    change = f"column {column:.2f} of {name}" + (f" becomes {placed:.2f}{how}" if placed != column else "")
    notes.append(f"rotation axis: {change}")
    return scan.with_geometry(axis_column=Value(placed, "user", f"copied: {change}"))


def _with_column(protocol: Protocol, column: float, name: str) -> Protocol:
    """Give a protocol the axis of the other scan, whose frames, after the same views, are alike."""
    takes = [
        item
        for item in protocol.items
        if any(parameter.name == "axis_column" and parameter.from_scan for parameter in item.step.parameters)
    ]
    if not takes:
        raise ParameterError(f"the protocol of {name} has no step that takes a rotation axis")
    return Protocol(
        tuple(
            replace(item, given={**item.given, "axis_column": column}) if item is takes[-1] else item
            for item in protocol.items
        )
    )


def _plane_of(protocol: Protocol) -> str:
    return next((str(item.given["region"]) for item in protocol.items if item.given.get("region")), "")


def _without_plane(protocol: Protocol) -> Protocol:
    return Protocol(
        tuple(
            replace(item, given={key: value for key, value in item.given.items() if key != "region"})
            for item in protocol.items
        )
    )


def _rows(
    rows: Sequence[int],
    binned: int,
    new_binned: int,
    field: _Field,
    name: str,
    exact: bool,
    notes: list[str],
) -> slice | None:
    """Return the rows that show the same part of the sample; None for all."""
    first, last = int(rows[0]), int(rows[1])
    if exact:
        notes.append(f"rows: {first}:{last} of {name}")
        return slice(first, last)
    if first == 0 and last >= field.old // binned:
        return None
    height = field.new // new_binned
    start, stop = (field.edge(edge * binned) / new_binned for edge in (first, last))
    if not field.is_known or start < -1 or stop > height + 1:
        raise InputError(
            f"the rows {first}:{last} of {name} do not lie in this scan, which has {height}; give --rows A:B"
        )
    low = min(max(0, round(start)), height - 1)
    high = min(max(low + 1, round(stop)), height)
    notes.append(
        f"rows: {first}:{last} of {name}" + (f" become {low}:{high}" if (low, high) != (first, last) else "")
    )
    return slice(low, high)


def _with_plane(
    protocol: Protocol, record: Path, scan: Scan, binning: int, scale: float, name: str, notes: list[str]
) -> Protocol:
    """Give a protocol the part of the slices that lies at the same place about the rotation axis."""
    volume = formats.open(record / VOLUME)
    assert isinstance(volume, Volume)
    with_bin = protocol
    if binning != 1:
        step = find_step("bin")
        with_bin = Protocol((Item(step, check(step, {"rows": binning, "columns": binning})), *protocol.items))
    resolution = resolve(with_bin, scan)
    angles = scan.angles_deg.value
    if (
        any("axis_column" in item.awaits for item in resolution.items)
        and np.ptp(angles) > _MORE_THAN_HALF_DEG
    ):
        raise InputError(
            f"the region of {name} cannot be copied to {scan.path} before its rotation axis is known, which tells how "
            f"wide the slices of a full turn are; give --axis COLUMN, or --roi Y0:Y1,X0:X1"
        )
    size = resolution.layout.shape[2]
    parts = []
    for axis, count in zip(volume.axes[1:], volume.shape[1:], strict=True):
        edge = axis.offset / axis.scale - 0.5  # voxels from the rotation axis
        start, stop = edge * scale + size / 2, (edge + count) * scale + size / 2
        if start < -1 or stop > size + 1:
            raise InputError(
                f"the region of {name} does not lie in the slices of {scan.path}: along {axis.name} it would be "
                f"{start:.0f}:{stop:.0f} of {size} voxels; give --roi Y0:Y1,X0:X1"
            )
        low = min(max(0, round(start)), size - 1)
        parts.append(f"{low}:{min(max(low + 1, round(stop)), size)}")
    text = ",".join(parts)
    notes.append(f"region of the slices: {text}, at the same place about the axis as in {name}")
    return Protocol(
        tuple(
            replace(item, given={**item.given, **check(item.step, {"region": text})})
            if any(parameter.name == "region" for parameter in item.step.parameters)
            else item
            for item in protocol.items
        )
    )
