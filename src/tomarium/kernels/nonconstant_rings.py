"""Errors of pixels that change as the sample turns: a double flat field for each block of angles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.double_flat_field import CHUNK, LEAST_VIEWS, LOWEST, constant_errors


def block_errors(
    views: Any,
    blocks: int,
    *,
    size: tuple[int, int] = (9, 9),
    transmission: bool = False,
    spared: NDArray[np.float64] | None = None,
    threads: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each pixel adds in each block of angles, as far as its noise lets that be told.

    1. The views are parted into blocks of neighbouring angles, as equal as can be. In each the errors of the pixels are
       those of a double flat field, E_j, see `constant_errors`.
    2. C is the mean of E_j over the blocks, and F the variance of E_j about it. The noise V of E_j is known from
       the differences of neighbouring views, V = ⟨(p[k+1] - p[k])²⟩ / 2 / views of a block.
    3. The errors are C + max(0, 1 - V / F) (E_j - C): where a pixel varies from block to block no more than its noise
       does, it has the same error at all angles.

    Parameters
    ----------
    views : array of float32, shape (angle, row, column)
        Attenuation p, or transmission.
    blocks : int
        Blocks of angles, at least 1.
    size : tuple of int
        Rows and columns of the window, odd.
    transmission : bool
        Whether they are transmission, whose logarithm is taken.
    spared : array of float64, shape (column,), optional
        As in `constant_errors`.
    threads : int
        Rows in work at a time.

    Returns
    -------
    errors : array of float64, shape (block, row, column)
        In attenuation.
    centres : array of float64, shape (block,)
        Middle of each block, on the scale of the views' index.

    Raises
    ------
    InputError
        There are fewer than 8 views for each block, or a value is not finite.

    References
    ----------
    W. James and C. Stein, Proceedings of the 4th Berkeley Symposium 1, 361 (1961), on the shrinkage; the blocks are
    those of tomodata's nonconstant_rings.
    """
    if len(views) < LEAST_VIEWS * blocks:
        raise InputError(
            f"nonconstant_rings: {len(views)} views are too few for {blocks} blocks of {LEAST_VIEWS} or more; set "
            f"nonconstant_rings.blocks={max(1, len(views) // LEAST_VIEWS)}"
        )
    places = np.array_split(np.arange(len(views)), blocks)
    errors = np.stack(
        [
            constant_errors(
                views[part[0] : part[-1] + 1],
                transmission=transmission,
                size=size,
                spared=spared,
                threads=threads,
            )
            for part in places
        ]
    )
    centres = np.array([part.mean() for part in places])
    if blocks == 1:
        return errors, centres
    constant = errors.mean(axis=0)
    spread = errors.var(axis=0, ddof=1)
    noise = _noise(views, transmission) * blocks / len(views)
    share = np.maximum(0, 1 - noise / np.maximum(spread, 1e-30))
    return constant + share * (errors - constant), centres


def interpolated(
    errors: NDArray[np.float64], centres: NDArray[np.float64], views: int
) -> Iterator[NDArray[np.float64]]:
    """Yield the error of each view, linear between the middles of blocks and constant beyond the outer two.

    Parameters
    ----------
    errors : array of float64, shape (block, row, column)
        Of each block.
    centres : array of float64, shape (block,)
        Middle of each block, rising, on the scale of the views' index.
    views : int
        Views of the scan.

    Yields
    ------
    array of float64, shape (row, column)
        Of one view after the other.
    """
    for place in np.interp(np.arange(views), centres, np.arange(len(errors))):
        before = min(int(place), len(errors) - 1)
        after, part = min(before + 1, len(errors) - 1), place - before
        yield errors[before] if part == 0 else errors[before] + part * (errors[after] - errors[before])


def _noise(views: Any, transmission: bool) -> NDArray[np.float64]:
    """Return the variance of the noise of one view, from the differences of neighbouring ones."""
    total = np.zeros(views.shape[1:], np.float64)
    count = max(2, CHUNK // max(1, total.size))
    for start in range(0, len(views) - 1, count - 1):
        part = views[start : start + count]
        if transmission:
            part = -np.log(np.maximum(part, np.float32(LOWEST)))
        step = np.diff(part, axis=0)
        total += np.einsum("kzu,kzu->zu", step, step, dtype=np.float64)
    return total / (2 * (len(views) - 1))
