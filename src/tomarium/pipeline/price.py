"""What a run costs in memory and in bytes moved."""

from __future__ import annotations

from typing import Final

import numpy as np

from tomarium.model import Scan
from tomarium.pipeline.flow import output_plane
from tomarium.pipeline.protocol import Bound
from tomarium.pipeline.slabs import LARGEST
from tomarium.steps.step import Step

PROGRAM_BYTES: Final = 260_000_000
"""What the interpreter and its libraries take before the first slab, measured with some room."""

PYRAMID: Final = 8.0 / 7.0
"""A multiscale pyramid of 2 x 2 x 2 means adds 1/8 + 1/64 + … = 1/7."""

SPOOL_FACTOR: Final = 3.0
"""A scan is spooled when reading it slab by slab would decompress more than this many times its size."""


def prepared_bytes(scan: Scan) -> int:
    """Return the memory that the averaged reference frames take.

    Parameters
    ----------
    scan : Scan
        The scan.

    Returns
    -------
    int
        Bytes: up to three flats and one dark, float32, of the whole detector.
    """
    _, height, columns = scan.shape
    return 4 * 4 * height * columns


def wants_spool(scan: Scan, rows: slice) -> bool:
    """Tell whether reading by slabs would decompress the same chunks again and again.

    Parameters
    ----------
    scan : Scan
        The scan.
    rows : slice
        Rows wanted.

    Returns
    -------
    bool
        True where the slabs' cost is more than `SPOOL_FACTOR` times that of one pass.
    """
    angles = scan.shape[0]
    _, one_row = scan.projections.cost(angles, slice(rows.start, rows.start + 1))
    _, all_rows = scan.projections.cost(angles, rows)
    count = rows.stop - rows.start
    return bool(count > LARGEST and one_row > SPOOL_FACTOR * all_rows / count * LARGEST)


def slab_peak(scan: Scan, steps: tuple[Bound, ...], rows: int, halo: int, spooled: bool) -> int:
    """Return the memory one slab takes at its worst moment.

    Parameters
    ----------
    scan : Scan
        The scan.
    steps : tuple of Bound
        The steps cut by row.
    rows : int
        Rows the slab makes.
    halo : int
        Rows of context on each side.
    spooled : bool
        Whether it is read from a spool, without decompression.

    Returns
    -------
    int
        Bytes.
    """
    taken = min(rows + 2 * halo, scan.shape[1])
    angles, _, columns = scan.shape
    raw = angles * taken * columns * np.dtype(scan.projections.dtype).itemsize
    if not spooled:
        _, unpacked = scan.projections.cost(1, slice(0, taken))
        raw += 2 * unpacked
    peaks = []
    for b in (b for b in steps if isinstance(b.step, Step)):
        assert isinstance(b.step, Step)
        peaks.append(b.step.peak(b.plain, scan, min(rows + 2 * halo, scan.shape[1])))
        halo -= b.step.halo(b.plain, scan)  # trimmed as soon as no step needs it
    y, x = output_plane(steps, scan)
    written = int(
        4 * rows * y * x * (2 + PYRAMID)
    )  # the block, its chunks packed, and the shard made of them
    return max(raw + peaks[0], *peaks, written)


def spool_block(scan: Scan) -> int:
    """Return how many frames a block of the spool holds.

    Parameters
    ----------
    scan : Scan
        The scan.

    Returns
    -------
    int
        About 64 MB worth of frames as float32, at least one.
    """
    _, rows, columns = scan.shape
    return max(1, 64_000_000 // (4 * rows * columns))
