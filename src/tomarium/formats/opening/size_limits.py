"""How much a file may claim: sizes its own bytes cannot back are refused before memory is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from tomarium.errors import FormatError

# The largest scans of the field hold some 2^37 pixels; an array may claim more only if its bytes are there.
MOST_ELEMENTS: Final = 1 << 40
# Deflate cannot reach 1032 : 1 (its longest match is 258 bytes in two bits); measured images reach 3 : 1.
MOST_RATIO: Final = 200
# A block below this is decoded whatever its ratio: a dark frame that is all zero compresses as a bomb does.
LARGE_BLOCK: Final = 64 << 20
# So much of what a header tells goes to a temporary file whatever its ratio: labels of 1024 cubed voxels.
LARGE_PART: Final = 1 << 30
_MOST_INFLATED: Final = 1 << 36


def check_claim(
    place: str,
    shape: Sequence[int],
    itemsize: int,
    stored: int,
    *,
    block: Sequence[int] | None = None,
    blocks: int | None = None,
) -> None:
    """Refuse an array that claims absurdly more than its file stores.

    `block`: length along each axis of what is decoded at once: a chunk, a tile, a page; None where nothing is
    compressed. `blocks`: how many blocks are stored; None where that is not known.
    """
    claimed = math.prod(shape)
    if claimed > MOST_ELEMENTS and stored < claimed * itemsize // 100:
        raise FormatError(
            f"{place} claims the absurd shape {' × '.join(map(str, shape))}, {claimed} elements, and stores "
            f"{stored} bytes of them; the file is damaged or made to mislead, so take it from its origin"
        )
    if block is None or not stored:
        return
    inside = math.prod(block) * itemsize
    count = math.ceil(claimed * itemsize / max(inside, 1)) if blocks is None else blocks
    large = inside >= LARGE_BLOCK or inside * count >= _MOST_INFLATED
    if large and inside * count > MOST_RATIO * stored:
        raise FormatError(
            f"{place} is a decompression bomb: {stored} stored bytes unpack to {inside * count}, in blocks of "
            f"{inside}; take the file from its origin, or repack it there with smaller chunks"
        )
