"""Pictures without what a camera wrote into them: place, time, owner, device. Their pixels are not touched.

Parts are taken out between the marks of the file, and nothing is unpacked, so that a hostile picture finds no decoder:
JPEG (ITU-T T.81, annex B), PNG (W3C PNG 3rd edition, section 5), WebP (RFC 9649, section 2.7), GIF (GIF89a). Which way
up a picture is to be shown is kept, as the one tag of an Exif block (CIPA DC-008, tag 0x0112), which browsers follow.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final

_ORIENTATION: Final = 0x0112
_EXIF: Final = b"Exif\x00\x00"
_JPEG_KEPT: Final = {0xE0: b"JFIF\x00", 0xE2: b"ICC_PROFILE\x00", 0xEE: b"Adobe"}
"""Marker of an application segment that says how pixels are shown → what it begins with."""
_PNG_KEPT: Final = frozenset(
    b"tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT acTL fcTL fdAT".split()
)
_WEBP_KEPT: Final = frozenset((b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_GIF_KEPT: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


class Unreadable(ValueError):
    """A file begins like a picture and does not go on like one."""


def without_metadata(content: bytes, type: str) -> bytes:
    """Take out of a picture what is neither pixels nor how they are shown.

    Parameters
    ----------
    content : bytes
        A whole file.
    type : str
        "image/jpeg", "image/png", "image/webp" or "image/gif".

    Returns
    -------
    bytes
        The same picture without texts, Exif (but for the orientation), XMP, IPTC, previews, makers' notes, and without
        what follows its end. The same bytes where there was nothing of it.

    Raises
    ------
    Unreadable
        Its parts cannot be told apart.
    """
    try:
        return _BARE[type](content)
    except (IndexError, struct.error) as problem:
        raise Unreadable(f"a picture ({type}) that ends within one of its parts") from problem


def _jpeg(content: bytes) -> bytes:
    segments, at, turned = [b"\xff\xd8"], 2, 1
    while True:
        if content[at] != 0xFF:
            raise Unreadable(f"byte {at} of a JPEG is no marker")
        marker = content[at + 1]
        if marker == 0xFF:  # filled up
            at += 1
            continue
        if marker == 0xD9:
            segments.append(b"\xff\xd9")
            break
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        if end > len(content):
            raise Unreadable("a JPEG that ends within a segment")
        segment, body = content[at:end], content[at + 4 : end]
        if marker == 0xE1 and body.startswith(_EXIF):
            turned = _orientation(body[len(_EXIF) :])
        if _jpeg_keeps(marker, body):
            segments.append(segment)
        at = end
        if marker == 0xDA:
            end = _scan_end(content, at)
            segments.append(content[at:end])
            at = end
            if at >= len(content):  # cut off; browsers show what there is
                break
    if turned != 1:
        exif = _EXIF + _exif(turned)
        segments.insert(1, b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
    return b"".join(segments)


def _jpeg_keeps(marker: int, body: bytes) -> bool:
    if marker == 0xFE:  # a comment
        return False
    if 0xE0 <= marker <= 0xEF:
        return marker in _JPEG_KEPT and body.startswith(_JPEG_KEPT[marker])
    return True


def _scan_end(content: bytes, at: int) -> int:
    """Find the marker after packed pixels, in which 0xFF is followed by 0 or is a restart."""
    while (at := content.find(b"\xff", at)) >= 0 and at + 1 < len(content):
        if content[at + 1] != 0 and not 0xD0 <= content[at + 1] <= 0xD7:
            return at
        at += 2
    return len(content)


def _png(content: bytes) -> bytes:
    chunks, at, turned = [content[:8]], 8, 1
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            raise Unreadable("a PNG that ends within a chunk")
        if kind == b"eXIf":
            turned = _orientation(content[at + 8 : end - 4])
        if not kind[0] & 0x20 or kind in _PNG_KEPT:  # a capital: no picture without it
            chunks.append(content[at:end])
        at = end
        if kind == b"IEND":
            break
    else:
        raise Unreadable("a PNG without an end")
    if turned != 1:
        chunks.insert(2, _chunk(b"eXIf", _exif(turned)))
    return b"".join(chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _webp(content: bytes) -> bytes:
    chunks, at, turned = [], 12, 1
    size = min(len(content), 8 + struct.unpack_from("<I", content, 4)[0])
    while at + 8 <= size:
        kind, length = struct.unpack_from("<4sI", content, at)
        end = at + 8 + length + length % 2
        if end > size:
            raise Unreadable("a WebP that ends within a chunk")
        if kind == b"EXIF":
            turned = _orientation(content[at + 8 : end].removeprefix(_EXIF))
        if kind in _WEBP_KEPT:
            chunks.append(content[at:end])
        at = end
    if not chunks:
        raise Unreadable("a WebP without pixels")
    if chunks[0].startswith(b"VP8X"):
        flags = chunks[0][8] & ~0x0C | (0x08 if turned != 1 else 0)  # Exif, XMP
        chunks[0] = chunks[0][:8] + bytes((flags,)) + chunks[0][9:]
        if turned != 1:
            exif = _exif(turned)
            chunks.append(b"EXIF" + struct.pack("<I", len(exif)) + exif)
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _gif(content: bytes) -> bytes:
    at = 13 + (3 << (content[10] & 7) + 1 if content[10] & 0x80 else 0)
    blocks = [content[:at]]
    while content[at] != 0x3B:
        begin = at
        if content[at] == 0x2C:
            flags = content[at + 9]
            at = _blocks_end(content, at + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0))
            blocks.append(content[begin:at])
        elif content[at] == 0x21:
            at = _blocks_end(content, begin + 2)
            note = content[begin + 1] == 0xFE
            foreign = content[begin + 1] == 0xFF and content[begin + 3 : begin + 14] not in _GIF_KEPT
            blocks += [] if note or foreign else [content[begin:at]]
        else:
            raise Unreadable(f"byte {at} of a GIF begins no block")
    return b"".join((*blocks, b"\x3b"))


def _blocks_end(content: bytes, at: int) -> int:
    while length := content[at]:
        at += 1 + length
    return at + 1


def _orientation(exif: bytes) -> int:
    """Read the orientation of an Exif block, 1 to 8; 1, upright, where it tells none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 14:
        return 1
    first = struct.unpack_from(f"{order}I", exif, 4)[0]
    if first + 2 > len(exif):
        return 1
    for place in range(first + 2, first + 2 + 12 * struct.unpack_from(f"{order}H", exif, first)[0], 12):
        if place + 12 > len(exif):
            return 1
        tag, kind, count, orientation = struct.unpack_from(f"{order}HHIH", exif, place)
        if (tag, kind, count) == (_ORIENTATION, 3, 1):
            return orientation if 1 <= orientation <= 8 else 1
    return 1


def _exif(turned: int) -> bytes:
    """Write an Exif block that tells the orientation alone."""
    return b"MM\x00\x2a" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, turned, 0, 0)


_BARE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
    "image/gif": _gif,
}
