"""NRRD: volumes of 3D Slicer, ITK and Teem, with their header in front (`.nrrd`) or in a file of its own (`.nhdr`).

Source: Definition of the NRRD file format, Teem 1.9 and later (teem.sourceforge.net/nrrd/format.html). The fastest axis
comes first in the header and last here. A unit of length is often not written; in a space that names the sides of a
body, such as left-posterior-superior, mm are assumed and told, since ITK and 3D Slicer write mm without saying so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.itk.nrrd_writer import IS_LABELS, write
from tomarium.formats.itk.voxels import (
    LONGEST_HEADER,
    Direction,
    Voxels,
    array_of,
    decimals,
    file_beside,
    image_of,
    lengths,
)
from tomarium.model import Image

_MAGIC: Final = re.compile(rb"NRRD000\d\r?\n")
_TYPES: Final = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": (
        "longlong",
        "long long",
        "long long int",
        "signed long long",
        "signed long long int",
        "int64",
        "int64_t",
    ),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_NAMES: Final = {name: dtype for dtype, names in _TYPES.items() for name in names}
_ENCODINGS: Final = {"raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_REFUSED: Final = {"txt": "text", "text": "text", "ascii": "text", "hex": "hexadecimal digits"}
# Three-letter names stand for the same spaces.
_BODY: Final = re.compile(
    r"(right|left|anterior|posterior|superior|inferior)-|[RL][AP][SI]T?$", re.IGNORECASE
)
_BODY_DIMENSIONS: Final = 3
_SPATIAL: Final = frozenset({"domain", "space", ""})
_SEGMENT: Final = re.compile(r"Segment\d+_")


@dataclass(frozen=True)
class Header:
    """The lines of a header.

    Attributes
    ----------
    fields : mapping of str to str
        Name of a field, in lower case, → what it says.
    keys : mapping of str to str
        Keys of whoever wrote it → their values.
    end : int
        Byte behind the header.
    """

    fields: Mapping[str, str]
    keys: Mapping[str, str]
    end: int


def detect(path: Path) -> Match | None:
    """Look for the first line of a NRRD header."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            if not _MAGIC.match(file.read(16)):
                return None
        header = read_header(path)
        voxels = _voxels(path, header)
        array_of(path, voxels)
    except FormatError as problem:
        return no_match(str(problem).removeprefix(f"{path}: "))
    except OSError:
        return None
    place = "" if voxels.file == path else f", and its voxels lie in {voxels.file.name}"
    why = f"its first line is NRRD000 and a version{place}"
    return Match(0.95, "with its voxels" if voxels.file == path else "header alone", why)


def read_header(path: Path) -> Header:
    """Read the lines of a header up to the first empty one, or to the end of a file of its own."""
    with path.open("rb") as file:
        head = file.read(LONGEST_HEADER)
    end = re.search(rb"\r?\n\r?\n", head)
    if end is None and len(head) == LONGEST_HEADER:
        raise FormatError(f"{path}: its header has no end within {LONGEST_HEADER} bytes; copy it again")
    text = head[: end.start() if end else len(head)].decode("utf-8", errors="replace")
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    lines = text.splitlines()[1:]
    for number, line in enumerate(lines):
        split = re.match(r"([^:#][^:]*):(=| )(.*)", line)
        if not split:
            continue
        name, mark, said = split.groups()
        if mark == "=":
            keys[name] = said
            continue
        name = name.strip().lower().replace("datafile", "data file")
        if fields.setdefault(name, said.strip()) != said.strip():
            raise FormatError(f"{path}: says {name!r} twice, and not the same; leave the one that is right")
        if name == "data file" and said.strip().upper().startswith("LIST"):
            fields["listed"] = str(len(lines) - number - 1)
            break
    return Header(fields, keys, end.end() if end else len(head))


def _voxels(path: Path, header: Header) -> Voxels:
    """Find where the voxels lie."""
    fields = header.fields
    sizes = lengths(path, "sizes", fields.get("sizes", "").split())
    if fields.get("dimension") != str(len(sizes)):
        raise FormatError(
            f"{path}: dimension is {fields.get('dimension', 'absent')!r}, and sizes has {len(sizes)} lengths; copy it "
            f"again, or correct the one that is wrong"
        )
    dtype = _NAMES.get(" ".join(fields.get("type", "").lower().split()))
    if dtype is None:
        raise FormatError(
            f"{path}: type is {fields.get('type', 'absent')[:40]!r}; integers of 8 to 64 bits, float and double are "
            f"read"
        )
    encoding = fields.get("encoding", "").lower()
    if encoding not in _ENCODINGS:
        found = _REFUSED.get(encoding, f"{encoding[:40]!r}")
        raise FormatError(
            f"{path}: its voxels are written as {found}; raw, gzip and bzip2 are read, so save it so with the program "
            f"that wrote it"
        )
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and np.dtype(dtype).itemsize > 1:
        raise FormatError(f"{path}: endian is {endian[:40] or 'absent'!r}; write endian: little or big")
    stored = np.dtype(dtype).newbyteorder(">" if endian == "big" else "<")
    file, start = path, header.end
    if "data file" in fields:
        name = fields["data file"]
        if "listed" in fields or re.fullmatch(r".*%.*d.* -?\d+ -?\d+ -?\d+( \d+)?", name):
            raise FormatError(
                f"{path}: its voxels lie in several files, which are not read; save it as one with the program that "
                f"wrote it"
            )
        file, start = file_beside(path, name.removeprefix("./")), 0
    start = _skipped(path, file, start, fields, packed=bool(_ENCODINGS[encoding]))
    return Voxels(file, start, sizes[::-1], stored, _ENCODINGS[encoding])


def _skipped(path: Path, file: Path, start: int, fields: Mapping[str, str], *, packed: bool) -> int:
    """Return where the voxels begin, behind the lines and bytes that are to be skipped; -1 where they end the file."""
    lines, bytes_ = (
        fields.get(name) or fields.get(name.replace(" ", "")) or "0" for name in ("line skip", "byte skip")
    )
    if bytes_ == "-1" and not packed:
        return -1
    if not (
        lines.isascii()
        and lines.isdigit()
        and bytes_.isascii()
        and bytes_.isdigit()
        and len(lines + bytes_) < 18
    ):
        raise FormatError(
            f"{path}: line skip is {lines[:20]!r} and byte skip {bytes_[:20]!r}; whole numbers are read"
        )
    if packed and int(bytes_):  # they count once the voxels are unpacked
        raise FormatError(
            f"{path}: bytes are to be skipped in packed voxels, which is not read; save it anew"
        )
    if int(lines):
        try:
            with file.open("rb") as stream:
                stream.seek(start)
                for _ in range(int(lines)):
                    if not stream.readline(LONGEST_HEADER):
                        raise FormatError(f"{path}: {file.name} has no {lines} lines to skip; copy it again")
                start = stream.tell()
        except OSError as problem:
            raise FormatError(
                f"{path}: {file.name} cannot be read ({problem.strerror}); put it beside it"
            ) from problem
    return start + int(bytes_)


def read(path: Path, match: Match) -> Image:
    """Read the header of a NRRD file; its voxels are mapped, or unpacked, when they are read.

    Result: a volume of the axes z, y and x; an image where there are fewer or others, the channels of a colour last.
    `metadata` holds `fields` and `keys`, every line of the header, and `warnings`, what was assumed.
    """
    header = read_header(path)
    voxels = _voxels(path, header)
    kinds = _kinds(path, header.fields, len(voxels.shape))
    metadata: dict[str, Any] = {
        "format": match.dialect,
        "why": match.why,
        "fields": dict(header.fields),
        "keys": dict(header.keys),
        "unit": header.fields.get("sample units", "").strip('"'),
    }
    if header.keys.get(IS_LABELS) == "true" or any(_SEGMENT.match(key) for key in header.keys):
        metadata["labels"] = True
    body = header.fields.get("space", "")
    directions, origin = _directions(path, header.fields, kinds)
    names = _axis_names(kinds, [bool(direction.vector) for direction in directions])
    assumed = "mm" if _BODY.match(body) else ""
    return image_of(path, array_of(path, voxels), names, directions, origin, assumed, metadata)


def _words(path: Path, fields: Mapping[str, str], name: str, count: int) -> list[str]:
    """Read one word for each axis; quoted ones may hold spaces. Empty words where the field is absent."""
    if name not in fields:
        return [""] * count
    text = fields[name]
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', text) if '"' in text else text.split()
    if len(words) != count:
        raise FormatError(f"{path}: {name} is {text[:60]!r}; {count} were expected, so correct it")
    return words


def _kinds(path: Path, fields: Mapping[str, str], count: int) -> list[str]:
    kinds = [word.lower() for word in _words(path, fields, "kinds", count)]
    return ["" if kind in ("???", "none") else kind for kind in kinds]


def _directions(
    path: Path, fields: Mapping[str, str], kinds: Sequence[str]
) -> tuple[list[Direction], tuple[Decimal, ...]]:
    """Return how each axis lies in space, and where the first voxel does."""
    count = len(kinds)
    if "space directions" in fields:
        vectors = re.findall(r"\(([^()]*)\)|(none)", fields["space directions"])
        if len(vectors) != count:
            raise FormatError(
                f"{path}: space directions is {fields['space directions'][:80]!r}; {count} were expected, so correct it"
            )
        parts = [
            () if none else decimals(path, "space directions", inside.split(",")) for inside, none in vectors
        ]
        dimensions = {len(vector) for vector in parts if vector}
        if len(dimensions) > 1:
            raise FormatError(f"{path}: space directions has vectors of unlike lengths; correct it")
        space = dimensions.pop() if dimensions else 0
        told = set(_words(path, fields, "space units", space)) if space else {""}
        unit = told.pop() if len(told) == 1 else ""
        return [Direction(vector, unit) for vector in parts], _origin(path, fields)
    spacings = decimals(path, "spacings", [word or "NaN" for word in _words(path, fields, "spacings", count)])
    unit_words = _words(path, fields, "units", count)
    least = decimals(path, "axis mins", [word or "NaN" for word in _words(path, fields, "axis mins", count)])
    spatial = [kind in _SPATIAL for kind in kinds]
    if all(spatial) and not any(kinds) and count > _BODY_DIMENSIONS:
        spatial = [
            place < _BODY_DIMENSIONS for place in range(count)
        ]  # nothing tells; the slowest is a series
    total, directions, origin = sum(spatial), [], []
    for place, (spacing, unit, start, is_spatial) in enumerate(
        zip(spacings, unit_words, least, spatial, strict=True)
    ):
        if not is_spatial:
            directions.append(Direction((), ""))
            continue
        before = sum(spatial[:place])
        length = spacing if spacing.is_finite() else Decimal(0)  # not known
        vector = tuple(length if k == before else Decimal(0) for k in range(total))
        directions.append(Direction(vector, unit))
        # The least position is that of a voxel's edge, unless centers says "node"; it is told where it is that of one.
        origin.append(
            start if start.is_finite() and fields.get("centers", "").split()[:1] == ["node"] else Decimal(0)
        )
    return directions, tuple(origin)


def _origin(path: Path, fields: Mapping[str, str]) -> tuple[Decimal, ...]:
    text = fields.get("space origin", "").strip("() ")
    return decimals(path, "space origin", text.split(",")) if text else ()


def _axis_names(kinds: Sequence[str], spatial: Sequence[bool]) -> list[str]:
    """Name the axes, the fastest first."""
    letters = iter("xyz")
    names: list[str] = []
    for kind, in_space in zip(kinds, spatial, strict=True):
        name = next(letters, "") if in_space else ""
        if not name:
            name = (
                "time"
                if kind == "time"
                else "image"
                if kind in ("", "list", "domain", "space")
                else "channel"
            )
        names.append(name if name not in names else f"{name} {len(names)}")
    return names


FORMAT = Format(
    name="nrrd",
    title="NRRD",
    suffixes=(".nrrd", ".nhdr"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume"}),
    resumes=True,
)
