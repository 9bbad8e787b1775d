"""Motors of a Data Exchange file: lengths and angles in the stages and in the groups `setup` of the instrument.

The guide leaves these groups to the instrument (Table 21); the areaDetector layouts of the APS beamlines name their
motors there, as /measurement/instrument/sample_motor_stack/setup/sample_x in mm.
"""

from __future__ import annotations

import re
from typing import Final

import h5py

from tomarium.formats.hdf5.motors import by_short_names, motor_at, put_positions
from tomarium.formats.hdf5.names import path_of
from tomarium.formats.hdf5.source import Source
from tomarium.model import MotorPositions, Scan

STACK: Final = "sample_motor_stack/setup"
"""Where motors of any name are written, as the areaDetector layouts of the APS name theirs."""
# A place below a group `setup`, a stage or a stack of motors …
_STAGE: Final = re.compile(r"(^|/)(setup|[^/]*(motor_stack|stage|positioner)[^/]*)/")
# … which is none of what has its own place in a scan, nor a property of the detector or its optics.
_OTHER: Final = re.compile(
    r"distance|pixel|resolution|focal|thickness|rotation_axis|magnification", re.IGNORECASE
)


def write_motors(instrument: h5py.Group, scan: Scan) -> None:
    """Write the motors that `motors_of` reads again: those with a unit, under names of no other quantity."""
    for name, positions in scan.geometry.motors.items():
        path = f"{STACK}/{name.replace('/', '_')}"
        if (
            positions.unit
            and positions.value.size
            and not _OTHER.search(name.rsplit("/", 1)[-1])
            and path not in instrument
        ):
            put_positions(instrument, path, positions)


def motors_of(source: Source, measurement: h5py.Group | None, count: int) -> dict[str, MotorPositions]:
    """Read where the motors of a scan stood at its projections.

    `measurement`: None where there is none. `count`: projections. Result: name → positions. Numbers without a unit
    are left out: groups `setup` hold counts and switches too.
    """
    group = None if measurement is None else source.find("instrument", measurement)
    if not isinstance(group, h5py.Group):
        return {}
    base = f"{path_of(group)}/"
    motors = []
    for _, node in source.linked(group):
        path = path_of(node)
        below = path.removeprefix(base)
        if (
            not isinstance(node, h5py.Dataset)
            or not _STAGE.search(below)
            or _OTHER.search(below.rsplit("/", 1)[-1])
        ):
            continue
        positions = motor_at(source, path, count, demand_unit=True)
        if positions is not None:
            motors.append((below, positions))
    return by_short_names(motors)
