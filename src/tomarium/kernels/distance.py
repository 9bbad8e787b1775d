"""How far each voxel of a body is from the nearest one that is not in it: exact, compiled where it can be."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import ParameterError
from tomarium.optional_packages import optional_import

PARTS: Final = 32
"""Into how many parts a volume is cut along an axis at most: between two of them work can be told of, and stopped."""
LONGEST: Final = 32_766
"""Voxels along an axis that the compiled kernel takes."""

Tell = Callable[[int, int], object]


def distance(
    body: NDArray[np.bool_],
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    *,
    reach: float = inf,
    less: NDArray[np.float32] | None = None,
    squared: bool = False,
    tell: Tell | None = None,
    threads: int | None = None,
    engine: Engine = "auto",
) -> NDArray[np.float32]:
    """Measure how far each voxel of a body is from the nearest voxel that is not in it, middle to middle.

    Nothing is left out and nothing is approximated; a result is rounded once, to float32. Compiled, it takes four bytes
    a voxel for the result, and hardly more.

    Parameters
    ----------
    body : array of bool, shape (z, y, x)
        Beyond the ends is nothing, neither body nor other.
    spacing : tuple of float
        Size of a voxel along (z, y, x), in the unit that the distance is wanted in; 1 for distances in voxels.
    reach : float
        Distance that is enough, in the unit of the spacing: what is farther gets this distance. A small one is faster.
    less : array of float32, same shape, optional
        Is taken off the distance to a voxel, by the place of that voxel, where the distance is below the reach. Of
        several voxels that are equally near any one may be taken.
    squared : bool
        Whether squares of distances are returned: of voxels that are cubes of 1 they are whole numbers, exact up to
        4096².
    tell : callable, optional
        `tell(parts done, parts)`.
    threads : int, optional
        At work at a time; by default one for each processor.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or SciPy, which takes ten times as long and up to 20 bytes a voxel more.

    Returns
    -------
    array of float32, same shape
        In the unit of the spacing, or its square; 0 outside the body, `less` not counted there. Infinite, or the reach,
        where all is body.

    Raises
    ------
    ParameterError
        A spacing or a reach that is not above 0, or `less` with squares.
    EngineUnavailable
        The compiled kernel was asked for and is not there, or neither it nor SciPy is.

    References
    ----------
    Felzenszwalb & Huttenlocher, Theory of Computing 8 (2012) 415-428: lower envelopes of parabolas, axis by axis.
    """
    if not (all(size > 0 for size in spacing) and reach > 0) or (squared and less is not None):
        raise ParameterError(
            f"distance: voxels of {spacing}, a reach of {reach}: both are above 0, and squares have nothing taken off"
        )
    compiled = takes_compiled(engine, "distance") and max(body.shape, default=0) <= LONGEST
    if not compiled:
        return _by_scipy(body, spacing, reach, less, squared, tell)
    out = np.empty(body.shape, np.float32)
    inside = np.ascontiguousarray(body, dtype=np.bool_).view(np.uint8)
    off = None if less is None else np.ascontiguousarray(less, dtype=np.float32)
    native, instructions = extension().distance, level()
    sizes = (float(spacing[0]), float(spacing[1]), float(spacing[2]))

    def some(along_z: bool, part: slice) -> None:
        native(inside, sizes, float(reach), off, squared, out, along_z, part.start, part.stop, instructions)

    planes, rows = _cut(body.shape[0]), _cut(body.shape[1])
    pool = ThreadPoolExecutor(max(1, min(threads or processors(), PARTS)))
    done = 0
    try:
        for along_z, parts in ((False, planes), (True, rows)):
            for future in as_completed([pool.submit(some, along_z, part) for part in parts]):
                future.result()
                done += 1
                if tell is not None:
                    tell(done, len(planes) + len(rows))
    finally:  # who is told to stop does not wait for all parts
        pool.shutdown(cancel_futures=True)
    return out


def _cut(length: int) -> list[slice]:
    """Cut an axis into parts of nearly one length."""
    count = min(PARTS, length)
    return [slice(length * k // count, length * (k + 1) // count) for k in range(count)]


def _by_scipy(
    body: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    reach: float,
    less: NDArray[np.float32] | None,
    squared: bool,
    tell: Tell | None,
) -> NDArray[np.float32]:
    """Measure the whole volume at once, in double numbers."""
    ndimage: Any = optional_import("scipy.ndimage", "analysis")
    if body.all():  # SciPy has no word for this
        away = np.full(body.shape, inf)
    elif less is None:
        away = ndimage.distance_transform_edt(body, sampling=spacing)
    else:
        away, nearest = ndimage.distance_transform_edt(body, sampling=spacing, return_indices=True)
        away = np.where(body & (away < reach), away - less[tuple(nearest)], away)
    away = np.minimum(away, reach)
    if tell is not None:
        tell(1, 1)
    return np.asarray(away * away if squared else away, np.float32)
