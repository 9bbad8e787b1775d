"""The step that corrects pixels by the mean of all views."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from tomarium.array import lies_elsewhere, like
from tomarium.kernels.double_flat_field import (
    CHUNK,
    Background,
    constant_errors,
    halo_rows,
    spared_about_axis,
)
from tomarium.model import Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, NotNegative, OddCount
from tomarium.steps.core.step import Cost, Example, Values, step

THREADS: Final = 8
"""Rows whose windows are sorted at a time, at most."""


def _halo(values: Values, layout: Layout) -> int:
    return halo_rows(values["background"], values["rows"], values["columns_only"])


def _host(values: Values, layout: Layout) -> int:
    """Input, result, a chunk with its logarithm, the mean view in some copies, and the windows of its rows."""
    _, rows, columns = layout.shape
    chunk = min(layout.values, max(rows * columns, CHUNK))
    window: int = values["rows"] * values["columns"]
    windows = 2 * 8 * columns * window * min(rows, THREADS)
    return layout.bytes + 4 * layout.values + 8 * chunk + 8 * 8 * rows * columns + windows


@step(
    accepts=("attenuation", "transmission"),
    anywhere=True,
    halo=_halo,
    cost=Cost(host=_host, nanoseconds=6.0),
    place=26,
    example=Example({"rows": 5, "columns": 7}),
    aliases=("double_ff", "f", "double_flatfield", "doubleff", "DOUBLEFFCORRECTION"),
)
def double_flat_field(
    slab: Slab,
    *,
    context: Context,
    axis_column: Column = FROM_SCAN,
    rows: OddCount = 9,
    columns: OddCount = 9,
    background: Background = "median",
    strength: NotNegative = 1.0,
    pixel_mask: NotNegative = 0.0,
    columns_only: bool = False,
    axis_width: NotNegative = 3.0,
    mean_of: Literal["attenuation", "transmission"] = "attenuation",
    every: Count = 1,
) -> Slab:
    """Correct each pixel by what it adds to the mean of all views, so that slices have no rings.

    1. The attenuation is averaged over the views of each of 16 blocks of angles: the sample, which turns, is smooth in
       it, and a pixel that answers differently from its neighbours is not.
    2. Its smooth background is subtracted; with the median, what it cuts off of bends that go on over rows, too. What
       is left is the error of each pixel, averaged over the blocks less the lowest and the highest fifth of them, in
       which the sample passes.
    3. What within `axis_width` w of the axis c goes on over 5 rows is lessened by (|u - c| / w)², for what lies on the
       axis does not move either. Errors below `pixel_mask` are left.
    4. The errors are subtracted from every view.

    Views of other rows are looked at too: a spot of the scintillator is small in both directions, while edges of the
    sample go on from row to row. What a sample without rings loses lies within 16 columns of the axis, where it hardly
    moves: 0.011 of the attenuation in the median of ten simulated ones. `axis_width` 16 makes 0.007 of it, and leaves a
    third of the rings there in place of a tenth. It wants a scan of many views and at least half a turn. Pixels that
    are dead, or wrong at some angles, it takes for whole rings: remove_stripes with method=auto goes before it.

    Parameters
    ----------
    slab : Slab
        Attenuation, or transmission; shape (angle, row, column).
    context : Context
        Threads, and memory for the result.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    rows, columns : int
        Window of the background, odd; more than twice as wide as the widest ring. Larger is stronger, and takes more
        of the sample for an error.
    background : {"median", "gaussian", "homogeneous"}
        "median", of the window; "gaussian", of that full width at half maximum; "homogeneous", the median of each row,
        for a sample that fills the field evenly: wide rings and shades are removed too.
    strength : float
        How much of the errors is removed; 1 is all.
    pixel_mask : float
        Errors of attenuation below which nothing is removed; 0.01 is about 1 % of the transmission.
    columns_only : bool
        Whether only errors that go on along the columns are removed, as amplifiers of a column make them: the
        background is taken within each row, and of the errors the median over `rows` rows.
    axis_width : float
        Columns on either side of the axis within which less is removed of what goes on over rows; 0 removes all.
    mean_of : {"attenuation", "transmission"}
        What is averaged. Attenuation is exact for errors of the gain; transmission is what tomodata and nabu average.
    every : int
        Of so many views one is averaged; 1 is all. More is quicker, and tells errors with more noise.

    Returns
    -------
    Slab
        Of the same domain, float32.

    Raises
    ------
    InputError
        A value is not finite.

    References
    ----------
    V. Van Nieuwenhove et al., Optics Express 23, 27975 (2015), on flats that do not fit; the double flat field is that
    of tomodata and PyHST2, A. Mirone et al., Nucl. Instrum. Methods B 324, 41 (2014), doi 10.1016/j.nimb.2013.09.030.
    """
    transmission = slab.domain == "transmission"
    error = constant_errors(
        slab.data[::every, ...],
        transmission=transmission,
        mean_of_transmission=mean_of == "transmission",
        background=background,
        size=(rows, columns),
        columns_only=columns_only,
        spared=spared_about_axis(slab.data.shape[2], axis_column, axis_width),
        threads=min(THREADS, context.threads),
    )
    error = np.where(np.abs(error) < pixel_mask, 0, error)
    error *= strength
    if lies_elsewhere(slab.data):
        correction = like((np.exp(error) if transmission else error).astype(np.float32)[None], slab.data)
        return replace(slab, data=slab.data * correction if transmission else slab.data - correction)
    result = context.result(slab.data.shape)
    if transmission:
        return replace(slab, data=np.multiply(slab.data, np.exp(error).astype(np.float32), out=result))
    return replace(slab, data=np.subtract(slab.data, error.astype(np.float32), out=result))
