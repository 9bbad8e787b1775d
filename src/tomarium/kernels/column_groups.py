"""A sinogram in groups of 16 columns, in which compiled kernels look for stripes and take them away."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import extension, level

ALIGNMENT = 64
"""Bytes of a line of a cache, at whose start a group's angles lie."""


class Figures(NamedTuple):
    """What columns of a sinogram are compared by.

    Attributes
    ----------
    medians : array of float32, shape (column,)
        Median of the second differences over the angles, without their signs.
    means, more_means : array of float64, shape (block, column)
        Means in blocks of angles.
    least, largest : float
        Of all values.
    finite : bool
        Whether all values are.
    """

    medians: NDArray[np.float32]
    means: NDArray[np.float64]
    more_means: NDArray[np.float64]
    least: float
    largest: float
    finite: bool


def empty_groups(angles: int, columns: int) -> NDArray[np.float32]:
    """Return room for a sinogram in groups of columns, not initialised.

    Parameters
    ----------
    angles, columns : int
        Of the sinogram.

    Returns
    -------
    array of float32, shape (group, angle, 16)
        Column c has its numbers at [c // 16, :, c % 16].
    """
    lanes = extension().LANES
    shape = (-(-columns // lanes), angles, lanes)
    size, spare = shape[0] * angles * lanes, ALIGNMENT // 4
    room = np.empty(size + spare, np.float32)
    first = -room.ctypes.data % ALIGNMENT // 4
    return room[first : first + size].reshape(shape)


def to_groups(sinogram: NDArray[np.float32], groups: NDArray[np.float32]) -> None:
    """Copy a sinogram into groups of columns.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, column)
        Attenuation; angles may lie apart.
    groups : array of float32, shape (group, angle, 16)
        Where it goes, see `empty_groups`; columns that the last group lacks are 0.
    """
    rows = sinogram if sinogram.strides[1] == sinogram.itemsize else np.ascontiguousarray(sinogram)
    extension().to_groups(rows, groups, level())


def columns_of(groups: NDArray[np.float32], columns: NDArray[np.intp]) -> NDArray[np.float32]:
    """Copy some columns.

    Parameters
    ----------
    groups : array of float32, shape (group, angle, 16)
        A sinogram.
    columns : array of int, shape (n,)
        Which.

    Returns
    -------
    array of float32, shape (angle, n)
        Their numbers.
    """
    lanes = groups.shape[2]
    return np.asarray(groups[columns // lanes, :, columns % lanes].T)


def figures(groups: NDArray[np.float32], columns: int, blocks: tuple[int, int]) -> Figures:
    """Tell what columns are compared by.

    Parameters
    ----------
    groups : array of float32, shape (group, angle, 16)
        Attenuation at 3 angles or more.
    columns : int
        Columns of the sinogram.
    blocks : tuple of two int
        Two numbers of blocks of angles, as equal as can be, that are averaged.

    Returns
    -------
    Figures
        Of all columns.
    """
    medians = np.empty(columns, np.float32)
    means, more_means = np.empty((blocks[0], columns)), np.empty((blocks[1], columns))
    return Figures(
        medians,
        means,
        more_means,
        *extension().group_figures(groups, medians, means, more_means, level()),
    )


def removed_of_groups(
    groups: NDArray[np.float32],
    size: int,
    removed: NDArray[np.float32],
    columns: int,
    blocks: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tell what sorting removes, see `remove_stripes_by_sorting`.

    Parameters
    ----------
    groups : array of float32, shape (group, angle, 16)
        Attenuation, finite.
    size : int
        Columns of the median, odd.
    removed : array of float32, shape (group, angle, 16)
        Where what is removed goes.
    columns : int
        Columns of the sinogram.
    blocks : tuple of two int
        Two numbers of blocks of angles in which what is removed is averaged; either may be 0.

    Returns
    -------
    means, more_means : array of float64, shape (block, column)
        Means of what is removed.
    """
    means, more_means = np.empty((blocks[0], columns)), np.empty((blocks[1], columns))
    extension().sort_groups(groups, size, removed, means, more_means, level())
    return means, more_means


def from_groups(
    groups: NDArray[np.float32],
    removed: NDArray[np.float32],
    share: NDArray[np.float32],
    constant: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Copy what is left of a sinogram in groups when stripes are taken away.

    Parameters
    ----------
    groups, removed : array of float32, shape (group, angle, 16)
        Attenuation, and what sorting removes of it.
    share : array of float32, shape (column,)
        Part of what sorting removes that is taken away.
    constant : array of float32, shape (column,)
        Attenuation that is taken away too.
    out : array of float32, shape (angle, column)
        Where it goes; angles may lie apart, columns not.
    """
    extension().from_groups(groups, removed, share, constant, out, level())
