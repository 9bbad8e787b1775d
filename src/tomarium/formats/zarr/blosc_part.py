"""A part of what a Blosc chunk holds: only the blocks in which it lies are unpacked.

Source: the format of Blosc 1 (https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst): a header of 16
bytes, where each block begins as int32, then the blocks, each packed by itself and in any order.
"""

from __future__ import annotations

import struct
from typing import Final

from tomarium.formats.zarr.chunk_check import check_packed

_HEADER: Final = struct.Struct("<4sIII")
_FLAGS: Final = 2  # place of the flags in the header
_COPIED: Final = 2  # flag of a chunk that is stored as it was


def unpack_part(content: bytes, size: int, start: int, stop: int) -> bytes:
    """Unpack some bytes of a chunk.

    `content`: the packed chunk. `size`: bytes that it holds. `start`, `stop`: which of them. Raises ValueError,
    RuntimeError: the chunk is damaged.
    """
    from numcodecs import blosc

    check_packed("blosc", content, size)
    head, claimed, block, _ = _HEADER.unpack_from(content)
    if claimed != size or block == 0:
        raise ValueError(f"a chunk says that it holds {claimed} bytes in blocks of {block}; it has {size}")
    if head[_FLAGS] & _COPIED:
        return content[_HEADER.size + start : _HEADER.size + stop]
    count = -(-size // block)
    if len(content) < _HEADER.size + 4 * count:
        raise ValueError(f"a chunk of {len(content)} bytes is truncated")
    first, last = start // block, -(-stop // block)
    if last == count and size % block and first:  # Blosc unpacks no chunk that is smaller than a block
        first = min(first, last - 2)
    places = struct.unpack_from(f"<{count}I", content, _HEADER.size)
    ends = dict(zip(sorted(places), [*sorted(places)[1:], len(content)], strict=True))
    blocks = [content[place : ends[place]] for place in places[first:last]]
    begin = _HEADER.size + 4 * len(blocks)
    begins = [begin + sum(map(len, blocks[:number])) for number in range(len(blocks))]
    held = min(size, last * block) - first * block
    header = _HEADER.pack(head, held, block, begin + sum(map(len, blocks)))
    part: bytes = blosc.decompress(b"".join((header, struct.pack(f"<{len(begins)}I", *begins), *blocks)))
    if len(part) != held:
        raise ValueError(f"a chunk unpacks to {len(part)} bytes where {held} were expected")
    return part[start - first * block : stop - first * block]
