"""A rock of olivine, iron, sulphide and pores, seen by several kinds of microscope at any pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.kernels.alignment.rotations import random_rotations, rotation

PHASES: Final = ("olivine", "iron", "sulphide", "pore")
"""Names of the phases; a label is the place in this list."""

OUTSIDE: Final = 255
"""Label of what lies outside of the specimen."""

SIGNALS: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "ct": (0.40, 1.00, 0.72, 0.0),
    "neutron": (0.55, 0.80, 0.25, 0.95),
    "bse": (0.35, 1.00, 0.70, 0.02),
    "si": (1.00, 0.03, 0.02, 0.0),
    "fe": (0.18, 1.00, 0.60, 0.0),
    "s": (0.01, 0.02, 1.00, 0.0),
}
"""What a technique makes of each phase, relative: attenuation of X-rays; of neutrons, with pores full of water or
resin; electrons scattered back; counts of the K lines of Si, Fe and S. The numbers are ranks, not measurements."""

# (phase, how many, least and greatest half axis over the edge, greatest elongation)
_BODIES: Final = (
    (3, 180, 0.015, 0.06, 3.0),
    (1, 220, 0.03, 0.09, 2.0),
    (2, 220, 0.025, 0.075, 2.0),
)
_ATTACHED: Final = 0.5  # of the sulphide bodies lie at the rim of an iron body

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rock:
    """Bodies of iron, sulphide and pores in olivine, in a frame in metres, (x, y, z), whose origin is a corner.

    Attributes
    ----------
    size_m : float
        Edge of the cube that is filled.
    centres_m : array of float, shape (body, 3)
        Middle of each ellipsoid.
    half_axes_m : array of float, shape (body, 3)
        Its half axes.
    turns : array of float, shape (body, 3, 3)
        Columns are the directions of the half axes.
    phases : array of uint8, shape (body,)
        Label of each; where two overlap, the later counts.
    radius_m : float or None
        Radius of the cylinder along z, in the middle of the cube, to which the specimen was drilled; None: none.
    """

    size_m: float
    centres_m: Matrix
    half_axes_m: Matrix
    turns: Matrix
    phases: NDArray[np.uint8]
    radius_m: float | None = None


def rock(size_m: float, seed: int, *, coarseness: float = 1.0, radius_m: float | None = None) -> Rock:
    """Draw a rock.

    Parameters
    ----------
    size_m : float
        Edge of the cube that it fills, m.
    seed : int
        Seed; the same seed draws the same rock.
    coarseness : float
        Size of the bodies over the usual one; their number goes with its inverse cube.
    radius_m : float or None
        Radius of the drilled cylinder along z, m; None for none.

    Returns
    -------
    Rock
        About two thirds olivine.
    """
    draw = np.random.default_rng(seed)
    centres: list[Matrix] = []
    axes: list[Matrix] = []
    turns: list[Matrix] = []
    phases: list[NDArray[np.uint8]] = []
    for phase, count, least, greatest, long in _BODIES:
        number = max(3, round(count / coarseness**3))
        size = least * (greatest / least) ** draw.uniform(0, 1, number) * coarseness * size_m
        stretch = np.exp(draw.uniform(-1, 1, (number, 3)) * np.log(long) / 2)
        middle = draw.uniform(0, size_m, (number, 3))
        if phase == 2:
            iron = np.flatnonzero(np.concatenate(phases) == 1)
            chosen = draw.choice(iron, number)
            away = draw.normal(size=(number, 3))
            away /= np.linalg.norm(away, axis=1, keepdims=True)
            far = np.concatenate(axes)[chosen].mean(axis=1) + 0.6 * size
            attached = draw.uniform(size=number) < _ATTACHED
            middle = np.where(
                attached[:, None], np.concatenate(centres)[chosen] + away * far[:, None], middle
            )
        centres.append(middle)
        axes.append(size[:, None] * stretch)
        turns.append(random_rotations(number, draw))
        phases.append(np.full(number, phase, np.uint8))
    return Rock(
        size_m,
        np.concatenate(centres),
        np.concatenate(axes),
        np.concatenate(turns),
        np.concatenate(phases),
        radius_m,
    )


def labels(
    rock: Rock, shape: Sequence[int], voxel_m: Sequence[float], matrix: Matrix | None = None
) -> NDArray[np.uint8]:
    """Tell the phase of each voxel of an image, at its centre.

    Parameters
    ----------
    rock : Rock
        The rock.
    shape : sequence of int
        Voxels of the image along z, y, x; one slice for a section.
    voxel_m : sequence of float
        Voxel size (z, y, x), m.
    matrix : array of float, shape (4, 4), optional
        Maps (x, y, z, 1) of the image, whose origin is the centre of its first voxel, into the rock, m. By default the
        corner of the first voxel is that of the rock.

    Returns
    -------
    array of uint8, shape (z, y, x)
        Places in `PHASES`; `OUTSIDE` beyond the drilled cylinder. Beyond the cube all is olivine.
    """
    depth, rows, columns = (int(n) for n in shape)
    dz, dy, dx = (float(size) for size in voxel_m)
    pose = beginning(voxel_m) if matrix is None else np.asarray(matrix, np.float64)
    axis = [np.arange(n) * step for n, step in ((columns, dx), (rows, dy), (depth, dz))]
    phases = np.zeros((depth, rows, columns), np.uint8)
    back = np.linalg.inv(pose)
    for centre, half, turn, phase in zip(
        rock.centres_m, rock.half_axes_m, rock.turns, rock.phases, strict=True
    ):
        # |form · (p - middle)| ≤ 1 in the frame of the image
        form = (turn / half).T @ pose[:3, :3]
        middle = back[:3, :3] @ centre + back[:3, 3]
        reach = np.sqrt(np.diag(np.linalg.inv(form.T @ form)))
        box = [
            slice(max(0, ceil((at - far) / step)), max(0, min(n, int(np.floor((at + far) / step)) + 1)))
            for at, far, step, n in zip(middle, reach, (dx, dy, dz), (columns, rows, depth), strict=True)
        ]
        if any(part.stop <= part.start for part in box):
            continue
        x, y, z = (line[part] - at for line, part, at in zip(axis, box, middle, strict=True))
        square = sum(
            (row[0] * x[None, None, :] + row[1] * y[None, :, None] + row[2] * z[:, None, None]) ** 2
            for row in form
        )
        phases[box[2], box[1], box[0]][square <= 1] = phase
    if rock.radius_m is not None:
        x, y, z = axis[0][None, None, :], axis[1][None, :, None], axis[2][:, None, None]
        across = sum(
            (row[0] * x + row[1] * y + row[2] * z + row[3] - rock.size_m / 2) ** 2 for row in pose[:2]
        )
        phases[across > rock.radius_m**2] = OUTSIDE
    return phases


def image(
    rock: Rock,
    shape: Sequence[int],
    voxel_m: Sequence[float],
    matrix: Matrix | None = None,
    *,
    signal: str = "ct",
    supersample: int = 2,
) -> NDArray[np.float32]:
    """Make an image of a rock by one technique, without noise.

    Parameters
    ----------
    rock : Rock
        The rock.
    shape : sequence of int
        Voxels of the image along z, y, x; a section has one slice, and is not averaged over its thickness.
    voxel_m : sequence of float
        Voxel size (z, y, x), m.
    matrix : array of float, shape (4, 4), optional
        As of `labels`.
    signal : str
        One of `SIGNALS`.
    supersample : int
        Points of each voxel along each axis that are averaged.

    Returns
    -------
    array of float32, shape (z, y, x)
        Means of the signals of the phases; 0 outside of the specimen.

    Raises
    ------
    ParameterError
        There is no such signal.
    """
    if signal not in SIGNALS:
        raise ParameterError(f"rock: there is no signal {signal!r}; take one of {', '.join(SIGNALS)}")
    pose = beginning(voxel_m) if matrix is None else np.asarray(matrix, np.float64)
    parts = tuple(1 if axis == 0 and shape[0] == 1 else supersample for axis in range(3))
    fine_m = [size / part for size, part in zip(voxel_m, parts, strict=True)]
    start = np.eye(4)
    start[:3, 3] = [(fine - size) / 2 for fine, size in zip(fine_m[::-1], tuple(voxel_m)[::-1], strict=True)]
    greys = np.zeros(256, np.float32)
    greys[: len(PHASES)] = SIGNALS[signal]
    image_drawn = np.empty(tuple(shape), np.float32)
    together = max(1, (1 << 24) // (int(np.prod(shape[1:])) * supersample**3))
    for first in range(0, shape[0], together):
        count = min(together, shape[0] - first)
        moved = start.copy()
        moved[2, 3] += first * voxel_m[0]
        size = (count * parts[0], shape[1] * parts[1], shape[2] * parts[2])
        fine = greys[labels(rock, size, fine_m, pose @ moved)]
        split = fine.reshape(count, parts[0], shape[1], parts[1], shape[2], parts[2])
        image_drawn[first : first + count] = split.mean(axis=(1, 3, 5))
    return image_drawn


def beginning(voxel_m: Sequence[float]) -> Matrix:
    """Return the pose of an image whose first voxel touches the corner of the rock.

    Parameters
    ----------
    voxel_m : sequence of float
        Voxel size (z, y, x), m.

    Returns
    -------
    array of float, shape (4, 4)
        A shift by half a voxel.
    """
    pose = np.eye(4)
    pose[:3, 3] = [size / 2 for size in tuple(voxel_m)[::-1]]
    return pose


def pose_about(
    centre_m: Sequence[float], turn_deg: Sequence[float], shift_m: Sequence[float] = (0.0, 0.0, 0.0)
) -> Matrix:
    """Return the matrix of a turn about a point, and a shift after it.

    Parameters
    ----------
    centre_m : sequence of float
        The point, (x, y, z), m.
    turn_deg : sequence of float
        Rotation vector: its direction is the axis, its length the angle, degrees.
    shift_m : sequence of float
        Shift, m.

    Returns
    -------
    array of float, shape (4, 4)
        Right-handed.
    """
    pose = np.eye(4)
    pose[:3, :3] = rotation(np.deg2rad(np.asarray(turn_deg, np.float64)))
    pose[:3, 3] = np.asarray(centre_m) - pose[:3, :3] @ np.asarray(centre_m) + np.asarray(shift_m)
    return pose
