"""The site of files in a real browser, opened as a file: nothing is asked of a server, and the search finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chromium import FORBIDDEN, wait_for_pictures
from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.model import Person, Value
from tomarium.portal.built import built
from tomarium.portal.site.build import build_site


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    home = tmp_path_factory.mktemp("site")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for id, title, energy in (("tooth", "Tooth of a badger", 20.0), ("femur", "Fémur of a mouse", 70.0)):
            make_volume(home / id / "volume.ome.zarr", size=16)
            told = {"pixel_m": Value(0.65e-6, "read", "t.h5"), "energy_kev": Value(energy, "read", "")}
            file_record(
                home / id, title=title, id=id, created=datetime(2026, 11, 20, tzinfo=UTC), parameters=told
            )
            ingest(catalogue, home / id)
            edit(
                catalogue, LOCAL_OWNER, id, Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))
            )
            publish(catalogue, LOCAL_OWNER, id, Request(embargo="0"))
        build_site(catalogue, home / "www")
    return home / "www"


@pytest.mark.skipif(built("site-search") is None, reason="needs `make web`")
def test_the_search_works_from_a_file(out: Path, page: Any, axe: Callable[[Any], list[str]]) -> None:
    page.expected += FORBIDDEN  # of the 3-D look, whose module no browser loads from a file
    page.goto(f"file://{out}/index.html")
    page.fill("input[name=q]", "femur mou")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator(".card h2").all_inner_texts() == ["Fémur of a mouse"]
    assert page.inner_text(".page-head .quiet") == "1 record"
    assert axe(page) == []
    page.fill(".facets input[name=q]", "")
    page.fill("input[name=energy]", "10..30keV")
    with page.expect_navigation():
        page.click(".facets button")
    assert page.locator(".card h2").all_inner_texts() == ["Tooth of a badger"]
    page.fill("input[name=pixel]", "> 1 um")
    with page.expect_navigation():
        page.click(".facets button")
    assert page.inner_text(".page-head .quiet") == "No record has all of this"
    page.goto(f"file://{out}/records/index.html?licence=CC-BY-4.0&q=badger")
    with page.expect_navigation():
        page.click(".card a")
    wait_for_pictures(page)
    assert page.inner_text("h1") == "Tooth of a badger"
    assert page.url == f"file://{out}/records/tooth/index.html"
