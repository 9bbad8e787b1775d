"""The pages in a real browser: nothing goes wrong, they fit a phone, and who cannot see or point can use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.audit import note
from tomarium.catalogue.disk_use import change_quota
from tomarium.catalogue.jobs import add_job, end_job


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], serving: Callable[..., Any]
) -> Iterator[str]:
    home = tmp_path_factory.mktemp("pages")
    make_volume(home / "tooth" / "volume.ome.zarr")
    file_record(home / "tooth", title="Tooth", id="tooth", created=datetime(2026, 11, 20, tzinfo=UTC))
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, home / "tooth")
        with catalogue.writing() as connection:
            number = add_job(connection, LOCAL_OWNER, "make records", {"batch": "a" * 32})
            note(connection, LOCAL_OWNER, "edit", "tooth", told=["title"])
            change_quota(connection, LOCAL_OWNER, "team", "bones", 10**12)
        end_job(catalogue, number, "failed", "scan.h5: truncated file; send it again")
        with serving(catalogue) as address:
            yield address


PATHS = (
    *("/", "/records", "/records?q=tooth&pixel=<1mm", "/records/tooth", "/records/tooth/manage", "/about"),
    *(
        "/sign-in",
        "/admin",
        "/admin/users",
        "/admin/settings",
        "/admin/work",
        "/admin/disk",
        "/admin/log?check=chain",
    ),
)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_serious_fault(
    path: str, address: str, page: Any, phone: Any, axe: Callable[[Any], list[str]]
) -> None:
    page.goto(address + path)
    assert axe(page) == []
    phone.goto(address + path)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


COVERED = """() => [...document.querySelectorAll(".facets :is(input:not([type=hidden]), button)")].filter((field) => {
  field.scrollIntoView({block: "nearest"});
  const box = field.getBoundingClientRect();
  const spots = [0.05, 0.5, 0.95].map((share) => document.elementFromPoint(
    box.left + box.width / 2, box.top + share * box.height));
  return spots.some((spot) => spot !== field && !field.contains(spot));
}).map((field) => field.name)"""
"""The fields of the filters that something else lies upon once they are scrolled into view."""


def test_no_field_of_the_filters_is_covered(address: str, page: Any, phone: Any) -> None:
    for height in (900, 420):
        page.set_viewport_size({"width": 1280, "height": height})
        page.goto(address + "/records?q=tooth")
        assert page.evaluate(COVERED) == []
        phone.set_viewport_size({"width": 390, "height": height})
        phone.goto("about:blank")
        phone.goto(address + "/records?q=tooth#filters")
        assert phone.evaluate(COVERED) == []
