"""Headers of EDF files: `{ key = value ; … }`, padded to blocks of 512 bytes, then the pixels.

Source: P. Boesecke, "EDF: the ESRF data format" (2013), and the spellings met in files: `FLOAT`, `SignedLong`,
`DoubleValue`, no `Size`, values `Na`, headers of 1024 to 4096 bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.opening.unpacked import Stream, UnpackedStream, packing_of

# A header is a few blocks of 512 bytes; one longer than this is none.
LONGEST_HEADER: Final = 256 * 512
# Spelling without case and "value" → NumPy's type. "Long" is 32 bits: the format is older than 64-bit Unix.
TYPES: Final = {
    "unsignedbyte": "u1", "unsigned8": "u1", "signedbyte": "i1", "signed8": "i1",
    "unsignedshort": "u2", "unsigned16": "u2", "unsignedshortinteger": "u2", "signedshort": "i2",
    "signed16": "i2", "unsignedinteger": "u4", "unsignedlong": "u4", "unsigned32": "u4",
    "signedinteger": "i4", "signedlong": "i4", "signed32": "i4", "unsigned64": "u8", "signed64": "i8",
    "float": "f4", "floatieee32": "f4", "float32": "f4", "double": "f8", "floatieee64": "f8",
    "doubleieee64": "f8", "float64": "f8",
}  # fmt: skip
# NumPy's type → the spelling that is written.
SPELLINGS: Final = {
    "uint8": "UnsignedByte", "int8": "SignedByte", "uint16": "UnsignedShort", "int16": "SignedShort",
    "uint32": "UnsignedInteger", "int32": "SignedInteger", "uint64": "Unsigned64", "int64": "Signed64",
    "float32": "FloatValue", "float64": "DoubleValue",
}  # fmt: skip
_ORDERS: Final = {"lowbytefirst": "<", "highbytefirst": ">"}
_NO_COMPRESSION: Final = ("", "none", "nospecificvalue", "uncompressed")
# More frames than this in one file are no file of the field.
_MOST_FRAMES: Final = 1_000_000
_MOST_GENERAL: Final = 1000  # headers in a row without pixels


@dataclass(frozen=True)
class EdfBlock:
    """One frame of a file: its header, and where its pixels lie."""

    header: Mapping[str, str]  # every key as it stands
    offset: int  # byte of the first pixel, once the file is decompressed
    # rows (Dim_2) and columns (Dim_1, fastest), with a Dim_3 before them where it is more than 1
    shape: tuple[int, ...]
    dtype: np.dtype[Any]  # type of a pixel with the file's byte order
    nbytes: int  # bytes from the first pixel to the next header
    notes: tuple[str, ...]  # what the header lacks and was assumed

    def value(self, key: str) -> str:
        """Return a key's value whatever its case, or "" where it is absent or `Na`."""
        text_found = next((text for name, text in self.header.items() if name.lower() == key.lower()), "")
        return "" if text_found.lower() in ("na", "n.a.") else text_found

    def number(self, key: str) -> float | None:
        """Return a key's value as a number, or None where it is none."""
        try:
            number = float(self.value(key))
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def motors(self) -> dict[str, float]:
        """Return the positions that motor_mne and motor_pos list, or their counters' values."""
        return self.listed("counter") | self.listed("motor")

    def listed(self, kind: str) -> dict[str, float]:
        """Return what two lists tell, of the kind "motor": motor_mne and motor_pos.

        Names and positions that are not as many cannot be told to belong together, so they are left out.
        """
        positions_by_motor: dict[str, float] = {}
        names, positions = self.value(f"{kind}_mne").split(), self.value(f"{kind}_pos").split()
        if len(names) == len(positions):
            for name, text in zip(names, positions, strict=True):
                with suppress(ValueError):
                    positions_by_motor[name] = float(text)
        return positions_by_motor


def is_compressed(path: Path) -> bool:
    """Tell whether a file is gzip or bzip2."""
    with path.open("rb") as stream:
        return packing_of(stream.read(3)) != ""


@contextmanager
def opened_edf(path: Path) -> Iterator[Stream]:
    """Open a file for reading; one that is gzip or bzip2 is unpacked once, within a limit.

    Yields: it, open; what it raises on reading is turned into FormatError.
    """
    try:
        with path.open("rb") as raw:
            packed = packing_of(raw.read(3)) != ""
            raw.seek(0)
            yield UnpackedStream(path) if packed else raw
    except FileNotFoundError as problem:
        raise FormatError(
            f"{path}: this file of the scan is gone; restore it or open the scan again"
        ) from problem
    except (OSError, ValueError) as problem:
        raise FormatError(f"{path}: cannot be read ({problem}); it is damaged, so copy it again") from problem


def first_block(path: Path) -> EdfBlock:
    """Read the first header of a file that has pixels.

    Result: its first frame; whether the pixels are all there is not looked at.
    """
    with opened_edf(path) as stream:
        block = next(_blocks(path, stream), None)
    if block is None:
        raise FormatError(f"{path}: its headers tell of no pixels; it holds no frame")
    return block


def all_blocks(path: Path) -> tuple[EdfBlock, ...]:
    """Read every header of a file."""
    with opened_edf(path) as stream:
        end = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        blocks: list[EdfBlock] = []
        for block in _blocks(path, stream):
            bytes_needed = math.prod(block.shape) * block.dtype.itemsize
            if block.offset + bytes_needed > end:
                raise FormatError(
                    f"{path}: is truncated: frame {len(blocks)} has {bytes_needed} bytes of pixels from byte "
                    f"{block.offset}, the file ends at {end}; copy it again"
                )
            blocks.append(block)
            if len(blocks) > _MOST_FRAMES:
                raise FormatError(f"{path}: tells of more than {_MOST_FRAMES} frames; it is damaged")
    if not blocks:
        raise FormatError(f"{path}: its headers tell of no pixels; it holds no frame")
    return tuple(blocks)


def looks_like_edf(head: bytes) -> bool:
    """Tell whether bytes begin an EDF header."""
    return re.match(rb"\s{0,2}\{\s*[\w][\w .()\-]*=", head) is not None


def _blocks(path: Path, stream: Stream) -> Iterator[EdfBlock]:
    place = empty = 0
    while empty <= _MOST_GENERAL:
        stream.seek(place)
        head = stream.read(512)
        if place and not head.strip(b"\0\r\n\t "):
            return
        if not looks_like_edf(head):
            where = f"at byte {place}" if place else "at its beginning"
            raise FormatError(f"{path}: {where} no EDF header begins, {head[:16]!r} does; copy it again")
        block = _header(path, stream, place, head)
        if block.shape:
            yield block
        empty = 0 if block.shape else empty + 1
        place = block.offset + block.nbytes
    raise FormatError(
        f"{path}: {empty} headers one after the other tell of no pixels; it holds no frame, or is damaged behind byte "
        f"{place}"
    )


def _header(path: Path, stream: Stream, place: int, head: bytes) -> EdfBlock:
    text = head
    while (end := re.search(rb"\}\r?\n", text)) is None:
        more = stream.read(512)
        if not more or len(text) >= LONGEST_HEADER:
            raise FormatError(
                f"{path}: the header at byte {place} has no end within {len(text)} bytes; the file is damaged or "
                f"cut, so copy it again"
            )
        text += more
    body = text[: end.start()].partition(b"{")[2].decode("latin-1")
    pairs = (entry.partition("=") for entry in body.split(";"))
    header = {key.strip(): value.strip() for key, equals, value in pairs if equals}
    return _described(path, header, place + end.end())


def _described(path: Path, header: dict[str, str], offset: int) -> EdfBlock:
    keys = {key.lower(): value for key, value in header.items()}
    sizes = tuple(
        _whole(path, f"Dim_{number}", keys[f"dim_{number}"])
        for number in (3, 2, 1)
        if keys.get(f"dim_{number}")
    )
    size = keys.get("size") or keys.get("edf_binarysize")
    told_bytes = _whole(path, "Size", size) if size else None
    if not sizes:  # a general block, which describes the ones that follow
        return EdfBlock(header, offset, (), np.dtype("V"), told_bytes or 0, ())
    if len(sizes) == 3 and sizes[0] == 1:
        sizes = sizes[1:]
    if min(sizes) < 1 or len(sizes) < 2:
        raise FormatError(
            f"{path}: its header tells of {sizes} pixels; an image has rows and columns above 0"
        )
    if keys.get("compression", "").lower() not in _NO_COMPRESSION:
        raise FormatError(
            f"{path}: its pixels are compressed ({keys['compression']}), which is not read; write it "
            f"uncompressed with the program it comes from"
        )
    notes = []
    order = _ORDERS.get(keys.get("byteorder", "").lower())
    if order is None:
        notes.append(
            f"{path.name}: ByteOrder is {keys.get('byteorder') or 'absent'}; low byte first was assumed"
        )
    if (turned := keys.get("rasterconfiguration", "1")) not in ("", "1"):
        notes.append(
            f"{path.name}: RasterConfiguration is {turned}, so its pixels are turned or mirrored; they are given as "
            f"they are stored"
        )
    if (added := keys.get("datavalueoffset", "0")) and added.strip("+-0.eE") != "":
        notes.append(f"{path.name}: DataValueOffset is {added}, which was not added to its pixels")
    dtype = _type(path, keys.get("datatype", "")).newbyteorder(">" if order == ">" else "<")
    bytes_needed = math.prod(sizes) * dtype.itemsize
    if told_bytes is not None and told_bytes < bytes_needed:
        raise FormatError(
            f"{path}: Size is {told_bytes} bytes, but {sizes} pixels of {dtype.name} need {bytes_needed}; its header "
            f"is wrong, so copy it again"
        )
    return EdfBlock(header, offset, sizes, dtype, told_bytes or bytes_needed, tuple(notes))


def _whole(path: Path, key: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,12}", text):
        raise FormatError(
            f"{path}: {key} is {text!r}, no whole number; its header is damaged, so copy it again"
        )
    return int(text)


def _type(path: Path, text: str) -> np.dtype[Any]:
    plain = text.lower().replace("value", "").replace("_", "").replace(" ", "")
    if plain not in TYPES:
        type_text = f"DataType is {text!r}" if text else "no DataType is given"
        spellings = ", ".join(SPELLINGS.values())
        raise FormatError(f"{path}: {type_text}; known are {spellings}")
    return np.dtype(TYPES[plain])


def edf_bytes(header: Mapping[str, str], pixels: np.ndarray[Any, np.dtype[Any]], number: int = 1) -> bytes:
    """Return one frame as EDF, header first.

    `header`: keys besides those of size and type; values hold no ";" and no braces. `pixels`: any integer or
    float type of at most 64 bits. `number`: number of the frame in its file, from 1. Result: a header of 512
    · k bytes and the pixels, low byte first.
    """
    rows, columns = pixels.shape
    entries = {
        "HeaderID": f"EH:{number:06d}:000000:000000",
        "Image": str(number),
        "ByteOrder": "LowByteFirst",
        "DataType": SPELLINGS[pixels.dtype.newbyteorder("=").name],
        "Dim_1": str(columns),
        "Dim_2": str(rows),
        "Size": str(pixels.nbytes),
        **{key: re.sub(r"[;{}\r\n]+", " ", value) for key, value in header.items()},
    }
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in entries.items())
    body = text.encode("latin-1", "replace")
    padding = -(len(body) + 2) % 512
    little = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    return body + b" " * padding + b"}\n" + little.tobytes()
