"""Each CUDA kernel beside what is compiled for the processors, at small sizes: what differs is an assertion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.compiled import extension, level
from tomarium.kernels import invalid, projection
from tomarium.kernels.backprojection import direct, gridding
from tomarium.kernels.backprojection.geometry import Task, make_task
from tomarium.kernels.cuda import kernels
from tomarium.kernels.cuda.modules import Modules
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.spikes import NoiseModel, Pattern, pattern_of, remove_spikes
from tomarium.kernels.stripes import remove_stripes_by_sorting

CLOSE: Final = 1e-5
"""Root of the mean square of the differences beside that of the values, in single precision."""

CLOSE_GRID: Final = 2.5e-5
"""The same of gridding with 1.25 cells to a pixel: at the edge of the disc the correction enlarges rounding sixty
times, so that the processor's, too, differs by 1e-5 from double precision."""

CLOSE_HALF: Final = 1e-4
"""The same where filtered projections are kept in 16 bits, with eleven binary digits."""

MOST: Final = 4
"""Greatest difference beside the greatest value, in such limits: both round, and most where the correction is large."""


def on_host(array: Any) -> NDArray[Any]:
    """Return an array where NumPy can look at it."""
    return array if isinstance(array, np.ndarray) else np.asarray(array.get())


def demand_close(got: Any, expected: NDArray[Any], limit: float = CLOSE) -> None:
    """Demand that the differences, and the greatest of them, are small."""
    result = on_host(got)
    assert np.isfinite(result).all(), f"{np.count_nonzero(~np.isfinite(result))} values were not written"
    apart = result - expected
    mean = float(np.linalg.norm(apart) / np.linalg.norm(expected))
    most = float(np.abs(apart).max() / np.abs(expected).max())
    assert mean < limit, f"differs by {mean:.2e} of the root of the mean square"
    assert most < MOST * limit, f"differs by {most:.2e} of the greatest value"


def unwritten(modules: Modules, shape: tuple[int, ...], kind: Any = np.float32) -> Any:
    """Return an array in which what is not written shows."""
    return modules.xp.full(shape, np.nan if np.dtype(kind).kind == "f" else 60001, kind)


@cache
def body(
    size: int, columns: int, rows: int, views: int
) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
    """Return a sinogram without symmetry, its angles in an odd order, and an axis beside the middle."""
    s = size / 128
    ellipsoids = [
        Ellipsoid((0, 0, 0), (60 * s, 50 * s, 42 * s), 0.02 / s),
        Ellipsoid((0, -14 * s, 20 * s), (40 * s, 9 * s, 6 * s), 0.03 / s),
        Ellipsoid((1, 22 * s, -8 * s), (40 * s, 5 * s, 11 * s), -0.015 / s),
    ]
    # None of 0 or 90 degrees: footprints end at cells there, and which of the two ends counts is left to rounding.
    angles = np.linspace(0.4, 180.4, views, endpoint=False)
    angles[1::2] = angles[1::2][::-1]
    axis = (columns - 1) / 2 + 1.3
    sinogram = line_integrals(ellipsoids, angles, np.arange(rows) - (rows - 1) / 2, np.arange(columns) - axis)
    return np.ascontiguousarray(sinogram, np.float32), angles, axis


def task_of(
    angles: NDArray[np.float64],
    columns: int,
    axis: float,
    size: int,
    region: tuple[int, int, int, int],
    **more: Any,
) -> Task:
    """Return a task with the plain ramp."""
    padding = more.pop("padding", "zero")
    return make_task(angles, columns, axis, size, region, "ramp", 1.0, padding, 1.0, 1, **more)


def flat_log(modules: Modules) -> None:
    """Dead, clipped and infinite pixels, and as many as fill no whole block."""
    rng = np.random.default_rng(1)
    angles, rows, columns, groups = 12, 13, 44, 3
    bright = rng.uniform(500, 30000, (groups, rows, columns)).astype(np.float32)
    bright[:, 1, 7::51], bright[:, 3, 11::17] = 0, np.inf
    dark = rng.uniform(80, 120, (rows, columns)).astype(np.float32)
    dark[5, 13::30] = np.nan
    lower = (np.arange(angles) * groups // angles).astype(np.int32)
    fraction = np.where(lower == groups - 1, 0, np.linspace(0, 0.9, angles)).astype(np.float32)
    for kind, log, width in ((np.uint16, True, columns), (np.float32, False, columns - 1)):
        counts = rng.integers(90, 40000, (angles, rows, columns))[:, :, :width].astype(kind)
        tables = [np.ascontiguousarray(one[..., :width]) for one in (dark, bright)]
        expected, tally = np.empty((angles, rows * width), np.float32), np.zeros((3, angles), np.int64)
        extension().normalise(
            counts.reshape(angles, -1), tables[0].reshape(-1), tables[1].reshape(groups, -1), lower, fraction, 0.5,
            1e-6, log, expected, tally, 1, level(),
        )  # fmt: skip
        asarray, out = modules.xp.asarray, unwritten(modules, counts.shape)
        given = [asarray(one) for one in (counts, *tables, lower, fraction)]
        counted = kernels.flat_log(modules, *given, out, log=log)
        result = on_host(out).reshape(angles, -1)
        assert tally.sum(axis=1).min() > 0
        assert np.array_equal(on_host(counted).astype(np.int64), tally)
        assert np.array_equal(np.isnan(result), np.isnan(expected))
        demand_close(np.nan_to_num(result), np.nan_to_num(expected), 1e-6)


def fill_invalid(modules: Modules) -> None:
    """Single pixels, pixels at corners, and a hole so large that the median of the row fills it."""
    frames = np.random.default_rng(2).normal(1, 0.1, (4, 24, 30)).astype(np.float32)
    frames[0, 3, 5] = frames[0, 0, 0] = frames[1, 23, 29] = frames[1, 4:9, 10:13] = np.nan
    frames[2, :20, 2:28] = frames[3, 7] = frames[0, -1, 3:20:4] = np.nan
    expected = frames.copy()
    empty = invalid.fill_invalid(expected, 0.0)
    result = modules.xp.asarray(frames)
    assert kernels.fill_invalid(modules, result, 0.0) == empty
    assert np.array_equal(on_host(result), expected)


def run_grid(
    modules: Modules, task: Task, sinogram: NDArray[np.float32], limit: float, half: bool = False
) -> None:
    """Compare gridding with that of the extension."""
    y0, y1, x0, x1 = task.region
    expected = np.empty((sinogram.shape[1], y1 - y0, x1 - x0), np.float32)
    gridding.backproject(sinogram, task, expected)
    out = unwritten(modules, expected.shape)
    tables = kernels.fbp_tables(modules, task)
    kernels.grid_fbp(modules, modules.xp.asarray(sinogram), tables, out, half=half)
    demand_close(out, expected, limit)


def grid_fbp(modules: Modules) -> None:
    """A region of an image whose grid is no multiple of a tile, and rows that fill no whole group."""
    sinogram, angles, axis = body(56, 56, 9, 40)
    run_grid(modules, task_of(angles, 56, axis, 56, (3, 56, 0, 51)), sinogram, CLOSE_GRID)


def grid_fbp_beyond(modules: Modules) -> None:
    """Edge values beyond the detector, an image of odd size, and views that were shifted."""
    sinogram, angles, axis = body(40, 40, 3, 40)
    more = {"padding": "edge", "shift_columns_px": 2 * np.sin(np.arange(len(angles)))}
    run_grid(
        modules, task_of(angles, 40, axis, 37, (0, 37, 0, 37), **more), sinogram + np.float32(0.3), CLOSE_GRID
    )


def grid_fbp_about_axes(modules: Modules) -> None:
    """Rows about axes of their own, as they come out one by one."""
    sinogram, angles, axis = body(40, 40, 3, 40)
    region, offsets = (0, 40, 0, 40), np.array([0.0, 0.7, -3.2])
    tables = kernels.fbp_tables(modules, task_of(angles, 40, axis, 40, region, row_offsets=offsets))
    expected, out = np.empty((3, 40, 40), np.float32), unwritten(modules, (3, 40, 40))
    for row, offset in enumerate(offsets):
        one = slice(row, row + 1)
        gridding.backproject(sinogram[:, one], task_of(angles, 40, axis + offset, 40, region), expected[one])
    kernels.grid_fbp(modules, modules.xp.asarray(sinogram), tables, out)
    demand_close(out, expected, CLOSE_GRID)


def grid_fbp_short_period(modules: Modules) -> None:
    """A small image of wide projections: filtered with a short period, many samples in each cell."""
    sinogram, angles, axis = body(1040, 1040, 2, 8)
    run_grid(modules, task_of(angles, 1040, axis, 24, (0, 24, 0, 24)), sinogram, CLOSE_GRID)


def grid_fbp_half(modules: Modules) -> None:
    """Filtered projections in 16 bits."""
    sinogram, angles, axis = body(40, 40, 3, 40)
    run_grid(modules, task_of(angles, 40, axis, 40, (0, 40, 0, 40)), sinogram, CLOSE_HALF, half=True)


def direct_fbp(modules: Modules) -> None:
    """A region that fills no whole blocks, and rows that fill no whole group."""
    sinogram, angles, axis = body(56, 56, 5, 64)
    task = task_of(angles, 56, axis, 56, (3, 56, 0, 51))
    expected = np.empty((5, 53, 51), np.float32)
    direct.backproject(sinogram, task, expected)
    out = unwritten(modules, expected.shape)
    kernels.direct_fbp(modules, modules.xp.asarray(sinogram), task, out)
    demand_close(out, expected)


def project(modules: Modules) -> None:
    """Both ways against the processor's, which are transposes of each other, as these must be."""
    rng, size, columns, axis = np.random.default_rng(3), 40, 44, 23.4
    angles = np.linspace(0, 200, 30)
    images = rng.normal(0, 1, (3, size, size)).astype(np.float32)
    rows = rng.normal(0, 1, (len(angles), 3, columns)).astype(np.float32)
    tables = kernels.projection_tables(modules, angles, axis, columns, size)
    forward, back = unwritten(modules, rows.shape), unwritten(modules, images.shape)
    kernels.project(modules, modules.xp.asarray(images), tables, forward)
    kernels.project_adjoint(modules, modules.xp.asarray(rows), tables, back)
    demand_close(forward, projection.project(images, angles, axis, columns, threads=1))
    demand_close(back, projection.project_adjoint(rows, angles, axis, size, threads=1))
    one, other = (float(np.vdot(*pair)) for pair in ((on_host(forward), rows), (images, on_host(back))))
    assert abs(one - other) < CLOSE * float(np.linalg.norm(on_host(forward)) * np.linalg.norm(rows))


def despike(modules: Modules) -> None:
    """Spikes of some pixels in frames with their neighbours beside them, and in a frame that has none."""
    rng = np.random.default_rng(4)
    frames = rng.poisson(400, (6, 19, 42)).astype(np.uint16)
    more = rng.poisson(400, (2, 19, 42)).astype(np.uint16)
    for k in range(6):
        for y, x in rng.integers(0, (19, 42), (9, 2)).tolist():
            frames[k, y : y + int(rng.integers(1, 3)), x : x + int(rng.integers(1, 4))] += 900
    beside = np.array([[6, 1], [0, 2], [1, 3], [2, -1], [-1, -1], [4, 7]], np.int32)
    flat = rng.normal(1000, 20, (19, 42)).astype(np.float32)
    drawn = pattern_of(flat, np.full((19, 42), 5, np.float32))
    noise = NoiseModel(
        np.array([0.0, 300.0, 600.0]), np.array([5.0, 21.0, 30.0]), np.array([4.0, 20.0, 28.0])
    )
    for kind, pattern in ((np.uint16, drawn), (np.float32, None)):
        data, further = frames.astype(kind), more.astype(kind)
        if kind is np.float32:
            data[1, 4, 4], data[2, 8, 8] = np.nan, np.inf
        expected, count = remove_spikes(
            data, noise, pattern=pattern, beside=beside, more=further, engine="native"
        )
        out = unwritten(modules, data.shape, kind)
        asarray = modules.xp.asarray
        there = None if pattern is None else Pattern(asarray(pattern.dark), asarray(pattern.relative))
        got = kernels.despike(
            modules, asarray(data), noise, out, pattern=there, beside=beside, more=asarray(further)
        )
        assert count > 20
        assert got == count
        assert np.allclose(on_host(out), expected, rtol=1e-6, atol=0, equal_nan=True)


def sort_stripes(modules: Modules) -> None:
    """Equal values, a median that is wider than the block is far from the edge, and part of the correction."""
    data = np.random.default_rng(5).normal(0, 1, (20, 3, 150)).astype(np.float32).round(1)
    for size, strength in ((21, 1.0), (21, 0.6)):
        out = unwritten(modules, data.shape)
        kernels.sort_stripes(modules, modules.xp.asarray(data), size, out, strength=strength)
        expected = remove_stripes_by_sorting(data, size, strength=strength, engine="native", threads=1)
        assert np.allclose(on_host(out), expected, rtol=0, atol=1e-6)


@dataclass(frozen=True)
class Mistake:
    """A change of a source that a twin has to find, and the mode that finds it where comparing does not."""

    twin: str
    right: str
    wrong: str
    mode: str = ""


TWINS: Final[dict[str, Callable[[Modules], None]]] = {
    one.__name__: one
    for one in (
        flat_log, fill_invalid, grid_fbp, grid_fbp_beyond, grid_fbp_about_axes, grid_fbp_short_period, grid_fbp_half,
        direct_fbp, project, despike, sort_stripes,
    )
}  # fmt: skip
