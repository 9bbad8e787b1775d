"""Whether a device gives the slices of the processors: looked at once, on a small sinogram, before it is used."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import EngineUnavailable
from tomarium.kernels.cuda.device import Device
from tomarium.kernels.cuda.normalise import normalise_there
from tomarium.kernels.fbp import fbp
from tomarium.kernels.flat_field import normalise

AGREE: Final = 1e-3
"""Part of the range by which the slices may differ; kernels that are right differ by 1e-4 of it at most."""

_AGREED: list[Device] = []


def demand_agreement(device: Device) -> None:
    """Reconstruct two slices of 64 pixels on a device and on the processors, and compare them.

    Parameters
    ----------
    device : Device
        It is looked at once in a process.

    Raises
    ------
    EngineUnavailable
        The slices differ, or the device does not compute at all.
    """
    if any(checked is device for checked in _AGREED):
        return
    draw = np.random.default_rng(0)
    angles, columns = np.arange(48) * 180 / 48, np.arange(64)
    chord = np.sqrt(np.clip(20.0**2 - (columns - 33) ** 2, 0, None))
    counts = draw.poisson(100 + 3000 * np.exp(-0.02 * chord), (48, 2, 64)).astype(np.uint16)
    dark, flats = np.full((2, 64), 100.0, np.float32), np.full((1, 2, 64), 3100.0, np.float32)
    at, when = np.arange(48.0), np.zeros(1)
    expected = fbp(normalise(counts, dark, flats, when, at)[0], angles, 32.0, padding="zero")
    try:
        device_counts = device.copy_in(counts)
        with device.computing():
            attenuation, _ = normalise_there(device_counts, dark, flats, when, at)
            slices = fbp(attenuation, angles, 32.0, padding="zero")
        result: NDArray[np.float32] = device.copy_out(slices, np.empty)
    except Exception as problem:  # what compilers, drivers and libraries raise has no class in common
        reason = str(problem).strip().partition("\n")[0] or type(problem).__name__
        raise EngineUnavailable(
            f"{device.name} cannot compute: {reason}; install what CuPy needs with pip install 'tomarium[gpu]', see "
            f"tomarium doctor --self, or let the processors do the work with --device none"
        ) from problem
    worst = float(np.abs(result - expected).max() / np.ptp(expected))
    if not worst <= AGREE:
        raise EngineUnavailable(
            f"{device.name} gives other slices than the processors: they differ by {worst:.2g} of their range, where "
            f"1e-4 is the most that is expected; let the processors do the work with --device none, and report it with "
            f"the output of tomarium doctor --self"
        )
    _AGREED.append(device)
