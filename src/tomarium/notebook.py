"""What a notebook shows of a scan or a volume: a table, and of a volume its middle slice."""

from __future__ import annotations

import math
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING, Final

from tomarium.errors import TomariumError
from tomarium.model.account import Rows, rows_of_image, rows_of_scan
from tomarium.model.wording import brief, in_words

if TYPE_CHECKING:
    from tomarium.model import Image, Scan, Volume

PIXELS: Final = 400
"""Pixels of the picture at most, along either edge."""

_LONGEST: Final = 200


def scan_html(scan: Scan) -> str:
    """Write a scan as HTML; nothing of it is read.

    Parameters
    ----------
    scan : Scan
        The scan.

    Returns
    -------
    str
        A table.
    """
    return _table(f"Scan {scan.name}", rows_of_scan(scan))


def image_html(image: Image) -> str:
    """Write an image or a volume as HTML.

    Parameters
    ----------
    image : Image
        Of a volume one slice is read, at the coarsest resolution that suffices.

    Returns
    -------
    str
        A table; beside it the middle slice of a volume, as a PNG of at most 400 x 400 pixels.
    """
    from tomarium.model import Volume

    table = _table(f"{type(image).__name__} {image.name}", rows_of_image(image))
    if not isinstance(image, Volume) or 0 in image.shape:
        return table
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f"{table}{_picture(image)}</div>"
    )


def _table(title: str, rows: Rows) -> str:
    cells = "".join(
        f'<tr><th style="text-align:left">{_text(word)}</th><td style="text-align:left">{_text(told)}</td></tr>'
        for word, told in rows
    )
    return f'<table><caption style="text-align:left"><b>{_text(title)}</b></caption><tbody>{cells}</tbody></table>'


def _text(text: str) -> str:
    return escape(brief(in_words(text), _LONGEST))


def _picture(volume: Volume) -> str:
    """Draw the middle slice; a volume that cannot be read says so, for the table is worth seeing all the same."""
    from tomarium.viewers.picture import png
    from tomarium.viewers.volume import read_plane

    middle = volume.shape[0] // 2
    try:
        plane = read_plane(volume.levels or (volume.data,), "z", middle, PIXELS)
        step = math.ceil(max(plane.shape) / PIXELS)
        plane = plane[::step, ::step]
        voxel = volume.voxel_m
        scale_m = None if voxel is None else voxel[2] * volume.shape[2] / plane.shape[1]
        drawn = b64encode(png(plane, scale_m=scale_m)).decode()
    except (TomariumError, OSError, ValueError) as problem:
        return f"<p>The slice {middle} cannot be shown: {_text(str(problem))}</p>"
    return f'<img alt="Slice {middle} of {volume.shape[0]}" src="data:image/png;base64,{drawn}">'
