"""The model of a mesh in a real browser: drawn where it should be, turned by keys, at desktop and phone width."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from chromium import wait_for_layout, width
from mesh.bodies import filled, places, volume
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.catalogue.mesh_files import About, write_files
from tomarium.catalogue.mesh_part import add_mesh, place_of_mesh
from tomarium.formats.zarr.reader import write
from tomarium.pipeline.mesh.body import Wish
from tomarium.pipeline.mesh.make_mesh import as_data, make_mesh
from tomarium.portal.built import built

SIDES = (5, 8, 14)
"""Half lengths (z, y, x) of the body, voxels: from the side it is wide and low."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[str]:
    pytest.importorskip("manifold3d")
    if built("model") is None:
        pytest.skip("the model is not built (make web)")
    home = tmp_path_factory.mktemp("model")
    folder: Path = home / "block"
    block = volume(np.prod(filled(np.array(SIDES) - np.abs(places(36))), axis=-1))
    write(folder / "volume.ome.zarr", block)
    file_record(folder, title="A block", id="block", created=datetime(2026, 11, 20, tzinfo=UTC))
    mesh, figures = make_mesh(block, Wish())
    keeper, target = place_of_mesh(folder, "surface")
    add_mesh(
        folder,
        keeper,
        "surface",
        "surface",
        write_files(target, "surface", mesh, About("A block"), as_data(figures), ("3mf",)),
    )
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, folder)
        with serving(catalogue) as portal:
            yield f"{portal}/records/block"


def turned(window: Any, address: str) -> Any:
    """Open the page and load the model; the canvas."""
    window.goto(address)
    stage = window.locator(".mesh-stage").first
    assert stage.locator("img").count() == 1  # what is there without a script
    stage.get_by_role("button", name="Turn it").click()
    window.wait_for_selector(".mesh-stage[data-ready=yes]")
    assert stage.locator("img").count() == 0
    wait_for_layout(window)
    return stage.locator("canvas")


def body(canvas: Any) -> NDArray[np.bool_]:
    """Points of the canvas that are not its background."""
    shot = Image.open(BytesIO(canvas.screenshot())).convert("RGB")
    grey = np.asarray(shot, float)
    return np.asarray(np.abs(grey - grey[3, 3]).max(-1) > 24)[4:-4, 4:-4]


def extent(drawn: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Left, right, top, bottom of what is drawn, as shares of the canvas."""
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    high, wide = drawn.shape
    return columns[0] / wide, columns[-1] / wide, rows[0] / high, rows[-1] / high


def test_a_model_is_drawn_whole_and_is_turned_by_keys(
    address: str, page: Any, axe: Callable[[Any], list[str]]
) -> None:
    canvas = turned(page, address)
    first = body(canvas)
    left, right, top, bottom = extent(first)
    assert min(left, top, 1 - right, 1 - bottom) > 0.02  # all of it
    assert 0.1 < first.mean() < 0.6
    assert (left + right, top + bottom) == pytest.approx((1, 1), abs=0.15)  # in the middle
    assert right - left > 1.2 * (bottom - top)  # z is upwards: it lies, wide and low
    canvas.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")  # each is drawn before the next is pressed
    wait_for_layout(page)
    after = body(canvas)
    assert (first ^ after).mean() > 0.02
    assert abs(extent(after)[3] - bottom) < 0.15  # around the axis that stands, not over
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    wait_for_layout(page)
    assert (first ^ body(canvas)).mean() < 0.005
    assert "arrow keys" in canvas.get_attribute("aria-label")
    assert axe(page) == []


def test_a_model_fits_a_phone(address: str, phone: Any, axe: Callable[[Any], list[str]]) -> None:
    canvas = turned(phone, address)
    assert width(phone) <= 390
    box = canvas.bounding_box()
    assert box["width"] == pytest.approx(box["height"], abs=1)
    assert 300 < box["width"] <= 390
    assert 0.1 < body(canvas).mean() < 0.6
    assert axe(phone) == []
