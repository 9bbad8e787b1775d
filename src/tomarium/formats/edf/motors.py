"""Motors in the headers of EDF frames: motor_mne lists names, motor_pos positions, neither a unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tomarium.formats.edf.header import EdfBlock
from tomarium.model import MotorPositions


def motors_of(blocks: Sequence[EdfBlock], count: int, source: str) -> dict[str, MotorPositions]:
    """Read where motors stood.

    `blocks`: headers of all projections, or of some. `count`: projections. `source`: their file or files. Result: name
    → positions, as SPEC wrote them, without a unit. Of motors that stand differently in some headers only those are
    told whose position is known at each projection.
    """
    positions_of_blocks = [block.listed("motor") for block in blocks]
    motors: dict[str, MotorPositions] = {}
    for name in positions_of_blocks[0] if positions_of_blocks and count else ():
        series = np.array(
            [positions[name] for positions in positions_of_blocks if name in positions], dtype=np.float64
        )
        if (
            len(series) < len(positions_of_blocks)
            or not np.isfinite(series).all()
            or (np.ptp(series) and len(series) != count)
        ):
            continue
        value = series if len(series) == count else np.full(count, series[0])
        motors[name] = MotorPositions(value, "", "read", f"{source}: motor_pos of {name}")
    return motors
