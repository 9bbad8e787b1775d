"""What electron microscopes write into their TIFF files: the size of a pixel, and where an information bar begins.

Sources: the tags as tifffile names them (34118 of Zeiss; 34680 and 34682 of FEI and Thermo Fisher), and lines of
`name=value` in the tag 50431 of TESCAN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tomarium import units
from tomarium.errors import FormatError, UnitError
from tomarium.formats.opening.unpacked import head_of
from tomarium.formats.tiff.frames import guarded, opened_tiff
from tomarium.formats.tiff.ifd_check import SIGNATURES

_TESCAN: Final = 50431
_ZEISS: Final = ("ap_image_pixel_size", "ap_pixel_size")


@dataclass(frozen=True)
class MicroscopeTags:
    """What a microscope tells of its image.

    Attributes
    ----------
    maker : str
        "FEI", "Zeiss", "TESCAN", "JEOL" or "Hitachi".
    pixel_m : float
        Size of a pixel along the rows, m.
    pixel_aspect : float
        Its height over its width.
    rows : int or None
        Rows of the image itself; what lies below is an information bar. None where it is not told.
    place : str
        The name of the number in the file.
    sigma_m : float
        Standard deviation of the size, as far as its digits tell it, m.
    """

    maker: str
    pixel_m: float
    pixel_aspect: float
    rows: int | None
    place: str
    sigma_m: float = 0.0


def microscope_tags(path: Path) -> MicroscopeTags | None:
    """Read what a microscope wrote into a TIFF file.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    MicroscopeTags or None
        None where there is nothing of the kind, or no sound size.
    """
    if head_of(path, 4) not in SIGNATURES:
        return None
    with suppress(FormatError), guarded(path), opened_tiff(path) as tif:
        page: Any = tif.pages[0]
        height = int(page.imagelength)
        with suppress(ValueError, TypeError, KeyError):
            for tags in (_fei(tif), _zeiss(tif), _tescan(page, height)):
                if tags is not None:
                    return tags
    return None


def valid_pixel(value: Any) -> float | None:
    """Return a size of a pixel in m, None where it cannot be one."""
    number = float(value)
    return number if math.isfinite(number) and 1e-13 < number < 1e-2 else None


def _fei(tif: Any) -> MicroscopeTags | None:
    metadata = tif.fei_metadata
    scan = metadata.get("Scan") if isinstance(metadata, Mapping) else None
    if not isinstance(scan, Mapping) or (pixel := valid_pixel(scan.get("PixelWidth", "nan"))) is None:
        return None
    tall = valid_pixel(scan.get("PixelHeight", "nan")) or pixel
    image = metadata.get("Image")
    rows = int(image["ResolutionY"]) if isinstance(image, Mapping) and "ResolutionY" in image else None
    height = int(tif.pages[0].imagelength)
    return MicroscopeTags(
        "FEI", pixel, tall / pixel, rows if rows and 0 < rows <= height else None, "Scan/PixelWidth"
    )


def _zeiss(tif: Any) -> MicroscopeTags | None:
    metadata = tif.sem_metadata
    for name in _ZEISS if isinstance(metadata, Mapping) else ():
        entry = metadata.get(name)
        if isinstance(entry, tuple) and len(entry) == 3:
            with suppress(UnitError):
                pixel = valid_pixel(float(entry[1]) * units.factor(str(entry[2]), "m"))
                if pixel is not None:
                    return MicroscopeTags("Zeiss", pixel, 1.0, None, name.upper())
    return None


def _tescan(page: Any, height: int) -> MicroscopeTags | None:
    tag = page.tags.get(_TESCAN)
    if tag is None:
        return None
    text = tag.value.decode("latin-1") if isinstance(tag.value, bytes) else str(tag.value)
    values = dict(re.findall(r"(PixelSizeX|PixelSizeY|ImageStripSize)=([^\r\n]{1,40})", text))
    pixel = valid_pixel(values.get("PixelSizeX", "nan"))
    if pixel is None:
        return None
    tall = valid_pixel(values.get("PixelSizeY", "nan")) or pixel
    strip = int(values.get("ImageStripSize", "0") or 0)
    return MicroscopeTags(
        "TESCAN", pixel, tall / pixel, height - strip if 0 < strip < height else None, "PixelSizeX"
    )
