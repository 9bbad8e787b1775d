"""Sums over the voxels of objects that add up over slabs, and the measures that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

DIRECTIONS: Final[Mapping[tuple[int, int, int], float]] = {
    **dict.fromkeys([(0, 0, 1), (0, 1, 0), (1, 0, 0)], 0.09155578),
    **dict.fromkeys([(0, 1, 1), (0, 1, -1), (1, 0, 1), (1, 0, -1), (1, 1, 0), (1, -1, 0)], 0.07396126),
    **dict.fromkeys([(1, 1, 1), (1, 1, -1), (1, -1, 1), (1, -1, -1)], 0.07039128),
}
"""Direction (z, y, x) → part of the sphere that lies nearest to it (Legland, Kiêu & Devaux 2007, table 3, doubled)."""

_SPHERE: Final = 200_000
"""Directions, evenly over the sphere, by which such parts are found for voxels that are no cubes."""


def parts_of_sphere(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Tell which part of the sphere lies nearest to each of `DIRECTIONS`, in voxels of any three lengths.

    Parameters
    ----------
    spacing : tuple of float
        Lengths of a voxel (z, y, x), in any unit.

    Returns
    -------
    array, shape (13,)
        Their sum is 1. For cubes the table above, else counted over 200 000 directions (Fibonacci's lattice).
    """
    if max(spacing) <= min(spacing) * (1 + 1e-6):
        return np.array(list(DIRECTIONS.values()))
    steps = np.array(list(DIRECTIONS)) * np.array(spacing)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    k = np.arange(_SPHERE) + 0.5
    z, turn = 1 - 2 * k / _SPHERE, np.pi * (1 + 5**0.5) * k
    around = np.sqrt(1 - z * z)
    sphere = np.stack([z, around * np.sin(turn), around * np.cos(turn)], axis=1)
    nearest = np.argmax(np.abs(sphere @ steps.T), axis=1)
    return np.bincount(nearest, minlength=len(steps)) / _SPHERE


@dataclass
class ObjectSums:
    """Sums of objects by their number, row 0 of the background; those of slabs are added.

    Attributes
    ----------
    sums : array of int64, shape (number, 10)
        Voxels; Σz, Σy, Σx; Σz², Σy², Σx², Σzy, Σzx, Σyx.
    box : array of int64, shape (number, 6)
        First and last z, y, x.
    crossings : array of int64, shape (number, 13)
        Surface crossings along each of `DIRECTIONS`.
    edge : array of bool, shape (number,)
        Whether a voxel lies at an end of the volume, or at the rim of the circle.
    value : array of int64, shape (number,)
        Value of the voxels.
    """

    sums: NDArray[np.int64]
    box: NDArray[np.int64]
    crossings: NDArray[np.int64]
    edge: NDArray[np.bool_]
    value: NDArray[np.int64]

    @classmethod
    def empty(cls, count: int) -> ObjectSums:
        """Return sums of no voxels for numbers 0 to count."""
        box = np.tile(np.array([np.iinfo(np.int64).max] * 3 + [-1] * 3), (count + 1, 1))
        return cls(
            np.zeros((count + 1, 10), np.int64),
            box,
            np.zeros((count + 1, len(DIRECTIONS)), np.int64),
            np.zeros(count + 1, bool),
            np.zeros(count + 1, np.int64),
        )

    def grown(self, count: int) -> ObjectSums:
        """Return the same with room for numbers up to count."""
        further_sums = ObjectSums.empty(count - len(self.value))
        pairs = zip(self.__dict__.values(), further_sums.__dict__.values(), strict=True)
        return ObjectSums(*(np.concatenate(pair) for pair in pairs))

    def joined(self, numbers: NDArray[np.int64]) -> ObjectSums:
        """Add up what belongs to one object.

        Parameters
        ----------
        numbers : array of int64, shape (number,)
            As `Components.numbers` tells.

        Returns
        -------
        ObjectSums
            A row for each object.
        """
        total = ObjectSums.empty(int(numbers.max(initial=0)))
        np.add.at(total.sums, numbers, self.sums)
        np.add.at(total.crossings, numbers, self.crossings)
        np.minimum.at(total.box[:, :3], numbers, self.box[:, :3])
        np.maximum.at(total.box[:, 3:], numbers, self.box[:, 3:])
        np.logical_or.at(total.edge, numbers, self.edge)
        np.maximum.at(total.value, numbers, self.value)
        return total


def add_voxels(
    sums: ObjectSums, numbers: NDArray[np.int64], values: NDArray[Any], first: int, at_edge: NDArray[np.bool_]
) -> None:
    """Add the voxels of a slab.

    Parameters
    ----------
    sums : ObjectSums
        Changed in place; has room for all numbers.
    numbers : array of int64, shape (z, y, x)
        Numbers of objects; 0 does not count.
    values : array, shape (z, y, x)
        Values of the voxels.
    first : int
        First slice of the slab.
    at_edge : array of bool, shape (z, y, x)
        Voxels at an end of the volume or at the rim of the circle.
    """
    z, y, x = np.nonzero(numbers)
    if not len(z):
        return
    number = numbers[z, y, x]
    base = int(number.min())
    local, count = number - base, int(number.max()) - base + 1
    place = [(z + first).astype(np.int64), y.astype(np.int64), x.astype(np.int64)]
    rows = slice(base, base + count)
    terms = [None, *place, *(coordinate * coordinate for coordinate in place)]
    terms += [place[0] * place[1], place[0] * place[2], place[1] * place[2]]
    for column, term in enumerate(terms):
        # Sums of whole numbers below 2^53 are exact in double precision.
        sums.sums[rows, column] += np.bincount(local, term, count).astype(np.int64)
    for axis, coordinate in enumerate(place):
        np.minimum.at(sums.box[:, axis], number, coordinate)
        np.maximum.at(sums.box[:, 3 + axis], number, coordinate)
    sums.edge[np.unique(number[at_edge[z, y, x]])] = True
    sums.value[number] = values[z, y, x]


def add_crossings(sums: ObjectSums, numbers: NDArray[np.int64], values: NDArray[Any], skip: int) -> None:
    """Add the surface crossings of a slab: pairs of voxels along 13 directions whose values differ.

    Parameters
    ----------
    sums : ObjectSums
        Changed in place.
    numbers : array of int64, shape (z, y, x)
        Numbers of objects; its first `skip` slices are the last of the slab before.
    values : array, shape (z, y, x)
        Values of the voxels, likewise.
    skip : int
        0 or 1: pairs that lie within the first slice were counted with the slab before.
    """
    for column, step in enumerate(DIRECTIONS):
        start = skip if step[0] == 0 else 0
        first_slices, second_slices = [], []
        for axis, value in enumerate(step):
            low = start if axis == 0 else 0
            length = numbers.shape[axis]
            first_slices.append(slice(low + max(0, -value), length - max(0, value)))
            second_slices.append(slice(low + max(0, value), length - max(0, -value)))
        a, b = tuple(first_slices), tuple(second_slices)
        differ = values[a] != values[b]
        ends = np.concatenate([numbers[a][differ], numbers[b][differ]])
        sums.crossings[:, column] += np.bincount(ends, minlength=len(sums.value))


@dataclass(frozen=True)
class Measures:
    """Measures of objects, one row each; lengths in widths of a voxel (x), for cubes its edges.

    Attributes
    ----------
    volume : array, shape (object,)
        Voxels.
    surface : array, shape (object,)
        By Crofton's formula, in squares of the width of a voxel; what lies beyond the volume's ends is not counted.
    diameter : array, shape (object,)
        Of the sphere of the same volume, (6 V / π)^⅓.
    sphericity : array, shape (object,)
        Surface of the sphere of the same volume over the object's, π^⅓ (6 V)^⅔ / S; 1 for a sphere.
    centre : array, shape (object, 3)
        z, y, x, in voxels.
    axes : array, shape (object, 3)
        Diameters of the ellipsoid of the same inertia, the longest first.
    direction : array, shape (object, 3)
        Of the longest axis, z, y, x, of length 1; z is not negative.
    box : array of int64, shape (object, 6)
        First and last z, y, x.
    edge : array of bool, shape (object,)
        Whether it touches an end of the volume or the rim of the circle.
    value : array of int64, shape (object,)
        Value of its voxels.
    """

    volume: NDArray[np.int64]
    surface: NDArray[np.float64]
    diameter: NDArray[np.float64]
    sphericity: NDArray[np.float64]
    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    direction: NDArray[np.float64]
    box: NDArray[np.int64]
    edge: NDArray[np.bool_]
    value: NDArray[np.int64]


def measures(sums: ObjectSums, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Measures:
    """Compute the measures of objects from their sums.

    1. S = 2 Σ cₖ Nₖ v / |dₖ|: lines along the direction dₖ cross the surface Nₖ times and lie an area v / |dₖ| apart,
       where v is the volume of a voxel; the mean of ∫ |n · u| dS over all directions u is S / 2.
    2. The ellipsoid of the same second moments λ has the diameters 2 √(5 λ); a voxel adds 1/12 of the square of its
       length to each.

    Parameters
    ----------
    sums : ObjectSums
        Of whole objects; row 0 is left out.
    spacing : tuple of float
        Lengths of a voxel (z, y, x) over its width.

    Returns
    -------
    Measures
        A row for each object.

    References
    ----------
    Legland, Kiêu & Devaux, Image Anal. Stereol. 26 (2007) 83-92.
    """
    rows = sums.sums[1:]
    volume = rows[:, 0]
    size = float(np.prod(spacing))
    lengths = np.linalg.norm(np.array(list(DIRECTIONS)) * np.array(spacing), axis=1)
    surface = 2 * size * (sums.crossings[1:] * (parts_of_sphere(spacing) / lengths)).sum(1)
    count = np.maximum(volume, 1).astype(np.float64)
    centre = rows[:, 1:4] / count[:, None]
    moments = np.empty((len(rows), 3, 3))
    for column, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)], 4):
        # Whole numbers first: their difference would cancel in double precision far from the origin.
        shift = np.rint(centre).astype(np.int64)
        about = (
            rows[:, column]
            - shift[:, i] * rows[:, 1 + j]
            - shift[:, j] * rows[:, 1 + i]
            + volume * shift[:, i] * shift[:, j]
        )
        offset = centre - shift
        moment = about / count - offset[:, i] * offset[:, j] + (i == j) / 12
        moments[:, i, j] = moments[:, j, i] = moment * spacing[i] * spacing[j]
    powers, vectors = np.linalg.eigh(moments) if len(rows) else (np.zeros((0, 3)), np.zeros((0, 3, 3)))
    direction = vectors[:, :, 2]
    direction = direction * np.where(direction[:, :1] < 0, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        sphericity = np.pi ** (1 / 3) * (6 * size * volume) ** (2 / 3) / surface
    return Measures(
        volume,
        surface,
        np.cbrt(6 * size * volume / np.pi),
        sphericity,
        centre,
        2 * np.sqrt(5 * np.maximum(powers[:, ::-1], 0)),
        direction,
        sums.box[1:],
        sums.edge[1:],
        sums.value[1:],
    )
