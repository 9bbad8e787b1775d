"""Write a volume as a folder of JPEG 2000 pages with the grey range, the voxel size and what was lost beside them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tomarium import __version__
from tomarium.errors import InputError
from tomarium.formats.jpeg2000.page import encode
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.resumable.folder import creating_folder, put
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.resumable.progress import ProgressLog
from tomarium.model import Volume

SIDE_CAR: Final = "volume.json"
_LOG: Final = ".pages"
# Bytes of the pixels and of the page, voxels clipped and rounded, and the largest rounding.
_Page: TypeAlias = tuple[float, ...]
# A grey range is stretched over 16 bits.
LEVELS: Final = 65535


@dataclass(frozen=True)
class Fidelity:
    """What became of the values of a volume."""

    ratio: float  # bytes of the pixels for each byte of the pages
    clipped: int  # voxels outside the grey range
    # voxels whose value is none of the 65536 levels of the grey range, those outside of it included
    rounded: int = 0
    # by how much such a voxel changed at most, in the unit of the volume
    largest_rounding: float = 0.0


def write(
    path: Path,
    volume: Volume,
    *,
    lossy: bool = False,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> Fidelity:
    """Write a volume slice by slice; the folder appears when it is complete.

    `path`: folder to make. `volume`: axes (z, y, x). uint8 and uint16 are stored as they are; other numbers
    become 16 bits by the grey range: that the volume was read with, else its least and largest value. `lossy`: whether
    values between the levels may be rounded to them. Result: what was lost; it is stored in the side-car too. Raises
    InputError: the volume has not three axes, numbers that are not finite, or values that would be rounded.

    Notes
    -----
    1. grey = round((value - least) / (most - least) · 65535), clipped to 0 … 65535.
    2. value = least + grey · (most - least) / 65535 on reading, so at most half a level is lost.
    """
    if volume.ndim != 3:
        raise InputError(f"{path}: an image of {volume.ndim} axes is no volume; it needs (z, y, x)")
    scale = None if volume.dtype in (np.uint8, np.uint16) else _range(path, volume)
    if scale is not None and not lossy:
        _demand_exact(path, volume, scale)
    origin = f"{origin_of(volume, 'jpeg2000')} {scale}" if resume else None
    with creating_folder(path, origin) as folder:
        fidelity = _write_pages(folder, volume, scale, on_progress)
        (folder / SIDE_CAR).write_text(_described(path, volume, scale, fidelity), "utf-8")
    return fidelity


def _range(path: Path, volume: Volume) -> tuple[float, float]:
    grey_range = volume.metadata.get("grey_range")
    if grey_range is None:
        extremes = np.array(
            [[part.min(), part.max()] for part in (np.asarray(volume[z]) for z in range(len(volume)))]
        )
        grey_range = float(extremes[:, 0].min()), float(extremes[:, 1].max())
    least, most = map(float, grey_range)
    if not (math.isfinite(least) and math.isfinite(most)) or least > most:
        raise InputError(
            f"{path}: the grey range is {least:g} … {most:g}; give two finite numbers, the smaller first"
        )
    return least, most


def _demand_exact(path: Path, volume: Volume, scale: tuple[float, float]) -> None:
    """Refuse values that are no levels, as those of any volume but one that was read from such pages."""
    for z in range(len(volume)):
        values = np.asarray(volume[z])
        rounded, most = _rounding(values, _grey(values, scale, path)[0], scale)
        if rounded:
            raise InputError(
                f"{path}: {volume.dtype} has values that 16 bits do not hold: of slice {z}, {rounded} of {values.size} "
                f"voxels would change by up to {most:.4g} {volume.unit}".rstrip()
                + "; allow it to be lossy (--lossy) to round them, or write OME-Zarr or TIFF"
            )


def _rounding(values: NDArray[Any], levels: NDArray[Any], scale: tuple[float, float]) -> tuple[int, float]:
    """Count the voxels that read back otherwise, and tell by how much at most."""
    least, most = scale
    back = (least + levels * ((most - least) / LEVELS)).astype(np.float32)
    change = np.abs(back.astype(np.float64) - values)
    return int(np.count_nonzero(back != values)), float(change.max(initial=0.0))


def _write_pages(
    folder: Path,
    volume: Volume,
    scale: tuple[float, float] | None,
    on_progress: OnProgress | None,
) -> Fidelity:
    digits, frame = max(4, len(str(len(volume)))), math.prod(volume.shape[1:]) * volume.dtype.itemsize
    log = ProgressLog(folder / _LOG)
    pages: dict[int, _Page] = {z: tuple(page) for z, *page in log.read()}
    with log.adding() as note:
        for z in range(len(volume)):
            file = folder / f"slice_{z:0{digits}d}.jp2"
            if z not in pages or not file.exists():
                file.unlink(missing_ok=True)
                pages[z] = _write_page(file, np.asarray(volume[z]), scale, folder)
                note([z, *pages[z]])
            if on_progress is not None:
                on_progress((z + 1) * frame, len(volume) * frame)
    log.path.unlink()
    raw, bytes_written, clipped, rounded, change = (
        np.array(part) for part in zip(*pages.values(), strict=True)
    )
    return Fidelity(
        float(raw.sum() / bytes_written.sum()), int(clipped.sum()), int(rounded.sum()), float(change.max())
    )


def _write_page(file: Path, values: NDArray[Any], scale: tuple[float, float] | None, folder: Path) -> _Page:
    pixels, outside = _grey(values, scale, folder)
    page = encode(pixels)
    put(file, page)
    rounded, change = (0, 0.0) if scale is None else _rounding(values, pixels, scale)
    return pixels.nbytes, len(page), outside, rounded, change


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


def _described(path: Path, volume: Volume, scale: tuple[float, float] | None, fidelity: Fidelity) -> str:
    metadata = {
        key: value
        for key, value in volume.metadata.items()
        if key not in {"grey_range", "uncalibrated", *asdict(fidelity)}
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
        **asdict(fidelity),
        "metadata": metadata,
    }
    try:
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise InputError(
            f"{path}: the volume's metadata cannot be written as JSON ({problem}); leave them out"
        ) from problem
