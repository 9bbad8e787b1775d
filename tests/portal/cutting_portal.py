"""A portal that runs, whose answers are cut off, come slowly, or are refused."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from tomarium.catalogue import Catalogue
from tomarium.portal.app import create_app


@dataclass
class Cutting:
    """An application whose answers are cut off after so many bytes, or wait, or are others."""

    app: Any
    cut: Callable[[str], int | None] = lambda path: None
    status: Callable[[str], int] = lambda path: 0
    block: int = 1 << 30
    pause_s: float = 0.0
    trickle_after: int | None = None  # of one answer; what follows comes a byte at a time, until this is None
    ranges_known: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((path, headers.get("range", "")))
        if not self.ranges_known:
            scope["headers"] = [one for one in scope["headers"] if one[0] != b"range"]
        if status := self.status(path):
            await send({"type": "http.response.start", "status": status, "headers": []})
            return await send({"type": "http.response.body", "body": b'{"detail": "closed for repair"}'})
        left, sent = self.cut(path), 0

        async def cutting(message: Any) -> None:
            nonlocal left, sent
            if message["type"] != "http.response.body" or ("/files/" not in path and "volume." not in path):
                await send(message)
                return
            body = message.get("body", b"")
            first = 0
            while not first or first < len(body):
                trickles = self.trickle_after is not None and sent >= self.trickle_after
                part = body[first : first + (1 if trickles else self.block)]
                first += max(1, len(part))
                more = first < len(body) or message.get("more_body", False)
                if left is not None and len(part) > left:
                    await send({"type": "http.response.body", "body": part[:left], "more_body": True})
                    raise ConnectionError
                left = None if left is None else left - len(part)
                await send({"type": "http.response.body", "body": part, "more_body": more})
                sent += len(part)
                if trickles or self.pause_s:
                    await asyncio.sleep(self.pause_s or 0.01)

        await self.app(scope, receive, cutting)
        return None

    def ranges(self, path: str) -> list[str]:
        return [asked for one, asked in self.asked if one.endswith(f"/files/{path}")]


@contextmanager
def served(catalogue: Catalogue, local: bool = True) -> Iterator[tuple[str, Cutting]]:
    app = Cutting(create_app(catalogue, local=local))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        while not running.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", app
        finally:
            running.force_exit = running.should_exit = True
            thread.join()
