"""What electron microscopes of JEOL and Hitachi write into a text beside a picture: the size of a pixel.

The picture `sem.tif` (or .bmp, .jpg, .png) has its text in `sem.txt`.

=========  =========================================================================================================
maker      lines
=========  =========================================================================================================
Hitachi    below `[SemImageFile]`: `PixelSize=24.8` (nm), `DataSize=1280x960` (columns x rows); ASCII or UTF-16
JEOL       `$$SM_MICRON_BAR 160` (pixels), `$$SM_MICRON_MARKER 5um`, `$CM_FULL_SIZE 1280 960` (columns and rows without
           the information bar)
=========  =========================================================================================================

Sources: Bio-Formats' format "Hitachi S-4800" and the fields that NOMAD and pynxtools-em name; files of both makers hold
these keys.
"""

from __future__ import annotations

import codecs
import math
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from tomarium import units
from tomarium.errors import InputError, UnitError
from tomarium.formats.pictures.microscope_tags import MicroscopeTags, valid_pixel

_LONGEST: Final = 1 << 20
_HITACHI: Final = "[SemImageFile]"
_BAR: Final = "$$SM_MICRON_BAR"
_MARKER: Final = "$$SM_MICRON_MARKER"
_FULL: Final = "$CM_FULL_SIZE"


def side_text_tags(path: Path, shape: tuple[int, int]) -> MicroscopeTags | None:
    """Read what the text beside a picture tells.

    Parameters
    ----------
    path : Path
        The picture.
    shape : tuple of int
        Its rows and columns.

    Returns
    -------
    MicroscopeTags or None
        None where there is no such text, or it is of neither maker or tells no sound size.

    Raises
    ------
    InputError
        The text is of a picture of another size: this one was made smaller or larger, or cut.
    """
    beside = next((file for end in (".txt", ".TXT") if (file := path.with_suffix(end)).is_file()), None)
    if beside is None or beside == path or beside.stat().st_size > _LONGEST:
        return None
    lines = [line.strip() for line in _text(beside.read_bytes()).splitlines()]
    with suppress(ValueError, UnitError):
        return (
            _hitachi(lines, beside, path, shape) if _HITACHI in lines else _jeol(lines, beside, path, shape)
        )
    return None


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def _hitachi(lines: list[str], beside: Path, path: Path, shape: tuple[int, int]) -> MicroscopeTags | None:
    values = {
        key.strip(): value.strip() for key, mark, value in (line.partition("=") for line in lines) if mark
    }
    number = re.match(r"[\d.eE+-]+", values.get("PixelSize", ""))
    pixel = valid_pixel(float(number[0]) * 1e-9) if number else None
    if pixel is None:
        return None
    if size := re.fullmatch(r"(\d+)\s*[xX]\s*(\d+)", values.get("DataSize", "")):
        _demand_shape(beside, path, shape, (int(size[2]), int(size[1])), bar=False)
    return MicroscopeTags("Hitachi", pixel, 1.0, None, f"PixelSize in {beside.name}")


def _jeol(lines: list[str], beside: Path, path: Path, shape: tuple[int, int]) -> MicroscopeTags | None:
    values = {parts[0]: parts[1].strip() for line in lines if len(parts := line.split(None, 1)) == 2}
    if _BAR not in values or _MARKER not in values:
        return None
    bar_px, length = (
        float(values[_BAR].split()[0]),
        re.fullmatch(r"([\d.]+)\s*([a-zA-Zµμ]+)", values[_MARKER]),
    )
    if length is None or not bar_px > 2:
        return None
    pixel = valid_pixel(float(length[1]) * units.factor(length[2], "m") / bar_px)
    if pixel is None:
        return None
    rows = None
    if size := re.fullmatch(r"(\d+)\s+(\d+)", values.get(_FULL, "")):
        _demand_shape(beside, path, shape, (int(size[2]), int(size[1])), bar=True)
        rows = int(size[2]) if int(size[2]) < shape[0] else None
    # The bar is told in whole pixels: half a pixel to either side, of a rectangle whose deviation is 1 / sqrt(12).
    sigma = pixel / bar_px / math.sqrt(12)
    return MicroscopeTags("JEOL", pixel, 1.0, rows, f"{_MARKER} over {_BAR} in {beside.name}", sigma)


def _demand_shape(
    beside: Path, path: Path, shape: tuple[int, int], size: tuple[int, int], *, bar: bool
) -> None:
    """Refuse a text that is of other pixels; below the image of some, there is an information bar."""
    if shape[1] == size[1] and (shape[0] >= size[0] if bar else shape[0] == size[0]):
        return
    raise InputError(
        f"{path}: has {shape[1]} × {shape[0]} pixels, and {beside.name} is of a picture of {size[1]} × {size[0]}: it "
        f"was made smaller or cut, so that its scale is not known; tell it by --bar, --pixel or --width"
    )
