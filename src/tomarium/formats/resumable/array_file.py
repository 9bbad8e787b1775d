"""Write an array into one file, block by block, behind a head; a run that was killed goes on after its last block."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_at
from tomarium.errors import FormatError, InputError
from tomarium.formats.frames.blocks import blocks_of
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.resumable.hidden_file import HiddenFile, OnProgress, hidden_file
from tomarium.formats.resumable.value_range import ValueRange, measured, samples_of, value_range
from tomarium.model import Volume

_BLOCK_BYTES: Final = 64 << 20


def write_array(
    hidden: HiddenFile,
    origin: str,
    head: bytes,
    shape: tuple[int, ...],
    stored: np.dtype[Any],
    read: Callable[[slice], NDArray[Any]],
    measure: Callable[[NDArray[Any]], Sequence[Any]],
    on_progress: OnProgress | None,
) -> list[Sequence[Any]]:
    """Write an array along its first axis; blocks that an earlier run of the same origin has written are left.

    `head`: what stands before the array, of the length that it will have. `stored`: type with the file's byte order.
    `read`: reads some entries. `measure`: sums a block up, JSON-ready. Result: what was measured of each block.
    """
    key = f"{origin} {shape} {stored.str} {len(head)} {_BLOCK_BYTES}"
    noted = hidden.blocks(key)
    if noted is None:
        hidden.partial.write_bytes(head)
        hidden.begin(key)
    measures = {start: measures for start, *measures in noted or ()}
    bytes_of_slice = math.prod(shape[1:]) * stored.itemsize
    with hidden.writing() as (file, note), ThreadPoolExecutor(1) as beside:
        for part in blocks_of(shape, stored.itemsize, _BLOCK_BYTES):
            if part.start not in measures:
                block = read(part)
                measuring = beside.submit(measure, block)
                content = np.ascontiguousarray(block, stored).data.cast("B")
                write_at(file, content, len(head) + part.start * bytes_of_slice)
                measures[part.start] = list(measuring.result())
                note((part.start, *measures[part.start]))
            if on_progress is not None:
                on_progress(part.stop * bytes_of_slice, shape[0] * bytes_of_slice)
    return [measures[start] for start in sorted(measures)]


def write_voxels(
    path: Path,
    volume: Volume,
    dtype: np.dtype[Any],
    form: str,
    ending: Callable[[ValueRange], bytes],
    *,
    head: Callable[[], bytes] = bytes,
    resume: bool,
    on_progress: OnProgress | None,
) -> None:
    """Write the voxels of a volume into a file, little-endian.

    `form`: name of what is written, for the origin of an unfinished file. `head`: makes what stands before them.
    `ending`: writes what lies beside the file, once all voxels are there, and returns the head as it is to be.
    """
    z, y, x = volume.shape
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or min(volume.shape) < 1:
        raise InputError(
            f"{path}: a volume of shape {volume.shape} and type {dtype} cannot be written; all lengths must be above "
            f"zero and the type an integer or a float of at most 64 bits"
        )
    if path.exists():
        raise FormatError(f"{path}: exists already; remove it or choose another path")
    origin, count = origin_of(volume, form), samples_of((z, y, x), dtype.itemsize, _BLOCK_BYTES)
    with hidden_file(path, resume=resume and origin != "") as hidden:
        measures = write_array(
            hidden,
            origin,
            head(),
            (z, y, x),
            dtype.newbyteorder("<"),
            lambda part: np.asarray(volume[part]).astype(dtype, copy=False),
            lambda block: measured(block, count),
            on_progress,
        )
        # The texts beside it come first, since a volume without them is none, should this run be killed between.
        final = ending(value_range(measures))
        with hidden.partial.open("r+b") as stream:
            stream.write(final)
