"""Filtered backprojection of a sinogram that lies on a device, with the tables of a geometry kept there."""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256
from typing import Any, Final

import numpy as np

from tomarium.array import contiguous
from tomarium.kernels.backprojection.geometry import Task
from tomarium.kernels.cuda.device import kernels_of

MOST_KEPT: Final = 4
"""Geometries whose tables are kept."""

_TABLES: dict[tuple[str, str], Any] = {}


def backproject_there(sinogram: Any, task: Task, out: Any, *, half: bool = False) -> None:
    """Reconstruct by gridding where the sinogram lies.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, row, column)
        Attenuation, on a device.
    task : Task
        What to reconstruct.
    out : array of float32, shape (row, y, x)
        Where the result goes, on the same device.
    half : bool
        Whether filtered projections are kept in 16 bits.

    Raises
    ------
    InputError
        The sinogram holds a value that is not finite.
    EngineUnavailable
        There are no kernels for such arrays.
    """
    modules = kernels_of(sinogram)
    modules.grid_fbp(contiguous(sinogram), _tables(modules, task, str(sinogram.device)), out, half=half)


def _tables(modules: Any, task: Task, place: str) -> Any:
    key = place, _digest(task)
    if key not in _TABLES:
        while len(_TABLES) >= MOST_KEPT:
            _TABLES.pop(next(iter(_TABLES)), None)
        _TABLES[key] = modules.fbp_tables(task)
    return _TABLES[key]


def _digest(task: Task) -> str:
    """Tell a geometry from others."""
    digest = sha256()
    for field in fields(task):
        value = getattr(task, field.name)
        if field.name != "threads":
            digest.update(field.name.encode())
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()


def forget_tables() -> None:
    """Let go of the tables that are kept, and of the memory they take on their devices."""
    _TABLES.clear()
