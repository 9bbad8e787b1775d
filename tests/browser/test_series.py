"""A series in a real browser: a slider of time, an animation, and the 3-D look that follows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chromium import wait_for, wait_until, width
from series_maker import save_series
from tomarium.catalogue import open_catalogue
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.make_from_files import Wish
from tomarium.portal.built import built

pytestmark = pytest.mark.skipif(
    not (built("series") and built("volume")), reason="scripts of the pages are not built; run make web"
)
GREYS = (2.0, 1.5, 1.0, 0.5)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[str]:
    home = tmp_path_factory.mktemp("series")
    folder = save_series(home / "foam_series", GREYS, finished=(0, 1, 3))
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        file_path(catalogue, folder, Wish(home / "records"))
        with serving(catalogue) as address:
            yield f"{address}/records/foam-0/series"


def middle(element: Any) -> float:
    """Return the mean grey in the middle of what is seen."""
    seen = np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("L"), float)
    rows, columns = seen.shape
    return float(seen[rows * 2 // 5 : rows * 3 // 5, columns * 2 // 5 : columns * 3 // 5].mean())


def drawn(grey: float) -> float:
    return 255 * (grey - 0.1) / (2.0 - 0.1)


def shows(page: Any, number: int) -> None:
    page.wait_for_selector(f".series[data-state=ready][data-shown='{number}']")


def test_the_slider_goes_through_time(address: str, page: Any, axe: Callable[[Any], list[str]]) -> None:
    page.goto(address)
    shows(page, 1)
    frame, slider = page.locator(".slice-x .frame"), page.locator("#series-moment")
    assert middle(frame) == pytest.approx(drawn(2.0), abs=4)
    slider.press("ArrowRight")
    shows(page, 2)
    assert middle(frame) == pytest.approx(drawn(1.5), abs=4)  # in the same greys: darker
    page.wait_for_url("**moment=2*")
    assert page.locator("#series-form output").inner_text() == "2 of 4 · 40 s"
    slider.press("ArrowRight")
    shows(page, 3)
    page.get_by_text("Moment 3: not filed here, or not open to you").first.wait_for()
    slider.press("ArrowRight")
    shows(page, 4)
    assert middle(frame) == pytest.approx(drawn(0.5), abs=4)
    assert page.locator(".tile-main .none").is_hidden()
    page.locator("#series-x").press("Home")  # another slice, of the same moment
    page.wait_for_selector(".slice-x img[src*='foam-3'][src*='x-0.png']")
    assert middle(frame) == pytest.approx(0, abs=4)
    assert axe(page) == []
    page.wait_for_url("**x=0*")
    page.reload()
    shows(page, 4)
    assert page.locator("#series-x").input_value() == "0"


NOTE_MOMENTS = """() => {
  window.moments = [];
  const series = document.querySelector(".series");
  new MutationObserver(() => window.moments.push(series.dataset.shown))
    .observe(series, { attributes: true, attributeFilter: ["data-shown"] });
}"""
"""Keeps the number of each moment that is shown, in order."""


def test_the_moments_are_played(address: str, page: Any) -> None:
    page.goto(address)
    shows(page, 1)
    page.get_by_label("Moments a second").select_option("25")
    page.evaluate(NOTE_MOMENTS)
    page.get_by_role("button", name="Play the moments").click()
    wait_until(page, "window.moments.length >= 5")
    page.get_by_role("button", name="Stop").click()
    assert page.locator(".series").get_attribute("data-playing") == ""
    seen = page.evaluate("window.moments")
    # What is missing is left out, and after the end comes the beginning.
    assert seen[:5] == ["2", "4", "1", "2", "4"]
    before = page.locator("#series-moment").input_value()
    page.get_by_role("button", name="Next moment").click()
    shows(page, {1: 2, 2: 4, 4: 1}[int(before)])


def test_the_look_follows(address: str, page: Any) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(address)
    shows(page, 1)
    page.get_by_role("button", name="Turn it in 3-D").click()
    page.wait_for_selector("#look-stage[data-state=drawn]")
    page.get_by_label("What is cut").select_option("none")
    page.get_by_role("button", name="Brightest").click()
    canvas = page.locator("#look-stage canvas")
    page.wait_for_selector("#look-stage[data-state=drawn]")  # until it is drawn in full
    bright = middle(canvas)
    page.locator("#series-moment").press("End")
    shows(page, 4)
    page.wait_for_selector("#look-stage[data-volume*='foam-3']")
    # In the same greys: a quarter of the grey value.
    wait_for(page, lambda: middle(canvas) < 0.5 * bright, "moment 4 is drawn, darker than moment 1")


def test_on_a_phone_nothing_hangs_over(address: str, phone: Any) -> None:
    phone.goto(address)
    shows(phone, 1)
    assert width(phone) <= 390
