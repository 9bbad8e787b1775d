"""A folder of TIFF slices, one file each, as reconstruction programs write them: a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.format import ASSUMED, TAKEN_FOR, Format, Match, no_match
from tomarium.formats.opening.filenames import (
    gap_warnings,
    is_named_projection,
    name_of_slices,
    natural,
    one_series,
    series_of,
    taken_for_slices,
)
from tomarium.formats.tiff.frames import frames_of, guarded, opened_tiff, page_count
from tomarium.formats.tiff.metadata import slice_calibration
from tomarium.formats.tiff.series import ring_buffer, scan_evidence, tiffs_in
from tomarium.model import Axis, Volume

# How many odd files are named.
_NAMED: Final = 5


def detect(path: Path) -> Match | None:
    """Look for a folder of TIFF files that are slices and no projections.

    Result: None where it is no folder of TIFF files; a score of 0 says what makes it a scan. Flats, darks or
    angles make one; names such as rec_00000 or real numbers speak for slices; a low score says that nothing
    is known.
    """
    files = _files(path)
    if not files:
        return None
    if len(files) < 2:
        return no_match("it holds only one TIFF file; a volume has several slices")
    ring = ring_buffer(files, path)
    if ring:
        return no_match(ring)
    scan = scan_evidence(path, files)
    if scan:
        return no_match(f"it is a scan and no volume: {scan}")
    first = min(series_of(files)[0], key=natural)
    try:
        with guarded(first), opened_tiff(first) as tif:
            pages, kind = page_count(tif), np.dtype(tif.pages[0].dtype)
    except FormatError as problem:
        return no_match(str(problem))
    if pages > 1:
        return no_match(f"{first.name} has {pages} pages; a slice has one, so open that file")
    files_held = f"{len(files)} TIFF files without flats, darks or angles"
    reason = name_of_slices(files, path)
    if reason:
        return Match(0.7, "slices", f"{files_held}; {reason}")
    if kind.kind == "f" and not is_named_projection(first):
        return Match(
            0.65, "slices", f"{files_held}; their pixels are {kind.name}, as of slices and not of a camera"
        )
    return Match(ASSUMED, "slices", f"{files_held}; {taken_for_slices(len(files))}")


def _files(path: Path) -> list[Path]:
    """List the TIFF files of a folder, or of the only folder below it that has some."""
    if not path.is_dir():
        return []
    try:
        files, folders = tiffs_in(path)
        below = [] if files else [tiffs for folder in folders if (tiffs := tiffs_in(folder)[0])]
    except OSError:
        return []
    return files or (below[0] if len(below) == 1 else [])


def read(path: Path, match: Match) -> Volume:
    """Open a folder of slices; a slice is read when it is asked for.

    `path`: the folder. Result: axes in m where the first slice tells the voxel size as ImageJ does, else in
    px. `metadata["notes"]` names the numbers that are absent and the files that were left out. Raises
    FormatError: a file is damaged, or differs from the first in size or type; it is named. Slices of the same
    number of bytes are compared when they are read.
    """
    files = _files(path)
    if not files:
        raise FormatError(f"{path}: its TIFF files are gone; restore them")
    ranked = one_series(path, files, "slice", "put each volume into a folder of its own")
    slices = sorted(ranked[0] if len(ranked[0]) > 1 else files, key=natural)
    with guarded(slices[0]), opened_tiff(slices[0]) as tif:
        voxel, notes_of_calibration = slice_calibration(tif)
    frames = frames_of(slices)
    if frames.shape[0] != len(slices):
        raise FormatError(f"{path}: {len(slices)} files hold {frames.shape[0]} pages; a slice has one page")
    metadata: dict[str, Any] = {"format": match.dialect, "why": match.why, "first_slice": slices[0].name}
    notes = [*notes_of_calibration, *frames.notes, *_notes_on_files(files, slices)]
    if match.score == ASSUMED:
        metadata[TAKEN_FOR] = match.why
    if notes:
        metadata["notes"] = notes
    if voxel is None:
        metadata["uncalibrated"] = True
    axes = tuple(
        Axis(name, length, 0.0, "px" if voxel is None else "m")
        for name, length in zip("zyx", voxel or (1.0, 1.0, 1.0), strict=True)
    )
    return Volume(frames, axes, "", path.name, path, metadata)


def _notes_on_files(files: list[Path], slices: list[Path]) -> list[str]:
    notes = gap_warnings(slices, "series")
    slice_set = set(slices)
    other_names = [file.name for file in sorted(files, key=natural) if file not in slice_set]
    if other_names:
        notes.append(
            f"{len(other_names)} TIFF files are of no series and were left out: {', '.join(other_names[:_NAMED])}"
        )
    return notes


FORMAT = Format(
    name="tiff-slices",
    title="Folder of TIFF slices",
    suffixes=(),
    detect=detect,
    read=read,
)
