"""Filtered backprojection by gridding on a GPU, and the tables that it needs; native/gridding.h is the twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tomarium.kernels.backprojection.geometry import Task
from tomarium.kernels.cuda.modules import Modules


@dataclass(frozen=True, eq=False)
class GridTables:
    """One geometry, as the kernels of a device want it. Made by `fbp_tables` and `projection_tables`."""


def fbp_tables(modules: Modules, task: Task) -> GridTables:
    """Work out the tables of one filtered backprojection, once for all slabs.

    Parameters
    ----------
    modules : Modules
        Of the device.
    task : Task
        What to reconstruct, as `tomarium.kernels.backprojection.geometry.make_task` tells it; its `threads` are not
        looked at.

    Returns
    -------
    GridTables
        On the device.
    """
    raise NotImplementedError


def grid_fbp(modules: Modules, sinogram: Any, tables: GridTables, out: Any, *, half: bool = False) -> None:
    """Reconstruct by gridding.

    Parameters
    ----------
    modules : Modules
        Of the device.
    sinogram : array of float32, shape (angle, row, column)
        Attenuation.
    tables : GridTables
        Of `fbp_tables`.
    out : array of float32, shape (row, y, x)
        Where the result goes.
    half : bool
        Keep the filtered projections in 16-bit floats: a quarter of the memory traffic of gridding less.

    Raises
    ------
    InputError
        Shapes do not fit, a value of the sinogram is not finite, or with `half` one is beyond what 16 bits hold.
    """
    raise NotImplementedError


def scratch_bytes(tables: GridTables, angles: int, columns: int, half: bool = False) -> int:
    """Return the memory of the device that a call of `grid_fbp` takes beside its input and output.

    Parameters
    ----------
    tables : GridTables
        Of `fbp_tables`.
    angles, columns : int
        Of the sinogram.
    half : bool
        See `grid_fbp`.

    Returns
    -------
    int
        Upper bound in bytes, however many rows there are.
    """
    raise NotImplementedError
