"""Motors that an acquisition wrote into a parameter file of PyHST2 beside its keywords, as at SOLEIL: tx, tz."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tomarium.model import MotorPositions

# PyHST2's keywords are in capitals; these are none of them.
_NAME: Final = re.compile(r"(?:[A-Za-z]\w*_)?[tr][xyz]\d*")


def motors_of(values: Mapping[str, Any], count: int, source: str) -> dict[str, MotorPositions]:
    """Read the motors among the keys of a parameter file.

    `values`: key → value, as number or text. `count`: projections. `source`: name of the file. Result: name →
    positions, without a unit, which the file tells nowhere.
    """
    motors: dict[str, MotorPositions] = {}
    for key, value in values.items():
        if (
            _NAME.fullmatch(key) is None
            or isinstance(value, bool)
            or not isinstance(value, int | float | str)
        ):
            continue
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number) and count:
            motors[key] = MotorPositions(np.full(count, number), "", "read", f"{source}: {key}")
    return motors
