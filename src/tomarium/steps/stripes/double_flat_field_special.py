"""The step that corrects pixels by what they add to the projections of the slice itself."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import numpy as np

from tomarium.array import processors
from tomarium.errors import ParameterError
from tomarium.kernels.double_flat_field import (
    constant_errors,
    halo_rows,
    mean_attenuation,
    spare_about_axis,
    spared_about_axis,
)
from tomarium.kernels.projected_flat_field import MOST_CLASSES, pixel_errors_beside_classes
from tomarium.kernels.truncation import truncated_views
from tomarium.model import Geometry, Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, Index, NotNegative, OddCount
from tomarium.steps.core.step import Cost, Example, Figure, Values, step
from tomarium.steps.reconstruct.corrected import demand_whole_field, moved_back, refuse_half_acquisition

INSTEAD: Final = "use double_flat_field"
"""What is done with a half acquisition."""

WINDOW: Final = (9, 9)
"""Rows and columns of the double flat field that it begins with."""


def _host(values: Values, layout: Layout) -> int:
    """Input and result, the mean view; in each thread the slice in some copies, and a sinogram a number of classes."""
    views, rows, columns = layout.shape
    tried = 1 if values["classes"] else MOST_CLASSES - 1
    points = views * (columns + 64)
    working = 120 * columns**2 + (16 * tried + 48) * points
    means = 8 * columns * rows * (24 + WINDOW[0] * WINDOW[1])
    return layout.bytes + 4 * layout.values + means + min(processors(), rows) * working


@step(
    accepts=("attenuation",),
    halo=halo_rows("median", WINDOW[0], False),
    cost=Cost(host=_host, nanoseconds=1500.0),
    demand=demand_whole_field("double_flat_field_special", INSTEAD),
    first=moved_back,
    figures=(
        Figure(
            "left",
            1e-6,
            "{percent} % of the rows were left as they are, with rings: the sample is wider than the detector there, "
            "and its slice does not tell its projections; use double_flat_field",
        ),
    ),
    place=46,
    example=Example({"classes": 2, "iterations": 1}),
    aliases=("double_ff_special", "ffs", "double_ff_special.py"),
)
def double_flat_field_special(
    slab: Slab,
    *,
    geometry: Geometry,
    context: Context,
    axis_column: Column = FROM_SCAN,
    classes: Index = 0,
    columns: OddCount = 25,
    iterations: Count = 2,
    axis_width: NotNegative = 3.0,
) -> Slab:
    """Correct pixels by what they add to the projections of a slice made of a few materials.

    Each slice is reconstructed without what `double_flat_field` finds, made of a few materials without rings, and
    projected. What data and projections differ by moves from view to view where it is the sample, and does not where it
    is a pixel: the median over the views is subtracted, as far as eight parts of the views agree on it. For samples
    that are nearly even, with rings as strong as what they show: 0.15 of the error of `double_flat_field` is left (0.21
    at most in ten, 513 columns), wide rings go too. It changes samples without rings by 0.1 % of the attenuation where
    they are weak, and by 0.5 to 2 % where they are of more materials than it takes. Rows in which the sample is wider
    than the detector are left, and said.

    Parameters
    ----------
    slab : Slab
        Attenuation, shape (angle, row, column), dimensionless.
    geometry : Geometry
        Tells the angles.
    context : Context
        Threads, and memory for the result.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    classes : int
        Materials, air among them, at most 5; 0 takes the fewest that explain what moves.
    columns : int
        Full width of the Gaussian beyond which a difference is left to the sample, odd; more than twice as wide as the
        widest ring.
    iterations : int
        How often, each time with the slice of the corrected data.
    axis_width : float
        Columns on either side of the axis within which less is removed of what goes on over rows; 0 removes all.

    Returns
    -------
    Slab
        Attenuation, float32. The report sums the classes over the rows.

    Raises
    ------
    InputError
        The scan is a half acquisition.
    ParameterError
        There are more classes than 5, or one.

    References
    ----------
    The special double flat field of tomodata, T. Weitkamp et al., ANATOMIX user guide, section 7.3.
    """
    if classes == 1 or classes > MOST_CLASSES:
        raise ParameterError(
            f"step double_flat_field_special: classes is {classes}; give 2 to {MOST_CLASSES}, or 0 to have them found"
        )
    data = np.asarray(slab.data)
    rows = data.shape[1]
    angles = geometry.angles_deg.value
    refuse_half_acquisition("double_flat_field_special", geometry, axis_column, data.shape[2], INSTEAD)
    result = context.result(data.shape)

    errors = np.zeros(data.shape[1:])
    not_truncated = np.logical_not(np.asarray(truncated_views(data, angles).any(axis=0)))
    start = constant_errors(data, background="median", size=WINDOW, threads=context.threads)

    def one(row: int) -> int:
        if not not_truncated[row]:
            return 0
        sinogram = np.ascontiguousarray(data[:, row], np.float32)
        error, used = pixel_errors_beside_classes(
            sinogram,
            angles,
            axis_column,
            classes=classes,
            columns=columns,
            iterations=iterations,
            start=start[row],
        )
        errors[row] = error
        if context.on_progress is not None:
            context.on_progress(row + 1, rows)
        return used

    own = range(slab.halo[0], rows - slab.halo[1])
    with ThreadPoolExecutor(min(context.threads, max(1, len(own)))) as pool:
        used: Iterable[int] = list(pool.map(one, own))
    spared = spared_about_axis(data.shape[2], axis_column, axis_width)
    errors[own] = spare_about_axis(errors, mean_attenuation(data), spared, threads=context.threads)[own]
    errors[~not_truncated] = 0
    np.subtract(data, errors.astype(np.float32), out=result)
    uncorrected = int(np.count_nonzero(~not_truncated[own])) * data.shape[0] * data.shape[2]
    counts = {"double_flat_field_special.classes": sum(used), "double_flat_field_special.left": uncorrected}
    return replace(slab, data=result, report={**slab.report, **counts})
