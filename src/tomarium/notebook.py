"""What a notebook shows of a scan, a volume or a record: a table, and of a volume its slices."""

from __future__ import annotations

import math
from base64 import b64encode
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from tomarium.errors import TomariumError
from tomarium.model.account import Rows, rows_of_image, rows_of_record, rows_of_scan
from tomarium.model.wording import brief, in_words

if TYPE_CHECKING:
    from tomarium.model import Image, Record, Scan, Volume

PIXELS: Final = 400
"""Pixels of the picture at most, along either edge."""

SLICES: Final = 20
"""Slices of the slider at most."""

_MOST_BYTES: Final = 64 << 20
"""Read for the slider."""

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
        A table; beside it the middle slice of a volume, as a PNG of at most 400 x 400 pixels, with a slider over
        others where few bytes are read for them.
    """
    from tomarium.model import Volume

    table = _table(f"{type(image).__name__} {image.name}", rows_of_image(image))
    if not isinstance(image, Volume) or 0 in image.shape:
        return table
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f"{table}{_picture(image)}</div>"
    )


def record_html(record: Record) -> str:
    """Write a record as HTML.

    Parameters
    ----------
    record : Record
        The record.

    Returns
    -------
    str
        A table.
    """
    return _table(f"Record {record.id}", rows_of_record(record))


def _table(title: str, rows: Rows) -> str:
    cells = "".join(
        f'<tr><th style="text-align:left">{_text(word)}</th><td style="text-align:left">{_text(text)}</td></tr>'
        for word, text in rows
    )
    return f'<table><caption style="text-align:left"><b>{_text(title)}</b></caption><tbody>{cells}</tbody></table>'


def _text(text: str) -> str:
    return escape(brief(in_words(text), _LONGEST))


def _picture(volume: Volume) -> str:
    """Draw slices; a volume that cannot be read says so, for the table is worth seeing all the same."""
    from tomarium.viewers.picture import robust_window

    count = volume.shape[0]
    middle = count // 2
    try:
        plane = _plane(volume, middle)
        first = _address(_draw(volume, plane), "png")
        picture = f'<img alt="Slice {middle} of {count}" src="{first}">'
        places = _places(volume, plane.nbytes)
        if len(places) < 2:
            return picture
        window = robust_window(plane)
        addresses = [_address(_jpeg(_draw(volume, _plane(volume, at), window)), "jpeg") for at in places]
    except (TomariumError, OSError, ValueError) as problem:
        return f"<p>The slice {middle} cannot be shown: {_text(str(problem))}</p>"
    # One line of script, in the slider itself; where a notebook takes it out, the middle slice stays.
    moved = (
        "var k=+this.value,d=this.dataset;"
        "this.parentNode.previousElementSibling.src=d.slices.split(' ')[k];"
        "this.nextElementSibling.textContent=d.places.split(' ')[k]+d.of"
    )
    return (
        f"<div>{picture}<div style='white-space:nowrap'>"
        f"<input type='range' aria-label='Slice' min='0' max='{len(places) - 1}' "
        f"value='{places.index(middle)}' style='width:80%' data-slices='{' '.join(addresses)}' "
        f"data-places='{' '.join(map(str, places))}' data-of=' of {count}' oninput=\"{moved}\">"
        f"<span> {middle} of {count}</span></div></div>"
    )


def _places(volume: Volume, read_bytes: int) -> list[int]:
    """Choose the slices of the slider, the middle one among them; only it where others would read too much."""
    count = volume.shape[0]
    most = min(SLICES, count, _MOST_BYTES // max(1, read_bytes))
    if most < 2:
        return [count // 2]
    step = count / most
    return sorted({count // 2, *(int((k + 0.5) * step) for k in range(most))})


def _plane(volume: Volume, at: int) -> NDArray[Any]:
    from tomarium.viewers.volume import read_plane

    return read_plane(volume.levels or (volume.data,), "z", at, PIXELS)


def _draw(volume: Volume, plane: NDArray[Any], window: tuple[float, float] | None = None) -> bytes:
    from tomarium.viewers.picture import png

    step = math.ceil(max(plane.shape) / PIXELS)
    plane = plane[::step, ::step]
    voxel = volume.voxel_m
    scale_m = None if voxel is None else voxel[2] * volume.shape[2] / plane.shape[1]
    return png(plane, window=window, scale_m=scale_m)


def _jpeg(png: bytes) -> bytes:
    from PIL import Image as Pillow

    file = BytesIO()
    Pillow.open(BytesIO(png)).save(file, "JPEG", quality=75)
    return file.getvalue()


def _address(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"
