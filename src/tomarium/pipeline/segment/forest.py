"""A random forest that learns classes from a few painted voxels."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.errors import InputError
from tomarium.kernels.curvature import curvatures
from tomarium.kernels.decision_trees import probabilities, trees_of
from tomarium.model import Volume
from tomarium.optional_packages import optional_import
from tomarium.pipeline.segment.slabs import Smoothed, slab_height, slabs
from tomarium.pipeline.segment.tiles import Region, around, each_region, height_of, regions_with, tiles

SCALES: Final = (1.0, 2.0, 4.0)
"""σ in px at which features are taken."""

HALO: Final = ceil(4 * max(SCALES)) + 2
FEATURES: Final = 1 + 5 * len(SCALES)
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


def features(block: NDArray[np.float32], core: Region | None = None) -> NDArray[np.float32]:
    """Describe each voxel by its neighbourhood.

    Parameters
    ----------
    block : array of float32, shape (z, y, x)
        Values, with `HALO` neighbours where there are any.
    core : tuple of slice, optional
        Voxels that are wanted, z, y, x; all by default.

    Returns
    -------
    array of float32, shape (z, y, x, 16)
        The value; and at σ = 1, 2 and 4 px: Gaussian, size of its gradient, and the three eigenvalues of its second
        derivatives times σ², ascending.
    """
    wanted = whole(block) if core is None else core
    found = np.empty((*block[wanted].shape, FEATURES), np.float32)
    fill_features(block, wanted, found)
    return found


def whole(block: NDArray[np.float32]) -> Region:
    """Return the region that is all of a block."""
    z, y, x = (slice(0, length) for length in block.shape)
    return z, y, x


def fill_features(block: NDArray[np.float32], core: Region, out: NDArray[np.float32]) -> None:
    """Describe voxels as `features` does, in the first 16 numbers of each in `out`, shape (z, y, x, number)."""
    ndimage = optional_import("scipy.ndimage", "analysis")
    out[..., 0] = block[core]
    near, within = around(core, 2, block.shape)
    for number, sigma in enumerate(SCALES):
        place = 1 + 5 * number
        smooth = np.ascontiguousarray(
            ndimage.gaussian_filter(block, sigma, mode="nearest", truncate=4.0)[near]
        )
        out[..., place] = smooth[within]
        if within[1:] == (slice(0, smooth.shape[1]), slice(0, smooth.shape[2])):
            curvatures(smooth, within[0], sigma**2, out, place + 1)
            continue
        there = np.empty((within[0].stop - within[0].start, *smooth.shape[1:], 4), np.float32)
        curvatures(smooth, within[0], sigma**2, there, 0)
        out[..., place + 1 : place + 5] = there[:, within[1], within[2]]


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
    rows = described_places(
        source, places, HALO, features, FEATURES, lambda done: tell("learn", done, len(places))
    )
    forest = ensemble.RandomForestClassifier(
        TREES, min_samples_leaf=3, class_weight="balanced", n_jobs=-1, random_state=0
    )
    return forest.fit(rows, classes)


def described_places(
    source: Smoothed,
    places: NDArray[np.int64],
    halo: int,
    describe: Callable[[NDArray[np.float32], Region], NDArray[np.float32]],
    count: int,
    tell: Callable[[int], None],
) -> NDArray[np.float32]:
    """Describe some voxels; only what lies around them is read into tiles.

    Parameters
    ----------
    source : Smoothed
        The volume.
    places : array of int64, shape (voxel, 3)
        z, y, x.
    halo : int
        Neighbours that a description takes.
    describe : callable
        `describe(block, core)` as `features` does.
    count : int
        Numbers of each voxel that it gives.
    tell : callable
        `tell(voxels done)`.

    Returns
    -------
    array of float32, shape (voxel, count)
        In their order.
    """
    rows, done = np.empty((len(places), count), np.float32), 0
    for gathered in regions_with(places, source.shape, halo):
        numbers_of = {
            tuple((part.start, part.stop) for part in region): numbers for region, numbers in gathered
        }

        def work(block: NDArray[np.float32], core: Region, region: Region) -> int:
            numbers = numbers_of[tuple((part.start, part.stop) for part in region)]  # noqa: B023  used before the next
            z, y, x = (places[numbers] - [part.start for part in region]).T
            rows[numbers] = describe(block, core)[z, y, x]
            return len(numbers)

        for added in each_region(source, [region for region, _ in gathered], halo, work):
            done += added
            tell(done)
    return rows


def classes_of(
    source: Smoothed, forest: Any, tell: Callable[[str, int, int], None]
) -> Iterator[NDArray[np.uint8]]:
    """Tell the class of every voxel.

    Parameters
    ----------
    source : Smoothed
        The volume.
    forest : sklearn.ensemble.RandomForestClassifier
        As `learn` made it.
    tell : callable
        `tell(stage, done, total)`.

    Yields
    ------
    array of uint8, shape (z, y, x)
        Slices, in order.
    """
    trees, classes = trees_of(forest.estimators_), np.asarray(forest.classes_, np.uint8)
    depth = source.shape[0]

    def work(block: NDArray[np.float32], core: Region, _: Region) -> NDArray[np.uint8]:
        described = features(block, core)
        shares = probabilities(trees, described.reshape(-1, FEATURES), threads=1)
        return np.asarray(classes[shares.argmax(axis=1)].reshape(described.shape[:3]))

    for start, stop in slabs(depth, height_of(source.shape, HALO)):
        labels = np.empty((stop - start, *source.shape[1:]), np.uint8)
        regions = tiles(source.shape, start, stop)
        for (_, y, x), found in zip(regions, each_region(source, regions, HALO, work), strict=True):
            labels[:, y, x] = found
        yield labels
        tell("classes", stop, depth)
