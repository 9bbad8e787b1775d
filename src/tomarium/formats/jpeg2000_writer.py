"""Write a volume as a folder of JPEG 2000 pages with the grey range, the voxel size and what was lost beside them."""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import __version__
from tomarium.errors import FormatError, InputError, StorageFull
from tomarium.formats.hdf5_writer import is_full
from tomarium.formats.jpeg2000_page import decode, encode, page_header
from tomarium.model import Volume

SIDE_CAR: Final = "volume.json"
# A grey range is stretched over 16 bits.
LEVELS: Final = 65535


@dataclass(frozen=True)
class Fidelity:
    """What compression did to the pages.

    Attributes
    ----------
    ratio : float
        Bytes of the pixels for each byte of the pages.
    psnr_db : tuple of float or None
        Mean and worst peak signal-to-noise ratio of a page, against the whole range of its type; None where
        every pixel is kept.
    largest_error : int
        Largest difference of a pixel, in grey levels.
    clipped : int
        Voxels outside the grey range.
    """

    ratio: float
    psnr_db: tuple[float, float] | None
    largest_error: int
    clipped: int


def write(
    path: Path, volume: Volume, *, ratio: float | None = None, grey_range: tuple[float, float] | None = None
) -> Fidelity:
    """Write a volume slice by slice; the folder appears when it is complete.

    Parameters
    ----------
    path : Path
        Folder to make.
    volume : Volume
        Axes (z, y, x). uint8 and uint16 are stored as they are; other numbers become 16 bits by the grey range.
    ratio : float or None
        Compression wanted, such as 10; None (default) keeps every pixel, whatever that saves.
    grey_range : tuple of float or None
        Values that become 0 and 65535. None takes those the volume was read with, else its least and largest.

    Returns
    -------
    Fidelity
        What was lost; it is stored in the side-car too.

    Raises
    ------
    InputError
        The volume has not three axes, numbers that are not finite, or an empty range; or the ratio is below 1.
    FormatError
        There is something at the path already.
    StorageFull
        The disk is full; nothing is left behind.

    Notes
    -----
    1. grey = round((value - least) / (most - least) · 65535), clipped to 0 … 65535.
    2. value = least + grey · (most - least) / 65535 on reading, so at most half a level is lost before compression.
    3. PSNR = 10 log10(peak² / mean squared error), peak 255 or 65535.
    """
    if volume.ndim != 3:
        raise InputError(f"{path}: an image of {volume.ndim} axes is no volume; it needs (z, y, x)")
    if ratio is not None and not ratio >= 1:
        raise InputError(f"{path}: a compression of {ratio:g} was asked for; it must be 1 or more")
    if path.exists():
        raise FormatError(f"{path}: is there already; choose another name or move it away")
    plain = volume.dtype in (np.uint8, np.uint16) and grey_range is None
    scale = None if plain else _range(path, volume, grey_range)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        told = _write_pages(partial, volume, scale, ratio)
        (partial / SIDE_CAR).write_text(_described(path, volume, scale, told), "utf-8")
        partial.rename(path)
    except OSError as problem:
        if is_full(problem):
            raise StorageFull(f"{path}: the disk is full; free some space and write it again") from problem
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return told


def _range(path: Path, volume: Volume, given: tuple[float, float] | None) -> tuple[float, float]:
    found = given or volume.metadata.get("grey_range")
    if found is None:
        extremes = np.array(
            [[part.min(), part.max()] for part in (np.asarray(volume[z]) for z in range(len(volume)))]
        )
        found = float(extremes[:, 0].min()), float(extremes[:, 1].max())
    least, most = map(float, found)
    if not (math.isfinite(least) and math.isfinite(most)) or least > most or (given and least == most):
        raise InputError(
            f"{path}: the grey range is {least:g} … {most:g}; give two finite numbers, the smaller first"
        )
    return least, most


def _write_pages(
    folder: Path, volume: Volume, scale: tuple[float, float] | None, ratio: float | None
) -> Fidelity:
    digits = max(4, len(str(len(volume))))
    raw = written = clipped = largest = 0
    noise: list[float] = []
    for z in range(len(volume)):
        pixels, outside = _grey(np.asarray(volume[z]), scale, folder)
        file = folder / f"slice_{z:0{digits}d}.jp2"
        page = encode(pixels, ratio)
        file.write_bytes(page)
        raw, written, clipped = raw + pixels.nbytes, written + len(page), clipped + outside
        if ratio is not None:
            error = decode(file, page_header(file)).astype(np.int64) - pixels
            largest = max(largest, int(np.abs(error).max()))
            peak = np.iinfo(pixels.dtype).max
            noise.append(10 * math.log10(peak**2 / max(float(np.mean(error**2)), 1e-12)))
    return Fidelity(raw / written, (float(np.mean(noise)), min(noise)) if noise else None, largest, clipped)


def _grey(values: NDArray[Any], scale: tuple[float, float] | None, folder: Path) -> tuple[NDArray[Any], int]:
    if scale is None:
        return np.ascontiguousarray(values, values.dtype.newbyteorder("=")), 0
    least, most = scale
    if not np.isfinite(values).all():
        raise InputError(
            f"{folder.name}: the volume holds numbers that are not finite; give them a value first"
        )
    width = most - least or 1.0
    levels = np.rint((values.astype(np.float64) - least) * (LEVELS / width))
    outside = int(np.count_nonzero((levels < 0) | (levels > LEVELS)))
    return np.clip(levels, 0, LEVELS).astype(np.uint16), outside


def _described(path: Path, volume: Volume, scale: tuple[float, float] | None, told: Fidelity) -> str:
    kept = {
        key: value
        for key, value in volume.metadata.items()
        if key not in {"grey_range", "uncalibrated", *asdict(told)}
    }
    content = {
        "written_by": f"tomarium {__version__}",
        "name": volume.name,
        "pages": len(volume),
        "page_size": volume.shape[1:],
        "unit": volume.unit,
        "voxel_m": volume.voxel_m,
        "origin_m": None if volume.voxel_m is None else [axis.offset for axis in volume.axes],
        "grey_range": scale,
        **asdict(told),
        "metadata": kept,
    }
    try:
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise InputError(
            f"{path}: the volume's metadata cannot be written as JSON ({problem}); leave them out"
        ) from problem
