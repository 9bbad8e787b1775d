"""Which engines there are, what is said where they are not, and what memory they take."""

import subprocess
import sys

import numpy as np
import pytest

from tomarium.compiled import VARIABLE, extension, level
from tomarium.errors import EngineUnavailable, ParameterError
from tomarium.kernels.engines import choose, engines, peak_bytes
from tomarium.kernels.fbp import fbp
from tomarium.kernels.flat_field import normalise


def test_engines_are_listed_with_a_reason() -> None:
    found = engines()
    assert list(found) == ["native", "direct", "nufft", "reference", "cuda", "cuda-half"]
    assert all(found[name].name == name and found[name].why for name in found)
    assert found["nufft"].available
    assert found["reference"].available


def test_without_the_extension_the_portable_engine_runs_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    import tomarium

    monkeypatch.delattr(tomarium, "_native", raising=False)
    monkeypatch.setitem(sys.modules, "tomarium._native", None)
    assert "compiler" in engines()["native"].why
    assert not engines()["direct"].available
    assert choose("auto") == "nufft"
    sinogram = np.ones((6, 2, 16), np.float32)
    assert fbp(sinogram, np.arange(6) * 30.0, 7.5).shape == (2, 16, 16)
    with pytest.raises(EngineUnavailable, match="compiler"):
        fbp(sinogram, np.arange(6) * 30.0, 7.5, engine="native")
    counts, dark, flats = np.ones((3, 2, 2)), np.zeros((2, 2)), np.ones((1, 2, 2))
    assert (normalise(counts, dark, flats, [0], [0, 1, 2])[0] == 0).all()
    with pytest.raises(EngineUnavailable):
        normalise(counts, dark, flats, [0], [0, 1, 2], engine="native")


def test_level_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    if not engines()["native"].available:
        pytest.skip("the compiled kernels are not there")
    for name in extension().levels():
        monkeypatch.setenv(VARIABLE, name)
        assert level() == name
    monkeypatch.setenv(VARIABLE, "v9")
    assert "v9" in engines()["native"].why
    with pytest.raises(EngineUnavailable, match="v9"):
        level()


def test_auto_takes_gridding_and_an_unknown_engine_is_refused() -> None:
    assert choose("auto") == ("native" if engines()["native"].available else "nufft")
    assert choose("reference") == "reference"
    with pytest.raises(ParameterError, match="gridrec"):
        choose("gridrec")


GROWTH = r"""
import re, sys
from pathlib import Path
import numpy as np
from tomarium.kernels.fbp import fbp
def peak():  # not ru_maxrss, which a child inherits from the process that started it
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
engine, angles, rows, columns, size, axis = sys.argv[1], *map(int, sys.argv[2:6]), float(sys.argv[6])
fbp(np.ones((8, 16, 16), np.float32), np.arange(8.0), 7.5, engine=engine, threads=2)
sinogram = np.ones((angles, rows, columns), np.float32)
before = peak()
fbp(sinogram, np.arange(angles) * 0.2, axis, engine=engine, size=size, threads=2, padding="zero")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("engine", "shape", "size", "axis"),
    [
        ("native", (600, 16, 700), 700, 0.0),
        ("native", (300, 20, 512), 900, 255.5),
        ("direct", (200, 20, 700), 700, 0.0),
        ("nufft", (600, 3, 700), 700, 0.0),
        ("reference", (4, 1, 1500), 1500, 0.0),
    ],
)
def test_peak_bytes_bounds_what_is_taken(
    engine: str, shape: tuple[int, int, int], size: int, axis: float
) -> None:
    if not engines()[engine].available:
        pytest.skip(f"engine {engine} is not there")
    words = [engine, *map(str, shape), str(size), str(axis)]
    run = subprocess.run([sys.executable, "-c", GROWTH, *words], check=True, capture_output=True, text=True)
    grown, bound = int(run.stdout), peak_bytes(engine, *shape, size, threads=2)
    assert grown <= bound
    if axis == 0.0:  # the worst axis, which the bound is for
        assert grown > 0.4 * bound
    with pytest.raises(ParameterError):
        peak_bytes("gridrec", *shape, size)
