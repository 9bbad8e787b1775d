"""Forward projection and its exact transpose on a GPU; `tomarium.kernels.projection` is the twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.cuda.gridding import GridTables
from tomarium.kernels.cuda.modules import Modules


def projection_tables(
    modules: Modules, angles_deg: NDArray[np.float64], axis_column: float, columns: int, size: int
) -> GridTables:
    """Work out the tables of one geometry, once for all slices and iterations.

    Parameters
    ----------
    modules : Modules
        Of the device.
    angles_deg : array of float64, shape (view,)
        Degrees, in any order.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    columns, size : int
        Columns of the detector and pixels along an edge of the slices.

    Returns
    -------
    GridTables
        On the device.
    """
    raise NotImplementedError


def project(modules: Modules, images: Any, tables: GridTables, out: Any) -> None:
    """Project slices along parallel rays.

    Parameters
    ----------
    modules : Modules
        Of the device.
    images : array of float32, shape (row, y, x)
        Square slices.
    tables : GridTables
        Of `projection_tables`.
    out : array of float32, shape (view, row, column)
        Where the line integrals go.
    """
    raise NotImplementedError


def project_adjoint(modules: Modules, sinogram: Any, tables: GridTables, out: Any) -> None:
    """Apply the transpose of `project`: backprojection without filter and weights.

    Parameters
    ----------
    modules : Modules
        Of the device.
    sinogram : array of float32, shape (view, row, column)
        Line integrals.
    tables : GridTables
        Of `projection_tables`.
    out : array of float32, shape (row, y, x)
        Where the sum over the views goes.
    """
    raise NotImplementedError
