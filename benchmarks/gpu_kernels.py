"""What benchmarks/gpu.py measures of each CUDA kernel: its work, least memory traffic, and a clock of the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tomarium.kernels.backprojection.geometry import make_task
from tomarium.kernels.cuda import gridding, kernels
from tomarium.kernels.cuda.modules import Modules
from tomarium.kernels.paganin import paganin
from tomarium.kernels.spikes import NoiseModel


@dataclass(frozen=True)
class Work:
    """One kernel, or some that belong together.

    `bytes` is the least that has to be read and written in the device's memory, `updates` what is added up.
    """

    name: str
    run: Callable[[], object]
    bytes: float
    updates: float = 0.0


@dataclass(frozen=True)
class Sizes:
    """Of the scan that is measured."""

    columns: int
    views: int
    rows: int
    slab: int

    @property
    def angles(self) -> Any:
        return np.arange(self.views) * 180 / self.views

    @property
    def axis(self) -> float:
        return (self.columns - 1) / 2 + 1.3


class Clock:
    """Times what runs on a device by its events; on the processor by the clock."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp

    def milliseconds(self, run: Callable[[], object], rounds: int) -> list[float]:
        """Run once to warm up a device, then so many times."""
        if self._xp is not np:
            run()
        return [self._once(run) for _ in range(rounds)]

    def _once(self, run: Callable[[], object]) -> float:
        if self._xp is np:
            begin = time.perf_counter()
            run()
            return 1e3 * (time.perf_counter() - begin)
        first, last = self._xp.cuda.Event(), self._xp.cuda.Event()
        first.record()
        run()
        last.record()
        last.synchronize()
        return float(self._xp.cuda.get_elapsed_time(first, last))


def random(xp: Any, shape: tuple[int, ...], kind: Any = np.float32) -> Any:
    """Noise: zeros hide what is not written, and can be quicker."""
    made = xp.random.default_rng(1).random(shape, np.float32)
    return made if kind is np.float32 else (1000 + 30000 * made).astype(kind)


def task_of(sizes: Sizes) -> Any:
    """The whole image, with the plain ramp."""
    n = sizes.columns
    return make_task(sizes.angles, n, sizes.axis, n, (0, n, 0, n), "ramp", 1.0, "zero", 1.0, 1)


def copying(modules: Modules, sizes: Sizes) -> Work:
    """A large copy within the device's memory: what its bandwidth is."""
    count = 1 << (29 if sizes.columns > 1024 else 16)
    xp = modules.xp
    one, other = random(xp, (count,)), xp.empty(count, np.float32)
    return Work("copy", partial(xp.copyto, other, one), 8 * count)


def corrections(modules: Modules, sizes: Sizes) -> Iterator[Work]:
    """Flat field, spikes, Paganin's filter and stripes."""
    xp, columns = modules.xp, sizes.columns
    shape = (sizes.views, sizes.slab, columns)
    counts, dark = random(xp, shape, np.uint16), 100 * random(xp, shape[1:])
    flats = 20000 + 1000 * random(xp, (2, *shape[1:]))
    lower, fraction = xp.zeros(sizes.views, np.int32), random(xp, (sizes.views,))
    out = xp.empty(shape, np.float32)
    yield Work(
        "flat field and logarithm",
        partial(kernels.flat_log, modules, counts, dark, flats, lower, fraction, out),
        6 * counts.size,
    )
    frames = random(xp, (max(2, sizes.slab), columns, columns), np.uint16)
    mended = xp.empty_like(frames)
    noise = NoiseModel(np.array([0.0, 40000.0]), np.array([5000.0, 9000.0]))
    yield Work("spikes", partial(kernels.despike, modules, frames, noise, mended), 4 * frames.size)
    transmission = random(xp, frames.shape) + 0.5
    yield Work("Paganin's filter, L = 10 px", partial(paganin, transmission, 10.0), 8 * frames.size)
    rows = random(xp, shape)
    yield Work("stripes by sorting", partial(kernels.sort_stripes, modules, rows, 21, out), 8 * rows.size)


def backprojections(modules: Modules, sizes: Sizes) -> Iterator[Work]:
    """Gridding as a whole and in its parts, and direct backprojection."""
    xp, n, views, together = modules.xp, sizes.columns, sizes.views, gridding.ROWS
    task = task_of(sizes)
    tables = kernels.fbp_tables(modules, task)
    sinogram, out = random(xp, (views, together, n)), xp.empty((together, n, n), np.float32)
    padded, lost = xp.zeros((views, together, tables.period), np.float32), xp.zeros(1, np.uint32)
    part = slice(0, together)
    grids, values = gridding.PAIRS * tables.cells**2 * 8, views * together * (tables.period + 1) * 4
    for half in (False, True):
        bits = "16 bits" if half else "32 bits"
        filtering = partial(gridding.polar_samples, modules, sinogram, padded, tables, part, lost, half=half)
        samples = filtering()
        kept = values / 2 if half else values
        yield Work(f"filter of {together} rows, {bits}", filtering, 4 * sinogram.size + kept)
        gathering = partial(gridding.gathered, modules, samples, tables, half=half)
        # A sample reaches taps x taps cells of each of the grids.
        yield Work(f"gridding of {together} rows, {bits}", gathering, kept + grids, 36 * values / 8)
        whole = partial(kernels.grid_fbp, modules, sinogram, tables, out, half=half)
        yield Work(f"fbp of {together} rows, {bits}", whole, 4 * (sinogram.size + out.size))
        del samples
    grid = gathering()
    yield Work("transform of the grids", partial(gridding.transformed, modules, grid), 2 * grids)
    writing = partial(gridding.write_slices, modules, grid, tables, 0, out)
    yield Work("writing of slices", writing, 8 * gridding.PAIRS * n * n + 4 * out.size)
    del grid
    some = slice(0, min(views, 256))
    samples = random(xp, (some.stop, together, 2 * n))
    directions = xp.asarray(
        np.ascontiguousarray(np.stack([task.cosine, task.sine, task.axes + n / 2])[:, some])
    )
    adding = partial(kernels.backproject, modules, samples, directions, n, (0, n, 0, n), out)
    yield Work(
        f"direct backprojection of {some.stop} views", adding, 4 * samples.size + 8 * out.size,
        np.pi / 4 * n * n * together * some.stop,
    )  # fmt: skip


def projections(modules: Modules, sizes: Sizes) -> Iterator[Work]:
    """A forward projection and its transpose: together an iteration of SIRT."""
    xp, n, together = modules.xp, sizes.columns, gridding.ROWS
    tables = kernels.projection_tables(modules, sizes.angles, sizes.axis, n, n)
    images, rows = random(xp, (together, n, n)), xp.empty((sizes.views, together, n), np.float32)
    size = 4 * (images.size + rows.size)
    yield Work(
        f"forward projection of {together} slices",
        partial(kernels.project, modules, images, tables, rows),
        size,
    )
    rows[...] = random(xp, rows.shape)
    yield Work(
        f"its transpose of {together} slices",
        partial(kernels.project_adjoint, modules, rows, tables, images),
        size,
    )
