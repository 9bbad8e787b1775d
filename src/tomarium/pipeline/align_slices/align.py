"""Align a series of slices: where each lies, which are bad, how bright each is; one volume of all, not yet written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.kernels.alignment.section_path import slow_part
from tomarium.kernels.curtains import remove_curtains
from tomarium.model import Axis, Volume
from tomarium.pipeline.align_slices.aligned_planes import AlignedPlanes, Curtains, finite
from tomarium.pipeline.align_slices.measure_drift import LAGS, Drift, Model, Tell, measure_drift
from tomarium.pipeline.align_slices.odd_slices import Odd, odd_slices
from tomarium.pipeline.align_slices.slice_series import SliceSeries
from tomarium.pipeline.run.provenance import fingerprint

Levels = Literal["linear", "offset", "none"]
LEVELS: Final[tuple[Levels, ...]] = ("linear", "offset", "none")
Bad = Literal["keep", "fill"]

GOAL_PX: Final = 0.1
"""Error up to which slow movements are undone where nothing is told of them."""

SHORTEST: Final = 5.0
"""Slices: waves of drift as short as these are undone in any case."""

LEAST_REFERENCE: Final = 32


@dataclass(frozen=True, eq=False)
class AlignedSlices:
    """Slices that are aligned, not yet written.

    Attributes
    ----------
    volume : Volume
        Lazy: planes are made when they are read. Its metadata tell in `aligned_slices` all that was chosen and found.
    rows : tuple of dict
        Of each slice: `slice`, `plane`, `row_px`, `column_px`, `slow_row_px`, `slow_column_px`, `residual_px`,
        `likeness`, `gain`, `offset`, `bad`.
    slow_slices : float or None
        Waves longer than so many slices were left as they are; None where all movement was undone.
    error_px : float
        Estimated error of what was undone, root mean square over slices.
    left_px : tuple of float
        How far the slow movement goes that was left, rows and columns.
    bad, filled : tuple of int
        Slices like none of their neighbours; planes that were filled in.
    warnings : tuple of str
        What the user should know.
    """

    volume: Volume
    rows: tuple[dict[str, Any], ...]
    slow_slices: float | None
    error_px: float
    left_px: tuple[float, float]
    bad: tuple[int, ...]
    filled: tuple[int, ...]
    warnings: tuple[str, ...]


def align_slices(
    series: SliceSeries,
    *,
    pixel_m: float | None = None,
    slice_m: float | None = None,
    tilt_deg: float | None = None,
    model: Model = "translation",
    slow: float | Literal["auto", "drift"] = "auto",
    reference: tuple[int, int, int, int] | None = None,
    reach_px: float | None = None,
    skipped: Sequence[int] = (),
    bad: Bad = "keep",
    levels: Levels = "linear",
    curtains: Curtains | None = None,
    as_float: bool = False,
    tell: Tell | None = None,
) -> AlignedSlices:
    """Lay slices of a milled or cut specimen on each other.

    Slices show a specimen that changes from one to the next, so that a drift of the stage and a body that lies aslant
    look alike where they go on for many slices: no method tells them apart without something that is known to
    be straight. What is undone is the drift that changes faster than some slices, and what is slower stays, unless it
    is told to be drift, or a region is told that shows a mark which is the same in all slices.

    Parameters
    ----------
    series : SliceSeries
        Three slices or more.
    pixel_m, slice_m : float, optional
        Pixel size and distance of slices, m; by default what the file tells. One alone is refused.
    tilt_deg : float, optional
        Angle between the beam that looks and the face that was cut, degrees, such as 52 where both columns are 52°
        apart: rows are 1/sin of it farther apart on the face than in the image.
    model : {"translation", "affine"}
        Whether slices are moved, or stretched, sheared and turned too.
    slow : float or {"auto", "drift"}
        Slices beyond which movement is left as it is; auto: as many as are told to 0.1 px by parts of the slices that
        know nothing of each other; drift: all movement is drift.
    reference : tuple of int, optional
        Row, column, rows and columns of a region whose content is the same in all slices, such as a milled mark.
    reach_px : float, optional
        Farthest that neighbours lie apart; by default a quarter of each side.
    skipped : sequence of int
        Slices after which one was lost, from 0.
    bad : {"keep", "fill"}
        What becomes of slices that are like none of their neighbours: kept, or filled in from both sides.
    levels : {"linear", "offset", "none"}
        Whether brightness and contrast that jump from slice to slice are evened, brightness alone, or neither.
    curtains : Curtains, optional
        Takes stripes along the columns out.
    as_float : bool
        Whether voxels are float32; else of the type of the slices, rounded.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    AlignedSlices
        Its planes are as far apart as slices; planes that were skipped are filled in linearly. The frame holds all
        of every slice; what no slice holds is 0.

    Raises
    ------
    InputError
        Most slices are like none of their neighbours, or like nothing in the region.
    ParameterError
        Numbers that cannot be.
    """
    say = tell or (lambda stage, done, total: None)
    _demand(series, tilt_deg, slow, reference, skipped, model)
    voxel = _voxel(series, pixel_m, slice_m, tilt_deg)
    warnings: list[str] = []
    drift = _drift(series, model, reference, reach_px, say)
    odd = odd_slices(drift, series.count)
    explained = {*skipped, *_gaps(series)}
    warnings += _odd_warnings(replace(odd, wide=tuple(value for value in odd.wide if value not in explained)))
    length = _slow_length(drift, slow, reference, series.count, warnings)
    matrices, shifts, slow_part_left = _drift_to_undo(drift, length)
    gains, offsets = _levels(series, levels, length, say)
    sources, filled, more = _planes(series, skipped, odd.bad if bad == "fill" else ())
    warnings += more
    frame = _frame(series, matrices, shifts)
    dtype = np.dtype(np.float32) if as_float or series.dtype.kind == "f" else series.dtype
    planes = AlignedPlanes(series, sources, matrices, shifts, gains, offsets, frame, curtains, dtype)
    error = drift.error_px(math.inf if length is None else length)
    rows = _rows(series, drift, shifts, slow_part_left, gains, offsets, odd, sources)
    span = tuple(float(np.ptp(slow_part_left[:, axis])) if length is not None else 0.0 for axis in (0, 1))
    warnings += _warnings(error, voxel)
    account: dict[str, Any] = {
        "model": model,
        "slow": "none left" if length is None else length,
        "chosen_by": "a reference region"
        if reference
        else ("the user" if slow != "auto" else "what parts of the slices tell alike to 0.1 px"),
        "reference": list(reference) if reference else None,
        "error_px": None if math.isnan(error) else error,
        "left_px": list(span),
        "tilt_deg": tilt_deg,
        "levels": levels,
        "curtains": _curtain_account(series, curtains),
        "bad": list(odd.bad),
        "filled": list(filled),
        "frame": list(frame),
        "source": {
            "name": series.path.name,
            "slices": series.count,
            "fingerprint": fingerprint(series.path) if series.path.exists() else {},
        },
        "slices": rows,
    }
    metadata = {
        name: value for name, value in series.metadata.items() if name not in ("grey_range", "denoised")
    }
    axes = _axes(voxel, frame)
    volume = Volume(planes, axes, "", series.name, series.path, {**metadata, "aligned_slices": account})
    return AlignedSlices(
        volume, tuple(rows), length, error, (span[0], span[1]), odd.bad, tuple(filled), tuple(warnings)
    )


def as_data(aligned: AlignedSlices) -> dict[str, Any]:
    """Write what was found for machines."""
    return {
        "shape": list(aligned.volume.shape),
        "voxel_m": list(aligned.volume.voxel_m) if aligned.volume.voxel_m else None,
        **aligned.volume.metadata["aligned_slices"],
        "warnings": list(aligned.warnings),
    }


def _demand(
    series: SliceSeries,
    tilt: float | None,
    slow: float | str,
    reference: tuple[int, int, int, int] | None,
    skipped: Sequence[int],
    model: Model,
) -> None:
    if tilt is not None and not 10 <= tilt <= 90:
        raise ParameterError(f"a tilt of {tilt:g}°: give the angle between the beam and the face, 10 to 90°")
    if not isinstance(slow, str) and not slow >= 2:
        raise ParameterError(f"slow movement of {slow:g} slices: give 2 or more, or auto, or drift")
    if any(not 0 <= value < series.count - 1 for value in skipped):
        raise ParameterError(f"skipped after {list(skipped)}: slices go from 0 to {series.count - 1}")
    if reference is None:
        return
    if slow != "auto" or model != "translation":
        raise ParameterError(
            "a reference region tells all movement, and moves alone: leave out slow and model"
        )
    row, column, rows, columns = reference
    inside = row >= 0 and column >= 0 and row + rows <= series.rows and column + columns <= series.columns
    if not inside or min(rows, columns) < LEAST_REFERENCE:
        raise ParameterError(
            f"reference {row},{column},{rows},{columns} in slices of {series.rows} × {series.columns} pixels: give ROW,"
            f"COLUMN,ROWS,COLUMNS that lie inside, {LEAST_REFERENCE} pixels or more"
        )


def _voxel(
    series: SliceSeries, pixel: float | None, step: float | None, tilt: float | None
) -> tuple[float, float, float] | None:
    voxel_of_series = series.voxel_m
    along = pixel or (voxel_of_series[2] if voxel_of_series else None)
    upright = pixel or (voxel_of_series[1] if voxel_of_series else None)
    # A single file tells how far its rows are apart, and of slices often the same.
    apart = step or (
        voxel_of_series[0] if voxel_of_series and voxel_of_series[0] != voxel_of_series[2] else None
    )
    if along is None and apart is None:
        return None
    if along is None or upright is None or apart is None:
        raise ParameterError(
            f"{series.path}: {'the distance of slices' if along else 'the pixel size'} is not known; tell both, such "
            f"as --pixel 5nm --slice 10nm"
        )
    return apart, upright / (math.sin(math.radians(tilt)) if tilt else 1.0), along


def _drift(
    series: SliceSeries,
    model: Model,
    reference: tuple[int, int, int, int] | None,
    reach_px: float | None,
    say: Tell,
) -> Drift:
    if reference is None:
        shape = (series.rows, series.columns)
        return measure_drift(series.plane, series.count, shape, model=model, reach_px=reach_px, tell=say)
    row, column, rows, columns = reference
    part = slice(row, row + rows), slice(column, column + columns)
    # A mark is the same in all slices, so that those far apart are compared too, and errors do not add up.
    lags = tuple(sorted({*LAGS, *(2**power for power in range(2, 20) if 2**power < series.count)}))
    return measure_drift(
        lambda number: series.plane(number)[part],
        series.count,
        (rows, columns),
        lags=lags,
        reach_px=reach_px,
        tell=say,
    )


def _slow_length(
    drift: Drift,
    slow: float | Literal["auto", "drift"],
    reference: tuple[int, int, int, int] | None,
    count: int,
    warnings: list[str],
) -> float | None:
    """Return beyond how many slices movement is left; None where it is all undone."""
    if reference is not None or slow == "drift":
        return None
    if slow != "auto":
        return float(slow)
    lengths = [float(round(n)) for n in np.geomspace(SHORTEST, max(SHORTEST, count), 24)]
    good = SHORTEST
    for length in dict.fromkeys(lengths):
        if not drift.error_px(length) <= GOAL_PX:
            break
        good = length
    return good


def _drift_to_undo(
    drift: Drift, length: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Leave what is slow: matrices and shifts that undo the rest, and the slow shifts."""
    count = len(drift.shifts)
    if length is None:
        return drift.matrices, drift.shifts, np.zeros((count, 2))
    flat = np.concatenate([drift.matrices.reshape(count, 4), drift.shifts], axis=1)
    slow = slow_part(flat, length)
    stay, moved = slow[:, :4].reshape(count, 2, 2), slow[:, 4:]
    if np.allclose(drift.matrices, np.eye(2), atol=1e-12):
        return np.tile(np.eye(2), (count, 1, 1)), drift.shifts - moved, moved
    # A slice is A x + t in the frame without any movement, which itself lies at y = S x + s: A S⁻¹ (y - s) + t.
    matrices = drift.matrices @ np.linalg.inv(stay)
    return matrices, drift.shifts - np.einsum("kij,kj->ki", matrices, moved), moved


def _levels(
    series: SliceSeries, levels: Levels, length: float | None, say: Tell
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Even what jumps from slice to slice; what changes slowly may be the specimen."""
    count = series.count
    if levels == "none":
        return np.ones(count), np.zeros(count)
    levels_of_slices = np.zeros((count, 2))
    step = max(1, max(series.rows, series.columns) // 512)
    for number in range(count):
        say("brightness", number, count)
        values = finite(series.plane(number))[::step, ::step]
        low, middle, high = np.percentile(values, [10, 50, 90])
        levels_of_slices[number] = middle, max(float(high - low), 1e-12)
    say("brightness", count, count)
    steady = np.column_stack(
        [_running_median(levels_of_slices[:, 0]), np.exp(_running_median(np.log(levels_of_slices[:, 1])))]
    )
    gains = steady[:, 1] / levels_of_slices[:, 1] if levels == "linear" else np.ones(count)
    odd = ~((gains > 0.2) & (gains < 5))  # a slice without contrast is left as it is
    gains[odd] = 1.0
    offsets = steady[:, 0] - gains * levels_of_slices[:, 0]
    offsets[odd] = 0.0
    return gains, offsets


def _running_median(values: NDArray[np.float64], reach: int = 7) -> NDArray[np.float64]:
    """Return the running median over fifteen slices, whose ends are continued by mirror images."""
    near = min(reach, len(values) - 1)
    padded = np.pad(values, near, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * near + 1)
    return np.asarray(np.median(windows, axis=1))


def _planes(
    series: SliceSeries, skipped: Sequence[int], bad: Sequence[int]
) -> tuple[tuple[tuple[int, int, float], ...], list[int], list[str]]:
    """Tell of what each plane is made: a slice, or the two good ones about it."""
    at, doubt = series.positions()
    places = np.array(at) + np.array(
        [sum(value < number for value in skipped) for number in range(series.count)]
    )
    good = [number for number in range(series.count) if number not in set(bad)]
    good_places = places[good]
    sources, filled = [], []
    for plane in range(int(places[-1]) + 1):
        after = int(np.searchsorted(good_places, plane))
        if after < len(good_places) and good_places[after] == plane:
            sources.append((good[after], good[after], 0.0))
            continue
        filled.append(plane)
        if after in (0, len(good_places)):
            end = good[0] if after == 0 else good[-1]
            sources.append((end, end, 0.0))
            continue
        before = good_places[after - 1]
        sources.append(
            (good[after - 1], good[after], float((plane - before) / (good_places[after] - before)))
        )
    warnings = [doubt] if doubt else []
    if filled:
        warnings.append(
            f"{len(filled)} planes were filled in between their neighbours, for nothing good was taken there: "
            f"{_in_text(filled)}"
        )
    return tuple(sources), filled, warnings


def _frame(
    series: SliceSeries, matrices: NDArray[np.float64], shifts: NDArray[np.float64]
) -> tuple[int, int, int, int]:
    """Return the frame that holds all of every slice."""
    half = np.array([(series.rows - 1) / 2, (series.columns - 1) / 2])
    corners = half * np.array([[a, b] for a in (-1, 1) for b in (-1, 1)])
    back = np.linalg.inv(matrices)
    placed = np.einsum("kij,kpj->kpi", back, corners[None] - shifts[:, None])
    low = np.floor(placed.min(axis=(0, 1)) + half + 0.01).astype(int)
    high = np.ceil(placed.max(axis=(0, 1)) + half - 0.01).astype(int)
    rows, columns = (high - low + 1).tolist()
    return int(rows), int(columns), int(low[0]), int(low[1])


def _axes(voxel: tuple[float, float, float] | None, frame: tuple[int, int, int, int]) -> tuple[Axis, ...]:
    scales, unit = (voxel, "m") if voxel else ((1.0, 1.0, 1.0), "px")
    begin = (0, frame[2], frame[3])
    return tuple(
        Axis(name, scale, first * scale, unit)
        for name, scale, first in zip("zyx", scales, begin, strict=True)
    )


def _rows(
    series: SliceSeries,
    drift: Drift,
    shifts: NDArray[np.float64],
    slow_part_left: NDArray[np.float64],
    gains: NDArray[np.float64],
    offsets: NDArray[np.float64],
    odd: Odd,
    sources: Sequence[tuple[int, int, float]],
) -> list[dict[str, Any]]:
    planes = {first: number for number, (first, _, share) in enumerate(sources) if not share}
    return [
        {
            "slice": number,
            "plane": planes.get(number),
            "row_px": round(float(shifts[number, 0]), 4),
            "column_px": round(float(shifts[number, 1]), 4),
            "slow_row_px": round(float(slow_part_left[number, 0]), 4),
            "slow_column_px": round(float(slow_part_left[number, 1]), 4),
            "residual_px": None
            if np.isnan(drift.residuals_px[number])
            else round(float(drift.residuals_px[number]), 4),
            "likeness": round(float(odd.likeness[number]), 4),
            "gain": round(float(gains[number]), 5),
            "offset": float(f"{offsets[number]:.6g}"),
            "bad": number in odd.bad,
        }
        for number in range(series.count)
    ]


def _curtain_account(series: SliceSeries, curtains: Curtains | None) -> dict[str, Any] | None:
    """Tell how much is taken out of three slices, and how much of that is the specimen's."""
    if curtains is None:
        return None
    amounts, harm, spread = [], [], []
    for number in sorted({series.count // 4, series.count // 2, 3 * series.count // 4}):
        values = finite(series.plane(number))
        cleaned, lost = remove_curtains(values, curtains.widest_px, length_px=curtains.length_px)
        amounts.append(float(np.sqrt(np.mean((values - cleaned) ** 2))))
        harm.append(lost)
        spread.append(float(values.std()))
    return {
        "widest_px": curtains.widest_px,
        "length_px": curtains.length_px,
        "taken": float(np.mean(amounts)),
        "of_the_specimen": float(np.mean(harm)),
        "spread_of_values": float(np.mean(spread)),
    }


def _gaps(series: SliceSeries) -> list[int]:
    """List the slices after which numbers of files are left out."""
    at, _ = series.positions()
    return [
        number
        for number, (number_of_file, following) in enumerate(pairwise(at))
        if following - number_of_file > 1
    ]


def _odd_warnings(odd: Odd) -> list[str]:
    warnings = []
    if odd.bad:
        warnings.append(
            f"{len(odd.bad)} slices are like none of their neighbours (blurred, charged, black?): {_in_text(odd.bad)}; "
            f"they lie where their neighbours do. --bad fill replaces them"
        )
    if odd.wide:
        warnings.append(
            f"after slices {_in_text(odd.wide)} the next one is as unlike as the one after it: a slice was lost there, "
            f"or cut thicker; --skipped tells of lost ones"
        )
    if odd.narrow:
        warnings.append(
            f"after slices {_in_text(odd.narrow)} the next one shows nearly the same: hardly anything was cut there"
        )
    return warnings


def _warnings(error: float, voxel: tuple[float, float, float] | None) -> list[str]:
    warnings = []
    if error > 2 * GOAL_PX:
        warnings.append(
            f"parts of the slices agree on where they lie to {error:.2f} px only; a larger region, less noise or "
            f"thinner slices would tell more"
        )
    if voxel is None:
        warnings.append("no pixel size is known, so that the volume has none: tell --pixel and --slice")
    return warnings


def _in_text(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (" …" if len(numbers) > 8 else "")
