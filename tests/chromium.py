"""Chromium of the system, driven by Playwright: found and started in one way for all tests, which wait for facts alone.

`TOMARIUM_TESTS_SLOW=6` gives each page a sixth of the processor, and lets scripts, styles and fonts of a portal come up
to half a second late, each by another time: a test that asks before it is sure then fails soon.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--disable-background-networking",
    # A picture is painted when it is unpacked, not before: what is photographed is what there is.
    "--disable-checker-imaging",
    # The graphics card is computed: it draws what asks for WebGL, and the rest of a page is painted without it.
    "--disable-gpu-rasterization", "--disable-gpu-compositing",
    "--disable-component-update", "--disable-default-apps", "--disable-sync", "--no-first-run",
)  # fmt: skip


# The shell without a browser's own windows takes a fifth to a half of the processor time for the same pages.
PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")

PATIENCE_S = 120.0
"""How long anything is waited for: a machine that does much else is slow, and what is waited for is a fact."""

SLOWER = float(os.environ.get("TOMARIUM_TESTS_SLOW", "1"))
"""By how much the pages' processor is slowed."""

LATEST_S = 0.5
"""By how much an answer is late at most, where pages are slowed."""

FORBIDDEN = ("CORS policy", "ERR_FAILED")
"""What a browser says of modules and styles that a page of a file asks for, which it gives to none."""

PICTURES = """() => document.readyState === 'complete' && [...document.images].every((one) => {
  const box = one.getBoundingClientRect();
  const beyond = !box.width || box.top > innerHeight || box.bottom < 0;
  return (one.complete && one.naturalWidth > 0) || (one.loading === 'lazy' && beyond);
})"""

SETTLED = """async () => {
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await frames();
  await document.fonts.ready;
  await frames();
}"""


class Browser:
    """Chromium, whose windows all wait long, and are slow where the environment says so."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    def new_context(self, **options: Any) -> Any:
        """Open windows that share nothing with others; the options are those of Playwright."""
        context = self._chromium.new_context(**options)
        context.set_default_timeout(1000 * PATIENCE_S)
        if SLOWER > 1:
            context.on("page", _slow)
        return context


def _slow(page: Any) -> None:
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})


def late(app: Any) -> Any:
    """Let scripts, styles and fonts of an ASGI application come late, where pages are slowed."""
    if SLOWER <= 1:
        return app

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and "/static/" in scope["path"]:
            await asyncio.sleep(random.uniform(0, LATEST_S))
        await app(scope, receive, send)

    return answer


@contextmanager
def started() -> Iterator[Any]:
    """Start Chromium; the test is skipped, by name, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = os.environ.get("TOMARIUM_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium here (apt-get install chromium-headless-shell, or set TOMARIUM_CHROMIUM)")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=program, args=list(FLAGS), timeout=1000 * PATIENCE_S
        )
        yield Browser(chromium)
        chromium.close()


def wait_until(page: Any, expression: str, arg: Any = None, seconds: float = PATIENCE_S) -> Any:
    """Wait until an expression of the page is true, asked anew from here each time, and return it.

    Playwright's own `wait_for_function` evaluates a text within the page, which the policy of the portal's pages
    forbids: it fails as soon as the expression is not true at the first look. A page that goes over to another one
    is asked again.
    """

    def ask() -> Any:
        try:
            return page.evaluate(expression, arg)
        except Exception as problem:
            if "context was destroyed" in str(problem):
                return None
            raise

    return wait_for(page, ask, expression, seconds)


def wait_for(page: Any, done: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
    """Wait until `done()` is true, which `what` says in words, and return it."""
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, f"not so in {seconds:g} s: {what}"
        page.wait_for_timeout(50)
    return found


def wait_for_pictures(page: Any) -> None:
    """Wait until all pictures of the page are there, but those that come only when they are scrolled to."""
    wait_until(page, PICTURES)


def wait_for_layout(page: Any) -> None:
    """Wait until nothing moves any more by itself: the fonts are there, and all is laid out with them."""
    page.evaluate(SETTLED)


def width(page: Any) -> int:
    """Tell how wide the page is, in its own fonts."""
    wait_for_layout(page)
    return int(page.evaluate("document.documentElement.scrollWidth"))
