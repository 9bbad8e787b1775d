"""The look in three dimensions: a volume that a browser can hold, and a still picture of it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tomarium.catalogue import file_record, read_record
from tomarium.viewers import look
from tomarium.viewers.small_volume import MOST_BYTES, averaged, otsu, small_shape
from tomarium.viewers.still import axes_of_view, draw_still


@given(st.tuples(*[st.integers(1, 20_000)] * 3))
def test_a_small_volume_has_room(shape: tuple[int, int, int]) -> None:
    small = small_shape(shape)
    assert math.prod(small) <= MOST_BYTES
    assert all(1 <= short <= long for short, long in zip(small, shape, strict=True))


def test_averaging_keeps_the_mean_and_places() -> None:
    volume = np.random.default_rng(0).normal(5, 1, (30, 21, 25)).astype(np.float32)
    small = averaged(volume, (13, 10, 11))
    assert small.mean() == pytest.approx(volume.mean(), rel=1e-5)
    ramp = np.broadcast_to(np.arange(21, dtype=np.float32)[:, None] + 0.5, volume.shape)
    truth = np.repeat(np.arange(21) + 0.5, 10).reshape(10, 21).mean(axis=1)
    np.testing.assert_allclose(averaged(ramp, (13, 10, 11))[0, :, 0], truth, rtol=1e-5)


def test_otsu_parts_two_classes() -> None:
    draw = np.random.default_rng(0)
    grey = np.where(
        draw.random((20, 40, 40)) < 0.3, draw.normal(180, 10, (20, 40, 40)), draw.normal(60, 10, (20, 40, 40))
    )
    assert 95 < otsu(grey.astype(np.uint8)) < 145


def test_a_view_is_a_turn() -> None:
    view = axes_of_view(35, 22)
    np.testing.assert_allclose(view @ view.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view) == pytest.approx(1.0)  # nothing is mirrored
    np.testing.assert_allclose(axes_of_view(0, 0), [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)


def test_a_still_shows_a_ball_where_it_is_and_cuts_its_corner() -> None:
    z, y, x = np.mgrid[-1:1:40j, -1:1:40j, -1:1:40j]
    ball = np.where(z**2 + y**2 + x**2 < 0.5, 200, 20).astype(np.uint8)
    still = draw_still(ball, 110, (1.0, 1.0, 1.0), pixels=120).astype(int)
    seen = still.sum(axis=2) > 0
    across, down = np.argwhere(seen)[:, 1], np.argwhere(seen)[:, 0]
    assert abs(across.mean() - 59.5) < 2
    assert abs(down.mean() - 59.5) < 4
    reach = np.abs(axes_of_view(35, 22)[:2] @ np.diag([1.0, 1.0, 1.0])).sum(axis=1).max() * 1.03
    assert seen[59].sum() / 120 == pytest.approx(np.sqrt(0.5) / reach, rel=0.06)
    corner = still[52, 60]  # a cut shows grey values: the same in all colours, those of the volume
    assert len(set(corner)) == 1
    assert 190 <= corner[0] <= 200
    assert len(set(still[82, 60])) > 1  # the surface is lit in its own colour


def test_a_still_is_drawn_once_until_its_volume_changes(
    tmp_path: Path, make_volume: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = make_volume(tmp_path / "tooth" / "volume.ome.zarr", size=32)
    record = file_record(tmp_path / "tooth", title="A tooth", id="tooth")
    drawn = []

    def counted(grey: NDArray[np.uint8], *rest: Any) -> NDArray[np.uint8]:
        drawn.append(grey.shape)
        return np.full((4, 4, 3), len(drawn), np.uint8)

    monkeypatch.setattr(look, "draw_still", counted)
    first = look.picture(record, tmp_path / "tooth", "still.png", {})
    again = look.picture(read_record(tmp_path / "tooth"), Path(str(tmp_path)) / "tooth", "still.png", {})
    assert again == first
    assert len(drawn) == 1
    look.picture(record, tmp_path / "tooth", "still.png", {"low": "0.1", "high": "0.2"})
    assert len(drawn) == 2  # in other greys it is another picture
    changed = volume / "zarr.json"
    state = changed.stat()
    os.utime(changed, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000_000))
    assert look.picture(record, tmp_path / "tooth", "still.png", {}) != first
    assert len(drawn) == 3
