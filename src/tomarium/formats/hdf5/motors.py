"""Positions of motors in HDF5: single numbers, or one for each frame or projection, in metres or degrees."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import UnitError
from tomarium.formats.hdf5.names import path_of
from tomarium.formats.hdf5.source import NO_UNIT, Source
from tomarium.formats.hdf5.writer import nexus_group, put
from tomarium.model import MotorPositions, Scan

UNITS: Final = {"m": "m", "deg": "degree"}
"""Unit that positions are kept in → as it is written."""


def motor_at(
    source: Source,
    path: str,
    count: int,
    start: h5py.Group | None = None,
    *,
    chosen: NDArray[np.bool_] | None = None,
    demand_unit: bool = False,
) -> MotorPositions | None:
    """Read where a motor stood.

    `count`: projections. `chosen`, shape (frame,): which frames are projections, where a list of all frames may lie
    there. `demand_unit`: whether a number without a length or an angle as its unit is none. Result: None where there
    is no number, a list of another length, a number that is not finite, or a unit of something else.
    """
    node = source.find(path, start)
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "iuf" or not count:
        return None
    lengths = {1, count, count if chosen is None else len(chosen)}
    if node.size not in lengths or node.ndim > 2:
        return None
    unit, scale = _unit_of(source, node)
    if unit is None or (demand_unit and not unit):
        return None
    numbers = source.array(path, start)
    if numbers is None or not np.isfinite(numbers).all():
        return None
    if len(numbers) == 1 and count != 1:
        numbers = np.full(count, numbers[0])
    elif chosen is not None and len(numbers) == len(chosen) and len(numbers) != count:
        numbers = numbers[chosen]
    if len(numbers) != count:
        return None
    # To 15 digits, so that 0.65 µm is 6.5e-07 m.
    value = np.array([float(f"{number * scale:.15g}") for number in numbers]) if scale != 1 else numbers
    return MotorPositions(value, unit, "read", f"{source.path.name}:{path_of(node)}")


def _unit_of(source: Source, node: h5py.Dataset) -> tuple[str | None, float]:
    """Return "m" or "deg" and the factor to it; "" where none is told, None where it is of something else."""
    unit_text = (source.attribute(node, "units") or source.attribute(node, "unit") or "").strip()
    if unit_text.lower() in NO_UNIT:
        return "", 1.0
    for unit in UNITS:
        try:
            return unit, units.factor(unit_text, unit)
        except UnitError:
            continue
    return None, 1.0


def by_short_names(motors: Iterable[tuple[str, MotorPositions]]) -> dict[str, MotorPositions]:
    """Name motors by the last part of their path, or by as much of it as tells them apart.

    `motors`: path → positions. Result: "sx", or "stage_1/sx" and "stage_2/sx".
    """
    listed = list(motors)
    motors_by_name: dict[str, MotorPositions] = {}
    for path, positions in listed:
        parts = path.strip("/").split("/")
        other_paths = [other.strip("/").split("/") for other, _ in listed if other != path]
        length = next(
            (n for n in range(1, len(parts) + 1) if all(other[-n:] != parts[-n:] for other in other_paths)),
            len(parts),
        )
        motors_by_name["/".join(parts[-length:])] = positions
    return motors_by_name


def put_positions(group: h5py.Group, name: str, positions: MotorPositions) -> h5py.Dataset:
    """Write where a motor stood; without a unit where none is known."""
    value: Any = positions.value if positions.moved else float(positions.value[0])
    if positions.unit:
        return put(group, name, value, units=UNITS[positions.unit])
    return group.create_dataset(name, data=value)


def write_positioners(instrument: h5py.Group, scan: Scan) -> None:
    """Write all motors of a scan as NXpositioner of its NXinstrument, each with its own name."""
    for number, (name, positions) in enumerate(scan.geometry.motors.items(), 1):
        if not positions.value.size:
            continue
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:60]
        group = f"motor_{plain}"
        positioner = nexus_group(
            instrument, group if group not in instrument else f"{group}_{number}", "NXpositioner"
        )
        positioner["name"] = name
        put_positions(positioner, "value", positions)
