"""EDF: a folder of projections with refs, darks and `scan.info`, one file of several frames, or one image.

A folder follows the ESRF's names: `scanNNNN.edf`, flats `refNNNN_MMMM.edf` (number NNNN of those taken before
projection MMMM) and their median `refHSTMMMM.edf`, `dark.edf`, `darkend*.edf`, `scan.info`, `scan.xml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.edf.frames import EdfFrames, edf_frames
from tomarium.formats.edf.header import EdfBlock, all_blocks, first_block, looks_like_edf
from tomarium.formats.edf.info import count_of, metadata_of, number_of, read_edf_info, values_of
from tomarium.formats.edf.motors import motors_of
from tomarium.formats.edf.writer import write
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.memory_mapped import MappedArray
from tomarium.formats.frames.per_frame import demand_same_size
from tomarium.formats.opening.angle_file import numbers
from tomarium.formats.opening.angles import assumed_angles
from tomarium.formats.opening.directory_listing import ending_in, named_in
from tomarium.formats.opening.filenames import check_numbers, gaps
from tomarium.formats.opening.unpacked import head_of
from tomarium.model import Axis, FrameKind, Geometry, Image, MotorPositions, Scan, Value
from tomarium.model.scan import Reference

SUFFIX: Final = r"\.edf(?:\.gz|\.bz2)?"
_FRAME: Final = re.compile(rf"(?P<prefix>.*?)(?P<number>\d+){SUFFIX}", re.IGNORECASE)
SINGLE_FRAMES: Final = {
    FrameKind.FLAT: re.compile(rf"ref(?P<number>\d+)_(?P<at>\d+){SUFFIX}", re.IGNORECASE),
    FrameKind.DARK: re.compile(rf"dark(?P<number>\d+)_(?P<at>\d+){SUFFIX}", re.IGNORECASE),
}
_MEDIAN: Final = re.compile(rf"refHST(?P<at>\d+){SUFFIX}", re.IGNORECASE)
_DARK: Final = re.compile(rf"dark(?:HST)?{SUFFIX}", re.IGNORECASE)
_DARK_END: Final = re.compile(rf"darkend\d*{SUFFIX}", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"(?:ref|dark)", re.IGNORECASE)
# Motors and keys of a header that hold the angle, in degrees.
ROTATIONS: Final = ("srot", "somega", "hrsrot", "diffrz", "rotm", "omega", "rotationangle")
# The first and the last projection's angle may differ from the .info's by this part of a step.
_TOLERANCE: Final = 0.5


@dataclass(frozen=True)
class _Series:
    """The files of a scan's folder."""

    prefix: str
    projections: tuple[Path, ...]
    others: tuple[str, ...]
    info: Path | None


def detect(path: Path) -> Match | None:
    """Look for a folder of EDF projections, or an EDF file."""
    if path.is_dir():
        return _detect_folder(path)
    if not path.is_file() or not looks_like_edf(head_of(path, any_name=True)):
        return None
    try:
        blocks = all_blocks(path)
    except FormatError as problem:
        return no_match(str(problem))
    if _header_angles(blocks) is not None:
        return Match(0.8, "frames", f"an EDF file of {len(blocks)} frames whose headers tell their angles")
    if len(blocks) > 1:
        return Match(0.7, "images", f"an EDF file of {len(blocks)} frames without angles: a stack of images")
    return Match(0.7, "image", "an EDF file of one frame and no scan around it: an image")


def _detect_folder(path: Path) -> Match | None:
    series = _series(path)
    if series is None:
        return None
    count = len(series.projections)
    if series.info is None and count < 3:
        return no_match(
            f"it holds {count} EDF projections and no .info; a scan has projections at several angles",
        )
    if not count:
        return no_match(f"it holds {series.info and series.info.name} and EDF files, but no projections")
    if not looks_like_edf(head_of(series.projections[0], any_name=True)):
        return no_match(f"{series.projections[0].name} is named like an EDF file and is none")
    dialect = "ESRF series" if series.info else "series"
    beside = f" with {series.info.name}" if series.info else ""
    return Match(0.85 if series.info else 0.6, dialect, f"{count} files {series.prefix}NNNN.edf{beside}")


def _series(folder: Path) -> _Series | None:
    """Choose the projections of a folder: those named like it or like its .info, else the most numerous."""
    groups: dict[str, list[tuple[int, Path]]] = {}
    try:
        files = named_in(folder, _FRAME.fullmatch)
        texts = {file.stem: file for file in reversed(ending_in(folder, ".info", ".xml"))}
    except OSError:
        return None
    for file in files:
        matched = _FRAME.fullmatch(file.name)
        if matched and not _REFERENCE.match(file.name) and not file.name.startswith("."):
            groups.setdefault(matched["prefix"], []).append((int(matched["number"]), file))
    if not groups:
        return None
    likely_prefixes = [prefix for prefix in groups if prefix == folder.name or prefix in texts]
    prefix = max(likely_prefixes or groups, key=lambda name: len(groups[name]))
    info = texts.get(prefix) or (next(iter(texts.values())) if len(texts) == 1 else None)
    other_files = tuple(file.name for name, group in groups.items() if name != prefix for _, file in group)
    return _Series(prefix, tuple(file for _, file in sorted(groups[prefix])), other_files, info)


def read(path: Path, match: Match) -> Scan | Image:
    """Read the headers of an EDF scan, or an EDF image.

    `path`: folder of a series, or a file. Result: a scan where there are angles or a series; an image,
    without scale, where there is one frame, and one of the axes (frame, y, x) where there are several. Raises
    FormatError: a file is damaged, or its frames are not alike.
    """
    if path.is_dir():
        return _read_folder(path, match)
    blocks = all_blocks(path)
    angles = _header_angles(blocks)
    frames = edf_frames([path], blocks) if len(blocks) > 1 or len(blocks[0].shape) == 2 else None
    if angles is None or frames is None:
        return _image(path, match, blocks, frames)
    return Scan(
        path=path,
        name=path.name.split(".")[0],
        format=FORMAT.name,
        dialect=match.dialect,
        why=match.why,
        projections=frames,
        geometry=Geometry(angles_deg=angles, motors=motors_of(blocks, len(blocks), path.name)),
        counts={FrameKind.PROJECTION: len(blocks)},
        metadata=header_metadata(blocks[0], path.name),
        warnings=(*blocks[0].notes, "a file of frames tells of no flats and no darks"),
    )


def _image(path: Path, match: Match, blocks: tuple[EdfBlock, ...], frames: EdfFrames | None) -> Image:
    if frames is None:
        raise FormatError(f"{path}: has {blocks[0].shape} pixels; frames of rows and columns are read")
    names = ("frame", "y", "x") if len(blocks) > 1 else ("y", "x")
    block = blocks[0]
    data: Any = frames
    if len(blocks) == 1:
        data = data[0] if frames.compressed else MappedArray(path, block.offset, block.shape, block.dtype)
    return Image(
        data=data,
        axes=tuple(Axis(name) for name in names),
        unit="counts",
        name=path.name.split(".")[0],
        path=path,
        metadata={
            "format": match.dialect,
            "why": match.why,
            "uncalibrated": True,
            "headers": [dict(block.header) for block in blocks],
            "notes": list(blocks[0].notes),
        },
    )


def header_metadata(block: EdfBlock, source: str) -> dict[str, Value[Any]]:
    """Return every key of a header as metadata."""
    return {f"/{source}/{key}": Value(text, "read", source) for key, text in block.header.items()}


def _angle(block: EdfBlock) -> tuple[float, str] | None:
    motors = {name.lower(): position for name, position in block.motors().items()}
    for name in ROTATIONS:
        angle = motors.get(name, block.number(name))
        if angle is not None:
            return angle, name
    return None


def _header_angles(blocks: tuple[EdfBlock, ...]) -> Value[NDArray[np.float64]] | None:
    """Return the angles headers tell, where each does and they differ."""
    pairs = [_angle(block) for block in blocks]
    angles = np.array([pair[0] for pair in pairs if pair is not None])
    if len(angles) < 3 or len(angles) < len(blocks) or not np.ptp(angles):
        return None
    return Value(angles, "read", f"{pairs[0][1] if pairs[0] else ''} in the headers of the frames")


def _read_folder(path: Path, match: Match) -> Scan:
    series = _series(path)
    if series is None:
        raise FormatError(f"{path}: holds no EDF projections any more; open it again")
    info = read_edf_info(series.info) if series.info else {}
    warnings: list[str] = []
    count = _projections(series, info, warnings)
    projections = edf_frames(series.projections[:count])
    references = {
        kind: _reference(path, kind, projections, info, warnings) for kind in (FrameKind.FLAT, FrameKind.DARK)
    }
    flats, darks = references[FrameKind.FLAT], references[FrameKind.DARK]
    source = series.info.name if series.info else ""
    values, warnings_of_info = values_of(info, source)
    first = first_block(series.projections[0])
    metadata = metadata_of(info, values, source)
    metadata |= {f"/{source}/{key}": Value(text, "read", source) for key, text in info.items()}
    if series.others:
        names_text = ", ".join(series.others[:5])
        warnings.append(
            f"{len(series.others)} EDF files are not {series.prefix}NNNN and were left out: {names_text}"
        )
    return Scan(
        path=path,
        name=series.prefix.rstrip("_-") or path.name,
        format=FORMAT.name,
        dialect=match.dialect,
        why=match.why,
        projections=projections,
        geometry=Geometry(
            angles_deg=_angles(path, series, info, count, projections.shape[0], warnings),
            pixel_m=values.get("pixel_m"),
            energy_kev=values.get("energy_kev"),
            distance_m=values.get("distance_m"),
            axis_column=values.get("axis_column"),
            motors=_motors(series, count, projections.shape[0]),
        ),
        flats=flats,
        darks=darks,
        counts={
            FrameKind.PROJECTION: projections.shape[0],
            FrameKind.FLAT: flats.frames.shape[0] if flats else 0,
            FrameKind.DARK: darks.frames.shape[0] if darks else 0,
            **(
                {FrameKind.ALIGNMENT: len(series.projections) - count}
                if len(series.projections) > count
                else {}
            ),
        },
        metadata=metadata | header_metadata(first, series.projections[0].name),
        warnings=(*first.notes, *warnings, *warnings_of_info),
    )


def _motors(series: _Series, files: int, count: int) -> dict[str, MotorPositions]:
    """Read where motors stood by the headers of the first and the last projection; opening all takes too long."""
    ends = tuple(dict.fromkeys((series.projections[0], series.projections[files - 1])))
    return motors_of([first_block(file) for file in ends], count, " and ".join(file.name for file in ends))


def _numbers(files: Sequence[Path]) -> list[int]:
    """Read the numbers in the names of projections."""
    return [int(match["number"]) for file in files if (match := _FRAME.fullmatch(file.name))]


def _projections(series: _Series, info: Mapping[str, str], warnings: list[str]) -> int:
    """Count the projections: frames beyond TOMO_N were taken to check whether the sample moved."""
    count, planned = len(series.projections), count_of(info, "tomo_n")
    numbers = _numbers(series.projections)
    check_numbers(series.projections[0].parent, list(series.projections), "frame")
    absent = gaps(list(series.projections))
    if absent:
        warnings.append(f"the series has gaps: no number {', '.join(map(str, absent[:5]))}")
    if numbers[0] > 0:
        warnings.append(
            f"the series begins with {series.projections[0].name}; that was taken for the first projection, and if "
            f"those before it are lost the angles are off"
        )
    if planned is None or planned < 1:
        return count
    if planned > count:
        warnings.append(f"{series.info and series.info.name} tells {planned} projections, {count} are there")
    return sum(number - numbers[0] < planned for number in numbers)


def _angles(
    folder: Path, series: _Series, info: Mapping[str, str], number_taken: int, count: int, warnings: list[str]
) -> Value[NDArray[np.float64]]:
    """Return the angles: a text of them, else the .info's range, else the headers', else the usual ones."""
    text = folder / "angles.txt"
    if text.is_file():
        return Value(numbers(text), "read", text.name)
    turn, planned = number_of(info, "scanrange"), count_of(info, "tomo_n")
    if turn and planned and number_taken == count:
        return _from_range(series, turn, planned, number_taken, warnings)
    from_headers = _header_angles(tuple(first_block(file) for file in series.projections[:number_taken]))
    if from_headers is not None and len(from_headers.value) == count:
        return from_headers
    return assumed_angles(count, "neither a .info nor the headers tell the angles", warnings)


def _from_range(
    series: _Series, turn: float, planned: int, number_taken: int, warnings: list[str]
) -> Value[NDArray[np.float64]]:
    numbers = _numbers(series.projections[:number_taken])
    first, last = (_angle(first_block(series.projections[number])) for number in (0, number_taken - 1))
    start = first[0] if first else 0.0
    angles = start + turn * (np.array(numbers, dtype=np.float64) - numbers[0]) / planned
    if last and abs(last[0] - angles[-1]) > _TOLERANCE * abs(turn / planned):
        warnings.append(
            f"the header of {series.projections[number_taken - 1].name} tells {last[1]} = {last[0]:g}°, the .info's "
            f"range of {turn:g}° in {planned} steps gives {angles[-1]:g}°; the .info was believed"
        )
    began = f", beginning at {first[1]} = {start:g}°" if first else ""
    return Value(angles, "derived", f"ScanRange {turn:g}° in TOMO_N {planned} steps, its end left out{began}")


def reference_position(at: int, count: int) -> float:
    """Tell when references were taken from the projection they were taken before.

    Result: -1 before the first projection, `count` after the last, at - 0.5 between.
    """
    if at <= 0:
        return -1.0
    return float(count) if at >= count else at - 0.5


def single_references(
    folder: Path, kind: FrameKind, info: Mapping[str, str], warnings: list[str]
) -> list[tuple[int, Path]]:
    """List the single frames of flats or darks in a folder, in order; say in `warnings` where some are lost.

    Result: MMMM, the projection it was taken before, and the file `refNNNN_MMMM.edf` or `darkNNNN_MMMM.edf`.
    """
    matches = ((SINGLE_FRAMES[kind].fullmatch(file.name), file) for file in folder.iterdir())
    frames = sorted((int(match["at"]), int(match["number"]), file) for match, file in matches if match)
    warnings.extend(lost_references(kind, [(at, number) for at, number, _ in frames], info))
    return [(at, file) for at, _, file in frames]


def lost_references(
    kind: FrameKind, present: Sequence[tuple[int, int]], info: Mapping[str, str]
) -> tuple[str, ...]:
    """Say that frames of flats or darks are lost: the .info tells more, or their numbers have gaps.

    `present`: MMMM and NNNN of each `refNNNN_MMMM.edf` or `darkNNNN_MMMM.edf` that is there. `info`: the .info:
    REF_N flats in each set, DARK_N darks, and REF_TOTAL where tomarium wrote sets of several sizes. Result:
    empty where all are there, or where there are none at all: then their median or mean may be.
    """
    word, key = ("ref", "REF_N") if kind == FrameKind.FLAT else ("dark", "DARK_N")
    if not present:
        return ()
    total = count_of(info, "ref_total") if kind == FrameKind.FLAT else count_of(info, "dark_n")
    if total is not None and len(present) < total:
        return (f"the .info tells {total} frames {word}NNNN_MMMM.edf, {len(present)} are there",)
    each_set = count_of(info, key.lower()) if kind == FrameKind.FLAT and total is None else None
    warnings = []
    for at in sorted({at for at, _ in present}):
        numbers = {number for place, number in present if place == at}
        if each_set is not None and len(numbers) < each_set:
            warnings.append(
                f"{key} tells {each_set} frames {word}NNNN_{at:04d}.edf, {len(numbers)} are there"
            )
        elif len(numbers) < max(numbers) + 1:
            warnings.append(
                f"{len(numbers)} frames {word}NNNN_{at:04d}.edf are there, which are numbered up to {max(numbers)}"
            )
    return tuple(warnings)


def _reference(
    folder: Path, kind: FrameKind, projections: EdfFrames, info: Mapping[str, str], warnings: list[str]
) -> Reference | None:
    """Find the flats or darks: each frame where they are kept, else their median or mean."""
    count = projections.shape[0]
    chosen = [
        (reference_position(at, count), file) for at, file in single_references(folder, kind, info, warnings)
    ]
    if not chosen and kind == FrameKind.FLAT:
        chosen = [(reference_position(int(match["at"]), count), file)
                  for file in named_in(folder, _MEDIAN.fullmatch)
                  if (match := _MEDIAN.fullmatch(file.name))]  # fmt: skip
    if not chosen and kind == FrameKind.DARK:
        chosen = [(-1.0, file) for file in named_in(folder, _DARK.fullmatch)][:1]
        if not chosen:
            chosen = [(float(count), file) for file in named_in(folder, _DARK_END.fullmatch)]
            if chosen:
                warnings.append(
                    f"{chosen[0][1].name} was taken as it is; some acquisitions store the sum of DARK_N frames there"
                )
    if not chosen:
        looked = "refNNNN_MMMM.edf or refHSTMMMM.edf" if kind == FrameKind.FLAT else "dark.edf"
        warnings.append(f"no {kind} fields were found; they would be called {looked}")
        return None
    frames = edf_frames([file for _, file in chosen])
    demand_same_size(f"{folder}: {chosen[0][1].name}", frames, projections)
    repeats = frames.shape[0] // len(chosen)
    if repeats * len(chosen) != frames.shape[0]:
        raise FormatError(f"{folder}: its {kind} files hold different numbers of frames; make them alike")
    return Reference(frames, np.repeat([at for at, _ in chosen], repeats))


FORMAT = Format(
    name="edf",
    title="EDF series or image",
    suffixes=(".edf",),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"scan"}),
    resumes=True,
)
