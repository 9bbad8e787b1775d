"""A quick look at a volume in three dimensions: a still picture, which a script makes one to be turned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from tomarium.errors import ParameterError
from tomarium.model import Part, Record
from tomarium.viewers import slices
from tomarium.viewers.small_volume import MOST_BYTES, small_of, small_shape
from tomarium.viewers.still import draw_still
from tomarium.viewers.viewer import Piece, View, Viewer, fill
from tomarium.viewers.volume import volume_path, volume_window

VOLUME: Final = "volume.u8"
STILL: Final = "still.png"
STILL_VOXELS: Final = 128**3
SMALL_BYTES: Final = 1_000_000
"""Of a volume that is one of many in a series."""
FEWEST: Final = 4


def suits(part: Part) -> bool:
    """Tell whether a part is a volume that is more than a few slices.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        A volume of at least four voxels along each axis.
    """
    return slices.suits(part) and min(part.summary["shape"]) >= FEWEST


def render(record: Record, view: View) -> Piece:
    """Show the still picture, and tell the script where the small volume is.

    Parameters
    ----------
    record : Record
        With a volume.
    view : View
        For the addresses; nothing can be chosen.

    Returns
    -------
    Piece
        Its data: `volume`, the address of the 8-bit volume, its `shape` (z, y, x), `extent` in `unit_of_length`
        (z, y, x), the `window` of grey values that 0 and 255 stand for with `unit`, and `still`.
    """
    shape = small_shape(record.volume["shape"])
    voxel_m = slices.voxel_m(record)
    extent = [n * s for n, s in zip(record.volume["shape"], voxel_m or (1.0, 1.0, 1.0), strict=True)]
    version = {"v": next(entry.sha256[:12] for entry in record.files if entry.role == "volume")}
    data = {
        "volume": view.picture(VOLUME, version),
        "shape": list(shape),
        "extent": extent,
        "unit_of_length": "m" if voxel_m else "px",
        "window": list(volume_window(record, view.folder)),
        "unit": record.volume.get("unit", ""),
        "still": view.picture(STILL, version),
    }
    size = f"{np.prod(shape) / 1e6:.2g} MB"
    return Piece(data, fill("look.html", {**data, "title": record.title, "size": size}, view.translations))


def picture(record: Record, folder: Path, name: str, choices: Mapping[str, str]) -> bytes:
    """Give the small volume, or the still picture of it.

    Parameters
    ----------
    record : Record
        With a volume.
    folder : Path
        Its folder.
    name : str
        "volume.u8": bytes in the order (z, y, x), as many as the `shape` of the piece says, 0 and 255 being the ends
        of its window; or "still.png".
    choices : Mapping of str to str
        `low` and `high`: the ends of the grey window, where it is not the record's own. `size`: "small" for a volume of
        at most 1 MB, one of many in a series.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ParameterError
        There is no such name, or `low` and `high` are no window.
    FormatError
        The volume is damaged.
    """
    if name not in (VOLUME, STILL):
        raise ParameterError(f"there is no picture {name[:80]!r}; name {VOLUME} or {STILL}")
    path = folder / str(volume_path(record))
    window = slices.window_of(record, folder, choices)
    if name == VOLUME:
        most = SMALL_BYTES if choices.get("size") == "small" else MOST_BYTES
        return small_of(path, (path / "zarr.json").stat().st_mtime_ns, window, most).grey.tobytes()
    size = slices.voxel_m(record) or (1.0, 1.0, 1.0)
    extent = tuple(n * s for n, s in zip(record.volume["shape"], size, strict=True))
    return _draw_still(
        path, (path / "zarr.json").stat().st_mtime_ns, window, (extent[0], extent[1], extent[2])
    )


@lru_cache(maxsize=64)
def _draw_still(
    path: Path, changed_ns: int, window: tuple[float, float], extent: tuple[float, float, float]
) -> bytes:
    """Draw the still of a volume made smaller once more."""
    from PIL import Image as Pillow

    small = small_of(path, changed_ns, window, STILL_VOXELS)
    voxel = tuple(length / count for length, count in zip(extent, small.grey.shape, strict=True))
    still = draw_still(small.grey, small.threshold, (voxel[0], voxel[1], voxel[2]))
    file = BytesIO()
    Pillow.fromarray(still).save(file, format="PNG")
    return file.getvalue()


LOOK = Viewer(
    name="look",
    title="3-D look",
    order=15,
    suits=suits,
    render=render,
    picture=picture,
    built="volume",
    plainest="pupil",
)
