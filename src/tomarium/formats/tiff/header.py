"""The head of an uncompressed TIFF or BigTIFF file: all its directories first, then all its pixels in one piece.

So slices can be written in any order, and a reader finds every page without walking through the pixels. Source:
TIFF 6.0 (Adobe, 1992), sections 2, 4 and 8; the BigTIFF design (version 43, offsets of 8 bytes); ImageJ's
TiffDecoder and TiffEncoder for the description; the OME-TIFF specification with the OME schema 2016-06.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TypeAlias
from xml.etree import ElementTree

import numpy as np

from tomarium import __version__
from tomarium.errors import InputError

# Offsets of classic TIFF have 32 bits.
CLASSIC_LIMIT: Final = 1 << 32
_WORD: Final = (1 << 32) - 1
_ALIGNED: Final = 4096
# Room for numbers that are known only at the end.
_ROOM: Final = 256
_SHORT, _LONG, _RATIONAL, _ASCII, _LONG8 = 3, 4, 5, 2, 16
_SAMPLE_FORMATS: Final = {"u": 1, "i": 2, "f": 3}
OME_TYPES: Final = {
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "int8": "int8", "int16": "int16",
    "int32": "int32", "float32": "float", "float64": "double",
}  # fmt: skip
OME_NAMESPACE: Final = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


@dataclass(frozen=True)
class TiffPlan:
    """What a stack of pages holds."""

    shape: tuple[int, int, int]  # pages, rows, columns
    dtype: np.dtype[Any]  # type of a pixel: integers or floats of 8 to 64 bits
    voxel_m: tuple[float, float, float] | None  # distance of pages, rows and columns, m
    unit: str  # unit of the values
    name: str
    ome: bool  # describe the stack in OME-XML; else as ImageJ does
    # the values that the least and the greatest integer stand for, where values were scaled to integers
    grey_range: tuple[float, float] | None

    @property
    def is_big(self) -> bool:
        """Whether offsets need 64 bits; room for the directories is counted generously."""
        pixels = math.prod(self.shape) * self.dtype.itemsize
        return pixels + self.shape[0] * 256 + (1 << 20) >= CLASSIC_LIMIT


def tiff_head(plan: TiffPlan, shown: tuple[float, float] | None = None) -> bytes:
    """Return everything that stands before the first pixel.

    `shown`: values viewers show as black and white to begin with; the head has the same length with and
    without. Result: a multiple of 4096; of 16 for one page.
    """
    described = (_ome_xml(plan) if plan.ome else _imagej_text(plan, shown)).encode()
    plain = described if plan.ome else _imagej_text(plan, None).encode()
    room = -(-(len(plain) + 1 + _ROOM) // 16) * 16
    big = plan.is_big
    width, prefix = (20, 8) if big else (12, 2)
    start = 16 if big else 8
    resolution_at = start
    description_at = resolution_at + 16
    first_at = description_at + room
    resolutions = [_rational(value) for value in _resolutions(plan)]
    entries = _entries(plan, description_at, room, resolutions if big else [resolution_at, resolution_at + 8])
    first, further_entries = entries, [entry for entry in entries if entry[0] != 270]
    lengths = [
        prefix + width * len(entries_of_page) + (8 if big else 4)
        for entries_of_page in (first, further_entries)
    ]
    end = first_at + lengths[0] + (plan.shape[0] - 1) * lengths[1]
    aligned = _ALIGNED if plan.shape[0] > 1 else 16
    data_at = -(-end // aligned) * aligned
    head = bytearray(data_at)
    head[:start] = struct.pack("<2sHHHQ", b"II", 43, 8, 0, first_at) if big else struct.pack(
        "<2sHI", b"II", 42, first_at
    )  # fmt: skip
    head[resolution_at : resolution_at + 16] = b"".join(resolutions)
    head[description_at : description_at + len(described)] = described
    pages = plan.shape[0]
    page_bytes = plan.shape[1] * plan.shape[2] * plan.dtype.itemsize
    second_at = first_at + lengths[0]
    head[first_at:second_at] = _directory(first, big, data_at, second_at if pages > 1 else 0)
    if pages > 1:
        template = np.frombuffer(_directory(further_entries, big, 0, 0), np.uint8)
        directories = np.tile(template, (pages - 1, 1))
        place = prefix + width * [other[0] for other in further_entries].index(273) + (12 if big else 8)
        number = np.dtype("<u8" if big else "<u4")
        offsets = data_at + page_bytes * np.arange(1, pages, dtype=np.int64)
        following = second_at + lengths[1] * np.arange(1, pages, dtype=np.int64)
        following[-1] = 0
        for column, values in ((place, offsets), (lengths[1] - number.itemsize, following)):
            directories[:, column : column + number.itemsize] = (
                values.astype(number).view(np.uint8).reshape(pages - 1, -1)
            )
        head[second_at : second_at + directories.size] = directories.tobytes()
    return bytes(head)


Entry: TypeAlias = tuple[int, int, int, int | bytes]
"""Tag, type, count, and the value or its offset; bytes stand in the entry as they are."""


def _entries(
    plan: TiffPlan, description_at: int, room: int, resolutions: Sequence[int | bytes]
) -> list[Entry]:
    """List the entries of a directory by rising tag; a rational stands in one of BigTIFF, beside one of TIFF."""
    _, rows, columns = plan.shape
    whole = _LONG8 if plan.is_big else _LONG
    return [
        (256, _LONG, 1, columns),
        (257, _LONG, 1, rows),
        (258, _SHORT, 1, 8 * plan.dtype.itemsize),
        (259, _SHORT, 1, 1),  # no compression
        (262, _SHORT, 1, 1),  # zero is black
        (270, _ASCII, room, description_at),
        (273, whole, 1, 0),
        (277, _SHORT, 1, 1),
        (278, _LONG, 1, rows),  # one strip
        (279, whole, 1, rows * columns * plan.dtype.itemsize),
        (282, _RATIONAL, 1, resolutions[0]),
        (283, _RATIONAL, 1, resolutions[1]),
        (296, _SHORT, 1, 1 if not plan.ome or plan.voxel_m is None else 3),
        (339, _SHORT, 1, _SAMPLE_FORMATS[plan.dtype.kind]),
    ]


def _directory(entries: list[Entry], big: bool, data_at: int, following: int) -> bytes:
    parts = [struct.pack("<Q" if big else "<H", len(entries))]
    for tag, kind, count, value in entries:
        content = data_at if tag == 273 else value
        parts.append(struct.pack("<HHQ" if big else "<HHI", tag, kind, count))
        parts.append(content if isinstance(content, bytes) else struct.pack("<Q" if big else "<I", content))
    return b"".join([*parts, struct.pack("<Q" if big else "<I", following)])


def _resolutions(plan: TiffPlan) -> tuple[Fraction | None, Fraction | None]:
    """Return the resolution along x and y: pixels per µm for ImageJ, per cm for OME."""
    if plan.voxel_m is None:
        return None, None
    unit = Fraction(1, 100) if plan.ome else Fraction(1, 10**6)
    _, y, x = (unit / Fraction(Decimal(repr(float(length)))) for length in plan.voxel_m)
    return x, y


def _rational(value: Fraction | None) -> bytes:
    """Return numerator and denominator in 32 bits each; 1 where there is no value."""
    ratio = Fraction(1) if value is None else value
    limit = _WORD
    while ratio.numerator > _WORD or ratio.denominator > _WORD:
        limit //= 2
        ratio = (Fraction(1) if value is None else value).limit_denominator(max(1, limit))
        if limit == 0:
            return struct.pack("<II", 1, 1)
    return struct.pack("<II", ratio.numerator, ratio.denominator)


def _imagej_text(plan: TiffPlan, shown: tuple[float, float] | None) -> str:
    """Describe a stack as ImageJ does; lines it does not know are kept by it and have no effect."""
    pages = plan.shape[0]
    lines = ["ImageJ=1.54f"]
    if pages > 1:
        lines += [f"images={pages}", f"slices={pages}"]
    if plan.voxel_m is not None:
        lines += ["unit=micron", f"spacing={_um(plan.voxel_m[0])}"]
    lines += ["loop=false", f"tomarium={'volume' if pages > 1 else 'image'} {__version__}"]
    for key, value in _ours(plan).items():
        lines.append(f"{key}={value}")
    if shown is not None and all(map(math.isfinite, shown)):
        lines += [f"min={shown[0]!r}", f"max={shown[1]!r}"]
    return "\n".join(lines) + "\n"


def _ours(plan: TiffPlan) -> Mapping[str, str]:
    """Return what only tomarium reads back."""
    values = {"value_name": plan.name, "value_unit": plan.unit}
    if plan.grey_range is not None:
        values |= {"grey_low": repr(plan.grey_range[0]), "grey_high": repr(plan.grey_range[1])}
    return {key: " ".join(value.split()) for key, value in values.items() if value.strip()}


def _um(length_m: float) -> str:
    return f"{Decimal(repr(float(length_m))).scaleb(6):f}"


def _ome_xml(plan: TiffPlan) -> str:
    if plan.dtype.name not in OME_TYPES:
        raise InputError(f"OME-TIFF holds no {plan.dtype.name}; it holds {', '.join(OME_TYPES)}")
    slices, rows, columns = plan.shape
    root = ElementTree.Element("OME", {"xmlns": OME_NAMESPACE, "Creator": f"tomarium {__version__}"})
    image = ElementTree.SubElement(root, "Image", {"ID": "Image:0", "Name": plan.name or "volume"})
    size = {"SizeX": columns, "SizeY": rows, "SizeZ": slices, "SizeC": 1, "SizeT": 1}
    pixels = ElementTree.SubElement(
        image,
        "Pixels",
        {
            "ID": "Pixels:0",
            "DimensionOrder": "XYZCT",
            "Type": OME_TYPES[plan.dtype.name],
            "BigEndian": "false",
            **{key: str(value) for key, value in size.items()},
        },
    )
    if plan.voxel_m is not None:
        for axis, length in zip("ZYX", plan.voxel_m, strict=True):
            pixels.set(f"PhysicalSize{axis}", _um(length))
            pixels.set(f"PhysicalSize{axis}Unit", "µm")
    ElementTree.SubElement(pixels, "Channel", {"ID": "Channel:0:0", "SamplesPerPixel": "1"})
    ElementTree.SubElement(pixels, "TiffData", {"IFD": "0", "PlaneCount": str(slices)})
    annotations = ElementTree.SubElement(root, "StructuredAnnotations")
    annotation = ElementTree.SubElement(
        annotations, "MapAnnotation", {"ID": "Annotation:0", "Namespace": "tomarium"}
    )
    value_element = ElementTree.SubElement(annotation, "Value")
    for key, value in {"tomarium": "volume", **_ours(plan)}.items():
        ElementTree.SubElement(value_element, "M", {"K": key}).text = value
    xml: bytes = ElementTree.tostring(root, "us-ascii", xml_declaration=False)
    return '<?xml version="1.0" encoding="UTF-8"?>' + xml.decode("ascii")
