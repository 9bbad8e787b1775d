"""Files of one frame whose bytes are those of another but for the pixels: what was parsed of one holds for the other.

A detector writes thousands of such files; to parse each takes longer than to read some rows of it.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 1 << 14


@dataclass(frozen=True)
class Surroundings:
    """What lies before and behind the pixels of a file."""

    before: bytes
    behind: bytes
    size: int  # of the file

    def are_of(self, path: Path) -> bool:
        """Tell whether another file is of the same size and differs in nothing but its pixels."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return (
                os.fstat(descriptor).st_size == self.size
                and os.pread(descriptor, len(self.before), 0) == self.before
                and os.pread(descriptor, len(self.behind), self.size - len(self.behind)) == self.behind
            )
        finally:
            os.close(descriptor)


def surroundings(path: Path, offset: int, length: int) -> Surroundings | None:
    """Read what lies around the pixels of a TIFF file.

    `offset`, `length`: where the pixels lie. Result: None where that is much, or where the directory that tells of
    the pixels lies among them.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        end = offset + length
        if not 8 <= offset <= end <= size or size - length > _MOST_BYTES:
            return None
        before, behind = os.pread(descriptor, offset, 0), os.pread(descriptor, size - end, end)
    finally:
        os.close(descriptor)
    # TIFF 6.0 section 2, and BigTIFF: the order of bytes, the version, then where the first directory begins.
    order = "<" if before[:2] == b"II" else ">"
    classic = struct.unpack_from(f"{order}H", before, 2)[0] == 42
    if not classic and offset < 16:
        return None
    [directory] = (
        struct.unpack_from(f"{order}I", before, 4) if classic else struct.unpack_from(f"{order}Q", before, 8)
    )
    return None if offset <= directory < end else Surroundings(before, behind, size)
