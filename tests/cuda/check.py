"""Try the CUDA kernels in every way that needs no GPU; too long for `make test`, which does the shortest of it.

python tests/cuda/check.py [--only twins|mistakes|compiler]
python tests/cuda/check.py --one TWIN ORDER SANITIZER [MISTAKE]

Every twin runs on the processor with its threads in three orders, with the address and undefined-behaviour sanitizers,
and with the thread sanitizer. Then mistakes are put into the sources, and each has to be found by one of these. Last,
what the kernels take of a GPU is told, where NVRTC is installed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from cuda_compiler import ARCHITECTURES, VARIANTS, NoCompiler, nvrtc, used
from cuda_on_processor import ORDERS, OnProcessor, preload, why_not
from cuda_twins import TWINS

MODES: Final = (*((order, "") for order in ORDERS), ("random", "address"), ("random", "thread"))
LONG: Final = ("grid_fbp", "grid_fbp_beyond", "grid_fbp_about_axes", "grid_fbp_short_period")
"""Left out with the thread sanitizer, with which each takes minutes: their kernels are those of grid_fbp_half."""

MISTAKES: Final = {
    # name: (twin, what is right, what is wrong)
    "no barrier before reading": (
        "grid_fbp_half",
        "                    __syncthreads();\n                    add_chunk",
        "                    add_chunk",
    ),
    "no barrier before writing": (
        "grid_fbp_half",
        "__syncthreads(); // what was at hand",
        "// what was at hand",
    ),
    "barrier in a branch": (
        "grid_fbp",
        "                    __syncthreads();\n                    add_chunk",
        "                    if (row < cells) __syncthreads();\n                    add_chunk",
    ),
    "return before a barrier": (
        "grid_fbp",
        "    Value sum = {};\n    // The tile",
        "    Value sum = {};\n    if (row >= cells) return;\n    // The tile",
    ),
    "one sample too many": (
        "grid_fbp_half",
        "if (f <= last) chunk.sample",
        "if (f <= last + 1) chunk.sample",
    ),
    "one count too many": (
        "grid_fbp_half",
        "chunk.count[mine] = min(SPAN, last - f + 1)",
        "chunk.count[mine] = min(SPAN, last - f + 2)",
    ),
    "a tile sees too few angles": (
        "grid_fbp_half",
        "asinf(radius / distance) + 1e-4f",
        "0.6f * asinf(radius / distance)",
    ),
    "beyond the last column": (
        "direct_fbp",
        "x < x1 && y < y1 &&",
        "x <= x1 && y < y1 &&",
    ),
    "another step of a position": (
        "direct_fbp",
        "(left - 0.5 * (size - 1)) * cx",
        "(left - 0.5 * size) * cx",
    ),
    "no barrier in the backprojection": (
        "direct_fbp",
        "        __syncthreads();\n        if (!inside)",
        "        if (!inside)",
    ),
    "a count that is not atomic": (
        "flat_log",
        "if (clipped) atomicAdd(tally + angle, (unsigned long long)clipped);",
        "tally[angle] += clipped;",
    ),
    "a mask of half a warp": (
        "flat_log",
        "clipped += __shfl_down_sync(0xffffffffu",
        "clipped += __shfl_down_sync(0x0000ffffu",
    ),
    "pixels beyond the frame": (
        "flat_log",
        "const bool inside = pixel < pixels;",
        "const bool inside = pixel <= pixels;",
    ),
    "marks that are not atomic": (
        "despike",
        "atomicOr(marks + bit / 32, 1u << (bit % 32));",
        "marks[bit / 32] |= 1u << (bit % 32);",
    ),
    "no barrier before the median": (
        "despike",
        "    __syncthreads();\n    const int row = top",
        "    const int row = top",
    ),
    "a tile without its last rows": (
        "despike",
        "n += WIDE * HIGH) {",
        "n += 2 * WIDE * HIGH) {",
    ),
    "keys that were not written": (
        "sort_stripes",
        "n < THREADS + SIZE - 1; n += THREADS",
        "n < THREADS; n += THREADS",
    ),
    "a footprint not wrapped": (
        "project",
        "column[t] = x < 0 ? x + cells : x;",
        "column[t] = x < 0 ? 0 : x;",
    ),
    "a neighbour beyond the frame": (
        "fill_invalid",
        "row + i < rows &&",
        "row + i <= rows &&",
    ),
}


def one(twin: str, order: str, sanitizer: str, mistake: str = "") -> None:
    """Run a twin in this process."""
    changes = [MISTAKES[mistake][1:]] if mistake else []
    TWINS[twin](OnProcessor(order, sanitizer, changes))


def in_process(twin: str, order: str, sanitizer: str, mistake: str = "") -> tuple[bool, str, float]:
    """Run a twin in a process of its own; return whether it is well, what it says last, and the seconds."""
    begin = time.perf_counter()
    command = [sys.executable, __file__, "--one", twin, order, sanitizer, mistake]
    done = subprocess.run(
        command, env=os.environ | preload(sanitizer), capture_output=True, text=True, timeout=900, check=False
    )
    marks = ("SUMMARY: ", "runtime error: ", "AssertionError", "RuntimeError: ", "Error")
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    told = (
        [line for line in lines if any(mark in line for mark in marks)]
        or lines
        or [f"exit {done.returncode}"]
    )
    return done.returncode == 0, told[-1][:150], time.perf_counter() - begin


def check_twins() -> int:
    """Run every twin in every mode; return how many are not well."""
    failures = 0
    for twin in TWINS:
        for order, sanitizer in MODES:
            if sanitizer == "thread" and twin in LONG:
                continue
            good, told, seconds = in_process(twin, order, sanitizer)
            failures += not good
            print(
                f"{twin:24} {sanitizer or order:9} {'well' if good else told} ({seconds:.0f} s)", flush=True
            )
    return failures


def check_mistakes() -> int:
    """Put mistakes into the sources; return how many no mode finds."""
    missed = 0
    for mistake, (twin, _, _) in MISTAKES.items():
        found: list[str] = []
        for order, sanitizer in (MODES[0], *MODES[3:]):  # until one finds it
            good, told, _ = in_process(twin, order, sanitizer, mistake)
            if not good:
                found = [sanitizer or order, told]
                break
        missed += not found
        print(f"{mistake:34} {': '.join(found) if found else 'NOT FOUND'}", flush=True)
    return missed


def tell_what_is_used() -> None:
    """Print registers, spills and shared memory of every kernel."""
    try:
        nvrtc()
    except NoCompiler as why:
        print(why)
        return
    for source, options in VARIANTS:
        for architecture in ARCHITECTURES:
            for kernel in used(source, options, architecture):
                print(
                    f"{source + '.cu':14} {kernel.kernel:22} {architecture} {kernel.registers:4} registers "
                    f"{kernel.spilled:4} bytes spilled {kernel.shared:6} bytes shared"
                )


def main() -> int:
    """Check everything, or one twin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs="+", metavar="WORD")
    parser.add_argument("--only", choices=("twins", "mistakes", "compiler"))
    given = parser.parse_args()
    if given.one:
        one(*given.one)
        return 0
    failures = 0
    if why_not():
        print(why_not())
    else:
        failures += check_twins() if given.only in (None, "twins") else 0
        failures += check_mistakes() if given.only in (None, "mistakes") else 0
    if given.only in (None, "compiler"):
        tell_what_is_used()
    print(f"{failures} failures")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
