"""A slice with the body of a threshold laid over it, to look at before a mesh is made."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Volume
from tomarium.pipeline.mesh.body import Wish, take_body
from tomarium.pipeline.mesh.grid import Grid
from tomarium.viewers.picture import robust_window

BODY: Final = (242, 184, 75)
STRENGTH: Final = 0.35
PIXELS: Final = 900


def threshold_png(volume: Volume, grid: Grid, wish: Wish) -> tuple[bytes, str]:
    """Draw the middle slice of a volume, the body in amber.

    Parameters
    ----------
    volume : Volume
        Grey values or labels.
    grid : Grid
        Of this volume.
    wish : Wish
        What is the body.

    Returns
    -------
    bytes
        A PNG.
    str
        The threshold, where it comes from, and how much of the volume the body is.

    Raises
    ------
    InputError
        Nothing, or all, would be the body.
    """
    from PIL import Image as Pillow

    body = take_body(volume, grid, wish, lambda stage, done, total: None)
    z = grid.shape[0] // 2
    block = grid.block
    plane = np.asarray(grid.data[z * block], np.float32)[::block, ::block][: grid.shape[1], : grid.shape[2]]
    solid = np.zeros(plane.shape, bool)
    inner = z - body.start[0]
    if 0 <= inner < body.field.shape[0]:
        _, rows, columns = body.field.shape
        y, x = body.start[1:]
        solid[y : y + rows, x : x + columns] = body.solid[inner]
    image = Pillow.fromarray(draw_body_over(plane, solid), "RGB")
    if max(image.size) < PIXELS:
        factor = PIXELS // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Pillow.Resampling.NEAREST)
    target = BytesIO()
    image.save(target, "PNG", optimize=True)
    share = float(np.count_nonzero(body.solid)) / float(np.prod(grid.shape))
    unit = "" if wish.label is not None or not volume.unit else f" {volume.unit}"
    side = "below" if wish.dark else "above"
    return (
        target.getvalue(),
        f"{side} {body.threshold:.5g}{unit}, {body.source}; {100 * share:.3g} % of the volume",
    )


def draw_body_over(plane: NDArray[np.float32], solid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Lay a body over a slice in amber, its rim opaque; returns RGB, shape (row, column, 3)."""
    low, high = robust_window(plane)
    grey = np.nan_to_num(np.clip((plane - low) / (high - low), 0, 1))
    colour = np.repeat(grey[..., None], 3, axis=2)
    rim = solid & ~_eroded(solid)
    tint = np.array(BODY) / 255
    colour[solid] = (1 - STRENGTH) * colour[solid] + STRENGTH * tint
    colour[rim] = tint
    return np.asarray(255 * colour + 0.5, np.uint8)


def _eroded(solid: np.ndarray) -> np.ndarray:
    inner = solid.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(solid, step, axis)
    return inner
