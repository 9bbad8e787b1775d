"""Silhouettes of specimens seen from the front, drawn beside one another at one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.model import Record
from tomarium.viewers import slices
from tomarium.viewers.picture import font
from tomarium.viewers.scale_bar import scale_bar
from tomarium.viewers.small_volume import small_of
from tomarium.viewers.volume import volume_path, volume_window

MOST: Final = 6
VOXELS: Final = 128**3
WIDTH: Final = 1600
HEIGHT: Final = 520
"""Pixels of the picture, and of the highest silhouette in it."""
MARGIN: Final = 40
LETTER: Final = 30
DARKEST: Final = 70
PAPER: Final = 11


@dataclass(frozen=True)
class Silhouette:
    """What is dense in a volume, seen along y.

    Attributes
    ----------
    grey : array of uint8, shape (z, x)
        Cropped to the object: 0 beside it, and the brighter the more lies behind a point.
    pixel_m : tuple of float
        Height and width of a pixel, m: the size is known to as much on either side.
    cut : bool
        Whether it reaches an edge of the volume, so that the specimen may be larger.
    """

    grey: NDArray[np.uint8]
    pixel_m: tuple[float, float]
    cut: bool

    @property
    def size_m(self) -> tuple[float, float]:
        """Height (along z) and width (along x), m."""
        height, width = (n * s for n, s in zip(self.grey.shape, self.pixel_m, strict=True))
        return height, width


def silhouette(record: Record, folder: Path) -> Silhouette:
    """Part the object of a record from its surroundings, and look at it from the front.

    Parameters
    ----------
    record : Record
        With a volume whose voxel size is known.
    folder : Path
        Its folder.

    Returns
    -------
    Silhouette
        Of the voxels above Otsu's threshold, in the volume averaged to about two million voxels. A point belongs to it
        where two of them lie behind it, and as many as five of its nine neighbours have that too.

    Raises
    ------
    InputError
        The voxel size is not known, or nothing stands out in the volume.
    FormatError
        The volume is damaged.
    """
    voxel_m = slices.voxel_m(record)
    if voxel_m is None:
        raise InputError(
            f"the voxel size of the record {record.id} is not known, so that it cannot be drawn to scale; leave it "
            f"out, or file its volume anew with the size of its voxels"
        )
    path = folder / str(volume_path(record))
    window = volume_window(record, folder)
    parted = _draw_silhouette(path, (path / "zarr.json").stat().st_mtime_ns, window)
    if parted is None:
        raise InputError(f"nothing stands out in the volume of the record {record.id}; leave it out")
    grey, shape, cut = parted
    full = record.volume["shape"]
    return Silhouette(grey, (full[0] * voxel_m[0] / shape[0], full[2] * voxel_m[2] / shape[2]), cut)


@lru_cache(maxsize=64)
def _draw_silhouette(
    path: Path, changed_ns: int, window: tuple[float, float]
) -> tuple[NDArray[np.uint8], tuple[int, ...], bool] | None:
    small = small_of(path, changed_ns, window, VOXELS)
    dense = small.grey >= small.threshold
    thickness = dense.sum(axis=1)
    dense_pixels = _without_specks(thickness >= min(2, dense.shape[1]))
    rows, columns = np.flatnonzero(dense_pixels.any(axis=1)), np.flatnonzero(dense_pixels.any(axis=0))
    if not len(rows) or dense_pixels.all():
        return None
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    cut = (
        rows[0] == 0
        or columns[0] == 0
        or rows[-1] == len(dense_pixels) - 1
        or columns[-1] == dense_pixels.shape[1] - 1
    )
    behind = np.sqrt(thickness / max(1, int(thickness.max())))
    grey = np.where(dense_pixels, DARKEST + (255 - DARKEST) * behind, 0).astype(np.uint8)
    return grey[box], small.grey.shape, bool(cut)


def _without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take the majority of a point and its eight neighbours; beyond the edge it goes on as at the edge."""
    if min(mask.shape) < 3:
        return mask
    wide = np.pad(mask.astype(np.uint8), 1, mode="edge")
    rows, columns = mask.shape
    votes = sum(wide[dy : dy + rows, dx : dx + columns] for dy in range(3) for dx in range(3))
    return np.asarray(votes >= 5)


def in_a_row(silhouettes: Sequence[Silhouette]) -> tuple[bytes, float, float]:
    """Draw silhouettes beside one another at one scale, on one ground, with letters and a scale bar.

    Parameters
    ----------
    silhouettes : sequence of Silhouette
        At least one, at most six.

    Returns
    -------
    png : bytes
        1600 pixels wide; "A" is the first.
    pixel_m : float
        Width and height of a pixel, m.
    bar_m : float
        Length of the scale bar, m.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    sizes = [item.size_m for item in silhouettes]
    across = WIDTH - MARGIN * (len(silhouettes) + 1)
    pixel_m = max(sum(width for _, width in sizes) / across, max(height for height, _ in sizes) / HEIGHT)
    ground = MARGIN + max(round(height / pixel_m) for height, _ in sizes)
    picture = Pillow.new("L", (WIDTH, ground + LETTER + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(picture)
    letters, _ = font(LETTER * 0.8)
    spare = WIDTH - sum(width for _, width in sizes) / pixel_m
    left = spare / (len(silhouettes) + 1)
    for number, (item, (height, width)) in enumerate(zip(silhouettes, sizes, strict=True)):
        size = max(1, round(width / pixel_m)), max(1, round(height / pixel_m))
        image = Pillow.fromarray(item.grey).resize(size, Pillow.Resampling.BOX)
        mask = Pillow.fromarray(np.where(item.grey > 0, np.uint8(255), np.uint8(0)))
        picture.paste(image, (round(left), ground - size[1]), mask.resize(size, Pillow.Resampling.BOX))
        middle = left + size[0] / 2, ground + LETTER * 0.2
        draw.text(middle, "ABCDEF"[number], fill=230, font=letters, anchor="ma")
        left += width / pixel_m + spare / (len(silhouettes) + 1)
    bar_m, part = scale_bar(WIDTH * pixel_m)
    bottom, right = picture.height - MARGIN // 2, WIDTH - MARGIN
    draw.rectangle((right - round(part * WIDTH), bottom - 6, right - 1, bottom), fill=255)
    draw.text((right, bottom - 12), in_mm(bar_m), fill=255, font=letters, anchor="rd")
    target = BytesIO()
    picture.save(target, format="PNG")
    return target.getvalue(), pixel_m, bar_m


def in_mm(length_m: float) -> str:
    """Say a length in mm, with three digits."""
    return f"{float(f'{1e3 * length_m:.3g}'):.12g} mm"
