"""Check the packed bytes of a Zarr chunk before they are unpacked.

The decoders trust what those bytes say of themselves: Blosc's reads as far as the chunk's header tells it, past
the end of a truncated file into whatever memory lies there, and all of them fill as much memory as a chunk
claims. So what a chunk says is compared with its length and with the array's chunk first.

Source: the headers of Blosc 1 (https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst), of Zstandard
(RFC 8878, section 3.1.1), and the length numcodecs puts before LZ4.
"""

from __future__ import annotations

import bz2
import lzma
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from tomarium.formats.opening.size_limits import LARGE_BLOCK, MOST_RATIO

_ZSTD: Final = 0xFD2FB528
_BLOSC_HEADER: Final = 16
# The packings that do not say what they hold are unpacked in pieces to count it, where it might be much:
# their decoders have no bound, and these are the highest ratios of the three.
_RATIOS: Final = {"gzip": 1032, "zlib": 1032, "bz2": 1_000_000, "lzma": 7_000}
_MUCH: Final = 1 << 30
_PIECE: Final = 1 << 20
_UNPACKERS: Final[dict[str, Callable[[], Any]]] = {
    "gzip": lambda: zlib.decompressobj(47),
    "zlib": lambda: zlib.decompressobj(47),
    "bz2": bz2.BZ2Decompressor,
    "lzma": lzma.LZMADecompressor,
}


def check_packed(packing: str, content: Any, size: int) -> None:
    """Refuse packed bytes that contradict their own length, or unpack to more than a chunk.

    `packing`: Zarr's name of the codec: blosc, zstd, lz4, gzip, zlib, bz2, lzma; others pass.
    """
    view = memoryview(content).cast("B")
    claimed = size
    if size >= LARGE_BLOCK and len(view) * MOST_RATIO < size:
        raise ValueError(f"a chunk is a decompression bomb: {len(view)} stored bytes unpack to {size}")
    if packing == "blosc":
        if len(view) < _BLOSC_HEADER:
            raise ValueError(f"a chunk of {len(view)} bytes is truncated")
        claimed, _, stored = struct.unpack_from("<III", view, 4)
        if stored != len(view):
            raise ValueError(f"a chunk of {len(view)} bytes says that it has {stored}")
    elif packing == "lz4" and len(view) >= 4:
        claimed = struct.unpack_from("<I", view)[0]
    elif packing == "zstd":
        claimed = _zstd_claim(view)
    elif packing in _RATIOS and len(view) * _RATIOS[packing] > max(size, _MUCH):
        claimed = _count(_UNPACKERS[packing](), view, size)
    if claimed > size:
        raise ValueError(f"a chunk claims to hold {claimed} bytes, and a chunk of this array has {size}")


def _zstd_claim(view: memoryview) -> int:
    """Return what a frame says it holds; where it does not say, the most that its blocks can hold."""
    try:
        magic, descriptor = struct.unpack_from("<IB", view)
        if magic != _ZSTD:
            raise ValueError(f"a chunk of {len(view)} bytes is no Zstandard frame")
        single = descriptor >> 5 & 1
        place = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
        width = (single, 2, 4, 8)[descriptor >> 6]
        if width:
            content_bytes = int.from_bytes(view[place : place + width], "little")
            return content_bytes + 256 if width == 2 else content_bytes
        most, last = 0, False
        while not last:  # bounded by the frame's own length: each block has a header of three bytes
            header = int.from_bytes(view[place : place + 3], "little")
            if place + 3 > len(view):
                raise ValueError(f"a chunk of {len(view)} bytes is truncated")
            last, kind, length = bool(header & 1), header >> 1 & 3, header >> 3
            most += length
            place += 3 + (1 if kind == 1 else length)
    except (struct.error, IndexError) as problem:
        raise ValueError(f"a chunk of {len(view)} bytes is truncated") from problem
    return most if most > _MUCH else 0


def _count(unpacker: Any, view: memoryview, most: int) -> int:
    """Unpack in pieces and count the bytes, no further than one piece past `most`."""
    counted = 0
    waiting: Any = view
    try:
        while not unpacker.eof and counted <= most:
            piece = len(unpacker.decompress(waiting, _PIECE))
            waiting = getattr(unpacker, "unconsumed_tail", b"")
            counted += piece
            if not piece and not waiting:
                break
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as problem:
        raise ValueError(f"a chunk of {len(view)} bytes is damaged ({problem})") from problem
    return counted


@cache
def _check_class() -> Any:
    from zarr.abc.codec import BytesBytesCodec

    @dataclass(frozen=True)
    class Check(BytesBytesCodec):
        """A codec of Zarr v3 that lets bytes pass where `check_packed` does."""

        packing: str = ""
        is_fixed_size = False

        def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
            size = math.prod(chunk_spec.shape) * chunk_spec.dtype.to_native_dtype().itemsize
            check_packed(self.packing, chunk_bytes.as_numpy_array(), size)
            return chunk_bytes

        async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
            return self._decode_sync(chunk_bytes, chunk_spec)

        def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
            """Return the same size: nothing is packed here."""
            return input_byte_length

    return Check


class _Checked:
    """A compressor of Zarr v2 that unpacks where `check_packed` lets it."""

    codec_id = "checked"

    def __init__(self, inner: Any, size: int) -> None:
        self._inner, self._size = inner, size

    def encode(self, buf: Any) -> Any:
        """Pack as the compressor does."""
        return self._inner.encode(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Check, then unpack as the compressor does."""
        check_packed(self._inner.codec_id, buf, self._size)
        return self._inner.decode(buf, out)

    def get_config(self) -> Any:
        """Return the compressor's own."""
        return self._inner.get_config()

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """Make none: it is never written into a file."""
        raise NotImplementedError(config)


def checked(array: Any) -> Any:
    """Return an array that checks each chunk before it unpacks it."""
    from zarr import Array

    metadata = array.metadata
    if metadata.zarr_format == 3:
        metadata = replace(metadata, codecs=_with_checks(metadata.codecs))
    elif metadata.compressor is not None:
        size = math.prod(metadata.chunks) * metadata.dtype.to_native_dtype().itemsize
        if metadata.filters:  # they may store wider numbers than the array has
            size *= 8
        metadata = replace(metadata, compressor=_Checked(metadata.compressor, size))
    # The class is made again, for its pipeline of codecs is made with it.
    inner = array.async_array
    return Array(type(inner)(metadata, inner.store_path, inner.config))


def _with_checks(codecs: Sequence[Any]) -> tuple[Any, ...]:
    from zarr.abc.codec import BytesBytesCodec
    from zarr.codecs.sharding import ShardingCodec

    checked_codecs: list[Any] = []
    for codec in codecs:
        inside = isinstance(codec, ShardingCodec)
        checked_codecs.append(replace(codec, codecs=_with_checks(codec.codecs)) if inside else codec)
        if isinstance(codec, BytesBytesCodec):
            codec_name = codec.to_dict().get("name")
            checked_codecs.append(_check_class()(str(codec_name).removeprefix("numcodecs.")))
    return tuple(checked_codecs)
