"""Objects that touch, parted by a watershed on the distance to their surface, slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import CannotFit
from tomarium.kernels import watershed as kernel
from tomarium.kernels.distance import distance
from tomarium.pipeline.segment.slabs import slab_height

BYTES: Final = 16
"""Of a voxel of a slab: mask, distance, step, label, and what is read."""
NEIGHBOUR_BYTES: Final = 6
"""Of a voxel of the neighbours that distances need: mask, distance and what is read."""
MOST_BYTES: Final = 8 << 30
"""Of a slab with its neighbours."""
READ_SLICES: Final = 16
"""Read at a time: a slice has neighbours that it is smoothed with."""

_BESIDE: Final = 3
"""Slices beside a slab whose distances are needed: two before it and one after."""
_FIRST: Final = 32
"""Neighbours that are read on each side at first; more where objects are thicker."""

Mask = Callable[[int, int], NDArray[np.bool_]]
"""`mask(start, stop)`: whether each voxel of slices start to stop - 1 belongs to an object."""
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Slab:
    """Basins of a slab, and of the slice before it.

    Attributes
    ----------
    squares : array of float32, shape (z, y, x)
        Squared distances, px².
    up : array of uint8, same shape
        Steps to the neighbour that the distance rises to.
    before : int
        Slices before the slab: 1, but 0 at the first.
    stop : int
        The slice after the slab.
    """

    squares: NDArray[np.float32]
    up: NDArray[np.uint8]
    before: int
    stop: int


class _Distances:
    """Distances to the surface of objects, slab by slab, from masks that are read once."""

    def __init__(self, mask: Mask, shape: tuple[int, ...]) -> None:
        self._mask, self._shape = mask, shape
        self._halo = min(_FIRST, shape[0])
        self._held = np.zeros((0, *shape[1:]), np.bool_)
        self._low = 0

    def slabs(self) -> Iterator[_Slab]:
        """Yield slabs, each as high as the memory and the thickness of what came before allow.

        Raises
        ------
        CannotFit
            Objects are so thick that their neighbours do not fit.
        """
        depth, start = self._shape[0], 0
        while start < depth:
            stop = min(depth, start + self._height())
            # Steps of the slice before go by the slice before that, those of the last slice by the one after.
            first, end = max(0, start - 2), min(depth, stop + 1)
            squares = self._squares(first, end)
            if squares is None:
                self._halo = min(2 * self._halo, depth)
                continue
            before = min(1, start)
            planes = slice(start - before - first, stop - first)
            yield _Slab(squares[planes], kernel.ascent(squares, planes), before, stop)
            start = stop

    def _height(self) -> int:
        """Return how many slices a slab has: as many as its neighbours on a side where that fits: they take as long."""
        fitting = MOST_BYTES // (self._shape[1] * self._shape[2]) - 2 * self._halo * NEIGHBOUR_BYTES
        wished = max(slab_height(self._shape, BYTES), self._halo)
        return max(1, min(wished, fitting // BYTES - _BESIDE))

    def _squares(self, first: int, end: int) -> NDArray[np.float32] | None:
        """Return squared distances of the slices first to end - 1, or None where they reach beyond what is read.

        Beyond the ends of the volume objects go on.
        """
        depth = self._shape[0]
        low, high = max(0, first - self._halo), min(depth, end + self._halo)
        self._demand_room(high - low, end - first)
        whole = (low, high) == (0, depth)
        reach = np.inf if whole else float(self._halo)
        found = distance(self._window(low, high), reach=reach, squared=True)[first - low : end - low]
        if whole:
            found[np.isinf(found)] = 1  # no surface: one object that fills all
        return np.ascontiguousarray(found) if whole or found.max(initial=0) < reach**2 else None

    def _demand_room(self, read: int, wanted: int) -> None:
        plane = self._shape[1] * self._shape[2]
        need = plane * (read * NEIGHBOUR_BYTES + wanted * (BYTES - NEIGHBOUR_BYTES))
        if need > MOST_BYTES:
            raise CannotFit(
                f"objects are {self._halo // 2} px and more thick from their middle to their surface: {read} slices "
                f"are needed at once, {need / 1e9:.1f} GB; bin the volume, or segment it without a watershed"
            )

    def _window(self, low: int, high: int) -> NDArray[np.bool_]:
        """Return the masks of slices low to high - 1: those that are held, and others read a few at a time."""
        window = np.empty((high - low, *self._shape[1:]), np.bool_)
        held = range(max(low, self._low), min(high, self._low + len(self._held)))
        if held:
            window[held.start - low : held.stop - low] = self._held[
                held.start - self._low : held.stop - self._low
            ]
        missing = [(low, held.start), (held.stop, high)] if held else [(low, high)]
        for begin, end in missing:
            for z in range(begin, end, READ_SLICES):
                stop = min(end, z + READ_SLICES)
                window[z - low : stop - low] = self._mask(z, stop)
        self._held, self._low = window, low
        return window


def basins(
    mask: Mask, shape: tuple[int, ...], h_px: float, tell: Tell
) -> tuple[int, Iterator[NDArray[np.uint32]]]:
    """Part objects at their necks.

    1. d is the distance of each voxel in an object to its surface. A voxel belongs to the maximum of d that is reached
       from it by going to that of its 26 neighbours to which d² rises most, over the way to it, again and again.
    2. Where two of such basins meet, the highest place at which they do is a saddle. Beginning with the highest saddle
       of all, basins are one where the lower of their maxima rises by less than h above it. An object that is thinner
       than that is one as a whole.
    3. Basins, saddles and what is one are the same however a volume is cut into slabs, for distances are exact, and
       what is one is known only when all saddles are. So a slab is looked at twice.

    Parameters
    ----------
    mask : callable
        What is an object.
    shape : tuple of int
        Of the volume.
    h_px : float
        Least rise of a maximum above the saddle to a higher one, px.
    tell : callable
        `tell(stage, done, total)`.

    Returns
    -------
    count : int
        Objects.
    labels : iterator of array of uint32, shape (z, y, x)
        Slabs one after the other: 1, 2, 3 … in the order of the objects' first voxels; 0 for background.

    Raises
    ------
    CannotFit
        Objects are so thick that their neighbours do not fit, or there are too many maxima.
    """
    depth = shape[0]
    peaks, heights = [np.zeros(1, np.float32)], [np.zeros(0, np.float32)]
    pairs = [np.zeros((0, 2), np.int32)]
    count = 0
    last: NDArray[np.int32] | None = None
    for slab in _Distances(mask, shape).slabs():
        labels, found = _labels(slab, count, last)
        own = slab.before
        peaks.append(
            kernel.peaks(slab.squares[own:], slab.up[own:], labels[own:] - np.int32(count), found)[1:]
        )
        if own:
            one = kernel.joined(slab.squares[:2], slab.up[:2], labels[:2])
            pairs.append(one)
            heights.append(np.full(len(one), np.inf, np.float32))
        met, height = kernel.saddles(slab.squares, labels)
        pairs.append(met)
        heights.append(height)
        count, last = count + found, labels[-1]
        tell("basins", slab.stop, depth)
    numbers, objects = _numbers(np.concatenate(peaks), np.concatenate(pairs), np.concatenate(heights), h_px)

    def slabs_of_labels() -> Iterator[NDArray[np.uint32]]:
        count = 0
        for slab in _Distances(mask, shape).slabs():
            labels, found = _labels(slab, count, None)
            yield numbers[labels[slab.before :]]
            count += found
            tell("watershed", slab.stop, depth)

    return objects, slabs_of_labels()


def _labels(slab: _Slab, count: int, last: NDArray[np.int32] | None) -> tuple[NDArray[np.int32], int]:
    """Return the labels of a slab above `count`, with those of the slice before, and how many there are."""
    own = slab.before
    labels = np.zeros(slab.squares.shape, np.int32)
    labels[own:], found = kernel.basins(slab.squares[own:], slab.up[own:])
    kernel.demand_countable(count + found)
    labels[labels > 0] += np.int32(count)
    if own and last is not None:
        labels[0] = last
    return labels, found


def _numbers(
    peaks: NDArray[np.float32], pairs: NDArray[np.int32], heights: NDArray[np.float32], h_px: float
) -> tuple[NDArray[np.uint32], int]:
    """Return the object that each basin of a slab belongs to, 0 for 0, and how many objects there are.

    Basins of several slabs that are one are made one first, so that their order, and what is decided by it where
    saddles are equally high, is that of the whole.
    """
    across = np.isinf(heights)
    first = kernel.merge(peaks, pairs[across], heights[across], np.inf)
    whole = np.zeros(len(peaks), np.float32)
    np.maximum.at(whole, first, peaks)
    met = np.sort(first[pairs[~across]], axis=1)
    apart = met[:, 0] != met[:, 1]
    met, height = kernel.highest_of_pairs(met[apart], heights[~across][apart])
    roots = kernel.merge(whole, met, height, h_px)[first]
    objects = np.zeros(len(peaks), np.uint32)
    is_object = np.zeros(len(peaks), np.bool_)
    is_object[roots[1:]] = True
    objects[is_object] = np.arange(1, np.count_nonzero(is_object) + 1, dtype=np.uint32)
    return objects[roots], int(np.count_nonzero(is_object))
