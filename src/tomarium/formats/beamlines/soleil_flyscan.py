"""Scans of SOLEIL's Flyscan (ANATOMIX, PSICHÉ): a folder of NeXus files and a `.par` for PyHST2.

Nothing is fixed but patterns: the root group is `flyscan_00001`, `flyscan_0003` …; the images are the only
three-dimensional dataset of its `scan_data`; the rotation is the one-dimensional dataset of as many numbers that
turns; flats lie in `pre_ref.nxs` and `post_ref.nxs`, darks in `post_dark.nxs`, each as a stack (`ref_0`, `dark_0`)
or already averaged (`ref_2d`, `dark_2d`). Sources: public programs that read such files; the ANATOMIX user guide,
2.3.5 (one file of projections, three of references, a `.par` with pixel size and motor positions).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.concatenated import JoinedFrames
from tomarium.formats.frames.per_frame import demand_same_size
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.dialect import degrees_of, group_at, scan_of, texts_of
from tomarium.formats.hdf5.frames import Hdf5Frames, frames_of
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.opening.directory_listing import ending_in
from tomarium.formats.opening.par_motors import motors_of
from tomarium.model import FrameKind, Frames, Geometry, MotorPositions, Scan, Value
from tomarium.model.scan import Reference

ROOT: Final = re.compile(r"flyscan_?\d+", re.IGNORECASE)
SUFFIXES: Final = (".nxs", ".h5", ".hdf5", ".nexus")
# What a file beside the scan holds, by its name; "pre" before the projections, "post" after them.
BESIDE: Final = re.compile(r"(?:(?P<scan>.*)[_-])?(?P<when>pre|post)_?(?P<what>ref|flat|dark)", re.IGNORECASE)
FLAT_NAMES: Final = re.compile(r"(ref|flat)(_?\d+|_?2d)?$", re.IGNORECASE)
DARK_NAMES: Final = re.compile(r"dark(_?\d+|_?2d)?$", re.IGNORECASE)
# Rotations of the two beamlines; others are chosen by how they turn.
ROTATIONS: Final = ("tomo1Rz1", "tomo1rz1", "tomo2Rz1", "tomo2rz1", "tomorz", "rz", "theta", "rotation_angle")
NEVER: Final = re.compile(r"time|clock|current|count|index|number|position_?t", re.IGNORECASE)
TEXTS: Final = {
    "title": "title", "start_time": "start_time", "end_time": "end_time", "run_cycle": "run_cycle",
    "proposal": "experiment_identifier", "experimenter_name": "User",
}  # fmt: skip
BEAMLINES: Final = ("ANATOMIX", "PSICHE")
# Keys of the .par → unit PyHST2 takes them in, unit here (keywords of PyHST2: IMAGE_PIXEL_SIZE_1 is in µm).
PAR_PIXEL: Final = "IMAGE_PIXEL_SIZE_1"
# A span is that of a scan where it is this close to a multiple of half a turn, as a part of it.
_HALF_TURN: Final = 0.02
# Positions go one way where what they cover is at least this part of the way they went.
_ONE_WAY: Final = 0.98
_LONGEST_PAR: Final = 1 << 20


def detect(path: Path) -> Match | None:
    """Look for a group `flyscan_N`, or any with `scan_data`, in a file or in a folder's `.nxs` files."""
    masters = _masters(path)
    if not masters:
        return None
    if path.is_file() and BESIDE.fullmatch(path.stem):
        return no_match(f"its name {path.name} is that of a Flyscan scan's references; open their folder")
    reasons = []
    for file in masters:
        try:
            with reading(file) as source:
                group = _group(source)
                if group is None:
                    continue
                images = _images(source, group)
                if images is None:
                    reasons.append(f"{file.name}: /{group}/scan_data holds no three-dimensional dataset")
                    continue
                images_held = (
                    f"{file.name}: /{group}/scan_data holds the images {images.name.rsplit('/', 1)[-1]}"
                )
        except FormatError as problem:
            reasons.append(str(problem))
            continue
        beside = sorted(_reference_files(file))
        beside_text = (
            f", beside it lie {', '.join(beside)}" if beside else ", but no pre_ref, post_ref or post_dark"
        )
        return Match(
            0.95 if ROOT.fullmatch(group) else 0.85, _dialect(file), images_held + beside_text, entry=group
        )
    return no_match("; ".join(reasons)) if reasons and path.is_file() else None


def _masters(path: Path) -> list[Path]:
    """List the files that may hold the projections, that of the folder's name first."""
    if path.is_file():
        return [path] if is_hdf5(path) else []
    if not path.is_dir():
        return []
    files = [file for file in ending_in(path, *SUFFIXES) if not BESIDE.fullmatch(file.stem) and is_hdf5(file)]
    return sorted(files, key=lambda file: file.stem != path.name)


def _reference_files(master: Path) -> dict[str, Path]:
    """List the reference files of a scan: pre_ref.nxs, or of its own name, `<scan>_pre_ref.nxs`."""
    return {
        file.name: file
        for file in ending_in(master.parent, *SUFFIXES)
        if (matched := BESIDE.fullmatch(file.stem))
        and matched["scan"] in (None, master.stem)
        and file.is_file()
    }


def _dialect(master: Path) -> str:
    with reading(master) as source:
        group = _group(source) or ""
        return next((name for name in BEAMLINES if source.find(f"/{group}/{name}")), "SOLEIL")


def _group(source: Source) -> str | None:
    groups = [name for name in source.file if isinstance(source.find(f"/{name}/scan_data"), h5py.Group)]
    flyscan_names = [name for name in groups if ROOT.fullmatch(name)]
    return next(iter(flyscan_names or groups), None)


def _images(source: Source, group: str) -> h5py.Dataset | None:
    """Find the images: the only dataset of three axes, else the one of most pixels, which is said."""
    home = group_at(source, f"/{group}/scan_data")
    if home is None:
        return None
    nodes = (source.find(name, home) for name in home)
    stacks = [node for node in nodes if isinstance(node, h5py.Dataset) and node.ndim == 3 and node.size]
    stacks.sort(key=lambda node: -int(node.size))
    if len(stacks) > 1:
        names = ", ".join(str(node.name).rsplit("/", 1)[-1] for node in stacks)
        source.warnings.append(f"/{group}/scan_data holds several stacks ({names}); the largest was taken")
    return stacks[0] if stacks else None


def read(path: Path, match: Match) -> Scan:
    """Read the header of a Flyscan scan and of the references beside it.

    `path`: the scan's folder, or its `.nxs` file. Result: a reference file that cannot be read is left out
    and said in `warnings`. Raises FormatError: the file of the projections is damaged, or a reference has
    frames of another size.
    """
    for master in _masters(path):
        with reading(master) as source:
            group = _group(source)
            images = None if group is None else _images(source, group)
            if group is None or images is None:
                continue
            projections = frames_of(source, images)
            angles = rotation(source, group, projections.shape[0])
            metadata = _metadata(source, group)
            pixel = _par(source, master, metadata)
            flats, darks = (
                _reference(source, master, kind, projections) for kind in (FrameKind.FLAT, FrameKind.DARK)
            )
            geometry = Geometry(
                angles_deg=angles, pixel_m=pixel, motors=_motors(metadata, projections.shape[0])
            )
            fields = {"path": path, "name": master.stem, "flats": flats, "darks": darks, "metadata": metadata}
            return scan_of(source, match, FORMAT.name, projections, geometry, **fields)
    raise FormatError(f"{path}: holds no Flyscan scan any more; open it again")


def rotation(source: Source, group: str, count: int) -> Value[NDArray[np.float64]]:
    """Choose the rotation among the positions that were recorded with each image.

    Result, shape (count,): degrees, as they were recorded: they may be negative and go beyond 360. Empty
    where none can be it, with what was there as the source.

    Notes
    -----
    1. Candidates are one-dimensional datasets of `count` floats that go one way.
    2. Those whose name the beamlines give their rotation come first, those called like a clock are left out.
    3. Then the one whose span, with one step more, lies closest to a multiple of 180° is taken.
    """
    home = source.find(f"/{group}/scan_data")
    candidates: list[tuple[bool, float, str, NDArray[np.float64]]] = []
    lengths = []
    for name in home if isinstance(home, h5py.Group) else ():
        node = source.find(f"/{group}/scan_data/{name}")
        if not isinstance(node, h5py.Dataset) or node.ndim != 1 or node.dtype.kind != "f":
            continue
        lengths.append(f"{name} of {node.shape[0]}")
        if node.shape[0] != count or NEVER.search(name):
            continue
        values = source.array(name, home)
        if values is not None and _turns(values):
            candidates.append((name not in ROTATIONS, _off_half_turns(values), name, values))
    if not candidates:
        had = f" (there are {', '.join(lengths)})" if lengths else ""
        return Value(np.empty(0), "read", f"/{group}/scan_data holds no rotation of {count} positions{had}")
    candidates.sort(key=lambda item: item[:3])
    unknown, deviation, name, values = candidates[0]
    if unknown and (deviation > _HALF_TURN or len(candidates) > 1):
        other_names = ", ".join(item[2] for item in candidates[1:])
        source.warnings.append(
            f"{name} was taken for the rotation by how it moves{f'; so do {other_names}' if other_names else ''}; "
            f"if it is another, name it as angles"
        )
    return degrees_of(source, values, f"/{group}/scan_data/{name}")


def _turns(values: NDArray[np.float64]) -> bool:
    """Tell whether positions go one way; an encoder's jitter about that way is let pass."""
    if not np.all(np.isfinite(values)) or not np.ptp(values):
        return False
    return float(np.ptp(values)) >= _ONE_WAY * float(np.abs(np.diff(values)).sum())


def _off_half_turns(values: NDArray[np.float64]) -> float:
    """Say how far a span is from a multiple of 180°, as a part of 180°, its last step counted or not."""
    span = float(np.ptp(values))
    step = span / max(1, len(values) - 1)
    spans = (span, span + step)
    return min(abs(span / 180 - max(1, round(span / 180))) for span in spans)


def _reference(source: Source, master: Path, kind: FrameKind, projections: Hdf5Frames) -> Reference | None:
    """Gather references of one kind from every file beside the scan, the ones before it first."""
    parts: list[Frames] = []
    positions = []
    names = FLAT_NAMES if kind == FrameKind.FLAT else DARK_NAMES
    ends = {"pre": -1.0, "post": float(projections.shape[0])}
    for file in _reference_files(master).values():
        matched = BESIDE.fullmatch(file.stem)
        if matched is None or (matched["what"].lower() == "dark") != (kind == FrameKind.DARK):
            continue
        frames = _stack(source, file, names, projections)
        if frames is not None:
            parts.append(frames)
            positions.append(np.full(frames.shape[0], ends[matched["when"].lower()]))
    if not parts:
        source.warnings.append(f"the scan holds no {kind} fields that can be read")
        return None
    order = np.argsort([position[0] for position in positions], kind="stable")
    parts, positions = [parts[i] for i in order], [positions[i] for i in order]
    return Reference(parts[0] if len(parts) == 1 else JoinedFrames(tuple(parts)), np.concatenate(positions))


def _stack(source: Source, file: Path, names: re.Pattern[str], projections: Hdf5Frames) -> Hdf5Frames | None:
    """Open one reference file; a damaged one is said, since a scan can do with the others or borrow some."""
    try:
        with reading(file) as own:
            images = [
                node
                for name in own.file
                if names.match(name)
                and isinstance(node := own.find(f"/{name}"), h5py.Dataset)
                and node.ndim in (2, 3)
            ]
            if not images:
                names_text = ", ".join(own.file) or "nothing"
                source.warnings.append(
                    f"{file.name} was left out: it holds no stack of references, but {names_text}"
                )
                return None
            chosen = max(images, key=lambda node: node.ndim)
            frames, averaged = frames_of(own, chosen), chosen.ndim == 2
    except FormatError as problem:
        source.warnings.append(
            f"{problem}; it was left out, and those of another scan can be given as flats or darks"
        )
        return None
    demand_same_size(f"{source.path}: {file.name}", frames, projections)
    if averaged:
        source.warnings.append(
            f"{file.name} holds an average, not a stack: how noisy the references are is not known"
        )
    return frames


def _metadata(source: Source, group: str) -> dict[str, Value[Any]]:
    home = source.find(f"/{group}")
    metadata = texts_of(source, TEXTS, f"/{group}/")
    beamline = next((name for name in BEAMLINES if source.find(f"/{group}/{name}")), None)
    if beamline is not None:
        metadata["beamline"] = Value(beamline, "read", f"{source.path.name}:/{group}/{beamline}")
    return metadata | (source.walk(home) if isinstance(home, h5py.Group) else {})


def _par(source: Source, master: Path, metadata: dict[str, Value[Any]]) -> Value[float] | None:
    """Read the pixel size of the `.par` beside the scan, and keep all it says."""
    files = sorted(master.parent.glob("*.par"), key=lambda file: file.stem != master.stem)
    if not files:
        source.warnings.append("there is no .par beside the scan, so its pixel size is not known")
        return None
    if len(files) > 1:
        source.warnings.append(
            f"{files[0].name} was read; {', '.join(file.name for file in files[1:])} was not"
        )
    try:
        keys = par_values(files[0])
    except OSError as problem:
        source.warnings.append(f"{files[0].name} was left out, as it cannot be read: {problem.strerror}")
        return None
    for key, text in keys.items():
        metadata[f"/{files[0].name}/{key}"] = Value(text, "read", files[0].name)
    with suppress(ValueError):
        microns = float(keys.get(PAR_PIXEL, ""))
        if math.isfinite(microns) and microns > 0:
            metres = float(f"{microns * units.factor('um', 'm'):.15g}")
            return Value(metres, "read", f"{files[0].name}:{PAR_PIXEL}, in µm as PyHST2 takes it")
    source.warnings.append(
        f"{files[0].name} gives no pixel size ({PAR_PIXEL} = {keys.get(PAR_PIXEL, 'absent')})"
    )
    return None


def _motors(metadata: Mapping[str, Value[Any]], count: int) -> dict[str, MotorPositions]:
    """Read the motors among what the `.par` says."""
    from_par = {name: value for name, value in metadata.items() if value.source.endswith(".par")}
    motors: dict[str, MotorPositions] = {}
    for name, value in from_par.items():
        motors |= motors_of({name.rsplit("/", 1)[-1]: value.value}, count, value.source)
    return motors


def par_values(file: Path) -> Mapping[str, str]:
    """Read the lines `KEY = value` of a PyHST2 parameter file, as texts; nothing of it is ever run.

    Result: key → its value without comment and quotes; of a key that comes twice the last one, as PyHST2
    takes it.
    """
    values = {}
    with file.open("rb") as stream:
        text = stream.read(_LONGEST_PAR).decode("utf-8", "replace")
    for line in text.splitlines():
        match = re.match(r"\s*([A-Za-z_]\w*)\s*=\s*(.*)", line)
        if match and not line.lstrip().startswith(("#", "!")):
            values[match[1]] = match[2].split("#")[0].strip().strip("'\"")
    return values


FORMAT = Format(
    name="flyscan",
    title="SOLEIL Flyscan (folder of NeXus files)",
    suffixes=(".nxs",),
    detect=detect,
    read=read,
)
