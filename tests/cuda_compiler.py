"""The CUDA sources compiled for GPUs by NVRTC, which needs none: whether they compile, and what they take of a GPU."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tomarium.kernels.backprojection.kaiser_bessel import coefficients, shape_parameter
from tomarium.kernels.cuda import gridding, projection
from tomarium.kernels.cuda.modules import OPTIONS, source_text

ARCHITECTURES: Final = ("sm_75", "sm_80", "sm_90")
SPREAD, FINE = (
    (f"-DPAIRS={gridding.PAIRS}", f"-DCOEFFICIENTS={coefficients(shape_parameter(6, cells_per_pixel))}")
    for cells_per_pixel in (1.25, projection.OVERSAMPLING)
)
VARIANTS: Final = (
    ("flat_field", ("-DIS_FLOAT=0", "-DWIDTH=4", "-DANGLES=8", "-DLOG=1")),
    ("flat_field", ("-DIS_FLOAT=1", "-DWIDTH=1", "-DANGLES=8", "-DLOG=0")),
    ("gridding", (*SPREAD, "-DREACH=3.0f", "-DHALF=0")),
    ("gridding", (*SPREAD, "-DREACH=3.0f", "-DHALF=1")),
    ("projection", (*FINE, "-DTAPS=6")),
    ("direct", ("-DROWS=4",)),
    ("spikes", ("-DIS_FLOAT=0",)),
    ("spikes", ("-DIS_FLOAT=1",)),
    ("stripes", ("-DSIZE=21",)),
    ("stripes", ("-DSIZE=101",)),
)
"""Sources and options as the functions of `tomarium.kernels.cuda.kernels` compile them."""

MOST_REGISTERS: Final = 80
"""Of a thread: 256 of them leave room for three blocks on a multiprocessor."""

MOST_SPILLED: Final = 96
"""Bytes of a thread, of the one kernel that goes through the list of a spike's pixels, which few threads do."""


class NoCompiler(Exception):
    """There is no NVRTC; the message says how to install it."""


@dataclass(frozen=True)
class Used:
    """What a kernel takes of a GPU."""

    kernel: str
    registers: int
    spilled: int
    shared: int


@cache
def nvrtc() -> ctypes.CDLL:
    """Return NVRTC: that of the package nvidia-cuda-nvrtc, or of a toolkit."""
    folders = [
        folder for path in sys.path for folder in sorted(Path(path, "nvidia").glob("*/lib"), reverse=True)
    ]
    for folder in (*folders, Path("/usr/local/cuda/lib64")):
        for library in sorted(folder.glob("libnvrtc.so.*")):
            return ctypes.CDLL(str(library))
    raise NoCompiler("there is no NVRTC; install it with: pip install --group cuda")


def compile_for_gpu(text: str, options: Sequence[str], architecture: str) -> str:
    """Compile a source; return what the compiler says of it."""
    library, program, size = nvrtc(), ctypes.c_void_p(), ctypes.c_size_t()

    def call(function: str, *arguments: Any) -> int:
        return int(library[function](*arguments))

    call("nvrtcCreateProgram", ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None)
    flags = [f"-arch={architecture}", "--ptxas-options=-v", *OPTIONS, *options]
    given = (ctypes.c_char_p * len(flags))(*[flag.encode() for flag in flags])
    status = call("nvrtcCompileProgram", program, len(flags), given)
    call("nvrtcGetProgramLogSize", program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    call("nvrtcGetProgramLog", program, log)
    call("nvrtcDestroyProgram", ctypes.byref(program))
    told = log.value.decode()
    if status:
        raise RuntimeError(told or f"NVRTC ends with {status}")
    return told


def used(source: str, options: Sequence[str], architecture: str) -> Iterator[Used]:
    """Compile a source of the package; yield what its kernels take."""
    told = compile_for_gpu(source_text(source), options, architecture)
    if "warning" in told:
        raise RuntimeError(told)
    for part in told.split("Compiling entry function ")[1:]:
        shared = re.search(r"(\d+) bytes smem", part)
        yield Used(
            part.split("'")[1],
            int(re.findall(r"Used (\d+) registers", part)[0]),
            int(re.findall(r"(\d+) bytes spill stores", part)[0]),
            int(shared[1]) if shared else 0,
        )
