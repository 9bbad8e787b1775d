"""Which GPUs there are, why none can be used, and what is launched on one; CuPy is stood in for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tomarium.errors import EngineUnavailable, InputError
from tomarium.kernels.cuda import modules
from tomarium.pipeline.protocol.self_check import self_check

LAUNCHED: list[tuple[Any, ...]] = []


class Device:
    """One of two GPUs, as a context."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class RawModule:
    """Takes what CuPy's takes; a kernel of another name than the source's does not compile."""

    def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
        assert all(" " not in one for one in options)
        self.code = code

    def get_function(self, name: str) -> Any:
        if name not in self.code:
            raise RuntimeError("kern.cu(3): error: identifier is undefined")

        def launch(
            grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...], *, shared_mem: int
        ) -> None:
            LAUNCHED.append((grid, block, len(arguments), shared_mem))

        return launch


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A CuPy that finds two GPUs."""
    made: Any = ModuleType("cupy")
    made.__spec__ = ModuleSpec("cupy", None)
    properties = {"name": b"NVIDIA of a test", "major": 9, "minor": 0}
    made.cuda = SimpleNamespace(
        Device=Device,
        runtime=SimpleNamespace(
            getDeviceCount=lambda: 2,
            driverGetVersion=lambda: 12040,
            memGetInfo=lambda: (60 * 10**9, 80 * 10**9),
            getDeviceProperties=lambda number: properties,
        ),
    )
    made.RawModule = RawModule
    monkeypatch.setitem(sys.modules, "cupy", made)
    modules.modules.cache_clear()
    LAUNCHED.clear()
    yield made
    modules.modules.cache_clear()


def gpu_line() -> Any:
    return next(one for one in self_check() if one.name == "GPU")


def test_without_cupy_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "find_spec", lambda name: None)
    assert not modules.available()
    assert modules.gpus() == ()
    assert "pip install 'tomarium[gpu]'" in gpu_line().why
    modules.modules.cache_clear()
    with pytest.raises(EngineUnavailable, match="no GPU can be used: CuPy is not installed"):
        modules.modules(0)


def test_what_the_driver_says_is_told_in_one_line(cupy: Any) -> None:
    def refuse() -> int:
        raise RuntimeError("\n=====\ncudaErrorNoDevice: no CUDA-capable device is detected\n=====")

    cupy.cuda.runtime.getDeviceCount = refuse
    assert modules.why_not() == (
        "CuPy finds no GPU: cudaErrorNoDevice: no CUDA-capable device is detected; see what nvidia-smi says"
    )


def test_gpus_are_named_with_memory_and_driver(cupy: Any) -> None:
    one = modules.gpus()[1]
    assert (one.number, one.name, one.architecture, one.driver) == (1, "NVIDIA of a test", "sm_90", "12.4")
    found = gpu_line()
    assert found.state == "there"
    assert "1: NVIDIA of a test, 80 GB of which 60 GB are free, sm_90, driver for CUDA 12.4" in found.why


def test_a_number_that_is_not_there_is_refused(cupy: Any) -> None:
    with pytest.raises(EngineUnavailable, match="there is no GPU 2; there are 2, counted from 0"):
        modules.modules(2)


def test_what_the_compiler_says_names_the_kernel(cupy: Any) -> None:
    with pytest.raises(EngineUnavailable, match=r"kernel nothing cannot be made for GPU 1: kern.cu\(3\)"):
        modules.modules(1).kernel("direct", "nothing")


def test_what_cupy_would_not_notice_is_refused(cupy: Any) -> None:
    launch = modules.modules(0).kernel("direct", "backproject")
    launch([1, 2], [32, 8], [np.zeros((3, 4), np.float32), np.int32(3)])
    assert LAUNCHED == [((1, 2), (32, 8), 2, 0)]
    with pytest.raises(
        InputError, match=r"direct.cu: backproject: argument 0 of shape \(4, 3\) is not C-contiguous"
    ):
        launch((1,), (32,), (np.zeros((3, 4), np.float32).T,))
    with pytest.raises(InputError, match="argument 1 is a int; give a number of NumPy's"):
        launch((1,), (32,), (np.zeros(3, np.float32), 3))
    assert len(LAUNCHED) == 1
