"""What lies around each voxel of a smoothed volume: its slope, its curvatures, and eigenvalues of tensors."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import Engine, extension, level, takes_compiled
from tomarium.errors import InputError

ENTRIES: Final = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Entries of a symmetric tensor, in the order in which they are given: of the axes z, y, x."""


def curvatures(
    values: NDArray[np.float32],
    planes: slice,
    factor: float,
    out: NDArray[np.float32],
    place: int,
    *,
    engine: Engine = "auto",
) -> None:
    """Tell the size of the gradient, and the eigenvalues of the second derivatives, of some planes of a volume.

    Derivatives are halves of the difference of the two neighbours, and second ones such differences of those; beyond
    the ends the outermost voxel goes on.

    Parameters
    ----------
    values : array of float32, shape (z, y, x)
        Smoothed volume, C-contiguous, with two planes more on either side of those wanted, where there are any.
    planes : slice
        Those that are wanted.
    factor : float
        Of the second derivatives, such as σ² of the smoothing.
    out : array of float32, shape (plane, y, x, number)
        C-contiguous; the numbers place to place + 3 of each voxel are filled: gradient, and eigenvalues, ascending.
    place : int
        First of them.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy; "auto" takes the compiled one where it is there.

    Raises
    ------
    EngineUnavailable
        The compiled kernel was asked for and is not there.
    """
    if takes_compiled(engine, "curvatures"):
        extension().curvatures(values, planes.start, planes.stop, float(factor), out, place, level())
        return
    low, high = max(0, planes.start - 2), min(len(values), planes.stop + 2)
    wanted = slice(planes.start - low, planes.stop - low)
    slopes = [_difference(values[low:high].astype(np.float64), axis) for axis in range(3)]
    out[..., place] = np.sqrt(sum(slope[wanted] ** 2 for slope in slopes))
    tensor = np.empty((out[..., 0].size, 3, 3))
    for i, j in ENTRIES:
        tensor[:, i, j] = tensor[:, j, i] = factor * _difference(slopes[i], j)[wanted].ravel()
    out[..., place + 1 : place + 4] = np.linalg.eigvalsh(tensor).reshape(*out.shape[:3], 3)


def _difference(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return half the difference of the two neighbours along an axis."""
    at = np.arange(values.shape[axis])
    after, before = (np.clip(at + step, 0, len(at) - 1) for step in (1, -1))
    return 0.5 * (values.take(after, axis) - values.take(before, axis))


def eigenvalues(
    entries: NDArray[np.float32], out: NDArray[np.float32], place: int, *, engine: Engine = "auto"
) -> None:
    """Tell the eigenvalues of symmetric 3 × 3 tensors.

    Computed in double precision by the closed form, one root by Newton's method; they are right to 1e-8 of the largest
    entry, and to 1e-15 where they differ.

    Parameters
    ----------
    entries : array of float32, shape (6, tensor)
        Entries of each in the order of `ENTRIES`; C-contiguous.
    out : array of float32, shape (tensor, number)
        C-contiguous; the numbers place to place + 2 are filled, ascending.
    place : int
        First of them.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or LAPACK by NumPy.

    Raises
    ------
    InputError
        There are not six entries, or as many tensors as places.
    EngineUnavailable
        The compiled kernel was asked for and is not there.

    References
    ----------
    O. K. Smith, Communications of the ACM 4, 168 (1961), doi 10.1145/355578.366316.
    """
    if entries.ndim != 2 or len(entries) != len(ENTRIES) or entries.shape[1] != len(out):
        raise InputError(
            f"eigenvalues: entries have shape {entries.shape} and out {out.shape}; give (6, n) and (n, number)"
        )
    if takes_compiled(engine, "eigenvalues"):
        extension().eigenvalues(entries, out, place, level())
        return
    tensor = np.empty((entries.shape[1], 3, 3))
    for values, (i, j) in zip(entries, ENTRIES, strict=True):
        tensor[:, i, j] = tensor[:, j, i] = values
    out[:, place : place + 3] = np.linalg.eigvalsh(tensor)
