"""The page of meshes and prints in a real browser: the body follows the threshold, and the page what a worker does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromium import width
from mesh.bodies import filled, places, volume
from tomarium.catalogue import Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.work import work_once
from tomarium.formats.zarr.reader import write
from tomarium.portal.built import built


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    pytest.importorskip("manifold3d")
    home: Path = tmp_path_factory.mktemp("models")
    at = np.linalg.norm(places(30), axis=-1)
    write(home / "egg" / "volume.ome.zarr", volume(filled(12 - at) + 2 * filled(6 - at)))
    file_record(home / "egg", title="An egg", id="egg")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        ingest(opened, home / "egg")
        yield opened


@pytest.fixture(scope="module")
def address(catalogue: Catalogue, serving: Callable[..., Any]) -> Iterator[str]:
    if built("models") is None:
        pytest.skip("the script is not built (make web)")
    with serving(catalogue) as portal:
        yield f"{portal}/records/egg/models"


def test_the_body_follows_the_threshold_and_a_click_on_the_histogram(
    address: str, page: Any, axe: Callable[[Any], list[str]]
) -> None:
    page.goto(address)
    assert axe(page) == []
    page.locator("#threshold").fill("2")
    page.get_by_text("above 2 1/cm (given)").wait_for()
    page.wait_for_url("**threshold=2**")
    hidden = page.locator("form.make input[name=threshold]")
    assert [hidden.nth(n).input_value() for n in range(2)] == ["2", "2"]
    page.locator("#threshold").fill("9")
    page.get_by_text("nothing is above the threshold 9").wait_for()
    page.locator("#threshold").fill("2")
    plot = page.locator("#seen .hist")
    plot.wait_for()
    page.get_by_text("above 2 1/cm (given)").wait_for()
    box = plot.bounding_box()
    plot.click(position={"x": box["width"] / 6, "y": box["height"] / 2})
    page.get_by_text("above 0.5").wait_for()


def test_what_is_asked_for_is_followed_without_a_reload_on_a_phone(
    address: str,
    phone: Any,
    catalogue: Catalogue,
    axe: Callable[[Any], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tomarium.catalogue.mesh_files.mesh_png", lambda _mesh: b"\x89PNG")
    phone.goto(address)
    phone.get_by_label("Voxels of a piece that is kept").fill("1000000")
    phone.get_by_role("button", name="Make the mesh").click()
    phone.get_by_text("Mesh “surface” waits for a worker").wait_for()
    assert width(phone) <= 390
    assert axe(phone) == []
    work_once(catalogue, lambda _line: None)
    phone.get_by_text("Mesh “surface” was not made").wait_for()
    phone.get_by_text("keep smaller ones with “Voxels of a piece that is kept”").wait_for()
    phone.get_by_role("button", name="Make the mesh").click()
    phone.get_by_text("waits for a worker").first.wait_for()
    work_once(catalogue, lambda _line: None)
    phone.get_by_role("link", name="See it").click()
    phone.get_by_role("heading", name="Surface").wait_for()
