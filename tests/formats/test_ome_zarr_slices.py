"""A few slices of a volume, unpacked without the rest of their chunks: what zarr-python reads, or an error."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from tomarium.errors import FormatError
from tomarium.formats.zarr.array import ZarrArray
from tomarium.formats.zarr.some_slices import some_slices

SHAPE = (70, 50, 41)
KEYS = (
    7,
    63,
    -1,
    (slice(60, 70), slice(3, 40), 7),
    (slice(5, 9),),
    (64, slice(None), slice(40, 41)),
    (2, 3, 4),
)


def stored(path: Path, dtype: str, packing: Any, checksums: bool = True, endian: Any = "little") -> Any:
    """Write noise with a part that is all zeros, as zarr-python does."""
    more = [zarr.codecs.Crc32cCodec()] if checksums else []
    array = zarr.create_array(
        store=path, shape=SHAPE, dtype=dtype, chunks=(32, 16, 16), shards=(32, 32, 32), fill_value=3,
        compressors=[packing, *more], serializer=zarr.codecs.BytesCodec(endian=endian),
    )  # fmt: skip
    values = np.random.default_rng(0).normal(100, 20, SHAPE).astype(dtype)
    values[:32, :32] = 3
    values[40:, 20:30, :20] = 3
    array[...] = values
    return zarr.open_array(path, mode="r")


@pytest.mark.parametrize(
    ("dtype", "packing", "checksums"),
    [
        ("<f4", BloscCodec(cname="lz4", clevel=3, shuffle="bitshuffle", blocksize=4096), True),
        ("<f4", BloscCodec(cname="zstd", clevel=1, shuffle="shuffle", blocksize=3000), False),
        ("<f8", BloscCodec(cname="zlib", clevel=1, shuffle="noshuffle", blocksize=0), True),
        ("<u2", BloscCodec(cname="blosclz", clevel=9, shuffle="shuffle", blocksize=2048), True),
        ("u1", BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle", blocksize=5000), True),
        ("<u2", BloscCodec(cname="lz4", clevel=0, blocksize=2048), True),
    ],
)
def test_some_slices_are_what_zarr_python_reads(
    tmp_path: Path, dtype: str, packing: Any, checksums: bool
) -> None:
    expected = stored(tmp_path, dtype, packing, checksums)
    reader = some_slices(tmp_path, expected)
    assert reader is not None
    for key in KEYS:
        read = reader.read(key)
        assert read is not None
        np.testing.assert_array_equal(read, expected[key], strict=True)
    assert all(reader.read(key) is None for key in (slice(0, 40), slice(0, 8, 2), 70, Ellipsis, (0, 0, 0, 0)))


def test_what_is_damaged_is_noticed(tmp_path: Path) -> None:
    stored(tmp_path, "<f4", BloscCodec(cname="lz4", shuffle="bitshuffle", blocksize=4096))
    shard = tmp_path / "c/1/0/0"
    whole = shard.read_bytes()
    for damaged in (whole[:900], whole[:-1], whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]):
        shard.write_bytes(damaged)
        with pytest.raises(FormatError, match="some of its chunks are damaged"):
            ZarrArray(tmp_path)[33]
    shard.write_bytes(whole)
    assert ZarrArray(tmp_path)[33].shape == SHAPE[1:]
    outside = tmp_path.parent.parent / f"{tmp_path.name}-outside"
    shard.rename(outside)
    shard.symlink_to(outside)
    with pytest.raises(FormatError, match="outside"):
        ZarrArray(tmp_path)[33]


def test_arrays_stored_in_another_way_are_left_to_zarr_python(tmp_path: Path) -> None:
    packings: dict[str, tuple[Any, str]] = {
        "zstd": (zarr.codecs.ZstdCodec(), "little"),
        "big endian": (BloscCodec(cname="lz4"), "big"),
    }
    for name, (packing, endian) in packings.items():
        assert some_slices(tmp_path / name, stored(tmp_path / name, "<f4", packing, endian=endian)) is None
