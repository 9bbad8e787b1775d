"""Whole numbers of values: the same compiled and in NumPy, for every class of floats, whatever the length."""

import numpy as np
import pytest

from tomarium.compiled import VARIABLE, extension
from tomarium.errors import EngineUnavailable, ParameterError
from tomarium.kernels.quantise import Beyond, quantise

LIMITS = [(-0.3, 1.7), (0.0, 255.0), (1e-30, 3e38), (-1e-44, 1e-44), (12.5, 12.5000001)]


def levels() -> list[str]:
    try:
        return list(extension().levels())
    except EngineUnavailable:
        return []


@pytest.fixture(scope="module")
def floats() -> np.ndarray:
    """Floats of every sign, exponent and upper half of the digits: NaN, infinite, denormal and others."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0xFFFF], np.uint32)
    return (upper[:, None] | lower).reshape(-1).view(np.float32)


@pytest.mark.skipif(not levels(), reason="the compiled kernels are not there")
@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_the_compiled_kernel_gives_the_numbers_of_numpy(
    floats: np.ndarray, level: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, level)
    for low, high in LIMITS:
        step = (high - low) / np.iinfo(dtype).max
        edges = low + step * (np.arange(0, np.iinfo(dtype).max, 7) + 0.5)  # where rounding turns
        near = np.concatenate([np.nextafter(edges, -np.inf), edges, np.nextafter(edges, np.inf)])
        for values in (floats, near.astype(np.float32), near):
            expected = quantise(values, low, high, dtype, engine="reference")
            np.testing.assert_array_equal(quantise(values, low, high, dtype, engine="native"), expected)
            counted, known = Beyond(), Beyond()
            quantise(values, low, high, dtype, engine="native", beyond=counted)
            quantise(values, low, high, dtype, engine="reference", beyond=known)
            assert counted == known
            assert known.below == np.count_nonzero(values.astype(float) < low)


@pytest.mark.skipif(not levels(), reason="the compiled kernels are not there")
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_no_number_lies_beside_its_place(dtype: str) -> None:
    values = np.random.default_rng(0).normal(size=5_000_000).astype(np.float32)
    expected = quantise(values, -2, 2, dtype, engine="reference")
    held = np.full(values.size + 200, 77, dtype)
    for first, count in ((0, 5), (3, 1023), (1, 1025), (32, 70_001), (5, 4_999_991)):
        held[:] = 77
        for threads in (1, 3):
            quantise(values[:count], -2, 2, dtype, out=held[first : first + count], threads=threads)
            np.testing.assert_array_equal(held[first : first + count], expected[:count])
            assert (held[:first] == 77).all()
            assert (held[first + count :] == 77).all()


def test_values_with_strides_and_of_other_types_are_taken() -> None:
    values = np.arange(24, dtype=np.int16).reshape(4, 6)
    assert quantise(values[:, ::2], 0, 255, "uint8").tolist() == values[:, ::2].tolist()
    swapped = values.astype(">f4")
    assert quantise(swapped, 0, 255, "uint8").tolist() == values.tolist()


def test_what_cannot_be_is_refused() -> None:
    values = np.zeros(4, np.float32)
    with pytest.raises(ParameterError, match="choose uint8 or uint16"):
        quantise(values, 0, 1, "int32")
    with pytest.raises(ParameterError, match="lower one first"):
        quantise(values, 1, 1, "uint8")
    with pytest.raises(ParameterError, match="C-contiguous uint8"):
        quantise(values, 0, 1, "uint8", out=np.zeros(3, np.uint8))
