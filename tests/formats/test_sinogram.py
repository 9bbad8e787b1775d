"""Sinograms that do not say they are one: asked for with their angles, refused with how many to give."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import tifffile

import tomarium as tm
from tomarium.errors import FormatError, ParameterError
from tomarium.formats.matlab.mat5 import arrays, load
from tomarium.model import Scan

RNG = np.random.default_rng(2)
Find = Callable[[str], Path]


def everything(scan: Scan) -> np.ndarray:
    return scan.projections.read(slice(None), slice(None))[:, 0]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_arrays_that_scipy_writes(tmp_path: Path, dtype: str, compressed: bool) -> None:
    table = RNG.integers(0, 100, (5, 7)).astype(dtype)
    small = np.arange(4, dtype=dtype).reshape(2, 2)
    held = {
        "name": "text",
        "z": 1j * table,
        "s": {"a": 1},
        "sinogram": table,
        "n": small,
        "cube": np.zeros((2, 3, 4)),
    }
    scipy.io.savemat(tmp_path / "x.mat", held, do_compression=compressed)
    found = {one.name: one for one in arrays(tmp_path / "x.mat")}
    assert list(found) == ["sinogram", "n", "cube"]
    for name in found:
        again = load(tmp_path / "x.mat", found[name])
        np.testing.assert_array_equal(again, held[name])
        assert again.dtype == held[name].dtype


def test_the_array_called_sinogram_goes_first_and_any_can_be_named(tmp_path: Path) -> None:
    held = {
        "a": RNG.uniform(size=(4, 5)),
        "Sino": RNG.uniform(size=(6, 5)),
        "mask": np.ones((6, 5), np.uint8),
    }
    scipy.io.savemat(tmp_path / "x.mat", held)
    scan = tm.open(tmp_path / "x.mat", angles_deg=np.arange(6.0))
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(everything(scan), held["Sino"])
    named = tm.open(tmp_path / "x.mat", entry="a", angles_deg=np.arange(4.0))
    assert isinstance(named, Scan)
    np.testing.assert_array_equal(everything(named), held["a"])
    with pytest.raises(ParameterError, match="it holds Sino, a, mask"):
        tm.open(tmp_path / "x.mat", entry="b")


def test_angles_beside(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", RNG.integers(0, 9, (4, 6)).astype(np.uint8))
    assert not isinstance(tm.open(tmp_path / "x.tif"), Scan)
    with pytest.raises(FormatError, match="give 4 angles as angles_deg"):
        tm.open(tmp_path / "x.tif", as_format="sinogram")
    (tmp_path / "x.angles.txt").write_text("0 45 90 135")
    scan = tm.open(tmp_path / "x.tif")
    assert isinstance(scan, Scan)
    assert scan.angles_deg.value.tolist() == [0.0, 45.0, 90.0, 135.0]
    assert scan.shape == (4, 1, 6)


def test_no_array_of_two_axes(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"a": "text", "b": np.zeros((1, 9))})
    with pytest.raises(FormatError, match="without an array of two axes"):
        tm.open(tmp_path / "x.mat")


def test_an_array_that_unfolds_without_end_is_cut_short(tmp_path: Path) -> None:
    """10 MB of zeros where the array claims 3 x 3 numbers: only what it claims is unfolded, and it is whole."""
    scipy.io.savemat(tmp_path / "x.mat", {"a": np.ones((3, 3))})
    plain = (tmp_path / "x.mat").read_bytes()
    element = plain[128:] + bytes(10 << 20)
    packed = zlib.compress(element)
    (tmp_path / "x.mat").write_bytes(plain[:128] + struct.pack("<2I", 15, len(packed)) + packed)
    assert load(tmp_path / "x.mat", arrays(tmp_path / "x.mat")[0]).tolist() == np.ones((3, 3)).tolist()
    # And one that claims more than anyone has.
    huge = bytearray(plain)
    place = huge.index(struct.pack("<2i", 3, 3))
    struct.pack_into("<2i", huge, place, 2**30, 2**30)
    (tmp_path / "x.mat").write_bytes(huge)
    with pytest.raises(FormatError, match="too large to be read"):
        load(tmp_path / "x.mat", arrays(tmp_path / "x.mat")[0])


@pytest.mark.parametrize(
    ("name", "shape", "turn"),
    [("neutron_360.tif", (459, 1, 503), 360.0), ("neutompy_sinogram.tiff", (1125, 1, 924), 360.0)],
)
def test_the_real_neutron_sinograms(
    shared: Find, name: str, shape: tuple[int, int, int], turn: float
) -> None:
    path = shared(f"sinograms/{name}")
    with pytest.raises(
        FormatError, match=f"it may be a sinogram of {shape[0]} angles .* give {shape[0]} angles"
    ):
        tm.open(path, as_format="sinogram")
    scan = tm.open(path, as_format="sinogram", angles_deg=np.linspace(0, turn, shape[0]))
    assert isinstance(scan, Scan)
    assert scan.shape == shape
    np.testing.assert_array_equal(everything(scan), tifffile.imread(path))


def test_the_real_matlab_sinogram(shared: Find) -> None:
    path = shared("sinograms/SinoInpaint.mat")
    with pytest.raises(FormatError, match=r"its array Sinogram says no angles; .* give 1024 angles"):
        tm.open(path)
    scan = tm.open(path, angles_deg=np.linspace(0, 180, 1024, endpoint=False))
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(everything(scan), scipy.io.loadmat(path)["Sinogram"])
