"""In which order angles, rows and columns are stored, where a file does not say it: as its user does, or as fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, ParameterError
from tomarium.formats.opening.angles import default_angles
from tomarium.model import FrameKind, Frames, Scan
from tomarium.model.scan import IndexedFrames

NAMES: Final = ("angle", "row", "column")
"""The axes of projections, in the order they have in memory."""

_ORDERS: Final = {2: ("angle", "column"), 3: NAMES}

STEADIER: Final = 4.0
"""How many times less the mean over the columns must vary than that over the angles, for a sinogram to be known.

All rays through a sample add up to its mass at every angle. Simulated (7 kinds of scans of 20 seeds each, attenuation
or transmission) the ratio is above 5 for samples up to 1.05 times the field, and above 3.4 for those of 1.3 times.
"""


@dataclass(frozen=True)
class Stored:
    """The axes of an array of projections, and how they are known."""

    # "angle", "row" and "column" in the order they are stored; without "row" in one sinogram
    axes: tuple[str, ...]
    repaired: tuple[str, ...] = ()  # what was seen to be in another order than usual, in words
    warnings: tuple[str, ...] = ()  # what the user should know

    @property
    def order(self) -> tuple[int, int, int]:
        """Which axes of the array are angle, row and column; -1 for a row that has none."""
        angle, row, column = (self.axes.index(name) if name in self.axes else -1 for name in NAMES)
        return angle, row, column


def stored_axes(
    shape: tuple[int, ...],
    angles: int | None,
    axes: str | None,
    where: str,
    *,
    values: Callable[[], NDArray[Any]],
    sinograms: bool = False,
) -> Stored:
    """Tell which axis of an array is the angle.

    `angles`: how many angles are known; None where none are. `axes`: names of the stored axes as a user
    writes them, such as "row,angle,column". `values`: reads a sinogram, as it is stored; called only where
    both of its axes are as long as there are angles. `sinograms`: whether a stack of sinograms is told by its
    angles, too, as one sinogram is. Result: what the user said; else (angle, column) or (angle, row, column),
    unless the angles are as many as the second axis is long, and not the first. Where both axes of a sinogram
    are equally long, its values tell.
    """
    if axes is not None:
        return Stored(_read_names(axes, shape, where))
    usual = _ORDERS[len(shape)]
    if angles is None:
        return Stored(usual)
    first, second = shape[0], shape[1]
    if len(shape) == 2 and angles == first == second:
        return _square(values(), where)
    if angles == second != first:
        if len(shape) == 2:
            return Stored(("column", "angle"), (f"{where} has {first} columns of {angles} angles: turned",))
        if not sinograms:
            raise FormatError(
                f"{where}: {angles} angles for {first} projections; one each is needed, so give {first} angles; or, if "
                f"it is a stack of {first} sinograms, say --axes row,angle,column"
            )
        warning = f"{where} has {first} rows of {angles} angles: read in sinogram order"
        return Stored(("row", "angle", "column"), (warning,))
    if len(shape) == 2 and angles != first:
        raise FormatError(
            f"{where} is {first} × {second}, but {angles} angles were given; a sinogram has as many angles as one of "
            f"its axes is long, so give {first} or {second}"
        )
    return Stored(usual)


def _square(values: NDArray[Any], where: str) -> Stored:
    """Tell which axis of a square sinogram is the angle: that along which its mean varies least."""
    sinogram = np.where(np.isfinite(values), values, 0).astype(np.float64)
    along_first, along_second = (float(np.std(sinogram.mean(axis=axis))) for axis in (1, 0))
    shape = f"{where} is {sinogram.shape[0]} × {sinogram.shape[1]}"
    if along_first * STEADIER < along_second:
        return Stored(_ORDERS[2])
    if along_second * STEADIER < along_first:
        warning = f"{shape}, and its mean varies least along the second axis: taken as (column, angle)"
        return Stored(("column", "angle"), (warning,))
    raise ParameterError(
        f"{shape}, so either axis could be that of the angles, and its values do not tell which; say --axes "
        f"angle,column where each row is one view, or --axes column,angle"
    )


def _read_names(axes: str, shape: tuple[int, ...], where: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in axes.split(","))
    if sorted(names) != sorted(_ORDERS[len(shape)]):
        raise ParameterError(
            f"{where} has {len(shape)} axes of {' × '.join(map(str, shape))}, and axes={axes!r} was given; name each "
            f"of {', '.join(_ORDERS[len(shape)])} once, in the order they are stored, such as "
            f"{','.join(reversed(_ORDERS[len(shape)]))}"
        )
    return names


@dataclass(frozen=True, eq=False)
class ReorderedFrames(IndexedFrames):
    """Projections whose file stores their axes in another order."""

    stored: Frames  # what the file holds, along its own axes
    axes: tuple[str, str, str]  # which of "angle", "row" and "column" each of these is

    @property
    def _order(self) -> tuple[int, int, int]:
        angle, row, column = (self.axes.index(name) for name in NAMES)
        return angle, row, column

    @property
    def shape(self) -> tuple[int, int, int]:
        """Angles, rows, columns."""
        angle, row, column = (self.stored.shape[axis] for axis in self._order)
        return angle, row, column

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return np.dtype(self.stored.dtype)

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read detector rows of some projections.

        Result, shape (angle, row, column): in the stored type. Where the rows are stored first, only those
        are read; where the columns are, everything.
        """
        numbers = {
            "angle": np.arange(self.shape[0])[frames],
            "row": np.arange(self.shape[1])[rows],
            "column": np.arange(self.shape[2]),
        }
        first, second, third = (numbers[name] for name in self.axes)
        near = slice(int(second.min()), int(second.max()) + 1) if len(second) else slice(0, 0)
        block = self.stored.read(_run(first), near)[:, second - near.start][:, :, third]
        return np.ascontiguousarray(block.transpose(self._order))

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return what `read` costs."""
        first, last, _ = rows.indices(self.shape[1])
        ranges = {"angle": slice(0, frames), "row": slice(first, last), "column": slice(0, self.shape[2])}
        count = ranges[self.axes[0]]
        return self.stored.cost(count.stop - count.start, ranges[self.axes[1]])


def _run(places: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Write neighbours as a slice, which readers take at one go."""
    if len(places) and bool((np.diff(places) == 1).all()):
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def with_axes(scan: Scan, axes: str | None) -> Scan:
    """Bring the frames of a scan that does not say its axes into order: as its user tells, or as its angles fit.

    `scan`: its frames as they are stored, with the user's angles. Result: with its projections in order;
    angles that were assumed are assumed anew where there are others of them.
    """
    angles = scan.angles_deg
    own = scan.flats is not None or scan.darks is not None
    if axes is None and (own or angles.origin != "user"):
        return scan
    views = None if angles.origin == "default" else len(angles.value)
    stored = stored_axes(
        scan.shape,
        views,
        axes,
        str(scan.path),
        values=lambda: scan.projections.read(slice(None), slice(None)),
    )
    if stored.axes == NAMES:
        return scan
    if own:
        raise ParameterError(
            f"{scan.path}: its axes were taken as ({', '.join(stored.axes)}), but its flats or darks are stored "
            f"as frames of {scan.shape[1]} rows and {scan.shape[2]} columns; open the projections alone"
        )
    frames = reordered(scan.projections, stored)
    if angles.origin == "default":
        scan = scan.with_geometry(angles_deg=default_angles(frames.shape[0]))
    return replace(
        scan,
        projections=frames,
        counts={**scan.counts, FrameKind.PROJECTION: frames.shape[0]},
        repaired=(*scan.repaired, *stored.repaired),
    )


def reordered(frames: Frames, stored: Stored) -> Frames:
    """Bring a stack into the order of projections.

    `frames`: what a file holds, along its own three axes.
    """
    if stored.axes == NAMES:
        return frames
    first, second, third = stored.axes
    return ReorderedFrames(frames, (first, second, third))
