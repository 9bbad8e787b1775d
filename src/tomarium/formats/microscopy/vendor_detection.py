"""Which vendor's file this is: told by its bytes, since many share an ending with other formats."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tomarium.errors import FormatError
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.security_check import open_checked
from tomarium.formats.tiff.frames import guarded as guarded_tiff
from tomarium.formats.tiff.frames import opened_tiff
from tomarium.formats.tiff.ifd_check import SIGNATURES

# Tags of Olympus SIS in a TIFF directory: its binary block and its text.
_SIS_TAGS: Final = (33560, 33471)
# Pages looked at for those tags: a file of Olympus has them on its first.
_PAGES_LOOKED_AT: Final = 8
_CUT: Final = "a truncated file"


@dataclass(frozen=True)
class Kind:
    """What a file is."""

    reader: str  # module of rosettasciio that reads it; "" where none does
    title: str  # its name for people
    why: str  # the evidence, in words, or what is lacking


def kind_of(path: Path) -> Kind | None:
    """Tell a vendor's file by its bytes.

    Result: None for every other file.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
            size = stream.seek(0, 2)
    except OSError:
        return None
    if head.startswith(b"AAMVHFSS"):
        if bytes_needed := _bruker_cut(head, size):
            return Kind(
                "",
                _CUT,
                f"it is a Bruker file of {bytes_needed} bytes of which {size} are there; copy it again",
            )
        return Kind("bruker", "Bruker composite file", "it begins AAMVHFSS, as Bruker's files do")
    if head.startswith(b"II\x97\x01"):  # byte order, then 0x0197, the identity of a series
        return Kind("tia", "FEI TIA series", "it begins with TIA's byte order and series number 0197")
    if head.startswith(b"JK\x00\x02"):
        return Kind("tia", "FEI TIA header", "it begins JK 00 02, as TIA's headers do")
    if head.startswith(b"#FORMAT") and b"EMSA/MAS" in head:
        return Kind("msa", "EMSA/MAS spectrum", "its first line names EMSA/MAS (ISO 22029)")
    if version := _gatan(head, size):
        return Kind(
            "digitalmicrograph", f"Gatan DM{version}", f"its header is of DigitalMicrograph version {version}"
        )
    if head.startswith(SIGNATURES):
        return _tiff(path)
    if is_hdf5(path):
        return _hdf5(path)
    return None


def _bruker_cut(head: bytes, size: int) -> int:
    """Return how many bytes a Bruker container needs, 0 where they are there.

    The length of a chunk stands at 0x128, their number at 0x148, and they begin at 0x118. rosettasciio reads a
    container that is cut without end.
    """
    if len(head) < 0x14C:
        return 0x14C
    chunk, count = struct.unpack_from("<I", head, 0x128)[0], struct.unpack_from("<I", head, 0x148)[0]
    bytes_needed = 0x118 + int(chunk) * int(count)
    return bytes_needed if bytes_needed > size or not chunk or not count else 0


def _gatan(head: bytes, size: int) -> int:
    """Return 3 or 4 for a DigitalMicrograph file: version, length of the rest, byte order 0 or 1."""
    if len(head) < 24:
        return 0
    version = struct.unpack_from(">I", head)[0]
    if version == 3:
        length, order = struct.unpack_from(">2I", head, 4)
    elif version == 4:
        length, order = struct.unpack_from(">QI", head, 4)
    else:
        return 0
    return version if order in (0, 1) and 0 < length <= size else 0


def _tiff(path: Path) -> Kind | None:
    try:
        with guarded_tiff(path), opened_tiff(path) as tif:
            pages: Any = islice(tif.pages, _PAGES_LOOKED_AT)
            marked = any(tag in page.tags for page in pages for tag in _SIS_TAGS)
    except FormatError:
        return None
    return Kind("tiff", "Olympus SIS TIFF", "a page has the tags of Olympus SIS") if marked else None


def _hdf5(path: Path) -> Kind | None:
    try:
        with guarded(path), open_checked(path) as file:
            names = set(file)
            if {"Data", "Version", "Operations"} <= names:
                return Kind(
                    "emd", "Thermo Fisher Velox EMD", "its root holds /Data, /Version and /Operations"
                )
    except FormatError:
        return None
    return None
