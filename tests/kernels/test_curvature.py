"""Slope and curvatures of volumes against analytic ones; eigenvalues against LAPACK and by construction."""

from __future__ import annotations

import numpy as np
import pytest

from tomarium.errors import InputError
from tomarium.kernels.curvature import ENTRIES, curvatures, eigenvalues


def of_tensors(tensors: np.ndarray, engine: str) -> np.ndarray:
    entries = np.ascontiguousarray([tensors[:, i, j] for i, j in ENTRIES], np.float32)
    out = np.full((len(tensors), 5), 7, np.float32)
    eigenvalues(entries, out, 1, engine=engine)  # type: ignore[arg-type]
    assert (out[:, [0, 4]] == 7).all()
    return out[:, 1:4]


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_eigenvalues_are_those_that_were_put_in(engine: str, size: float) -> None:
    draw = np.random.default_rng(0)
    frames = np.linalg.qr(draw.normal(size=(2000, 3, 3)))[0]
    values = np.sort(draw.normal(size=(2000, 3)), axis=1)
    values[:200, 1] = values[:200, 0]
    values[200:400, 1] = values[200:400, 2]
    values[400:500] = values[400:500, :1]
    values[500:600] = 0
    tensors = size * np.einsum("nij,nj,nkj->nik", frames, values, frames)
    # What is rounded to float32 is off by 6e-8 of the largest entry; equal eigenvalues feel it as others do.
    limit = 4e-7 * size * np.abs(values).max(axis=1, keepdims=True) + 1e-38
    assert (np.abs(of_tensors(tensors, engine) - size * values) <= limit).all()


def test_a_diagonal_and_a_tensor_of_one_value() -> None:
    tensors = np.array([np.diag([3.0, -2.0, 5.0]), np.diag([4.0, 4.0, 4.0]), np.zeros((3, 3))])
    assert of_tensors(tensors, "native").tolist() == [[-2, 3, 5], [4, 4, 4], [0, 0, 0]]


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_of_a_quadratic_inside(engine: str) -> None:
    z, y, x = np.mgrid[0:9, 0:8, 0:70].astype(np.float64)
    values = (2 * z - y + 3 * x + 0.5 * z * z - 1.5 * y * y + 0.25 * x * x).astype(np.float32)
    out = np.empty((3, 8, 70, 6), np.float32)
    curvatures(values, slice(3, 6), 4.0, out, 2, engine=engine)  # type: ignore[arg-type]
    inner = (slice(None), slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(
        out[(*inner, slice(3, 6))], np.broadcast_to([-12, 2, 4], (3, 4, 66, 3)), atol=1e-3
    )
    slope = np.sqrt((2 + z) ** 2 + (1 + 3 * y) ** 2 + (3 + 0.5 * x) ** 2)[3:6]
    np.testing.assert_allclose(out[(*inner, 2)], slope[inner], rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 3), (3, 4, 5), (5, 6, 64), (4, 3, 131)])
def test_both_engines_tell_the_same(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    native, reference = np.empty((*shape, 4), np.float32), np.empty((*shape, 4), np.float32)
    curvatures(values, slice(0, shape[0]), 1.7, native, 0, engine="native")
    curvatures(values, slice(0, shape[0]), 1.7, reference, 0, engine="reference")
    np.testing.assert_allclose(native, reference, rtol=1e-6, atol=1e-6)
    for z in range(shape[0]):
        one = np.empty((1, *shape[1:], 4), np.float32)
        curvatures(values, slice(z, z + 1), 1.7, one, 0, engine="native")
        assert (one[0] == native[z]).all()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"give \(6, n\)"):
        eigenvalues(np.zeros((5, 4), np.float32), np.zeros((4, 3), np.float32), 0)
