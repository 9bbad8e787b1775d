"""One sinogram, (angle, column): a TIFF page or an array of a MATLAB 5 file.

Neither says that it is one, nor its angles. So a sinogram is only read when its user gives them, or when a text
lies beside it: `scan.angles.txt` or `scan_angles.txt` for `scan.tif`; or `scan.txt` or `angles.txt`, where it holds
nothing but as many numbers as one axis is long. Otherwise the refusal says how many are wanted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.per_frame import plain_cost
from tomarium.formats.matlab.mat5 import MatlabArray, arrays, is_matlab, load
from tomarium.formats.opening.angle_file import numbers
from tomarium.formats.opening.stored_axes import stored_axes
from tomarium.formats.opening.unpacked import bare
from tomarium.formats.tiff.frames import frames_of, guarded, opened_tiff, page_count
from tomarium.formats.tiff.ifd_check import is_tiff
from tomarium.model import FrameKind, Frames, Geometry, Scan, Value
from tomarium.model.scan import IndexedFrames

# A page may be anything, so every format that knows more of it goes before this one.
_SCORE: Final = 0.1
_LEAST: Final = 3
_ANGLES_OF: Final = (".angles.txt", "_angles.txt")


@dataclass(frozen=True, eq=False)
class SinogramFrames(IndexedFrames):
    """The rows of an array as frames of one detector row."""

    path: Path
    # a stack of one page, or an array of a MATLAB file, which is read whole at the first access
    source: Frames | MatlabArray
    turned: bool = False  # whether it is stored as (column, angle)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Angles, 1, columns."""
        first, second = self.source.shape[-2:]
        return (second, 1, first) if self.turned else (first, 1, second)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return np.dtype(self.source.dtype)

    @cached_property
    def _array(self) -> NDArray[Any]:
        if isinstance(self.source, MatlabArray):
            page = load(self.path, self.source)
        else:
            page = self.source.read(slice(0, 1), slice(None))[0]
        return page.T if self.turned else page

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read some angles of the sinogram."""
        return np.ascontiguousarray(self._array[frames][:, None][:, rows])

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return what `read` costs."""
        bytes_wanted, _ = plain_cost(self, frames, rows)
        return bytes_wanted, bytes_wanted if isinstance(self.source, MatlabArray) else 0


def detect(path: Path) -> Match | None:
    """Look for one grey TIFF page, or for two-dimensional arrays in a MATLAB 5 file.

    Result: a low score, since nothing proves a sinogram; None for other files; 0 where there is no such
    array.
    """
    try:
        if is_matlab(path):
            names = [
                f"{candidate.name} {candidate.shape[0]} x {candidate.shape[1]}"
                for candidate in _candidates(path)
            ]
            if not names:
                return no_match("a MATLAB file without an array of two axes that could be a sinogram")
            entries = tuple(candidate.name for candidate in _candidates(path))
            return Match(
                _SCORE, "matlab", f"a MATLAB file of the arrays {', '.join(names)}", entries[0], entries
            )
        if not is_tiff(path):
            return None
        with guarded(path), opened_tiff(path) as tif:
            single = page_count(tif) == 1 and len(tif.pages[0].shape) == 2
        shape = frames_of([path]).size if single else (0, 0)
    except FormatError as problem:
        return no_match(str(problem))
    if min(shape) < _LEAST:
        return None
    return Match(_SCORE, "tiff", f"one page of {shape[0]} x {shape[1]} pixels, perhaps angles x columns")


def _candidates(path: Path) -> list[MatlabArray]:
    """List the arrays of two long axes; those called sinogram first, then real numbers before whole ones."""
    candidates = [array for array in arrays(path) if len(array.shape) == 2 and min(array.shape) >= _LEAST]
    return sorted(
        candidates,
        key=lambda array: ("sino" not in array.name.lower(), array.dtype.kind != "f", array.offset),
    )


def read(path: Path, match: Match) -> Scan:
    """Read the header of a sinogram.

    `path`: TIFF or MATLAB file. `match.entry` names the array. Result: of one detector row; without angles
    where no text lies beside it, so that the user must give them.
    """
    source: Frames | MatlabArray
    if match.dialect == "matlab":
        source = next(candidate for candidate in _candidates(path) if candidate.name == match.entry)
    else:
        source = frames_of([path])
    frames = SinogramFrames(path, source)
    count, columns = frames.shape[0], frames.shape[2]
    angles = angles_beside(path, (count, columns)) or Value(
        np.zeros(0), "default", _asking(match, count, columns)
    )
    return Scan(
        path=path,
        name=bare(path).stem,
        format=FORMAT.name,
        dialect=match.dialect,
        why=match.why,
        projections=frames,
        geometry=Geometry(angles_deg=angles),
        counts={FrameKind.PROJECTION: count},
        warnings=(
            "a sinogram does not say whether its values are counts, transmission or attenuation, and brings no flats: "
            "where they are no counts, say --domain transmission or --domain attenuation",
        ),
    )


def angles_named(path: Path) -> Value[NDArray[np.float64]] | None:
    """Look for a text that is named for the angles of a file: `scan.angles.txt` or `scan_angles.txt` for `scan.tif`.

    Result, shape (n,): degrees, with the name of the text; None where there is none.
    """
    for ending in _ANGLES_OF:
        beside = path.with_name(bare(path).stem + ending)
        if beside.is_file():
            return Value(numbers(beside), "read", beside.name)
    return None


def angles_beside(path: Path, shape: tuple[int, int]) -> Value[NDArray[np.float64]] | None:
    """Look for the angles of a sinogram in a text beside it.

    Result, shape (n,): degrees, with the name of the file they were read from; None where there is none.
    """
    named = angles_named(path)
    if named is not None:
        return named
    for name in (
        f"{bare(path).stem}.txt",
        "angles.txt",
    ):  # a note, or another file's angles, may be called so
        beside = path.with_name(name)
        with suppress(FormatError):
            angles = numbers(beside) if beside.is_file() else np.zeros(0)
            series = name == "angles.txt" and len(angles) == len(list(path.parent.glob(f"*{path.suffix}")))
            if len(angles) in shape and not series:
                return Value(angles, "read", beside.name)
    return None


def oriented(scan: Scan, axes: str | None) -> Scan:
    """Turn a sinogram round whose angles are as many as it is wide, or whose user says so.

    `scan`: as `read` makes it, with the user's angles. `axes`: names of the stored axes, "angle,column" or
    "column,angle", where the user tells them. Result: its projections in the order of the angles, with what
    the user should know of it.
    """
    frames = scan.projections
    assert isinstance(frames, SinogramFrames)
    first, second = frames.source.shape[-2:]
    views = len(scan.angles_deg.value) or None
    stored = stored_axes(
        (first, second),
        views,
        axes,
        str(scan.path),
        values=lambda: frames.read(slice(None), slice(None))[:, 0],
    )
    turned = replace(frames, turned=stored.axes[0] == "column")
    count = turned.shape[0]
    if views is None:
        angle_source = scan.angles_deg.source.replace(f"{first} angles", f"{count} angles")
        scan = scan.with_geometry(angles_deg=Value(np.zeros(0), "default", angle_source))
    return replace(
        scan,
        projections=turned,
        counts={FrameKind.PROJECTION: count},
        repaired=(*scan.repaired, *stored.repaired),
        warnings=(*scan.warnings, *stored.warnings),
    )


def _asking(match: Match, count: int, columns: int) -> str:
    """Say what was found, up to where `checked` says what to give."""
    advice = f"it may be a sinogram of {count} angles and {columns} columns"
    if match.dialect == "matlab":
        return f"its array {match.entry} says no angles; {advice}"
    return (
        f"is one page of {count} x {columns} pixels; open the folder of the series it belongs to; or {advice}"
    )


FORMAT = Format(
    name="sinogram",
    title="Sinogram (TIFF page or MATLAB 5 array) with its angles given",
    suffixes=(".mat",),
    detect=detect,
    read=read,
)
