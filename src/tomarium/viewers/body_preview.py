"""What a threshold makes of a volume, at once and in small: a slice with the body in amber, and its silhouette."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import EngineUnavailable
from tomarium.model import Volume
from tomarium.model.image import voxel_factors
from tomarium.optional_packages import optional_import
from tomarium.pipeline.mesh.body import Body, Wish, take_body
from tomarium.pipeline.mesh.grid import Grid
from tomarium.pipeline.mesh.print_body import UP
from tomarium.viewers.silhouette import DARKEST, PAPER
from tomarium.viewers.small_volume import averaged, small_shape
from tomarium.viewers.threshold_picture import laid_over
from tomarium.viewers.volume import open_volume

VOXELS: Final = 128**3
PIXELS: Final = 512


@dataclass(frozen=True)
class BodyPreview:
    """A body, seen in a volume of about two million voxels.

    Attributes
    ----------
    slice, silhouette : bytes
        PNG: the middle slice across z with the body in amber; the body from the front, as it stands.
    threshold : float
        In the unit of the volume.
    found : bool
        Whether it was found by Otsu's method, and not given.
    share : float
        Part of the voxels that the body is, 0 to 1.
    pieces : int or None
        Pieces that do not touch each other; None where SciPy is not installed.
    largest : float
        Part of the body that the largest piece is, 0 to 1.
    at_edge : float
        Part of its outermost voxels that lie where the volume, or its circle, ends.
    shape : tuple of int
        Voxels (z, y, x) of the small volume.
    """

    slice: bytes
    silhouette: bytes
    threshold: float
    found: bool
    share: float
    pieces: int | None
    largest: float
    at_edge: float
    shape: tuple[int, ...]


def body_preview(path: Path, wish: Wish, up: str = "z") -> BodyPreview:
    """Look at what would be the body; asked again for the same volume, the answer is kept.

    Parameters
    ----------
    path : Path
        Folder of an OME-Zarr volume.
    wish : Wish
        What is the body; no label.
    up : str
        Axis that points upwards in the silhouette: "z", "-z", "y" …

    Returns
    -------
    BodyPreview
        Of the volume averaged to about two million voxels: walls and gaps below a voxel of that are not seen.

    Raises
    ------
    InputError
        Nothing, or all, would be the body.
    FormatError
        The volume is damaged.
    """
    return _make_preview(path, (path / "zarr.json").stat().st_mtime_ns, wish, up)


@lru_cache(maxsize=16)
def _make_preview(path: Path, changed_ns: int, wish: Wish, up: str) -> BodyPreview:
    volume, small = _small_volume(path, changed_ns)
    grid = Grid(1, small, 1, small.shape, voxel_factors(volume.shape, small.shape), (0.0, 0.0, 0.0))
    body = take_body(volume, grid, wish, lambda stage, done, total: None)
    solid = _in_whole_volume(body, small.shape)
    pieces, largest = _count_pieces(body.solid)
    sizes = [
        n * s / m for n, s, m in zip(volume.shape, volume.voxel_m or (1.0,) * 3, small.shape, strict=True)
    ]
    middle = len(small) // 2
    return BodyPreview(
        slice=_write_png(laid_over(small[middle], solid[middle]), sizes[1], sizes[2]),
        silhouette=_draw_from_front(body.solid, sizes, up),
        threshold=body.threshold,
        found=wish.threshold is None,
        share=float(np.count_nonzero(solid)) / solid.size,
        pieces=pieces,
        largest=largest,
        at_edge=body.at_edge,
        shape=small.shape,
    )


@lru_cache(maxsize=4)
def _small_volume(path: Path, _changed_ns: int) -> tuple[Volume, NDArray[np.float32]]:
    volume = open_volume(path)
    shape = small_shape(volume.shape, VOXELS)
    fine = [level for level in volume.levels if all(n >= m for n, m in zip(level.shape, shape, strict=True))]
    return volume, averaged(fine[-1], shape)


def _in_whole_volume(body: Body, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Put a body back into the volume that it was cut out of."""
    whole = np.zeros(shape, bool)
    box = tuple(slice(a, a + n) for a, n in zip(body.start, body.field.shape, strict=True))
    whole[box] = body.solid
    return whole


def _count_pieces(solid: NDArray[np.bool_]) -> tuple[int | None, float]:
    try:
        ndimage = optional_import("scipy.ndimage", "mesh")
    except EngineUnavailable:
        return None, 1.0
    numbers, count = ndimage.label(solid)
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    return int(count), float(sizes.max() / sizes.sum())


def _draw_from_front(solid: NDArray[np.bool_], sizes: list[float], up: str) -> bytes:
    """Draw a body as it stands, the lighter the more of it lies behind a point."""
    turns, axes = UP[up]
    turned = np.rot90(solid, turns, axes)
    if turns % 2:
        sizes = [sizes[{axes[0]: axes[1], axes[1]: axes[0]}.get(axis, axis)] for axis in range(3)]
    behind = turned.sum(axis=1)[::-1]  # z points upwards, and row 0 is at the top
    depth = np.sqrt(behind / max(1, int(behind.max())))
    grey = np.where(behind > 0, DARKEST + (255 - DARKEST) * depth, PAPER).astype(np.uint8)
    return _write_png(grey, sizes[0], sizes[2])


def _write_png(image: NDArray[np.uint8], high: float, wide: float) -> bytes:
    """Write a PNG in true proportions, its longer side of 512 pixels."""
    from PIL import Image as Pillow

    rows, columns = image.shape[:2]
    factor = PIXELS / max(rows * high, columns * wide)
    size = max(1, round(columns * wide * factor)), max(1, round(rows * high * factor))
    target = BytesIO()
    Pillow.fromarray(image).resize(size, Pillow.Resampling.NEAREST).save(target, "PNG", optimize=True)
    return target.getvalue()
