"""A series of slices as they were taken: read one at a time, with the numbers of their files and their pixel size."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.errors import FormatError, InputError
from tomarium.formats.opening.filenames import natural, series_of
from tomarium.formats.opening.unpacked import bare
from tomarium.model import Image, Scan, Volume
from tomarium.model.image import metadata_without_run

PICTURES: Final = (".png", ".jpg", ".jpeg", ".bmp")
TIFFS: Final = (".tif", ".tiff")
FEWEST: Final = 3
LEAST_SIDE: Final = 64

Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class SliceSeries:
    """Slices in the order in which they were cut.

    Attributes
    ----------
    read_plane : callable
        `read_plane(number)` → array of shape (row, column), of the whole slice.
    count, rows, columns : int
        Slices, and the size of what is used of them.
    dtype : dtype
        Type of a pixel.
    path : Path
        File or folder.
    name : str
        For titles.
    voxel_m : tuple of float or None
        Distance of slices, rows and columns as the file tells it, m; None where it does not.
    numbers : tuple of int
        Number in the name of each slice's file; empty where they have none.
    window : tuple of slice
        Rows and columns that are used.
    metadata : Mapping
        What the file tells besides, JSON-ready.
    """

    read_plane: Callable[[int], NDArray[Any]]
    count: int
    rows: int
    columns: int
    dtype: np.dtype[Any]
    path: Path
    name: str
    voxel_m: tuple[float, float, float] | None = None
    numbers: tuple[int, ...] = ()
    window: Window = (slice(None), slice(None))
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def plane(self, number: int) -> NDArray[Any]:
        """Read the part of a slice that is used."""
        values = self.read_plane(number)[self.window]
        if values.shape != (self.rows, self.columns):
            raise FormatError(
                f"{self.path}: slice {number} has {values.shape[0]} rows and {values.shape[1]} columns, the first one "
                f"{self.rows} and {self.columns}; take it out of the series"
            )
        return values

    def positions(self) -> tuple[tuple[int, ...], str]:
        """Tell at which step of the cutting each slice was taken, by the numbers of the files.

        Returns
        -------
        tuple of int
            From 0; steps that are left out were skipped, or their files are lost.
        str
            What is odd about the numbers; "" where nothing is.
        """
        plain = tuple(range(self.count))
        if len(self.numbers) != self.count:
            return plain, ""
        steps = [b - a for a, b in pairwise(self.numbers)]
        usual = max(set(steps), key=lambda step: (steps.count(step), -step))
        if usual < 1 or min(steps) < 1 or any(step % usual for step in steps):
            return plain, (
                "the numbers of the files are no even steps, so that slices count as evenly spaced; tell with "
                "--skipped where some are lost"
            )
        positions = tuple((number - self.numbers[0]) // usual for number in self.numbers)
        if positions[-1] + 1 > 2 * self.count:
            return plain, (
                f"by the numbers of their files more than half of the slices are lost ({self.numbers[0]} to "
                f"{self.numbers[-1]}, {self.count} files), so that slices count as evenly spaced"
            )
        return positions, ""


def series_of_image(opened: Scan | Image, path: Path) -> SliceSeries:
    """Take what was opened for a series of slices.

    Parameters
    ----------
    opened : Scan or Image
        A volume, an image of three axes, or a series of frames of which nobody knows whether they are projections.
    path : Path
        Its file or folder.

    Returns
    -------
    SliceSeries
        Of its first axis.

    Raises
    ------
    InputError
        It has flats, darks or angles, is no stack, or has fewer than three slices.
    """
    if isinstance(opened, Scan):
        if opened.flats is not None or opened.darks is not None:
            raise InputError(
                f"{path}: holds a scan with flats or darks, no slices; `tomarium run` reconstructs it"
            )
        frames = opened.projections
        shape, dtype = frames.shape, np.dtype(frames.dtype)
        pixel = opened.geometry.pixel_m
        voxel = None if pixel is None else (pixel.value,) * 3

        def read(number: int) -> NDArray[Any]:
            return np.asarray(frames.read(slice(number, number + 1), slice(None))[0])

    elif opened.ndim == 3:
        data, dtype = opened.data, opened.dtype
        shape = (opened.shape[0], opened.shape[1], opened.shape[2])
        voxel = opened.voxel_m if isinstance(opened, Volume) else None

        def read(number: int) -> NDArray[Any]:
            return np.asarray(data[number])

    else:
        raise InputError(
            f"{path}: holds an image of {opened.ndim} axes, no series of slices; give the folder of all slices"
        )
    entries = {} if isinstance(opened, Scan) else opened.metadata
    metadata = metadata_without_run(entries, "writer", "uncalibrated")
    return _checked_series(
        read, shape, dtype, path, opened.name or path.stem, voxel, _numbers(path, shape[0]), metadata
    )


def open_pictures(folder: Path) -> SliceSeries | None:
    """Open a folder of PNG, JPEG or BMP pictures, one slice each.

    Parameters
    ----------
    folder : Path
        Of the pictures; the longest series of names that differ by a number alone is taken.

    Returns
    -------
    SliceSeries or None
        None where the folder holds no such pictures, or TIFF files too.

    Raises
    ------
    FormatError
        A picture is in colour that is no grey, or cannot be read.
    """
    if not folder.is_dir():
        return None
    files = [file for file in folder.iterdir() if not file.name.startswith(".")]
    pictures = [file for file in files if file.suffix.lower() in PICTURES]
    if len(pictures) < FEWEST or any(file.suffix.lower() in TIFFS for file in files):
        return None
    slices = sorted(series_of(pictures)[0], key=natural)

    def read(number: int) -> NDArray[Any]:
        opened = formats.open(slices[number])
        values = np.asarray(opened) if isinstance(opened, Image) else np.zeros((0, 0))
        if values.ndim == 3 and values.shape[2] in (3, 4) and np.ptp(values[..., :3], axis=2).max() == 0:
            values = values[..., 0]
        if values.ndim != 2:
            raise FormatError(
                f"{slices[number]}: is a picture in colour; slices are grey. Take it out of the folder, or convert it"
            )
        return values

    first = read(0)
    shape = (len(slices), first.shape[0], first.shape[1])
    return _checked_series(read, shape, first.dtype, folder, folder.name, None, _numbers_of(slices), {})


def _checked_series(
    read: Callable[[int], NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    path: Path,
    name: str,
    voxel: tuple[float, ...] | None,
    numbers: tuple[int, ...],
    metadata: Mapping[str, Any],
) -> SliceSeries:
    if dtype.kind not in "iuf":
        raise InputError(f"{path}: its pixels are {dtype.name}; slices have grey values")
    if shape[0] < FEWEST or min(shape[1:]) < LEAST_SIDE:
        raise InputError(
            f"{path}: {shape[0]} slices of {shape[1]} × {shape[2]} pixels; give {FEWEST} or more, of {LEAST_SIDE} "
            f"pixels or more along each side"
        )
    voxel_m = None if voxel is None else (float(voxel[0]), float(voxel[1]), float(voxel[2]))
    return SliceSeries(
        read, shape[0], shape[1], shape[2], dtype, path, name, voxel_m, numbers, metadata=metadata
    )


def _numbers(path: Path, count: int) -> tuple[int, ...]:
    """Read the numbers of a folder's TIFF files where there is one for each slice."""
    if not path.is_dir():
        return ()
    files = [file for file in path.iterdir() if bare(file).suffix.lower() in TIFFS and file.name[0] != "."]
    slices = sorted(series_of(files)[0], key=natural) if files else []
    return _numbers_of(slices) if len(slices) == count else ()


def _numbers_of(slices: list[Path]) -> tuple[int, ...]:
    digits_of_files = [re.findall(r"\d+", bare(file).stem) for file in slices]
    return tuple(int(digits[-1]) for digits in digits_of_files) if all(digits_of_files) else ()


def cropped(series: SliceSeries, rows: slice | None, columns: slice | None) -> SliceSeries:
    """Use part of the slices alone, such as what lies above an information bar.

    Parameters
    ----------
    series : SliceSeries
        Whole.
    rows, columns : slice, optional
        Which; all by default.

    Returns
    -------
    SliceSeries
        Of that part.

    Raises
    ------
    InputError
        Fewer than 64 rows or columns are left.
    """
    window = (rows or slice(None), columns or slice(None))
    lengths = [len(range(n)[part]) for n, part in zip((series.rows, series.columns), window, strict=True)]
    if min(lengths) < LEAST_SIDE:
        raise InputError(
            f"{series.path}: {lengths[0]} × {lengths[1]} pixels are left of {series.rows} × {series.columns}; use "
            f"{LEAST_SIDE} or more along each side"
        )
    return replace(series, rows=lengths[0], columns=lengths[1], window=window)
