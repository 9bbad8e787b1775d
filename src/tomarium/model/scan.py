"""A scan: lazy raw frames of known kind, their geometry, the sample; every value with its origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.errors import MissingData
from tomarium.model.account import in_lines, rows_of_reference, rows_of_scan
from tomarium.model.geometry import Geometry
from tomarium.model.slab import Domain
from tomarium.model.value import Value


class FrameKind(StrEnum):
    """What a frame shows. Files spell it as numbers that disagree; inside there are only these words."""

    PROJECTION = "projection"
    FLAT = "flat"
    DARK = "dark"
    INVALID = "invalid"
    BACKGROUND = "background"
    ALIGNMENT = "alignment"


class Frames(Protocol):
    """A lazy stack of frames of one kind, shape (frame, row, column)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        ...

    @property
    def dtype(self) -> DTypeLike:
        """Type of a stored pixel."""
        ...

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read detector rows of some frames: an array (frame, row, column) of the stored type."""
        ...

    def read_ranges(
        self, frames: slice | NDArray[np.intp], ranges: Sequence[slice]
    ) -> tuple[NDArray[Any], ...]:
        """Read several ranges of rows of some frames: an array as of `read` for each, in one pass where it can be."""
        ...

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read from disk and bytes decompressed by `read` for that many frames and these rows."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any) -> NDArray[Any]: ...

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]: ...


class IndexedFrames:
    """What lets frames be indexed like an array: only the frames and rows that are asked for are read.

    Frames of every reader derive from it; `shape`, `dtype` and `read` are their own.
    """

    def read_ranges(
        self: Frames, frames: slice | NDArray[np.intp], ranges: Sequence[slice]
    ) -> tuple[NDArray[Any], ...]:
        """Read several ranges of rows of some frames, one after the other; readers that can, do it in one pass."""
        return tuple(self.read(frames, rows) for rows in ranges)

    def __len__(self: Frames) -> int:
        return self.shape[0]

    def __getitem__(self: Frames, key: Any) -> NDArray[Any]:
        """Read part of the stack: `frames[0:10, 5]`, `frames[3]`, `frames[..., 100:200]`, as NumPy would give it."""
        frames, rows, columns = _three(key, self.shape)
        first = np.arange(self.shape[0])[frames]
        single = np.ndim(first) == 0
        numbers = np.atleast_1d(np.asarray(first, np.intp))
        height = np.arange(self.shape[1])[rows]
        top, bottom = (int(np.min(height)), int(np.max(height)) + 1) if np.size(height) else (0, 0)
        if not len(numbers) or top == bottom:
            part = np.empty((len(numbers), bottom - top, self.shape[2]), self.dtype)
        else:
            together = len(numbers) == numbers[-1] - numbers[0] + 1 and bool((np.diff(numbers) == 1).all())
            chosen = slice(int(numbers[0]), int(numbers[-1]) + 1) if together else numbers
            part = self.read(chosen, slice(top, bottom))
        part = part[:, height - top]
        part = part[0] if single else part
        return np.asarray(part[..., columns])

    def __array__(self: Frames, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.read(slice(0, self.shape[0]), slice(0, self.shape[1])), dtype=dtype)


def _three(key: Any, shape: tuple[int, int, int]) -> tuple[Any, Any, Any]:
    """Complete an index to frames, rows and columns."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(key is None for key in keys):
        raise IndexError("frames have the axes (frame, row, column); a new axis cannot be put among them")
    if sum(key is Ellipsis for key in keys) > 1 or len([key for key in keys if key is not Ellipsis]) > 3:
        raise IndexError(f"frames of shape {shape} have three axes, but {len(keys)} indices were given")
    if Ellipsis in [key for key in keys if not isinstance(key, np.ndarray)]:
        place = next(k for k, key in enumerate(keys) if key is Ellipsis)
        keys[place : place + 1] = [slice(None)] * (4 - len(keys))
    keys += [slice(None)] * (3 - len(keys))
    for name, index, length in zip(("frame", "row", "column"), keys, shape, strict=True):
        if isinstance(index, int | np.integer) and not -length <= index < length:
            raise IndexError(f"{name} {index} was asked for, but there are {length}, from 0 to {length - 1}")
    rows = keys[1]
    if not isinstance(rows, int | np.integer | slice):
        raise IndexError("rows are chosen by a number or a slice; choose some of them from what is read")
    return keys[0], rows, keys[2]


@dataclass(frozen=True)
class Reference:
    """Flat or dark frames, and when they were taken.

    Attributes
    ----------
    frames : Frames
        The frames, shape (frame, row, column).
    position : array of float64, shape (frame,)
        When each was taken, on the scale of the projections' own index: -1 before the first projection,
        K after the last, 41.5 between the projections 41 and 42.
    """

    frames: Frames
    position: NDArray[np.float64]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read part of the frames, as `frames` gives it."""
        return self.frames[key]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.frames, dtype=dtype)

    def __repr__(self) -> str:
        return in_lines("Reference frames", rows_of_reference(self))


@dataclass(frozen=True)
class Scan:
    """A tomography scan whose frames are read only when asked for.

    Attributes
    ----------
    path : Path
        File or folder it was opened from.
    name : str
        Short name, for titles and folders.
    format, dialect, why : str
        Name of the format, its dialect, and why the reader thinks so, in words.
    projections : Frames
        Shape (angle, row, column).
    geometry : Geometry
        Angles, rotation axis, pixel size, energy, distance … each with its origin.
    flats, darks : Reference or None
        Bright and dark reference frames; None where the scan has none.
    domain : Domain
        What the numbers of the projections are: "counts" of a detector, or data corrected already,
        "transmission" or "attenuation".
    counts : Mapping of FrameKind to int
        How many frames of each kind the file holds, including kinds that are not used; by default those of
        `projections`, `flats` and `darks`.
    metadata : Mapping of str to Value
        Everything else that was understood: title, sample_name, start_time, instrument, …
    missing : tuple of str
        Files the scan points to that are absent.
    repaired : tuple of str
        What the reader repaired, in words.
    warnings : tuple of str
        What the user should know.
    recipe : tuple of Mapping
        The views it was made by, in order, as a protocol holds them: `{"crop": {"rows": "10:20"}}`; before them
        `{"open": {…}}`, what its user told when it was opened. Empty for a scan as its file holds it.
    """

    path: Path
    name: str
    format: str
    dialect: str
    why: str
    projections: Frames
    geometry: Geometry
    flats: Reference | None = None
    darks: Reference | None = None
    domain: Domain = "counts"
    counts: Mapping[FrameKind, int] = field(default_factory=dict)
    metadata: Mapping[str, Value[Any]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    recipe: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not self.counts:
            references = ((FrameKind.FLAT, self.flats), (FrameKind.DARK, self.darks))
            counts = {FrameKind.PROJECTION: self.projections.shape[0]}
            counts |= {
                kind: reference.frames.shape[0] if reference is not None else 0
                for kind, reference in references
            }
            object.__setattr__(self, "counts", counts)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Projections, rows, columns."""
        return self.projections.shape

    @property
    def angles_deg(self) -> Value[NDArray[np.float64]]:
        """Rotation angle of each projection in degrees."""
        return self.geometry.angles_deg

    @property
    def pixel_m(self) -> Value[float] | None:
        """Pixel size at the sample in m."""
        return self.geometry.pixel_m

    @property
    def energy_kev(self) -> Value[float] | None:
        """Photon energy in keV."""
        return self.geometry.energy_kev

    @property
    def distance_m(self) -> Value[float] | None:
        """Distance from sample to detector in m."""
        return self.geometry.distance_m

    @property
    def axis_column(self) -> Value[float] | None:
        """Column of the rotation axis: 0-based, pixel centres at integers."""
        return self.geometry.axis_column

    def with_geometry(self, **values: Any) -> Scan:
        """Return the scan with other fields of its geometry, each a Value or None."""
        return replace(self, geometry=self.geometry.with_values(values))

    def demand_frames(self) -> None:
        """Refuse a scan whose frames are not there.

        Raises
        ------
        MissingData
            The files its frames lie in are absent; names them.
        """
        if 0 in self.shape:
            absent = ", ".join(self.missing) or "nothing"
            raise MissingData(
                f"{self.path} has no frames to work on (frames, rows, columns: {self.shape}): it points to {absent}, "
                f"which is not there; copy what is missing to where it points"
            )

    def __repr__(self) -> str:
        return in_lines(f"Scan {self.name}", rows_of_scan(self))

    def _repr_html_(self) -> str:
        """Give a notebook a table; what draws it lies above this floor."""
        return str(import_module("tomarium.notebook").scan_html(self))
