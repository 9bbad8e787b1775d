"""The lines that an object of pores or vessels is thinned to, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.skeleton_network import network
from tomarium.kernels.thinning import thinned


@dataclass(frozen=True)
class Skeleton:
    """The lines of an object.

    Attributes
    ----------
    length : float
        Of all lines together, px.
    branches, ends : int
        Places where three or more lines meet, and where one ends.
    voxels : int
        Voxels of the lines.
    """

    length: float
    branches: int
    ends: int
    voxels: int


def skeleton(mask: NDArray[np.bool_]) -> Skeleton:
    """Thin an object to lines, and measure them.

    Parameters
    ----------
    mask : array of bool, shape (z, y, x)
        One object.

    Returns
    -------
    Skeleton
        Lengths are those of smoothed lines, see `tomarium.kernels.skeleton_network.network`; no spur is
        left out. A line is shorter than the object by about its radius at each end.

    Raises
    ------
    EngineUnavailable
        scikit-image or SciPy is not installed.

    References
    ----------
    Lee, Kashyap & Chu, CVGIP: Graph. Models Image Process. 56 (1994) 462-478.
    """
    lines = thinned(mask)
    found = network(lines, prune=0)
    kinds = [node.kind for node in found.nodes]
    length = sum(branch.length for branch in found.branches)
    return Skeleton(length, kinds.count("junction"), kinds.count("end"), int(np.count_nonzero(lines)))
