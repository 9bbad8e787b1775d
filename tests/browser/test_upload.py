"""The page for uploads in a real browser: a folder is sent, cut off, gone on with after a reload, and is a draft."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import tifffile

from chromium import width
from tomarium.catalogue import Catalogue, file_record, open_catalogue, read_record
from tomarium.catalogue.work import work_once
from tomarium.model import Part
from tomarium.portal.built import built
from tomarium.portal.pages import upload

pytestmark = pytest.mark.skipif(
    built("upload") is None, reason="the scripts of the pages are not built (make web)"
)
PIECE = 40_000


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path_factory.mktemp("uploads") / "catalogue.sqlite") as catalogue:
        yield catalogue


@pytest.fixture(scope="module")
def address(catalogue: Catalogue, serving: Callable[..., Any]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, serving(catalogue) as address:
        patch.setattr(upload, "PIECE", PIECE)
        yield address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine") / "bear"
    (folder / "notes").mkdir(parents=True)
    draw = Random(1)
    (folder / "scan.bin").write_bytes(draw.randbytes(5 * PIECE + 7))
    (folder / "notes" / "log.txt").write_text("a line\n")
    (folder / "notes" / "empty.txt").touch()
    file_record(folder, title="A bear", id="bear", parts=(Part("projections", "scan.bin", "raw"),))
    (folder / ".DS_Store").write_text("hidden")
    return folder


def test_a_folder_is_cut_off_gone_on_with_and_becomes_a_draft(
    address: str, page: Any, folder: Path, catalogue: Catalogue
) -> None:
    sent: list[int] = []

    def watch(route: Any) -> None:
        body = route.request.post_data_buffer or b""
        if route.request.method == "PATCH" and len(sent) >= 2:
            route.abort()  # the network is gone
            return
        if "upload-checksum" in route.request.headers:
            sent.append(len(body))
            assert route.request.headers["upload-checksum"].startswith("sha256 ")
        route.continue_()

    page.expected += ["ERR_FAILED", "status of 422"]
    page.on("dialog", lambda dialog: dialog.accept())
    page.route("**/uploads**", watch)
    page.route("**/uploads/**", watch)
    page.goto(address)
    page.locator(".menu.you > summary").click()
    page.locator(".menu.you").get_by_role("link", name="Upload").click()
    page.locator("#upload").wait_for()  # the script shows it, and hears of files from then on
    page.get_by_label("Choose a folder").set_input_files(folder)
    page.get_by_text("Hidden files were left out: 1.").wait_for()
    page.get_by_text("The server does not answer.").first.wait_for()
    page.get_by_label("Title").fill("A bear in pieces")
    page.unroute("**/uploads**")
    page.unroute("**/uploads/**")
    page.reload()
    page.get_by_text("files are there. Choose the same files").wait_for()
    assert page.get_by_label("Title").input_value() == "A bear in pieces"
    again: list[int] = []
    page.on(
        "request",
        lambda one: again.append(len(one.post_data_buffer or b"")) if one.method == "PATCH" else None,
    )
    page.get_by_label("Choose a folder").set_input_files(folder)
    page.get_by_label("Creators").fill("Lovelace, Ada 0000-0002-1825-0097")
    page.get_by_label("Licence").fill("no licence of this world")
    page.get_by_text("All files are there").first.wait_for()
    page.get_by_role("button", name="Make the draft").click()
    page.get_by_text("no licence of this world").first.wait_for()  # refused, and nothing was lost
    page.get_by_label("Licence").fill("CC-BY-4.0")
    page.get_by_role("button", name="Make the draft").click()
    page.get_by_role("link", name="bear", exact=True).click()
    page.get_by_role("heading", name="A bear in pieces").wait_for()
    for name in ("scan.bin", "notes/log.txt", "notes/empty.txt"):
        page.get_by_text(name).first.wait_for(state="attached")
    there = catalogue.home / "records" / "bear"
    for place in (folder / "scan.bin", folder / "notes" / "log.txt", folder / "notes" / "empty.txt"):
        mine, theirs = place.read_bytes(), (there / place.relative_to(folder)).read_bytes()
        assert hashlib.sha256(mine).digest() == hashlib.sha256(theirs).digest()
    record = read_record(there)
    assert (record.licence, record.creators[0].orcid) == ("CC-BY-4.0", "0000-0002-1825-0097")
    assert sum(again) <= 4 * PIECE + 7  # what was there was not sent again


def test_a_file_becomes_a_draft_by_a_worker_and_by_keyboard_and_phone(
    address: str, phone: Any, tmp_path: Path, catalogue: Catalogue, axe: Callable[[Any], list[str]]
) -> None:
    tifffile.imwrite(tmp_path / "map.tif", np.arange(120, dtype=np.uint16).reshape(10, 12))
    phone.expected += ["status of 400"]
    phone.goto(f"{address}/upload")
    phone.get_by_label("Choose files").set_input_files(
        [
            {"name": "map.tif", "mimeType": "image/tiff", "buffer": (tmp_path / "map.tif").read_bytes()},
            {"name": "bad\\name.txt", "mimeType": "text/plain", "buffer": b"1"},
        ]
    )
    phone.get_by_text("cannot be the path of a file").wait_for()
    phone.get_by_label("Title").fill("A map")
    phone.get_by_label("Keywords").fill("maps")
    phone.get_by_role("button", name="Make the draft").press("Enter")
    phone.get_by_text("Some files failed").wait_for()
    assert axe(phone) == []
    assert width(phone) <= 390
    phone.get_by_role("button", name="Leave bad\\name.txt out").press("Enter")
    phone.get_by_role("button", name="Make the draft").press("Enter")
    phone.get_by_text("A worker makes the record now").wait_for()
    assert work_once(catalogue, lambda _line: None)
    phone.get_by_text("The draft was made").wait_for()
    phone.get_by_role("link", name="a-map").first.click()
    phone.get_by_role("heading", name="A map").wait_for()
    phone.get_by_text("maps").first.wait_for(state="attached")
