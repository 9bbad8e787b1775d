"""MRC: images, volumes and tilt series, read and written.

Source: MRC2014 (Cheng et al., J. Struct. Biol. 192 (2015) 146, doi:10.1016/j.jsb.2015.04.002); mode 12 and the
IMOD fields as in its later registry. Offsets below are bytes from the begin of the file.

A stack is a scan where something tells its tilt angles: a `.rawtlt`, `.tlt` or `.mdoc` beside it, its extended
header, or the user (`angles_deg`). Otherwise it is what its header calls it: a volume (ISPG 1 and above) or a
stack of images (ISPG 0); no angles are assumed, since half a turn is wrong for most tilt series. Rows keep the
order of the file.
"""

from __future__ import annotations

import base64
import math
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.memory_mapped import MappedArray
from tomarium.formats.mrc.tilt_angles import tilt_angles
from tomarium.formats.mrc.writer import write
from tomarium.formats.opening.image_user_values import ImageFrames
from tomarium.formats.opening.pixel_aspect import aspect_of
from tomarium.formats.opening.unpacked import bare, head_of, opened, size_of
from tomarium.model import Axis, FrameKind, Geometry, Image, Scan, Value, Volume

Order: TypeAlias = Literal["<", ">"]

HEADER_BYTES: Final = 1024
ANGSTROM_M: Final = 1e-10
MODES: Final = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
REFUSED_MODES: Final = {3: "complex integers", 4: "complex numbers", 101: "half bytes"}
# MACHST: two hexadecimal digits each for real numbers and integers.
BYTE_ORDERS: Final[dict[bytes, Order]] = {b"\x44\x44": "<", b"\x44\x41": "<", b"\x11\x11": ">"}
# IMOD signs its files with this number at 152; bit 0 at 156 then says that bytes are signed.
_IMOD: Final = 1146047817
# MRC2014: space groups 401 to 630 are stacks of volumes, MZ sections each.
_STACKS_OF_VOLUMES: Final = 401
_LONGEST_EXTENDED: Final = 256 << 20
_UNIT_LABEL: Final = "unit of the values: "


@dataclass(frozen=True)
class Header:
    """What the first 1024 bytes say."""

    size: tuple[int, int, int]  # sections, rows, columns
    dtype: np.dtype[Any]  # type of a pixel, in the byte order of the file
    extended: int  # bytes of the extended header
    space_group: int  # 0 for a stack of images, 1 for a volume, 401 and above for a stack of volumes
    cell_m: tuple[float, float, float]  # edge of a voxel along (z, y, x) in m; 0 where it is not known
    origin_m: tuple[float, float, float]  # coordinate of the first voxel (z, y, x) in m
    labels: tuple[str, ...]  # up to ten texts
    kind: bytes
    per_section: tuple[int, int]  # the numbers at 128 and 130
    order: Order  # "<" or ">"
    repaired: str = ""  # what was repaired, or ""
    surplus: int = 0  # bytes of the file behind the last pixel
    depth: int = 1  # MZ, sections of one volume in a stack of volumes

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all pixels."""
        return math.prod(self.size) * self.dtype.itemsize


def detect(path: Path) -> Match | None:
    """Look for the word MAP at byte 208."""
    head = _head(path)
    if head is None or head[208:211] != b"MAP":
        return None
    try:
        header = parse(head, path)
        tilted = _angles(path, header) is not None
    except FormatError as problem:
        return no_match(str(problem))
    content = "volume" if header.space_group else "stack of images"
    dialect = "tilt series" if tilted else content
    why = f"MAP stands at byte 208, and space group {header.space_group} says a {content} of {header.size[0]} sections"
    return Match(0.9, dialect, f"{why}; tilt angles are known" if tilted else why)


def _head(path: Path) -> bytes | None:
    head = head_of(path, HEADER_BYTES)
    return head if len(head) == HEADER_BYTES else None


def parse(head: bytes, path: Path) -> Header:
    """Read a header."""
    order, repaired = _byte_order(head, path)
    columns, rows, sections, mode = struct.unpack_from(f"{order}4i", head, 0)
    intervals = struct.unpack_from(f"{order}3i", head, 28)
    cell = struct.unpack_from(f"{order}3f", head, 40)
    maps = struct.unpack_from(f"{order}3i", head, 64)
    space_group, extended = struct.unpack_from(f"{order}2i", head, 88)
    origin = struct.unpack_from(f"{order}3f", head, 196)
    count = struct.unpack_from(f"{order}i", head, 220)[0]
    if mode not in MODES:
        mode_name = REFUSED_MODES.get(mode, "not of the standard")
        raise FormatError(
            f"{path}: its mode is {mode}, {mode_name}; modes {', '.join(map(str, MODES))} are read, so convert it"
        )
    if min(columns, rows, sections) < 1:
        raise FormatError(f"{path}: its header says {columns} x {rows} x {sections} pixels; copy it again")
    if maps not in ((1, 2, 3), (0, 0, 0)):
        raise FormatError(
            f"{path}: its axes are stored in the order {maps}; only (1, 2, 3) is read, so turn it round first"
        )
    if not 0 <= extended <= _LONGEST_EXTENDED or not 0 <= space_group <= 630 or not 0 <= count <= 10:
        raise FormatError(
            f"{path}: its header says {extended} bytes of extended header, space group {space_group} and {count} "
            f"labels, which cannot be; copy it again"
        )
    dtype = np.dtype(MODES[mode])
    if mode == 0 and struct.unpack_from(f"{order}2i", head, 152)[0] == _IMOD:
        signed = struct.unpack_from(f"{order}i", head, 156)[0] & 1
        dtype = np.dtype("i1" if signed else "u1")
    header = Header(
        size=(sections, rows, columns),
        dtype=dtype.newbyteorder(order),
        extended=extended,
        space_group=space_group,
        cell_m=_lengths(cell, intervals),
        origin_m=_finite(origin),
        labels=tuple(head[224 + 80 * i : 304 + 80 * i].decode("latin-1").strip("\0 ") for i in range(count)),
        kind=head[104:108],
        per_section=struct.unpack_from(f"{order}2h", head, 128),
        order=order,
        repaired=repaired,
    )
    bytes_needed = HEADER_BYTES + extended + header.pixel_bytes
    size = size_of(path)
    if size < bytes_needed:
        raise FormatError(
            f"{path}: is truncated: {sections} sections of {rows} x {columns} pixels of {dtype} and headers need "
            f"{bytes_needed} bytes, the file has {size}; copy it again"
        )
    if space_group >= _STACKS_OF_VOLUMES and (intervals[2] < 1 or sections % intervals[2]):
        raise FormatError(
            f"{path}: is a stack of volumes of {intervals[2]} sections (MZ) and has {sections} sections, which is no "
            f"whole number of them; copy it again"
        )
    return replace(header, surplus=size - bytes_needed, depth=max(1, intervals[2]))


def _byte_order(head: bytes, path: Path) -> tuple[Order, str]:
    stamp = head[212:214]
    if stamp in BYTE_ORDERS:
        return BYTE_ORDERS[stamp], ""
    orders: tuple[tuple[Order, str], ...] = (("<", "little"), (">", "big"))
    for order, name in orders:  # a mode of more than 101 is read the wrong way round
        if 0 <= struct.unpack_from(f"{order}i", head, 12)[0] <= 101:
            return order, f"the machine stamp {stamp.hex()} is unknown; its numbers say {name}-endian"
    raise FormatError(
        f"{path}: neither its machine stamp {stamp.hex()} nor its mode tells the byte order; copy it again"
    )


def _lengths(cell: tuple[float, ...], intervals: tuple[int, ...]) -> tuple[float, float, float]:
    """Return the edges of a voxel (z, y, x) in m; zeros where one of them is not known."""
    edges = [
        length / number if number > 0 and math.isfinite(length) and length > 0 else 0.0
        for length, number in zip(cell, intervals, strict=True)
    ]
    x, y, z = map(_metres, edges)
    return (z, y, x)


def _metres(angstroms: float) -> float:
    """Turn what a float32 says in Å into m: the shortest decimal it stands for, 6500 Å and not 6500.00003."""
    return float(f"{float(str(np.float32(angstroms))) * ANGSTROM_M:.15g}")


def _finite(origin: tuple[float, ...]) -> tuple[float, float, float]:
    x, y, z = (_metres(value) if math.isfinite(value) else 0.0 for value in origin)
    return (z, y, x)


def _read_extended(path: Path, header: Header) -> bytes:
    with opened(path) as stream:
        stream.seek(HEADER_BYTES)
        return stream.read(header.extended) or b""


def _angles(path: Path, header: Header) -> Value[Any] | None:
    if header.size[0] < 2:
        return None
    extended = _read_extended(path, header)
    return tilt_angles(bare(path), header.size[0], header.kind, extended, header.per_section, header.order)


def read(path: Path, match: Match) -> Scan | Image:
    """Read the header of an MRC file.

    Result: a scan where tilt angles are known; lengths in m, "px" where the cell is not known.
    """
    head = _head(path)
    if head is None:
        raise FormatError(f"{path}: has no MRC header of {HEADER_BYTES} bytes; copy it again")
    header = parse(head, path)
    offset = HEADER_BYTES + header.extended
    angles = _angles(path, header)
    metadata = _metadata(path, header)
    if angles is not None:
        return _scan(
            path, match, header, MappedArray(path, offset, header.size, header.dtype), angles, metadata
        )
    single = header.size[0] == 1
    axes = _axes(header)[1:] if single else _axes(header)
    shape: tuple[int, ...] = header.size[1:] if single else header.size
    if header.space_group >= _STACKS_OF_VOLUMES:
        axes = (Axis("volume", unit=""), *_axes(header))
        shape = (header.size[0] // header.depth, header.depth, *header.size[1:])
    data = MappedArray(path, offset, shape, header.dtype)
    unit = next(
        (text.removeprefix(_UNIT_LABEL) for text in header.labels if text.startswith(_UNIT_LABEL)), ""
    )
    kind = Volume if [axis.name for axis in axes] == ["z", "y", "x"] else Image
    return kind(data, axes, unit, bare(path).stem, path, metadata)


def _axes(header: Header) -> tuple[Axis, ...]:
    first = "z" if header.space_group else "image"
    names = (first, "y", "x")
    # A stack of images has a pixel size and no distance between its images.
    calibrated = all(header.cell_m if header.space_group else header.cell_m[1:])
    return tuple(
        Axis(name, length, start, "m")
        if calibrated and name != "image"
        else Axis(name, unit="" if name == "image" else "px")
        for name, length, start in zip(names, header.cell_m, header.origin_m, strict=True)
    )


def _metadata(path: Path, header: Header) -> dict[str, Any]:
    metadata: dict[str, Any] = {"/labels": list(header.labels), "/space_group": header.space_group}
    if header.extended:
        metadata["/extended_header_type"] = header.kind.decode("latin-1").strip("\0 ")
        metadata["/extended_header_base64"] = base64.b64encode(_read_extended(path, header)).decode("ascii")
    if header.repaired:
        metadata["repaired"] = [header.repaired]
    if header.surplus:
        metadata["notes"] = [_surplus(header)]
    if not all(header.cell_m if header.space_group else header.cell_m[1:]):
        metadata["uncalibrated"] = True
    return metadata


def _surplus(header: Header) -> str:
    return (
        f"{header.surplus} bytes lie behind the last pixel its header tells of; if the extended header is longer than "
        f"it says, every pixel is in the wrong place"
    )


def _scan(
    path: Path, match: Match, header: Header, data: MappedArray, angles: Value[Any], metadata: dict[str, Any]
) -> Scan:
    _, height, pixel = header.cell_m
    across, upright = (
        Value(value, "read", f"{path.name}: CELLA / M{axis}") for value, axis in ((pixel, "X"), (height, "Y"))
    )
    return Scan(
        path=path,
        name=bare(path).stem,
        format=FORMAT.name,
        dialect=match.dialect,
        why=match.why,
        projections=ImageFrames(data),
        geometry=Geometry(
            angles_deg=angles, pixel_m=across if pixel else None, pixel_aspect=aspect_of(across, upright)
        ),
        counts={FrameKind.PROJECTION: header.size[0]},
        metadata={f"/{key.lstrip('/')}": Value(value, "read", path.name) for key, value in metadata.items()},
        repaired=(header.repaired,) if header.repaired else (),
        warnings=(
            "MRC has no flat and dark fields; say in the protocol what its values are",
            *([_surplus(header)] if header.surplus else []),
            "the tilt axis was taken to lie along the columns of pixels, as in an aligned stack",
        ),
    )


FORMAT = Format(
    name="mrc",
    title="MRC2014",
    suffixes=(".mrc", ".mrcs", ".map", ".rec", ".st", ".ali", ".ccp4"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume", "image"}),
    resumes=True,
    rounds=True,
)
