"""Halving of a block: the mean of 2 × 2 × 2 voxels, with the same bits compiled and in NumPy."""

import numpy as np
import pytest

from tomarium.kernels.engines import engines
from tomarium.kernels.halving import halve

ENGINES = ["reference", "native"] if engines()["native"].available else ["reference"]


def halved(block: np.ndarray, engine: str) -> np.ndarray:
    out = np.full(tuple(length // 2 for length in block.shape), 7, np.float32)
    halve(block, out, engine=engine)  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("shape", [(2, 2, 2), (4, 6, 30), (2, 130, 34), (6, 10, 66)])
@pytest.mark.parametrize("engine", ENGINES)
def test_it_is_the_mean(shape: tuple[int, ...], engine: str) -> None:
    block = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    z, y, x = (length // 2 for length in shape)
    mean = block.astype(float).reshape(z, 2, y, 2, x, 2).mean((1, 3, 5))
    np.testing.assert_allclose(halved(block, engine), mean, atol=1e-6)


@pytest.mark.skipif("native" not in ENGINES, reason="the compiled kernels are not there")
@pytest.mark.parametrize("columns", [2, 30, 32, 34, 130])
def test_both_engines_give_the_same_bits(columns: int) -> None:
    draw = np.random.default_rng(columns)
    block = (draw.normal(size=(4, 134, columns)) * 10.0 ** draw.integers(-30, 30, columns)).astype(np.float32)
    block[1, 3, 1], block[2, 0, 0] = np.nan, np.inf
    np.testing.assert_array_equal(halved(block, "native"), halved(block, "reference"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("engine", ENGINES)
def test_whole_numbers_are_rounded_to_the_nearest(dtype: str, engine: str) -> None:
    most = np.iinfo(dtype).max
    block = np.random.default_rng(2).integers(0, most, (4, 132, 70), dtype, endpoint=True)
    block[:2, :2, :2], block[:2, :2, 2:4] = most, [[[0, 1], [1, 1]], [[1, 0], [0, 0]]]  # the mean is a half
    mean = block.astype(float).reshape(2, 2, 66, 2, 35, 2).mean((1, 3, 5))
    out = np.zeros(mean.shape, dtype)
    halve(block, out, engine=engine)  # type: ignore[arg-type]
    np.testing.assert_array_equal(out, np.rint(mean))


def test_a_block_with_strides_is_taken() -> None:
    block = np.random.default_rng(1).normal(size=(4, 8, 16)).astype(np.float32)[:, :, ::2]
    np.testing.assert_array_equal(halved(block, "auto"), halved(np.ascontiguousarray(block), "auto"))
