"""Chromium of the system, driven by Playwright: found and started in one way for all tests."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--disable-background-networking",
    # The graphics card is computed: it draws what asks for WebGL, and the rest of a page is painted without it.
    "--disable-gpu-rasterization", "--disable-gpu-compositing",
    "--disable-component-update", "--disable-default-apps", "--disable-sync", "--no-first-run",
)  # fmt: skip


# The shell without a browser's own windows takes a fifth to a half of the processor time for the same pages.
PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")


@contextmanager
def started() -> Iterator[Any]:
    """Start Chromium; the test is skipped, by name, where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = os.environ.get("TOMARIUM_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium here (apt-get install chromium-headless-shell, or set TOMARIUM_CHROMIUM)")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        yield chromium
        chromium.close()


def wait_until(page: Any, expression: str, arg: Any = None, seconds: float = 60) -> None:
    """Wait until an expression of the page is true, asked anew from here each time.

    Playwright's own `wait_for_function` evaluates a text within the page, which the policy of the portal's pages
    forbids: it fails as soon as the expression is not true at the first look.
    """
    wait_for(page, lambda: page.evaluate(expression, arg), expression, seconds)


def wait_for(page: Any, done: Callable[[], Any], what: str, seconds: float = 60) -> None:
    """Wait until `done()` is true, which `what` says in words; a window that shares its processor may take long."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not so in {seconds:g} s: {what}"
        page.wait_for_timeout(50)
