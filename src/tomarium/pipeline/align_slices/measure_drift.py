"""What pairs of neighbouring slices tell of each other, and where each slice lies by all of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.array import processors
from tomarium.errors import InputError
from tomarium.kernels.alignment.section_pairs import (
    TILES,
    SectionShift,
    prepared_section,
    register_sections,
)
from tomarium.kernels.alignment.section_path import slow_part, solve_path
from tomarium.kernels.alignment.section_warp import warp_section

Model = Literal["translation", "affine"]
LAGS: Final = (1, 2, 3)
MOST_PX: Final = 640
"""Longest side of a slice as it is compared; longer ones are averaged over blocks of pixels."""

SURE: Final = 8.0
"""Peak of a correlation over its standard deviation from which a pair counts; two images of noise reach 7."""

AFFINE_TILES: Final = 4
SHARED: Final = 1.2
"""Errors over what parts of a slice tell of them, as simulated: grains at their borders are common to both."""

EDGE: Final = 0.7
"""Where the error of an affine model is told, as a share of the way from the middle to the edges."""

Plane = NDArray[np.float32]
Array = NDArray[np.float64]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Pairs:
    """What was found of pairs of slices.

    Attributes
    ----------
    first, second : array of intp, shape (pair,)
        Slices.
    found : tuple of SectionShift
        In pixels of the slices as they were compared.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    found: tuple[SectionShift, ...]

    @property
    def likeness(self) -> Array:
        """Correlation of each pair."""
        return np.array([section_shift.likeness for section_shift in self.found])

    @property
    def told(self) -> NDArray[np.bool_]:
        """Which of them tell anything."""
        return np.array([section_shift.height >= SURE for section_shift in self.found])


@dataclass(frozen=True, eq=False)
class Drift:
    """Where slices lie.

    Attributes
    ----------
    matrices : array of float64, shape (slice, 2, 2)
        A place x of the frame that all share lies in a slice at matrix · x + shift, from its middle, (row, column).
    shifts : array of float64, shape (slice, 2)
        Pixels of the slices as they are.
    residuals_px : array of float64, shape (slice,)
        Root mean square by which the pairs of a slice miss the places; NaN where no pair holds it.
    parts : array of float64, shape (part, slice, place, 2)
        Displacements at some places of the frame by parts of the slices that know nothing of each other.
    pairs : Pairs
        What was measured last.
    counted : array of float64, shape (pair,)
        From 0 to 1: how much each pair counted.
    """

    matrices: Array
    shifts: Array
    residuals_px: Array
    parts: Array
    pairs: Pairs
    counted: Array

    def displacements(self, places: Array) -> Array:
        """Return by how far places of the frame lie elsewhere in each slice, shape (slice, place, 2)."""
        moved = np.einsum("kij,pj->kpi", self.matrices - np.eye(2), places)
        return np.asarray(moved + self.shifts[:, None])

    def error_px(self, slow: float) -> float:
        """Estimate the error of what is faster than some slices, by how far the parts agree; root mean square."""
        if len(self.parts) < 2:
            return float("nan")
        flat = [part.reshape(part.shape[0], -1) for part in self.parts]
        fast = np.array([path - (slow_part(path, slow) if np.isfinite(slow) else 0.0) for path in flat])
        variance = fast.var(axis=0, ddof=1) / len(fast)
        return SHARED * float(np.sqrt(variance.mean()))


def measure_drift(
    planes: Callable[[int], Plane],
    count: int,
    shape: tuple[int, int],
    *,
    model: Model = "translation",
    lags: tuple[int, ...] = LAGS,
    reach_px: float | None = None,
    tell: Tell | None = None,
) -> Drift:
    """Find where the slices of a series lie.

    1. Slices are averaged to at most 640 pixels, freed of what is coarse, and compared to their neighbours.
    2. Pairs are put together by least squares in which those that disagree count less, so that a wrong pair moves
       nothing and errors of single pairs do not add up.
    3. An affine model takes the tiles of each pair, and does all of it again on the slices as they then lie.
    4. The same from single tiles alone tells the error.

    Parameters
    ----------
    planes : callable
        `planes(number)` → finite or not, array of float32, shape (row, column).
    count : int
        Slices.
    shape : tuple of int
        Rows and columns.
    model : {"translation", "affine"}
        What may differ from slice to slice.
    lags : tuple of int
        Distances of the slices that are compared, ascending, beginning with 1.
    reach_px : float, optional
        Farthest that neighbours may lie apart; by default a quarter of each side.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Drift
        Their mean is no displacement.

    Raises
    ------
    InputError
        Most slices are like none of their neighbours.
    """
    say = tell or (lambda stage, done, total: None)
    factor = max(1, -(-max(shape) // MOST_PX))
    reach = None if reach_px is None else max(1.0, reach_px / factor)
    half = np.array([length // factor / 2 for length in shape])
    tiles = AFFINE_TILES if model == "affine" else TILES

    def prepared(number: int) -> Plane:
        return prepared_section(planes(number), factor)

    pairs = _measure_pairs(prepared, count, lags, reach, tiles, "neighbours", say)
    _demand_alike(pairs, count)
    matrices, shifts, counted = _solve_paths(pairs, count, half, model)
    if model == "affine":
        placed = matrices, shifts

        def warped(number: int) -> Plane:
            plane, inside = warp_section(prepared(number), placed[0][number], tuple(placed[1][number]))
            return np.where(inside, plane, 0).astype(np.float32)

        pairs = _measure_pairs(warped, count, lags, 4.0, tiles, "neighbours again", say)
        more, further, counted = _solve_paths(pairs, count, half, model)
        shifts = np.einsum("kij,kj->ki", matrices, further) + shifts
        matrices = matrices @ more
    middle = np.linalg.inv(matrices.mean(axis=0))
    matrices, shifts = (
        matrices @ middle,
        shifts - np.einsum("kij,j->ki", matrices @ middle, shifts.mean(axis=0)),
    )
    return Drift(
        matrices,
        factor * shifts,
        factor * _residuals(pairs, counted, count, half, model),
        factor * _paths_of_parts(pairs, count, half, model),
        pairs,
        counted,
    )


def _measure_pairs(
    prepared: Callable[[int], Plane],
    count: int,
    lags: tuple[int, ...],
    reach: float | None,
    tiles: int,
    stage: str,
    say: Tell,
) -> Pairs:
    prepared_planes: dict[int, Plane] = {}
    first, second, measured = [], [], list[SectionShift]()
    place = np.zeros((count, 2))
    with ThreadPoolExecutor(processors()) as pool:
        for number in range(count):
            say(stage, number, count)
            prepared_planes[number] = prepared(number)
            prepared_planes = {
                key: plane for key, plane in prepared_planes.items() if key >= number - max(lags)
            }
            earlier = [number - lag for lag in lags if lag <= number]
            if not earlier:
                continue
            guess = place[number - 1]
            jobs = [
                pool.submit(
                    register_sections,
                    prepared_planes[value],
                    prepared_planes[number],
                    start=(float(guess[0] - place[value, 0]), float(guess[1] - place[value, 1])),
                    reach=reach,
                    tiles=tiles,
                )
                for value in earlier
            ]
            answers = [job.result() for job in jobs]
            best = max(range(len(answers)), key=lambda k: answers[k].height)
            sure = answers[best].height >= SURE
            place[number] = (
                place[earlier[best]] + [answers[best].rows, answers[best].columns] if sure else guess
            )
            first += earlier
            second += [number] * len(earlier)
            measured += answers
    say(stage, count, count)
    return Pairs(np.array(first, np.intp), np.array(second, np.intp), tuple(measured))


def _demand_alike(pairs: Pairs, count: int) -> None:
    is_tied = np.zeros(count, bool)
    is_tied[pairs.first[pairs.told]] = True
    is_tied[pairs.second[pairs.told]] = True
    if is_tied.sum() * 2 < count:
        raise InputError(
            f"{count - int(is_tied.sum())} of {count} slices are like none of their neighbours, so that nothing tells "
            f"how they lie; look at them: is it one series, in order, with the region of one specimen in focus?"
        )


def _weights(pairs: Pairs) -> Array:
    """Inverse squares of errors, up to a factor: what two slices do not share is noise to their comparison."""
    likeness = np.clip(pairs.likeness, 0, 1)
    return np.where(pairs.told, likeness**2 / (1.02 - likeness), 0.0)


def _parameters_of_pairs(pairs: Pairs, half: Array, model: Model, chosen: slice = slice(None)) -> Array:
    """Give each pair its parameters, pixels: shifts, and of an affine model what its matrix does at the edges."""
    if model == "translation":
        return np.array([[section_shift.rows, section_shift.columns] for section_shift in pairs.found])
    parameters = np.full((len(pairs.found), 6), np.nan)
    for number, section_shift in enumerate(pairs.found):
        places, tiles = section_shift.places[chosen], section_shift.tiles[chosen]
        is_measured = np.isfinite(tiles[:, 0])
        if is_measured.sum() < 5:
            continue
        system = np.column_stack([np.ones(len(places)), places / half])[is_measured]
        right, weight = tiles[is_measured], np.ones(int(is_measured.sum()))
        for _ in range(5):
            root = np.sqrt(weight)[:, None]
            answer = np.linalg.lstsq(system * root, right * root, rcond=None)[0]
            far = np.hypot(*(right - system @ answer).T)
            weight = 1 / (1 + (far / max(0.05, 2 * float(np.median(far)))) ** 2)
        parameters[number] = answer.ravel()
    return parameters


def _solve_paths(pairs: Pairs, count: int, half: Array, model: Model) -> tuple[Array, Array, Array]:
    values = _parameters_of_pairs(pairs, half, model)
    used = pairs.told & np.isfinite(values[:, 0])
    path, robust = solve_path(
        pairs.first[used], pairs.second[used], values[used], _weights(pairs)[used], count
    )
    counted = np.zeros(len(used))
    counted[used] = robust
    matrices = np.tile(np.eye(2), (count, 1, 1))
    if model == "affine":
        # Rows of the answer: shift, per row, per column; columns: along rows, along columns.
        linear = path.reshape(count, 3, 2)
        matrices += np.stack([linear[:, 1] / half[0], linear[:, 2] / half[1]], axis=2)
    return matrices, path[:, :2].copy(), counted


def _residuals(pairs: Pairs, counted: Array, count: int, half: Array, model: Model) -> Array:
    values = _parameters_of_pairs(pairs, half, model)
    used = counted > 0.1
    path, _ = solve_path(pairs.first[used], pairs.second[used], values[used], _weights(pairs)[used], count)
    residuals = path[pairs.second] - path[pairs.first] - values
    squares = np.sum(residuals[:, :2] ** 2, axis=1)
    residuals_of_slices = np.full(count, np.nan)
    for number in range(count):
        is_of_slice = used & ((pairs.first == number) | (pairs.second == number))
        if is_of_slice.any():
            residuals_of_slices[number] = np.sqrt(
                np.average(squares[is_of_slice], weights=counted[is_of_slice])
            )
    return residuals_of_slices


def _paths_of_parts(pairs: Pairs, count: int, half: Array, model: Model) -> Array:
    """Place the slices by parts of them that know nothing of each other; displacements at some places of the frame."""
    weights = _weights(pairs)
    paths = []
    if model == "affine":
        places = EDGE * half * np.array([[a, b] for a in (-1, 1) for b in (-1, 1)])
        for parity in (0, 1):
            chosen = [k for k in range(AFFINE_TILES**2) if (k // AFFINE_TILES + k) % 2 == parity]
            values = _parameters_of_pairs(pairs, half, model, np.array(chosen))  # type: ignore[arg-type]
            used = pairs.told & np.isfinite(values[:, 0])
            path, _ = solve_path(pairs.first[used], pairs.second[used], values[used], weights[used], count)
            linear = path.reshape(count, 3, 2)
            system = np.column_stack([np.ones(len(places)), places / half])
            paths.append(np.einsum("pi,kij->kpj", system, linear))
        return np.array(paths)
    for tile in range(TILES**2):
        values = np.array([section_shift.tiles[tile] for section_shift in pairs.found])
        used = pairs.told & np.isfinite(values[:, 0])
        if used.sum() < 0.5 * pairs.told.sum():
            continue
        path, _ = solve_path(pairs.first[used], pairs.second[used], values[used], weights[used], count)
        paths.append(path[:, None])
    return np.array(paths) if paths else np.zeros((0, count, 1, 2))
