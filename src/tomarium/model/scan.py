"""A scan: lazy raw frames of known kind, angles, geometry, sample; every value with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.errors import MissingData
from tomarium.model.account import in_lines, rows_of_scan
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

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read from disk and bytes decompressed by `read` for that many frames and these rows."""
        ...


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
    angles_deg : Value of array, shape (angle,)
        Rotation angle of each projection in degrees, float64.
    flats, darks : Reference or None
        Bright and dark reference frames; None where the scan has none.
    pixel_m : Value or None
        Pixel size at the sample in m.
    energy_kev : Value or None
        Photon energy in keV.
    distance_m : Value or None
        Distance from sample to detector in m.
    axis_column : Value or None
        Column of the rotation axis: 0-based, pixel centres at integers.
    counts : Mapping of FrameKind to int
        How many frames of each kind the file holds, including kinds that are not used.
    metadata : Mapping of str to Value
        Everything else that was understood: title, sample_name, start_time, instrument, …
    missing : tuple of str
        Files the scan points to that are absent.
    repaired : tuple of str
        What the reader mended, in words.
    warnings : tuple of str
        What the user should know.
    """

    path: Path
    name: str
    format: str
    dialect: str
    why: str
    projections: Frames
    angles_deg: Value[NDArray[np.float64]]
    flats: Reference | None = None
    darks: Reference | None = None
    pixel_m: Value[float] | None = None
    energy_kev: Value[float] | None = None
    distance_m: Value[float] | None = None
    axis_column: Value[float] | None = None
    counts: Mapping[FrameKind, int] = field(default_factory=dict)
    metadata: Mapping[str, Value[Any]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Projections, rows, columns."""
        return self.projections.shape

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
