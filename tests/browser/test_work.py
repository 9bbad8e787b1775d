"""The pages of work in a real browser: from a raw scan over its axis and a slice with sliders to a filed volume."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chromium import wait_for, wait_until, width
from tomarium.beamtime.work_jobs import work_kinds
from tomarium.catalogue import Catalogue, open_catalogue
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.work import do_jobs
from tomarium.catalogue.workers import heard
from tomarium.portal.built import built
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

pytestmark = pytest.mark.skipif(
    built("work") is None, reason="the scripts of the pages are not built (make web)"
)
AXIS = 33.25


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """A catalogue with one raw scan of 64 columns, and a worker that takes what is asked for."""
    home = tmp_path_factory.mktemp("work")
    simulate(home / "tooth.h5", SimulationConfig(columns=64, rows=12, views=90, axis_column=AXIS, seed=2))
    over = threading.Event()
    with open_catalogue(home / "catalogue.sqlite") as opened, heard(home):
        assert not file_path(opened, home / "tooth.h5", Wish(home / "records", "A tooth")).problems

        def work() -> None:
            kinds = work_kinds()
            while not over.wait(0.1):
                do_jobs(opened, lambda _line: None, kinds)

        thread = threading.Thread(target=work)
        thread.start()
        yield opened
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def address(catalogue: Catalogue, serving: Callable[..., Any]) -> Iterator[str]:
    with serving(catalogue) as address:
        yield address


def test_from_a_raw_scan_to_a_filed_volume(
    address: str, page: Any, axe: Callable[[Any], list[str]], catalogue: Catalogue
) -> None:
    page.expected += ["status of 422"]
    page.goto(address)
    page.locator(".menu.you > summary").click()
    page.get_by_role("link", name="Reconstruct").click()
    page.get_by_role("button", name="Reconstruct A tooth").click()
    strip = page.locator(".work-strip button")
    wait_for(page, lambda: strip.count() == 9, "nine columns are tried")
    found = page.locator(".work-strip .found button")
    assert abs(float(found.get_attribute("value")) - AXIS) < 0.3
    made = page.locator("#work-made pre")
    made.wait_for()  # a first slice is asked for by itself
    assert "find_axis" in made.inner_text()

    found.click()
    made.filter(has_text="axis_column").wait_for()
    slider = page.get_by_role("slider", name="δ/β")
    slider.focus()
    for _ in range(3):
        slider.press("PageUp")
    chosen = page.get_by_label("δ/β", exact=True).input_value()
    assert float(chosen) > 1
    made.filter(has_text=re.compile(rf"delta_beta: {re.escape(chosen)}\b")).wait_for()

    page.locator("#slice").evaluate("part => part.scrollIntoView()")
    box = page.locator(".work-picture svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.25)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.75, steps=3)
    page.mouse.up()
    made.filter(has_text="region").wait_for()
    y0, y1, x0, x1 = (
        int(page.get_by_label(name).input_value()) for name in ("y from", "y to", "x from", "x to")
    )
    assert abs(y0 - 16) <= 1
    assert abs(y1 - 48) <= 1
    assert f"region: {y0}:{y1},{x0}:{x1}" in made.inner_text()
    assert axe(page) == []

    page.get_by_label("δ/β", exact=True).fill("thick")
    page.get_by_role("alert").filter(has_text="thick").wait_for()
    assert page.get_by_role("button", name="Reconstruct with this protocol").is_disabled()
    page.get_by_label("δ/β", exact=True).fill("80")
    made.filter(has_text="delta_beta: 80").wait_for()

    # Greys are drawn from the slice that is there; the address keeps them.
    picture = page.locator(".work-picture image")
    page.get_by_label("White", exact=True).fill("60")
    page.locator(".work-picture image[href*='high=60.0000']").wait_for()
    page.wait_for_url("**high=60*")
    page.reload()
    assert "high=60" in picture.get_attribute("href")
    assert page.get_by_label("δ/β", exact=True).input_value() == "80"

    page.locator(".work-others a").first.click()
    page.get_by_role("heading", name="Two settings for one scan").wait_for()
    cursors = page.locator(".compare-view .compare-cursor")
    wait_for(page, lambda: cursors.count() == 2, "the script has put a cursor into both slices")
    page.locator(".compare-view").first.hover()
    wait_until(
        page,
        """() => [...document.querySelectorAll(".compare-cursor line")]
      .every((one) => one.hasAttribute("x1"))""",
    )
    assert axe(page) == []
    page.get_by_role("link", name="Go on with B").click()

    page.get_by_label("Title of the record").fill("A tooth in phase")
    page.get_by_role("button", name="Reconstruct with this protocol").click()
    page.get_by_role("link", name="Open the record").click()
    page.get_by_role("heading", name="A tooth in phase").wait_for()
    page.get_by_text("delta_beta").first.wait_for(state="attached")


def test_on_a_phone_and_by_keyboard(address: str, phone: Any, axe: Callable[[Any], list[str]]) -> None:
    phone.goto(f"{address}/reconstruct")
    assert width(phone) <= 390
    phone.get_by_role("button", name="Reconstruct A tooth").press("Enter")
    phone.locator("#work-made pre").wait_for()
    assert width(phone) <= 390
    assert axe(phone) == []
    row = phone.locator("#work-row")
    # Enter asks for the slice, whatever buttons of columns there are by now.
    first = "document.querySelector('button[type=submit][form=work-form], #work-form button[type=submit]')"
    wait_until(phone, f"[{first}?.name, {first}?.textContent].join() === ',Look at the slice'")
    row.fill("3")
    row.press("Enter")
    phone.get_by_text("Row 3 of 12").wait_for()


def test_a_quick_hand_gets_the_last_slice_that_it_asked_for(address: str, page: Any) -> None:
    page.goto(f"{address}/reconstruct")
    page.get_by_role("button", name="Reconstruct A tooth").click()
    page.locator("#work-made pre").wait_for()
    slider = page.get_by_role("slider", name="Row")
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    page.get_by_text("Row 10 of 12").wait_for()
    assert page.locator("#work-row").input_value() == "10"


def test_a_step_is_found_by_a_word_added_and_left_out_again(
    address: str, page: Any, axe: Callable[[Any], list[str]]
) -> None:
    page.goto(f"{address}/reconstruct")
    page.get_by_role("button", name="Reconstruct A tooth").click()
    made = page.locator("#work-made pre")
    made.wait_for()
    page.get_by_label("Add a step").fill("remove_spikes")
    page.get_by_role("button", name="Add it with its parameters").click()
    made.filter(has_text="remove_spikes").wait_for()
    page.locator("#work-form.scripted").wait_for()  # which hears of what is typed from then on
    group = page.get_by_role("group", name="Step remove_spikes")
    group.get_by_role("textbox").first.fill("9")
    made.filter(has_text=": 9").wait_for()
    assert axe(page) == []
    page.get_by_label("Columns", exact=True).fill("2")
    made.filter(has_text="bin").wait_for()
    assert page.locator(".work-picture svg").get_attribute("viewBox") == "0 0 64 64"
    group.get_by_role("checkbox").uncheck()
    made.filter(has_not_text="remove_spikes").wait_for()
