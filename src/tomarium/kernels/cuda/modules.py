"""Compiling the CUDA sources of this folder with CuPy, and which GPUs there are, or why none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

from tomarium.errors import EngineUnavailable, InputError

FOLDER: Final = Path(__file__).parent

OPTIONS: Final = ("-std=c++17",)
"""Options of NVRTC for every source; CuPy adds the architecture of the device."""

INSTALL: Final = "pip install 'tomarium[gpu]', or for CUDA 13 pip install 'cupy-cuda13x[ctk]'"


class Function(Protocol):
    """A kernel that can be launched, in the current stream of its device."""

    def __call__(
        self, grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], shared_mem: int = 0
    ) -> None:
        """Launch it; numbers are NumPy's, of the kernel's types, and arrays C-contiguous."""


class Modules(Protocol):
    """The sources compiled for one device, and the array module of what lies there."""

    @property
    def xp(self) -> Any:
        """CuPy; NumPy where the kernels run on the processor."""

    def kernel(self, source: str, name: str, options: tuple[str, ...] = ()) -> Function:
        """Return the kernel `name` of `source`.cu, compiled with further options."""


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes
    ----------
    number : int
        As CUDA counts them.
    name : str
        "NVIDIA H100 80GB HBM3" …
    architecture : str
        "sm_90" …
    memory, free : int
        Bytes that it has, and those that are free.
    driver : str
        Newest version of CUDA that its driver knows.
    """

    number: int
    name: str
    architecture: str
    memory: int
    free: int
    driver: str


def source_text(source: str) -> str:
    """Return the text of a CUDA source.

    Parameters
    ----------
    source : str
        Its name, without `.cu`.

    Returns
    -------
    str
        The text, with that of the headers beside it in place of their names: compilers get no folder.
    """
    text = (FOLDER / f"{source}.cu").read_text("utf-8")
    return re.sub(r'#include "(\w+\.h)"\n', lambda named: (FOLDER / named[1]).read_text("utf-8"), text)


def available() -> bool:
    """Tell whether CUDA kernels can run here.

    Returns
    -------
    bool
        Whether there is CuPy and a GPU that answers.
    """
    return why_not() is None


def why_not() -> str | None:
    """Tell why CUDA kernels cannot run here.

    Returns
    -------
    str or None
        What is missing, and how to get it; None where they can.
    """
    if find_spec("cupy") is None:
        return f"CuPy is not installed; where there is an NVIDIA GPU: {INSTALL}"
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except ImportError as problem:
        return (
            f"CuPy does not load: {_first_line(problem)}; install the one for your version of CUDA: {INSTALL}"
        )
    except Exception as problem:
        return f"CuPy finds no GPU: {_first_line(problem)}; see what nvidia-smi says"
    return None if count else "there is no NVIDIA GPU"


def _first_line(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip(" =")]
    return lines[0] if lines else type(problem).__name__


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that can be used.

    Returns
    -------
    tuple of Gpu
        None of them where `why_not` says why.
    """
    if not available():
        return ()
    import cupy

    runtime = cupy.cuda.runtime
    version = runtime.driverGetVersion()
    usable = []
    for number in range(runtime.getDeviceCount()):
        with cupy.cuda.Device(number):
            free, memory = runtime.memGetInfo()
            properties = runtime.getDeviceProperties(number)
        name = (
            properties["name"].decode() if isinstance(properties["name"], bytes) else str(properties["name"])
        )
        architecture = f"sm_{properties['major']}{properties['minor']}"
        usable.append(
            Gpu(number, name, architecture, memory, free, f"{version // 1000}.{version % 1000 // 10}")
        )
    return tuple(usable)


@cache
def modules(number: int = 0) -> Modules:
    """Return the sources compiled for a GPU.

    Parameters
    ----------
    number : int
        Of the GPU, as CUDA counts them.

    Returns
    -------
    Modules
        They are compiled when they are first asked for, and kept by CuPy on disk. They run where they were made for:
        launch them with that GPU as CuPy's current device.

    Raises
    ------
    EngineUnavailable
        There is no such GPU, or no CuPy; the message says why.
    """
    why = why_not()
    if why is not None:
        raise EngineUnavailable(f"no GPU can be used: {why}")
    import cupy

    count = cupy.cuda.runtime.getDeviceCount()
    if not 0 <= number < count:
        raise EngineUnavailable(f"there is no GPU {number}; there are {count}, counted from 0")
    return _OfCuPy(cupy, number)


class _OfCuPy:
    """Sources compiled by CuPy for one GPU."""

    def __init__(self, cupy: Any, number: int) -> None:
        self.xp = cupy
        self._number = number
        self._functions: dict[tuple[str, str, tuple[str, ...]], Function] = {}

    def kernel(self, source: str, name: str, options: tuple[str, ...] = ()) -> Function:
        """Return the kernel `name` of `source`.cu, compiled with further options."""
        key = source, name, options
        if key not in self._functions:
            self._functions[key] = _checked(f"{source}.cu: {name}", self._compiled(source, name, options))
        return self._functions[key]

    def _compiled(self, source: str, name: str, options: tuple[str, ...]) -> Any:
        try:
            with self.xp.cuda.Device(self._number):
                module = self.xp.RawModule(code=source_text(source), options=OPTIONS + options)
                return module.get_function(name)
        except Exception as problem:  # what the compiler and the driver raise has no class in common
            raise EngineUnavailable(
                f"the CUDA kernel {name} cannot be made for GPU {self._number}: {problem}; CuPy and the driver have to "
                f"fit each other, see `tomarium doctor --self`"
            ) from problem


def _checked(name: str, function: Any) -> Function:
    """Wrap a kernel of CuPy, which looks neither at the strides of arrays nor at the size of numbers."""

    def call(
        grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], shared_mem: int = 0
    ) -> None:
        for index, value in enumerate(arguments):
            if not hasattr(value, "dtype"):
                raise InputError(
                    f"{name}: argument {index} is a {type(value).__name__}; give a number of NumPy's"
                )
            if getattr(value, "ndim", 0) and not value.flags.c_contiguous:
                raise InputError(f"{name}: argument {index} of shape {value.shape} is not C-contiguous")
        function(tuple(grid), tuple(block), tuple(arguments), shared_mem=shared_mem)

    return call
