"""OLE2 compound files for reading: streams by name, where their bytes lie, and limits on both.

Source: [MS-CFB], Compound File Binary File Format. The container is parsed by olefile; whatever size a file
claims, no more is read than it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, TomariumError

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@contextmanager
def opened_ole(path: Path) -> Iterator[Any]:
    """Open a compound file."""
    import olefile

    try:
        with path.open("rb") as stream, olefile.OleFileIO(stream) as ole:
            yield ole
    except TomariumError:
        raise
    except FileNotFoundError as problem:
        raise FormatError(f"{path}: this file is gone; restore it or open the scan again") from problem
    except (
        Exception
    ) as problem:  # olefile raises what its parsing runs into: IndexError, struct.error, OSError …
        raise FormatError(
            f"{path}: cannot be read as OLE2 ({type(problem).__name__}: {problem}); the file is damaged, so copy "
            f"it again from its origin"
        ) from problem


def stream_names(ole: Any) -> list[str]:
    """List the streams."""
    return ["/".join(parts) for parts in ole.listdir(streams=True, storages=False)]


def stream_bytes(ole: Any, path: Path, name: str, most: int) -> bytes:
    """Read a stream."""
    size = int(ole.get_size(name))
    most = min(most, path.stat().st_size)
    if size > most:
        raise FormatError(
            f"{path}: its stream {name} claims {size} bytes, {most} were expected at most; copy it again"
        )
    content = bytes(ole.openstream(name).read())
    if len(content) != size:
        raise FormatError(
            f"{path}: is truncated: its stream {name} has {len(content)} of {size} bytes; copy it again"
        )
    return content


def stream_offset(ole: Any, path: Path, name: str) -> int | None:
    """Find where a stream's bytes lie, and make sure that the file holds them all.

    Result: byte of the file at which it begins; None where its sectors are scattered or lie in the mini
    stream.
    """
    entry = ole.direntries[ole._find(name)]
    size, first, sector = int(entry.size), int(entry.isectStart), int(ole.sector_size)
    if entry.is_minifat or not size:
        stream_bytes(ole, path, name, size)
        return None
    if size > path.stat().st_size:
        raise _truncated(path, name, size)
    count = -(-size // sector)
    table = np.frombuffer(ole.fat, np.uint32)
    plain = np.arange(first, first + count, dtype=np.uint64)
    in_one_piece = np.array_equal(table[first : first + count - 1], plain[1:])
    chain = plain if in_one_piece else _chain(table, first, count)
    if len(chain) < count:
        raise _truncated(path, name, size)
    # [MS-CFB] 2.1: the header takes the place before sector 0; the last sector need not be full.
    ends = (chain + 1) * sector + np.minimum(sector, size - np.arange(count) * sector).astype(np.uint64)
    if int(ends.max()) > path.stat().st_size:
        raise _truncated(path, name, size)
    return (first + 1) * sector if in_one_piece else None


def _chain(table: NDArray[np.uint32], first: int, count: int) -> NDArray[np.uint64]:
    """Follow the sectors of a stream; the chain is shorter than `count` where it breaks off."""
    sectors = [first]
    while len(sectors) < count and sectors[-1] < len(table):
        sectors.append(int(table[sectors[-1]]))
    return np.array(sectors, np.uint64) if sectors[-1] < len(table) else np.zeros(0, np.uint64)


def _truncated(path: Path, name: str, size: int) -> FormatError:
    return FormatError(
        f"{path}: is truncated: some of the {size} bytes of its stream {name} lie beyond its end; copy it again"
    )
