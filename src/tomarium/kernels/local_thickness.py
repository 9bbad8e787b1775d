"""How thick a body is at each voxel: the largest ball inside the body that covers it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import ParameterError
from tomarium.kernels.distance import Tell, distance

PARTS: Final = 32
"""Into how many parts a volume is cut along z at most: between two of them work can be told of, and stopped."""
MOST_SQUARE: Final = (1 << 23) - 1
"""Largest squared radius that is kept exactly beside the mark of balls that are cut: radii up to 2896 voxels."""
Values = Callable[[NDArray[np.int64], NDArray[np.float32]], NDArray[np.float32]]

BYTES_A_VOXEL: Final = 11
"""Memory of `balls_inside` and `paint_balls` for each voxel, with what they are given, but for the balls themselves."""


def balls_inside(
    body: NDArray[np.bool_],
    counted: NDArray[np.bool_] | None = None,
    *,
    tell: Tell | None = None,
    threads: int | None = None,
    engine: Engine = "auto",
) -> NDArray[np.float32]:
    """Tell of each voxel of a body the largest ball around it that holds no voxel of anything else.

    Parameters
    ----------
    body : array of bool, shape (z, y, x)
        Beyond the ends is nothing, neither body nor other: a ball may reach there.
    counted : array of bool, shape (y, x), optional
        Part of each slice that is known, such as a circle. Beyond it is nothing either, and no ball has its middle.
    tell : callable, optional
        `tell(parts done, parts)`.
    threads : int, optional
        At work at a time; by default one for each processor.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or SciPy.

    Returns
    -------
    array of float32, same shape
        Square of the radius in voxels, a whole number: the ball holds the voxels whose squared distance is below it.
        0 outside the body; infinite where there is nothing but body.
    """
    known = body if counted is None else body | ~counted
    squares = distance(known, squared=True, tell=tell, threads=threads, engine=engine)
    if counted is not None:
        squares[:, ~counted] = 0
    return squares


def paint_balls(
    squares: NDArray[np.float32],
    values: Values | None = None,
    planes: slice | None = None,
    *,
    tell: Tell | None = None,
    threads: int | None = None,
    engine: Engine = "auto",
) -> NDArray[np.float32]:
    """Give each voxel the largest value of the balls that cover it.

    A ball all of whose voxels lie in the ball around a neighbouring voxel is left out: the other one is larger, and
    nothing that is painted changes.

    Parameters
    ----------
    squares : array of float32, shape (z, y, x)
        Squared radii as `balls_inside` gives them, at the middles of the balls.
    values : callable, optional
        `values(places, squares)` gives what balls paint, as float32, of the places of their middles in the flat array
        and of their squared radii: a larger ball a larger value. By default the square itself.
    planes : slice, optional
        What is painted, along z; by default all.
    tell : callable, optional
        `tell(parts done, parts)`.
    threads : int, optional
        At work at a time; by default one for each processor.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy with a distance map for each radius, which takes hundreds of times as long.

    Returns
    -------
    array of float32, shape (planes, y, x)
        0 where no ball reaches.

    Raises
    ------
    ParameterError
        A ball is infinite, or its radius is above 2896 voxels.
    EngineUnavailable
        The compiled kernel was asked for and is not there.

    References
    ----------
    Hildebrand & Rüegsegger, J. Microsc. 185 (1997) 67-75, eq. 2. Rémy & Thiel, Image Vis. Comput. 23 (2005) 167-175:
    which ball of a neighbour holds a ball.
    """
    largest = float(squares.max(initial=0))
    if not largest <= MOST_SQUARE:
        raise ParameterError(
            f"local thickness: the largest ball has a radius of {largest**0.5:g} voxels, and at most 2896 are painted; "
            f"give a volume that holds something beside the body, or one of fewer voxels"
        )
    depth = squares.shape[0]
    first, last, _ = (planes or slice(None)).indices(depth)
    if not takes_compiled(engine, "local_thickness"):
        return _painted_by_distance(squares, values)[first:last]
    squares = np.ascontiguousarray(squares, np.float32)
    covered, widest = _tables(int(largest))
    ridge = np.zeros(squares.shape, np.uint8)
    native, instructions = extension(), level()
    cut = _cut(0, depth), _cut(first, last)
    total, done = len(cut[0]) + len(cut[1]), 0
    pool = ThreadPoolExecutor(max(1, min(threads or processors(), PARTS)))
    try:
        for future in as_completed(
            [
                pool.submit(native.thickness_ridge, squares, covered, ridge, a, b, instructions)
                for a, b in cut[0]
            ]
        ):
            future.result()
            done += 1
            if tell is not None:
                tell(done, total)
        places = np.flatnonzero(ridge.view(np.bool_))
        del ridge
        radii = squares.ravel()[places]
        painted = radii if values is None else np.ascontiguousarray(values(places, radii), np.float32)
        radii = radii.astype(np.int32)
        out = np.zeros(squares.shape, np.float32)
        reach, plane = int(np.ceil(largest**0.5)), squares.shape[1] * squares.shape[2]

        def paint(a: int, b: int) -> None:
            near = slice(*np.searchsorted(places, [(a - reach) * plane, (b + reach) * plane]))
            native.thickness_paint(places[near], radii[near], painted[near], widest, out, a, b, instructions)

        for future in as_completed([pool.submit(paint, a, b) for a, b in cut[1]]):
            future.result()
            done += 1
            if tell is not None:
                tell(done, total)
    finally:  # who is told to stop does not wait for all parts
        pool.shutdown(cancel_futures=True)
    return out[first:last]


def _tables(most: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return which ball of a neighbour holds a ball, and half the length of a row of a ball, for all squares."""
    covered, widest = np.zeros((3, most + 1), np.int32), np.zeros(most + 1, np.int32)
    extension().ball_tables(covered, widest, level())
    return covered, widest


def _cut(first: int, last: int) -> list[tuple[int, int]]:
    """Cut planes into parts of nearly one length."""
    count = min(PARTS, last - first)
    return [
        (first + (last - first) * k // count, first + (last - first) * (k + 1) // count) for k in range(count)
    ]


def _painted_by_distance(squares: NDArray[np.float32], values: Values | None) -> NDArray[np.float32]:
    """Paint all balls of one square and value at a time: they cover what is nearer to their middles than the radius."""
    out = np.zeros(squares.shape, np.float32)
    places = np.flatnonzero(squares)
    radii = squares.ravel()[places]
    painted = np.zeros(squares.shape, np.float32)
    painted.ravel()[places] = radii if values is None else values(places, radii)
    for value in np.unique(painted[painted > 0]):
        middles = painted == value
        square = float(squares[middles][0])
        out[distance(~middles, squared=True, engine="reference") < square] = value
    return out
