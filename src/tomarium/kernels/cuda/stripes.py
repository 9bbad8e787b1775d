"""Stripes of sinograms by sorting on a GPU; native/sorting.h is the twin."""

from __future__ import annotations

from typing import Any

from tomarium.kernels.cuda.modules import Modules


def sort_stripes(modules: Modules, sinograms: Any, size: int, out: Any, *, strength: float = 1.0) -> None:
    """Remove stripes by sorting; see `tomarium.kernels.stripes.remove_stripes_by_sorting`.

    Parameters
    ----------
    modules : Modules
        Of the device.
    sinograms : array of float32, shape (angle, row, column)
        Attenuation, finite.
    size : int
        Columns of the median, odd, at most 101.
    out : array of float32, shape (angle, row, column)
        Where the result goes; another array than the sinograms.
    strength : float
        How much of what was found is removed; 1 is all.
    """
    raise NotImplementedError
