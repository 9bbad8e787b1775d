"""Files of an OME-Zarr image on the web, asked for as a folder is: its metadata, and the parts of its chunks."""

from __future__ import annotations

import errno
import json
import math
import os
import posixpath
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import numpy as np

from tomarium import units
from tomarium.datasets.fetched_store import fetched_store
from tomarium.errors import InputError, StoreUnavailable
from tomarium.portal.client import Answer, Limits, NoAnswer, Portal, web_address, with_retries

TRIES: Final = 4
LONGEST_WAIT_S: Final = 8.0
LIMITS: Final = Limits(silent_s=30.0, whole_s=900.0)
KEPT_BYTES: Final = 256 << 20
"""Bytes of packed chunks and indexes of shards that are kept, the last ones used."""
_METADATA: Final = ("zarr.json", ".zattrs", ".zgroup", ".zarray", "plan.json")
_LONGEST_METADATA: Final = 16 << 20
_LONGEST_FILE: Final = 8 << 30
_LONGEST_UNKNOWN: Final = 1 << 30
_LARGEST_WHOLE: Final = KEPT_BYTES // 2
# What a codec may add to numbers that it cannot pack, and more.
_PACKED_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 18
_ABSENT: Final = (404, 410)
_SAFE: Final = "/~+,:=@!$&'()*;"

Part = tuple[int, int | None, int | None]
"""First byte, stop, and how many last ones instead."""
_ALL: Final[Part] = (0, None, None)


@dataclass(frozen=True, eq=False)
class WebFiles:
    """Files of a server that are asked for by their paths.

    Attributes
    ----------
    origin : str
        "https://data.example.org".
    query : str
        Sent with each request, and never told.
    on_read : callable or None
        Told how many bytes were fetched in all.
    refusals : dict of str to str
        Path of a file of metadata that is not to be had → why, where the server did not say that it is not there.
    complete : set of str
        Folders of arrays all of whose files must be there.
    """

    origin: str
    query: str = ""
    on_read: Callable[[int], None] | None = None
    refusals: dict[str, str] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    _metadata: dict[str, bytes | None] = field(default_factory=dict)
    _longest: dict[str, int] = field(default_factory=dict)
    _kept: OrderedDict[tuple[str, Part], bytes] = field(default_factory=OrderedDict)
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _whole: threading.Lock = field(default_factory=threading.Lock)

    def metadata(self, path: str) -> bytes | None:
        """Fetch a file of metadata once; None where it is absent, not permitted or a page for people."""
        if path not in self._metadata:
            content, refusal = self._ask(path, _ALL, _LONGEST_METADATA)
            if refusal:
                self.refusals[path] = refusal
            if content is not None and path.endswith(("zarr.json", ".zarray")):
                self._longest[posixpath.dirname(path)] = _longest_file(content)
            self._metadata[path] = content
        return self._metadata[path]

    def read(self, path: str, home: str, part: Part) -> bytes | None:
        """Fetch a file of an array, or a part of it; None where it is absent.

        Parameters
        ----------
        path, home : str
            Of the file, and of the array's folder.
        part : tuple
            First byte and stop, or how many last ones.

        Returns
        -------
        bytes or None
            What was asked for, never less.

        Raises
        ------
        StoreUnavailable
            The server does not answer, does not permit it, or gives something else.
        """
        first, stop, last = part
        if stop is not None and stop <= first:
            return b""
        kept = self._take(path, part)
        if kept is not None:
            return kept
        ranged, content = part != _ALL, None
        if not (ranged and self._counts.get("without ranges")):
            longest = self._longest.get(home, _LONGEST_UNKNOWN)
            if ranged:
                longest = last if last is not None else longest if stop is None else stop - first
            content, refusal = self._ask(path, part, longest)
            if refusal:
                raise StoreUnavailable(refusal)
            if content is not None:
                self._count(len(content))
                return self._keep(path, part, content)
        if ranged and self._counts.get("without ranges"):
            content = self._part_of_whole(path, home, part)
        if content is None and home in self.complete:
            raise StoreUnavailable(
                f"{self.place(path)}: is absent, and the image's metadata tell that every file of this level was "
                f"written; tell its keeper, or take the image from another place"
            )
        return content

    def place(self, path: str) -> str:
        """Return the address of a file, as it is told to people."""
        return f"{self.origin}{quote(path, _SAFE)}"

    def _take(self, path: str, part: Part) -> bytes | None:
        with self._lock:
            content = self._kept.get((path, part))
            if content is not None:
                self._kept.move_to_end((path, part))
            return content

    def _keep(self, path: str, part: Part, content: bytes) -> bytes:
        with self._lock:
            size = self._counts.get("kept", 0) + len(content) - len(self._kept.pop((path, part), b""))
            self._kept[path, part] = content
            while size > KEPT_BYTES and self._kept:
                size -= len(self._kept.popitem(last=False)[1])
            self._counts["kept"] = size
        return content

    def _part_of_whole(self, path: str, home: str, part: Part) -> bytes | None:
        """Cut a part out of a file that the server gives only whole; one such file is fetched at a time."""
        with self._whole:
            whole = self.read(path, home, _ALL)
        if whole is None:
            return None
        first, stop, last = part
        content = whole[max(0, len(whole) - last) :] if last is not None else whole[first:stop]
        wanted = last if last is not None else None if stop is None else stop - first
        if wanted is not None and len(content) != wanted:
            raise StoreUnavailable(
                f"{self.place(path)}: has {len(whole)} bytes, and the index of its shard tells of more; tell its "
                f"keeper, or take the image from another place"
            )
        return content

    def _ask(self, path: str, part: Part, longest: int) -> tuple[bytes | None, str]:
        """Ask for a file or a part; (None, "") where there is none, (None, why) where it is refused."""
        first, stop, last = part
        place = self.place(path)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "tomarium"}
        ranged = part != _ALL
        if ranged:
            tail = f"-{last}" if last is not None else f"{first}-{'' if stop is None else stop - 1}"
            headers["Range"] = f"bytes={tail}"
        portal = Portal(f"{self.origin}/", headers=headers, limits=LIMITS)
        target = place + (f"?{self.query}" if self.query else "")

        def ask() -> Answer:
            with portal.follow(target) as answer:
                if (
                    answer.status == 200 and ranged
                ):  # a server that knows no ranges; nothing is read of it here
                    return Answer(answer.status, answer.headers)
                return _read(answer, longest)

        try:
            answer = with_retries(ask, TRIES, LONGEST_WAIT_S)
        except NoAnswer as problem:
            reason = problem.reason.replace("the portal answered", "the server answered")
            raise StoreUnavailable(
                f"{place}: there is no answer after {TRIES} tries ({reason}); check the address and the network, or "
                f"try later"
            ) from problem
        except _TooLong as problem:
            raise StoreUnavailable(
                f"{place}: is longer than {units.show(longest, 'B', 3)}, more than a file of this kind can hold by its "
                f"metadata; it is damaged or made to mislead, so take the image from its origin"
            ) from problem
        except InputError as problem:  # of a redirect, whose words tell where it leads
            raise StoreUnavailable(
                str(problem).replace(f"?{self.query}", "") if self.query else str(problem)
            ) from None
        return self._judged(path, part, answer)

    def _judged(self, path: str, part: Part, answer: Answer) -> tuple[bytes | None, str]:
        place, status = self.place(path), answer.status
        if status in _ABSENT:
            return None, ""
        if status in (401, 403):
            return None, (
                f"{place}: the server does not permit it ({status}); only what is open to everybody is read: check the "
                f"address, or ask its keeper to open it"
            )
        if status not in (200, 206):
            return None, f"{place}: the server answered {status}; check the address, or ask its keeper"
        kind = answer.headers.get_content_type() if "Content-Type" in answer.headers else ""
        if kind in ("text/html", "application/xhtml+xml"):
            return None, (
                f"{place}: the server gave a page for people ({kind}) in place of a file; give the address of the "
                f"image itself, which often ends in .zarr"
            )
        if (encoding := answer.headers.get("Content-Encoding", "identity").lower()) != "identity":
            return None, f"{place}: came packed as {encoding[:40]}, which was not asked for; tell its keeper"
        if part == _ALL:
            return answer.content, ""
        if status == 200:
            return None, self._without_ranges(path, part, answer)
        if not _is_part(answer, part):
            told = answer.headers.get("Content-Range", "no range")[:80]
            return None, (
                f"{place}: gave {told} and {len(answer.content)} bytes for bytes {_words(part)}; it was changed just "
                f"now, or a server between knows no ranges: start again, or take the image from another place"
            )
        return answer.content, ""

    def _without_ranges(self, path: str, part: Part, answer: Answer) -> str:
        """Note that the server gives files only whole; say why this one is not taken, "" where it is."""
        length = answer.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST_WHOLE:
            told = units.show(int(length), "B", 3) if length.isdecimal() else "a length that is not told"
            return (
                f"{self.place(path)}: the server gives files only whole, and this one has {told}, of which "
                f"bytes {_words(part)} are needed; ask its keeper to allow range requests, or download the image and "
                f"open its folder"
            )
        self._counts["without ranges"] = 1
        return ""

    def _count(self, more: int) -> None:
        with self._lock:
            total = self._counts["fetched"] = self._counts.get("fetched", 0) + more
        if self.on_read is not None:
            self.on_read(total)


class _TooLong(Exception):
    """An answer beyond what was expected."""


def _read(answer: Answer, longest: int) -> Answer:
    """Read an answer to its end; OSError where it is cut off, which is tried again."""
    if answer.stream is None:
        return answer
    length = answer.headers.get("Content-Length", "")
    if answer.status in (200, 206) and length.isdecimal() and int(length) > longest:
        raise _TooLong
    pieces, size = [], 0
    try:
        while piece := answer.stream.read1(_PIECE_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > longest:
                raise _TooLong
    except _TooLong:
        raise
    except (OSError, ValueError) as problem:
        raise OSError(f"the answer was cut off after {size} bytes ({problem})") from problem
    if length.isdecimal() and size != int(length):
        raise OSError(f"the answer was cut off after {size} of {length} bytes")
    return Answer(answer.status, answer.headers, b"".join(pieces), address=answer.address)


def _is_part(answer: Answer, part: Part) -> bool:
    """Tell whether an answer of 206 is the part that was asked for."""
    first, stop, last = part
    unit, _, told = answer.headers.get("Content-Range", "").partition(" ")
    ends, _, size = told.partition("/")
    begin, _, end = ends.partition("-")
    if unit != "bytes" or not (begin.isdecimal() and end.isdecimal()):
        return False
    count = int(end) + 1 - int(begin)
    if len(answer.content) != count:
        return False
    if last is not None:
        return count == last and size.isdecimal() and int(end) + 1 == int(size)
    return int(begin) == first and (stop is None or int(end) + 1 == stop)


def _words(part: Part) -> str:
    first, stop, last = part
    return f"the last {last}" if last is not None else f"{first} to {'its end' if stop is None else stop - 1}"


def _longest_file(content: bytes) -> int:
    """Tell how long a file of an array may be by the array's metadata."""
    try:
        told = json.loads(content)
        if "chunk_grid" in told:
            shape, name = told["chunk_grid"]["configuration"]["chunk_shape"], told["data_type"]
        else:
            shape, name = told["chunks"], told["dtype"]
        size: int = 2 * math.prod(map(int, shape)) * np.dtype(name).itemsize + _PACKED_BYTES
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return 1 << 30
    return min(max(size, _PACKED_BYTES), _LONGEST_FILE)


@dataclass(frozen=True)
class WebPath:
    """A file or a folder of a server.

    Attributes
    ----------
    path : str
        Of the server, decoded, without "/" at its end.
    part : str
        What of the image is wanted: "level=2&z=0:64".
    """

    _files: WebFiles
    path: str
    part: str = ""

    def __truediv__(self, name: str) -> WebPath:
        return WebPath(self._files, f"{self.path}/{name}", self.part)

    def __str__(self) -> str:
        return self._files.place(self.path)

    @property
    def files(self) -> WebFiles:
        """Of the server."""
        return self._files

    def told_by(self, on_read: Callable[[int], None]) -> WebPath:
        """Return the same, whose files tell how many bytes were fetched."""
        return replace(self, _files=replace(self._files, on_read=on_read))

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> WebPath:
        """The folder in which it lies."""
        return WebPath(self._files, posixpath.dirname(self.path), self.part)

    def resolve(self) -> WebPath:
        """Return it without "." and ".."."""
        return WebPath(self._files, posixpath.normpath(self.path), self.part)

    def is_relative_to(self, other: Any) -> bool:
        """Tell whether it lies in a folder."""
        return isinstance(other, WebPath) and PurePosixPath(self.path).is_relative_to(other.path)

    def relative_to(self, other: WebPath) -> PurePosixPath:
        """Return its path below a folder."""
        return PurePosixPath(self.path).relative_to(other.path)

    def is_file(self) -> bool:
        """Tell whether it is a file of metadata that is there."""
        return self.name in _METADATA and self._files.metadata(self.path) is not None

    def is_dir(self) -> bool:
        """Tell that it may be one: servers tell nothing of folders."""
        return True

    def is_symlink(self) -> bool:
        """Tell that it is none: servers give none."""
        return False

    def exists(self) -> bool:
        """Tell that it may be there."""
        return True

    def stat(self) -> os.stat_result:
        """Return the size of a file of metadata."""
        return os.stat_result((stat.S_IFREG | 0o444, 0, 0, 1, 0, 0, len(self.read_bytes()), 0, 0, 0))

    def read_bytes(self) -> bytes:
        """Read a file of metadata."""
        content = self._files.metadata(self.path) if self.name in _METADATA else None
        if content is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return content

    def read_text(self, encoding: str = "utf-8") -> str:
        """Read a file of metadata, as text."""
        return self.read_bytes().decode(encoding)

    def rglob(self, _pattern: str) -> Iterator[WebPath]:
        """List nothing: servers list no files."""
        return iter(())

    def fetch(
        self, key: str, first: int = 0, stop: int | None = None, last: int | None = None
    ) -> bytes | None:
        """Fetch a file below it, or a part of one; None where it is absent."""
        path = f"{self.path}/{key}"
        if key.rpartition("/")[2] in _METADATA and (first, stop, last) == _ALL:
            return self._files.metadata(path)
        return self._files.read(path, self.path, (first, stop, last))

    def zarr_store(self) -> Any:
        """Open the array that lies here, for zarr to read."""
        return fetched_store(self)


def web_path(
    address: str, on_read: Callable[[int], None] | None = None, environment: Mapping[str, str] = os.environ
) -> WebPath:
    """Take an address apart; nothing is asked of its server.

    Parameters
    ----------
    address : str
        "https://…", "http://…" or "s3://BUCKET/KEY", which is what everybody may read by HTTPS; what follows "#" is
        what of the image is wanted.
    on_read : callable or None
        Told how many bytes were fetched in all.
    environment : mapping
        AWS_ENDPOINT_URL is the server of addresses with s3://; that of Amazon by default.

    Returns
    -------
    WebPath
        The folder of the image.

    Raises
    ------
    InputError
        It is no such address, or tells a password.
    """
    text, _, part = address.strip().partition("#")
    if text.lower().startswith("s3://"):
        bucket, _, key = text[5:].partition("/")
        endpoint = environment.get("AWS_ENDPOINT_URL", "").rstrip("/")
        if not bucket or not key:
            raise InputError(
                f"{text[:80]}: is no address of an image in S3; give one like s3://BUCKET/image.zarr"
            )
        if endpoint:
            text = f"{endpoint}/{bucket}/{key}"
        elif "." in bucket:  # for which no certificate holds
            text = f"https://s3.amazonaws.com/{bucket}/{key}"
        else:
            text = f"https://{bucket}.s3.amazonaws.com/{key}"
    parts = web_address(text, "https://data.example.org/image.zarr")
    files = WebFiles(f"{parts.scheme}://{parts.netloc}", parts.query, on_read)
    return WebPath(files, unquote(urlsplit(text).path).rstrip("/"), unquote(part))
