"""Spikes of frames on a GPU; native/spikes.h is the twin."""

from __future__ import annotations

from typing import Any

from tomarium.kernels.cuda.modules import Modules
from tomarium.kernels.spikes import NoiseModel, Pattern


def despike(
    modules: Modules,
    frames: Any,
    noise: NoiseModel,
    out: Any,
    *,
    threshold: float = 8.0,
    pattern: Pattern | None = None,
    beside: Any = None,
    more: Any = None,
) -> int:
    """Replace pixels far brighter than their neighbourhood by its median; see `tomarium.kernels.spikes.remove_spikes`.

    Parameters
    ----------
    modules : Modules
        Of the device.
    frames : array of uint16 or float32, shape (angle, row, column)
        Counts or transmission.
    noise : NoiseModel
        As `measure_noise` returns it; on the host.
    out : array, shape (angle, row, column)
        Where the result goes, of the frames' type; another array than the frames.
    threshold : float
        Standard deviations, above 0.
    pattern : Pattern, optional
        Of the detector; its arrays may lie on the host or on the device.
    beside : array of int32, shape (angle, 2), optional
        Numbers of two frames near each; those from the number of frames on are of `more`, and -1 is none.
    more : array, shape (frame, row, column), optional
        Further frames to look at, of the frames' type.

    Returns
    -------
    int
        Pixels that were replaced.
    """
    raise NotImplementedError
