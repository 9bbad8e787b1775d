"""Filtered backprojection."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from tomarium.kernels.engines import choose, peak_bytes
from tomarium.kernels.fbp import fbp as reconstruct
from tomarium.kernels.half_acquisition import field_columns, is_half_acquisition
from tomarium.kernels.ramp import Padding, Window
from tomarium.model import Scan, Slab
from tomarium.steps.parameter import FROM_SCAN, Column, Degrees, Fraction, Metres
from tomarium.steps.step import Values, slab_bytes, step

Engine = Literal["auto", "native", "direct", "nufft", "reference"]


def _size(values: Values, scan: Scan) -> int:
    """Return the edge of the slices: the detector's width, or that of the field a half acquisition sees."""
    columns, axis_column = scan.shape[2], values["axis_column"]
    if values["field"] == "detector" or axis_column is None:
        return columns
    if values["field"] == "auto" and not is_half_acquisition(scan.angles_deg.value, axis_column, columns):
        return columns
    return field_columns(columns, axis_column)


def _peak(values: Values, scan: Scan, rows: int) -> int:
    angles, _, columns = scan.shape
    size = _size(values, scan)
    return slab_bytes(scan, rows) + peak_bytes(
        _engine(values["engine"], scan, size), angles, rows, columns, size
    )


def _engine(asked: Engine, scan: Scan, size: int) -> str:
    """Choose by the whole scan, so that a slab, a slice and the volume are made by the same engine."""
    _, rows, columns = scan.shape
    return choose(asked, rows, columns, (0, size, 0, size))


def _plane(values: Values, scan: Scan) -> tuple[int, int]:
    size = _size(values, scan)
    return size, size


@step(
    accepts=("attenuation",),
    gives="slice",
    peak=_peak,
    plane=_plane,
    aliases=("filtered_backprojection", "fbp.py"),
)
def fbp(
    slab: Slab,
    *,
    scan: Scan,
    threads: int,
    axis_column: Column = FROM_SCAN,
    pixel_m: Metres | None = FROM_SCAN,
    window: Window = "ramp",
    cutoff: Fraction = 1.0,
    padding: Padding = "zero",
    angle_offset_deg: Degrees = 0.0,
    field: Literal["auto", "detector", "extended"] = "auto",
    engine: Engine = "auto",
) -> Slab:
    """Reconstruct slices by filtered backprojection.

    The band-limited ramp is sampled in space, so that the mean of a slice is right; rows are padded to at
    least twice their length. The rotation axis is the middle of the slice. Voxels that some view does not
    see are zero.

    Parameters
    ----------
    slab : Slab
        Attenuation, shape (angle, row, column), dimensionless.
    scan : Scan
        Tells the angles.
    threads : int
        Threads that may be used.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    pixel_m : float or None
        Pixel size at the sample. With it the slices are in 1/cm, without it in 1/px.
    window : str
        Window on the ramp; "ramp" is none, "hann" and "parzen" smooth most.
    cutoff : float
        Frequency at which the window ends, as part of the highest the detector samples.
    padding : str
        How rows go on beyond the detector: with zeros, or with their edge values for a sample that is
        larger than the field of view.
    angle_offset_deg : float
        Added to every angle; turns the slices.
    field : str
        "detector", slices as wide as the detector; "extended", as wide as the field a full turn about an axis off
        the middle sees; "auto", extended for a half acquisition (see step half_acquisition).
    engine : str
        "native", gridding in compiled code; "direct", backprojection in compiled code; "nufft", gridding by
        ducc0 without compiled code of ours; "reference", NumPy in double precision, slow; "auto", the best
        there is.

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
    size = _size({"axis_column": axis_column, "field": field}, scan)
    data = reconstruct(
        slab.data,
        scan.angles_deg.value + angle_offset_deg,
        axis_column,
        window=window,
        cutoff=cutoff,
        padding=padding,
        engine=_engine(engine, scan, size),
        size=size,
        threads=threads,
        pixel_m=pixel_m,
    )
    return replace(slab, data=data, domain="slice", unit="1/px" if pixel_m is None else "1/cm")
