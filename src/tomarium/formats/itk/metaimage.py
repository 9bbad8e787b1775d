"""MetaImage: volumes of ITK and its programs, with their header in front (`.mha`) or in a file of its own (`.mhd`).

Source: the tags of MetaIO (docs.itk.org/en/latest/learn/metaio.html). The fastest axis comes first in the header and
last here. Where no unit of length is written, mm are assumed and told: the format has no other by default, and ITK,
Elastix and Plastimatch take them so. Packed voxels are a zlib stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.itk.metaimage_writer import TYPES, UNIT, write
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

_FIRST: Final = re.compile(rb"\s*(ObjectType|NDims|Comment|ObjectSubType|BinaryData)\s*=", re.IGNORECASE)
_CODES: Final = {f"met_{name}": code for code, name in TYPES.items()} | {
    "met_ascii_char": "i1",
    "met_long": "",
}
_LINE: Final = re.compile(rb"[ \t]*(\w+)[ \t]*=[ \t]*([^\r\n]*)(\r?\n|$)")
_ASSUMED: Final = "mm"


def detect(path: Path) -> Match | None:
    """Look for the tags that every MetaImage begins with."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(4096)
        if not _FIRST.match(head) or b"\0" in head[:12] or not re.search(rb"NDims\s*=", head, re.IGNORECASE):
            return None
        tags, end = read_tags(path)
        if tags.get("objecttype", "Image").lower() != "image":
            return no_match(f"its ObjectType is {tags['objecttype'][:40]!r}, and only an Image has voxels")
        if "elementdatafile" not in tags:
            return no_match("its header names no ElementDataFile, where its voxels would lie; copy it again")
        voxels = _voxels(path, tags, end)
        array_of(path, voxels)
    except FormatError as problem:
        return no_match(str(problem).removeprefix(f"{path}: "))
    except OSError:
        return None
    local = voxels.file == path
    why = "its tags tell of an Image" + ("" if local else f", and its voxels lie in {voxels.file.name}")
    return Match(0.9, "with its voxels" if local else "header alone", why)


def read_tags(path: Path) -> tuple[dict[str, str], int]:
    """Read the tags up to ElementDataFile, which is the last one.

    Result: names in lower case → what they say, and the byte behind the header.
    """
    with path.open("rb") as file:
        head = file.read(LONGEST_HEADER)
    tags: dict[str, str] = {}
    end = 0
    while line := _LINE.match(head, end):
        name, said = (part.decode("utf-8", errors="replace").strip() for part in line.group(1, 2))
        if tags.setdefault(name.lower(), said) != said:
            raise FormatError(
                f"{path}: says {name[:40]!r} twice, and not the same; leave the one that is right"
            )
        end = line.end()
        if name.lower() == "elementdatafile":
            break
    return tags, end


def _voxels(path: Path, tags: Mapping[str, str], end: int) -> Voxels:
    """Find where the voxels lie."""
    sizes = lengths(path, "DimSize", tags.get("dimsize", "").split())
    if tags.get("ndims") != str(len(sizes)):
        raise FormatError(
            f"{path}: NDims is {tags.get('ndims', 'absent')[:20]!r}, and DimSize has {len(sizes)} lengths; copy "
            f"it again"
        )
    code = _CODES.get(tags.get("elementtype", "").lower(), "")
    if not code:
        raise FormatError(
            f"{path}: ElementType is {tags.get('elementtype', 'absent')[:40]!r}; one of "
            f"{', '.join(f'MET_{name.upper()}' for name in TYPES.values())} was expected"
        )
    if not _says(path, tags, "binarydata", True):
        raise FormatError(f"{path}: its voxels are written as text, which is not read; save it as binary")
    orders = [name for name in ("elementbyteordermsb", "binarydatabyteordermsb") if name in tags]
    order: Literal["<", ">"] = ">" if orders and _says(path, tags, orders[0], False) else "<"
    channels = tags.get("elementnumberofchannels", "1")
    if not (channels.isascii() and channels.isdigit() and 1 <= int(channels) < 1 << 16):
        raise FormatError(
            f"{path}: ElementNumberOfChannels is {channels[:20]!r}; a number above zero was expected"
        )
    shape = sizes[::-1] if channels == "1" else (*sizes[::-1], int(channels))
    name, file, start = tags["elementdatafile"], path, end
    if name.split()[:1] == ["LIST"] or re.match(r".*%.*d", name):
        raise FormatError(
            f"{path}: its voxels lie in several files, which are not read; save it as one with the program that "
            f"wrote it"
        )
    if name.upper() != "LOCAL":
        file, start = file_beside(path, name), 0
    skip = tags.get("headersize", "0")
    packed = _says(path, tags, "compresseddata", False)
    if not re.fullmatch(r"-1|\d{1,12}", skip, re.ASCII) or (packed and skip == "-1"):
        raise FormatError(
            f"{path}: HeaderSize is {skip[:20]!r}; a number of bytes was expected, or -1 of what is not packed"
        )
    start = -1 if skip == "-1" else start + int(skip)
    return Voxels(file, start, shape, np.dtype(code).newbyteorder(order), "zlib" if packed else "")


def _says(path: Path, tags: Mapping[str, str], name: str, otherwise: bool) -> bool:
    """Read a tag of True or False, of which MetaIO looks at the first letter."""
    said = tags.get(name, str(otherwise)).strip().lower()
    if said[:1] not in ("t", "f", "0", "1"):
        raise FormatError(f"{path}: {name} is {said[:20]!r}; True or False was expected")
    return said[0] in "t1"


def read(path: Path, match: Match) -> Image:
    """Read the tags of a MetaImage file; its voxels are mapped, or unpacked, when they are read.

    Result: a volume of the axes z, y and x; an image where there are fewer, more, or several channels, which come last.
    `metadata` holds `tags`, every one of the header, and `warnings`, what was assumed.
    """
    tags, end = read_tags(path)
    voxels = _voxels(path, tags, end)
    count = len(tags["dimsize"].split())
    directions = _directions(path, tags, count)
    names = [*"xyz", *(f"image {place}" if place else "image" for place in range(count))][:count]
    if len(voxels.shape) > count:
        names, directions = ["channel", *names], [Direction((), ""), *directions]
    comment = tags.get("comment", "")
    metadata: dict[str, Any] = {
        "format": match.dialect,
        "why": match.why,
        "tags": tags,
        "unit": comment.removeprefix(UNIT).removesuffix("; labels") if comment.startswith(UNIT) else "",
    }
    if comment.endswith("; labels"):
        metadata["labels"] = True
    place = next((tags[name] for name in ("offset", "position", "origin") if name in tags), "")
    origin = decimals(path, "Offset", place.split())
    return image_of(path, array_of(path, voxels), names, directions, origin, _ASSUMED, metadata)


def _directions(path: Path, tags: Mapping[str, str], count: int) -> list[Direction]:
    """Return how each axis lies in space: its spacing along its row of the matrix."""
    spacing = next((tags[name] for name in ("elementspacing", "elementsize") if name in tags), "")
    steps = decimals(path, "ElementSpacing", spacing.split()) if spacing else (Decimal(1),) * count
    matrix_text = next(
        (tags[name] for name in ("transformmatrix", "rotation", "orientation") if name in tags), ""
    )
    identity = [Decimal(int(row == column)) for row in range(count) for column in range(count)]
    matrix = decimals(path, "TransformMatrix", matrix_text.split()) if matrix_text else identity
    if len(steps) != count or len(matrix) != count * count:
        raise FormatError(
            f"{path}: has {len(steps)} spacings and a matrix of {len(matrix)} numbers for {count} axes; copy it again"
        )
    said = tags.get("distanceunits", "").strip()
    unit = "" if said in ("", "?") else said
    directions = []
    for row, step in enumerate(steps):
        if row >= len("xyz"):  # a series: its distances are none of space
            directions.append(Direction((), ""))
            continue
        vector = matrix[row * count : row * count + count]
        length = step if spacing else Decimal(0)  # of what tells no spacing, none is known
        directions.append(Direction(tuple(part * length for part in vector), unit))
    return directions


FORMAT = Format(
    name="metaimage",
    title="MetaImage",
    suffixes=(".mha", ".mhd"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume"}),
    resumes=True,
)
