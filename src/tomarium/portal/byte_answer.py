"""An answer of known length, whole or one range of it, whose bytes are made while they are sent."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import HTTPException, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from tomarium.catalogue.byte_table import BLOCK
from tomarium.errors import FormatError

PIECE: Final = 1 << 18
"""Bytes that are read in the loop of events and handed on at once: they stay in the processor's cache meanwhile."""
_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII | re.IGNORECASE)


def wanted_range(request: Request, size: int, tag: str) -> tuple[int, int] | None:
    """Tell which bytes a request asks for (RFC 9110, sections 13.1.5 and 14.2).

    Parameters
    ----------
    request : Request
        Its headers Range and If-Range decide.
    size : int
        Bytes of the whole.
    tag : str
        Strong ETag of the whole, with its quotation marks.

    Returns
    -------
    tuple of int or None
        First byte, and the first that is not wanted. None where the whole is to be given: no range was asked for, it
        is not understood, or it is of another state than `tag`.

    Raises
    ------
    HTTPException
        416: several ranges, or one that begins beyond the end.
    """
    text = request.headers.get("range", "")
    # A weak tag never agrees, and a date is not given out with these answers.
    if not text or request.method != "GET" or request.headers.get("if-range", tag) != tag:
        return None
    beyond = {"Content-Range": f"bytes */{size}"}
    if "," in text and text.strip().lower().startswith("bytes"):
        raise HTTPException(
            416, f"Several ranges were asked for at once ({text[:80]}); ask for one in each request.", beyond
        )
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]) or max(len(match[1]), len(match[2])) > 18:
        return None
    if not match[1]:
        first, stop = max(0, size - int(match[2])), size
    else:
        first, stop = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < first:
            return None
    if first >= size:
        raise HTTPException(
            416, f"The range {text[:80]} begins at or beyond the end: this has {size} bytes.", beyond
        )
    return first, stop


class ByteAnswer(Response):
    """Bytes that are made while they are sent; where that fails the connection is cut.

    So nobody takes a part for the whole: the length was told beforehand.
    """

    def __init__(
        self,
        make: Callable[[int, int], Iterator[bytes]],
        size: int,
        span: tuple[int, int] | None,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        self._make = make
        self._first, self._stop = span or (0, size)
        all_headers = {**headers, "Accept-Ranges": "bytes", "Content-Length": str(self._stop - self._first)}
        if span:
            all_headers["Content-Range"] = f"bytes {self._first}-{self._stop - 1}/{size}"
        super().__init__(None, 206 if span else 200, all_headers, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; blocks are made in a thread, one ahead of what is sent."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD" and self._first < self._stop:
            try:
                if not await self._send(receive, send):
                    return
            except (FormatError, OSError) as problem:
                logging.getLogger(__name__).error("%s: cut off: %s", scope["path"], problem)
                raise
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, receive: Receive, send: Send) -> bool:
        """Send the blocks; tell whether the reader stayed to the end."""
        blocks = self._make(self._first, self._stop)
        gone = asyncio.ensure_future(_until_gone(receive))
        ahead = asyncio.ensure_future(asyncio.to_thread(next, blocks, None))
        try:
            while (block := await ahead) is not None:
                if gone.done():
                    return False
                ahead = asyncio.ensure_future(asyncio.to_thread(next, blocks, None))
                await send({"type": "http.response.body", "body": block, "more_body": True})
        finally:
            gone.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
            await asyncio.to_thread(_close, blocks)
        return True


class FileAnswer(ByteAnswer):
    """A file, or one range of it. What the system holds in memory is sent without a thread, as file servers do.

    Parts that are on the disk alone are read in a thread, so that nobody else waits for the disk.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        span: tuple[int, int] | None,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        self._path = path
        super().__init__(lambda _first, _stop: iter(()), size, span, headers, media_type)

    async def _send(self, receive: Receive, send: Send) -> bool:
        """Send the file; tell whether the reader stayed to the end."""
        file = await asyncio.to_thread(open, self._path, "rb", 0)
        gone = asyncio.ensure_future(_until_gone(receive))
        room, place = memoryview(bytearray(PIECE)), self._first
        try:
            while place < self._stop:
                piece = room[: min(PIECE, self._stop - place)]
                count = _read_from_memory(file.fileno(), piece, place)
                block = (
                    bytes(piece[:count])
                    if count
                    else await asyncio.to_thread(_read_at, file, place, min(BLOCK, self._stop - place))
                )
                if not block:
                    raise FormatError(
                        f"{self._path.name}: ends after {place} bytes; it was shortened while it was sent"
                    )
                if gone.done():
                    return False
                await send({"type": "http.response.body", "body": block, "more_body": True})
                if place // BLOCK != (place := place + len(block)) // BLOCK:
                    await asyncio.sleep(0)  # a quick reader leaves the others their turn
        finally:
            gone.cancel()
            await asyncio.to_thread(file.close)
        return True


def _read_from_memory(descriptor: int, room: memoryview, place: int) -> int:
    """Read what the system holds in memory, and return how many bytes; 0 where it would have to wait for the disk."""
    if not hasattr(os, "RWF_NOWAIT"):
        return 0
    try:
        return os.preadv(descriptor, [room], place, os.RWF_NOWAIT)
    except OSError:  # not in memory, or the file system cannot tell
        return 0


def _read_at(file: Any, place: int, count: int) -> bytes:
    file.seek(place)
    return bytes(file.read(count))


def _close(blocks: Iterator[bytes]) -> None:
    close = getattr(blocks, "close", None)
    if close:
        close()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
