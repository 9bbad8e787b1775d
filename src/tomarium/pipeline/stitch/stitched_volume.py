"""Volumes blended into one when it is read, some slices at a time."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.kernels.motion.volume_pose import Pose
from tomarium.kernels.shifts import TAPS, move_lines, moves_by, sinc_weights
from tomarium.pipeline.stitch.part import Part

WHOLE_PX: Final = 0.05
"""A place so near a whole voxel, or a turn that moves the rim by less, is taken for none: nothing is interpolated."""

_LEAST: Final = 1e-6
"""Weight of voxels outside the field that is trusted, which are taken where there is nothing better."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A volume in its place.

    Attributes
    ----------
    part : Part
        The volume.
    pose : Pose
        Where it lies in the frame of the stitched volume.
    gain, offset : float
        Its values = gain · values of the first volume + offset.
    corners : bool
        Whether voxels outside the field that is trusted are taken where no other volume holds the place.
    """

    part: Part
    pose: Pose
    gain: float
    offset: float
    corners: bool = True

    @property
    def turned(self) -> bool:
        """Whether its slices are interpolated because they are turned."""
        radius = max(self.part.shape[1:]) / 2
        return abs(math.radians(self.pose.turn_deg)) * radius > WHOLE_PX

    @property
    def first(self) -> tuple[int, int, int]:
        """Whole voxel of the stitched volume at which its voxel 0, 0, 0 lies."""
        z, y, x = (int(np.floor(at + 0.5)) for at in (self.pose.z, self.pose.y, self.pose.x))
        return z, y, x

    @property
    def rest(self) -> tuple[float, float, float]:
        """Parts of a voxel by which it lies further on; 0 where they are not worth interpolating for."""
        z, y, x = (
            at - whole if abs(at - whole) > WHOLE_PX else 0.0
            for at, whole in zip((self.pose.z, self.pose.y, self.pose.x), self.first, strict=True)
        )
        return z, y, x

    @property
    def slices(self) -> range:
        """Slices of the stitched volume that it holds."""
        first, fraction = self.first[0], self.rest[0]
        return range(first + (fraction > 0), first + self.part.shape[0] - (fraction < 0))

    def block(self, first: int, last: int) -> tuple[int, NDArray[np.float32]]:
        """Read what some slices of the stitched volume are made of: the first slice of the volume, and its values."""
        reach = TAPS // 2 if self.rest[0] else 0
        low = max(0, first - self.first[0] - reach)
        high = min(self.part.shape[0], last - self.first[0] + reach)
        return low, self.part.read((slice(low, high), slice(None), slice(None)))

    def plane(self, z: int, low: int, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make one slice on the grid of the stitched volume, with the grey levels of the first volume."""
        at, fraction = z - self.first[0], self.rest[0]
        if fraction:  # it lies at slice at - rest of this volume
            taps = int(np.floor(at - fraction)) + np.arange(1 - TAPS // 2, TAPS // 2 + 1)
            chosen = np.clip(np.clip(taps, 0, self.part.shape[0] - 1) - low, 0, len(block) - 1)
            plane_made = np.zeros(block.shape[1:], np.float32)
            for weight, k in zip(sinc_weights((-fraction) % 1.0), chosen, strict=True):
                plane_made += np.float32(weight) * block[k]
        else:
            plane_made = block[at - low]
        plane_made = self._in_plane(plane_made)
        if self.gain == 1 and not self.offset:
            return plane_made
        return (plane_made - np.float32(self.offset)) * np.float32(1 / self.gain)

    def _in_plane(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn a slice and move it by parts of a voxel: three shears, each along one axis (Paeth 1986)."""
        _, down, across = self.rest
        if not (self.turned or down or across):
            return plane
        turn = np.deg2rad(self.pose.turn_deg) if self.turned else 0.0
        rows, columns = plane.shape
        y, x = np.arange(rows) - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2
        # Where a place of the stitched volume lies in the plane: turned back about its middle, less the rest.
        along, upright = np.tan(turn / 2), -np.sin(turn)
        back_y = -np.cos(turn) * down + np.sin(turn) * across
        back_x = -np.sin(turn) * down - np.cos(turn) * across
        # out(y, x) = plane(y1 + …): x1 = x + a y, y1 = y + b x1 + back_y, x2 = x1 + a y1 + (back_x - a back_y).
        last = moves_by(along * y + (back_x - along * back_y))
        moved = move_lines(np.ascontiguousarray(plane), last)
        moved = move_lines(np.ascontiguousarray(moved.T), moves_by(upright * x + back_y))
        return move_lines(np.ascontiguousarray(moved.T), moves_by(along * y))

    @cached_property
    def weights_in_plane(self) -> NDArray[np.float32]:
        """Weights of a slice on the grid of the stitched volume: the distance to the edge of the field, voxels."""
        rows, columns = self.part.shape[1:]
        _, first_y, first_x = self.first
        _, down, across = self.rest
        turn = self.pose.turn_deg if self.turned else 0.0
        exact = Pose(0.0, first_y + down, first_x + across, turn)
        y, x = (np.arange(n, dtype=np.float64) + at for n, at in ((rows, first_y), (columns, first_x)))
        inside_y, inside_x = exact.inside(y[:, None], x[None, :], self.part.middle)
        within = (inside_y > -0.5) & (inside_y < rows - 0.5) & (inside_x > -0.5) & (inside_x < columns - 0.5)
        # What is interpolated within four voxels of the edge is made of voxels outside too.
        edge = TAPS // 2 if self.part.circle and not self.corners and (self.turned or down or across) else 0.0
        distance = np.maximum(self.part.seen(inside_y, inside_x, edge), _LEAST if self.corners else 0.0)
        return np.where(within, distance, 0.0).astype(np.float32)

    def weight_of_slice(self, z: int) -> float:
        """Return the weight of a slice: the distance to the volume's nearer end, over the square of its noise."""
        at = z - self.first[0]
        depth = self.part.shape[0]
        near = min(at + 1, depth - at)
        sigma = float(self.part.noise_of_slices[min(max(at, 0), depth - 1)]) / abs(self.gain)
        return max(near, _LEAST) / sigma**2


@dataclass(frozen=True, eq=False)
class StitchedVolume:
    """The volumes blended; anything that slices like NumPy along z reads it.

    Attributes
    ----------
    pieces : tuple of Piece
        In the frame of the whole, whose voxel 0, 0, 0 is its first.
    shape : tuple of int
        Slices, rows and columns.
    """

    pieces: tuple[Piece, ...]
    shape: tuple[int, int, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel, float32."""
        return np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Any:
        rows, *further = key if isinstance(key, tuple) else (key,)
        if rows is Ellipsis:
            return self[(slice(None), *further)]
        if isinstance(rows, int | np.integer):
            at = range(self.shape[0])[int(rows)]
            return self._blended(at, at + 1)[0][tuple(further)]
        first, last, step = rows.indices(self.shape[0])
        return self._blended(first, max(first, last))[(slice(None, None, step), *further)]

    def _blended(self, first: int, last: int) -> NDArray[np.float32]:
        total = np.zeros((last - first, *self.shape[1:]), np.float32)
        weight = np.zeros_like(total)
        for piece in self.pieces:
            slices_held = piece.slices
            begin, end = max(first, slices_held.start), min(last, slices_held.stop)
            if begin >= end:
                continue
            whole, own = _common(piece, self.shape)
            low, block = piece.block(begin, end)
            job = partial(_add, piece, low, block, own, whole, first, total, weight)
            with ThreadPoolExecutor(processors()) as pool:
                list(pool.map(job, range(begin, end)))
        np.divide(total, weight, out=total, where=weight > 0)
        return total

    def unseen_share(self) -> float:
        """Return the share of the voxels that no volume holds, which are 0."""
        depth = self.shape[0]
        edges = sorted(
            {
                0,
                depth,
                *(min(max(end, 0), depth) for p in self.pieces for end in (p.slices.start, p.slices.stop)),
            }
        )
        lost = 0
        for first, last in pairwise(edges):
            seen = np.zeros(self.shape[1:], bool)
            for piece in self.pieces:
                if piece.slices.start <= first and last <= piece.slices.stop:
                    whole, own = _common(piece, self.shape)
                    seen[whole] |= piece.weights_in_plane[own] > 0
            lost += (last - first) * (seen.size - int(np.count_nonzero(seen)))
        return lost / (depth * self.shape[1] * self.shape[2])


def _add(
    piece: Piece,
    low: int,
    block: NDArray[np.float32],
    own: tuple[slice, slice],
    whole: tuple[slice, slice],
    first: int,
    total: NDArray[np.float32],
    weight: NDArray[np.float32],
    z: int,
) -> None:
    """Add a piece's slice z to the weighted sums of a run of slices that begins at `first`."""
    counts = piece.weights_in_plane[own] * np.float32(piece.weight_of_slice(z))
    values = piece.plane(z, low, block)[own]
    lost = ~np.isfinite(values)
    if lost.any():
        counts, values = np.where(lost, 0, counts), np.where(lost, 0, values)
    total[(z - first, *whole)] += counts * values
    weight[(z - first, *whole)] += counts


def _common(piece: Piece, shape: tuple[int, int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the rows and columns of the whole that a piece reaches, and those of its own slices."""
    whole, own = [], []
    for first, length, total in zip(piece.first[1:], piece.part.shape[1:], shape[1:], strict=True):
        low, high = max(0, first), max(0, min(total, first + length))
        whole.append(slice(low, high))
        own.append(slice(low - first, high - first))
    return (whole[0], whole[1]), (own[0], own[1])
