"""The view that joins views half a turn apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.model import Scan, Value
from tomarium.model.scan import Reference
from tomarium.steps.core.parameter import FROM_SCAN, Column
from tomarium.steps.core.step import Example, view
from tomarium.steps.views.frames import JoinedFrames


@view(place=8, example=Example({"axis_column": 50.0}), aliases=("join_360", "half_acq_sinogram"))
def join_half_turns(scan: Scan, *, axis_column: Column | None = FROM_SCAN) -> Scan:
    """Join the views of a full turn, each with that half a turn later, to half a turn of a wider field.

    The view half a turn later is mirrored about the axis and blended linearly where both see the same columns.
    Flats and darks are joined alike. Reconstructing a half acquisition needs no joining (step half_acquisition
    weights the views as they are); joined projections serve other programs and iterative methods.

    Parameters
    ----------
    scan : Scan
        A full turn, evenly sampled, with an even number of views.
    axis_column : float or None
        Column of the rotation axis, 0-based, pixel centres at integers.

    Returns
    -------
    Scan
        A lazy view of half as many projections, float32. Flats of several times are averaged, for a joined
        view is of two times.

    Raises
    ------
    InputError
        The angles are no full turn of pairs half a turn apart.
    """
    first, opposite = _pairs(scan)
    # Before a probe has told the axis, the plan takes the widest field there could be.
    axis = float(scan.shape[2] - 1) if axis_column is None else axis_column
    frames = JoinedFrames(scan.projections, first, opposite, axis)
    several = scan.flats is not None and len(np.unique(scan.flats.position)) > 1
    warned: tuple[str, ...] = (
        ("joined views are of two times: flats of several times are averaged",) if several else ()
    )
    if scan.geometry.beam_intensity is not None:
        warned += (
            "joined views are of two times: the intensity of the beam in each view is left out; level them by "
            "normalise_air",
        )
    geometry = replace(scan.geometry.of_views(first), beam_intensity=None)
    if axis_column is not None:
        origin = "user" if geometry.axis_column is None else geometry.axis_column.origin
        source = "" if geometry.axis_column is None else f"{geometry.axis_column.source}, "
        geometry = replace(
            geometry, axis_column=Value(axis - frames.start, origin, f"{source}in joined views")
        )
    return replace(
        scan,
        projections=frames,
        flats=_joined(scan.flats, axis),
        darks=_joined(scan.darks, axis),
        geometry=geometry,
        warnings=(*scan.warnings, *warned),
    )


def _joined(reference: Reference | None, axis: float) -> Reference | None:
    if reference is None:
        return None
    frame_numbers = np.arange(reference.frames.shape[0])
    return Reference(
        JoinedFrames(reference.frames, frame_numbers, frame_numbers, axis), np.full(len(frame_numbers), -1.0)
    )


def _pairs(scan: Scan) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair each view of the first half turn with that half a turn later."""
    angles = scan.angles_deg.value
    ends = len(angles) > 1 and abs(abs(angles[-1] - angles[0]) - 360.0) < 1e-3
    count = len(angles) - 1 if ends else len(angles)  # the last view of a closed turn is the first once more
    half = count // 2
    first = np.arange(half)
    step = abs(float(np.median(np.diff(angles)))) if len(angles) > 1 else 0.0
    apart = np.abs(np.abs(angles[half : 2 * half] - angles[:half]) - 180.0)
    if count % 2 or half == 0 or apart.max() > 0.1 * step + 1e-6:
        worst = f"up to {apart.max():.3g}° off half a turn" if half else "too few"
        raise InputError(
            f"{scan.path}: {len(angles)} views from {angles[0]:g}° to {angles[-1]:g}° are no pairs half a turn apart "
            f"({worst}); join_half_turns needs a full turn of an even number of even steps: choose such views with "
            f"select_views, or reconstruct with half_acquisition, which needs no pairs"
        )
    return first, first + half
