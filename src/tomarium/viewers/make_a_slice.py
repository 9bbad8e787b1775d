"""How a slice comes from projections: those of one slice of a record, and what few and many of them give back."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isclose
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.kernels.fbp import fbp
from tomarium.kernels.projection import project
from tomarium.model import Part, Record
from tomarium.viewers import slices
from tomarium.viewers.picture import png, robust_window
from tomarium.viewers.viewer import Piece, View, Viewer, fill
from tomarium.viewers.volume import open_volume, read_plane, volume_path

VIEWS: Final = 192
"""Projections over half a turn; a multiple of 64, so that 4, 16 and 64 of them stand evenly."""
FEW: Final = (4, 16, 64)
PIXELS: Final = 256
FEWEST_PIXELS: Final = 8
NAMES: Final = ("slice.png", "sinogram.png", *(f"of-{count}.png" for count in (*FEW, VIEWS)))


@dataclass(frozen=True)
class OneSlice:
    """A slice of a volume, and its projections.

    Attributes
    ----------
    values : array of float32, shape (y, x)
        The slice: square, in the unit of the volume, zero outside the circle that fits into it.
    sinogram : array of float32, shape (angle, column)
        Its projections, unit of the volume times pixels.
    angles_deg : array of float64, shape (angle,)
        Over half a turn.
    window : tuple of float
        Grey values that are drawn black and white.
    index : int
        Of the slice, along z in the finest level.
    """

    values: NDArray[np.float32]
    sinogram: NDArray[np.float32]
    angles_deg: NDArray[np.float64]
    window: tuple[float, float]
    index: int

    @property
    def axis_column(self) -> float:
        """Column of the rotation axis, in the middle."""
        return (len(self.values) - 1) / 2

    def back(self, count: int) -> NDArray[np.float32]:
        """Reconstruct from so many of the projections, evenly over the half turn."""
        chosen = slice(None, None, len(self.angles_deg) // count)
        return fbp(self.sinogram[chosen], self.angles_deg[chosen], self.axis_column, padding="zero")


def suits(part: Part) -> bool:
    """Tell whether a slice of a part can be projected.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        A volume of at least eight pixels along y and x, with pixels that are squares.
    """
    if not slices.suits(part) or min(part.summary["shape"][1:]) < FEWEST_PIXELS:
        return False
    size = slices.voxel_of(part.summary)
    return size is None or isclose(size[1], size[2], rel_tol=1e-3)


def render(record: Record, view: View) -> Piece:
    """Show the slice, its projections, and what 4, 16, 64 and all of them give back.

    Parameters
    ----------
    record : Record
        With a volume.
    view : View
        For the addresses; nothing can be chosen.

    Returns
    -------
    Piece
        Its data: `index` of the slice along z, `views`, and `pictures`, name → address.
    """
    version = {"v": next(entry.sha256[:12] for entry in record.files if entry.role == "volume")}
    data = {
        "index": _middle(record),
        "views": VIEWS,
        "pictures": {name.removesuffix(".png"): view.picture(name, version) for name in NAMES},
    }
    content = {**data, "title": record.title, "few": FEW}
    return Piece(data, fill("make_a_slice.html", content, view.translations))


def picture(record: Record, folder: Path, name: str, choices: Mapping[str, str]) -> bytes:
    """Draw one of the pictures.

    Parameters
    ----------
    record : Record
        With a volume.
    folder : Path
        Its folder.
    name : str
        "slice.png", "sinogram.png" (one row a projection), or "of-16.png", the slice from 16 projections.
    choices : Mapping of str to str
        None is known.

    Returns
    -------
    bytes
        A PNG; slices are all drawn in the same greys.

    Raises
    ------
    ParameterError
        There is no such name.
    FormatError
        The volume is damaged.
    """
    if name not in NAMES:
        raise ParameterError(f"there is no picture {name[:80]!r}; name one of {', '.join(NAMES)}")
    made_slice = one_slice(record, folder)
    if name == "sinogram.png":
        return png(made_slice.sinogram, window=_ends(made_slice.sinogram))
    image = made_slice.values if name == "slice.png" else made_slice.back(int(name[3:-4]))
    return png(image, window=made_slice.window)


def for_script(record: Record, folder: Path) -> Mapping[str, Any]:
    """Give the projections to the script of the page.

    Parameters
    ----------
    record : Record
        With a volume.
    folder : Path
        Its folder.

    Returns
    -------
    Mapping
        JSON-ready: `sinogram`, base64 of unsigned 16-bit numbers, little-endian, projection by projection, 0 and 65535
        being `low` and `high`; `angles_deg`, `columns`, `axis_column`, the `window` of grey values, and `unit`.

    Raises
    ------
    FormatError
        The volume is damaged.
    """
    made_slice = one_slice(record, folder)
    low, high = _ends(made_slice.sinogram)
    steps = np.rint((made_slice.sinogram - low) * (65535 / (high - low))).astype("<u2")
    return {
        "sinogram": b64encode(steps.tobytes()).decode(),
        "low": low,
        "high": high,
        "angles_deg": made_slice.angles_deg.tolist(),
        "columns": made_slice.sinogram.shape[1],
        "axis_column": made_slice.axis_column,
        "window": list(made_slice.window),
        "unit": str(record.volume.get("unit") or ""),
    }


def one_slice(record: Record, folder: Path) -> OneSlice:
    """Read the middle slice of a record's volume, no finer than 256 pixels, and project it.

    Parameters
    ----------
    record : Record
        With a volume.
    folder : Path
        Its folder.

    Returns
    -------
    OneSlice
        What lies outside the circle that fits into the slice is left out, as it is in a slice of a scan.

    Raises
    ------
    FormatError
        The volume is damaged.
    """
    path = folder / str(volume_path(record))
    return _one_slice(path, (path / "zarr.json").stat().st_mtime_ns, _middle(record))


@lru_cache(maxsize=16)
def _one_slice(path: Path, _changed_ns: int, index: int) -> OneSlice:
    plane = read_plane(open_volume(path).levels, "z", index, 2 * PIXELS).astype(np.float32)
    values = _in_circle(_square(np.nan_to_num(plane, nan=0.0, posinf=0.0, neginf=0.0)))
    angles = np.arange(VIEWS, dtype=np.float64) * (180 / VIEWS)
    size = len(values)
    sinogram = project(values, angles, (size - 1) / 2, size, threads=1)
    return OneSlice(values, sinogram, angles, robust_window(values), index)


def _square(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average a plane down to at most 256 pixels, and put nothing beside its shorter side."""
    factor = -(-max(plane.shape) // PIXELS)
    rows, columns = (length // factor for length in plane.shape)
    part = plane[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    small = part.mean(axis=(1, 3))
    size = max(rows, columns)
    square = np.zeros((size, size), np.float32)
    top, left = (size - rows) // 2, (size - columns) // 2
    square[top : top + rows, left : left + columns] = small
    return square


def _in_circle(values: NDArray[np.float32]) -> NDArray[np.float32]:
    middle = (len(values) - 1) / 2
    from_middle = (np.arange(len(values)) - middle) ** 2
    inside = from_middle[:, None] + from_middle <= middle**2
    return np.where(inside, values, np.float32(0))


def _ends(sinogram: NDArray[np.float32]) -> tuple[float, float]:
    low, high = float(sinogram.min()), float(sinogram.max())
    return low, high if high > low else low + 1.0


def _middle(record: Record) -> int:
    return int(record.volume["shape"][0]) // 2


MAKE_A_SLICE = Viewer(
    name="make_a_slice",
    title="Make your own slice",
    order=95,
    suits=suits,
    render=render,
    picture=picture,
    plainest="pupil",
)
