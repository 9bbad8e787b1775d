"""The live page in a real browser: large and dark, counting, renewed by events, and renewed without a script too."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromium import late, wait_until, width
from tomarium.beamtime.live_file import PICTURES, moment
from tomarium.portal.live_server import create_live_app
from tomarium.viewers.picture import png


def entry(number: int, old_s: float, **changes: Any) -> dict[str, Any]:
    now = time.time()
    scan = f"rod7_{number:04d}.h5"
    told = {
        "scan": scan, "row": 128, "picture": f"{scan}.png", "width": 256, "height": 256,
        "finished_at": moment(now - old_s + 1), "arrived_at": moment(now - old_s), "views": 400,
        "covered_deg": [0.0, 179.55], "complete": True, "axis_column": 127.31, "confidence": "high", "axis_of": scan,
        "station": "256 columns, pixel 1 µm", "protocol": "standard", "warnings": [], "checked": True,
        "notes": ["the scan has no dark frames: darks are taken as 0"], "seconds": 0.4, "stamp": [1, 2],
    }  # fmt: skip
    return {**told, **changes}


def disc() -> Any:
    """A slice: a ring with holes."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    image = 0.3 * (np.hypot(x, y * 1.2) < 0.8) + 0.5 * (np.abs(np.hypot(x, y * 1.2) - 0.8) < 0.05)
    for angle in range(12):
        image[np.hypot(x - 0.6 * np.cos(angle / 2), y - 0.45 * np.sin(angle / 2)) < 0.06] = 0
    return image


MOVED = {
    "kind": "moved", "title": "Sample moved", "level": "warn",
    "text": "by 1.8 ± 0.1 px along columns between 0° and 360°; fix it before the next scan",
}  # fmt: skip
LOST = {
    "kind": "beam",
    "title": "Beam lost",
    "level": "stop",
    "text": "projections: 12 of 128 sampled frames are dark",
}


LONG_S = 3600
"""The watch tells that it lives so much ahead: it is not taken for gone where the test is slow."""


def write(folder: Path, slices: list[dict[str, Any]], **changes: Any) -> None:
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    for one in slices:
        if not (pictures / one["picture"]).exists():
            noise = np.random.default_rng(0).normal(0, 0.03, (256, 256))
            (pictures / one["picture"]).write_bytes(png(disc() + noise))
    state = {"spool": "/nfs/spool/rod7", "protocol": "protocol.txt", "row": "middle",
             "started": moment(time.time() - 9000), "heartbeat": moment(time.time() + LONG_S),
             "state": "running", "running": "", "problem": "", "queue": [],
             "slices": slices, "skipped": [], "failed": []}  # fmt: skip
    draft = folder / "draft"
    draft.write_text(json.dumps({**state, **changes}), "utf-8")
    draft.replace(folder / "live.json")


def six() -> list[dict[str, Any]]:
    return [entry(14 - n, 12 + 180 * n) for n in range(6)]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    import uvicorn

    heard = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(late(create_live_app(tmp_path)), log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [heard]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{heard.getsockname()[1]}/live", tmp_path
    server.should_exit = True
    thread.join(10)
    heard.close()


def test_one_glance_on_desktop_and_phone(
    live: tuple[str, Path], page: Any, phone: Any, axe: Callable[[Any], list[str]]
) -> None:
    address, folder = live
    write(folder, six())
    page.goto(address)
    assert page.title() == "Running and keeping up · tomarium"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(11, 13, 12)"
    assert axe(page) == []
    # What decides is seen without scrolling: the state, and the newest slice.
    assert page.locator("h1").bounding_box()["height"] > 30
    newest = page.locator(".wall li").first.bounding_box()
    assert newest["width"] > 380
    assert newest["y"] + newest["height"] < 900
    phone.goto(address)
    assert width(phone) <= 390
    phone.goto(address + "?day=1")
    assert phone.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(242, 241, 234)"
    assert axe(phone) == []


def test_warnings_come_first_and_a_watcher_that_is_gone_is_the_state(
    live: tuple[str, Path], page: Any, phone: Any, axe: Callable[[Any], list[str]]
) -> None:
    address, folder = live
    failed = [{"scan": "rod7_0013b.h5", "reason": "is truncated", "at": moment(time.time()), "stamp": [1], "tries": 1,
               "arrived_at": moment(time.time() - 300)}]  # fmt: skip
    warned = [entry(14, 12, warnings=[MOVED]), entry(13, 190, warnings=[LOST]), *six()[2:]]
    waiting = [{"scan": "rod7_0015.h5", "why": "being written", "arrived_at": moment(time.time())}]
    write(folder, warned, failed=failed, queue=waiting, running="rod7_0012.h5")
    page.goto(address)
    assert page.locator("h1").inner_text() == "Beam lost in rod7_0013.h5"
    assert page.locator(".slip b").all_inner_texts() == ["Beam lost", "Sample moved"]
    assert page.locator(".slip").first.bounding_box()["y"] < page.locator(".wall").bounding_box()["y"]
    assert axe(page) == []
    phone.goto(address)
    assert width(phone) <= 390
    write(folder, six(), heartbeat=moment(time.time() - 3600))
    page.goto(address)
    assert page.locator("h1").inner_text().startswith("The watcher is not running since ")
    assert page.locator(".signal-stop").count() == 1
    assert axe(page) == []


def test_a_new_slice_appears_by_itself_and_ages_count(live: tuple[str, Path], page: Any) -> None:
    address, folder = live
    write(folder, six())
    page.goto(address)
    if not page.locator("script[src*='built/live.js']").count():
        pytest.skip("the scripts of the pages are not built (make web)")
    before = page.locator(".gauges [data-age]").first.inner_text()
    wait_until(
        page, "before => document.querySelector('.gauges [data-age]').textContent !== before", arg=before
    )
    page.evaluate("window.stays = true")
    write(folder, [entry(15, 0), *six()])
    page.locator(".wall li").first.get_by_text("rod7_0015.h5").wait_for()
    assert page.evaluate("window.stays")  # by an event: the page was not loaded anew
    assert page.locator(".wall li").count() == 6


def test_what_came_while_the_page_was_loaded_appears_too(live: tuple[str, Path], page: Any) -> None:
    """The events are asked for after the page was made; what was written in between is no news to later ones."""
    address, folder = live
    write(folder, six())

    def first_write(route: Any) -> None:
        write(folder, [entry(15, 0), *six()])
        route.continue_()

    page.route("**/live/events*", first_write, times=1)
    page.goto(address)
    if not page.locator("script[src*='built/live.js']").count():
        pytest.skip("the scripts of the pages are not built (make web)")
    page.locator(".wall li").first.get_by_text("rod7_0015.h5").wait_for()


def test_without_a_script_the_page_renews_itself(live: tuple[str, Path], browser: Any) -> None:
    address, folder = live
    write(folder, six())
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(address)
    assert plain.locator("meta[http-equiv=refresh]").get_attribute("content") == "15"
    assert int(plain.locator(".wall .old").first.inner_text().split(" s ago")[0]) >= 12
    plain.goto(address + "?hold=1")
    assert plain.locator("meta[http-equiv=refresh]").count() == 0
    context.close()
