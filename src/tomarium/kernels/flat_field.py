"""Flat-field correction: from counts to transmission and attenuation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.compiled import extension, level, takes_compiled
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.invalid import fill_invalid

LOWEST_TRANSMISSION = 1e-6
"""Transmission below which none is believed, however bright the flat field."""

LARGEST = float(np.finfo(np.float32).max)
"""Beyond this a transmission counts as infinite."""


@dataclass(frozen=True)
class Report:
    """What a normalisation had to change.

    Attributes
    ----------
    values : int
        Values that were normalised.
    clipped : int
        Values raised to the lowest transmission; many of them mean photon starvation.
    dead : int
        Values replaced because the flat field is not brighter than the dark field there, or not finite.
    not_finite : int
        Values replaced because the count, or the transmission in single precision, is NaN or infinite.
    empty_rows : int
        Rows of a frame without a valid pixel near by; they count as fully transparent.
    """

    values: int
    clipped: int
    dead: int
    not_finite: int
    empty_rows: int


def normalise(
    counts: Any,
    dark: Any,
    flats: Any,
    flat_position: Any,
    projection_position: Any,
    *,
    log: bool = True,
    lowest_counts: float = 0.5,
    engine: Literal["auto", "native", "reference"] = "auto",
    threads: int | None = None,
    out: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], Report]:
    """Divide projections by the flat field and take the logarithm.

    1. The flat field F of a projection is interpolated linearly between the reference groups before and after
       it; before the first and after the last one it is that group's.
    2. T = (P - D) / (F - D), at least `lowest_counts` / (F - D) and at least 1e-6; there is no upper limit,
       for fringes of phase contrast do exceed 1.
    3. p = -ln T, if `log`; the compiled kernel is within one unit in the last place of float32.
    4. Where F - D is not above 0, or anything is not finite, the median of the valid neighbours in the frame
       is taken: NaN and infinity never leave.

    Parameters
    ----------
    counts : array, shape (angle, row, column)
        Detector counts P; uint16 and float32 are used as they are, others are converted to float32.
    dark : array, shape (row, column)
        Dark field D in counts, see `reduce_references`.
    flats : array, shape (group, row, column)
        Flat fields in counts, dark field not yet subtracted, one for each reference group.
    flat_position : array of float64, shape (group,)
        When each group was taken: time, angle or frame number; increasing.
    projection_position : array of float64, shape (angle,)
        When each projection was taken, on the same scale.
    log : bool
        Return attenuation -ln T; if not, the transmission T.
    lowest_counts : float
        Counts taken for a pixel that saw fewer; half a count is the least a detector can tell from none.
    engine : {"auto", "native", "reference"}
        Compiled kernel, or NumPy in double precision; "auto" takes the compiled one where it is there.
    threads : int, optional
        Threads; by default every processor of this process.
    out : array of float32, shape (angle, row, column), optional
        Where the result goes; C-contiguous.

    Returns
    -------
    array of float32, shape (angle, row, column)
        Attenuation or transmission, dimensionless.
    Report
        How many values were clipped or replaced.

    Raises
    ------
    InputError
        Shapes do not fit, or positions are not finite or do not increase.
    ParameterError
        `lowest_counts` is negative, or there is no such engine.
    EngineUnavailable
        The compiled kernel was asked for and is not there.

    References
    ----------
    Van Nieuwenhove et al. (2015), doi 10.1364/OE.23.027975, eq. 1.
    """
    counts, dark, flats = np.asarray(counts), np.asarray(dark), np.asarray(flats)
    check_shapes(counts, dark, flats)
    if not lowest_counts >= 0:
        raise ParameterError(
            f"normalise: lowest_counts is {lowest_counts}; give a number of counts, 0 or more"
        )
    lower, fraction = interpolation(flat_position, projection_position, len(flats), len(counts))
    result = np.empty(counts.shape, np.float32) if out is None else _checked(out, counts.shape)
    # What overflows here is marked and replaced like any other value that is not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        bright = flats.astype(np.float64) - dark
        if takes_compiled(engine, "normalise"):
            tally = _native(counts, dark, bright, lower, fraction, lowest_counts, log, threads, result)
        else:
            tally = _reference(counts, dark, bright, lower, fraction, lowest_counts, log, result)
    clipped, dead, not_finite = tally
    empty = fill_invalid(result, 0.0 if log else 1.0) if dead or not_finite else 0
    return result, Report(counts.size, clipped, dead, not_finite, empty)


def interpolation(
    flat_position: Any, projection_position: Any, groups: int, angles: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return between which reference groups each projection lies.

    Parameters
    ----------
    flat_position : array, shape (group,)
        When each group was taken; increasing.
    projection_position : array, shape (angle,)
        When each projection was taken.
    groups, angles : int
        How many there must be.

    Returns
    -------
    lower : array of int32, shape (angle,)
        Group at or before the projection.
    fraction : array of float32, shape (angle,)
        How far the projection lies towards the next group, 0 to 1; 0 at an exact hit and beyond the ends.

    Raises
    ------
    InputError
        The numbers do not fit, are not finite, or `flat_position` does not increase.
    """
    at = np.asarray(flat_position, np.float64)
    positions = np.asarray(projection_position, np.float64)
    if at.shape != (groups,) or positions.shape != (angles,):
        raise InputError(
            f"normalise: flat_position has shape {at.shape} for {groups} flat fields and projection_position "
            f"{positions.shape} for {angles} projections; give one position for each"
        )
    if not (np.isfinite(at).all() and np.isfinite(positions).all() and (np.diff(at) > 0).all()):
        raise InputError(
            "normalise: positions must be finite, and those of the flat fields must increase; "
            "sort the reference groups by time and merge those taken at once"
        )
    where = np.interp(positions, at, np.arange(groups, dtype=np.float64))
    lower = np.minimum(where.astype(np.int32), groups - 1)
    return lower, (where - lower).astype(np.float32)


def check_shapes(counts: Any, dark: NDArray[Any], flats: NDArray[Any]) -> None:
    """Refuse counts, a dark field and flat fields that do not fit each other.

    Parameters
    ----------
    counts : array, shape (angle, row, column)
        Detector counts, wherever they lie.
    dark : array, shape (row, column)
        Dark field.
    flats : array, shape (group, row, column)
        Flat fields.

    Raises
    ------
    InputError
        Their shapes are others, or there is no flat field.
    """
    frame = counts.shape[1:]
    if counts.ndim != 3 or dark.shape != frame or flats.ndim != 3 or flats.shape[1:] != frame:
        raise InputError(
            f"normalise: counts have shape {counts.shape}, the dark field {dark.shape} and the flat fields "
            f"{flats.shape}; give (angle, row, column), (row, column) and (group, row, column)"
        )
    if len(flats) == 0:
        raise InputError("normalise: there is no flat field; give at least one reference group")


def _checked(out: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise InputError(
            f"normalise: out is {out.dtype} of shape {out.shape}; give C-contiguous float32 of shape {shape}"
        )
    return out


def _native(
    counts: NDArray[Any],
    dark: NDArray[Any],
    bright: NDArray[np.float64],
    lower: NDArray[np.int32],
    fraction: NDArray[np.float32],
    lowest_counts: float,
    log: bool,
    threads: int | None,
    out: NDArray[np.float32],
) -> tuple[int, int, int]:
    if counts.dtype not in (np.uint16, np.float32):
        counts = counts.astype(np.float32)
    angles, pixels = counts.shape[0], counts.shape[1] * counts.shape[2]
    tally = np.zeros((3, angles), np.int64)
    extension().normalise(
        np.ascontiguousarray(counts).reshape(angles, pixels),
        np.ascontiguousarray(dark, np.float32).reshape(pixels),
        np.ascontiguousarray(bright, np.float32).reshape(-1, pixels),
        lower,
        fraction,
        lowest_counts,
        LOWEST_TRANSMISSION,
        log,
        out.reshape(angles, pixels),
        tally,
        threads or processors(),
        level(),
    )
    clipped, dead, not_finite = (int(n) for n in tally.sum(axis=1))
    return clipped, dead, not_finite


def _reference(
    counts: NDArray[Any],
    dark: NDArray[Any],
    bright: NDArray[np.float64],
    lower: NDArray[np.int32],
    fraction: NDArray[np.float32],
    lowest_counts: float,
    log: bool,
    out: NDArray[np.float32],
) -> tuple[int, int, int]:
    clipped = dead = not_finite = 0
    for k, frame in enumerate(counts):
        group, part = lower[k], float(fraction[k])
        flat = bright[group] if part == 0 else (1 - part) * bright[group] + part * bright[group + 1]
        signal = frame.astype(np.float64) - dark
        alive = np.isfinite(flat) & (flat > 0)
        transmission = np.divide(signal, flat, out=np.ones(frame.shape), where=alive)
        faintest = np.divide(lowest_counts, flat, out=np.zeros(frame.shape), where=alive)
        faintest = np.maximum(faintest, LOWEST_TRANSMISSION)
        safe = np.maximum(transmission, faintest)
        valid = alive & (transmission > -LARGEST) & (safe < LARGEST)
        clipped += int(np.count_nonzero(valid & (transmission < faintest)))
        dead += int(np.count_nonzero(~alive))
        not_finite += int(np.count_nonzero(alive & ~valid))
        out[k] = np.where(valid, -np.log(safe) if log else safe, np.nan)
    return clipped, dead, not_finite
