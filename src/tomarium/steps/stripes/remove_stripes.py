"""The step that removes stripes from sinograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final, Literal, get_args

import numpy as np

from tomarium.array import contiguous, empty_there, namespace, processors
from tomarium.errors import ParameterError
from tomarium.kernels.cuda.device import kernels_of
from tomarium.kernels.stripe_agreement import (
    ANGLE_BLOCKS,
    bridge_dead_columns,
    remove_stripes_by_agreement,
)
from tomarium.kernels.stripe_selection import Columns, Treatment, remove_stripes_where_found
from tomarium.kernels.stripe_wavelets import remove_stripes_by_wavelets
from tomarium.kernels.stripes import remove_all_stripes, remove_large_stripes, remove_stripes_by_sorting
from tomarium.model import Layout, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import NotNegative, OddCount
from tomarium.steps.core.step import Cost, Example, Figure, Values, step

Method = Literal["agreement", "sorting", "large", "dead", "wavelet", "all", "auto"]
"""How stripes are told from the sample."""

COMPARING: Final = ("agreement", "dead", "auto")
"""Methods that compare parts of the scan."""

COUNTED: Final = (
    *(f"rows_{name}" for name in get_args(Treatment)),
    *(f"columns_{field.name}" for field in fields(Columns)),
)
"""What "auto" tells: rows by their treatment, and columns, row by row, by their kind."""

HELD: Final[Mapping[str, int]] = {
    "agreement": 3, "sorting": 0, "large": 3, "dead": 2, "wavelet": 7, "all": 8, "auto": 6,
}  # fmt: skip
"""Sinograms that a method holds in each thread at its worst moment."""

BLOCK: Final = 4
"""Rows that are corrected before it is asked whether to go on."""

LOWEST: Final = 1e-6
"""Transmission below which nothing is told apart."""


def _host(values: Values, layout: Layout) -> int:
    """Input, result, the logarithm of a transmission, a sinogram sorted with its order, and what each thread holds."""
    angles, rows, columns = layout.shape
    copies = 2 if layout.domain == "transmission" else 1
    sorted_bytes = 4 * angles * columns * HELD[values["method"]] * min(rows, processors())
    return (
        layout.bytes + 4 * layout.values * copies + 8 * 4 * (angles + 16) * (2 * columns + 24) + sorted_bytes
    )


def _device(values: Values, layout: Layout) -> int:
    """Input, result, sorted values with their order, and the logarithm of a transmission."""
    return layout.bytes + 4 * layout.values * (6 if layout.domain == "transmission" else 5)


@step(
    accepts=("attenuation", "transmission"),
    anywhere=lambda values, _layout: values["method"] == "sorting",
    cost=Cost(host=_host, device=_device, nanoseconds=35.0),
    figures=tuple(Figure(name) for name in COUNTED),
    place=25,
    example=Example({"size": 9}),
    aliases=("ring_removal", "remove_rings", "remove_stripe_based_sorting"),
)
def remove_stripes(
    slab: Slab,
    *,
    context: Context,
    method: Method = "agreement",
    size: OddCount = 21,
    strength: NotNegative = 1.0,
) -> Slab:
    """Remove stripes from sinograms, so that slices have no rings.

    Most methods sort each column of a sinogram over the angles, smooth it by a median over neighbouring columns at each
    rank, and put it back; they differ in what they trust that to find. Phase retrieval makes stripes wide and faint, so
    the natural place is before it.

    Parameters
    ----------
    slab : Slab
        Attenuation, or transmission, whose logarithm is corrected; shape (angle, row, column).
    context : Context
        Threads, and memory for the result.
    method : {"agreement", "sorting", "large", "dead", "wavelet", "all", "auto"}
        "agreement" removes a stripe as far as all parts of the scan show it, and spares the sample: a sinogram without
        stripes is changed by 0.001 of its attenuation. "sorting" removes all
        that was found, stripes over part of the angles too, and blurs 0.03 to 0.07 of the attenuation near edges.
        "large" levels every column and smooths those that stand out, for stripes 5 to 25 columns wide; it changes a
        clean sinogram by 0.04 to 0.10. "dead" interpolates columns that follow no neighbour, and leaves the others.
        "wavelet" damps what is slow along the angles and fine across, by 0.03 of the attenuation of a clean sinogram.
        "all" is the published chain for dead columns, wide and narrow stripes; it changes a clean sinogram by 0.06 to
        0.10. "auto" tells dead columns from those that are wrong at all, at most or at some angles, treats each kind,
        and keeps for each row of none, double flat field, dead columns too, and all that which leaves the least of
        stripes and changes the least else: of a clean sinogram 0.001 at 256 columns and 0.004 at 128, and 0.03 at
        most of 20 simulated ones; the report counts what it chose.
        Stripes wider than 8 columns are left by "agreement" and "auto".
    size : int
        Columns of the median, odd; wider than twice the widest stripe. Larger is stronger, and blurs more. "large"
        wants 51 or more; "wavelet" has as many levels as make up half of it; "dead" does not look at it.
    strength : float
        How much of what was found is removed; 1 is all.

    Returns
    -------
    Slab
        Of the same domain, float32.

    Raises
    ------
    ParameterError
        There are fewer angles than "agreement", "dead" and "auto" can compare.

    References
    ----------
    N. T. Vo, R. C. Atwood and M. Drakopoulos, Optics Express 26, 28396 (2018), algorithms 3 to 6,
    doi 10.1364/OE.26.028396; B. Münch et al., Optics Express 17, 8567 (2009), doi 10.1364/OE.17.008567, on "wavelet".
    """
    if method in COMPARING and slab.data.shape[0] < ANGLE_BLOCKS:
        raise ParameterError(
            f"remove_stripes: {slab.data.shape[0]} angles are too few to compare parts of the scan, which takes "
            f"{ANGLE_BLOCKS}; set remove_stripes.method=sorting"
        )
    if namespace(slab.data) is not np:
        return _sorted_there(slab, size, strength)
    data, rows = context.result(slab.data.shape), slab.data.shape[1]
    choices: list[Counter[str]] = []
    # Where somebody asks how far it is, in blocks of rows, of which each is corrected by itself.
    block = rows if context.on_progress is None else max(BLOCK, context.threads)
    for first in range(0, rows, block):
        part = slice(first, min(first + block, rows))
        attenuation, shape = slab.data[:, part], (len(data), part.stop - first, data.shape[2])
        out = data if block >= rows else np.empty(shape, np.float32)
        if slab.domain == "transmission":
            attenuation = np.maximum(attenuation, LOWEST, out=context.empty("attenuation", shape))
            np.negative(np.log(attenuation, out=attenuation), out=attenuation)
        choices += _corrected(method, size, strength, attenuation, out, context.threads)
        if strength != 1 and method != "sorting":
            out -= attenuation
            out *= strength
            out += attenuation
        if slab.domain == "transmission":
            np.exp(np.negative(out, out=out), out=out)
        if out is not data:
            data[:, part] = out
        if context.on_progress is not None:
            context.on_progress(part.stop, rows)
    report = dict(slab.report)
    if method == "auto":  # neighbours count the rows of the halo
        counts = sum(choices[slab.halo[0] : len(choices) - slab.halo[1]], Counter[str]())
        report |= {f"remove_stripes.{name}": counts[name.split("_", 1)[1]] for name in COUNTED}
    return replace(slab, data=data, report=report)


def _sorted_there(slab: Slab, size: int, strength: float) -> Slab:
    """Remove stripes by sorting where the slab lies."""
    xp = namespace(slab.data)
    data = contiguous(slab.data)
    if slab.domain == "transmission":
        data = -xp.log(xp.maximum(data, xp.asarray(LOWEST, dtype=xp.float32, device=data.device)))
    out = empty_there(data, data.shape)
    kernels_of(data).sort_stripes(data, size, out, strength=strength)
    return replace(slab, data=xp.exp(-out) if slab.domain == "transmission" else out)


def _corrected(
    method: Method, size: int, strength: float, rows: Any, out: Any, threads: int
) -> Sequence[Counter[str]]:
    """Correct rows into `out`; give what "auto" chose for each."""
    if method == "sorting":
        remove_stripes_by_sorting(rows, size, strength=strength, threads=threads, out=out)
    elif method == "agreement":
        remove_stripes_by_agreement(rows, size, threads=threads, out=out)
    elif method == "large":
        remove_large_stripes(rows, size, threads=threads, out=out)
    elif method == "dead":
        bridge_dead_columns(rows, threads=threads, out=out)
    elif method == "wavelet":
        remove_stripes_by_wavelets(rows, max(1, size.bit_length() - 2), threads=threads, out=out)
    elif method == "all":
        remove_all_stripes(rows, small_size=size, threads=threads, out=out)
    else:
        return remove_stripes_where_found(rows, size, threads=threads, out=out)[1]
    return ()
