"""Levels, cards and worksheets in a real browser: sound for all, on a phone, and two pages of A4 on paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chromium import wait_for_layout, wait_for_pictures, width
from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.model import Person, Value

LONG = "A sentence of some length about the tooth of a bear that lived long ago. " * 12


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], serving: Callable[..., Any]
) -> Iterator[str]:
    home = tmp_path_factory.mktemp("levels")
    make_volume(home / "tooth" / "volume.ome.zarr", size=32)
    told = {"projections": Value(900, "read", "scan.h5")}
    file_record(home / "tooth", title="Molar", id="tooth", parameters=told, licence="CC-BY-4.0")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, home / "tooth")
        people = tuple(Person(f"Lovelace-Something, Ada {n}") for n in "ABCDEFGH")
        card = {"title": "A tooth of a cave bear " * 5, "what": LONG, "look_for": LONG}
        edit(catalogue, LOCAL_OWNER, "tooth", Changes(card=card, creators=people, techniques=("PaNET01207",)))
        with serving(catalogue) as address:
            yield address


def test_the_switch_works_by_keyboard_and_is_remembered(
    address: str, page: Any, phone: Any, axe: Callable[[Any], list[str]]
) -> None:
    page.goto(f"{address}/records/tooth")
    page.get_by_role("link", name="Pupil", exact=True).press("Enter")
    page.wait_for_url("**level=pupil")
    assert page.get_by_role("heading", name="What to look for").is_visible()
    assert page.get_by_role("heading", name="Parameters").count() == 0
    assert axe(page) == []
    page.get_by_role("link", name="What do the words mean?").click()
    page.wait_for_url("**/glossary*")
    assert page.get_by_role("link", name="Pupil", exact=True).get_attribute("aria-current") == "true"
    assert axe(page) == []
    page.goto(f"{address}/records/tooth")
    assert page.get_by_role("heading", name="What to look for").is_visible()
    for place in ("/records/tooth?level=pupil", "/glossary?level=student", "/records/tooth/worksheet"):
        phone.goto(address + place)
        assert width(phone) <= 390, place
    assert axe(phone) == []


@pytest.mark.parametrize("level", ["pupil", "student"])
def test_a_worksheet_is_one_page_of_tasks_and_one_of_answers(address: str, page: Any, level: str) -> None:
    page.goto(f"{address}/records/tooth/worksheet?level={level}")
    wait_for_pictures(page)
    wait_for_layout(page)
    pdf = page.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 2
    page.emulate_media(media="print")
    assert not page.get_by_role("banner").is_visible()
    width = page.locator(".ws-slice img").first.evaluate(
        "one => one.getBoundingClientRect().width / 96 * 25.4"
    )
    assert width == pytest.approx(80, abs=0.3)  # mm: what the answers reckon with
    page.goto(f"{address}/records/tooth/worksheet?level={level}&answers=false")
    wait_for_pictures(page)
    wait_for_layout(page)
    assert page.get_by_role("heading", name="Answers").count() == 0
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", prefer_css_page_size=True))) == 1
