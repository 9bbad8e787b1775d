"""A single slice as a file: a picture to look at, or numbers to work with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.viewers.picture import png


def save_slice(path: Path, image: NDArray[Any], *, pixel_m: float | None, unit: str) -> None:
    """Write a slice; the ending of its name says how.

    Parameters
    ----------
    path : Path
        `.png`, 8-bit grey with a scale bar; `.tif` or `.tiff`, float32 with the pixel size, as ImageJ reads
        it; `.npy`, the array as it is. The file is the old one or the whole new one, never a part.
    image : array, shape (y, x)
        The slice.
    pixel_m : float or None
        Pixel size in m.
    unit : str
        Unit of the values, kept in the TIFF.

    Raises
    ------
    InputError
        Another ending.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        match path.suffix.lower():
            case ".png":
                draft.write_bytes(png(image, scale_m=pixel_m))
            case ".tif" | ".tiff":
                _write_tiff(draft, image, pixel_m, unit)
            case ".npy":
                with draft.open("wb") as file:
                    np.save(file, image)
            case other:
                raise InputError(
                    f"{path}: a slice cannot be written as {other or 'a file without ending'}; give .png, .tif or .npy"
                )
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _write_tiff(path: Path, image: NDArray[Any], pixel_m: float | None, unit: str) -> None:
    import tifffile

    resolution = (
        None if pixel_m is None else (1e-6 / pixel_m, 1e-6 / pixel_m)
    )  # ImageJ: pixels per micrometre
    tifffile.imwrite(
        path,
        image.astype(np.float32),
        imagej=True,
        resolution=resolution,
        metadata={"unit": "um", "Info": f"values in {unit}"} if pixel_m else {"Info": f"values in {unit}"},
    )
