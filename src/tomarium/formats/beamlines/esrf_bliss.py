"""Raw files of the ESRF's BLISS: numbered scans 1.1, 2.1 … in one HDF5 file, with their detectors and positioners.

A tomography is a sequence of them: one that begins it (title or technique/scan_category such as `tomo:fullturn`),
then scans of dark images, reference images and projections, told by technique/image_key, else by their titles. Any
other scan with a stack of images opens as an image whose first axis is what moved. Sources: the titles, motors and
paths that the converter nxtomomill 2.1.7 looks for; a file of beamline ID03.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.beamlines.bliss_motors import motors_of
from tomarium.formats.beamlines.bliss_sequences import (
    HEIGHTS,
    MOST_SEARCHED,
    NumberedScan,
    Sequence,
    detectors,
    names_of,
    numbered_scans,
    tomographies,
)
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.concatenated import JoinedFrames
from tomarium.formats.hdf5.array import StackedArrays, array_of
from tomarium.formats.hdf5.axes import axis_of, pixel_axis
from tomarium.formats.hdf5.dialect import (
    degrees_of,
    detecting,
    lacking,
    positions_among,
    said_entry,
    scan_of,
    texts_of,
)
from tomarium.formats.hdf5.frames import frames_of
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import Source, reading
from tomarium.model import FrameKind, Frames, Geometry, Image, Scan, Value
from tomarium.model.scan import Reference

ROTATIONS: Final = (
    "rotm", "mhsrot", "hsrot", "mrsrot", "hrsrot", "srot", "srot_eh2", "diffrz", "hrrz_trig", "rot",
)  # fmt: skip
POSITIONS: Final = (
    "instrument/positioners/{name}", "instrument/{name}/value", "instrument/{name}/data", "measurement/{name}",
)  # fmt: skip
# Path below a scan, unit where the file gives none, unit here.
PIXEL: Final = ("technique/optic/sample_pixel_size", "um", "m")
ENERGY: Final = ("technique/scan/energy", "keV", "keV")
DISTANCE: Final = ("technique/scan/sample_detector_distance", "mm", "m")
TEXTS: Final = {
    "title": "title",
    "start_time": "start_time",
    "end_time": "end_time",
    "sample_name": "sample/name",
}
SERIES: Final = "series"
_MOST_WALKED: Final = 32


@dataclass(frozen=True)
class _Found:
    """The tomographies of a file by their names, and the absent files it points to."""

    tomographies: dict[str, tuple[Sequence, str]]
    missing: tuple[str, ...]


@detecting
def detect(source: Source) -> Match | None:
    """Look for numbered scans, and among them for a sequence of projections."""
    steps = list(numbered_scans(source))
    if not steps:
        return None
    sequences = tomographies(source, steps)
    if sequences:
        details = _Found(sequences, tuple(source.missing))
        return Match(
            0.9, "BLISS tomography", _reason(steps), next(iter(sequences)), tuple(sequences), details
        )
    images = tuple(_image_entries(steps))
    absent = ", ".join(source.missing[:3])
    if any(step.kind == FrameKind.PROJECTION for step in steps) and absent:
        return no_match(f"{_reason(steps)}, but its frames lie in {absent}, absent; copy them beside it")
    titles = "; ".join(dict.fromkeys(f"{step.title!r}" for step in steps[:5]))
    scans = f"its root holds {len(steps)} numbered scans as BLISS writes them, none of them projections ({titles})"
    if not images:
        return no_match(f"{scans}, and none has a detector with stacked images")
    return Match(0.6, "BLISS scans", f"{scans}: images over what moved", entry=images[0], entries=images)


def _reason(steps: list[NumberedScan]) -> str:
    kinds = [str(step.kind) for step in steps if step.kind]
    counts = ", ".join(f"{kinds.count(kind)} of {kind} images" for kind in dict.fromkeys(kinds))
    return f"its root holds {len(steps)} numbered scans as BLISS writes them, {counts}"


def read(path: Path, match: Match) -> Scan | Image:
    """Read the header of a BLISS file.

    `match.entry` names the tomography or the scan. Result: a tomography with all its frames; or the images of
    one scan, axes (what moved, row, column), or of a series of scans alike, axes (what differs between them,
    what moved, row, column). Raises FormatError: the file is damaged, its parts do not fit together, or a
    sequence holds heights that cannot be told apart.
    """
    with reading(path) as source:
        if isinstance(match.found, _Found) and match.entry in match.found.tomographies:
            source.missing.extend(match.found.missing)
            sequence, detector = match.found.tomographies[match.entry]
            return _read_scan(source, match, _opened(source, sequence), detector)
        steps = list(numbered_scans(source))
        sequences = tomographies(source, steps)
        if match.entry in sequences:
            return _read_scan(source, match, *sequences[match.entry])
        if match.entry in _image_entries(steps):
            return _read_image(source, match, steps)
        entries_text = ", ".join(sequences or _image_entries(steps)) or "none"
        raise FormatError(f"{path}: holds no scan {match.entry!r}; choose one of {entries_text}")


def _opened(source: Source, sequence: Sequence) -> Sequence:
    """Open the datasets of a sequence again."""
    steps = []
    for step in sequence.steps:
        group = source.find(f"/{step.name}")
        nodes = detectors(source, group) if isinstance(group, h5py.Group) else {}
        steps.append(replace(step, detectors=nodes))
    return replace(sequence, steps=steps)


def _read_scan(source: Source, match: Match, sequence: Sequence, detector: str) -> Scan:
    if sequence.title.lower().startswith(HEIGHTS) and not sequence.part:
        raise FormatError(
            f"{source.path}: {sequence.name} is a series of several heights ({sequence.title}) that are not told; "
            f"open one height by its paths, such as data=/3.1/instrument/{detector}/data"
        )
    said_entry(source, match)
    parts: dict[FrameKind, list[Frames]] = {}
    positions: dict[FrameKind, list[float]] = {}
    angles: list[Value[NDArray[np.float64]]] = []
    runs: dict[str, int] = {}
    rotations = names_of(source, sequence, "rotation")
    count = 0
    for step in sequence.steps:
        data = step.detectors.get(detector)
        if data is None or step.kind is None:
            source.warnings.append(f"/{step.name} ({step.title}) holds no frames of {detector}: left out")
            continue
        frames = frames_of(source, data)
        parts.setdefault(step.kind, []).append(frames)
        positions.setdefault(step.kind, []).extend([float(count)] * frames.shape[0])
        if step.kind == FrameKind.PROJECTION:
            angles.append(_angles(source, rotations, step, frames.shape[0]))
            runs[step.name] = frames.shape[0]
            count += frames.shape[0]
    stacks = {kind: some[0] if len(some) == 1 else JoinedFrames(tuple(some)) for kind, some in parts.items()}
    _demand_alike(source, parts)
    name = source.path.stem
    geometry = Geometry(
        angles_deg=_joined(angles),
        pixel_m=_quantity(source, sequence, PIXEL),
        energy_kev=_quantity(source, sequence, ENERGY),
        distance_m=_quantity(source, sequence, DISTANCE),
        motors=motors_of(source, runs),
    )
    return scan_of(
        source,
        match,
        FORMAT.name,
        stacks[FrameKind.PROJECTION],
        geometry,
        name=name if len(match.entries) < 2 else f"{name}_{match.entry.replace('/', '_')}",
        flats=_reference(source, stacks, positions, FrameKind.FLAT, count),
        darks=_reference(source, stacks, positions, FrameKind.DARK, count),
        counts={kind: stack.shape[0] for kind, stack in stacks.items()},
        metadata=_metadata(source, sequence),
    )


def _demand_alike(source: Source, parts: dict[FrameKind, list[Frames]]) -> None:
    sizes = {
        frames.shape[1:]: kind
        for kind, some in parts.items()
        for frames in some
        if kind != FrameKind.ALIGNMENT
    }
    if len(sizes) > 1:
        sizes_text = ", ".join(f"{kind} {size[0]} × {size[1]}" for size, kind in sizes.items())
        raise FormatError(
            f"{source.path}: its frames differ in rows and columns ({sizes_text}); all of a scan must be alike, so "
            f"choose another entry or crop them"
        )


def _angles(
    source: Source, rotations: list[str], step: NumberedScan, count: int
) -> Value[NDArray[np.float64]]:
    """Read where the rotation stood at each projection, under the motor's name the file gives, else known ones."""
    motors = source.find(f"/{step.name}/technique/scan/motor")
    texts = [as_text(motor) for motor in np.ravel(motors[()])] if isinstance(motors, h5py.Dataset) else []
    axis_names = texts[1:] if texts[:1] == ["rotation"] else []
    for name in dict.fromkeys([*rotations, *axis_names, *ROTATIONS]):
        for template in POSITIONS:
            path = f"/{step.name}/{template.format(name=name)}"
            values = source.array(path)
            if values is None or len(values) not in (count, count + 1) or (count > 1 and not np.ptp(values)):
                continue
            if len(values) == count + 1:
                source.repaired.append(
                    f"{path} holds {count + 1} positions for {count} frames: the last was left out"
                )
            return degrees_of(source, values[:count], path, default="deg")
    return Value(
        np.empty(0),
        "read",
        f"/{step.name} holds no rotation of {count} positions (looked for {', '.join(ROTATIONS)})",
    )


def _joined(angles: list[Value[NDArray[np.float64]]]) -> Value[NDArray[np.float64]]:
    absent = next((angle for angle in angles if not len(angle.value)), None)
    if absent is not None:
        return absent
    return Value(
        np.concatenate([angle.value for angle in angles]),
        angles[0].origin,
        " and ".join(angle.source for angle in angles),
    )


def _reference(
    source: Source,
    stacks: dict[FrameKind, Frames],
    positions: dict[FrameKind, list[float]],
    kind: FrameKind,
    total: int,
) -> Reference | None:
    if kind not in stacks:
        return lacking(source, kind)
    return Reference(stacks[kind], positions_among(positions[kind], total))


def _quantity(source: Source, sequence: Sequence, where: tuple[str, str, str]) -> Value[float] | None:
    path, default, unit = where
    for name in (sequence.name, *(step.name for step in sequence.steps[:MOST_SEARCHED])):
        value = source.quantity(f"/{name}/{path}", unit, default)
        if value is not None and value.value > 0:
            return value
    return None


def _metadata(source: Source, sequence: Sequence) -> dict[str, Value[Any]]:
    metadata = texts_of(source, TEXTS, f"/{sequence.name}/")
    names = list(dict.fromkeys([sequence.name, *(step.name for step in sequence.steps)]))
    for name in names[:_MOST_WALKED]:
        group = source.find(f"/{name}")
        if isinstance(group, h5py.Group):
            metadata |= source.walk(group)
    if len(names) > _MOST_WALKED:
        source.warnings.append(
            f"other values were read of the first {_MOST_WALKED} of {len(names)} scans only"
        )
    return metadata


def _image_entries(steps: list[NumberedScan]) -> list[str]:
    """Name what opens as an image: the whole series where its scans are alike, then each scan's detectors."""
    entries = [
        step.name if len(step.detectors) == 1 else f"{step.name}/{detector}"
        for step in steps
        for detector in step.detectors
    ]
    shapes = {(name, d.shape, d.dtype, s.title) for s in steps for name, d in s.detectors.items()}
    return [SERIES, *entries] if len(shapes) == 1 and len(entries) > 1 else entries


def _read_image(source: Source, match: Match, steps: list[NumberedScan]) -> Image:
    chosen = [
        (step, detector)
        for step in steps
        for detector in step.detectors
        if match.entry in (SERIES, step.name, f"{step.name}/{detector}")
    ]
    first, detector = chosen[0]
    arrays = tuple(array_of(source, step.detectors[name]) for step, name in chosen)
    frames = arrays[0].shape[0]
    axes = [_moved(source, first, frames), *(pixel_axis(name) for name in ("row", "column"))]
    metadata: dict[str, Any] = {"title": first.title, "detector": detector}
    if match.entry == SERIES:
        axes.insert(0, _between(source, [step for step, _ in chosen]))
    for step in dict.fromkeys(step.name for step, _ in chosen):
        group = source.find(f"/{step}")
        if isinstance(group, h5py.Group):
            metadata |= {name: value.value for name, value in source.walk(group).items()}
    metadata |= {"uncalibrated": True, "warnings": tuple(source.warnings), "missing": tuple(source.missing)}
    return Image(
        data=StackedArrays(arrays) if match.entry == SERIES else arrays[0],
        axes=tuple(axes),
        unit="counts",
        name=f"{source.path.stem} {match.entry}",
        path=source.path,
        metadata=metadata,
    )


def _moved(source: Source, step: NumberedScan, count: int) -> Any:
    """Find what moved from frame to frame: a positioner of as many values, one the title names before others."""
    instrument = source.find(f"/{step.name}/instrument")
    paths = {}
    for name in instrument if isinstance(instrument, h5py.Group) else ():
        for path in (f"/{step.name}/instrument/{name}/value", f"/{step.name}/instrument/positioners/{name}"):
            values = source.array(path)
            if values is not None and len(values) == count and np.ptp(values):
                paths[name] = path
    words = step.title.split()
    for name in sorted(paths, key=lambda name: words.index(name) if name in words else len(words)):
        return axis_of(source, paths[name], name)
    return pixel_axis("frame")


def _between(source: Source, steps: list[NumberedScan]) -> Any:
    """Find what differs between scans of a series: the one positioner that has another value in each."""
    home = source.find(f"/{steps[0].name}/instrument/positioners")
    for name in home if isinstance(home, h5py.Group) else ():
        values = [source.array(f"/{s.name}/instrument/positioners/{name}") for s in steps]
        numbers = [float(value[0]) for value in values if value is not None and len(value) == 1]
        if len(set(numbers)) == len(steps):
            return axis_of(
                source, f"/{steps[0].name}/instrument/positioners/{name}", name, np.asarray(numbers)
            )
    return pixel_axis("scan")


FORMAT = Format(
    name="bliss",
    title="ESRF BLISS raw data (HDF5)",
    suffixes=(".h5",),
    detect=detect,
    read=read,
)
