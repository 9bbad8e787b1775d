"""Filtered backprojection."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from tomarium.array import lies_elsewhere
from tomarium.errors import ParameterError
from tomarium.kernels.engines import ON_DEVICE, choose, device_bytes, peak_bytes
from tomarium.kernels.fbp import BATCH, FEWEST_ANGLES, Beyond
from tomarium.kernels.fbp import fbp as reconstruct
from tomarium.kernels.half_acquisition import field_columns, turn_of
from tomarium.kernels.ramp import Window
from tomarium.kernels.truncation import Edge, far_edge, truncated_views
from tomarium.model import Geometry, Layout, Slab
from tomarium.model.half_acquisition import is_half_acquisition
from tomarium.steps.core.context import Context
from tomarium.steps.core.parameter import FROM_SCAN, Column, Degrees, Fraction, Metres, Ranges
from tomarium.steps.core.step import Cost, Figure, Values, step
from tomarium.steps.reconstruct.corrected import demand_corrected, rows_moved_back

Engine = Literal["auto", "native", "direct", "nufft", "reference", "cuda", "cuda-half"]


def _size(values: Values, layout: Layout) -> int:
    """Return the edge of the slices: the detector's width, or that of the field a half acquisition sees."""
    columns, axis_column = layout.shape[2], values["axis_column"]
    if values["field"] == "detector" or axis_column is None:
        return columns
    angles = layout.geometry.angles_deg.value
    if values["field"] == "auto" and not is_half_acquisition(angles, axis_column, columns):
        return columns
    return field_columns(columns, axis_column)


def _box(values: Values, layout: Layout) -> tuple[int, int, int, int]:
    """Return the part of the slices that is wanted, of a half acquisition too whose axis is not found yet."""
    size = _size(values, layout)
    unknown = values["axis_column"] is None and values["field"] != "detector"
    return _region(values["region"], size, 2 * layout.shape[2] + 1 if unknown else size)


def _region(text: str, size: int, highest: int) -> tuple[int, int, int, int]:
    """Read "y0:y1,x0:x1"; empty text is the whole slice, and no number may be above the highest."""
    parts = text.split(",") if text else [":", ":"]
    if len(parts) != 2:
        raise ParameterError(
            f"step fbp: region {text!r} holds {len(parts)} range; write Y0:Y1,X0:X1 in voxels"
        )
    ends: list[int] = []
    for part in parts:
        first, _, last = part.partition(":")
        start, stop, _ = slice(int(first) if first else None, int(last) if last else None).indices(
            highest if first and last else size
        )
        if start >= stop or (last and int(last) > highest):
            raise ParameterError(
                f"step fbp: region {text!r} does not lie in a slice of {size} × {size} voxels; write Y0:Y1,X0:X1 with "
                f"numbers from 0 to {size}"
            )
        ends += [start, stop]
    return ends[0], ends[1], ends[2], ends[3]


def _host(values: Values, layout: Layout) -> int:
    angles, rows, columns = layout.shape
    size = _size(values, layout)
    engine = choose(values["engine"])
    continued = 0
    if values["padding"] in (
        "auto",
        "chord",
    ):  # 16 rows twice as wide and one side once more; chords in double precision
        continued = angles * (min(rows, BATCH) * 12 * columns + rows * 400)
    return 4 * layout.values + peak_bytes(engine, angles, rows, columns, size) + continued


def _device(values: Values, layout: Layout) -> int:
    """Sinogram and slices, the sinogram as it goes on beyond the detector, and what gridding works in."""
    angles, rows, columns = layout.shape
    size = _size(values, layout)
    continued = angles * min(rows, BATCH) * 12 * columns if values["padding"] in ("auto", "chord") else 0
    wide = 2 * columns if continued else columns
    return 4 * layout.values + 4 * rows * size**2 + continued + device_bytes(angles, wide, size)


def _after(layout: Layout, values: Values) -> Layout:
    size = _size(values, layout)
    y0, y1, x0, x1 = _box(values, layout)
    pixel = layout.geometry.pixel_m if values["pixel_m"] is not None else None
    geometry = replace(layout.geometry, pixel_m=pixel, shift_columns_px=None, shift_rows_px=None)
    return Layout(
        shape=(layout.shape[1], y1 - y0, x1 - x0),
        dtype=np.dtype(np.float32),
        domain="slice",
        unit="1/px" if values["pixel_m"] is None else "1/cm",
        geometry=geometry,
        first_voxel=(y0 - (size - 1) / 2, x0 - (size - 1) / 2) if values["region"] else None,
    )


@step(
    accepts=("attenuation",),
    after=_after,
    together=2,  # the engines take two rows as one complex number, and each leaves its rounding errors in the other
    anywhere=lambda values, _layout: values["engine"] in ("auto", *ON_DEVICE),
    cost=Cost(host=_host, device=_device, nanoseconds=12.0),
    demand=demand_corrected("fbp"),
    first=rows_moved_back,
    figures=(
        Figure(
            "continued",
            0.01,
            "in {percent} % of the rows of views the attenuation does not fall to zero at the edges of the detector: "
            "the sample is wider, or the beam drifted. They were continued by chords of an ellipse; grey values are "
            "right to some percent only, least near the rim",
        ),
        Figure(
            "truncated",
            0.01,
            "in {percent} % of the rows of views the attenuation does not fall to zero at the edges of the detector: "
            "the sample is wider, or the beam drifted. They were not continued: slices have a bright or dark rim, and "
            "wrong grey values",
        ),
    ),
    place=60,
    aliases=("filtered_backprojection", "fbp.py", "gridrec"),
)
def fbp(
    slab: Slab,
    *,
    geometry: Geometry,
    context: Context,
    axis_column: Column = FROM_SCAN,
    pixel_m: Metres | None = FROM_SCAN,
    window: Window = "shepp-logan",
    cutoff: Fraction = 1.0,
    padding: Beyond = "auto",
    angle_offset_deg: Degrees = 0.0,
    field: Literal["auto", "detector", "extended"] = "auto",
    region: Ranges = "",
    engine: Engine = "auto",
) -> Slab:
    """Reconstruct slices by filtered backprojection.

    The band-limited ramp is sampled in space, so that the mean of a slice is right; rows are padded to at
    least twice their length. The rotation axis is the middle of the slice. Voxels that some view does not
    see are zero. Where the scan tells shifts of the sample along columns, each view is backprojected from where the
    sample stood, without interpolating it first; shifts along rows are undone by `apply_shifts` before.

    Parameters
    ----------
    slab : Slab
        Attenuation, shape (angle, row, column), dimensionless.
    geometry : Geometry
        Tells the angles, and shifts of the sample along columns.
    context : Context
        Threads, the whole of which the slab is a part, and memory for the result.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    pixel_m : float or None
        Pixel size at the sample. With it the slices are in 1/cm, without it in 1/px.
    window : str
        Window on the ramp: "shepp-logan" has three quarters of the noise of "ramp", which is none, and half of its
        overshoot at edges, for a tenth of the resolution; "hann" and "parzen" smooth most.
    cutoff : float
        Frequency at which the window ends, as part of the highest the detector samples.
    padding : str
        How rows go on beyond the detector: "zero", with their "edge" values, or by the "chord" of an ellipse that both
        edges see. "auto" takes chords in rows where the sample is wider than the field of view, and zero in others.
    angle_offset_deg : float
        Added to every angle; turns the slices.
    field : str
        "detector", slices as wide as the detector; "extended", as wide as the field a full turn about an axis off
        the middle sees; "auto", extended for a half acquisition (see step half_acquisition).
    region : str
        Part of the slices that is wanted, "Y0:Y1,X0:X1" in voxels of the whole slice; all of it by default.
    engine : str
        "native", gridding in compiled code; "direct", backprojection in compiled code; "nufft", gridding by
        ducc0 without compiled code of ours; "reference", NumPy in double precision, slow; "cuda", gridding on a GPU;
        "cuda-half", the same with filtered projections kept in 16 bits, which differs by 1e-3;
        "auto", the best there is, on a GPU where the slab lies there. Slices of "cuda" and "native" differ by
        2.5e-5 in the root of the mean square, and by up to 1e-4 of the greatest value near the rim of the disc: single
        precision rounds sums that are added in another order.

    Returns
    -------
    Slab
        Slices (z, y, x), float32, in 1/cm or 1/px.

    Raises
    ------
    EngineUnavailable
        The engine is not there; `tomarium doctor --self` says why.

    References
    ----------
    A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging (1988), chapter 3, equations 34 and 61.
    """
    full_layout = context.whole or Layout(slab.data.shape, slab.data.dtype, slab.domain, slab.unit, geometry)
    size = _size({"axis_column": axis_column, "field": field}, full_layout)
    y0, y1, x0, x1 = box = _region(region, size, size)
    turn = turn_of(geometry.angles_deg.value, axis_column, full_layout.shape[2])
    continued = padding in ("auto", "chord") and slab.data.shape[0] >= FEWEST_ANGLES
    name = "continued" if continued else "truncated"
    edge: Edge = "both" if turn == 180 else far_edge(full_layout.shape[2], axis_column)
    on_device = lies_elsewhere(slab.data)
    views = truncated_views(slab.data, geometry.angles_deg.value, edge)
    # What was looked at once need not be looked at again.
    beyond: Beyond = "zero" if padding == "auto" and not views.any() else padding
    own = slice(slab.halo[0], views.shape[1] - slab.halo[1])
    seen_pixels = np.count_nonzero(views[:, own]) * slab.data.shape[2]
    shifts = geometry.shift_columns_px
    rows = slab.data.shape[1]
    shape = rows, y1 - y0, x1 - x0
    data = None if on_device else context.result(shape)
    # Where somebody asks how far it is, in blocks, each as many rows as the engines take together.
    block = rows if on_device or context.on_progress is None else BATCH
    for first in range(0, rows, block):
        last = min(first + block, rows)
        slices = reconstruct(
            slab.data[:, first:last, :],
            geometry.angles_deg.value + angle_offset_deg,
            axis_column,
            window=window,
            cutoff=cutoff,
            padding=beyond,
            engine=engine,
            size=size,
            region=box if region else None,
            threads=context.threads,
            pixel_m=pixel_m,
            out=None if data is None else data[first:last],
            turn_deg=turn,
            shift_columns_px=None if shifts is None else shifts.value,
            row_axes=None if context.row_axes is None else context.row_axes[first:last],
        )
        data = slices if on_device else data
        if context.on_progress is not None:
            context.on_progress(last, rows)
    report = {**slab.report, f"fbp.{name}": int(seen_pixels)}
    return replace(slab, data=data, domain="slice", unit="1/px" if pixel_m is None else "1/cm", report=report)
