"""Small pictures of records as WebP, which takes a fraction of the bytes of a PNG of grey values."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Final

THUMBNAIL: Final = "previews/thumbnail.png"
MEDIA_TYPE: Final = "image/webp"
QUALITY: Final = 80
MOST_BYTES: Final = 4 << 20
MOST_PIXELS: Final = 1 << 20
MOST_KEPT: Final = 500
_PLAIN: Final = ("L", "LA", "RGB", "RGBA", "P")
"""Modes of Pillow with at most 8 bits a channel, of which WebP shows the same."""


def is_wanted(path: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a request is for a thumbnail on a page, by a browser that knows WebP.

    Parameters
    ----------
    path : str
        Of a file of a record.
    headers : Mapping of str to str
        Of the request, names in small letters.

    Returns
    -------
    bool
        Whoever opens the file itself (`text/html` is accepted), asks for a range of it or names no WebP gets the file.
    """
    accepted = {word.split(";")[0].strip().lower() for word in headers.get("accept", "").split(",")}
    return (
        path == THUMBNAIL
        and MEDIA_TYPE in accepted
        and "text/html" not in accepted
        and "range" not in headers
    )


def as_webp(content: bytes) -> bytes | None:
    """Write a picture as WebP.

    Parameters
    ----------
    content : bytes
        Of a PNG.

    Returns
    -------
    bytes or None
        WebP of quality 80; None where that is no smaller, or the file is no picture of at most a million pixels with 8
        bits a channel.
    """
    from PIL import Image as Pillow

    try:
        with Pillow.open(BytesIO(content), formats=("PNG",)) as picture:
            if picture.width * picture.height > MOST_PIXELS or picture.mode not in _PLAIN:
                return None
            buffer = BytesIO()
            picture.save(buffer, "WEBP", quality=QUALITY)
    except (OSError, ValueError, SyntaxError, Warning, Pillow.DecompressionBombError):
        return None
    return buffer.getvalue() if len(buffer.getvalue()) < len(content) else None
