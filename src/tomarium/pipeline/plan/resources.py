"""What this machine lets a run use."""

from __future__ import annotations

import shutil
from pathlib import Path

from tomarium import array, units
from tomarium.errors import InputError
from tomarium.pipeline.plan.section import Resources

SHARE = 0.6
"""Part of the available memory that is taken unless the user says otherwise."""

MOST_WORKERS = 4
"""More slabs at a time only wait for memory and disk."""


def measure(folder: Path | None, memory: str | None = None, workers: int = MOST_WORKERS) -> Resources:
    """Measure what a run may use.

    Parameters
    ----------
    folder : Path or None
        Where the result goes; need not exist yet. None where it stays in memory.
    memory : str, optional
        Limit with its unit, "4GB"; by default 60 % of what is available.
    workers : int
        Slabs that may be in work at a time.

    Returns
    -------
    Resources
        Memory in bytes, free disk in bytes, processors.

    Raises
    ------
    UnitError
        The limit has no unit, or not one of bytes.
    InputError
        The limit is not positive.
    """
    limit = int(units.parse(memory, "B")) if memory else int(SHARE * array.available_memory())
    if limit <= 0:
        raise InputError(f"a memory limit of {memory} leaves nothing to work with; give one such as 4GB")
    disk = None if folder is None else shutil.disk_usage(_standing(folder)).free
    return Resources(limit, disk, array.processors(), workers)


def _standing(folder: Path) -> Path:
    """Return the nearest folder that exists already."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
