"""Rows of one level of an OME-Zarr image, and how large its chunks may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError, StoreUnavailable
from tomarium.formats.opening.size_limits import MOST_ELEMENTS
from tomarium.formats.zarr.some_slices import SomeSlices, some_slices
from tomarium.formats.zarr.writer import count_shards

# HDF5 allows chunks of 4 GiB, and viewers want some MiB.
_LARGEST_CHUNK: Final = 4 << 30
# More chunks than these that are smaller than 16 x 16 x 16 voxels have no use, and take hours to look for.
_MOST_SMALL_CHUNKS: Final = 1 << 20
_SMALL_CHUNK: Final = 16**3


@dataclass(frozen=True, eq=False)
class ZarrArray:
    """One level of a pyramid; its chunks are read when it is sliced."""

    path: Path  # folder of the array
    # how many shards were written, where that is known: Zarr reads one that is absent as zeros
    shards: int | None = None

    @cached_property
    def _as_stored(self) -> Any:
        import zarr

        from tomarium.formats.zarr.contained_store import inside_store

        return zarr.open_array(store=inside_store(self.path), mode="r")

    @cached_property
    def _some_slices(self) -> SomeSlices | None:
        return some_slices(self.path, self._as_stored)

    @cached_property
    def array(self) -> Any:
        """The array as zarr-python opens it, checked."""
        from tomarium.formats.zarr.chunk_check import checked

        try:
            array = checked(self._as_stored)
        except StoreUnavailable:
            raise
        except (
            Exception
        ) as problem:  # zarr raises what parsing runs into: KeyError, ValueError, JSONDecodeError …
            raise FormatError(
                f"{self.path}: cannot be read as a Zarr array ({problem}); copy it again"
            ) from problem

        check_chunks(self.path, array)
        shards = None if self.shards is None else count_shards(self.path)
        if shards != self.shards:
            raise FormatError(
                f"{self.path}: holds {shards} of {self.shards} shards; copy the volume again from its "
                f"origin, or reconstruct it again"
            )
        return array

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(int(length) for length in self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Length of a chunk along each axis: what one read fetches and decodes."""
        return tuple(int(length) for length in self.array.chunks)

    def check_names(self, names: tuple[str, ...]) -> None:
        """Refuse an array whose own names of its axes are others than the image's."""
        own = getattr(self.array.metadata, "dimension_names", None)
        if own and None not in own and tuple(own) != names:
            raise FormatError(
                f"{self.path}: calls its axes {', '.join(own)}, and its image {', '.join(names)}; one of the two is "
                f"wrong, so copy it again from its origin"
            )

    def __getitem__(self, key: Any) -> Any:
        array = self.array
        try:
            few = None if self._some_slices is None else self._some_slices.read(key)
            return array[key] if few is None else few
        except (IndexError, StoreUnavailable):
            raise
        except Exception as problem:  # codecs raise classes of their own for damaged bytes
            remedy = "copy it again or reconstruct it again"
            if "://" in str(self.path):
                remedy = "read it again, and where that does not help tell whoever publishes it"
            raise FormatError(
                f"{self.path}: some of its chunks are damaged ({type(problem).__name__}: {problem}); {remedy}"
            ) from problem


def check_chunks(path: Path, array: Any) -> None:
    """Refuse an array that claims what no disk holds: Zarr fills what is absent, chunk by chunk."""
    if not all(array.chunks) or not all(array.shards or (1,)):
        raise FormatError(
            f"{path}: tells of chunks of {' × '.join(map(str, array.chunks))} elements, which hold nothing; its "
            f"metadata are damaged, so copy it again"
        )
    chunk = math.prod(array.chunks) * array.dtype.itemsize
    chunks = math.prod(
        -(-length // max(1, chunk)) for length, chunk in zip(array.shape, array.chunks, strict=True)
    )
    many = chunks > _MOST_SMALL_CHUNKS and math.prod(array.chunks) < _SMALL_CHUNK
    if math.prod(array.shape) > MOST_ELEMENTS or chunk > _LARGEST_CHUNK or many:
        raise FormatError(
            f"{path}: claims {' × '.join(map(str, array.shape))} elements in {chunks} chunks of {chunk} "
            f"bytes, which is absurd; it is damaged or made to mislead, so take it from its origin"
        )
