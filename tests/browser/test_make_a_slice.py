"""Make your own slice in a browser: what is drawn is what tm.fbp gives, by hand, by keys, on a phone, from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from chromium import FORBIDDEN, wait_for, wait_for_layout, wait_for_pictures, wait_until, width
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue, read_record
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.model import Person
from tomarium.portal.built import built
from tomarium.portal.site.build import build_site
from tomarium.viewers.make_a_slice import VIEWS, OneSlice, one_slice

needs_script = pytest.mark.skipif(built("make-a-slice") is None, reason="needs `make web`")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("slice")


@pytest.fixture(scope="module")
def catalogue(home: Path, make_volume: Callable[..., Path]) -> Iterator[Catalogue]:
    make_volume(home / "tooth" / "volume.ome.zarr", size=96)
    file_record(home / "tooth", title="Tooth", id="tooth", created=datetime(2026, 11, 20, tzinfo=UTC))
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, home / "tooth")
        edit(
            catalogue, LOCAL_OWNER, "tooth", Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))
        )
        publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0"))
        yield catalogue


@pytest.fixture(scope="module")
def one(home: Path, catalogue: Catalogue) -> OneSlice:
    return one_slice(read_record(home / "tooth"), home / "tooth")


@pytest.fixture(scope="module")
def address(catalogue: Catalogue, serving: Callable[..., Any]) -> Iterator[str]:
    with serving(catalogue) as address:
        yield f"{address}/records/tooth/make-a-slice"


def ready(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#make-a-slice[data-state=ready]")
    wait_for_layout(page)


def drawn(page: Any) -> NDArray[Any]:
    """Read the greys of the slice."""
    told = page.evaluate(
        """() => {
          const canvas = document.querySelector("#slice-made canvas");
          return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]
            .filter((_, k) => k % 4 === 0);
        }"""
    )
    size = round(len(told) ** 0.5)
    return np.asarray(told, float).reshape(size, size) / 255


def greys(one: OneSlice, chosen: NDArray[Any]) -> NDArray[Any]:
    """Compute what is to be drawn."""
    values = tm.fbp(one.sinogram[chosen], one.angles_deg[chosen], one.axis_column, padding="zero")
    return np.asarray(np.clip((values - one.window[0]) / (one.window[1] - one.window[0]), 0, 1))


def settle(page: Any, used: int) -> None:
    page.wait_for_selector(f"#make-a-slice[data-used='{used}']")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@needs_script
def test_what_is_drawn_is_what_fbp_gives(address: str, page: Any, one: OneSlice) -> None:
    ready(page, address)
    every = np.arange(VIEWS)

    def agrees(chosen: NDArray[Any]) -> None:
        settle(page, len(chosen))
        difference = drawn(page) - greys(one, chosen)
        assert np.sqrt(np.mean(difference**2)) < 0.01
        assert np.abs(difference).max() < 0.05

    agrees(every)
    page.get_by_label("Taken in half a turn").select_option("16")
    agrees(every[::12])
    page.get_by_label("Turned by").fill("120")
    agrees(every[::12][every[::12] * 180 / VIEWS < 120])
    page.get_by_label("Projections put back").press("ArrowLeft")
    agrees(every[::12][:10])
    page.get_by_label("Order").select_option("spread")
    page.get_by_label("Turned by").fill("180")
    page.get_by_label("Projections put back").fill("4")
    agrees(every[::48])  # the first four of the order are spread evenly


@needs_script
def test_without_the_filter_the_slice_is_blurred(address: str, page: Any, one: OneSlice) -> None:
    ready(page, address)
    sharp = drawn(page)
    page.get_by_label("Filter each projection first").uncheck()
    wait_until(page, "() => !document.querySelector('#slice-made output').textContent.includes('%')")
    size = len(one.values)
    y, x = (size - 1) / 2 - np.mgrid[:size, :size][0], np.mgrid[:size, :size][1] - (size - 1) / 2
    summed = np.zeros((size, size))
    columns = np.arange(size)
    for line, angle in zip(one.sinogram, np.deg2rad(one.angles_deg), strict=True):
        place = one.axis_column + x * np.cos(angle) + y * np.sin(angle)
        summed += np.interp(place.ravel(), columns, line).reshape(size, size)
    inside = np.hypot(y, x) < 0.9 * size / 2
    seen = drawn(page)
    assert np.corrcoef(seen[inside], summed[inside])[0, 1] > 0.999
    assert np.abs(np.diff(seen, axis=1)).mean() < 0.5 * np.abs(np.diff(sharp, axis=1)).mean()


@needs_script
def test_projections_are_dragged_and_played(
    address: str, page: Any, axe: Callable[[Any], list[str]], one: OneSlice
) -> None:
    ready(page, address)
    assert axe(page) == []
    lines = page.locator("#projections canvas.lines")
    box = lines.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    told = page.locator("#slice-made output")

    def half() -> bool:
        return abs(int(told.inner_text().split(" of ")[0]) - VIEWS / 2) <= 1

    wait_for(page, half, "half of the projections are put back")
    assert "% from all" in told.inner_text()
    page.get_by_label("Taken in half a turn").select_option("4")
    page.get_by_label("Projections put back").fill("0")
    settle(page, 0)
    assert told.inner_text() == "0 of 4 projections"
    assert drawn(page).max() < 0.5
    play = page.get_by_role("button", name="Play")
    play.press("Enter")
    settle(page, 4)
    play.wait_for()
    assert np.sqrt(np.mean((drawn(page) - greys(one, np.arange(0, VIEWS, 48))) ** 2)) < 0.01


@needs_script
def test_it_fits_a_phone(address: str, phone: Any, axe: Callable[[Any], list[str]]) -> None:
    ready(phone, address)
    assert axe(phone) == []
    assert width(phone) <= 390


def test_without_a_script_four_pictures_are_shown(address: str, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 2400})
    page = context.new_page()
    page.goto(address.removesuffix("/make-a-slice"))
    page.get_by_role("link", name="Make your own slice").click()
    page.wait_for_url("**/make-a-slice")
    assert page.get_by_text("all 192 projections").is_visible()
    assert page.locator(".few-and-many img").count() == 4
    assert page.locator("#slice-made img").is_visible()
    assert page.get_by_text("they are not the measured ones").is_visible()
    context.close()


@needs_script
def test_it_works_from_a_file(
    catalogue: Catalogue, tmp_path: Path, page: Any, one: OneSlice, axe: Callable[[Any], list[str]]
) -> None:
    told = build_site(catalogue, tmp_path / "www")
    assert told.problems == []
    # The module of the 3-D look is loaded from no file by any browser; axe asks for the style sheets as no page may.
    page.expected += FORBIDDEN
    page.goto(f"file://{tmp_path}/www/records/tooth/index.html")
    page.get_by_role("link", name="Make your own slice").click()
    page.wait_for_selector("#make-a-slice[data-state=ready]")
    page.get_by_label("Taken in half a turn").select_option("16")
    settle(page, 16)
    assert np.sqrt(np.mean((drawn(page) - greys(one, np.arange(0, VIEWS, 12))) ** 2)) < 0.01
    assert axe(page) == []
    page.locator(".few-and-many img").last.scroll_into_view_if_needed()
    wait_for_pictures(page)
