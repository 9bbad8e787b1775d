"""Where motors stood during a scan, in the unit that the file tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.model.value import Origin, Value

# Unit of a position → how the key of a record's parameter ends. Without a unit it ends in no word of a unit.
_ENDINGS: Final = {"m": "_m", "deg": "_deg", "": ""}
# A record lists so many motors, those that moved first; control systems have hundreds, which the provenance holds.
MOST_LISTED: Final = 64


@dataclass(frozen=True)
class MotorPositions:
    """Positions of one motor, with their unit and where they come from.

    Attributes
    ----------
    value : array of float64, shape (angle,)
        Position at each projection, in `unit`.
    unit : str
        "m" or "deg"; "" where the file tells no unit: then the numbers are as they stand there.
    origin : str
        As that of a `Value`.
    source : str
        The place in the file.
    """

    value: NDArray[np.float64]
    unit: str
    origin: Origin
    source: str

    @property
    def moved(self) -> bool:
        """Whether it stood elsewhere at some projection."""
        return bool(self.value.size and np.ptp(self.value))

    @property
    def shown(self) -> str:
        """Its position for people, of one that moved the lowest and the highest: "1.2 mm", "0° … 180°"."""
        if not self.value.size:
            return "unknown"
        edges = [float(self.value.min()), float(self.value.max())] if self.moved else [float(self.value[0])]
        words = " … ".join(units.show(edge, self.unit, digits=7) for edge in edges)
        return words if self.unit else f"{words}, unit not told"


def parameters_of_motors(motors: Mapping[str, MotorPositions]) -> dict[str, Value[Any]]:
    """Name the positions of motors as parameters of a record.

    Parameters
    ----------
    motors : mapping of str to MotorPositions
        Name in the file → positions.

    Returns
    -------
    dict of str to Value
        `motor_sx_position_m` and the like: the position, or of a motor that moved the lowest and the highest one. The
        key of a motor without a unit ends in `_position`. `motors_not_listed` counts those beyond the first 64.

    Examples
    --------
    >>> one = MotorPositions(np.array([0.001, 0.001]), "m", "read", "scan.nx:/entry/sample/x_translation")
    >>> parameters_of_motors({"x_translation": one})["motor_x_translation_position_m"].value
    0.001
    """
    motors_known = [(name, motor) for name, motor in motors.items() if motor.value.size]
    motors_known.sort(key=lambda item: not item[1].moved)
    parameters: dict[str, Value[Any]] = {}
    for name, motor_positions in motors_known[:MOST_LISTED]:
        key = f"motor_{name.replace('/', '_')}_position{_ENDINGS[motor_positions.unit]}"
        source = (
            motor_positions.source
            if motor_positions.unit
            else f"{motor_positions.source}, which tells no unit"
        )
        low, high = float(motor_positions.value.min()), float(motor_positions.value.max())
        if motor_positions.moved:
            source = f"{source}: lowest and highest of {motor_positions.value.size} positions"
            parameters[key] = Value([low, high], motor_positions.origin, source)
        else:
            parameters[key] = Value(low, motor_positions.origin, source)
    if len(motors_known) > MOST_LISTED:
        omitted = len(motors_known) - MOST_LISTED
        parameters["motors_not_listed"] = Value(
            omitted, "derived", "the provenance holds the positions of all motors"
        )
    return parameters
