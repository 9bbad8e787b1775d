"""Spikes of frames on a GPU; native/spikes.h is the twin."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.cuda.modules import Modules
from tomarium.kernels.spikes import NoiseModel, Pattern

KINDS: Final = {"uint16": ("-DIS_FLOAT=0",), "float32": ("-DIS_FLOAT=1",)}
"""Types of frames, and the options by which the source is compiled for them."""


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

    Raises
    ------
    InputError
        Frames are of another type, or `out`, `more` or `beside` does not fit them.
    ParameterError
        `threshold` is not above 0.
    """
    if not threshold > 0:
        raise ParameterError(f"despike: threshold is {threshold}; give standard deviations, above 0")
    xp, kind = modules.xp, str(frames.dtype)
    further = frames[:1] if more is None else more
    near = xp.full((len(frames), 2), -1, np.int32) if beside is None else xp.asarray(beside, np.int32)
    if kind not in KINDS or out.shape != frames.shape or out.dtype != frames.dtype:
        raise InputError(
            f"despike: frames are {kind} of shape {frames.shape} and out {out.dtype} of shape {out.shape}; give uint16 "
            f"or float32 of one shape"
        )
    if (
        near.shape != (len(frames), 2)
        or further.dtype != frames.dtype
        or further.shape[1:] != frames.shape[1:]
    ):
        raise InputError(
            f"despike: beside has shape {near.shape} and more is {further.dtype} of shape {further.shape}; give "
            f"({len(frames)}, 2), and {kind} frames of {frames.shape[1:]}"
        )
    angles, rows, columns = frames.shape
    if not frames.size:
        return 0
    dark = xp.zeros((rows, columns), np.float32) if pattern is None else xp.asarray(pattern.dark)
    relative = xp.ones((rows, columns), np.float32) if pattern is None else xp.asarray(pattern.relative)
    tables = [
        xp.asarray(np.ascontiguousarray(values, np.float64))
        for values in (noise.brightness, noise.sigma, noise.steady)
    ]
    least = np.nextafter(np.float32(threshold * float(noise.sigma.min())), np.float32(0))
    marks = xp.zeros(-(-frames.size // 32), np.uint32)
    replaced = xp.zeros(angles, np.uint64)
    arguments = (
        frames, further, near, dark, relative, *tables,
        *map(np.int32, (angles, rows, columns, len(noise.brightness))), np.float64(threshold),
    )  # fmt: skip
    modules.kernel("spikes", "mark_spikes", KINDS[kind])(
        (-(-columns // 32), -(-rows // 8), angles), (32, 8), (*arguments, least, marks)
    )
    modules.kernel("spikes", "replace_spikes", KINDS[kind])(
        (-(-rows * columns // 256), angles), (256,), (*arguments, marks, out, replaced)
    )
    return int(replaced.sum())
