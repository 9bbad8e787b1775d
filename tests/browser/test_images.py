"""Images of microscopes in a real browser: channels, the spectrum of a pixel, a band as a map, metadata."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from chromium import wait_for_layout, wait_for_pictures, width
from tomarium import formats
from tomarium.catalogue import ingest, open_catalogue
from tomarium.catalogue.make_from_files import Wish, make_from_files
from tomarium.conversion.convert import convert
from tomarium.model import Axis, Image
from tomarium.portal.built import built

pytestmark = pytest.mark.skipif(
    not built("images"), reason="scripts of the pages are not built; run make web"
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[str]:
    """Serve a map whose left upper quarter has a line at 6 keV, and whose right half is brighter in all energies."""
    home: Path = tmp_path_factory.mktemp("images")
    cube = np.full((40, 60, 100), 2, np.uint16)
    cube[:, 30:] += 8
    cube[:20, :30, 60] += 40
    axes = (Axis("y", 1e-7, 0.0, "m"), Axis("x", 1e-7, 0.0, "m"), Axis("energy", 0.1, 0.0, "keV"))
    told = {
        "/original_metadata": {"Microscope": {"Voltage": "20 kV"}, **{f"n{k}": str(k) for k in range(300)}}
    }
    convert(Image(cube, axes, "counts", "EDS", metadata=told), home / "eds.nxs")
    record, folder = make_from_files(
        home / "eds.nxs", formats.open(home / "eds.nxs"), Wish(home / "records", "Inclusions")
    )
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, folder)
        with serving(catalogue) as address:
            yield f"{address}/records/{record.id}"


def seen(page: Any) -> np.ndarray[Any, Any]:
    """Return the map as it is seen, once it is there."""
    wait_for_pictures(page)
    shot = page.locator(".image-map img").screenshot()
    return np.asarray(Pillow.open(io.BytesIO(shot)).convert("RGB"), float)


def quarters(picture: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Mean light of the left upper and the right upper quarter of a map."""
    rows, columns = picture.shape[:2]
    part = picture[rows // 8 : 3 * rows // 8].mean(axis=2)
    return (
        float(part[:, columns // 8 : 3 * columns // 8].mean()),
        float(part[:, 5 * columns // 8 : 7 * columns // 8].mean()),
    )


def test_a_band_is_dragged_and_a_pixel_clicked(
    address: str, page: Any, axe: Callable[[Any], list[str]]
) -> None:
    page.goto(address)
    page.wait_for_selector("#images[data-state=ready]")
    assert axe(page) == []
    picture = page.locator(".image-map img")
    left, right = quarters(seen(page))
    assert right > left + 50  # the sum of all energies
    wait_for_layout(page)
    line = page.locator(".image-line").bounding_box()
    x = line["x"] + line["width"] * 60.5 / 100  # from -0.05 to 9.95 keV
    page.mouse.move(x - 6, line["y"] + 30)
    page.mouse.down()
    page.mouse.move(x + 6, line["y"] + 30)
    with page.expect_response(lambda answer: "map.png" in answer.url and "from=" in answer.url):
        page.mouse.up()
    page.wait_for_url(re.compile("from=5"))
    left, right = quarters(seen(page))
    assert left > right + 50  # the line is there alone
    box = picture.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 10.5 / 60, box["y"] + box["height"] * 5.5 / 40)
    page.get_by_text("column 10, row 5 · to 42").wait_for()
    page.locator(".image-map").press("ArrowRight")
    page.get_by_text("column 11, row 5").first.wait_for()
    page.locator(".image-map:focus").press("Shift+ArrowDown")
    page.get_by_text("column 11, row 15").first.wait_for()
    page.locator(".image-map:focus").press("Escape")
    page.get_by_text("the sum of all pixels").wait_for()
    page.get_by_role("link", name="log", exact=True).click()
    page.get_by_role(
        "img", name="Spectrum of the sum of all pixels: counts over energy in keV, log"
    ).wait_for()


def test_channels_are_switched_and_coloured(address: str, page: Any) -> None:
    page.goto(f"{address}?from=5.95&to=6.05")
    page.wait_for_selector("#images[data-state=ready]")
    with page.expect_response(lambda answer: "map.png" in answer.url):
        page.get_by_label("Colour of band", exact=True).fill("#ff0000")
    page.wait_for_url(re.compile("ff0000"))
    light = seen(page)
    assert light[..., 0].max() > 200
    assert light[len(light) // 2, 4, 1:].max() < 10
    with page.expect_response(lambda answer: "map.png" in answer.url):
        page.get_by_role("checkbox", name="(sum)").check()
    page.wait_for_url(re.compile("on0=1"))
    light = seen(page)
    assert light[9:-9, 3 * light.shape[1] // 4, 1].min() > 100


def test_metadata_are_searched_on_a_phone(address: str, phone: Any, axe: Callable[[Any], list[str]]) -> None:
    phone.goto(address)
    phone.wait_for_selector("#images[data-state=ready]")
    phone.locator("#metadata").get_by_role("searchbox").fill("voltage")
    phone.get_by_text(re.compile(r"^1 of \d+ lines")).wait_for()
    assert phone.locator("#metadata tbody td").inner_text() == "20 kV"
    assert axe(phone) == []
    assert width(phone) <= 390


def test_without_scripts_the_fields_do_the_same(address: str, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.get_by_label("Band from").fill("5.95")
    page.locator("input[name=to]").fill("6.05")
    page.locator(".image-fields").get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("from=5.95"))  # with the picture, which another process draws
    left, right = quarters(seen(page))
    assert left > right + 50
    context.close()
