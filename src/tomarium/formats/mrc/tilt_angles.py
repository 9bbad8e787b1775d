"""Tilt angles of an MRC stack: from text files beside it, or from its extended header.

Sources: MRC2014 (Cheng et al., J. Struct. Biol. 192 (2015) 146, doi:10.1016/j.jsb.2015.04.002), IMOD's
description of MRC headers (SERI, AGAR), and FEI's of its extended headers (FEI1, FEI2).
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.opening.angle_file import numbers
from tomarium.model import Value

# Endings of the text files IMOD and SerialEM write beside a stack, the first that is there wins.
BESIDE: Final = (".rawtlt", ".tlt")
# A reconstruction lies beside its tilt series and shares its name, so the angles beside it are not its own.
RECONSTRUCTIONS: Final = (".rec",)
_LONGEST_MDOC: Final = 64 << 20
_SECTION: Final = re.compile(r"^[ \t]*\[ZValue[ \t]*=[ \t]*(\d{1,9})[ \t]*\][ \t\r]*$", re.MULTILINE)
_TILT: Final = re.compile(r"^\s*TiltAngle\s*=\s*(\S+)\s*$", re.MULTILINE)


def tilt_angles(
    path: Path, count: int, kind: bytes, extended: bytes, per_section: tuple[int, int], order: str
) -> Value[NDArray[np.float64]] | None:
    """Find the tilt angle of each section.

    `per_section`: the header's numbers at bytes 128 and 130, which say how an extended header of SerialEM is
    made. Result, shape (n,): degrees; None where nothing tells them. A text file beside is taken as it is,
    even where its length is not `count`, so that it is refused in words later.
    """
    if path.suffix.lower() not in RECONSTRUCTIONS:
        for file in (path.with_suffix(ending) for ending in BESIDE):
            if file.is_file() and file != path:
                return Value(numbers(file), "read", file.name)
        mdoc = path.with_name(f"{path.name}.mdoc")
        if mdoc.is_file():
            return Value(_from_mdoc(mdoc), "read", mdoc.name)
    angles = _from_extended(count, kind, extended, per_section, order)
    if angles is None or not np.isfinite(angles).all() or (count > 1 and not np.ptp(angles)):
        return None
    if float(np.abs(angles).max()) > 360.0:
        return None
    return Value(angles, "read", f"{path.name}: extended header {_kind_text(kind)}")


def _kind_text(kind: bytes) -> str:
    return kind.decode("latin-1").strip("\0 ") or "without a name"


def _from_mdoc(file: Path) -> NDArray[np.float64]:
    try:
        if file.stat().st_size > _LONGEST_MDOC:
            raise FormatError(f"{file}: has {file.stat().st_size} bytes, too many for an .mdoc; move it away")
        text = file.read_text("utf-8", "replace")
        parts = _SECTION.split(text)
        if len(parts) == 1:  # no sections of a stack: the angles of files, in their order
            return np.asarray(
                [float(text_of_angle) for text_of_angle in _TILT.findall(text)], dtype=np.float64
            )
        # Before the first section, then the number and the text of each.
        angles_by_number = {
            int(number): _TILT.findall(part) for number, part in zip(parts[1::2], parts[2::2], strict=True)
        }
        angles = [float(angle) for number in sorted(angles_by_number) for angle in angles_by_number[number]]
    except OSError as problem:
        raise FormatError(f"{file}: cannot be read ({problem.strerror}); check its permissions") from problem
    except ValueError as problem:
        raise FormatError(
            f"{file}: a TiltAngle is no number ({problem}); mend it or move it away"
        ) from problem
    if len(angles_by_number) != len(parts) // 2 or sorted(angles_by_number) != list(
        range(len(angles_by_number))
    ):
        raise FormatError(
            f"{file}: its sections are not numbered ZValue = 0 to {len(parts) // 2 - 1}, each once, so its angles "
            f"belong to no sections; mend it or move it away"
        )
    return np.asarray(angles, dtype=np.float64)


def _from_extended(
    count: int, kind: bytes, extended: bytes, per_section: tuple[int, int], order: str
) -> NDArray[np.float64] | None:
    if kind in (b"FEI1", b"FEI2"):  # a record begins with its own size; alpha tilt is a double at byte 100
        size = struct.unpack_from("<i", extended)[0] if len(extended) >= 4 else 0
        return _column(extended, size, 100, "<f8", 1.0, count) if size >= 108 else None
    bytes_each, flags = per_section
    if kind == b"SERI":  # bit 0 of the flags: hundredths of a degree come first
        return _column(extended, bytes_each, 0, f"{order}i2", 0.01, count) if flags & 1 else None
    if (
        kind == b"AGAR" and 0 <= bytes_each < 1024 and 0 < flags < 1024
    ):  # so many integers, then so many reals
        return _column(extended, 4 * (bytes_each + flags), 4 * bytes_each, f"{order}f4", 1.0, count)
    if kind.strip(b"\0 ") == b"" and len(extended) == 1024 * 128 and count <= 1024:  # FEI before FEI1
        return _column(extended, 128, 0, f"{order}f4", 1.0, count)
    return None


def _column(
    extended: bytes, size: int, offset: int, dtype: str, scale: float, count: int
) -> NDArray[np.float64] | None:
    """Take one field of every record; None where there are not enough records."""
    if size < offset + np.dtype(dtype).itemsize or size * count > len(extended):
        return None
    records = np.frombuffer(extended, np.uint8, size * count).reshape(count, size)
    field = np.ascontiguousarray(records[:, offset : offset + np.dtype(dtype).itemsize])
    return np.round(field.view(dtype)[:, 0].astype(np.float64) * scale, 12)
