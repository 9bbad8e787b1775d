"""Unsharp masking: what a Gaussian blur takes away is added once more."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError

_ALIASES: Final = 3
"""Periods of the spectrum on either side that add to it: enough down to a standard deviation of 0.2 px."""


@dataclass(frozen=True)
class Unsharp:
    """I' = (1 + c) I - c G * I with a Gaussian G.

    Attributes
    ----------
    sigma_px : float
        Standard deviation of the Gaussian in pixels, 0.2 or more.
    coefficient : float
        c, 0 or more: 0 changes nothing.

    Raises
    ------
    ParameterError
        A number is out of its range.

    References
    ----------
    PyHST2's parameters PUS (sigma) and PUC (coefficient): A. Mirone et al., Nucl. Instrum. Methods B 324, 41 (2014),
    doi 10.1016/j.nimb.2013.09.030; nabu's `gaussian` form of `UnsharpMask`.
    """

    sigma_px: float
    coefficient: float

    def __post_init__(self) -> None:
        """Refuse what is no mask."""
        if not (isfinite(self.sigma_px) and self.sigma_px >= 0.2):
            raise ParameterError(f"unsharp: sigma_px is {self.sigma_px}; give 0.2 pixels or more")
        if not (isfinite(self.coefficient) and self.coefficient >= 0):
            raise ParameterError(f"unsharp: coefficient is {self.coefficient}; give 0 or more")

    def response(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor of the spectrum.

        Parameters
        ----------
        rows, columns : array of float64, one dimension
            Frequencies in cycles a pixel.

        Returns
        -------
        array of float64, shape (row, column)
            1 at frequency 0, up to 1 + c.
        """
        blurred = np.outer(_gaussian(rows, self.sigma_px), _gaussian(columns, self.sigma_px))
        return np.asarray(1 + self.coefficient * (1 - blurred))

    def reach(self, error: float) -> int:
        """Return the pixels beyond which the Gaussian has less than `error` of its weight."""
        return ceil(self.sigma_px * sqrt(2 * log(1 / error))) if self.coefficient else 0


def _gaussian(frequencies: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Transform the sampled Gaussian, normalised to a sum of 1: by Poisson's formula a sum over the periods."""
    periods = np.arange(-_ALIASES, _ALIASES + 1)[:, None]
    total = np.exp(-2 * (np.pi * sigma * (frequencies + periods)) ** 2).sum(axis=0)
    return np.asarray(total / np.exp(-2 * (np.pi * sigma * periods) ** 2).sum())
