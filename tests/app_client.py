"""A client that asks an ASGI application in the thread of the test, for tests ask tens of thousands of times.

Starlette's own client starts a thread and an event loop for it, hands each request over in seven turns, and the
application hands each of its functions that may wait to a thread of a pool. Here all of it runs in the thread that
asks, as one call of Python; portals with threads, sockets and a server are those of `uvicorn` in other tests.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import unquote

import anyio.lowlevel
import anyio.to_thread
import httpx2

Message = MutableMapping[str, Any]


class _Loop:
    """The event loop of one thread, closed when the thread ends."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        KEPT.add(self.loop)

    def run(self, work: Any) -> Any:
        """Run something to its end, also where Playwright has left a loop running in this thread."""
        other = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            return self.loop.run_until_complete(work)
        finally:
            asyncio._set_running_loop(other)

    def __del__(self) -> None:
        KEPT.discard(self.loop)
        self.loop.close()


KEPT: set[asyncio.AbstractEventLoop] = set()
_threads = threading.local()
_in_a_thread = anyio.to_thread.run_sync


def _loop() -> _Loop:
    if not hasattr(_threads, "loop"):
        _threads.loop = _Loop()
    kept: _Loop = _threads.loop
    return kept


async def _run_sync(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function at once where a client of tests asks, and else in a thread as ever."""
    if asyncio.get_running_loop() not in KEPT:
        return await _in_a_thread(function, *args, **options)
    await anyio.lowlevel.checkpoint_if_cancelled()
    return contextvars.copy_context().run(function, *args)


anyio.to_thread.run_sync = _run_sync


class _Exchange(httpx2.SyncByteStream):
    """One request: the application runs as far as its next bytes are asked for."""

    def __init__(self, app: Any, scope: dict[str, Any], body: bytes, raises: bool) -> None:
        self.app, self.scope, self.body, self.raises = app, scope, body, raises
        self.kept = _loop()
        self.start: Message | None = None
        self.pieces: deque[bytes] = deque()
        self.asked = self.ended = False
        self.changed, self.taken, self.complete = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.task = self.kept.loop.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            await self.app(self.scope, self._receive, self._send)
        finally:
            self.changed.set()

    async def _receive(self) -> Message:
        if self.asked:
            await self.complete.wait()
            return {"type": "http.disconnect"}
        self.asked = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert self.start is None, "the application began to answer twice"
            self.start = message
        elif message["type"] == "http.response.body":
            assert self.start is not None, "the application sent content before it began to answer"
            assert not self.ended, "the application sent content after the last"
            if content := bytes(message.get("body", b"")):
                self.pieces.append(content)
            self.ended = not message.get("more_body", False)
            if self.ended:
                self.complete.set()
            elif content:  # a reader that takes nothing more holds the application back
                self.changed.set()
                self.taken.clear()
                await self.taken.wait()

    async def _until(self) -> None:
        while not (self.pieces and self.start) and not self.task.done():
            self.changed.clear()
            await self.changed.wait()

    def run(self) -> None:
        """Let the application go on until it has sent something or has ended."""
        self.taken.set()
        if not self.task.done():
            self.kept.run(self._until())

    def __iter__(self) -> Iterator[bytes]:
        while True:
            while self.pieces:
                piece = self.pieces.popleft()
                if self.scope["method"] != "HEAD":
                    yield piece
            if self.task.done():
                break
            self.run()
        self.end()

    def end(self) -> None:
        """Raise what the application raised, where that is wished."""
        if not self.task.cancelled() and (problem := self.task.exception()) and self.raises:
            self.raises = False
            raise problem

    def close(self) -> None:
        """Hang up, if the answer has not come to its end."""
        self.complete.set()
        if not self.task.done():
            if not self.ended:
                self.task.cancel()
            self.taken.set()
            self.kept.run(asyncio.wait([self.task]))


class _Transport(httpx2.BaseTransport):
    def __init__(self, app: Any, raises: bool, root_path: str, client: tuple[str, int]) -> None:
        self.app, self.raises, self.root_path, self.client = app, raises, root_path, client

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(url.path),
            "raw_path": url.raw_path.split(b"?", 1)[0],
            "root_path": self.root_path,
            "query_string": url.query,
            "headers": [(key.lower(), value) for key, value in request.headers.raw],
            "client": self.client,
            "server": [url.raw_host.decode("ascii"), url.port or {"http": 80, "https": 443}[url.scheme]],
            "state": {},
        }
        exchange = _Exchange(self.app, scope, request.read(), self.raises)
        exchange.run()
        start = exchange.start
        if start is None:
            exchange.end()
            assert not self.raises, "the application gave no answer"
            return httpx2.Response(500, request=request)
        headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in start["headers"]]
        return httpx2.Response(start["status"], headers=headers, stream=exchange, request=request)


class TestClient(httpx2.Client):
    """As Starlette's client of this name, for applications that have nothing to do at their start and end."""

    __test__ = False

    def __init__(
        self,
        app: Any,
        base_url: str = "http://testserver",
        *,
        raise_server_exceptions: bool = True,
        root_path: str = "",
        cookies: Any = None,
        headers: dict[str, str] | None = None,
        follow_redirects: bool = True,
        client: tuple[str, int] = ("testclient", 50000),
    ) -> None:
        self.app = app
        super().__init__(
            base_url=base_url,
            headers={"user-agent": "testclient", **(headers or {})},
            transport=_Transport(app, raise_server_exceptions, root_path, client),
            follow_redirects=follow_redirects,
            cookies=cookies,
        )
