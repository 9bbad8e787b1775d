"""The probe that finds how the sample drifted in the course of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.errors import InputError
from tomarium.formats.nexus.nxtomo import read_return_images
from tomarium.kernels.axis.window import overlap
from tomarium.kernels.motion.drift import (
    LEAST_PX,
    Fit,
    Model,
    MotionEstimate,
    confidence_of,
    fit_columns,
    fit_rows,
)
from tomarium.kernels.motion.pairs import ViewPairs, view_pairs
from tomarium.kernels.motion.register import Offset, band_pass, register
from tomarium.model import Layout, Scan, Slab
from tomarium.steps.core.parameter import FROM_SCAN, Column, Count, Positive
from tomarium.steps.core.sample import Sample, sample_of
from tomarium.steps.core.step import Cost, Values, probe
from tomarium.steps.probes.find_axis import attenuation_of_slab

FINEST_PX: Final = 1.0
NONE: Final = "none"
"""Word that takes no return images, not even those of the scan's own file."""
Array = NDArray[np.float64]


def bands_of(values: Values, layout: Layout) -> tuple[slice, ...]:
    """Return bands of neighbouring rows, evenly over the height, that a probe of motion reads."""
    height = layout.rows
    size = min(values["band_rows"], height)
    count = max(1, min(values["bands"], height // size))
    starts = [round((k + 0.5) * height / count - size / 2) for k in range(count)]
    return tuple(
        slice(start, start + size) for start in (min(max(0, start), height - size) for start in starts)
    )


def answer_of(estimate: MotionEstimate) -> tuple[Any, Any]:
    """Return what fills the geometry; what the views do not tell stays as it was."""
    along = any("rows" not in name for name in estimate.inseparable)
    return None if along else estimate.shift_columns_px, estimate.shift_rows_px


def motion_warnings(name: str, fit: Mapping[str, Any]) -> list[str]:
    """Say what the user should know of shifts that were found."""
    messages = []
    if fit["inseparable"]:
        messages.append(
            f"{name}: the views do not tell apart {', '.join(fit['inseparable'])}, so nothing was corrected there; a "
            f"full turn, views that come back to an angle, or return images would tell"
        )
    elif fit["confidence"] != "high":
        error, residual = fit["error_px"], fit["residual_px"]
        doubts = "".join(f", and {doubt}" for doubt in fit.get("doubts", ()))
        messages.append(
            f"{name}: motion was found with {fit['confidence']} confidence, with an error of {error:.2g} px and "
            f"{residual:.2g} px that the model leaves{doubts}: compare slices with and without it"
        )
    return messages


@probe(
    fills=("shift_columns_px", "shift_rows_px"),
    answer=answer_of,
    reads=bands_of,
    warnings=lambda answer: motion_warnings("movement_correction", answer),
    cost=Cost(host=4.0, nanoseconds=60.0),
    place=27,
    aliases=("movement", "movement_correction.py", "m"),
)
def movement_correction(
    sample: Scan | Sample,
    *,
    axis_column: Column | None = FROM_SCAN,
    model: Literal["auto", "sample", "detector"] = "auto",
    degree: Count = 1,
    reach_px: Positive = 10.0,
    returns: str = "",
    bands: Count = 1,
    band_rows: Count = 64,
    coarsest_px: Positive = 8.0,
) -> MotionEstimate:
    """Find how the sample drifted, from views of the same direction that were taken at different times.

    In a full turn, the mirror image of a view lies where the view half a turn later lies, but for the axis and the
    motion between; views that come back to an angle, and return images after the scan, lie on each other but for the
    motion. A polynomial of time is fitted to how far they lie apart, along with the rotation axis. Half a turn without
    return images does not tell a drift along columns from the axis; that is said, and nothing is corrected.

    Parameters
    ----------
    sample : Scan or Sample
        The scan, or what the steps before the probe leave of it; bands of rows are read at all angles.
    axis_column : float or None
        Column of the rotation axis: shifts are told beside it. It is looked for anew along with the motion.
    model : str
        "sample", it slides on the stage and turns with it; "detector", it drifts along the detector, or the axis does;
        "auto", what leaves less.
    degree : int
        Highest power of time.
    reach_px : float
        Farthest two images may lie apart beside their expected places, pixels.
    returns : str
        Scan of return images, taken after the scan, with their angles and flats; a relative path counts from the
        scan's folder. By default those that the scan's own file marks as such (NXtomo, image_key -1), where views are
        as large as these; "none" takes none.
    bands, band_rows : int
        Bands of neighbouring rows that are looked at, spread over the height, and rows of each.
    coarsest_px : float
        Structures coarser than this are left out, pixels.

    Returns
    -------
    MotionEstimate
        Shifts of each view, with confidence and what could not be told apart.

    Raises
    ------
    InputError
        The return images have another size, or are no scan.

    References
    ----------
    The model and its fit are those of the motion estimation of nabu (ESRF), written down independently.
    """
    reached = sample_of(sample)
    values = {"bands": bands, "band_rows": band_rows}
    rows = bands_of(values, reached.layout)
    parts = [attenuation_of_slab(slab, reached.scan) for slab in reached.read(rows)]
    angles = np.asarray(reached.layout.geometry.angles_deg.value, np.float64)
    count = len(angles)
    times = np.linspace(-0.5, 0.5, count) if count > 1 else np.zeros(1)
    opened = _open_returns(returns, reached)
    if opened is not None:
        return_angles, extra = _read_returns(opened, rows)
        parts = [np.concatenate(part_and_returns) for part_and_returns in zip(parts, extra, strict=True)]
        times, angles = np.r_[times, np.full(len(return_angles), 0.55)], np.r_[angles, return_angles]
    if axis_column is FROM_SCAN:  # called without a protocol
        value = reached.layout.geometry.axis_column
        axis_column = None if value is None else value.value
    seen_columns = (
        slice(0, parts[0].shape[2]) if axis_column is None else overlap(parts[0].shape[2], axis_column)
    )
    reach = reach_px if axis_column is not None else max(reach_px, parts[0].shape[2] / 3)
    pairs = view_pairs(angles, times)
    offsets = [_offsets(part[:, :, seen_columns], pairs, reach, coarsest_px) for part in parts]
    part_count = len(parts)
    together = ViewPairs(
        np.tile(pairs.first, part_count),
        np.tile(pairs.second, part_count),
        np.tile(pairs.mirrored, part_count),
    )
    flat = [offset for part_offsets in offsets for offset in part_offsets]
    chosen, along = _columns(
        together, flat, angles, times, seen_columns.stop - seen_columns.start, model, degree
    )
    across = fit_rows(together, flat, times, degree=degree)
    shifts = along.shifts_px[:count]
    found_axis = along.axis_column + seen_columns.start
    if not along.inseparable and axis_column is not None:
        shifts = shifts + (found_axis - axis_column)
    lacking = (*along.inseparable, *across.inseparable)
    level = across.shifts_px[:count]
    moved = not across.inseparable and float(np.abs(level).max()) > LEAST_PX and parts[0].shape[1] > 8
    residual, error = max(along.residual_px, across.residual_px), max(along.error_px, across.error_px)
    return MotionEstimate(
        shifts,
        level if moved else None,
        axis_column if axis_column is not None or along.inseparable else found_axis,
        chosen,
        confidence_of(residual, error, lacking, len(flat)),
        residual,
        error,
        len(flat),
        lacking,
        returns=0 if opened is None else opened.shape[0],
    )


def _offsets(part: NDArray[np.float32], pairs: ViewPairs, reach: float, coarsest: float) -> list[Offset]:
    if not len(pairs.first):
        return []
    used = np.unique(np.r_[pairs.first, pairs.second])
    place = {int(view): k for k, view in enumerate(used)}
    images = band_pass(np.ascontiguousarray(part[used]), FINEST_PX, coarsest)
    offsets = []
    for first, second, mirrored in zip(pairs.first, pairs.second, pairs.mirrored, strict=True):
        second_image = images[place[int(second)]]
        second_image = np.ascontiguousarray(second_image[:, ::-1]) if mirrored else second_image
        offsets.append(register(images[place[int(first)]], second_image, reach))
    return offsets


def _columns(
    pairs: ViewPairs,
    offsets: list[Offset],
    angles: Array,
    times: Array,
    columns: int,
    model: str,
    degree: int,
) -> tuple[str, Fit]:
    """Fit each model that is asked for, with the axis as an unknown."""
    names: tuple[Model, ...] = ("sample", "detector")
    fits: dict[str, Fit] = {}
    for name in names:
        if model in ("auto", name):
            fits[name] = fit_columns(
                pairs, offsets, angles, times, columns=columns, model=name, degree=degree
            )
    determined = {name: fit for name, fit in fits.items() if not fit.inseparable}
    best = min(determined or fits, key=lambda name: fits[name].residual_px if determined else 0.0)
    if "detector" in determined and determined["detector"].residual_px <= 1.02 * determined[best].residual_px:
        best = "detector"  # it has fewer unknowns
    return best, fits[best]


def _open_returns(path: str, reached: Sample) -> Scan | None:
    """Open the return images of a file that was named, or of the scan's own; None where there are none to be used."""
    if path == NONE:
        return None
    if not path:
        own = read_return_images(reached.scan)
        return own if own is not None and own.shape[1:] == reached.layout.shape[1:] else None
    place = reached.scan.path.parent / path
    opened = formats.open(place)
    if not isinstance(opened, Scan):
        raise InputError(f"{place} holds an image; return images need their angles, such as a scan has")
    if opened.shape[1:] != reached.layout.shape[1:]:
        raise InputError(
            f"{place}: return images of {opened.shape[1]} × {opened.shape[2]} do not lie on views of "
            f"{reached.layout.shape[1]} × {reached.layout.shape[2]}; leave out views that crop or bin before this probe"
        )
    return opened


def _read_returns(opened: Scan, rows: tuple[slice, ...]) -> tuple[Array, list[NDArray[np.float32]]]:
    """Read the return images in the same rows."""
    parts = []
    for part in rows:
        data = opened.projections.read(slice(0, opened.shape[0]), part)
        parts.append(attenuation_of_slab(Slab(data, part, domain=opened.domain, unit=""), opened))
    return np.asarray(opened.angles_deg.value, np.float64), parts
