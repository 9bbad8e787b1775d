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
