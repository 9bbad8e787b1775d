"""CUDA kernels run as C++ on the processor, so that their one source is tested where there is no GPU.

`OnProcessor` stands where `tomarium.kernels.cuda.modules.modules()` stands on a GPU. Arrays are NumPy's.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.kernels.cuda.modules import OPTIONS, Function, source_text

HEADER: Final = Path(__file__).with_name("cuda_on_processor.h")
RUNTIME: Final = HEADER.with_suffix(".cpp")
CACHE: Final = Path(tempfile.gettempdir()) / f"tomarium-cuda-on-processor-{os.getuid()}"
ORDERS: Final = {"forward": 0, "backward": 1, "random": 2}
SANITIZERS: Final = {
    "": ["-O2"],
    "address": ["-O1", "-g", "-fsanitize=address,undefined,float-cast-overflow", "-fsanitize-sections=cuda_shared",
                "-fno-sanitize-recover=all"],
    "thread": ["-O1", "-g", "-fsanitize=thread"],
}  # fmt: skip
FLAGS: Final = ["-fPIC", "-ffp-contract=off", "-march=native"]
WARNINGS: Final = ["-Wall", "-Wextra", "-Wdouble-promotion", "-Wno-unknown-pragmas"]
KERNEL: Final = r'extern\s+"C"\s+__global__[^;{]*?(\w+)\s*\(\s*(?!\d)[^()]*\)\s*\{'


def why_not() -> str | None:
    """Return why kernels cannot run on the processor here; None where they can."""
    return None if shutil.which("g++") else "no g++: CUDA kernels cannot be compiled for the processor"


def _compile(arguments: Sequence[str], result: Path) -> None:
    """Compile into a file that is there whole or not at all; a warning is an error."""
    made = result.with_name(f"{result.name}.{os.getpid()}")
    done = subprocess.run(["g++", *arguments, "-o", str(made)], capture_output=True, text=True, check=False)
    if done.returncode or "warning:" in done.stderr:
        raise RuntimeError(done.stderr)
    made.replace(result)


def _key(*parts: Any) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:16]


@cache
def _runtime() -> Path:
    CACHE.mkdir(exist_ok=True)
    made = CACHE / f"{_key(RUNTIME.read_text(), HEADER.read_text(), FLAGS)}.o"
    if not made.exists():
        _compile(["-std=c++20", *FLAGS, "-O1", "-c", str(RUNTIME)], made)
    return made


@cache
def library(text: str, options: tuple[str, ...], sanitize: str) -> ctypes.CDLL:
    """Return the library of a source, compiled where it is not there yet."""
    runtime = _runtime()
    flags = [
        *FLAGS,
        *SANITIZERS[sanitize],
        *WARNINGS,
        *(one for one in options if not one.startswith("-std")),
    ]
    made = CACHE / f"{_key(text, runtime.name, flags)}.so"
    if not made.exists():
        exports = "".join(f"CUDA_ON_PROCESSOR_EXPORT({name})\n" for name in re.findall(KERNEL, text))
        source = made.with_suffix(f".{os.getpid()}.cpp")
        source.write_text(f"{text}\n{exports}")
        try:
            _compile(
                ["-std=c++20", *flags, "-shared", "-include", str(HEADER), str(source), str(runtime)], made
            )
        finally:
            source.unlink()
    return ctypes.CDLL(str(made))


class OnProcessor:
    """The CUDA sources, compiled as C++.

    `order` is in which order blocks and their threads run: "forward", "backward" or "random". `sanitize` is "",
    "address" or "thread"; the library of that sanitizer must be loaded before Python, see `preload`. `changes` of a
    source's text are (what is right, what is wrong): mistakes that a test has to find.
    """

    def __init__(
        self, order: str = "forward", sanitize: str = "", changes: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.xp: Any = np
        self._order, self._sanitize, self._changes = order, sanitize, tuple(changes)

    def kernel(self, source: str, name: str, options: tuple[str, ...] = ()) -> Function:
        """Return the kernel `name` of `source`.cu, compiled with further options."""
        text = source_text(source)
        for right, wrong in self._changes:
            if right in text:
                text = text.replace(right, wrong)
        made = library(text, OPTIONS + options, self._sanitize)
        run, codes = made[name + "__run"], made[name + "__codes"]
        run.restype, codes.restype = ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)
        run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
        expected: list[str] = []
        for code in codes():
            if code is None:
                break
            expected.append(code.decode())

        def call(
            grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], shared_mem: int = 0
        ) -> None:
            if len(arguments) != len(expected):
                raise TypeError(f"{name} takes {len(expected)} arguments, not {len(arguments)}")
            made.cuda_on_processor_order(ctypes.c_int(ORDERS[self._order]), ctypes.c_uint(1))
            kept = [_argument(name, i, *one) for i, one in enumerate(zip(arguments, expected, strict=True))]
            pointers = (ctypes.c_void_p * len(kept))(*[one.ctypes.data for one in kept])
            sizes = [np.array((*n, 1, 1)[:3], np.uint32) for n in (grid, block)]
            error = run(sizes[0].ctypes.data, sizes[1].ctypes.data, shared_mem, ctypes.addressof(pointers))
            if error is not None:
                raise RuntimeError(f"{name}: {error.decode()}")

        return call


def _argument(name: str, index: int, value: Any, code: str) -> np.ndarray[Any, Any]:
    """Return the memory that an argument is read from; CuPy checks none of this."""
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(
            f"{name}: argument {index} is a Python {type(value).__name__}; CuPy would pass 64 bits of it"
        )
    given = value.dtype.kind + str(value.dtype.itemsize)
    wanted, is_pointer = code.split("*")[0], "*" in code
    is_array = isinstance(value, np.ndarray) and value.ndim > 0
    if is_pointer != is_array or (given != wanted and wanted != "?"):
        shown = f"{given}*" if is_array else given
        raise TypeError(f"{name}: argument {index} is {shown}, the kernel takes {code}")
    if not is_pointer:
        return np.array(value)
    if not value.flags.c_contiguous:
        raise TypeError(f"{name}: argument {index} is not C-contiguous")
    return np.array(value.ctypes.data, np.uintp)


def preload(sanitize: str) -> dict[str, str]:
    """Return the environment variables under which Python runs kernels with a sanitizer."""
    if not sanitize:
        return {}
    name = {"address": "libasan.so", "thread": "libtsan.so"}[sanitize]
    found = subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return {
        "LD_PRELOAD": str(Path(found.stdout.strip()).resolve()),
        "ASAN_OPTIONS": "detect_leaks=0",
        "TSAN_OPTIONS": "exitcode=66:halt_on_error=1:report_thread_leaks=0",
        "OMP_NUM_THREADS": "1",
    }
