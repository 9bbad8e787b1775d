"""Files of a record of a portal, asked for as a folder is: what the readers of volumes need, and no more."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from tomarium.catalogue.contents import Content
from tomarium.datasets.fetched_store import fetched_store
from tomarium.errors import FormatError, InputError
from tomarium.portal.client import Answer, NoAnswer, with_retries
from tomarium.portal.remote_record import TRIES, RemoteRecord

_MOST_KEPT: Final = 4096
_SMALL: Final = 1 << 16


@contextmanager
def answered(address: str) -> Iterator[None]:
    """Say of a portal that does not answer which address was asked, and what to do; nothing of it is kept here."""
    try:
        yield
    except NoAnswer as problem:
        raise InputError(
            f"{address}: there is no answer ({problem.reason}); check the address and the network, or try later"
        ) from problem


@dataclass(frozen=True, eq=False)
class RemoteFiles:
    """The files of a record of a portal.

    Attributes
    ----------
    page : RemoteRecord
        Where they are.
    contents : Mapping of str to Content
        Path → size and checksum, as the portal lists them.
    """

    page: RemoteRecord
    contents: Mapping[str, Content]
    _indexes: dict[tuple[str, int], bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that holds a file."""
        folders: set[str] = set()
        for path in self.contents:
            while path := path.rpartition("/")[0]:
                if path in folders:
                    break
                folders.add(path)
        return frozenset(folders)

    def read(self, path: str, first: int = 0, stop: int | None = None) -> bytes:
        """Read a file, or a range of it; the index of a shard, which is asked for with each chunk, is kept."""
        size = self.contents[path].bytes
        stop = size if stop is None else min(stop, size)
        if stop <= first:
            return b""
        is_index = first > 0 and stop == size and stop - first <= _SMALL
        if is_index and (index := self._indexes.get((path, first))) is not None:
            return index
        content = self._fetch(path, first, stop, size)
        if is_index:
            with self._lock:
                if len(self._indexes) >= _MOST_KEPT:
                    self._indexes.pop(next(iter(self._indexes)))
                self._indexes[path, first] = content
        return content

    def _fetch(self, path: str, first: int, stop: int, size: int) -> bytes:
        whole = (first, stop) == (0, size)
        headers = {} if whole else {"Range": f"bytes={first}-{stop - 1}"}
        address = f"records/{self.page.id}/files/{quote(path)}"

        def ask() -> Answer:
            return self.page.portal.ask("GET", address, headers)

        with answered(f"{self.page.portal.address}{address}"):
            answer = with_retries(ask, TRIES)
        if answer.status not in (200, 206):
            raise self.page.refusal(answer)
        range_text = answer.headers.get("Content-Range", f"bytes {first}-{stop - 1}/{size}" if whole else "")
        if range_text != f"bytes {first}-{stop - 1}/{size}" or len(answer.content) != stop - first:
            raise FormatError(
                f"{self.page.portal.address}{address}: gave {range_text[:80] or 'no range'} and "
                f"{len(answer.content)} bytes in place of bytes {first} to {stop - 1} of {size}; it was changed "
                f"just now, or a server between knows no ranges: start again, or take the record by tomarium pull"
            )
        return answer.content


@dataclass(frozen=True)
class PortalPath:
    """A file or a folder of a record of a portal.

    Attributes
    ----------
    files : RemoteFiles
        Of the record.
    path : str
        Below the record's folder, without "/" at its end.
    """

    files: RemoteFiles
    path: str

    def __truediv__(self, name: str) -> PortalPath:
        return PortalPath(self.files, f"{self.path}/{name}")

    def __str__(self) -> str:
        return f"{self.files.page.address}/files/{self.path}"

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rpartition("/")[2]

    def resolve(self) -> PortalPath:
        """Return it without "." and ".."."""
        return PortalPath(self.files, posixpath.normpath(self.path))

    def is_relative_to(self, other: PortalPath) -> bool:
        """Tell whether it lies in a folder."""
        return PurePosixPath(self.path).is_relative_to(other.path)

    def relative_to(self, other: PortalPath) -> PurePosixPath:
        """Return its path below a folder."""
        return PurePosixPath(self.path).relative_to(other.path)

    def is_file(self) -> bool:
        """Tell whether the portal lists it."""
        return self.path in self.files.contents

    def is_dir(self) -> bool:
        """Tell whether the portal lists files below it."""
        return self.path in self.files.folders

    def is_symlink(self) -> bool:
        """Tell that it is none: portals give none."""
        return False

    def exists(self) -> bool:
        """Tell whether the portal lists it, or files below it."""
        return self.is_file() or self.is_dir()

    def stat(self) -> os.stat_result:
        """Return the size of a file."""
        self._demand()
        return os.stat_result(
            (stat.S_IFREG | 0o444, 0, 0, 1, 0, 0, self.files.contents[self.path].bytes, 0, 0, 0)
        )

    def read_bytes(self) -> bytes:
        """Read a file whole."""
        self._demand()
        return self.files.read(self.path)

    def read_text(self, encoding: str = "utf-8") -> str:
        """Read a file whole, as text."""
        return self.read_bytes().decode(encoding)

    def rglob(self, _pattern: str) -> Iterator[PortalPath]:
        """List all files below it."""
        below = f"{self.path}/"
        return (PortalPath(self.files, path) for path in self.files.contents if path.startswith(below))

    def zarr_store(self) -> Any:
        """Open the array that lies here, for zarr to read."""
        return fetched_store(self)

    def fetch(
        self, key: str, first: int = 0, stop: int | None = None, last: int | None = None
    ) -> bytes | None:
        """Read a file below it, or a range of it; None where the portal lists no such file."""
        place = self / key
        if not place.is_file():
            return None
        if last is not None:
            first = max(0, place.stat().st_size - last)
        return self.files.read(place.path, first, stop)

    def _demand(self) -> None:
        if not self.is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
