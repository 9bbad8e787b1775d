"""One grey JPEG 2000 page: its size from its header, its pixels decoded and encoded by Pillow (OpenJPEG).

Sources: ISO/IEC 15444-1 (= ITU-T T.800), annex A.5.1 for the SIZ segment and annex I for the boxes of a .jp2.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.opening.size_limits import check_claim

# The signature box of a .jp2, and SOC followed by SIZ at the begin of a bare codestream.
JP2_SIGNATURE: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
CODESTREAM: Final = b"\xff\x4f\xff\x51"
_MOST_BOXES: Final = 64
# A page decodes whole; 16384 x 16384 are more than any slice that is published.
_MOST_PIXELS: Final = 1 << 28
_MOST_TILES: Final = 65535
# Boxes with texts may follow the codestream of a .jp2.
_END_SEARCHED: Final = 1 << 16


@dataclass(frozen=True)
class PageHeader:
    """What a page's SIZ segment says."""

    size: tuple[int, int]  # rows and columns
    bits: int  # bits a pixel, unsigned

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel: uint8 or uint16."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)


def is_jpeg2000(path: Path) -> bool:
    """Tell whether a file begins as JPEG 2000.

    Result: true where it begins with the signature of a .jp2 or of a codestream.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
    except OSError:
        return False
    return head == JP2_SIGNATURE or head.startswith(CODESTREAM)


def page_header(path: Path) -> PageHeader:
    """Read a page's size without decoding it."""
    try:
        with path.open("rb") as stream:
            _to_codestream(stream, path)
            segment = stream.read(45)
    except OSError as problem:
        raise FormatError(f"{path}: cannot be read ({problem.strerror}); restore this page") from problem
    if len(segment) < 45 or not segment.startswith(CODESTREAM):
        raise FormatError(f"{path}: has no whole JPEG 2000 header; copy this page again")
    # After SOC, SIZ, Lsiz and Rsiz: the image's corners, the tile's size and corner, the number of components.
    right, bottom, left, top, tile_x, tile_y, tile_left, tile_top, components = struct.unpack_from(
        ">8IH", segment, 8
    )
    depth, step_x, step_y = segment[42:45]
    rows, columns = bottom - top, right - left
    if components != 1:
        raise FormatError(f"{path}: has {components} components; a grey page has one, so convert it first")
    if (
        rows < 1
        or columns < 1
        or rows * columns > _MOST_PIXELS
        or not tile_x
        or not tile_y
        or (step_x, step_y) != (1, 1)
    ):
        raise FormatError(
            f"{path}: claims {rows} x {columns} pixels in tiles of {tile_y} x {tile_x}; copy it again"
        )
    tiles = -(-(right - tile_left) // tile_x) * -(-(bottom - tile_top) // tile_y)
    if depth & 0x80 or (depth & 0x7F) + 1 > 16 or not 0 < tiles <= _MOST_TILES:
        raise FormatError(
            f"{path}: has {'signed ' if depth & 0x80 else ''}pixels of {(depth & 0x7F) + 1} bits in {tiles} tiles; "
            f"unsigned ones of up to 16 bits are read, so convert it"
        )
    bits = (depth & 0x7F) + 1
    check_claim(
        f"{path}: its page", (rows, columns), -(-bits // 8), path.stat().st_size, block=(rows, columns)
    )
    return PageHeader((rows, columns), bits)


def _to_codestream(stream: BinaryIO, path: Path) -> None:
    """Step over the boxes of a .jp2 to its codestream."""
    head = stream.read(12)
    if head.startswith(CODESTREAM):
        stream.seek(0)
        return
    for _ in range(_MOST_BOXES):
        box = stream.read(8)
        if len(box) < 8:
            break
        length, kind = struct.unpack(">I4s", box)
        if kind == b"jp2c":
            if length == 1:
                stream.read(8)
            return
        content = struct.unpack(">Q", stream.read(8).rjust(8, b"\0"))[0] - 16 if length == 1 else length - 8
        if content < 0 or content > 1 << 40:
            break
        stream.seek(content, 1)
    raise FormatError(f"{path}: holds no JPEG 2000 codestream; copy this page again")


def _has_end(path: Path) -> bool:
    """Tell whether the marker EOC (A.4.4) closes the codestream; without it OpenJPEG gives what it has."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _END_SEARCHED))
        return b"\xff\xd9" in stream.read()


def decode(path: Path, expected: PageHeader) -> NDArray[Any]:
    """Read a page.

    `expected`: size and bits of the first page, which all pages of a stack share.
    """
    from PIL import Jpeg2KImagePlugin

    header = page_header(path)
    if header != expected:
        raise FormatError(
            f"{path}: has {header.size[0]} x {header.size[1]} pixels of {header.bits} bits, the first page "
            f"{expected.size[0]} x {expected.size[1]} of {expected.bits}; all pages of a stack must be alike"
        )
    if not _has_end(path):
        raise FormatError(f"{path}: is truncated: its codestream has no end; copy this page again")
    try:
        # Opened as what it is: its size was checked above, and other decoders are not asked.
        with path.open("rb") as stream, Jpeg2KImagePlugin.Jpeg2KImageFile(stream) as picture:
            if picture.size != header.size[::-1]:
                raise ValueError(f"its box says {picture.size[1]} x {picture.size[0]} pixels")
            pixels = np.asarray(picture)
    except Exception as problem:  # Pillow raises SyntaxError, OSError, ValueError … for damaged pages
        raise FormatError(
            f"{path}: cannot be decoded ({type(problem).__name__}: {problem}); copy this page again"
        ) from problem
    if pixels.shape != header.size or pixels.dtype != header.dtype:
        raise FormatError(
            f"{path}: decodes to {pixels.shape} of {pixels.dtype}, its header says {header.size}; copy it again"
        )
    # Pillow shifts odd depths up to whole bytes; shifted back they are what the file holds.
    return pixels >> (8 * header.dtype.itemsize - header.bits)


def encode(pixels: NDArray[Any]) -> bytes:
    """Compress a page so that every pixel is kept, with the reversible 5-3 wavelet."""
    from PIL import Image as Picture

    page = io.BytesIO()
    Picture.fromarray(pixels).save(page, "JPEG2000", irreversible=False)
    return page.getvalue()
