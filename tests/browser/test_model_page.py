"""The page of one file with a model, opened from a disk: nothing is fetched, it is turned and cut, at a true scale."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from chromium import wait_until, width
from tomarium.catalogue.model_file import page_of_mesh
from tomarium.model import Mesh
from tomarium.portal.languages import translations
from tomarium.viewers.model_page import ModelWords

pytest.importorskip("manifold3d")
HALF_MM = (6.0, 3.0, 2.0)
"""Half lengths of the block (x, y, z)."""


def block() -> Mesh:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * HALF_MM
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)]
    faces += [(2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
    return Mesh(corners.astype(np.float32), np.array(faces, np.uint32))


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    def write(language: str = "en", **words: str) -> str:
        path = tmp_path / f"{language}.html"
        told = ModelWords(**{"title": "A block", "licence": "CC-BY-4.0", **words})
        path.write_text(page_of_mesh(block(), told, 1000, language, translations(language)), "utf-8")
        return path.as_uri()

    return write


def opened(window: Any, address: str) -> list[str]:
    """Open a page without a network: every request but that of the file itself is refused, and told."""
    asked: list[str] = []

    def refuse(route: Any) -> None:
        if route.request.url == address:
            route.continue_()
            return
        asked.append(route.request.url)
        route.abort()

    window.route("**/*", refuse)
    window.goto(address)
    return asked


def drawn(window: Any) -> NDArray[np.bool_]:
    shot = Image.open(BytesIO(window.locator("#model").screenshot())).convert("RGB")
    grey = np.asarray(shot, float)
    mask = np.abs(grey - grey[3, 3]).max(-1) > 24
    mask[-80:, :400] = False  # the scale bar
    return np.asarray(mask[4:-4, 4:-4])


def is_shown(window: Any) -> None:
    wait_until(window, "document.body.dataset.model === 'shown' && Number(document.body.dataset.drawn) > 0")


def again(window: Any, do: Callable[[], object]) -> None:
    before = window.evaluate("Number(document.body.dataset.drawn)")
    do()
    wait_until(window, f"Number(document.body.dataset.drawn) > {before}")


def test_a_model_is_shown_at_its_scale_and_nothing_is_fetched(
    page: Any, written: Callable[..., str], axe: Callable[[Any], list[str]]
) -> None:
    asked = opened(page, written(title="</script><script>document.title='taken'</script>", licence="<b>mine"))
    is_shown(page)
    assert asked == []
    assert page.title().startswith("</script>")
    assert page.locator("main b").count() == 0
    # From an azimuth of 35° by buttons of 15° and keys of 10° to one of 15°.
    for _ in range(2):
        again(page, lambda: page.get_by_role("button", name="Turn right").click())
    again(page, lambda: (page.locator("#model").focus(), page.keyboard.press("ArrowLeft")))
    again(page, lambda: page.keyboard.press("ArrowLeft"))
    again(page, lambda: page.keyboard.press("ArrowRight"))
    page.evaluate("document.activeElement.blur()")  # whose rim would be taken for the body
    columns = np.flatnonzero(drawn(page).any(0))
    bar = page.locator("#scale-bar")
    turned = np.radians(15)
    across = 2 * (HALF_MM[0] * np.cos(turned) + HALF_MM[1] * np.sin(turned))
    pixels_mm = bar.bounding_box()["width"] / float(bar.get_attribute("data-length"))
    assert (columns[-1] - columns[0]) / pixels_mm == pytest.approx(across, rel=0.01)
    assert axe(page) == []


def test_a_cut_takes_half_of_it_away_and_shows_its_inside(page: Any, written: Callable[..., str]) -> None:
    opened(page, written())
    is_shown(page)
    whole = drawn(page)
    again(page, lambda: page.select_option("#cut-axis", "0"))
    assert page.locator("#cut-told").inner_text() == "6 mm"
    cut = drawn(page)
    assert 0.4 < cut.sum() / whole.sum() < 0.8
    shot = np.asarray(Image.open(BytesIO(page.locator("#model").screenshot())).convert("RGB"), float)
    assert (np.abs(shot - [184, 92, 69]).max(-1) < 4).sum() > 500  # the inside, where it is cut
    page.locator("#model").focus()
    again(page, lambda: page.keyboard.press("PageUp"))
    assert page.locator("#cut-told").inner_text() == "6.24 mm"
    again(page, lambda: page.locator("#cut-other").check())
    other = drawn(page)
    assert (cut & other).sum() < 0.45 * whole.sum()
    again(page, lambda: page.select_option("#cut-axis", "-1"))
    assert (drawn(page) ^ whole).mean() < 0.002


def test_two_fingers_enlarge_it_on_a_phone(phone: Any, written: Callable[..., str]) -> None:
    asked = opened(phone, written())
    is_shown(phone)
    assert width(phone) <= 390
    box = phone.locator("#model").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = phone.context.new_cdp_session(phone)

    def touch(kind: str, apart: float) -> None:
        points = [{"x": middle[0] + side * apart, "y": middle[1], "id": side + 1} for side in (-1, 1)]
        told = {"type": kind, "touchPoints": [] if kind == "touchEnd" else points}
        session.send("Input.dispatchTouchEvent", told)

    before = drawn(phone).sum()
    touch("touchStart", 30)
    again(phone, lambda: [touch("touchMove", apart) for apart in (35, 40, 45)])
    touch("touchEnd", 0)
    phone.wait_for_timeout(100)
    assert drawn(phone).sum() > 1.6 * before  # 1.5 times as large, so 2.25 times the area
    assert asked == []


@pytest.mark.parametrize(
    ("language", "title", "why"), [("fr", "Coupe", "WebGL 2"), ("de", "Schnitt", "WebGL 2")]
)
def test_without_webgl_there_are_pictures_and_the_reason(
    page: Any, written: Callable[..., str], language: str, title: str, why: str
) -> None:
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    asked = opened(page, written(language))
    assert page.evaluate("document.documentElement.lang") == language
    assert title in page.locator(".controls").text_content()
    wait_until(page, "document.getElementById('why').textContent.includes('WebGL')")
    assert why in page.locator("#why").inner_text()
    pictures = page.locator(".pictures img")
    assert pictures.count() == 4
    assert all(
        picture.evaluate("image => image.complete && image.naturalWidth > 0") for picture in pictures.all()
    )
    assert not page.locator("#model").is_visible()
    assert asked == []


def test_without_scripts_there_are_pictures_too(browser: Any, written: Callable[..., str]) -> None:
    context = browser.new_context(java_script_enabled=False)
    window = context.new_page()
    window.goto(written())
    assert window.locator(".pictures img").count() == 4
    assert "does not run here" in window.locator("#why").inner_text()
    context.close()
