"""A device by CuPy: each stream waits for what it needs, whatever the order in which streams go on."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from late_cupy import CUDARuntimeError, LateCuPy, OutOfMemoryError
from tomarium.errors import DeviceFull, EngineUnavailable
from tomarium.kernels.cuda import device as devices
from tomarium.kernels.cuda.device import CudaDevice, Staging, kernels_of, open_device


def opened(monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> tuple[CudaDevice, LateCuPy]:
    cupy = LateCuPy(seed)
    monkeypatch.setattr(devices, "why_not", lambda: None)
    monkeypatch.setattr(devices, "optional_import", lambda *_: cupy)
    return CudaDevice(0), cupy


@pytest.mark.parametrize("seed", range(20))
def test_streams_wait_for_each_other(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    device, cupy = opened(monkeypatch, seed)
    stagings = [Staging(device) for _ in range(3)]  # of three threads
    sent: list[Any] = []
    for slab in range(9):
        staging = stagings[slab % 3]
        if slab >= 3:  # the slab before of this thread leaves
            expected, array = sent[slab - 3]
            found = device.copy_out(array, partial(staging.empty, "out"))
            np.testing.assert_array_equal(found, expected)
        held = staging.empty("in", (2, 3), np.uint16)
        held[...] = slab
        there = device.copy_in(held)
        with device.computing():
            sent.append((np.full((2, 3), 2 * slab), cupy.doubled(there)))


def test_what_a_device_tells_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    device, cupy = opened(monkeypatch)
    assert (device.name, device.driver, device.free_bytes()) == ("late", "CUDA 12.4", 8)
    with pytest.raises(EngineUnavailable, match="there is no GPU 1; there are 1"):
        CudaDevice(1)
    monkeypatch.setattr(cupy.cuda, "Stream", lambda **_: [][0])
    with pytest.raises(EngineUnavailable, match="GPU 0 cannot be opened: list index out of range"):
        open_device.__wrapped__(0)
    with pytest.raises(EngineUnavailable, match="no compiled kernels for arrays of builtins"):
        kernels_of(object())


def test_memory_that_ends_is_told_from_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    device, _ = opened(monkeypatch)
    for problem in (OutOfMemoryError("out"), CUDARuntimeError(2)):
        with pytest.raises(DeviceFull, match="late: "), device.computing():
            raise problem
    with pytest.raises(CUDARuntimeError), device.computing():
        raise CUDARuntimeError(700)
    device.release()
