"""The step that levels each view by columns that see no sample."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from annotated_types import Ge

from tomarium.array import lies_elsewhere, namespace
from tomarium.kernels.air import Sides, air_line
from tomarium.model import Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.step import Cost, Example, Figure, step


@step(
    accepts=("attenuation", "transmission"),
    cut="any",
    anywhere=True,
    cost=Cost(host=5.0, device=8.0, nanoseconds=8.0),
    figures=(
        Figure(
            "covered",
            1e-3,
            "in {percent} % of the rows of views the columns taken for air are not even: the sample, or what holds it, "
            "reaches into them, and grey values are wrong there; give fewer normalise_air.columns, or one of its sides",
        ),
    ),
    place=28,
    example=Example({"columns": 4}),
    aliases=("normalize_bg", "air_normalisation"),
)
def normalise_air(
    slab: Slab, *, context: Context, columns: Annotated[int, Ge(2)] = 16, sides: Sides = "both"
) -> Slab:
    """Level each row of each view by columns that see no sample.

    Flats before and after a scan do not tell how the beam's brightness changed between: the current of the ring, the
    shutter, a drift of the monochromator. Where there is air beside the sample in every view, it does. The mean
    attenuation of the outermost columns becomes 0; between the two sides, what is subtracted is a line.

    Parameters
    ----------
    slab : Slab
        Attenuation, or transmission; shape (angle, row, column).
    context : Context
        Memory for the result.
    columns : int
        Columns at an edge of the detector that see air in every view, at least 2. More have less noise.
    sides : {"both", "left", "right"}
        Which edges; in a half acquisition the one far from the axis.

    Returns
    -------
    Slab
        Of the same domain, float32.

    Raises
    ------
    InputError
        There are not so many columns.

    References
    ----------
    The background normalisation of TomoPy, D. Gürsoy et al., Journal of Synchrotron Radiation 21, 1188 (2014), doi
    10.1107/S1600577514013939.
    """
    data, xp = slab.data, namespace(slab.data)
    transmission = slab.domain == "transmission"
    attenuation = -xp.log(xp.maximum(data, 1e-6)) if transmission else data
    line, covered = air_line(attenuation, columns, sides)
    if lies_elsewhere(data):
        result = data * xp.exp(line) if transmission else data - line
    elif transmission:
        result = np.multiply(data, np.exp(line), out=context.result(data.shape))
    else:
        result = np.subtract(data, line, out=context.result(data.shape))
    counted = int(np.count_nonzero(covered)) * data.shape[2]
    return replace(slab, data=result, report={**slab.report, "normalise_air.covered": counted})
