"""Basins of a distance map, and which of them are one: a watershed that does not depend on how a volume is cut."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import CannotFit

SUMMIT: Final = 14
"""Step of a voxel that none of its neighbours is higher than."""
_PARTS: Final = np.array(
    [0, 1, 0.70710678, 0.57735027], np.float32
)  # 1 over the length of a step, by its square
MOST_BASINS: Final = 2**31 - 2

STEPS: Final = tuple((dz, dy, dx) for dz in (-1, 0, 1) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
"""(z, y, x) to the voxel that a step from 1 to 27 leads to."""
_EARLIER: Final = STEPS[:13]


def ascent(
    squares: NDArray[np.float32], planes: slice, *, threads: int | None = None, engine: Engine = "auto"
) -> NDArray[np.uint8]:
    """Tell of each voxel of some planes to which of its 26 neighbours the squared distance rises most, over the way.

    Parameters
    ----------
    squares : array of float32, shape (z, y, x)
        Squared distances to the surface; 0 outside the body.
    planes : slice
        Along z, without a step.
    threads : int, optional
        At work at a time; by default one for each processor.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; both give the same.

    Returns
    -------
    array of uint8, shape (planes, y, x)
        Step of the steepest rise, of equal ones the first in the order (z, y, x): 1 + its place in `STEPS`. `SUMMIT`
        where no neighbour is higher, and 0 outside the body.
    """
    first, stop, _ = planes.indices(len(squares))
    if not takes_compiled(engine, "watershed"):
        return _ascent(squares, first, stop)
    up = np.empty((stop - first, *squares.shape[1:]), np.uint8)
    native, instructions = extension().watershed_ascent, level()
    with ThreadPoolExecutor(threads or processors()) as pool:
        list(pool.map(lambda z: native(squares, first, up, z, instructions), range(first, stop)))
    return up


def basins(
    squares: NDArray[np.float32], up: NDArray[np.uint8], *, engine: Engine = "auto"
) -> tuple[NDArray[np.int32], int]:
    """Give all voxels that go to one summit, step by step, one number.

    Summits of one height that touch are one. Where a step leads out of these planes, the basin ends there.

    Parameters
    ----------
    squares : array of float32, shape (z, y, x)
        Squared distances to the surface.
    up : array of uint8, same shape
        Steps, see `ascent`.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; both give the same.

    Returns
    -------
    labels : array of int32, same shape
        1, 2, 3 … in the order of the basins' first voxels; 0 outside the body.
    count : int
        Of the basins.
    """
    if not takes_compiled(engine, "watershed"):
        return _basins(squares, up)
    labels = np.empty(squares.shape, np.int32)
    return labels, int(extension().watershed_basins(squares, up, labels, level()))


def peaks(
    squares: NDArray[np.float32], up: NDArray[np.uint8], labels: NDArray[np.int32], count: int
) -> NDArray[np.float32]:
    """Return the highest square of each basin, shape (count + 1,), with 0 for what is outside the body.

    Parameters
    ----------
    squares, up : arrays, shape (z, y, x)
        As `basins` takes them.
    labels : array of int32, same shape
        1 to count; 0 outside the body.
    count : int
        Of the basins.

    Returns
    -------
    array of float32, shape (count + 1,)
        Squared distances.
    """
    ends = up == SUMMIT
    ends[0] |= (up[0] > 0) & (up[0] <= 9)
    ends[-1] |= up[-1] >= 19
    found = np.zeros(count + 1, np.float32)
    np.maximum.at(found, labels[ends], squares[ends])
    return found


def joined(
    squares: NDArray[np.float32], up: NDArray[np.uint8], labels: NDArray[np.int32]
) -> NDArray[np.int32]:
    """List basins of two neighbouring planes that are one: a step leads across, or summits of one height touch.

    Parameters
    ----------
    squares, up, labels : arrays, shape (2, y, x)
        Of the last plane of the planes before, and the first of those after; their numbers differ.

    Returns
    -------
    array of int32, shape (pair, 2)
        Numbers, the lower one first; each pair once.
    """
    found = [np.zeros((0, 2), np.int32)]
    rows, columns = squares.shape[1:]
    for step, (_, dy, dx) in enumerate(STEPS[18:], 19):
        here = (0, slice(max(0, -dy), rows - max(0, dy)), slice(max(0, -dx), columns - max(0, dx)))
        there = (1, slice(max(0, dy), rows - max(0, -dy)), slice(max(0, dx), columns - max(0, -dx)))
        back = 28 - step
        level_summits = (up[here] == SUMMIT) & (up[there] == SUMMIT) & (squares[here] == squares[there])
        one = (up[here] == step) | (up[there] == back) | level_summits
        found.append(np.stack([labels[here][one], labels[there][one]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def saddles(
    squares: NDArray[np.float32], labels: NDArray[np.int32], *, engine: Engine = "auto"
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find where basins touch, by a face, an edge or a corner of a voxel, and how high at most.

    Parameters
    ----------
    squares : array of float32, shape (z, y, x)
        Squared distances to the surface.
    labels : array of int32, same shape
        Numbers of the basins; 0 outside the body.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; both give the same, in another order.

    Returns
    -------
    pairs : array of int32, shape (pair, 2)
        Numbers of two basins, the lower first; each pair once.
    heights : array of float32, shape (pair,)
        Of the lower of two voxels that touch, where that is highest.
    """
    if takes_compiled(engine, "watershed"):
        pairs, heights = extension().watershed_saddles(squares, labels)
        return pairs, heights
    lengths = squares.shape
    found, low = [np.zeros((0, 2), np.int32)], [np.zeros(0, np.float32)]
    for step in _EARLIER:
        here = tuple(slice(max(0, -d), n - max(0, d)) for d, n in zip(step, lengths, strict=True))
        there = tuple(slice(max(0, d), n - max(0, -d)) for d, n in zip(step, lengths, strict=True))
        apart = (labels[here] != labels[there]) & (labels[here] > 0) & (labels[there] > 0)
        found.append(np.sort(np.stack([labels[here][apart], labels[there][apart]], axis=1), axis=1))
        low.append(np.minimum(squares[here][apart], squares[there][apart]))
    return highest_of_pairs(np.concatenate(found), np.concatenate(low))


def highest_of_pairs(
    pairs: NDArray[np.int32], heights: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Keep of each pair its highest saddle.

    Parameters
    ----------
    pairs : array of int32, shape (saddle, 2)
        Numbers of two basins, the lower first.
    heights : array of float32, shape (saddle,)
        Squared distances.

    Returns
    -------
    pairs, heights : arrays, shapes (pair, 2) and (pair,)
        Each pair once, in ascending order.
    """
    order = np.lexsort((-heights, pairs[:, 1], pairs[:, 0]))
    pairs, heights = pairs[order], heights[order]
    first = np.ones(len(pairs), np.bool_)
    first[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[first], heights[first]


def merge(
    peaks: NDArray[np.float32],
    pairs: NDArray[np.int32],
    heights: NDArray[np.float32],
    least: float,
    *,
    engine: Engine = "auto",
) -> NDArray[np.int32]:
    """Make those basins one that are parted by a saddle which is not deep: the highest saddles first.

    Two basins become one where the lower of their peaks is less than `least` above the saddle, as distances, not
    squares. What is left over are the maxima of a dynamic of at least that, which are those of the h-maxima transform.

    Parameters
    ----------
    peaks : array of float32, shape (basin,)
        Squared distances.
    pairs : array of int32, shape (pair, 2)
        Places of two basins in `peaks`, the lower first.
    heights : array of float32, shape (pair,)
        Squared distances of the saddles; infinite for what is one in any case.
    least : float
        Least rise of a basin of its own, in the unit of the distances.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or Python; both give the same.

    Returns
    -------
    array of int32, shape (basin,)
        Of each basin the first one that it is one with.

    References
    ----------
    M. Grimaud, Proc. SPIE 1769, 292 (1992): dynamics. L. Najman & M. Schmitt, IEEE Trans. PAMI 18, 1163 (1996).
    """
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -heights))
    lower, upper = (np.ascontiguousarray(pairs[order, side], np.int32) for side in (0, 1))
    heights = np.ascontiguousarray(heights[order], np.float32)
    least *= 1 - 1e-9  # a rise that is the least but for rounding is enough
    roots = np.arange(len(peaks), dtype=np.int32)
    if takes_compiled(engine, "watershed"):
        extension().watershed_merge(
            np.ascontiguousarray(peaks, np.float32), lower, upper, heights, least, roots
        )
        return roots
    peak = np.array(peaks, np.float64)

    def root(at: int) -> int:
        while roots[at] != at:
            at = int(roots[at])
        return at

    for one, other, height in zip(lower.tolist(), upper.tolist(), heights.tolist(), strict=True):
        a, b = sorted((root(one), root(other)))
        if a != b and min(peak[a], peak[b]) ** 0.5 - height**0.5 < least:
            roots[b], peak[a] = a, max(peak[a], peak[b])
    return np.array([root(at) for at in range(len(roots))], np.int32).reshape(len(roots))


def demand_countable(count: int) -> None:
    """Refuse more basins than can be numbered.

    Parameters
    ----------
    count : int
        Basins before those that are one were joined.

    Raises
    ------
    CannotFit
        There are 2³¹ - 1 or more.
    """
    if count > MOST_BASINS:
        raise CannotFit(
            f"a watershed of {count} maxima of the distance: at most {MOST_BASINS} can be numbered; smooth the volume "
            f"more, or bin it"
        )


def _ascent(squares: NDArray[np.float32], first: int, stop: int) -> NDArray[np.uint8]:
    """Look at one neighbour after the other, of all voxels at once."""
    padded = np.pad(squares, 1)
    here = squares[first:stop]
    best, up = np.zeros_like(here), np.full(here.shape, SUMMIT, np.uint8)
    for step, (dz, dy, dx) in enumerate(STEPS, 1):
        there = padded[
            first + 1 + dz : stop + 1 + dz,
            1 + dy : 1 + dy + here.shape[1],
            1 + dx : 1 + dx + here.shape[2],
        ]
        rise = (there - here) * _PARTS[dz * dz + dy * dy + dx * dx]
        higher = rise > best
        best[higher] = rise[higher]
        up[higher] = step
    up[here == 0] = 0
    return up


def _basins(squares: NDArray[np.float32], up: NDArray[np.uint8]) -> tuple[NDArray[np.int32], int]:
    """Follow all steps at once, twice as far each time; then join summits that touch, one pair after the other."""
    plane, columns = squares.shape[1] * squares.shape[2], squares.shape[2]
    leads = np.array([0, *(dz * plane + dy * columns + dx for dz, dy, dx in STEPS)])
    own = np.arange(squares.size).reshape(squares.shape)
    to = own + leads[up]
    to = np.where((to < 0) | (to >= squares.size), own, to).ravel()
    while (to != (further := to[to])).any():
        to = further
    summits = np.flatnonzero(up == SUMMIT)
    parent = dict(zip(summits.tolist(), summits.tolist(), strict=True))

    def root(at: int) -> int:
        while parent[at] != at:
            at = parent[at]
        return at

    lengths = squares.shape
    for step in _EARLIER:
        here = tuple(slice(max(0, -d), n - max(0, d)) for d, n in zip(step, lengths, strict=True))
        there = tuple(slice(max(0, d), n - max(0, -d)) for d, n in zip(step, lengths, strict=True))
        one = (up[here] == SUMMIT) & (up[there] == SUMMIT) & (squares[here] == squares[there])
        for a, b in zip(own[here][one].tolist(), own[there][one].tolist(), strict=True):
            low, high = sorted((root(a), root(b)))
            parent[high] = low
    for at in summits.tolist():
        to[to == at] = -1 - root(at)
    to = np.where(to < 0, -1 - to, to)
    body = squares.ravel() > 0
    roots, first, number = np.unique(to[body], return_index=True, return_inverse=True)
    ranks = np.empty(len(roots), np.int32)
    ranks[np.argsort(first)] = np.arange(1, len(roots) + 1)
    labels = np.zeros(squares.size, np.int32)
    labels[body] = ranks[number]
    return labels.reshape(squares.shape), len(roots)
