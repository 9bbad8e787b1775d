"""Positions of motors into HDF5: one number of a motor that stood still, else one for each projection."""

from __future__ import annotations

import re
from typing import Any, Final

import h5py

from tomarium.formats.hdf5.writer import nexus_group, put
from tomarium.model import MotorPositions, Scan

UNITS: Final = {"m": "m", "deg": "degree"}
"""Unit of a position → as it is written."""


def put_positions(group: h5py.Group, name: str, one: MotorPositions) -> h5py.Dataset:
    """Write where a motor stood; without a unit where none is known."""
    value: Any = one.value if one.moved else float(one.value[0])
    if one.unit:
        return put(group, name, value, units=UNITS[one.unit])
    return group.create_dataset(name, data=value)


def write_positioners(instrument: h5py.Group, scan: Scan) -> None:
    """Write all motors of a scan as NXpositioner of its NXinstrument, each with its own name."""
    for number, (name, one) in enumerate(scan.geometry.motors.items(), 1):
        if not one.value.size:
            continue
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:60]
        group = f"motor_{plain}"
        held = nexus_group(
            instrument, group if group not in instrument else f"{group}_{number}", "NXpositioner"
        )
        held["name"] = name
        put_positions(held, "value", one)
