"""Slices as whole numbers of 8 or 16 bits, between limits that are given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from tomarium.errors import MissingData, ParameterError
from tomarium.kernels.quantise import Beyond, quantise
from tomarium.model import Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.step import Cost, Example, Figure, Values, step


def _limits(low: float | None, high: float | None) -> tuple[float, float]:
    if low is None or high is None:
        raise MissingData(
            "step cast: the limits are not given; give the values that become 0 and the greatest number, such as "
            "cast.low=-0.1 and cast.high=2.5"
        )
    if not (np.isfinite([low, high]).all() and low < high):
        raise ParameterError(
            f"step cast: the limits {low:g} and {high:g} cannot be used; low must be below high, and both finite"
        )
    return low, high


def _after(layout: Layout, values: Values) -> Layout:
    if layout.grey_range is not None:
        raise ParameterError("step cast: the slices are whole numbers already; leave out all casts but one")
    low, high = _limits(values["low"], values["high"])
    grey_range = {"low": low, "high": high, "unit": layout.unit}
    return replace(layout, dtype=np.dtype(values["dtype"]), unit="", grey_range=grey_range)


@step(
    accepts=("slice",),
    after=_after,
    cut="slice",
    cost=Cost(host=1.5, nanoseconds=0.4),
    figures=(
        Figure("below"),
        Figure("above"),
        Figure(
            "not_finite",
            0.0,
            "{percent} % of the voxels were not finite numbers: NaN became 0 when they were cast",
        ),
    ),
    place=80,
    example=Example({"dtype": "uint16", "low": 0.0, "high": 2.0}),
)
def cast(
    slab: Slab,
    *,
    context: Context,
    dtype: Literal["uint8", "uint16"] = "uint16",
    low: float | None = None,
    high: float | None = None,
) -> Slab:
    """Spread the values of slices over the whole numbers of 8 or 16 bits.

    number = floor((value - low) · most / (high - low) + 1/2), clipped to 0 … most, most being 255 or 65535; in double
    precision, as `tomarium convert --dtype` has it. A value between the limits reads back within half a step of
    (high - low) / most.

    Parameters
    ----------
    slab : Slab
        Slices (z, y, x).
    context : Context
        Threads, and memory for the result.
    dtype : str
        Type of the numbers: "uint8" or "uint16".
    low, high : float
        Values that become 0 and the greatest number, in the unit of the slices. What lies beyond is clipped and
        counted, NaN becomes 0.

    Returns
    -------
    Slab
        Numbers (z, y, x) of that type, without unit.

    Raises
    ------
    MissingData
        A limit is not given.
    ParameterError
        The limits do not ascend, or the slices are whole numbers already.

    References
    ----------
    A. Gersho and R. M. Gray, Vector Quantization and Signal Compression (1992), chapter 5: uniform quantisation.
    """
    lower, upper = _limits(low, high)
    beyond = Beyond()
    values: Any = np.ascontiguousarray(slab.data)
    numbers = context.result(values.shape, dtype)
    quantise(values, lower, upper, dtype, out=numbers, beyond=beyond, threads=context.threads)
    counts = {"below": beyond.below, "above": beyond.above, "not_finite": beyond.not_finite}
    report = {**slab.report, **{f"cast.{name}": count for name, count in counts.items()}}
    return replace(slab, data=numbers, unit="", report=report)
