"""Projection followed by backprojection as one convolution, made once for each geometry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.array import contiguous, lies_elsewhere, like, namespace
from tomarium.kernels.projection import ACCURACY, Rays
from tomarium.kernels.ramp import good_length

BLOCK: Final = 32
"""Rows or columns that are transformed at a time."""


@dataclass(frozen=True, eq=False)
class NormalOperator:
    """The product A'A of a projection A and its transpose, for slices that lie in the field all views see.

    There A'A depends on the distance of two pixels alone, so it is a convolution, exact on a grid of twice the size.

    Attributes
    ----------
    size : int
        Pixels along an edge of the slices.
    grid : int
        Edge of the grid on which is convolved, at least 2 · size.
    spectrum : array of float32, shape (grid, grid // 2 + 1)
        Fourier transform of the kernel, which is real.

    References
    ----------
    J. Fessler et al., IEEE Transactions on Signal Processing 53, 3393 (2005), doi 10.1109/TSP.2005.853152.
    """

    size: int
    grid: int
    spectrum: NDArray[np.float32]

    def apply(self, image: Any, other: NormalOperator | None = None) -> tuple[Any, float]:
        """Return A'A image, and image' B'B image of another set of views for the price of a sum.

        Parameters
        ----------
        image : array of float32, shape (y, x)
            A slice, where the spectrum lies; see `moved`.
        other : NormalOperator, optional
            Of other views, for slices of the same size.

        Returns
        -------
        array of float32, shape (y, x)
            A'A image.
        float
            Squared norm of the projections by the other views; 0 without.
        """
        return self._convolve(image, other, True)

    def moved(self, array: Any) -> NormalOperator:
        """Return it for slices that lie where an array does."""
        return replace(self, spectrum=like(self.spectrum, array))

    def _convolve(self, image: Any, other: NormalOperator | None, wanted: bool) -> tuple[Any, float]:
        if lies_elsewhere(image):
            return self._convolve_there(image, other, wanted)
        import ducc0

        n, grid = self.size, self.grid
        rows = np.empty((n, grid // 2 + 1), np.complex64)
        # Some rows or columns at a time stay in the processor's cache from one transform to the next.
        padded = np.zeros((BLOCK, grid), np.float32)
        for first in range(0, n, BLOCK):
            some = image[first : first + BLOCK]
            padded[: len(some), :n] = some
            ducc0.fft.r2c(padded[: len(some)], axes=[1], nthreads=1, out=rows[first : first + BLOCK])
        energy = 0.0
        block = np.empty((grid, BLOCK), np.complex64)
        for first in range(0, rows.shape[1], BLOCK):
            columns = slice(first, min(first + BLOCK, rows.shape[1]))
            part = block[:, : columns.stop - columns.start]
            part[:n] = rows[:, columns]
            part[n:] = 0
            ducc0.fft.c2c(part, axes=[0], nthreads=1, out=part)
            if other is not None:
                energy += other._energy(part, columns)
            if not wanted:
                continue
            part *= self.spectrum[:, columns]
            ducc0.fft.c2c(part, axes=[0], forward=False, nthreads=1, out=part)
            rows[:, columns] = part[:n]
        result = np.empty((n, n), np.float32)
        for first in range(0, n if wanted else 0, BLOCK):
            part = rows[first : first + BLOCK]
            out = padded[: len(part)]
            ducc0.fft.c2r(part, axes=[1], lastsize=grid, forward=False, nthreads=1, out=out)
            np.multiply(out[:, :n], np.float32(1 / grid**2), out=result[first : first + BLOCK])
        return result, energy

    def _convolve_there(self, image: Any, other: NormalOperator | None, wanted: bool) -> tuple[Any, float]:
        """Do the same where the image lies, all of it at a time."""
        xp, n, grid = namespace(image), self.size, self.grid
        padded = xp.zeros((grid, grid), dtype=xp.float32, device=image.device)
        padded[:n, :n] = image
        transform = xp.fft.rfftn(padded, axes=(0, 1))
        energy = 0.0
        if other is not None:
            power = (xp.real(transform) ** 2 + xp.imag(transform) ** 2) * other.spectrum
            sums = xp.sum(power, axis=0, dtype=xp.float64)
            energy = float(2 * xp.sum(sums) - sums[0] - sums[-1]) / grid**2
        if not wanted:
            return image, energy
        product = xp.fft.irfftn(transform * self.spectrum, s=(grid, grid), axes=(0, 1))
        return contiguous(product[:n, :n]), energy

    def energy(self, image: Any) -> float:
        """Return image' A'A image, the squared norm of its projections."""
        return self._convolve(image, self, False)[1]

    def _energy(self, transform: NDArray[np.complex64], columns: slice) -> float:
        """Return what some columns of an image's transform on the grid add to image' A'A image (Parseval)."""
        power = np.square(transform.real) + np.square(transform.imag)
        power *= self.spectrum[:, columns]
        sums = power.sum(axis=0, dtype=np.float64)
        twice = 2 * float(sums.sum())  # with the conjugates, which the first and the last column do not have
        if columns.start == 0:
            twice -= float(sums[0])
        if columns.stop == self.spectrum.shape[1]:
            twice -= float(sums[-1])
        return twice / self.grid**2


def make_normal_operator(rays: Rays, weights: NDArray[np.float32] | None = None) -> NormalOperator:
    """Make the kernel of A'A: the backprojection of a dot's projections.

    Parameters
    ----------
    rays : Rays
        The geometry. Columns of the detector are taken to reach as far as the projections do.
    weights : array of float32, shape (length / 2,), optional
        Weights W of the frequencies of a projection: then it is A'WA.

    Returns
    -------
    NormalOperator
        The convolution.
    """
    import ducc0

    grid = good_length(2 * rays.size)
    points = np.full(rays.phases.shape, 2 / rays.length, np.complex64)
    points[:, 0] /= 2
    if weights is not None:
        points *= weights
    dot = np.empty((grid, grid), np.complex64)
    ducc0.nufft.nu2u(
        points=points.reshape(-1), coord=rays.coordinates, forward=False, epsilon=ACCURACY, nthreads=1,
        periodicity=1.0, out=dot,
    )  # fmt: skip
    kernel = np.ascontiguousarray(dot.real)
    kernel[0] = kernel[:, 0] = 0  # no two pixels are that far apart, and it would not be symmetric
    shifted = np.fft.ifftshift(kernel)
    spectrum = ducc0.fft.r2c(shifted, axes=[0, 1], nthreads=1).real
    return NormalOperator(rays.size, grid, np.ascontiguousarray(spectrum))
