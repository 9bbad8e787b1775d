"""The bars beside the ranges in a real browser: they narrow the list, by finger and by key, and axe finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tomarium.catalogue import LOCAL_OWNER, open_catalogue
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.model import Part, Record, Value


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[str]:
    with open_catalogue(tmp_path_factory.mktemp("spread") / "c.sqlite") as catalogue:
        with catalogue.writing() as connection:
            records = [
                Record(
                    id=f"r{number}",
                    title="bone",
                    created=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number),
                    parameters={
                        "pixel_m": Value(1e-7 * (number + 1) ** 2, "read", ""),
                        "energy_kev": Value(20.0 + number, "read", ""),
                    },
                    parts=(Part("mesh", "body.stl"),) if number < 2 else (),
                )
                for number in range(12)
            ]
            save_records(
                connection,
                [
                    entry_of(connection, record, Path("/nowhere") / record.id, LOCAL_OWNER)
                    for record in records
                ],
            )
        with serving(catalogue) as address:
            yield address


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", ["page", "phone"])
def test_a_bar_narrows_the_list(
    request: pytest.FixtureRequest, address: str, axe: Callable[..., list[str]], window: str, scheme: str
) -> None:
    page = request.getfixturevalue(window)
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}/records?energy=<30keV")
    if window == "phone":
        page.get_by_role("link", name="Filters (1)").tap()
    bars = page.get_by_role("list", name="Pixel size of the records found")
    bar = bars.get_by_role("link", name="1 µm to 2 µm: 1 record")
    bar.wait_for()
    box = bar.bounding_box()
    assert min(box["width"], box["height"]) >= 24, box
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if window == "phone":
        bar.tap()
    else:
        bar.focus()
        page.keyboard.press("Enter")
    page.get_by_text("1 record, the newest first").wait_for()
    page.wait_for_load_state("load")  # with its styles, by which bars are told apart
    assert page.locator("li.card .number").all_inner_texts() == ["r3"]
    chips = page.get_by_role("list", name="Filters in use")
    assert chips.get_by_role("link", name="Remove: Pixel size: 1 µm to 2 µm").is_visible()
    assert chips.get_by_role("link", name="Remove: Energy: up to 30 keV").is_visible()
    if window == "phone":
        page.get_by_role("link", name="Filters (2)").tap()
    chosen = bars.locator("[aria-current=true]")
    chosen.wait_for()
    assert chosen.count() == 1
    # What the range leaves out is hollow: told by the shape, not by the colour alone.
    grounds = bars.locator("svg").evaluate_all(
        "all => all.map(one => getComputedStyle(one).backgroundColor !== 'rgba(0, 0, 0, 0)')"
    )
    assert grounds.count(True) == 1
    assert axe(page) == []
