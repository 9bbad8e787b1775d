"""A random forest that learns classes from a few painted voxels."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.errors import InputError
from tomarium.model import Volume
from tomarium.optional_packages import optional_import
from tomarium.pipeline.segment.slabs import Smoothed, slab_height, slabs

SCALES: Final = (1.0, 2.0, 4.0)
"""σ in px at which features are taken."""

HALO: Final = ceil(4 * max(SCALES)) + 2
FEATURES: Final = 1 + 5 * len(SCALES)
BYTES: Final = 4 * (FEATURES + 12)
MOST_VOXELS: Final = 100_000
"""Painted voxels of a class that are learned from; they are drawn where there are more."""

TREES: Final = 60


@dataclass(frozen=True)
class Painted:
    """Voxels whose class a user told.

    Attributes
    ----------
    places : array of int64, shape (voxel, 3)
        z, y, x, in ascending order.
    classes : array of int64, shape (voxel,)
        Above 0.
    """

    places: NDArray[np.int64]
    classes: NDArray[np.int64]


def read_painted(path: Path, shape: tuple[int, ...]) -> Painted:
    """Read painted voxels.

    Parameters
    ----------
    path : Path
        A label volume of the shape of the volume, 0 where nothing is painted; or a CSV table with the columns z, y, x
        and label.
    shape : tuple of int
        Of the volume.

    Returns
    -------
    Painted
        At least two classes.

    Raises
    ------
    InputError
        It is neither, lies outside of the volume, or has one class only.
    """
    if path.suffix.lower() == ".csv":
        painted = _read_table(path)
    else:
        opened = formats.open(path)
        if not isinstance(opened, Volume) or opened.shape != tuple(shape) or opened.dtype.kind not in "iub":
            raise InputError(
                f"{path}: painted labels are a volume of whole numbers of shape {tuple(shape)}, 0 where nothing is "
                f"painted, or a CSV table with the columns z, y, x, label; this has shape {opened.shape}"
            )
        parts = []
        for start, stop in slabs(shape[0], slab_height(tuple(shape), 16)):
            block = np.asarray(opened[start:stop])
            z, y, x = np.nonzero(block)
            parts.append(np.stack([z + start, y, x, block[z, y, x]], axis=1))
        painted = np.concatenate(parts).astype(np.int64)
    beyond = (painted[:, :3] < 0).any(1) | (painted[:, :3] >= np.array(shape)).any(1)
    if beyond.any():
        bad = painted[beyond][0, :3].tolist()
        raise InputError(f"{path}: the voxel z, y, x = {bad} lies outside of the volume {tuple(shape)}")
    painted = painted[np.lexsort(painted[:, 2::-1].T)]
    if len(np.unique(painted[:, 3])) < 2 or painted[:, 3].min() < 1 or painted[:, 3].max() > 255:
        raise InputError(
            f"{path}: paints {len(np.unique(painted[:, 3]))} class; paint two or more, numbered 1 to 255"
        )
    return Painted(painted[:, :3], painted[:, 3])


def _read_table(path: Path) -> NDArray[np.int64]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [
                [int(float(row[name])) for name in ("z", "y", "x", "label")] for row in csv.DictReader(file)
            ]
    except (KeyError, ValueError, TypeError, OSError) as problem:
        raise InputError(
            f"{path}: is no table of painted voxels ({problem}); its columns are z, y, x, label, in whole voxels"
        ) from problem
    if not rows:
        raise InputError(f"{path}: has no row")
    return np.array(rows, np.int64)


def features(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe each voxel by its neighbourhood.

    Parameters
    ----------
    block : array of float32, shape (z, y, x)
        Values, with `HALO` neighbours where there are any.

    Returns
    -------
    array of float32, shape (z, y, x, 16)
        The value; and at σ = 1, 2 and 4 px: Gaussian, size of its gradient, and the three eigenvalues of its second
        derivatives times σ², ascending.
    """
    ndimage = optional_import("scipy.ndimage", "analysis")
    features_of_voxels = np.empty((*block.shape, FEATURES), np.float32)
    features_of_voxels[..., 0] = block
    for number, sigma in enumerate(SCALES):
        place = 1 + 5 * number
        smooth = ndimage.gaussian_filter(block, sigma, mode="nearest", truncate=4.0)
        slopes = [_difference(smooth, axis) for axis in range(3)]
        features_of_voxels[..., place] = smooth
        features_of_voxels[..., place + 1] = np.sqrt(slopes[0] ** 2 + slopes[1] ** 2 + slopes[2] ** 2)
        curvature = np.empty((*block.shape, 3, 3), np.float32)
        for i in range(3):
            for j in range(i, 3):
                curvature[..., i, j] = curvature[..., j, i] = sigma**2 * _difference(slopes[i], j)
        features_of_voxels[..., place + 2 : place + 5] = np.linalg.eigvalsh(curvature)
    return features_of_voxels


def _difference(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return half the difference of the two neighbours along an axis."""
    ndimage = optional_import("scipy.ndimage", "analysis")
    return np.asarray(ndimage.correlate1d(values, [-0.5, 0.0, 0.5], axis, mode="nearest"))


def learn(source: Smoothed, painted: Painted, tell: Callable[[str, int, int], None]) -> Any:
    """Learn the classes of painted voxels.

    Parameters
    ----------
    source : Smoothed
        The volume.
    painted : Painted
        Voxels of known class.
    tell : callable
        `tell(stage, done, total)`.

    Returns
    -------
    sklearn.ensemble.RandomForestClassifier
        Trained; classes weigh the same however much of each is painted, and the draw is the same each time.
    """
    ensemble = optional_import("sklearn.ensemble", "analysis")
    draw = np.random.default_rng(0)
    chosen_of_classes = []
    for class_number in np.unique(painted.classes):
        where = np.flatnonzero(painted.classes == class_number)
        chosen_of_classes.append(
            where if len(where) <= MOST_VOXELS else draw.choice(where, MOST_VOXELS, replace=False)
        )
    chosen = np.sort(np.concatenate(chosen_of_classes))
    places, classes = painted.places[chosen], painted.classes[chosen]
    height = slab_height(source.shape, BYTES, HALO)
    rows = []
    for start, stop in slabs(source.shape[0], height):
        in_slab = places[(places[:, 0] >= start) & (places[:, 0] < stop)]
        if len(in_slab):
            first, last = int(in_slab[0, 0]), int(in_slab[-1, 0]) + 1
            rows.append(described(source, first, last)[in_slab[:, 0] - first, in_slab[:, 1], in_slab[:, 2]])
        tell("learn", stop, source.shape[0])
    forest = ensemble.RandomForestClassifier(
        TREES, min_samples_leaf=3, class_weight="balanced", n_jobs=-1, random_state=0
    )
    return forest.fit(np.concatenate(rows), classes)


def described(source: Smoothed, start: int, stop: int) -> NDArray[np.float32]:
    """Return the features of slices, the same in whatever slabs they are read."""
    low, high = max(0, start - HALO), min(source.shape[0], stop + HALO)
    return features(source.read(low, high))[start - low : stop - low]
