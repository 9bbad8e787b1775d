"""What this machine lets a run use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from tomarium import array, units
from tomarium.errors import EngineUnavailable, InputError, ParameterError
from tomarium.kernels.cuda import device
from tomarium.kernels.cuda.agreement import demand_agreement
from tomarium.kernels.cuda.modules import why_not
from tomarium.pipeline.plan.on_device import DeviceRoom
from tomarium.pipeline.plan.section import Resources

SHARE = 0.6
"""Part of the available memory that is taken unless the user says otherwise."""

VARIABLE: Final = "TOMARIUM_DEVICE"
"""Environment variable that says which device where no option does: auto, none or a number."""

DEVICE_SHARE = 0.8
"""Part of the free memory of a device that is taken unless the user says otherwise."""

MOST_WORKERS = 4
"""More slabs at a time only wait for memory and disk."""


def measure(
    folder: Path | None,
    memory: str | None = None,
    workers: int = MOST_WORKERS,
    *,
    on: str | None = None,
    device_memory: str | None = None,
) -> Resources:
    """Measure what a run may use.

    Parameters
    ----------
    folder : Path or None
        Where the result goes; need not exist yet. None where it stays in memory.
    memory : str, optional
        Limit with its unit, "4GB"; by default 60 % of what is available.
    workers : int
        Slabs that may be in work at a time.
    on : str, optional
        Device: "auto", one where there is one; "none"; or its number, which is demanded; of several, "0,1", slabs go
        over one after the other. By default what the
        environment variable TOMARIUM_DEVICE says, else "auto".
    device_memory : str, optional
        Limit of the memory there; by default 80 % of what is free.

    Returns
    -------
    Resources
        Memory in bytes, free disk in bytes, processors, device.

    Raises
    ------
    UnitError
        A limit has no unit, or not one of bytes.
    InputError
        A limit is not positive.
    ParameterError
        There is no such word for a device.
    EngineUnavailable
        A device is demanded that is not there.
    """
    limit = _limit(memory) if memory else int(SHARE * array.available_memory())
    disk = None if folder is None else shutil.disk_usage(_standing(folder)).free
    room, why = find_room(on, device_memory)
    workers *= 1 if room is None else len(room.indices)
    return Resources(limit, disk, array.processors(), workers, room, why)


def _limit(memory: str) -> int:
    limit = int(units.parse(memory, "B"))
    if limit <= 0:
        raise InputError(f"a memory limit of {memory} leaves nothing to work with; give one such as 4GB")
    return limit


def _asked(word: str | None) -> str:
    """Return which device is asked for: the option's word, else that of the environment, else "auto"."""
    choice = word if word is not None else os.environ.get(VARIABLE) or "auto"
    if choice not in ("auto", "none") and not all(number.isdecimal() for number in choice.split(",")):
        where = "--device" if word is not None else VARIABLE
        raise ParameterError(
            f"{where} is {choice!r}; write auto, none, or the number of a GPU such as 0, several by commas"
        )
    return choice


def find_room(on: str | None = None, device_memory: str | None = None) -> tuple[DeviceRoom | None, str]:
    """Find the device that is asked for, and how much of it may be used.

    Parameters
    ----------
    on, device_memory
        As for `measure`.

    Returns
    -------
    DeviceRoom or None, str
        The device; where there is none, why.

    Raises
    ------
    ParameterError, UnitError, InputError, EngineUnavailable
        As `measure`.
    """
    choice = _asked(on)
    if choice == "none":
        return None, "none is asked for"
    why = why_not()
    if why is not None and choice == "auto":
        return None, why
    if why is not None:
        raise EngineUnavailable(
            f"device {choice} was asked for, but {why}; to let the processors do the work, leave it out"
        )
    try:
        devices = [device.open_device(index) for index in ([0] if choice == "auto" else _numbers(choice))]
        for opened in devices:
            demand_agreement(opened)
    except EngineUnavailable as problem:
        if choice == "auto":
            return None, str(problem)
        raise
    first, *further_devices = devices
    free = min(opened.free_bytes() for opened in devices)
    bytes_ = _limit(device_memory) if device_memory else int(DEVICE_SHARE * free)
    further = tuple(opened.index for opened in further_devices)
    return DeviceRoom(first.index, first.name, first.driver, bytes_, choice != "auto", further), ""


def _numbers(choice: str) -> list[int]:
    return list(dict.fromkeys(int(number) for number in choice.split(",")))


def _standing(folder: Path) -> Path:
    """Return the nearest folder that exists already."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
