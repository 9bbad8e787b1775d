"""Projections of a sample that is wider than the detector: told by their edges, and continued beyond them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.array import like, namespace, not_negative, on_host

EDGE: Final = 8
"""Columns at either end whose mean tells whether the sample goes on."""

LEAST: Final = 0.05
"""Part of the highest attenuation of a row that the mean of an edge must have to be the sample's."""

FAINTEST: Final = 0.01
"""Attenuation below which an edge may as well be drift of the beam, and hardly matters."""

FEWEST_VIEWS: Final = 0.02
"""Part of the views in which a sample must go on beyond the detector, for a row to be taken for truncated."""

FIT: Final = 24
"""Columns at either end in which value and slope are fitted."""

SLOPE_DEG: Final = 3.0
CURVE_DEG: Final = 18.0
"""Half widths over which the slope, and the attenuation of the chords, are averaged over the angle."""

BLEND: Final = 8.0
"""Columns within which what differs from the chord at the edge dies away."""

REACHES: Final = (0.125, 0.25, 0.5)
"""Columns beyond either edge, as parts of the width."""

Edge = Literal["both", "left", "right"]
"""Which edges of the detector may cut the sample off: only the one far from the axis in a half acquisition."""


def far_edge(columns: int, axis_column: float) -> Edge:
    """Return the edge of a half acquisition that is the edge of its field.

    Parameters
    ----------
    columns : int
        Width of the detector.
    axis_column : float
        Column of the rotation axis.

    Returns
    -------
    {"left", "right"}
        The one farther from the axis. The sample passes over the other one in any half acquisition.
    """
    return "right" if axis_column < (columns - 1) / 2 else "left"


def truncated_views(sinogram: Any, angles_deg: NDArray[np.float64], edge: Edge = "both") -> NDArray[np.bool_]:
    """Tell in which views the sample goes on beyond the detector.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, row, column)
        Attenuation; of one on a device, the edges come to the host.
    angles_deg : array of float64, shape (angle,)
        Degrees, in any order.
    edge : {"both", "left", "right"}
        Edges that are looked at, see `far_edge`.

    Returns
    -------
    array of bool, shape (angle, row)
        True where the mean of the 8 outermost columns on either such side, and of three neighbouring views, is above
        5 % of the row's highest attenuation (the mean over the angles of each column), above 0.01, and above four times
        its noise. All False for a row in which that holds for less than 2 % of the views.
    """
    angles, rows, columns = sinogram.shape
    if columns < 2 * FIT or not angles:
        return np.zeros((angles, rows), np.bool_)
    turned = np.argsort(np.asarray(angles_deg, np.float64), kind="stable")
    sides = {"left": sinogram[..., :EDGE], "right": sinogram[..., columns - EDGE :]}
    looked_at = [on_host(side) for side in (sides.values() if edge == "both" else [sides[edge]])]
    means = np.zeros((len(looked_at), angles, rows))
    leasts = np.zeros((len(looked_at), rows))
    for n, side in enumerate(looked_at):
        mean = side.mean(axis=2, dtype=np.float64)[turned]
        # Of neighbouring columns, and of neighbouring views, for filters correlate the columns. What the sample does
        # adds to both, which is on the safe side.
        noise = 1.4826 * np.median(np.abs(np.diff(side, axis=2)), axis=(0, 2)) / (2 * EDGE) ** 0.5
        if angles > 1:
            noise = np.maximum(noise, 1.4826 * np.median(np.abs(np.diff(mean, axis=0)), axis=0) / 2**0.5)
        means[n] = _smooth(mean, np.ones(3) / 3)
        leasts[n] = np.maximum(4 * noise, FAINTEST)
    # The highest attenuation takes a pass over all columns: only where the edges alone do not settle it.
    for row in np.flatnonzero((means > leasts[:, None]).any(axis=0).mean(axis=0) >= FEWEST_VIEWS):
        highest = _highest(sinogram, int(row))
        leasts[:, row] = np.maximum(leasts[:, row], LEAST * highest)
    truncated = np.zeros((angles, rows), np.bool_)
    truncated[turned] = (means > leasts[:, None]).any(axis=0)
    truncated[:, truncated.mean(axis=0) < FEWEST_VIEWS] = False
    return truncated


@dataclass(frozen=True)
class Chord:
    """How projections go on beyond one edge.

    Attributes
    ----------
    attenuation, start, radius2 : array of float64, shape (angle, row)
        p(start + t) = 2 · attenuation · sqrt(radius2 - (start + t)²), t columns beyond the edge.
    edge : array of float64, shape (angle, row)
        What was measured there.
    """

    attenuation: NDArray[np.float64]
    start: NDArray[np.float64]
    radius2: NDArray[np.float64]
    edge: NDArray[np.float64]

    def of_rows(self, rows: slice) -> Chord:
        """Return those of some rows."""
        return Chord(
            self.attenuation[:, rows], self.start[:, rows], self.radius2[:, rows], self.edge[:, rows]
        )


def fit_chords(
    sinogram: Any,
    angles_deg: NDArray[np.float64],
    *,
    axis_column: float | None = None,
) -> tuple[Chord | None, Chord | None, NDArray[np.intp]]:
    """Fit how truncated projections go on beyond the detector.

    At either edge the projection is taken for the chord p(x) = 2 µ sqrt(R² - x²) of a body of attenuation µ, with x
    outward from its middle. Value v and slope s of a fit give x = -v s / (4 µ²) and R² = x² + v² / (4 µ²). Both edges
    see one body: their x add up to the distance h of the two fits, so 4 µ² = -(v s + v' s') / h, for an ellipse
    anywhere, at any angle. (Hsieh et al. continue by a circle whose µ is given.) µ² is averaged over 18° of angles.

    In a half acquisition the edge far from the axis is one edge of the field, and that of the view half a turn later
    is the other.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, row, column)
        Attenuation; at least 48 columns. That of a half acquisition is weighted as step `half_acquisition` does.
    angles_deg : array of float64, shape (angle,)
        Degrees, in any order.
    axis_column : float, optional
        Column of the rotation axis of a half acquisition; None for other scans.

    Returns
    -------
    left, right : Chord or None
        Beyond the first and beyond the last column; None for the edge of a half acquisition next to its axis.
    more : array of int, shape (row,)
        Columns that are wanted on a side: an eighth, a quarter or half of the field's width, the least that will do.

    Notes
    -----
    Simulated for ellipses with ten inclusions, of 1.05 to 2.2 times the field, the bias inside 0.9 of the field is
    below 0.025 of the contrast on average and 0.07 at most, and so is the cupping; with zeros beyond the detector the
    bias is 0.14, 0.53 and 0.86 for 1.3, 1.8 and 2.2 times, with edge values -0.24, -0.25 and -0.18.

    References
    ----------
    J. Hsieh et al., Medical Physics 31, 2385 (2004), doi 10.1118/1.1776673, for the chord at a given µ.
    """
    angles, _, columns = sinogram.shape
    half = axis_column is not None
    turn = np.mod(angles_deg, 360.0) if half else np.asarray(angles_deg, np.float64)
    order = np.argsort(turn, kind="stable")
    back = np.argsort(order)
    span = max(float(np.ptp(turn)), 1e-9)
    near, far = _views(SLOPE_DEG, angles, span), _views(CURVE_DEG, angles, span)
    middle = (FIT - 1) / 2
    radius = max(axis_column, columns - 1 - axis_column) if axis_column is not None else (columns - 1) / 2
    edges = ("left", "right") if axis_column is None else (far_edge(columns, axis_column),)
    sides = {name: _fit(_outward(sinogram, name)[order], near, round_turn=half) for name in edges}
    products = [value * slope for value, slope, _ in sides.values()]
    if half:
        products.append(_half_a_turn_later(products[0], turn[order]))
    squared = -sum(products) / (8 * (radius - middle))
    mean_squared = _mean_over_views(squared)
    width = 2 * radius + 1
    largest = on_host(namespace(sinogram).max(sinogram, axis=2))
    widest = _mean_over_views(largest) / width  # no slope outward: as flat as can be
    mean_squared = np.where(mean_squared > 0, mean_squared, (0.3 * widest) ** 2)
    attenuation = np.sqrt(
        np.clip(_smooth(squared, far, round_turn=half), 0.25 * mean_squared, 4 * mean_squared)
    )
    attenuation = np.maximum(attenuation, 1e-9)
    chords = {}
    needed = np.zeros(sinogram.shape[1])
    for name, (value, slope, edge) in sides.items():
        x = -value * slope / (4 * attenuation**2)
        radius2 = x**2 + (value / (2 * attenuation)) ** 2
        needed = np.maximum(needed, np.max(np.sqrt(radius2) - x - middle, axis=0) + 3 * BLEND)
        used = np.where(value > 0, attenuation, 0)
        chords[name] = Chord(used[back], (x + middle)[back], radius2[back], edge[back])
    reaches = (np.array(REACHES) * width).astype(np.intp)
    reach = reaches[np.minimum(np.searchsorted(reaches, needed), len(reaches) - 1)]
    return chords.get("left"), chords.get("right"), reach


def continued(sinogram: Any, left: Chord | None, right: Chord | None, more: int) -> Any:
    """Continue projections by chords.

    Parameters
    ----------
    sinogram : array of float32, shape (angle, row, column)
        Attenuation.
    left, right : Chord or None
        As `fit_chords` returns them for these rows.
    more : int
        Columns on each side that has a chord.

    Returns
    -------
    array of float32, shape (angle, row, column + more), or column + 2 · more with chords on both sides
        What differs from the chord at the edge dies away within some columns.
    """
    before, after = (more if chord is not None else 0 for chord in (left, right))
    angles, rows, columns = sinogram.shape
    xp = namespace(sinogram)
    shape = angles, rows, before + columns + after
    result = (
        np.empty(shape, np.float32) if xp is np else xp.empty(shape, dtype=xp.float32, device=sinogram.device)
    )
    result[..., before : before + columns] = sinogram
    if left is not None:
        result[..., :before] = xp.flip(_beyond(left, before, sinogram), axis=2)
    if right is not None:
        result[..., before + columns :] = _beyond(right, after, sinogram)
    return result


def _highest(sinogram: Any, row: int) -> float:
    """Return the highest attenuation of a row: of the means over the angles of its columns."""
    if isinstance(sinogram, np.ndarray):
        return float(sinogram[:, row].mean(axis=0, dtype=np.float64).max())
    xp = namespace(sinogram)
    return float(xp.max(xp.mean(xp.astype(sinogram[:, row, :], xp.float64), axis=0)))


def _outward(sinogram: Any, edge: str) -> NDArray[np.float32]:
    """Return the columns of an edge that are fitted, from inside outward, on the host."""
    columns = sinogram.shape[2]
    return (
        on_host(sinogram[..., :FIT])[..., ::-1] if edge == "left" else on_host(sinogram[..., columns - FIT :])
    )


def _half_a_turn_later(values: NDArray[np.float64], turn_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values, shape (angle, row) by increasing angle, half a turn after each angle."""
    later = turn_deg + 180.0
    return np.stack([np.interp(later, turn_deg, column, period=360.0) for column in values.T], axis=1)


def _fit(
    edge: NDArray[np.float32], near: NDArray[np.float64], *, round_turn: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Value and slope in the middle of an edge whose columns go outward, and its last values; shape (angle, row)."""
    t = np.arange(FIT) - (FIT - 1) / 2
    brief = np.ones(3) / 3
    value = _smooth(edge.mean(axis=2, dtype=np.float64), brief, round_turn=round_turn)
    along = sum(edge[..., k] * t[k] for k in range(FIT)) / float(t @ t)
    slope = _smooth(along, near, round_turn=round_turn)
    outermost = edge[..., -4:].mean(axis=2, dtype=np.float64)
    return value, slope, _smooth(outermost, brief, round_turn=round_turn)


def _beyond(chord: Chord, more: int, sinogram: Any) -> Any:
    """Return what lies beyond an edge, shape (angle, row, column), columns outward, where the sinogram lies."""
    xp = namespace(sinogram)

    def there(values: NDArray[Any]) -> Any:
        single = values.astype(np.float32)
        return single if xp is np else like(single, sinogram)

    t = np.arange(1, more + 1, dtype=np.float32)[None, None]
    result = there(chord.start[..., None]) + there(t)
    result *= result
    result = not_negative(there(chord.radius2[..., None]) - result)
    result = np.sqrt(result, out=result) if xp is np else xp.sqrt(result)
    result *= there(2 * chord.attenuation[..., None])
    chord_value = 2 * chord.attenuation * np.sqrt(np.maximum(chord.radius2 - (chord.start - 1.5) ** 2, 0))
    difference = np.where(chord.attenuation > 0, chord.edge - chord_value, 0)
    near = min(more, int(8 * BLEND))
    result[..., :near] += there(difference[..., None]) * there(np.exp(-t[..., :near] / BLEND))
    return not_negative(result)


def _mean_over_views(values: NDArray[Any]) -> NDArray[np.float64]:
    """Average (angle, row) over the angles, each row by itself: in the same order however many rows there are."""
    return np.asarray(np.ascontiguousarray(values.T, np.float64).mean(axis=1))


def _views(half_width_deg: float, angles: int, span_deg: float) -> NDArray[np.float64]:
    """Return weights of neighbouring views over an angle, by a Hann window."""
    count = int(half_width_deg * angles / span_deg)
    count = max(1, min(count, angles // 2))
    window = np.hanning(2 * count + 1)[1:-1]
    return np.asarray(window / window.sum())


def _smooth(
    values: NDArray[Any], weights: NDArray[np.float64], *, round_turn: bool = False
) -> NDArray[np.float64]:
    """Average over neighbouring views; the ends are mirrored, or joined in a full turn."""
    half = len(weights) // 2
    longer = np.pad(
        np.asarray(values, np.float64), ((half, half), (0, 0)), "wrap" if round_turn else "symmetric"
    )
    return np.stack([np.convolve(column, weights, "valid") for column in longer.T], axis=1)
