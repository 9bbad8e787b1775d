"""Frames in memory."""

import numpy as np
import pytest

from tomarium.errors import InputError
from tomarium.formats.frames.array_frames import ArrayFrames


def test_reads_what_numpy_would_and_keeps_its_own() -> None:
    stack = np.arange(4 * 3 * 5, dtype=np.uint16).reshape(4, 3, 5)
    frames = ArrayFrames(stack)
    assert frames.shape == (4, 3, 5)
    assert frames.dtype == np.uint16
    some = frames.read(np.array([2, 0]), slice(1, 3))
    np.testing.assert_array_equal(some, stack[[2, 0], 1:3])
    some[:] = 0
    frames.read(slice(None), slice(None))[:] = 0
    assert stack[2, 1, 0] == 35
    assert frames.cost(2, slice(0, 1)) == (0, 0)


def test_refuses_what_is_not_a_stack() -> None:
    with pytest.raises(InputError, match=r"\(3, 5\).*three axes"):
        ArrayFrames(np.zeros((3, 5)))
