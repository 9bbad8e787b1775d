"""Motors that move the rotation axis: the scans whose axis was accepted are kept in a file beside the index."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tomarium.atomic_files import write_json
from tomarium.catalogue.home import home
from tomarium.errors import FormatError, MissingData
from tomarium.kernels.axis.motor_guess import Accepted, MotorCalibration, calibrate
from tomarium.model import Scan
from tomarium.pipeline.run.journal import read_json


def motors_file() -> Path:
    """Return the file in which accepted axes are kept.

    Returns
    -------
    Path
        `axis_motors.json` in `tomarium.catalogue.home.home()`.
    """
    return home() / "axis_motors.json"


def position_of(scan: Scan, motor: str) -> float:
    """Return where a motor stood in a scan.

    Parameters
    ----------
    scan : Scan
        The scan.
    motor : str
        Its name in the file, or the last part of it.

    Returns
    -------
    float
        In its own unit; the median over the views.

    Raises
    ------
    MissingData
        The file tells no number of that name, or different ones.
    """
    values: dict[str, Any] = {name: motor.value for name, motor in scan.geometry.motors.items()}
    values |= {name: value.value for name, value in scan.metadata.items()}
    candidates = {name: value for name, value in values.items() if motor in (name, name.rsplit("/", 1)[-1])}
    if motor in candidates:
        candidates = {motor: candidates[motor]}
    numbers = {name: number for name, value in candidates.items() if (number := _number(value)) is not None}
    if not numbers:
        raise MissingData(
            f"{scan.path} tells no position of a motor {motor!r}; `tomarium info --all` lists what it tells"
        )
    if len(set(numbers.values())) > 1:
        raise MissingData(
            f"{scan.path} tells several positions of {motor!r}: {', '.join(numbers)}; give the whole name"
        )
    return next(iter(numbers.values()))


def _number(value: Any) -> float | None:
    try:
        number = float(np.median(np.asarray(value, np.float64)))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def as_accepted(scan: Scan, motor: str, column: float) -> Accepted:
    """Make of a scan and the column of its axis what calibrates a motor.

    Parameters
    ----------
    scan : Scan
        The scan.
    motor : str
        Name of the motor.
    column : float
        Column of its axis, 0-based.

    Returns
    -------
    Accepted
        For `calibrate`.

    Raises
    ------
    MissingData
        The pixel size or the position is not known.
    """
    if scan.pixel_m is None:
        raise MissingData(
            f"{scan.path} does not tell its pixel size, by which positions become columns; give --pixel"
        )
    middle = (scan.shape[2] - 1) / 2
    return Accepted(position_of(scan, motor), float(scan.pixel_m.value), float(column) - middle)


def accept(scan: Scan, motor: str, column: float, file: Path | None = None) -> int:
    """Keep the axis of a scan, to calibrate a motor; that of the same scan is replaced.

    Parameters
    ----------
    scan, motor, column
        As for `as_accepted`.
    file : Path, optional
        Where it is kept; `motors_file()` by default.

    Returns
    -------
    int
        How many scans are kept of that motor.

    Raises
    ------
    MissingData
        As `as_accepted`.
    FormatError
        The file holds something else.
    """
    place = file or motors_file()
    accepted = as_accepted(scan, motor, column)
    motors = _read_motors(place)
    entries = [entry for entry in motors.get(motor, []) if entry["scan"] != scan.name]
    entries.append(
        {
            "scan": scan.name,
            "position": accepted.position,
            "pixel_m": accepted.pixel_m,
            "offset_px": accepted.offset_px,
        }
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    write_json(place, {**motors, motor: entries})
    return len(entries)


def calibration_of(motor: str, file: Path | None = None, *, sign: int | None = None) -> MotorCalibration:
    """Calibrate a motor by the scans that were accepted.

    Parameters
    ----------
    motor : str
        Its name, as it was accepted.
    file : Path, optional
        Where they are kept; `motors_file()` by default.
    sign : int, optional
        Direction in which the motor moves the axis, where it is known; see `calibrate`.

    Returns
    -------
    MotorCalibration
        Sign, unit and reference.

    Raises
    ------
    InputError
        Too few scans, or positions that do not tell.
    FormatError
        The file holds something else.
    """
    entries = _read_motors(file or motors_file()).get(motor, [])
    return calibrate(
        [Accepted(entry["position"], entry["pixel_m"], entry["offset_px"]) for entry in entries], sign
    )


def _read_motors(file: Path) -> dict[str, list[dict[str, Any]]]:
    motors = read_json(file) if file.is_file() else {}
    keys = {"scan", "position", "pixel_m", "offset_px"}
    is_valid = isinstance(motors, dict) and all(
        isinstance(entries, list)
        and all(isinstance(entry, dict) and keys <= entry.keys() for entry in entries)
        for entries in motors.values()
    )
    if not is_valid:
        raise FormatError(f"{file} does not hold accepted axes of motors; move it away and accept scans anew")
    return dict(motors)
