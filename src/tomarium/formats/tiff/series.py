"""TIFF: a folder of projections with its flats, darks and angles, or one file of many pages.

A folder says by its names what a file shows; the tables below hold the words.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.concatenated import JoinedFrames
from tomarium.formats.opening import unpacked
from tomarium.formats.opening.angle_file import numbers
from tomarium.formats.opening.angles import assumed_angles, in_degrees, without_references
from tomarium.formats.opening.directory_listing import named_in
from tomarium.formats.opening.filenames import (
    gaps,
    is_named_projection,
    name_of_slices,
    natural,
    one_series,
    series_of,
)
from tomarium.formats.tiff.frames import (
    USUAL,
    TiffFrames,
    frames_of,
    guarded,
    is_stack,
    opened_tiff,
    page_count,
    pixel_words,
)
from tomarium.formats.tiff.ifd_check import is_tiff
from tomarium.formats.tiff.metadata import described_planes, hyperstack_evidence, is_volume, pixel_calibration
from tomarium.formats.tiff.pco_timestamp import stamp_of_file
from tomarium.formats.tiff.series_writer import SIDE_CAR, read_side_car, write
from tomarium.model import FrameKind, Geometry, Scan, Value
from tomarium.model.geometry import BY_NAME
from tomarium.model.scan import Reference

SUFFIXES: Final = (".tif", ".tiff")
_ENDINGS: Final = (*SUFFIXES, *(f"{suffix}{packed}" for suffix in SUFFIXES for packed in unpacked.SUFFIXES))

# Words of a file's or folder's name that say what the frames show.
WORDS: Final = {
    FrameKind.DARK: ("dark", "darks", "drk", "darkfield"),
    FrameKind.FLAT: ("flat", "flats", "white", "ref", "refs", "bak", "ob", "openbeam", "flatfield", "bright"),
}
# Words that say that references were taken after the projections; otherwise they were before.
_NUMBER: Final = re.compile(r"\d+")
AFTER: Final = ("post", "after", "end")
_FOR_PRINT: Final = re.compile(r"^unit=inch", re.MULTILINE)
ANGLE_NAMES: Final = re.compile(
    r"(?:.*[_\W])?(?:angles?|theta|rotation)(?:[_\W].*)?\.(?:txt|csv|dat)", re.IGNORECASE
)


def detect(path: Path) -> Match | None:
    """Look for TIFF files in a folder and its sub-folders, or for a file of several pages."""
    if path.is_dir():
        files = _files(path)
        if not files:
            return None
        folder_names = ", ".join(sorted({file.parent.name for file in files}))
        ring = ring_buffer(files, path)
        if ring:
            return no_match(ring)
        if len(files) < 3 and not (path / SIDE_CAR).is_file():
            return no_match(
                f"it holds only {len(files)} TIFF files; a scan has projections at several angles"
            )
        evidence = scan_evidence(path, files)
        slices = None if evidence else name_of_slices(files, path)
        if slices:
            return no_match(f"{slices}, and no flats, darks or angles lie there: they are slices")
        first = min(series_of(files)[0], key=natural)
        named = f"the name {first.name} speaks of projections" if is_named_projection(first) else None
        why = evidence or named or "nothing there says whether they are projections or slices"
        # Without flats, darks or angles no slice could be reconstructed: what nothing names is a volume.
        score = 0.6 if evidence or named else 0.2
        return Match(score, "series", f"{len(files)} TIFF files lie in {folder_names}; {why}")
    if not is_tiff(path):
        return None
    try:
        with guarded(path), opened_tiff(path) as tif:
            pages = page_count(tif)
            volume = is_volume(tif) if pages > 1 else None
            planes = hyperstack_evidence(tif)
            times = described_planes(tif).get("times", 1)
    except FormatError as problem:
        return no_match(str(problem))
    if pages < 2:
        return no_match("it holds one page; open the folder of the series it belongs to")
    if pages > 1 and stamp_of_file(path) is not None:
        return no_match("its pages carry PCO time stamps: it is a camera's ring buffer")
    if volume:
        return no_match(f"it is a volume: {volume}")
    if planes:
        return no_match(planes)
    if is_named_projection(path):
        return Match(
            0.6, "stack", f"a TIFF file of {pages} pages; the name {path.name} speaks of projections"
        )
    if times > 1:
        return Match(0.6, "stack", f"a TIFF file of {pages} pages; its description tells of {times} times")
    return Match(0.2, "stack", f"a TIFF file of {pages} pages")


def scan_evidence(home: Path, files: list[Path]) -> str | None:
    """Say what makes a folder's TIFF files a scan: flats, darks, angles, or what we wrote beside them.

    Result: the evidence, in words; None where there is none.
    """
    references = sum(kind_of(file, home) != FrameKind.PROJECTION for file in files)
    beside = [file.name for file in named_in(home, ANGLE_NAMES.fullmatch)]
    if (home / SIDE_CAR).is_file():
        beside.append(SIDE_CAR)
    evidence = [f"{references} of them are flats or darks"] if references else []
    evidence += [f"{', '.join(sorted(beside))} lies beside them"] if beside else []
    return " and ".join(evidence) or None


def ring_buffer(files: list[Path], home: Path) -> str | None:
    """Say why a folder's files are the ring buffer of a PCO camera and no series.

    Result: the evidence; None where the first file of projections has one page or no time stamp.
    """
    projections = (file for file in files if kind_of(file, home) == FrameKind.PROJECTION)
    first = min(projections, key=natural, default=None)
    try:
        if first is None or not is_tiff(first):
            return None
        with guarded(first), opened_tiff(first) as tif:
            pages, stack = page_count(tif), is_stack(tif)
    except FormatError:
        return None
    if not stack or stamp_of_file(first) is None:
        return None
    return f"the {pages} pages of {first.name} carry PCO time stamps: it is a camera's ring buffer"


def _files(folder: Path) -> list[Path]:
    """List a folder's TIFF files and those one level below, hidden ones left out."""
    files, below = tiffs_in(folder)
    return [*files, *(file for sub in below for file in tiffs_in(sub)[0])]


def tiffs_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """List the TIFF files of a folder, hidden ones left out, and its sub-folders."""
    files, folders = [], []
    with os.scandir(folder) as entries:  # it tells files from folders without a question for each
        for entry in entries:
            if entry.name.lower().endswith(_ENDINGS) and not entry.name.startswith(".") and entry.is_file():
                files.append(folder / entry.name)
            elif (
                (folder / entry.name).is_dir() if entry.is_symlink() else entry.is_dir()
            ):  # a link may lead in a ring
                folders.append(folder / entry.name)
    return files, folders


def kind_of(file: Path, home: Path) -> FrameKind:
    """Tell what a file shows by the words of its name, else by those of its folder below `home`.

    `home`: folder of the scan; its own name says nothing.
    """
    kind = _kind_said(unpacked.bare(file).stem)
    if kind is None and file.parent != home:
        kind = _kind_said(file.parent.name)
    return FrameKind.PROJECTION if kind is None else kind


@lru_cache(maxsize=1 << 16)
def _kind_said(name: str) -> FrameKind | None:
    """Look for a known word in a name; it is asked several times on the way to a scan."""
    return _kind_worded(_NUMBER.sub(" ", name))


@lru_cache(maxsize=1024)
def _kind_worded(name: str) -> FrameKind | None:
    """Look for a known word in a name without its numbers, which is the same for a whole series."""
    words = set(re.split(r"[\W_]+", name.lower()))
    return next((kind for kind, words_of_kind in WORDS.items() if words & set(words_of_kind)), None)


def read(path: Path, match: Match) -> Scan:
    """Read the header of a TIFF scan.

    `path`: folder of a series, or file of many pages. Raises FormatError: a file is damaged, frames differ in
    size, or the angles cannot be read.
    """
    files = [path] if path.is_file() else sorted(_files(path), key=natural)
    home = path if path.is_dir() else path.parent
    warnings: list[str] = []
    repaired: list[str] = []
    kinds: dict[FrameKind, list[Path]] = {kind: [] for kind in FrameKind}
    for file in files:
        kinds[FrameKind.PROJECTION if path.is_file() else kind_of(file, home)].append(file)
    series = _series(path, kinds[FrameKind.PROJECTION], warnings)
    projections = frames_of(series)
    warnings.extend(projections.notes)
    references = {
        kind: _reference(path, kinds[kind], kind, projections, warnings)
        for kind in (FrameKind.FLAT, FrameKind.DARK)
    }
    angles = _angles(home if path.is_dir() else None, projections.shape[0], warnings, repaired)
    side_car = read_side_car(home) if path.is_dir() else {}
    flats, darks = (
        _with_positions(references[kind], side_car.get(f"{kind}_position"), warnings)
        for kind in (FrameKind.FLAT, FrameKind.DARK)
    )
    return Scan(
        path=path,
        name=unpacked.bare(path).stem if path.is_file() else path.name,
        format=FORMAT.name,
        dialect=match.dialect,
        why=match.why,
        projections=projections,
        geometry=replace(
            Geometry(angles_deg=angles),
            **(_pixel(series[0], warnings) if "pixel_m" not in side_car else {}),
            **{name: side_car[name] for name in BY_NAME if name in side_car},
        ),
        domain=side_car.get("domain", "counts"),
        flats=flats,
        darks=darks,
        metadata=side_car.get("metadata", {}),
        repaired=tuple(repaired),
        warnings=tuple(warnings),
    )


def _pixel(file: Path, warnings: list[str]) -> dict[str, Any]:
    """Read the size of a pixel where ImageJ described the first projection; a resolution for print says nothing."""
    try:
        with guarded(file), opened_tiff(file) as tif:
            calibration, notes = pixel_calibration(tif)
            printed = _FOR_PRINT.search(str(tif.pages[0].description or "")) is not None  # type: ignore[union-attr]
    except FormatError:
        return {}
    if (
        calibration is None
        or printed
        or not BY_NAME["pixel_m"].lowest <= calibration[1] <= BY_NAME["pixel_m"].highest
    ):
        return {}
    warnings.extend(notes)
    source = f"{file.name}: its description by ImageJ, and its resolution"
    values: dict[str, Any] = {"pixel_m": Value(calibration[1], "read", source)}
    if abs(calibration[0] / calibration[1] - 1) > 1e-4:
        values["pixel_aspect"] = Value(calibration[0] / calibration[1], "read", source)
    return values


def _series(path: Path, files: list[Path], warnings: list[str]) -> list[Path]:
    """Choose the longest numbered series among the files that are no references."""
    if not files:
        raise FormatError(f"{path}: holds flats and darks but no projections; give the folder above it")
    remedy = "put each scan into a folder of its own, or call its references flat_… and dark_…"
    ranked = one_series(path, files, "frame", remedy)
    other_names = [file.name for group in ranked[1:] for file in group]
    if other_names:
        warnings.append(
            f"{len(other_names)} TIFF files are of no series and were left out: {', '.join(other_names[:5])}"
        )
    series = ranked[0]
    absent = gaps(series)[:5]
    if absent:
        warnings.append(f"the series has gaps: no number {', '.join(map(str, absent))}")
    return series


def _reference(
    path: Path, files: list[Path], kind: FrameKind, projections: TiffFrames, warnings: list[str]
) -> Reference | None:
    if not files:
        warnings.append(f"no {kind} fields were found; their names would hold {' or '.join(WORDS[kind][:3])}")
        return None
    stacks = [frames_of([file]) for file in files]
    warnings.extend(note for stack in stacks for note in stack.notes)
    for stack in stacks:
        if stack.size != projections.size:
            raise FormatError(
                f"{path}: {stack.pages[0].file.name} has frames of {pixel_words(stack.size, stack.dtype)}, "
                f"the projections {pixel_words(projections.size, projections.dtype)}; both must be "
                f"equal, so crop or replace them"
            )
        if stack.meaning != projections.meaning:
            raise FormatError(
                f"{path}: {stack.pages[0].file.name} {stack.meaning or USUAL}, the first projection "
                f"{projections.meaning or USUAL}; both must mean the same, so convert one as the other"
            )
    after = [
        bool(set(re.split(r"[\W_\d]+", str(file.relative_to(path)).lower())) & set(AFTER)) for file in files
    ]
    position = [np.full(stack.shape[0], float(projections.shape[0]) if late else -1.0)
                for stack, late in zip(stacks, after, strict=True)]  # fmt: skip
    return Reference(stacks[0] if len(stacks) == 1 else JoinedFrames(tuple(stacks)), np.concatenate(position))


def _with_positions(
    reference: Reference | None, position: NDArray[np.float64] | None, warnings: list[str]
) -> Reference | None:
    """Take the time of reference frames from the side-car, where it tells as many as there are."""
    if reference is None or position is None:
        return reference
    if len(position) != reference.frames.shape[0]:
        warnings.append(
            f"{SIDE_CAR} tells the time of {len(position)} reference frames, {reference.frames.shape[0]} are there"
        )
        return reference
    return Reference(reference.frames, position)


def _angles(
    home: Path | None, count: int, warnings: list[str], repaired: list[str]
) -> Value[NDArray[np.float64]]:
    files = named_in(home, ANGLE_NAMES.fullmatch) if home else []
    if not files:
        return assumed_angles(count, "no file of angles was found", warnings)
    if len(files) > 1:
        warnings.append(f"{files[0].name} was read; {', '.join(file.name for file in files[1:])} was not")
    value, warning = in_degrees(numbers(files[0]), "degree", files[0].name, guess=False)
    angles, left_out = without_references(value.value, count)
    repaired.extend(text for text in (warning, left_out and f"{files[0].name}: {left_out}") if text)
    return Value(angles, value.origin, value.source)


FORMAT = Format(
    name="tiff",
    title="TIFF series or stack",
    suffixes=SUFFIXES,
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"scan"}),
    resumes=True,
)
