"""The levels of an OME-Zarr image: their shapes, chunks and metadata, and how a slab is halved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.formats.zarr.chunk_writer import BLOCK_BYTES, COMPRESSOR, LEVEL, SHUFFLE, Grid
from tomarium.formats.zarr.progress import Plan
from tomarium.kernels.halving import TYPES, halve

# A chunk of 64^3 float32 is 1 MiB: one request of a browser, for slices along any axis.
CHUNK: Final = 64
# Shards of 1024^2 columns keep what is encoded at once below 256 MiB for a slab of 64 float32 slices.
SHARD: Final = 1024


def halved(block: NDArray[Any], empty: Callable[..., NDArray[Any]] = np.empty) -> NDArray[Any]:
    """Halve a block along each axis by the mean of 2 x 2 x 2 voxels.

    `empty`: makes the result from its shape and type where it is one of `TYPES` of even lengths. Result, shape
    (ceil(z/2): of the same type; integers are rounded to the nearest. Where an axis is odd, its last voxel
    stands for its missing neighbour. A NaN makes the voxels it belongs to NaN.
    """
    if block.dtype in TYPES and all(length % 2 == 0 for length in block.shape):
        result: NDArray[Any] = empty(tuple(length // 2 for length in block.shape), block.dtype)
        halve(block, result)
        return result
    # 8 · 65535 is exact in float32; wider integers need float64.
    work = np.promote_types(block.dtype, np.float32 if block.dtype.itemsize <= 2 else block.dtype)
    mean: NDArray[Any] = block.astype(work if work.kind == "f" else np.float64, copy=False)
    for axis in range(3):
        even = [slice(None)] * 3
        odd = [slice(None)] * 3
        even[axis], odd[axis] = slice(0, None, 2), slice(1, None, 2)
        first, second = mean[tuple(even)], mean[tuple(odd)]
        if second.shape[axis] < first.shape[axis]:
            last = [slice(None)] * 3
            last[axis] = slice(-1, None)
            second = np.concatenate([second, mean[tuple(last)]], axis=axis)
        mean = (first + second) * mean.dtype.type(0.5)
    return mean.astype(block.dtype) if block.dtype.kind == "f" else np.rint(mean).astype(block.dtype)


def height(slices: int, slab_rows: int) -> int:
    """Return the height of slabs for a volume lower than one: the next power of two keeps its pyramid."""
    return slab_rows if slices >= slab_rows else 1 << (slices - 1).bit_length()


def chunk_grid(path: Path, plan: Plan, level: int) -> Grid:
    """Cut a level so that no file is shared by two slabs."""
    _, rows, columns = plan.level_shape(level)
    height = plan.slab_rows >> level
    chunks = (_divisor(height), min(CHUNK, rows), min(CHUNK, columns))
    tall, wide = (
        min(SHARD // chunk, -(-length // chunk)) * chunk
        for chunk, length in zip(chunks[1:], (rows, columns), strict=True)
    )
    return Grid(path / str(level), chunks, (height, tall, wide) if plan.version == "0.5" else None)


def create_level(path: Path, plan: Plan, level: int) -> None:
    """Create the empty array of one level."""
    import zarr
    from numcodecs import Blosc
    from zarr.codecs import BloscCodec, Crc32cCodec

    grid = chunk_grid(path, plan, level)
    shape, kind = plan.level_shape(level), np.dtype(plan.dtype)
    if grid.shards is None:
        zarr.create_array(
            store=grid.path,
            shape=shape,
            dtype=kind,
            chunks=grid.chunks,
            compressors=Blosc(COMPRESSOR, LEVEL, SHUFFLE, BLOCK_BYTES),
            fill_value=0,
            zarr_format=2,
            chunk_key_encoding={"name": "v2", "separator": "/"},
            overwrite=True,
        )
        return
    zarr.create_array(
        store=grid.path,
        shape=shape,
        dtype=kind,
        chunks=grid.chunks,
        shards=grid.shards,
        # Blosc notices few flipped bits; the checksum makes a damaged chunk an error and not wrong numbers.
        compressors=[
            BloscCodec(cname=COMPRESSOR, clevel=LEVEL, shuffle="bitshuffle", blocksize=BLOCK_BYTES),
            Crc32cCodec(),
        ],
        fill_value=0,
        dimension_names=("z", "y", "x"),
        overwrite=True,
    )


def _divisor(height: int) -> int:
    return next(chunk for chunk in range(min(CHUNK, height), 0, -1) if height % chunk == 0)


def group_metadata(plan: Plan, own_metadata: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Write the group's metadata: file name → content, the file that makes it an image last."""
    ome = _ome(plan)
    if plan.version == "0.5":
        content = {"ome": {"version": "0.5", **ome}, "tomarium": own_metadata}
        return {"zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": content}}
    [multiscale] = ome["multiscales"]
    attributes = {**ome, "multiscales": [{"version": "0.4", **multiscale}], "tomarium": own_metadata}
    return {".zgroup": {"zarr_format": 2}, ".zattrs": attributes}


def _ome(plan: Plan) -> dict[str, Any]:
    """Say what the arrays are (OME-NGFF 0.4 and 0.5, multiscales)."""
    edge = 1e-6 if plan.voxel_m is None else plan.voxel_m
    voxel = [1e6 * length for length in ([edge] * 3 if isinstance(edge, int | float) else edge)]
    origin = [0.0] * 3 if plan.voxel_m is None else [1e6 * start for start in plan.origin_m]
    datasets = []
    for level in range(plan.levels):
        # A voxel of level k covers 2^k of level 0; its centre lies (2^k - 1) / 2 of these further in.
        shift = 0.0 if plan.labels else (2**level - 1) / 2
        centres = [start + shift * size for start, size in zip(origin, voxel, strict=True)]
        datasets.append({
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [_tidy(size * 2**level) for size in voxel]},
                {"type": "translation", "translation": [_tidy(centre) for centre in centres]},
            ],
        })  # fmt: skip
    unit = {} if plan.voxel_m is None else {"unit": "micrometer"}
    axes = [{"name": name, "type": "space", **unit} for name in "zyx"]
    multiscale = {
        "name": plan.name,
        "axes": axes,
        "datasets": datasets,
        "type": "nearest" if plan.labels else "mean",
        "metadata": {
            "description": "each level holds every second voxel of the one before"
            if plan.labels
            else "each level is the mean of 2 x 2 x 2 voxels of the one before"
        },
    }
    ome: dict[str, Any] = {"multiscales": [multiscale]}
    if plan.labels:
        ome["image-label"] = {"version": plan.version}
    return ome


def _tidy(value: float) -> float:
    return float(f"{value:.15g}")
