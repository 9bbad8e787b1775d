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
from tomarium.formats.format import Format, Match
from tomarium.formats.frames.per_frame import plain_cost, read_rows
from tomarium.formats.hdf5.attributes import attribute, is_hdf5
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.frames import Hdf5Frames, frames_of
from tomarium.formats.hdf5.security_check import open_checked
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.opening.angles import in_degrees
from tomarium.model import FrameKind, Geometry, Scan, Value
from tomarium.model.scan import IndexedFrames, Reference

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
class PhaseFrames(IndexedFrames):
    """The frames of one phase step of a dataset (frame, phase, row, column)."""

    file: Path
    name: str  # path of the dataset
    step: int
    shape: tuple[int, int, int]  # frames, rows, columns
    dtype: np.dtype[Any]  # type of a pixel

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read detector rows of some frames."""
        return read_rows(self, frames, rows, self._fill)

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        with guarded(self.file), open_checked(self.file) as file:
            dataset = file[self.name]
            for place, frame in enumerate(wanted):
                result[place] = dataset[int(frame), self.step, rows]

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return the bytes that many frames take."""
        return plain_cost(self, frames, rows)


def detect(path: Path) -> Match | None:
    """Look for a group with the definition NXtomophase.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    Match or None
        None where the file is no HDF5 or has no such group; its entries are the phase steps.
    """
    if not is_hdf5(path):
        return None
    try:
        with reading(path) as source:
            for name in source.file:
                if source.text(f"/{name}/definition") != "NXtomophase":
                    continue
                data = source.find(f"/{name}/{PROJECTIONS}/data")
                if not isinstance(data, h5py.Dataset) or data.ndim != 4:
                    return Match(
                        0.0, "", f"/{name} is an NXtomophase without {PROJECTIONS}/data of four axes"
                    )
                entries = tuple(f"/{name}/phase_{step}" for step in range(data.shape[1]))
                why = f"/{name}: its definition is NXtomophase, with {len(entries)} phase steps"
                return Match(1.0, "NIAC", why, entries[0], entries)
    except FormatError as problem:
        return Match(0.0, "", str(problem))
    return None


def read(path: Path, match: Match) -> Scan:
    """Read the header of one phase step.

    Parameters
    ----------
    path : Path
        The file.
    match : Match
        What `detect` said of it; `match.entry` ends with the step, "/entry/phase_2".

    Returns
    -------
    Scan
        The projections of that step, with the flats and darks of all.

    Raises
    ------
    FormatError
        The file is damaged.
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
            Path(data.file.filename),
            str(data.name),
            step,
            (count, rows, columns),
            data.dtype.newbyteorder("="),
        )
        if steps > 1:
            source.warnings.append(f"phase step {step} of {steps} was opened: {', '.join(match.entries)}")
        references = {kind: _reference(source, entry, kind, step, steps, frames) for kind in REFERENCES}
        known = source.walk(source.file)
        return Scan(
            path=path,
            name=path.stem,
            format=FORMAT.name,
            dialect=match.dialect,
            why=match.why,
            projections=frames,
            geometry=Geometry(
                angles_deg=_angles(source, entry),
                pixel_m=source.quantity(f"{entry}/{PROJECTIONS}/x_pixel_size", "m", None),
                distance_m=source.quantity(f"{entry}/{PROJECTIONS}/distance", "m", None),
            ),
            flats=references[FrameKind.FLAT],
            darks=references[FrameKind.DARK],
            counts={FrameKind.PROJECTION: count}
            | {kind: one.frames.shape[0] for kind, one in references.items() if one is not None},
            metadata=_texts(source, entry) | {"phase_step": Value(step, "read", match.entry)} | known,
            missing=tuple(source.missing),
            repaired=tuple(source.repaired),
            warnings=tuple(source.warnings),
        )


def _texts(source: Source, entry: str) -> dict[str, Value[Any]]:
    found = {name: source.text(f"{entry}/{place}") for name, place in TEXTS.items()}
    return {
        name: Value(text, "read", f"{source.path.name}:{entry}/{TEXTS[name]}")
        for name, text in found.items()
        if text
    }


def _angles(source: Source, entry: str) -> Value[NDArray[np.float64]]:
    place = f"{entry}/sample/rotation_angle"
    angles, node = source.array(place), source.find(place)
    if angles is None or node is None:
        return Value(np.empty(0), "read", f"there is no {place}")
    value, said = in_degrees(angles, attribute(node, "units"), f"{source.path.name}:{place}", guess=True)
    if said:
        source.warnings.append(said)
    return value


def _reference(
    source: Source, entry: str, kind: FrameKind, step: int, steps: int, projections: PhaseFrames
) -> Reference | None:
    place = f"{entry}/{REFERENCES[kind]}"
    data = source.find(f"{place}/data")
    if not isinstance(data, h5py.Dataset) or not data.size:
        source.warnings.append(f"the scan holds no {kind} fields ({place}/data)")
        return None
    frames: Hdf5Frames = frames_of(source, data)
    if frames.shape[1:] != projections.shape[1:]:
        raise FormatError(
            f"{source.path}: {data.name} has frames of {frames.shape[1:]} rows and columns, the projections "
            f"{projections.shape[1:]}; both must be equal, so crop or replace them"
        )
    mine = source.array(f"{place}/sequence_number")
    theirs = source.array(f"{entry}/{PROJECTIONS}/sequence_number")
    count = projections.shape[0]
    if mine is None or theirs is None or len(mine) != frames.shape[0] or len(theirs) != count * steps:
        return Reference(frames, np.full(frames.shape[0], -1.0))
    before = np.searchsorted(theirs.reshape(count, steps)[:, step], mine).astype(np.float64)
    position = np.where(before == 0, -1.0, np.where(before == count, float(count), before - 0.5))
    return Reference(frames, position)


FORMAT = Format(
    name="nxtomophase",
    title="NXtomophase (NeXus phase steps, HDF5)",
    suffixes=(".nxs", ".nx"),
    detect=detect,
    read=read,
)
