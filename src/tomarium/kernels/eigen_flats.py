"""Flat fields of a beam that moves: the ways in which flats differ from each other, and how much of each a view has.

All in logarithms, in which the pattern of detector and scintillator is a constant: what is left of a flat is the beam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tomarium.errors import InputError

MOST: Final = 8
"""Ways in which flats differ, at most."""

FEWEST_FLATS: Final = 5

SAMPLED: Final = 1 << 14
"""Pixels by which it is told how many ways there are."""

DRAWS: Final = 10
"""Shuffled copies of the flats that tell what noise alone gives."""

CLEARLY: Final = 1.05
"""Times the variance of noise alone that a component has at least."""

BINS: Final = (2048, 32)
"""Rows and columns to which views are averaged, at most: monochromators draw thin horizontal stripes."""

WINDOWS: Final = ((3, 3), (1, 9), (9, 1))
"""Rows and columns over which a component may be smooth."""

ROUNDS: Final = 12
"""Reweightings of the least absolute deviations."""

BEYOND: Final = 3.0
"""Half ranges of the flats within which a view must lie."""


@dataclass(frozen=True)
class EigenFlats:
    """How flats differ from their mean.

    Attributes
    ----------
    mean : array of float32, shape (row, column)
        Logarithm of the mean signal; NaN where there is none.
    components : array of float32, shape (component, row, column)
        Of the logarithm, the strongest first.
    lowest, highest : array of float64, shape (component,)
        Range of the weights of the flats.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]


def eigen_flats(flats: NDArray[np.floating], *, seed: int = 0) -> EigenFlats:
    """Find the ways in which flats differ.

    1. Each flat's logarithm less that of the mean flat, less its own mean over the pixels, which is intensity.
    2. Their principal components, as many as have 5 % more variance than the same rank has in 95 % of copies in
       which each pixel's values are shuffled (parallel analysis), at most 8.
    3. Components are smoothed by the median of 3 × 3 pixels, or of 9 in a row or in a column: that of the three whose
       eight others come nearest to the pixel. A beam is smooth at least along its stripes, however thin they are.

    Parameters
    ----------
    flats : array, shape (flat, row, column)
        Signal: counts less the dark field.
    seed : int
        Of the shuffling and of the pixels it is done on.

    Returns
    -------
    EigenFlats
        Without components where flats differ by noise only.

    Raises
    ------
    InputError
        There are fewer than 5 flats.

    References
    ----------
    V. Van Nieuwenhove et al., Optics Express 23, 27975 (2015), doi 10.1364/OE.23.027975, on intensities; J. Horn,
    Psychometrika 30, 179 (1965), doi 10.1007/BF02289447, for the parallel analysis.
    """
    count = len(flats)
    if count < FEWEST_FLATS:
        raise InputError(
            f"{count} flats do not tell how the beam moves; at least {FEWEST_FLATS} are needed, better 20 or more"
        )
    middle = np.asarray(np.mean(flats, axis=0, dtype=np.float64))
    good = (np.min(flats, axis=0) > 0) & np.isfinite(middle)
    mean = np.full(middle.shape, np.nan, np.float32)
    mean[good] = np.log(middle[good])
    differing = np.zeros((count, int(good.sum())), np.float32)
    for n, flat in enumerate(flats):
        logarithm = np.log(flat[good]) - mean[good]
        differing[n] = logarithm - np.mean(logarithm, dtype=np.float64)
    differing -= differing.mean(axis=0, dtype=np.float64).astype(np.float32)
    scores, number = _principal(differing, np.random.default_rng(seed))
    components = np.zeros((number, *mean.shape), np.float32)
    if number:
        components[:, good] = scores[:, :number].T @ differing
        for n in range(number):
            components[n] = smoothed(components[n])
    weights = scores[:, :number]
    return EigenFlats(
        mean, components, weights.min(axis=0, initial=np.inf), weights.max(axis=0, initial=-np.inf)
    )


def _principal(differing: NDArray[np.float32], draw: np.random.Generator) -> tuple[NDArray[np.float64], int]:
    """Return the weights of all components in the flats, shape (flat, component), and how many of them count."""
    pixels = differing.shape[1]
    chosen = draw.choice(pixels, SAMPLED, replace=False) if pixels > SAMPLED else np.arange(pixels)
    sample = differing[:, chosen].astype(np.float64)
    eigenvalues, vectors = np.linalg.eigh(sample @ sample.T)
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    shuffled = []
    for _ in range(DRAWS):
        mixed = draw.permuted(sample, axis=0)
        mixed -= mixed.mean(axis=1, keepdims=True)
        shuffled.append(np.linalg.eigvalsh(mixed @ mixed.T)[::-1])
    above = eigenvalues > CLEARLY * np.percentile(shuffled, 95, axis=0)
    number = min(int(np.argmin(above)) if not above.all() else len(above), MOST)
    return vectors, number


def binned(image: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """Average an image over blocks; what is left over at the far edges is left out.

    Parameters
    ----------
    image : array, shape (..., row, column)
        Numbers; NaN does not count.
    size : tuple of int
        Rows and columns of a block.

    Returns
    -------
    array of float64, shape (..., row // size[0], column // size[1])
        Means; NaN where a block has no number.
    """
    rows, columns = (n // s for n, s in zip(image.shape[-2:], size, strict=True))
    blocks = image[..., : rows * size[0], : columns * size[1]].astype(np.float64)
    blocks = blocks.reshape(*image.shape[:-2], rows, size[0], columns, size[1])
    finite = np.isfinite(blocks)
    number = finite.sum(axis=(-3, -1))
    total = np.where(finite, blocks, 0).sum(axis=(-3, -1))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def block_size(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the block over which frames are averaged for `Fit`.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of a frame.

    Returns
    -------
    tuple of int
        Rows and columns of a block, at least 1.
    """
    rows, columns = (max(1, n // most_bins) for n, most_bins in zip(shape, BINS, strict=True))
    return rows, columns


class Fit:
    """Finds how much of each component a view has, so that the sample's logarithm has the least total variation.

    Parameters
    ----------
    flats : EigenFlats
        Components.
    """

    def __init__(self, flats: EigenFlats) -> None:
        self.flats = flats
        self.size = block_size((flats.mean.shape[0], flats.mean.shape[1]))
        signal = np.exp(flats.mean)
        self.mean = np.log(binned(signal, self.size))
        smaller = binned(flats.components, self.size)
        self.slopes = np.stack([_slopes(image) for image in smaller]) if len(smaller) else np.zeros((0, 0))

    def weights(self, signal: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the weights of one view.

        Parameters
        ----------
        signal : array, shape (row, column)
            Counts less the dark field.

        Returns
        -------
        array of float64, shape (component,)
            Those that make the slopes of ln(signal) - mean - weights · components least in the sum of absolute
            values: edges of the sample are few and may be as steep as they like.

        References
        ----------
        C. Jailin et al., Journal of Synchrotron Radiation 24, 220 (2017), doi 10.1107/S1600577516015812, for fitting
        flats without air; total variation as by Van Nieuwenhove et al.
        """
        if not len(self.slopes):
            return np.zeros(0)
        not_bad = np.where(np.isfinite(self.flats.mean), signal, np.nan)
        block_means = binned(not_bad, self.size)
        with np.errstate(invalid="ignore", divide="ignore"):
            view_slopes = _slopes(np.log(block_means) - self.mean)
        good = np.isfinite(view_slopes) & np.isfinite(self.slopes).all(axis=0)
        slopes, view_slopes = self.slopes[:, good], view_slopes[good]
        weights = np.zeros(len(slopes))
        if view_slopes.size <= len(slopes):
            return weights
        least = max(0.1 * float(np.median(np.abs(view_slopes))), 1e-9)
        for _ in range(ROUNDS):
            # Without the threads of the linear algebra: views are fitted side by side.
            by = 1 / np.maximum(np.abs(view_slopes - np.einsum("k,kj->j", weights, slopes)), least)
            scaled = slopes * by
            matrix = np.einsum("ij,kj->ik", scaled, slopes)
            matrix[np.diag_indices_from(matrix)] *= 1 + 1e-9
            weights = np.linalg.solve(matrix, np.einsum("kj,j->k", scaled, view_slopes))
        return np.asarray(weights, np.float64)

    def within_flats(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
        """Keep weights within three half ranges of the middle of the flats'.

        Parameters
        ----------
        weights : array of float64, shape (component,)
            As `weights` returns them.

        Returns
        -------
        weights : array of float64, shape (component,)
            Cut where they lie beyond.
        beyond : bool
            Whether one did.
        """
        middle = (self.flats.highest + self.flats.lowest) / 2
        reach = BEYOND * (self.flats.highest - self.flats.lowest) / 2
        cut = np.clip(weights, middle - reach, middle + reach)
        return cut, bool((cut != weights).any())


def _slopes(image: NDArray[np.float64]) -> NDArray[Any]:
    return np.concatenate([np.diff(image, axis=0).ravel(), np.diff(image, axis=1).ravel()])


def smoothed(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of nine pixels about each, over that window whose other eight tell the pixel best.

    Parameters
    ----------
    image : array of float32, shape (row, column)
        A component; mirrored at its edges.

    Returns
    -------
    array of float32, shape (row, column)
        Smoothed over 3 × 3 pixels, or over 9 in a row or in a column.
    """
    missed = [
        _of_nine(image, size, lambda nine: np.median(np.delete(nine, 4, axis=-1), axis=-1))
        for size in WINDOWS
    ]
    best = int(
        np.argmin([float(np.mean((image_missed - image) ** 2, dtype=np.float64)) for image_missed in missed])
    )
    return _of_nine(image, WINDOWS[best], lambda nine: np.median(nine, axis=-1))


def _of_nine(
    image: NDArray[np.float32], size: tuple[int, int], made: Callable[[NDArray[np.float32]], NDArray[Any]]
) -> NDArray[np.float32]:
    """Take nine pixels about each to one number, the image mirrored at its edges."""
    rows, columns = size[0] // 2, size[1] // 2
    mirrored = np.pad(image, ((rows, rows), (columns, columns)), "symmetric")
    result = np.empty_like(image)
    for first in range(0, len(image), 64):
        windows = sliding_window_view(mirrored[first : first + 64 + 2 * rows], size)
        result[first : first + 64] = made(windows.reshape(*windows.shape[:2], 9))
    return result
