"""H5Web in a real browser: it comes over the plain page and shows what is in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from PIL import Image

from chromium import wait_for, wait_until
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.model import Part
from tomarium.portal import hdf5
from tomarium.portal.built import built


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[str]:
    if built("hdf5") is None:
        pytest.skip("the scripts of the pages are not built (make web)")
    home = tmp_path_factory.mktemp("hdf5")
    folder = home / "scan"
    folder.mkdir()
    with h5py.File(folder / "scan.h5", "w") as file:
        image = np.zeros((64, 64), np.float32)
        image[:, 32:] = 1.0  # the left half is dark, the right one bright
        file.create_dataset("entry/image", data=image, chunks=(64, 64), compression=hdf5plugin.Zstd())
        file["entry"].attrs["NX_class"] = "NXentry"
    created = datetime(2026, 11, 20, tzinfo=UTC)
    file_record(folder, title="Scan", id="scan", created=created, parts=[Part("projections", "scan.h5")])
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, folder)
        with serving(catalogue) as address:
            yield f"{address}/records/scan/hdf5/scan.h5"
    hdf5.readers().close()


def halves(png: bytes) -> tuple[float, float]:
    """Mean grey of the middle of the left and of the right half of a picture."""
    grey = np.asarray(Image.open(BytesIO(png)).convert("L"), float)
    rows, columns = grey.shape
    part = grey[rows // 3 : 2 * rows // 3]
    return (
        float(part[:, columns // 5 : 2 * columns // 5].mean()),
        float(part[:, 3 * columns // 5 : 4 * columns // 5].mean()),
    )


def test_h5web_shows_a_picture(address: str, page: Any, axe: Callable[[Any], list[str]]) -> None:
    page.goto(f"{address}?at=/entry/image")
    page.wait_for_selector(".hdf5-frame canvas")
    wait_until(page, "document.body.innerText.includes('image')")

    def difference() -> float:
        dark, bright = halves(page.locator(".hdf5-frame canvas").first.screenshot())
        return abs(dark - bright)

    wait_for(page, lambda: difference() > 60, "the picture is drawn: its halves differ")
    assert page.locator("#hdf5-plain").is_hidden()
    page.get_by_role("button", name="Show the plain page").click()
    page.locator("#hdf5-plain img").wait_for()
    assert axe(page) == []


def test_the_plain_page_fits_a_phone_without_scripts(address: str, browser: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    window = context.new_page()
    window.goto(f"{address}?at=/entry/image")
    dark, bright = halves(window.locator("#hdf5-plain img").screenshot())
    assert bright - dark > 200
    window.goto(f"{address}?at=/entry")
    assert "64 × 64" in window.inner_text("main")
    context.close()
