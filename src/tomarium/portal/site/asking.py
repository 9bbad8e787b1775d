"""The portal asked within this process, as a reader asks it who has no account and knows of open records alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.routing import Match

from tomarium.catalogue import Catalogue
from tomarium.catalogue.reader import OPEN_ONLY
from tomarium.portal.app import create_app
from tomarium.portal.languages import without_language

HOST: Final = "static-site.invalid"
"""Never in what is written: whole addresses with this name are replaced."""


@dataclass(frozen=True)
class Answer:
    """What the portal answered.

    Attributes
    ----------
    status : int
        Of HTTP.
    headers : dict of str to str
        Names in small letters.
    content : bytes
        Empty where it was handed to `take`.
    """

    status: int
    headers: dict[str, str]
    content: bytes


class Portal:
    """The application of a catalogue, asked without a server; closed at the end of a `with`.

    Parameters
    ----------
    catalogue : Catalogue
        Open; it stays the caller's to close.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.app: FastAPI = create_app(catalogue)
        self.app.state.reader_of = lambda request: OPEN_ONLY
        self.app.state.as_files = True
        # Pages lead to the same places again and again, and hundreds of routes are asked for each.
        self._has_route = lru_cache(maxsize=1 << 16)(self._ask_routes)
        # In a thread of its own: whoever calls, such as a notebook, may run a loop already.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="site", daemon=True)

    def __enter__(self) -> Portal:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the loop in which it was asked."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def knows(self, path: str) -> bool:
        """Tell whether the application has a route for a path, whatever it answers.

        Parameters
        ----------
        path : str
            Without host and query.

        Returns
        -------
        bool
            It has.
        """
        return self._has_route(without_language(unquote(path))[1])

    def _ask_routes(self, bare: str) -> bool:
        scope = {"type": "http", "method": "GET", "path": bare, "root_path": "", "headers": []}
        return any(route.matches(scope)[0] is not Match.NONE for route in self.app.routes)

    def ask(self, address: str, *, method: str = "GET", take: Callable[[bytes], Any] | None = None) -> Answer:
        """Ask for an address.

        Parameters
        ----------
        address : str
            Path and query.
        method : str
            "GET" or "HEAD".
        take : callable, optional
            Given the content of an answer 200 in pieces, as it comes.

        Returns
        -------
        Answer
            Any status.
        """
        answer = _ask(self.app, address, method, take)
        return asyncio.run_coroutine_threadsafe(answer, self._loop).result()


async def _ask(app: FastAPI, address: str, method: str, take: Callable[[bytes], Any] | None) -> Answer:
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", HOST.encode()), (b"accept", b"text/html, */*;q=0.1")],
        "client": None,
        "server": (HOST, 80),
        "state": {},
    }
    started: dict[str, Any] = {"status": 500, "headers": []}
    pieces: list[bytes] = []
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # nobody hangs up
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        elif body := message.get("body", b""):
            if take is not None and started["status"] == 200:
                take(body)
            else:
                pieces.append(body)

    await app(scope, receive, send)
    headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in started["headers"]}
    return Answer(int(started["status"]), headers, b"".join(pieces))
