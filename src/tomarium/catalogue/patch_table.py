"""Patches of a volume for learning as one Parquet file: of which split each is, where it lies, and its values.

They are those that `Dataset.patches(size, split=…, number=…, seed=0)` gives, with the default fractions and gaps.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import __version__
from tomarium.errors import InputError
from tomarium.kernels.patch_places import drawn, largest_that_fits, side_by_side
from tomarium.kernels.spatial_blocks import FRACTIONS, SPLITS, Block
from tomarium.model import Volume

LARGEST: Final = 32
"""Voxels along each side of a patch; halved until the volume has blocks for three splits."""
SMALLEST: Final = 8
MOST: Final = 48
"""Patches of all splits together: 6 MB of float32."""
SEED: Final = 0
TYPES: Final = {"bool": "uint8", "float16": "float32"}
"""Type of a volume → type that Parquet has and that holds all of its values; other whole and real numbers stay."""


def write_patch_table(volume: Volume) -> tuple[bytes, dict[str, Any]]:
    """Write patches of a volume.

    Parameters
    ----------
    volume : Volume
        Its finest level is taken.

    Returns
    -------
    bytes, dict
        A Parquet file with the columns `split`, `z`, `y`, `x` (the first voxel) and `values` (lists of lists of lists,
        [z][y][x]); and what a record tells of it: `size`, `dtype`, `counts` and `seed`.

    Raises
    ------
    InputError
        The volume is too small, or its voxels are no real numbers.
    """
    data = volume.levels[0]
    dtype = np.dtype(data.dtype)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise InputError(
            f"the volume has voxels of the type {dtype}; patches hold whole and real numbers alone"
        )
    size, blocks = largest_that_fits(data.shape, LARGEST, SMALLEST)
    if not blocks:
        raise InputError(
            f"the volume of {' × '.join(map(str, data.shape))} voxels has no blocks for three splits with patches of "
            f"{SMALLEST} voxels along each side"
        )
    stored = np.dtype(TYPES.get(dtype.name, dtype.newbyteorder("=")))
    places = list(_places(blocks, size))
    values = np.empty((len(places), size, size, size), stored)
    for patch, (_, (z, y, x)) in zip(values, places, strict=True):
        patch[...] = data[z : z + size, y : y + size, x : x + size]
    splits = [split for split, _ in places]
    content = _parquet(splits, np.array([place for _, place in places], np.int64), values)
    counts = {split: splits.count(split) for split in SPLITS}
    return content, {"size": size, "dtype": stored.name, "counts": counts, "seed": SEED}


def _places(blocks: tuple[Block, ...], size: int) -> Iterator[tuple[str, list[int]]]:
    """Draw places for each split: as many as its fraction of all, and no more than lie side by side in its blocks."""
    for split, fraction in zip(SPLITS, FRACTIONS, strict=True):
        own = [block for block in blocks if block.split == split]
        room = sum(len(side_by_side(block, (size,) * 3)) for block in own)
        places = drawn(own, (size,) * 3, min(round(MOST * fraction), room), SEED)
        for place in np.concatenate(places).tolist():
            yield split, place


def _parquet(splits: list[str], places: NDArray[np.int64], values: NDArray[Any]) -> bytes:
    from arro3.core import Array, DataType, Table, fixed_size_list_array
    from arro3.io import write_parquet

    nested: Any = Array(np.ascontiguousarray(values).reshape(-1))
    for length in values.shape[:0:-1]:
        nested = fixed_size_list_array(nested, length)
    columns: dict[str, Any] = {
        "split": Array(splits, type=DataType.string()),
        **{axis: Array(np.ascontiguousarray(places[:, k])) for k, axis in enumerate("zyx")},
        "values": nested,
    }
    target = io.BytesIO()
    write_parquet(
        Table.from_pydict(columns),
        target,
        column_compression=dict.fromkeys(columns, "zstd(9)"),
        dictionary_enabled=False,
        created_by=f"tomarium {__version__}",
        writer_version="parquet_2_0",
    )
    return target.getvalue()
