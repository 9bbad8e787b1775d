"""The step that corrects pixels whose error changes as the sample turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from tomarium.kernels.double_flat_field import CHUNK, halo_rows, spared_about_axis
from tomarium.kernels.nonconstant_rings import block_errors, interpolated
from tomarium.model import Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, NotNegative, OddCount
from tomarium.steps.core.step import Cost, Example, Values, step

THREADS: Final = 8
"""Rows whose windows are sorted at a time, at most."""


def _host(values: Values, layout: Layout) -> int:
    """Input, result, a chunk with its logarithm and differences, views of the blocks, and the windows of rows."""
    _, rows, columns = layout.shape
    chunk = min(layout.values, max(2 * rows * columns, CHUNK))
    window: int = values["rows"] * values["columns"]
    images: int = (6 + 4 * values["blocks"]) * 8 * rows * columns
    windows = 2 * 8 * columns * window * min(rows, THREADS)
    return layout.bytes + 4 * layout.values + 12 * chunk + images + windows


@step(
    accepts=("attenuation", "transmission"),
    halo=lambda values, layout: halo_rows("median", values["rows"], False),
    cost=Cost(host=_host, nanoseconds=16.0),
    place=26,
    example=Example({"rows": 5, "columns": 7, "blocks": 3}),
    aliases=("nonconstant_ring_correction", "nc", "double_flat_field_by_blocks"),
)
def nonconstant_rings(
    slab: Slab,
    *,
    context: Context,
    axis_column: Column = FROM_SCAN,
    blocks: Count = 6,
    rows: OddCount = 9,
    columns: OddCount = 9,
    strength: NotNegative = 1.0,
    pixel_mask: NotNegative = 0.0,
    axis_width: NotNegative = 3.0,
) -> Slab:
    """Correct pixels whose error changes as the sample turns, so that rings that fade along their circle go too.

    1. The views are parted into blocks of neighbouring angles. What a pixel adds to the mean attenuation of a block,
       above the median of a window about it, is its error there.
    2. Where the errors of a pixel vary from block to block no more than their noise does, their mean is taken, and the
       more they vary, the less of it.
    3. Between the middles of the blocks the error is interpolated linearly in angle, so that nothing jumps, and
       subtracted from each view. What within `axis_width` w of the axis c goes on over 5 rows is lessened by
       (|u - c| / w)². Pixels whose error is below `pixel_mask` in every block are left.

    It does what double_flat_field does, and stands in its place: a scan wants one of the two. A block takes more of the
    sample for an error than the whole turn does: a clean scan is changed by 0.009 of its attenuation, and by 0.005
    with one block.

    Parameters
    ----------
    slab : Slab
        Attenuation, or transmission; shape (angle, row, column).
    context : Context
        Threads, and memory for the result.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    blocks : int
        Blocks of angles, of 8 views or more; 1 is a double flat field.
    rows, columns : int
        Window of the background, odd; more than twice as wide as the widest ring.
    strength : float
        How much of the errors is removed; 1 is all.
    pixel_mask : float
        Error of attenuation that a pixel has in one block at least, else nothing is removed; 0.01 is about 1 % of the
        transmission.
    axis_width : float
        Columns on either side of the axis within which less is removed of what goes on over rows; 0 removes all.

    Returns
    -------
    Slab
        Of the same domain, float32.

    Raises
    ------
    InputError
        There are fewer than 8 views for each block, or a value is not finite.

    References
    ----------
    W. James and C. Stein, Proceedings of the 4th Berkeley Symposium 1, 361 (1961), on the shrinkage; the blocks are
    those of tomodata's step of that name, and the interpolation between them is our own.
    """
    transmission = slab.domain == "transmission"
    errors, centres = block_errors(
        slab.data,
        blocks,
        size=(rows, columns),
        transmission=transmission,
        spared=spared_about_axis(slab.data.shape[2], axis_column, axis_width),
        threads=min(THREADS, context.threads),
    )
    errors *= strength * (np.abs(errors).max(axis=0) >= pixel_mask)
    result = context.result(slab.data.shape)
    for view, corrected, error in zip(
        slab.data, result, interpolated(errors, centres, len(slab.data)), strict=True
    ):
        if transmission:
            np.multiply(view, np.exp(error), out=corrected, casting="same_kind")
        else:
            np.subtract(view, error, out=corrected, casting="same_kind")
    return replace(slab, data=result)
