"""Motors of a BLISS tomography: what lies in instrument/positioners of its scans of projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import h5py
import numpy as np

from tomarium.formats.hdf5.motors import motor_at
from tomarium.formats.hdf5.names import shown
from tomarium.formats.hdf5.source import Source
from tomarium.model import MotorPositions

POSITIONERS: Final = "/{scan}/instrument/positioners"
# Each takes 0.1 ms to read; a control system has hundreds, and a scan may be made of many runs.
_MOST_READ: Final = 4_000


def motors_of(source: Source, runs: Mapping[str, int]) -> dict[str, MotorPositions]:
    """Read where motors stood at the projections.

    `runs`: number of each scan of projections → how many. Result: name → positions. Motors that one of the runs lacks,
    or tells in another unit, are left out; so are, beyond 4000 numbers or lists, the last ones.
    """
    first = source.find(POSITIONERS.format(scan=next(iter(runs)))) if runs else None
    if not isinstance(first, h5py.Group):
        return {}
    motors: dict[str, MotorPositions] = {}
    for name in [shown(key) for key in list(first)[: _MOST_READ // len(runs)]]:
        parts = [
            _positions(source, f"{POSITIONERS.format(scan=scan)}/{name}", count)
            for scan, count in runs.items()
        ]
        motor_positionses = [part for part in parts if part is not None]
        if len(motor_positionses) < len(runs) or len({part.unit for part in motor_positionses}) > 1:
            continue
        source_text = (
            motor_positionses[0].source
            if len(motor_positionses) == 1
            else f"{motor_positionses[0].source} and those of {len(motor_positionses) - 1} more scans"
        )
        value = np.concatenate([part.value for part in motor_positionses])
        motors[name] = MotorPositions(value, motor_positionses[0].unit, "read", source_text)
    return motors


def _positions(source: Source, path: str, count: int) -> MotorPositions | None:
    """Read a motor in one scan; a list may have one position more than frames, where it came to rest."""
    motor_positions = motor_at(source, path, count)
    if motor_positions is not None:
        return motor_positions
    more = motor_at(source, path, count + 1)
    return None if more is None else MotorPositions(more.value[:count], more.unit, more.origin, more.source)
