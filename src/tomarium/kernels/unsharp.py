"""Unsharp masking: what a Gaussian blur takes away is added once more, or the Laplacian of a Gaussian subtracted."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, log, sqrt
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError

_ALIASES: Final = 3
"""Periods of the spectrum on either side that add to it: enough down to a standard deviation of 0.2 px."""


Kind = Literal["gaussian", "log"]
"""The mask: a Gaussian blur, or the Laplacian of a Gaussian."""


@dataclass(frozen=True)
class Unsharp:
    """I' = (1 + c) I - c G * I with a Gaussian G, or I' = I - c ∇²G * I with the Laplacian of one in 1/px².

    Either keeps level light as it is. For a wide detail, of which the blur takes away -σ²/2 ∇²I, c of the Laplacian is
    σ²/2 times that of the Gaussian.

    Attributes
    ----------
    sigma_px : float
        Standard deviation of the Gaussian in pixels, 0.2 or more.
    coefficient : float
        c, 0 or more: 0 changes nothing. That of the Laplacian is in px².
    kind : {"gaussian", "log"}
        The mask; the Laplacian of a Gaussian, "log", takes a standard deviation of 0.5 px or more.

    Raises
    ------
    ParameterError
        A number is out of its range.

    References
    ----------
    PyHST2's parameters PUS (sigma) and PUC (coefficient): A. Mirone et al., Nucl. Instrum. Methods B 324, 41 (2014),
    doi 10.1016/j.nimb.2013.09.030; nabu's `gaussian` form of `UnsharpMask`. PyHST2's UNSHARP_LOG names the Laplacian of
    a Gaussian; nabu's form `log`, I + c G * I, holds no Laplacian and multiplies level light by 1 + c.
    """

    sigma_px: float
    coefficient: float
    kind: Kind = "gaussian"

    def __post_init__(self) -> None:
        """Refuse what is no mask."""
        if not (isfinite(self.sigma_px) and self.sigma_px >= 0.2):
            raise ParameterError(f"unsharp: sigma_px is {self.sigma_px}; give 0.2 pixels or more")
        if not (isfinite(self.coefficient) and self.coefficient >= 0):
            raise ParameterError(f"unsharp: coefficient is {self.coefficient}; give 0 or more")
        if self.kind not in get_args(Kind):
            raise ParameterError(f"unsharp: there is no kind {self.kind!r}; choose gaussian or log")
        if self.kind == "log" and self.sigma_px < 0.5:
            raise ParameterError(
                f"unsharp: sigma_px is {self.sigma_px}; the Laplacian of a Gaussian takes 0.5 pixels or more"
            )

    @property
    def gain(self) -> float:
        """The most by which it raises what it is given, as a part of its range."""
        return 1 + 2 * self.coefficient * (1.0 if self.kind == "gaussian" else 2 / self.sigma_px**2)

    def response(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor of the spectrum.

        Parameters
        ----------
        rows, columns : array of float64, one dimension
            Frequencies in cycles a pixel.

        Returns
        -------
        array of float64, shape (row, column)
            1 at frequency 0, up to 1 + c; of the Laplacian up to 1 + 2 c / (e σ²).
        """
        if self.kind == "log":
            plain = [_gaussian(frequencies, self.sigma_px) for frequencies in (rows, columns)]
            bent = [_curvature(frequencies, self.sigma_px) for frequencies in (rows, columns)]
            return np.asarray(
                1 + self.coefficient * (np.outer(bent[0], plain[1]) + np.outer(plain[0], bent[1]))
            )
        blurred = np.outer(_gaussian(rows, self.sigma_px), _gaussian(columns, self.sigma_px))
        return np.asarray(1 + self.coefficient * (1 - blurred))

    def reach(self, error: float) -> int:
        """Return the pixels beyond which the mask has less than `error` of its weight."""
        if not self.coefficient:
            return 0
        further = 0.0 if self.kind == "gaussian" else 2.0
        return ceil(self.sigma_px * (sqrt(2 * log(1 / error)) + further))


def _gaussian(frequencies: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Transform the sampled Gaussian, normalised to a sum of 1: by Poisson's formula a sum over the periods."""
    periods = np.arange(-_ALIASES, _ALIASES + 1)[:, None]
    total = np.exp(-2 * (np.pi * sigma * (frequencies + periods)) ** 2).sum(axis=0)
    return np.asarray(total / np.exp(-2 * (np.pi * sigma * periods) ** 2).sum())


def _curvature(frequencies: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Transform minus the second derivative of the sampled Gaussian, shifted so that its sum is 0."""
    periods = np.arange(-_ALIASES, _ALIASES + 1)[:, None]

    def summed(at: NDArray[np.float64]) -> NDArray[np.float64]:
        angular = 2 * np.pi * (at + periods)
        return np.asarray((angular**2 * np.exp(-((sigma * angular) ** 2) / 2)).sum(axis=0))

    return summed(frequencies) - summed(np.zeros(1))
