"""Write NXtomo so that the NeXus validators accept it: definition, links, integer keys, units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from tomarium.formats.frames.mirrored import flipped, flips_of
from tomarium.formats.hdf5.motors import write_positioners
from tomarium.formats.hdf5.two_phase_writer import TwoPhaseFile, two_phase_file
from tomarium.formats.hdf5.writer import nexus_entry, nexus_group, put, sayable, write_tree
from tomarium.formats.provenance import embedded_source as car
from tomarium.formats.provenance.frame_mapping import Placed
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import FrameKind, Frames, Scan
from tomarium.model.half_acquisition import is_half_acquisition
from tomarium.model.scan import Reference

# NXdetector image_key.
# Attribute that says from where the axis is counted.
FROM_MIDDLE: Final = "counted_from"
CODES: Final = {FrameKind.PROJECTION: 0, FrameKind.FLAT: 1, FrameKind.DARK: 2}


def write(
    path: Path,
    scan: Scan,
    *,
    extra: Mapping[str, Any] | None = None,
    side_car: bool = False,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a scan as NXtomo.

    `path`: file to write; it appears when it is complete. `scan`: all frames go into one dataset in the order
    they were taken; their type is the smallest that holds projections, flats and darks. Frames shown mirrored
    are stored as they were, and the detector tells its mirror. `extra`: further groups of the root, as in
    `data_exchange.writer.write`, and `side_car` too. Raises InputError: a value of `extra` is of no type HDF5 holds.
    """
    with two_phase_file(path, resume=resume, on_progress=on_progress) as output:
        file = output.file
        entry = nexus_entry(file, "NXtomo")
        for name in ("title", "start_time", "end_time"):
            if name in scan.metadata and (name == "title" or _is_time(str(scan.metadata[name].value))):
                entry[name] = str(scan.metadata[name].value)
        placed = _write_instrument(output, entry, scan)
        _write_sample(entry, scan)
        data = nexus_group(entry, "data", "NXdata")
        data.attrs["signal"] = "data"
        # rotation_angle and image_key share the axis of the frames.
        data.attrs["axes"] = ["rotation_angle", ".", "."]
        for name, place in (
            ("data", "instrument/detector/data"),
            ("image_key", "instrument/detector/image_key"),
            ("rotation_angle", "sample/rotation_angle"),
        ):
            data[name] = entry[place]
            entry[place].attrs["target"] = f"/entry/{place}"
        write_tree(file, extra or {})
        if side_car:
            car.keep(output, scan, placed)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _write_instrument(output: TwoPhaseFile, entry: h5py.Group, scan: Scan) -> list[Placed]:
    instrument = nexus_group(entry, "instrument", "NXinstrument")
    if "instrument" in scan.metadata:
        instrument["name"] = str(scan.metadata["instrument"].value)
    source = nexus_group(instrument, "source", "NXsource")
    for name, place in (("source", "name"), ("source_type", "type"), ("probe", "probe")):
        if name in scan.metadata:
            source[place] = str(scan.metadata[name].value)
    if scan.energy_kev is not None:
        put(nexus_group(instrument, "beam", "NXbeam"), "incident_energy", scan.energy_kev.value, units="keV")
    detector = nexus_group(instrument, "detector", "NXdetector")
    placed = _write_frames(output, detector, scan)
    if scan.pixel_m is not None:
        for axis, size in _pixel_sizes(scan).items():
            own = scan.metadata.get(f"detector_pixel_{axis}_m")
            put(detector, f"{axis}_pixel_size", size if own is None else float(own.value), units="m")
    if scan.distance_m is not None:
        put(detector, "distance", scan.distance_m.value, units="m")
    if scan.axis_column is not None:
        column = scan.axis_column.value
        stored_column = scan.shape[2] - 1 - column if flips_of(scan.projections)[0] else column
        # As nxtomomill writes and nabu reads it, so that their users find the axis where it is.
        offset = stored_column - (scan.shape[2] - 1) / 2
        axis = put(detector, "x_rotation_axis_pixel_position", offset, units="pixel")
        axis.attrs[FROM_MIDDLE] = "the middle column, (columns - 1) / 2"
    if _is_half_acquisition(scan):
        detector["field_of_view"] = "Half"
        detector["half_acquisition"] = True
    if "exposure_s" in scan.metadata:
        put(detector, "count_time", float(scan.metadata["exposure_s"].value), units="s")
    _write_flips(detector, *flips_of(scan.projections))
    write_positioners(instrument, scan)
    return placed


def _is_half_acquisition(scan: Scan) -> bool:
    """Tell whether the views are to be joined: by the axis where it is known, else by what the scan's file said."""
    if scan.axis_column is not None:
        return is_half_acquisition(scan.angles_deg.value, scan.axis_column.value, scan.shape[2])
    said = {
        name: scan.metadata[name].value
        for name in ("field_of_view", "half_acquisition")
        if name in scan.metadata
    }
    return said.get("half_acquisition") is True or str(said.get("field_of_view", "")).lower() == "half"


def _write_flips(detector: h5py.Group, left_right: bool, up_down: bool) -> None:
    """Tell a mirror as the ESRF does since its path version 2.0: a half turn about an axis across the beam."""
    if not (left_right or up_down):
        return
    turns = nexus_group(detector, "transformations", "NXtransformations")
    before = "."
    for name, is_so, vector in (("rx", up_down, (1.0, 0.0, 0.0)), ("ry", left_right, (0.0, 1.0, 0.0))):
        if is_so:
            put(turns, name, 180.0, units="degree")
            turns[name].attrs.update(
                {"transformation_type": "rotation", "vector": np.array(vector), "depends_on": before}
            )
            before = str(turns[name].name)
    detector["depends_on"] = before


def _write_sample(entry: h5py.Group, scan: Scan) -> None:
    sample = nexus_group(entry, "sample", "NXsample")
    sample_name = scan.metadata.get("sample_name")
    sample["name"] = sayable(str(sample_name.value) if sample_name else scan.name)
    sizes = _pixel_sizes(scan)
    own = {axis: scan.metadata.get(f"detector_pixel_{axis}_m") for axis in sizes}
    if any(size is not None and size.value != sizes[axis] for axis, size in own.items()):
        # The ESRF's place for the size at the sample (path version 1.5); NXtomo itself has none.
        for axis, size in sizes.items():
            put(sample, f"{axis}_pixel_size", size, units="m")
    place = np.concatenate([position for _, position, _ in _stacks_in_time(scan)])
    order = np.argsort(place, kind="stable")
    angles = scan.angles_deg.value
    put(sample, "rotation_angle", np.interp(place[order], np.arange(len(angles)), angles), units="degree")


def _pixel_sizes(scan: Scan) -> dict[str, float]:
    """Return width and height of a pixel at the sample, m; nothing where they are not known."""
    if scan.pixel_m is None:
        return {}
    return {"x": scan.pixel_m.value, "y": scan.pixel_m.value * scan.geometry.aspect}


def _stacks_in_time(scan: Scan) -> list[tuple[FrameKind, np.ndarray[Any, np.dtype[np.float64]], Frames]]:
    """List the stacks and the place of each frame among the projections; darks come before flats."""
    references: list[tuple[FrameKind, Reference | None]] = [
        (FrameKind.DARK, scan.darks),
        (FrameKind.FLAT, scan.flats),
    ]
    stacks = [(kind, ref.position, ref.frames) for kind, ref in references if ref is not None]
    stacks.append((FrameKind.PROJECTION, np.arange(scan.shape[0], dtype=np.float64), scan.projections))
    back = flips_of(scan.projections)
    return [(kind, place, flipped(frames, *back)) for kind, place, frames in stacks]


def _write_frames(output: TwoPhaseFile, detector: h5py.Group, scan: Scan) -> list[Placed]:
    stacks = _stacks_in_time(scan)
    codes = np.concatenate([np.full(len(place), CODES[kind], np.int32) for kind, place, _ in stacks])
    order = np.argsort(np.concatenate([place for _, place, _ in stacks]), kind="stable")
    rank = np.argsort(order, kind="stable")  # frame of the stacks, one after another → frame of the file
    dtype = np.result_type(*(np.dtype(frames.dtype) for *_, frames in stacks))
    dataset = output.reserve(detector, "data", (len(codes), *scan.shape[1:]), dtype)
    placed, first = [], 0
    for _, _, frames in stacks:
        where = rank[first : first + frames.shape[0]]
        output.fill(dataset, frames, where)
        placed.append(Placed(frames, str(dataset.name), where))
        first += frames.shape[0]
    detector["image_key"] = codes[order]
    return placed
