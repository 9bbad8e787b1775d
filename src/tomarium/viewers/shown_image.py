"""What is kept of an image, read to be looked at: maps of a channel or of a band, what a pixel holds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.zarr.array import ZarrArray
from tomarium.model import Part, Record
from tomarium.viewers.place import is_inside

ALL: Final = slice(None)
_BLOCK_BYTES: Final = 64 << 20


def shown_images(record: Record) -> list[Mapping[str, Any]]:
    """List what is kept of the images of a record.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    list of Mapping
        As `catalogue.image_views.keep_views` tells them; empty where none are kept.
    """
    return next((images for part in record.parts if (images := images_of(part))), [])


def images_of(part: Part) -> list[Mapping[str, Any]]:
    """List what is kept of the images of a part; empty where it is none, or none are kept."""
    summaries = part.summary.get("shown")
    if part.kind != "image" or not isinstance(summaries, (list, tuple)):
        return []
    return [summary for summary in summaries if isinstance(summary, Mapping) and "shape" in summary]


def kept_array(folder: Path, summary: Mapping[str, Any], name: str) -> ZarrArray:
    """Open an array that is kept of an image.

    Parameters
    ----------
    folder : Path
        The record's folder.
    summary : Mapping
        What the record tells of the image.
    name : str
        "map", "sum" or "cube".

    Returns
    -------
    ZarrArray
        Read where it is sliced.

    Raises
    ------
    FormatError
        Its place leads out of the record, or its shape is not the one that is told.
    """
    place = str(summary.get("folder", ""))
    if not is_inside(place):
        raise FormatError(f"{place[:80]!r} is no place inside a record; file its image again")
    array = ZarrArray(folder / place / name)
    shape = tuple(summary["shape"])
    expected = {"map": shape[:4], "cube": shape, "sum": (shape[1], *shape[4:])}[name]
    if array.shape != expected:
        raise FormatError(
            f"{place}/{name}: has the shape {array.shape}, and {expected} is told; file its image again"
        )
    return array


def map_of(
    folder: Path,
    summary: Mapping[str, Any],
    channel: int,
    frame: int,
    rows: slice = ALL,
    columns: slice = ALL,
) -> NDArray[Any]:
    """Read the map of a channel, or a part of it.

    Parameters
    ----------
    folder : Path
        The record's folder.
    summary : Mapping
        What the record tells of the image.
    channel, frame : int
        Which one.
    rows, columns : slice
        Which part; only this is read.

    Returns
    -------
    array, shape (row, column)
        Summed over a spectrum, averaged over a pattern.
    """
    return np.asarray(kept_array(folder, summary, "map")[frame, channel, rows, columns])


def band_map(
    folder: Path, summary: Mapping[str, Any], channel: int, frame: int, band: tuple[int, int]
) -> NDArray[np.float64]:
    """Sum a band of the spectrum of each pixel.

    Parameters
    ----------
    folder : Path
        The record's folder.
    summary : Mapping
        What the record tells of an image with spectra of pixels.
    channel, frame : int
        Which one.
    band : tuple of int
        First element along the spectrum, and the first that does not belong to it.

    Returns
    -------
    array, shape (row, column)
        In the unit of the values.
    """
    place = folder / str(summary["folder"]) / "cube"
    kept_array(folder, summary, "cube")  # says what is wrong with it
    return _sum_band(place, (place / "zarr.json").stat().st_mtime_ns, channel, frame, band)


@lru_cache(maxsize=8)
def _sum_band(
    place: Path, _changed_ns: int, channel: int, frame: int, band: tuple[int, int]
) -> NDArray[np.float64]:
    cube, (first, last) = ZarrArray(place), band
    rows, columns = cube.shape[2:4]
    chunk = cube.chunks[2]
    step = max(chunk, _BLOCK_BYTES // max(1, columns * (last - first) * cube.dtype.itemsize) // chunk * chunk)
    sums = np.empty((rows, columns))
    for start in range(0, rows, step):
        part = np.asarray(cube[frame, channel, start : start + step, :, first:last])
        sums[start : start + step] = part.sum(axis=(2, 3), dtype=np.float64)
    return sums


def inner_of(
    folder: Path, summary: Mapping[str, Any], channel: int, frame: int, pixel: tuple[int, int] | None
) -> NDArray[Any]:
    """Read what a pixel holds, or the whole image.

    Parameters
    ----------
    folder : Path
        The record's folder.
    summary : Mapping
        What the record tells of an image with spectra or patterns.
    channel, frame : int
        Which one.
    pixel : tuple of int or None
        Row and column; None for the sum of all spectra, or the mean of all patterns.

    Returns
    -------
    array, shape (u, v)
        A spectrum has one column.
    """
    if pixel is None:
        return np.asarray(kept_array(folder, summary, "sum")[channel])
    return np.asarray(kept_array(folder, summary, "cube")[frame, channel, pixel[0], pixel[1]])


def positions(summary: Mapping[str, Any]) -> NDArray[np.float64]:
    """Give the positions along a spectrum.

    Parameters
    ----------
    summary : Mapping
        What the record tells of an image with a spectrum.

    Returns
    -------
    array
        In the unit of its axis.
    """
    axis, count = summary["spectrum"], int(summary["shape"][4])
    listed = axis.get("coordinates") or ()
    if len(listed) == count:
        return np.asarray(listed, np.float64)
    return np.asarray(float(axis["offset"]) + float(axis["scale"]) * np.arange(count), np.float64)


def band_of(summary: Mapping[str, Any], low: float, high: float) -> tuple[int, int] | None:
    """Find the elements of a spectrum whose positions lie in a band.

    Parameters
    ----------
    summary : Mapping
        What the record tells of an image with a spectrum.
    low, high : float
        Ends of the band, in the unit of its axis; both belong to it.

    Returns
    -------
    tuple of int or None
        First element, and the first that does not belong to it; None where there is none.
    """
    inside = np.flatnonzero((positions(summary) >= low) & (positions(summary) <= high))
    return (int(inside[0]), int(inside[-1]) + 1) if inside.size else None


def composite(layers: list[tuple[NDArray[Any], str, float, float]]) -> bytes:
    """Draw channels over each other, each in its colour; one alone in white is drawn grey.

    Parameters
    ----------
    layers : list of tuple
        Map, shape (row, column), colour ("#ff0000"), and the values drawn black and in full colour.

    Returns
    -------
    bytes
        A PNG in RGB; the colours of the channels are added and cut at white. NaN is drawn black.
    """
    from PIL import Image as Pillow

    rows, columns = layers[0][0].shape
    light = np.zeros((rows, columns, 3), np.float32)
    for values, colour, low, high in layers:
        part = (values.astype(np.float64) - low) / (high - low)
        part = np.clip(np.nan_to_num(part, nan=0.0, posinf=1.0, neginf=0.0), 0, 1).astype(np.float32)
        weights = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        for k, weight in enumerate(weights):
            if weight:
                light[..., k] += weight * part
    picture = Pillow.fromarray(np.asarray(np.clip(light, 0, 1) * 255 + 0.5, np.uint8))
    file = BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()
