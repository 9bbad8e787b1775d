"""NXtomophase, the NeXus application definition of phase-stepping tomography: read, one scan for each step.

Source: NXtomophase of the NeXus definitions v2026.01. Flats, darks and projections are detectors of their own;
each frame has a number in the sequence of the whole scan, and projections have an axis more, the phase step.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.per_frame import PerFrame, demand_same_size
from tomarium.formats.hdf5.dialect import (
    dataset_at,
    degrees_of,
    detecting,
    lacking,
    positions_among,
    scan_of,
    texts_of,
)
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.frames import Hdf5Frames, frames_of
from tomarium.formats.hdf5.names import file_of
from tomarium.formats.hdf5.security_check import open_checked
from tomarium.formats.hdf5.source import Source, reading
from tomarium.model import FrameKind, Geometry, Scan, Value
from tomarium.model.scan import Reference

PROJECTIONS: Final = "instrument/sample"
REFERENCES: Final = {FrameKind.FLAT: "instrument/bright_field", FrameKind.DARK: "instrument/dark_field"}
TEXTS: Final = {
    "title": "title",
    "start_time": "start_time",
    "end_time": "end_time",
    "sample_name": "sample/name",
    "source": "instrument/source/name",
    "source_type": "instrument/source/type",
    "probe": "instrument/source/probe",
}


@dataclass(frozen=True, eq=False)
class PhaseFrames(PerFrame):
    """The frames of one phase step of a dataset (frame, phase, row, column)."""

    file: Path
    name: str  # path of the dataset
    step: int
    shape: tuple[int, int, int]  # frames, rows, columns
    dtype: np.dtype[Any]  # type of a pixel

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        with guarded(self.file), open_checked(self.file) as file:
            dataset = file[self.name]
            for place, frame in enumerate(wanted):
                result[place] = dataset[int(frame), self.step, rows]


@detecting
def detect(source: Source) -> Match | None:
    """Look for a group with the definition NXtomophase; its entries are the phase steps."""
    for name in source.file:
        if source.text(f"/{name}/definition") != "NXtomophase":
            continue
        data = dataset_at(source, f"/{name}/{PROJECTIONS}/data")
        if data is None or data.ndim != 4:
            return no_match(f"/{name} is an NXtomophase without {PROJECTIONS}/data of four axes")
        entries = tuple(f"/{name}/phase_{step}" for step in range(data.shape[1]))
        why = f"/{name}: its definition is NXtomophase, with {len(entries)} phase steps"
        return Match(1.0, "NIAC", why, entries[0], entries)
    return None


def read(path: Path, match: Match) -> Scan:
    """Read the header of one phase step.

    `match.entry` ends with the step, "/entry/phase_2". Result: the projections of that step, with the flats
    and darks of all.
    """
    entry, _, last = match.entry.rpartition("/phase_")
    step = int(last)
    with reading(path) as source:
        data = source.find(f"{entry}/{PROJECTIONS}/data")
        if not isinstance(data, h5py.Dataset) or data.ndim != 4 or data.dtype.kind not in "iuf":
            raise FormatError(
                f"{path}: {entry}/{PROJECTIONS}/data holds no frames (angle, phase, row, column)"
            )
        count, steps, rows, columns = data.shape
        frames = PhaseFrames(
            file_of(data),
            str(data.name),
            step,
            (count, rows, columns),
            data.dtype.newbyteorder("="),
        )
        if steps > 1:
            source.warnings.append(f"phase step {step} of {steps} was opened: {', '.join(match.entries)}")
        references = {kind: _reference(source, entry, kind, step, steps, frames) for kind in REFERENCES}
        metadata_of_file = source.walk(source.file)
        geometry = Geometry(
            angles_deg=_angles(source, entry),
            pixel_m=source.quantity(f"{entry}/{PROJECTIONS}/x_pixel_size", "m", None),
            distance_m=source.quantity(f"{entry}/{PROJECTIONS}/distance", "m", None),
        )
        metadata = texts_of(source, TEXTS, f"{entry}/") | {"phase_step": Value(step, "read", match.entry)}
        reference_fields = {"flats": references[FrameKind.FLAT], "darks": references[FrameKind.DARK]}
        return scan_of(
            source,
            match,
            FORMAT.name,
            frames,
            geometry,
            metadata=metadata | metadata_of_file,
            **reference_fields,
        )


def _angles(source: Source, entry: str) -> Value[NDArray[np.float64]]:
    place = f"{entry}/sample/rotation_angle"
    angles = source.array(place)
    if angles is None:
        return Value(np.empty(0), "read", f"there is no {place}")
    return degrees_of(source, angles, place, guess=True)


def _reference(
    source: Source, entry: str, kind: FrameKind, step: int, steps: int, projections: PhaseFrames
) -> Reference | None:
    place = f"{entry}/{REFERENCES[kind]}"
    data = source.find(f"{place}/data")
    if not isinstance(data, h5py.Dataset) or not data.size:
        return lacking(source, kind, f" ({place}/data)")
    frames: Hdf5Frames = frames_of(source, data)
    demand_same_size(f"{source.path}: {data.name}", frames, projections)
    own_numbers = source.array(f"{place}/sequence_number")
    numbers_of_projections = source.array(f"{entry}/{PROJECTIONS}/sequence_number")
    count = projections.shape[0]
    if (
        own_numbers is None
        or numbers_of_projections is None
        or len(own_numbers) != frames.shape[0]
        or len(numbers_of_projections) != count * steps
    ):
        return Reference(frames, np.full(frames.shape[0], -1.0))
    before = np.searchsorted(numbers_of_projections.reshape(count, steps)[:, step], own_numbers)
    return Reference(frames, positions_among(before, count))


FORMAT = Format(
    name="nxtomophase",
    title="NXtomophase (NeXus phase steps, HDF5)",
    suffixes=(".nxs", ".nx"),
    detect=detect,
    read=read,
)
