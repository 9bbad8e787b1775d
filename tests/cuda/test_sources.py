"""The CUDA sources compile for GPUs and leave room for several blocks; one of them touches no memory but its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cuda_compiler import ARCHITECTURES, MOST_REGISTERS, MOST_SPILLED, VARIANTS, NoCompiler, nvrtc, used
from cuda_on_processor import preload, why_not


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_source_compiles_and_fits(architecture: str) -> None:
    try:
        nvrtc()
    except NoCompiler as why:
        pytest.skip(str(why))
    for source, options in VARIANTS:
        kernels = list(used(source, options, architecture))
        assert kernels, source
        for one in kernels:
            assert one.registers <= MOST_REGISTERS, one
            assert one.spilled <= (MOST_SPILLED if one.kernel == "mark_spikes" else 0), one
            assert one.shared <= 16384, one


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_gridding_touches_no_memory_but_its_own() -> None:
    check = Path(__file__).with_name("check.py")
    done = subprocess.run(
        [sys.executable, str(check), "--one", "grid_fbp_half", "random", "address"],
        env=os.environ | preload("address"),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
