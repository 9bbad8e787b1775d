"""What packed bytes say of themselves is compared with their length and with a chunk."""

import bz2
import gzip
import lzma
import zlib
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from tomarium.errors import FormatError
from tomarium.formats.zarr import chunk_check
from tomarium.formats.zarr.array import ZarrArray
from tomarium.formats.zarr.chunk_check import check_packed

CONTENT = np.random.default_rng(3).poisson(9, (16, 16, 16)).astype(np.uint16).tobytes()
PACKERS = {
    "blosc": numcodecs.Blosc("zstd", 1).encode,
    "zstd": numcodecs.Zstd(1).encode,
    "lz4": numcodecs.LZ4().encode,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "lzma": lzma.compress,
}


@pytest.mark.parametrize("packing", PACKERS)
def test_what_is_right_passes_and_what_claims_more_does_not(
    packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_check, "_MUCH", 1)  # count what does not say its size
    packed = bytes(PACKERS[packing](CONTENT))
    check_packed(packing, packed, len(CONTENT))
    with pytest.raises(ValueError, match=f"claims to hold {len(CONTENT)} bytes.* has {len(CONTENT) - 1}"):
        check_packed(packing, packed, len(CONTENT) - 1)


def test_an_unknown_packing_passes() -> None:
    check_packed("pcodec", b"anything", 1)


@pytest.mark.parametrize("cut", [0, 5, 15, 16, 100, -1])
def test_a_cut_blosc_chunk_is_seen(cut: int) -> None:
    with pytest.raises(ValueError, match=r"truncated|says that it has"):
        check_packed("blosc", bytes(PACKERS["blosc"](CONTENT))[:cut], len(CONTENT))


def test_a_zstandard_frame_that_does_not_say_its_size_is_bounded_by_its_blocks() -> None:
    # RFC 8878: magic, a descriptor without a content size, a window, then blocks of type RLE, 128 KiB each.
    block = ((128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    head = bytes.fromhex("28b52ffd") + b"\0" + b"\x38"
    last = (1 | (128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    with pytest.raises(ValueError, match=f"claims to hold {10_000 * (128 << 10)} bytes"):
        check_packed("zstd", head + block * 9_999 + last, 1 << 20)
    with pytest.raises(ValueError, match="truncated"):
        check_packed("zstd", head + block * 3, 1 << 20)


@pytest.mark.parametrize(
    ("version", "packing"),
    [
        (2, numcodecs.Blosc("lz4")),
        (2, numcodecs.Zstd()),
        (2, numcodecs.GZip()),
        (2, None),
        (3, BloscCodec(cname="lz4")),
        (3, ZstdCodec()),
        (3, GzipCodec()),
        (3, None),
    ],
)
@pytest.mark.parametrize("shards", [None, (32, 32, 32)])
def test_arrays_of_others_are_read_bit_for_bit(
    tmp_path: Path, version: int, packing: object, shards: tuple[int, ...] | None
) -> None:
    if version == 2 and shards:
        shards = None
    values = np.random.default_rng(1).integers(0, 5000, (40, 33, 35), np.uint16)
    array = zarr.create_array(
        store=str(tmp_path / "a"), shape=values.shape, dtype=values.dtype, chunks=(16, 16, 16),
        shards=shards, compressors=packing, zarr_format=version,
    )  # fmt: skip
    array[:] = values
    ours = ZarrArray(tmp_path / "a")
    assert np.array_equal(ours[:], values)
    assert np.array_equal(ours[3:20, 5, ::2], values[3:20, 5, ::2])


def test_a_small_chunk_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    array = zarr.create_array(
        store=str(tmp_path / "a"), shape=(16, 16, 16), dtype="u2", chunks=(16, 16, 16),
        compressors=numcodecs.Blosc("zstd", 9), zarr_format=2,
    )  # fmt: skip
    array[:] = 1
    chunk = next(file for file in (tmp_path / "a").rglob("*") if file.is_file() and ".z" not in file.name)
    chunk.write_bytes(bytes(numcodecs.Blosc("zstd", 9).encode(bytes(200 << 20))))
    with pytest.raises(FormatError, match=r"damaged \(ValueError: a chunk claims to hold 209715200 bytes"):
        ZarrArray(tmp_path / "a")[:]
