"""The filter with a short period gives what the filter with a long one does, where pixels look."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.kernels.backprojection.geometry import Task, make_task
from tomarium.kernels.backprojection.short_period import short_period
from tomarium.kernels.fbp import fbp
from tomarium.kernels.ramp import Padding, Window, filter_response

Array = NDArray[np.float64]


def projections(columns: int) -> dict[str, Array]:
    """A smooth body, steps, a projection that is cut off, noise."""
    rng = np.random.default_rng(columns)
    x = np.arange(columns) / columns
    return {
        "smooth": np.sqrt(np.clip(1 - ((x - 0.47) / 0.4) ** 2, 0, None)),
        "steps": 1.0 * (x > 0.21) * (x < 0.63) + 0.3 * (x < 0.1),
        "cut off": 1 + 0.2 * np.sin(7 * x) + 0.5 * x,
        "noise": rng.standard_normal(columns),
    }


def task_of(
    columns: int,
    axis: float,
    size: int,
    window: Window = "ramp",
    cutoff: float = 1.0,
    padding: Padding = "zero",
) -> Task:
    return make_task(
        np.arange(0.0, 180, 45), columns, axis, size, (0, 9, 0, 9), window, cutoff, padding, 1.0, 1
    )


@pytest.mark.parametrize(("window", "cutoff"), [("ramp", 1.0), ("shepp-logan", 1.0), ("hann", 0.3)])
@pytest.mark.parametrize(
    ("columns", "axis", "size"),
    [(2048, 1023.5, 2048), (1500, 620.3, 1500), (1200, 100.7, 2200), (3001, 1500, 900)],
)
def test_filtered_values_are_those_of_the_long_period(
    columns: int, axis: float, size: int, window: Window, cutoff: float
) -> None:
    task = task_of(columns, axis, size, window, cutoff)
    short = short_period(task)
    assert short.period < 0.7 * task.padded
    seen = np.arange(int(axis - size / 2), int(axis + size / 2) + 1)
    for name, projection in projections(columns).items():
        filtered = np.fft.irfft(np.fft.rfft(projection, task.padded) * task.response)
        wanted, scale = filtered[seen % task.padded], np.sqrt(np.mean(filtered[:columns] ** 2))

        spectrum = np.fft.rfft(projection, short.period)
        added = np.fft.rfft(short.far @ np.add.reduceat(projection, np.arange(0, columns, short.block)))
        spectrum[: len(added)] += added * (short.spectrum[:, 0] + 1j * short.spectrum[:, 1])
        got = np.fft.irfft(spectrum * filter_response(short.period, window, cutoff))[seen % short.period]
        assert np.abs(got - wanted).max() < 5e-5 * scale, name


def test_rows_of_the_matrix_are_zero_outside_their_ranges() -> None:
    short = short_period(task_of(1500, 700.0, 1500))
    assert short.far.shape == (short.period // short.block, -(-1500 // short.block))
    for row, first, last in zip(short.far, *short.ranges, strict=True):
        assert not row[:first].any()
        assert not row[last:].any()
        assert last == first or row[first] != 0


@pytest.mark.parametrize(
    "task",
    [
        task_of(300, 149.5, 300),
        task_of(1500, 700.0, 1500, padding="edge"),
        task_of(1500, 700.0, 1500, "shepp-logan", 0.5),
    ],
    ids=["narrow", "edge values", "window that breaks off"],
)
def test_others_keep_their_period(task: Task) -> None:
    short = short_period(task)
    assert short.period == task.padded
    assert len(short.far) == 0


@pytest.mark.parametrize(("axis", "size"), [(319.5, 640), (290.25, 640), (60.0, 1100)])
def test_slices_are_those_of_the_portable_engine(axis: float, size: int) -> None:
    """Two discs of attenuation 1 and .3 off the axis, with the period of the others and with the short one."""
    columns, count, radius = 640, 96, 0.6 * min(axis, 639 - axis)
    angles = np.arange(count) * 180 / count
    centre = axis + 0.3 * radius * np.cos(np.deg2rad(angles)) + 0.2 * radius * np.sin(np.deg2rad(angles))
    chords = 2 * np.sqrt(np.clip(radius**2 - (np.arange(columns) - centre[:, None]) ** 2, 0, None))
    sinogram = np.stack([chords, 0.3 * chords], axis=1).astype(np.float32)
    region = (size // 2 - 20, size // 2 + 20, 0, size)
    slices = [
        fbp(sinogram, angles, axis, size=size, region=region, padding="zero", engine=engine)
        for engine in ("native", "nufft")
    ]
    assert np.abs(slices[0] - slices[1]).max() < 2e-3
    assert np.sqrt(np.mean((slices[0] - slices[1]) ** 2)) < 3e-4
