"""The chain of a TIFF's directories, followed without tifffile: it must end, and lie in the file.

tifffile follows a ring that closes late for ever, and takes a chain that leaves the file for one that ends.
Source: TIFF 6.0 section 2; the BigTIFF design (counts and offsets of 8 bytes, entries of 20).
"""

from __future__ import annotations

import io
import json
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tomarium.errors import FormatError
from tomarium.formats.opening.unpacked import head_of, opened, size_of
from tomarium.formats.tiff.metadata import ome_stack

if TYPE_CHECKING:
    from tifffile import TiffFile

# TIFF 6.0 section 2 and the BigTIFF design: byte order and the number 42 or 43.
SIGNATURES: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# A camera's memory holds some 2^16 frames; a file of more pages is none of the field.
MOST_PAGES: Final = 1 << 18
# byte order and version → form of a number of entries, of an offset, bytes of an entry, byte of the first offset
_FORMS: Final = dict(
    zip(
        SIGNATURES,
        (("<H", "<I", 12, 4), (">H", ">I", 12, 4), ("<Q", "<Q", 20, 8), (">Q", ">Q", 20, 8)),
        strict=True,
    )
)
_LONGEST: Final = 1 << 20
# Tags without which numbers lose their meaning → bytes of one value: ImageDescription, XResolution, YResolution.
_TEXTS: Final = {270: 1, 282: 8, 283: 8}


@dataclass(frozen=True)
class Chain:
    """The directories of a file."""

    pages: int  # how many are there
    cut: str = ""  # where the chain leaves the file, in words; "" where it ends as it should
    wrong: str = ""  # why the file is refused, in words; "" where it is not


def is_tiff(path: Path) -> bool:
    """Tell whether a file, packed or not, begins as TIFF."""
    return head_of(path, 4) in SIGNATURES


def chain_of(path: Path) -> Chain:
    """Follow the directories of a TIFF file.

    `path`: the file; one that does not begin as TIFF has no directory. Result: how many there are, and
    whether the file told of more.
    """
    now = path.stat()
    chain = _chain(path, size_of(path), now.st_mtime_ns)
    if chain.wrong:
        raise FormatError(
            f"{path}: {chain.wrong}; it is damaged or made to mislead, so take it from its origin"
        )
    return chain


# Each format asks about the same file in turn; the answer changes only with the file.
@lru_cache(maxsize=256)
def _chain(path: Path, size: int, changed_ns: int) -> Chain:
    with opened(path) as stream:
        head = _taken(stream, 16, 0)
        count_form, form, entry, first = _FORMS.get(head[:4], ("", "", 0, 0))
        width, wide = struct.calcsize(form), struct.calcsize(count_form)
        if not form or len(head) < first + width:
            return Chain(0)
        seen: set[int] = set()
        beyond = ""
        place = int(struct.unpack_from(form, head, first)[0])
        while place:
            if place in seen:
                fault = f"its pages go round in a circle: page {len(seen) - 1} is followed by an earlier one"
                return Chain(len(seen), wrong=fault)
            if len(seen) >= MOST_PAGES:
                return Chain(len(seen), wrong=f"tells of more than {MOST_PAGES} pages, which is absurd")
            count = _taken(stream, wide, place) if place < size else b""
            end = place + wide + struct.unpack(count_form, count)[0] * entry if len(count) == wide else size
            following = _taken(stream, width, end) if end < size else b""
            if len(following) < width:
                return Chain(
                    len(seen), f"page {len(seen)} is told to lie at byte {place}, the file ends at {size}"
                )
            if not beyond and end - place < _LONGEST:
                entries = _taken(stream, end - place - wide, place + wide)
                beyond = _beyond(entries, form, entry, size, len(seen))
            seen.add(place)
            place = int(struct.unpack(form, following)[0])
        return Chain(len(seen), beyond)


def _taken(stream: io.RawIOBase, count: int, place: int) -> bytes:
    stream.seek(place)
    return stream.read(count) or b""


def _beyond(entries: bytes, form: str, length: int, size: int, page: int) -> str:
    """Say which text or resolution of a directory lies behind the end of the file; "" where none does.

    tifffile takes one that is cut off for one that is absent, and a volume then has no voxel size any more.
    """
    width = struct.calcsize(form)
    for start in range(0, len(entries) - length + 1, length):
        (tag,) = struct.unpack_from(f"{form[0]}H", entries, start)
        if tag in _TEXTS:
            count, place = struct.unpack_from(f"{form[0]}2{form[1]}", entries, start + 4)
            stored = count * _TEXTS[tag]
            if stored > width and place + stored > size:
                where = f"{stored} bytes at byte {place}"
                return f"tag {tag} of page {page} is told to have {where}, the file ends at {size}"
    return ""


def lost_pages(tif: TiffFile, pages: int) -> str | None:
    """Say that a file tells of more pages than it holds.

    Result: what tells so, in words; None where nothing does.
    """
    path = Path(tif.filehandle.path)
    cut = chain_of(path).cut
    described = _pages_described(str(getattr(tif.pages[0], "description", "") or ""))
    if described is not None and described[0] > pages:
        return (
            f"{path.name} is truncated: it holds {pages} of the {described[0]} pages its {described[1]} tells"
        )
    return f"{path.name} is truncated after {pages} pages: {cut}" if cut else None


def _pages_described(description: str) -> tuple[int, str] | None:
    """Return how many pages a description tells, and whose it is."""
    if len(description) > _LONGEST:
        return None
    if description.startswith("ImageJ="):
        matched = re.search(r"^images=(\d{1,12})\s*$", description, re.MULTILINE)
        return (int(matched[1]), "ImageJ description") if matched else None
    try:
        if description.startswith('{"shape"'):
            shape: Any = json.loads(description)["shape"]
            count = 1
            for length in shape[:-2]:
                count *= int(length)
            return count, "shape"
        # Planes may lie in other files, and the colours of one page are channels too.
        if (stack := ome_stack(description)) is not None and stack.find(".//{*}UUID") is None:
            return int(stack.get("SizeZ", "1")) * int(stack.get("SizeT", "1")), "OME description"
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return None
