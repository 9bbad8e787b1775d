"""The rotation axis guessed from the position of a motor, as scans whose axis was accepted calibrate it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tomarium.errors import InputError

FEWEST: Final = 3
"""Accepted scans from which the motor is calibrated."""

ROBUST: Final = 5
"""Scans from which some may be wrong."""

FAR_PX: Final = 20.0
"""An axis farther than this from the guess is doubted."""

_UNITS: Final = {"m": 1.0, "mm": 1e-3, "um": 1e-6}
_TOWARDS: Final = {1: "higher", -1: "lower"}
_CLEAR: Final = 5.0
_LEAST_PX: Final = 0.5


@dataclass(frozen=True)
class Accepted:
    """A scan whose axis was accepted.

    Attributes
    ----------
    position : float
        Of the motor, in its own unit.
    pixel_m : float
        Pixel size at the sample, m.
    offset_px : float
        Column of the axis less that of the middle of the detector, pixels.
    """

    position: float
    pixel_m: float
    offset_px: float


@dataclass(frozen=True)
class MotorCalibration:
    """Where the motor puts the axis.

    Attributes
    ----------
    sign : int
        1 where the axis moves towards higher columns with the position, -1 towards lower ones.
    unit : str
        Unit of the position: m, mm or um.
    reference : float
        Position, in that unit, at which the axis lies in the middle of the detector.
    error_px : float
        Scatter of the accepted scans about it, at the median of their pixels (1.48 times the median deviation).
    scans : int
        How many there are.
    """

    sign: int
    unit: str
    reference: float
    error_px: float
    scans: int

    def offset_px(self, position: float, pixel_m: float) -> float:
        """Return where the axis is to be expected, in pixels from the middle of the detector.

        Parameters
        ----------
        position : float
            Of the motor, in its own unit.
        pixel_m : float
            Pixel size at the sample, m.

        Returns
        -------
        float
            Pixels.
        """
        return self.sign * (position - self.reference) * _UNITS[self.unit] / pixel_m


def calibrate(accepted: Sequence[Accepted], sign: int | None = None) -> MotorCalibration:
    """Find sign, unit and reference of a motor from scans whose axis was accepted.

    Parameters
    ----------
    accepted : sequence of Accepted
        Three at least, at positions that differ by more than their scatter.
    sign : int, optional
        1 where the axis is known to move to higher columns with the position, -1 to lower ones; found by default.

    Returns
    -------
    MotorCalibration
        By medians: of five scans or more, a quarter may be wrong.

    Raises
    ------
    InputError
        Fewer than three, positions that do not tell sign and unit, or that tell the other sign.

    Notes
    -----
    offset = sign (position - reference) unit / pixel. For each sign and unit the reference is the median of what the
    scans tell. The one with the least deviation is taken, the largest one of three or four scans, the upper quartile of
    more, where that of the next is five times as large.
    """
    if len(accepted) < FEWEST:
        raise InputError(
            f"{len(accepted)} scans with an accepted axis: {FEWEST} at least are needed to calibrate the motor; accept "
            f"more of them with --accept"
        )
    position = np.array([scan.position for scan in accepted])
    pixel = np.array([scan.pixel_m for scan in accepted])
    offset = np.array([scan.offset_px for scan in accepted])
    part = 0.75 if len(accepted) >= ROBUST else 1.0
    fits = []
    for towards, (unit, scale) in itertools.product((1, -1), _UNITS.items()):
        reference = float(np.median(position - towards * offset * pixel / scale))
        residuals = offset - towards * (position - reference) * scale / pixel
        fits.append(
            (
                float(np.quantile(np.abs(residuals), part)),
                float(np.median(np.abs(residuals))),
                towards,
                unit,
                reference,
            )
        )
    fits.sort()
    if sign is not None and fits[0][2] != sign:
        right = [fit for fit in fits if fit[2] == sign]
        if right[0][0] > _CLEAR * max(fits[0][0], _LEAST_PX):
            raise InputError(
                f"{len(accepted)} accepted scans tell that the axis moves to {_TOWARDS[-sign]} columns with the motor, "
                f"not to {_TOWARDS[sign]} ones; correct the sign of the motor in the profile"
            )
        fits = right
    elif sign is not None:
        fits = [fit for fit in fits if fit[2] == sign]
    if fits[1][0] < _CLEAR * max(fits[0][0], _LEAST_PX):
        raise InputError(
            f"the positions of {len(accepted)} accepted scans do not tell in which direction the motor moves the axis, "
            f"or in which unit they are: {np.round(position, 6).tolist()}; accept scans at other positions"
        )
    _, spread, towards, unit, reference = fits[0]
    return MotorCalibration(towards, unit, reference, 1.4826 * spread, len(accepted))
