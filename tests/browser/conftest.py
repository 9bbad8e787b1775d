"""A real browser for tests: Chromium of the system, driven by Playwright, and a portal that runs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from chromium import late
from tomarium.catalogue import Catalogue
from tomarium.portal.app import create_app


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Open a desktop window; what the page's scripts throw, or report as an error, fails the test."""
    yield from _window(browser, {"width": 1280, "height": 900})


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    """Open a window as wide as a phone, that is touched."""
    yield from _window(browser, {"width": 390, "height": 844}, has_touch=True)


def _window(browser: Any, size: dict[str, int], **more: Any) -> Iterator[Any]:
    context = browser.new_context(viewport=size, **more)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: wrong.append(_words(told)) if told.type == "error" else None)
    page.wrong = wrong
    page.expected = []  # parts of what a test provokes, whenever the browser tells of it
    yield page
    context.close()
    assert [text for text in wrong if not any(part in text for part in page.expected)] == []


def _words(told: Any) -> str:
    """Tell an error and the path of what it is about."""
    return f"{told.text} ({urlsplit(told.location['url']).path})"


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    """Give `serving(catalogue)`: a context in which its portal is heard, giving the address."""
    return _serving


@contextmanager
def _serving(catalogue: Catalogue, *, local: bool = True) -> Iterator[str]:
    with _hearing(create_app(catalogue, local=local)) as address:
        yield address


@contextmanager
def _hearing(app: Any) -> Iterator[str]:
    import uvicorn

    heard = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(late(app), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [heard]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{heard.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        heard.close()


@pytest.fixture(scope="session")
def hearing() -> Callable[..., Any]:
    """Give `hearing(app)`: a context in which an ASGI application is heard, giving the address."""
    return _hearing


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """Give `axe(page)`: serious and critical findings of axe about accessibility, a line each; of some rules alone."""
    sync_playwright = pytest.importorskip("axe_playwright_python.sync_playwright")

    def ask(page: Any, *rules: str) -> list[str]:
        # Of what passed axe would write down every element too, in twice the time.
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": list(rules)}
        found = sync_playwright.Axe().run(page, options=options).response["violations"]
        return [
            f"{one['id']}: {one['help']} ({', '.join(str(node['target']) for node in one['nodes'])})"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    return ask
