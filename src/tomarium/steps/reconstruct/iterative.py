"""What the iterative reconstruction steps share: layout, memory, figures, and the slices in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.array import empty_there, lies_elsewhere, on_host, processors
from tomarium.errors import InputError
from tomarium.kernels.backprojection.gridding import not_finite
from tomarium.kernels.cuda.gridding import PAIRS
from tomarium.kernels.fbp import fbp
from tomarium.kernels.iterative import Method, Solution, Stop, solve
from tomarium.kernels.least_squares import Iterate, Problem, StopBy, make_setup
from tomarium.kernels.truncation import truncated_views
from tomarium.model import Geometry, Layout, Scan, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.step import Figure, Values
from tomarium.steps.reconstruct.corrected import demand_whole_field, refuse_half_acquisition

Start = Literal["zero", "fbp"]

TRUNCATED: Final = Figure(
    "truncated",
    0.01,
    "in {percent} % of the rows of views the attenuation does not fall to zero at the edges of the detector: the "
    "sample is wider, or the beam drifted. Iterative steps take the sample to lie in the field, so grey values are "
    "wrong, most near the rim; reconstruct by fbp, which continues the views",
)
UNFINISHED: Final = Figure(
    "unfinished",
    0.01,
    "{percent} % of the slices ended by the number of iterations before their condition was met; give more iterations",
)
FIGURES: Final = (TRUNCATED, UNFINISHED)

INSTEAD: Final = "use half_acquisition and fbp, or join_half_turns before it"
"""What is done with a half acquisition."""


def after(layout: Layout, values: Values) -> Layout:
    """Return the layout of the slices: as wide as the detector."""
    pixel = layout.geometry.pixel_m if values["pixel_m"] is not None else None
    columns = layout.shape[2]
    return Layout(
        shape=(layout.shape[1], columns, columns),
        dtype=np.dtype(np.float32),
        domain="slice",
        unit="1/px" if values["pixel_m"] is None else "1/cm",
        geometry=replace(layout.geometry, pixel_m=pixel),
    )


def host_bytes(_: Values, layout: Layout) -> int:
    """Return the memory at the worst moment: data, slices, kernels, and what each thread works in."""
    views, rows, columns = layout.shape
    pixels = columns * columns
    points = views * (columns + 64)
    threads = min(processors(), rows)
    shared = 32 * pixels + 32 * points
    making = 120 * pixels + 24 * points
    working = threads * (110 * pixels + 48 * points)
    return 4 * layout.values + 4 * rows * pixels + shared + max(making, working)


def device_bytes(_: Values, layout: Layout) -> int:
    """Return the memory on a device: data, slices, two kernels, transforms on doubled grids, and what iterates."""
    rows, columns = layout.shape[1:]
    pixels = columns * columns
    grids = 8 * 4 * 8 * pixels + 3 * 4 * 8 * PAIRS * pixels
    return 8 * layout.values + 4 * rows * pixels + 2 * 8 * pixels + grids + 24 * 4 * pixels


def host_bytes_of_subsets(values: Values, layout: Layout) -> int:
    """Return the memory where the geometry of subsets is kept beside that of all views."""
    views, _, columns = layout.shape
    return host_bytes(values, layout) + 24 * views * (columns + 64)


def demand(name: str) -> Callable[[Scan, Layout], None]:
    """Return the `demand` of an iterative step."""
    return demand_whole_field(name, INSTEAD)


def reconstruct_slices(
    name: str,
    slab: Slab,
    geometry: Geometry,
    context: Context,
    axis_column: float,
    pixel_m: float | None,
    method: Method,
    stop: Stop,
    start: Start,
    stop_by: StopBy,
    held_out_percent: float = 5.0,
) -> Slab:
    """Reconstruct the rows of a slab, each in one thread.

    Parameters
    ----------
    name : str
        The step.
    slab, geometry, context, axis_column, pixel_m
        What the step was given.
    method, stop, stop_by, held_out_percent
        See `tomarium.kernels.iterative`; the change that ends it is in the unit of the slices.
    start : {"zero", "fbp"}
        Where to start, unless the context has a slice.

    Returns
    -------
    Slab
        Slices. Its report counts iterations, and residuals in millionths of attenuation, summed over the slices.

    Raises
    ------
    InputError
        The scan is a half acquisition, no field is seen by all views, or a value is not finite.
    """
    data, on_device = on_host(slab.data), lies_elsewhere(slab.data)
    if not all(np.isfinite(view).all() for view in data):
        raise InputError(not_finite(data, name))
    views, rows, columns = data.shape
    angles = geometry.angles_deg.value
    refuse_half_acquisition(name, geometry, axis_column, columns, INSTEAD)
    setup = make_setup(angles, axis_column, columns, stop_by, held_out_percent)
    setup = setup.moved(slab.data) if on_device else setup
    shape = rows, columns, columns
    result = empty_there(slab.data, shape) if on_device else context.result(shape)
    scale = 1.0 if pixel_m is None else 1 / (100 * pixel_m)
    stop = replace(stop, change=stop.change / scale)

    def begin(row: int, sinogram: NDArray[np.float32]) -> NDArray[np.float32]:
        if context.warm_start is not None:
            return np.asarray(context.warm_start[row] / scale, np.float32)
        if start == "zero":
            return np.zeros((columns, columns), np.float32)
        return fbp(sinogram[setup.used], angles[setup.used], axis_column, padding="zero", threads=1)

    ready: list[int] = []

    def told(problem: Problem, image: NDArray[np.float32]) -> Iterator[Iterate]:
        """Say after each iteration that it is at work, so that it ends soon where nobody wants it any more."""
        for iterate in method(problem, image):
            if context.on_progress is not None:
                context.on_progress(len(ready), rows)
            yield iterate

    def one(row: int) -> Solution:
        solution = solve(setup, np.ascontiguousarray(data[:, row]), told, partial(begin, row), stop)
        if on_device:
            result[row, ...] = solution.image * scale
        else:
            np.multiply(solution.image, np.float32(scale), out=result[row])
        ready.append(row)
        if context.on_progress is not None:
            context.on_progress(len(ready), rows)
        return replace(solution, image=result[row, ...])

    if on_device:  # the device is told what to do by this thread alone
        solutions = [one(row) for row in range(rows)]
    else:
        with ThreadPoolExecutor(min(context.threads, rows)) as pool:
            solutions = list(pool.map(one, range(rows)))
    open_ended = stop_by == "iterations" and not (stop.change_percent or stop.residual or stop.change)
    unfinished = 0 if open_ended else sum(solution.reason == "iterations" for solution in solutions)
    counted: dict[str, Any] = {
        "truncated": int(np.count_nonzero(truncated_views(data, angles))) * columns,
        "unfinished": unfinished * views * columns,
        "iterations": sum(solution.iterations for solution in solutions),
        "residual_millionths": sum(round(1e6 * solution.residual) for solution in solutions),
    }
    report = {**slab.report, **{f"{name}.{key}": number for key, number in counted.items()}}
    return replace(
        slab, data=result, domain="slice", unit="1/px" if pixel_m is None else "1/cm", report=report
    )
