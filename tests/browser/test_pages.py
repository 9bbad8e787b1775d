"""The pages in a real browser: nothing goes wrong, they fit a phone, and who cannot see or point can use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tomarium.catalogue import file_record, ingest, open_catalogue


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], serving: Callable[..., Any]
) -> Iterator[str]:
    home = tmp_path_factory.mktemp("pages")
    make_volume(home / "tooth" / "volume.ome.zarr")
    file_record(home / "tooth", title="Tooth", id="tooth", created=datetime(2026, 11, 20, tzinfo=UTC))
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, home / "tooth")
        with serving(catalogue) as address:
            yield address


@pytest.mark.parametrize("path", ["/", "/records", "/records/tooth", "/about", "/records/tooth/manage"])
def test_a_page_has_no_serious_fault(
    path: str, address: str, page: Any, phone: Any, axe: Callable[[Any], list[str]]
) -> None:
    page.goto(address + path)
    assert axe(page) == []
    phone.goto(address + path)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
