"""The light table in a real browser: slices, measures, the grey window, and the look in three dimensions."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chromium import wait_for, wait_for_layout, wait_for_pictures, wait_until, width
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.formats.zarr.reader import write
from tomarium.model import Axis, Value, Volume
from tomarium.portal.built import built

pytestmark = pytest.mark.skipif(
    not (built("slices") and built("volume")), reason="scripts of the pages are not built; run make web"
)


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], serving: Callable[..., Any]
) -> Iterator[str]:
    home = tmp_path_factory.mktemp("light")
    make_volume(home / "tooth" / "volume.ome.zarr", size=48)
    file_record(home / "tooth", title="Tooth", id="tooth", created=datetime(2026, 11, 20, tzinfo=UTC))
    told = {
        "motor_along_x": Value("tx", "profile", "P"),
        "motor_sign_along_x": Value(-1, "profile", "P"),
        "motor_tx_position_m": Value(3.2e-3, "read", "a.nx:/entry/tx"),
    }
    axes = tuple(Axis(name, 1e-6, offset, "m") for name, offset in (("z", 0.0), ("y", -2e-5), ("x", -2e-5)))
    write(home / "bead" / "volume.ome.zarr", Volume(np.ones((24, 40, 40), np.float32), axes, "", "bead"))
    file_record(home / "bead", title="Bead", id="bead", parameters=told)
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, home / "tooth")
        ingest(catalogue, home / "bead")
        with serving(catalogue) as address:
            yield f"{address}/records/tooth"


def ready(page: Any) -> None:
    """Wait until the script has made the slices its own, and all of it stands."""
    page.wait_for_selector("form.slices[data-state=ready]")
    page.wait_for_selector(".tile-main .fit.placed")
    wait_for_pictures(page)
    wait_for_layout(page)


def seen(element: Any) -> Any:
    return np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"), float)


def test_slices_follow_the_hand(address: str, page: Any) -> None:
    page.goto(address)
    picture = page.locator(".tile-main img").first
    ready(page)
    asked, scripts = picture.evaluate("""picture => [
      performance.getEntriesByName(picture.src)[0].startTime,
      performance.getEntriesByType("navigation")[0].domContentLoadedEventStart]""")
    assert asked < scripts  # the first slice waits for no script
    frame = page.locator(".tile-main .frame")
    box, outer = (
        picture.bounding_box(),
        frame.bounding_box(),
    )  # it lies in the middle of a frame that may be wider
    across, down = box["x"] - outer["x"] + box["width"] * 12.5 / 48, outer["height"] * 0.5  # in voxel 12
    frame.click(position={"x": across, "y": down})
    wait_until(page, "() => location.search.includes('x=12')")
    assert page.locator("#slice-x").input_value() == "12"
    frame.press("ArrowRight")
    assert page.locator("#slice-x").input_value() == "13"
    frame.hover()
    page.mouse.wheel(0, -600)
    wait_until(page, "() => location.search.includes('near=z')")
    assert "region=" in page.locator("a.take").first.get_attribute("href")
    page.reload()
    ready(page)
    # The view is in the address; it is drawn once the picture is there.
    wider = "least => document.querySelector('.tile-main .fit').getBoundingClientRect().width > least"
    wait_until(page, wider, arg=1.5 * box["width"])


def test_a_distance_is_measured_and_a_profile_read(address: str, page: Any) -> None:
    page.goto(address)
    ready(page)
    frame = page.locator(".tile-main .frame")
    fit = page.locator(".tile-main .fit").bounding_box()
    outer = frame.bounding_box()
    y = fit["y"] - outer["y"] + fit["height"] / 2
    page.get_by_role("button", name="Profile").first.click()
    for part in (0.25, 0.75):
        frame.click(position={"x": fit["x"] - outer["x"] + part * fit["width"], "y": y})
    told = page.locator(".profile p")
    told.wait_for()
    # half of 48 voxels of 0.65 µm
    wait_for(page, lambda: "along 15.6 µm" in told.inner_text(), "the length of the line is told")
    assert "15.6 µm" in page.locator(".measure-drawing text").first.text_content()


def test_axes_count_from_the_middle_of_the_first_voxel(address: str, page: Any) -> None:
    page.goto(address)
    ready(page)
    page.locator(".tile-main").get_by_label("Axes", exact=True).select_option("first")
    told = page.locator(".tile-main .frame").evaluate(
        """frame => {
          const [box, fit] = [frame, frame.querySelector(".fit")].map((one) => one.getBoundingClientRect());
          const lines = [...frame.querySelectorAll(".ruler line")];
          const upright = lines.filter((one) => one.getAttribute("x1") === one.getAttribute("x2"));
          return upright.map((one) => [Number(one.nextSibling.textContent),
            48 * (Number(one.getAttribute("x1")) - (fit.left - box.left)) / fit.width]);
        }"""
    )  # fmt: skip
    assert len(told) >= 3
    for micrometres, voxels in told:  # from the left edge of the first voxel, whose middle is 0
        assert voxels == pytest.approx(micrometres / 0.65 + 0.5, abs=0.1)


MARKS = """frame => {
  const [box, fit] = [frame, frame.querySelector(".fit")].map((one) => one.getBoundingClientRect());
  const lines = [...frame.querySelectorAll(".ruler line")];
  const upright = lines.filter((one) => one.getAttribute("x1") === one.getAttribute("x2"));
  return upright.map((one) => [Number(one.nextSibling.textContent),
    40 * (Number(one.getAttribute("x1")) - (fit.left - box.left)) / fit.width]);
}"""


def test_axes_are_positions_of_motors_in_all_planes(address: str, page: Any) -> None:
    page.goto(f"{address.removesuffix('tooth')}bead?axes=motor&x=10")  # as the page without scripts draws it
    ready(page)
    assert page.locator(".marks, .take-axes").count() == 0
    # Voxel 10 lies 10 µm before the axis, where the position is 3.2 mm and falls with the voxels.
    assert page.locator(".slice-x output").inner_text() == "10 / 39 · tx 3.2100 mm"
    told = page.locator(".tile-main .frame").evaluate(MARKS)
    assert len(told) >= 2
    for millimetres, voxels in told:
        assert 1e3 * (3.2 - millimetres) == pytest.approx(voxels - 0.5 - 20, abs=0.1)
    assert "tx in mm" in page.locator(".tile-main .ruler").text_content()
    assert "tx in mm" in page.locator(".slice-y .ruler").text_content()
    page.locator(".tile-main").get_by_label("Axes", exact=True).select_option("px")
    assert page.locator(".slice-x output").inner_text() == "10 / 39 · x 10 px"
    wait_until(page, "() => location.search.includes('axes=px')")
    page.reload()
    ready(page)
    assert "x in px" in page.locator(".slice-y .ruler").text_content()


def test_the_window_is_set_on_the_histogram(address: str, page: Any) -> None:
    page.goto(address)
    ready(page)
    before = seen(page.locator(".slice-y .frame")).mean()
    white = page.get_by_role("slider", name="White")
    for _ in range(8):
        white.press("Shift+ArrowLeft")
    wait_until(page, "() => location.search.includes('high=')")
    wait_for(
        page, lambda: seen(page.locator(".slice-y .frame")).mean() > before + 15, "the slice is brighter"
    )


def test_the_volume_is_turned(address: str, page: Any, axe: Callable[[Any], list[str]]) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(address)
    page.get_by_role("button", name="Turn it in 3-D").click()
    page.wait_for_selector("#look-stage[data-state=drawn]")
    assert axe(page) == []
    canvas = page.locator("#look-stage canvas")
    first = seen(canvas)
    height, width = first.shape[:2]
    middle = first[height // 3 : 2 * height // 3, 2 * width // 5 : 3 * width // 5]
    assert (middle.max(axis=2) > 60).mean() > 0.7  # the tooth stands in the middle
    assert first[8 : height // 12, 8 : width // 8].max() < 40  # and nothing in the corner
    canvas.press("Shift+ArrowLeft")
    page.wait_for_selector("#look-stage[data-state=drawn]")
    assert np.abs(seen(canvas) - first).mean() > 2
    with page.expect_download() as download:
        page.get_by_role("button", name="Save PNG").click()
    assert download.value.suggested_filename == "tooth-3d.png"
    page.get_by_role("button", name="Close", exact=True).click()
    page.wait_for_selector("#look-stage", state="detached")


def test_without_webgl_the_page_says_so(address: str, phone: Any) -> None:
    phone.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    phone.goto(address)
    phone.get_by_text("No WebGL 2 here: the slices show the inside.").wait_for()
    assert (
        phone.locator("#look img")
        .evaluate("picture => picture.getAttribute('src')")
        .endswith("v=" + phone.locator("#look .look").get_attribute("data-volume").split("v=")[1])
    )
    assert width(phone) <= 390


def test_two_records_are_turned_over_together(
    address: str, page: Any, axe: Callable[[Any], list[str]]
) -> None:
    page.goto(address.replace("/records/tooth", "/compare?a=tooth&b=tooth"))
    wait_for_layout(page)
    assert axe(page) == []
    page.locator(".compare-form input[name=at]").press("ArrowRight")
    page.get_by_text("18 / 35").first.wait_for()
    view = page.locator(".compare-view").nth(1)
    view.click()
    page.mouse.wheel(0, -400)

    def boxes() -> list[str]:
        return [page.locator(".compare-view").nth(k).get_attribute("viewBox") for k in (0, 1)]

    wait_for(page, lambda: boxes()[0] == boxes()[1] != "0 0 1000 1000", "both views are magnified alike")


def test_a_page_is_light_before_its_islands(address: str, page: Any) -> None:
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    sizes = {answer.url: len(answer.body()) for answer in answers}
    page_itself = {
        url: size
        for url, size in sizes.items()
        if "/pictures/" not in url
        and "/built/" not in url
        and "/fonts/" not in url
        and "thumbnail" not in url
    }
    assert sum(page_itself.values()) <= 150_000
    assert not any(url.split("?")[0].endswith(".u8") for url in sizes)  # only when it is asked for
