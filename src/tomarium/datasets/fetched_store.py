"""An array whose files are fetched, as a store of Zarr that is only read."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Protocol


class Fetching(Protocol):
    """A folder of an array whose files are fetched."""

    def fetch(
        self, key: str, first: int = 0, stop: int | None = None, last: int | None = None
    ) -> bytes | None:
        """Fetch a file below it, bytes `first` to `stop`, or its `last` ones; None where there is no such file."""
        ...


def fetched_store(home: Fetching) -> Any:
    """Open an array for zarr to read.

    Parameters
    ----------
    home : Fetching
        Folder of the array; what it raises is raised when the array is read.

    Returns
    -------
    zarr.abc.store.Store
        Read only, without listings.
    """
    return _store_class()(home)


@cache
def _store_class() -> Any:
    from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

    class FetchedStore(Store):
        """An array elsewhere, read only; a chunk that is there and is not given is an error."""

        supports_writes = supports_deletes = supports_listing = False
        supports_partial_writes = False

        def __init__(self, home: Fetching) -> None:
            super().__init__(read_only=True)
            self._home = home

        def __eq__(self, other: object) -> bool:
            return isinstance(other, FetchedStore) and other._home == self._home

        def __hash__(self) -> int:
            return hash(str(self._home))

        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            first, stop, last = 0, None, None
            if isinstance(byte_range, RangeByteRequest):
                first, stop = byte_range.start, byte_range.end
            elif isinstance(byte_range, OffsetByteRequest):
                first = byte_range.offset
            elif isinstance(byte_range, SuffixByteRequest):
                last = byte_range.suffix
            content = await asyncio.to_thread(self._home.fetch, key, first, stop, last)
            return None if content is None else _buffer(prototype, content)

        async def get_partial_values(self, prototype: Any, key_ranges: Any) -> Any:
            return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

        async def exists(self, key: str) -> bool:
            return await self.get(key) is not None

        async def set(self, key: str, value: Any) -> None:
            raise NotImplementedError

        async def delete(self, key: str) -> None:
            raise NotImplementedError

        async def list(self) -> Any:
            raise NotImplementedError
            yield

        async def list_prefix(self, prefix: str) -> Any:
            raise NotImplementedError
            yield

        async def list_dir(self, prefix: str) -> Any:
            raise NotImplementedError
            yield

    return FetchedStore


def _buffer(prototype: Any, content: bytes) -> Any:
    from zarr.core.buffer import default_buffer_prototype

    return (prototype or default_buffer_prototype()).buffer.from_bytes(content)
