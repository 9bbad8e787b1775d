"""What stands out in the volume of a record: its bright or dark parts, counted in a volume that was averaged down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Record
from tomarium.optional_packages import optional_import
from tomarium.pipeline.segment.slabs import inside
from tomarium.viewers.slices import voxel_m
from tomarium.viewers.small_volume import small_of
from tomarium.viewers.volume import volume_path, volume_window

VOXELS: Final = 128**3
LEAST: Final = 0.001
MOST: Final = 0.97
"""Shares of the volume between which the bright parts are a body and no speck, and not everything."""
FILLED: Final = 0.75
"""Of the rim of a slice so much is bright at least where the specimen fills the slice, as stone about fossils does."""
RIM: Final = (0.85, 0.95)
"""Between these shares of the half width and half height lies the rim."""


@dataclass(frozen=True)
class Body:
    """The bright parts of a volume, or the dark ones.

    Attributes
    ----------
    dense : array of bool, shape (z, y, x)
        Whether a voxel of the small volume belongs to them: above, or below, Otsu's threshold; without specks.
    voxel_m : tuple of float
        Size (z, y, x) of such a voxel, m.
    areas : array of int, shape (z,)
        Voxels of each slice.
    count : int
        Of all.
    unsure : int
        Half of those at a surface, on either side, may be wrong: so many.
    dark : bool
        Whether they are the dark parts.
    closed : bool
        Of dark parts: whether only those were taken that bright parts close in within their slice.
    room : int
        Voxels of the whole volume; of dark parts those of the specimen with its dark parts.
    room_unsure : int
        As `unsure`.
    """

    dense: NDArray[np.bool_]
    voxel_m: tuple[float, float, float]
    areas: NDArray[Any]
    count: int
    unsure: int
    dark: bool
    closed: bool
    room: int
    room_unsure: int

    @property
    def words(self) -> str:
        """What they are called."""
        if not self.dark:
            return "bright parts"
        return "dark parts inside the specimen" if self.closed else "dark parts"

    @property
    def pixel_m2(self) -> float:
        """Area of one in a slice, m²."""
        return self.voxel_m[1] * self.voxel_m[2]

    @property
    def cubes(self) -> bool:
        """Whether the voxels are cubes, to two in a hundred: as many fit into the volume along each axis."""
        return max(self.voxel_m) <= 1.02 * min(self.voxel_m)

    def widest_row(self, index: int) -> tuple[float, float, float] | None:
        """Find where a slice shows the body widest; where it is cut off at both sides, its longest piece that is not.

        Parameters
        ----------
        index : int
            Of a slice that shows some of it.

        Returns
        -------
        row, left, right : float
            Its row (the middle) and both ends, as shares of the height and the width of the slice. Of dark parts, which
            are many, the longest piece; None where none is long enough to be measured.
        """
        rows, columns = self.dense.shape[1:]
        piece = self._longest_piece(index)
        if self.dark:
            if piece is None:
                return None
            row, left, right = piece
        else:
            row, left, right = self._outline(index)
            if left == 0 and right == columns and piece:
                row, left, right = piece
        return (row + 0.5) / rows, left / columns, right / columns

    def _longest_piece(self, index: int) -> tuple[int, int, int] | None:
        """Find the longest run of a row that ends before the edges: a grain, a wall."""
        padded = np.pad(self.dense[index].astype(np.int8), ((0, 0), (1, 1)))
        steps, columns = np.diff(padded, axis=1), self.dense.shape[2]
        (row, left), (_, right) = np.nonzero(steps == 1), np.nonzero(steps == -1)  # in the same order
        inner = (left > 0) & (right < columns)
        if not inner.any() or (longest := (right - left)[inner].max()) < columns / 20:
            return None
        ties = np.flatnonzero(inner & (right - left == longest))
        best = int(ties[len(ties) // 2])
        return int(row[best]), int(left[best]), int(right[best])

    def _outline(self, index: int) -> tuple[int, int, int]:
        mask = self.dense[index]
        first, last = mask.argmax(axis=1), mask.shape[1] - mask[:, ::-1].argmax(axis=1)
        wide = np.where(mask.any(axis=1), last - first, 0)
        # Of rows that are as wide the middle one: the upper edge of a box is no good place for a mark.
        rows = np.flatnonzero(wide == wide.max())
        row = int(rows[len(rows) // 2])
        return row, int(first[row]), int(last[row])


def body_of(record: Record, folder: Path, parts: str = "") -> Body | None:
    """Part what stands out in the volume of a record from what is around it.

    Parameters
    ----------
    record : Record
        With a volume of known voxel size.
    folder : Path
        Its folder.
    parts : str
        "bright" or "dark". "" finds out: where three quarters of the rim of the slices are bright the specimen fills
        them, and what stands out is dark, as pores in a stone; else it is bright.

    Returns
    -------
    Body or None
        In the volume averaged to about two million voxels, above or below Otsu's threshold, each voxel as most of the
        3 x 3 x 3 about it are; None where that is less than a thousandth or almost all of the volume.

    Raises
    ------
    FormatError
        The volume is damaged.

    Notes
    -----
    Dark parts lie within the specimen. A slice whose rim is bright is filled by it, up to its edges, or up to the
    inscribed circle where a reconstruction left one grey value outside of that. In any other slice the specimen is the
    bright parts and the holes in them, so that neither the air around it counts nor a pore that is open to it.
    """
    ndimage = optional_import("scipy.ndimage", "analysis")
    size = voxel_m(record)
    path = folder / str(volume_path(record))
    changed = (path / "zarr.json").stat().st_mtime_ns
    small = small_of(path, changed, volume_window(record, folder), VOXELS)
    bright = small.grey >= small.threshold
    if min(bright.shape) >= 3:
        bright = ndimage.uniform_filter(bright.astype(np.float32), 3, mode="nearest") > 0.5
    if size is None:
        return None
    full = record.volume["shape"]
    z, y, x = (n * s / m for n, s, m in zip(full, size, bright.shape, strict=True))
    rim = _rim(bright.shape[1:])
    filled = bright[:, rim].mean(axis=1) >= FILLED
    if parts == "dark" or (not parts and bright[:, rim].mean() >= FILLED):
        dark = _dark_parts(bright, filled, _seen(small.grey), (z, y, x))
        if dark is not None or parts:
            return dark
    if not LEAST < bright.mean() < MOST:
        return None
    room = bright.size
    return Body(
        bright, (z, y, x), bright.sum(axis=(1, 2)), int(bright.sum()), _unsure(bright), False, False, room, 0
    )


def _dark_parts(
    bright: NDArray[np.bool_],
    filled: NDArray[np.bool_],
    reconstructed: NDArray[np.bool_],
    voxel: tuple[float, float, float],
) -> Body | None:
    """Take the dark parts within the specimen."""
    ndimage = optional_import("scipy.ndimage", "analysis")
    specimen = np.stack(
        [
            reconstructed if full else ndimage.binary_fill_holes(mask)
            for mask, full in zip(bright, filled, strict=True)
        ]
    )
    dark = specimen & ~bright
    if dark.mean() <= LEAST or dark.sum() >= MOST * specimen.sum():
        return None
    return Body(
        dark, voxel, dark.sum(axis=(1, 2)), int(dark.sum()), _unsure(dark, reconstructed), True, not filled.all(),
        int(specimen.sum()), _unsure(specimen, reconstructed),
    )  # fmt: skip


def _rim(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels of a slice that lie near its inscribed ellipse, within it."""
    y, x = (np.abs(np.arange(n) - (n - 1) / 2) / (n / 2) for n in shape)
    radius = np.hypot(y[:, None], x)
    rim = (radius >= RIM[0]) & (radius <= RIM[1])
    return rim if rim.any() else np.ones(shape, bool)


def _seen(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels of a slice that were reconstructed: all, or the circle where one grey lies outside of it."""
    circle = inside(grey.shape)
    y, x = ((np.arange(n) - (n - 1) / 2) / (n / 2) for n in circle.shape)
    corners = grey[:, np.hypot(y[:, None], x) > 1.06]  # pixels at the circle are means of both
    if circle.all() or corners.size == 0 or corners.min() != corners.max():
        return np.ones_like(circle)
    return np.asarray(circle & (np.hypot(y[:, None], x) < 1 - 2 / min(circle.shape)))


def _unsure(parts: NDArray[np.bool_], reconstructed: NDArray[np.bool_] | None = None) -> int:
    """Count half of the voxels at a surface; where the volume ends is none."""
    ndimage = optional_import("scipy.ndimage", "analysis")
    beyond: Any = False if reconstructed is None else ~reconstructed
    inner = ndimage.binary_erosion(parts | beyond, border_value=1) & parts
    outer = ndimage.binary_dilation(parts, border_value=0) & (
        True if reconstructed is None else reconstructed
    )
    surface = int(parts.sum() - inner.sum()), int(outer.sum() - parts.sum())
    return -(-max(surface) // 2)
