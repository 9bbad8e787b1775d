"""Specimens at one scale in a real browser: chosen by ticks, drawn, sound for all, and no wider than a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chromium import wait_until, width
from tomarium.catalogue import file_record, ingest, open_catalogue


def test_specimens_are_chosen_and_drawn(
    tmp_path: Path,
    make_volume: Callable[..., Path],
    serving: Callable[..., Any],
    page: Any,
    phone: Any,
    axe: Callable[[Any], list[str]],
) -> None:
    for id, voxel_um in (("tooth", 0.65), ("tusk", 2.0)):
        make_volume(tmp_path / id / "volume.ome.zarr", size=32, voxel_um=voxel_um)
        file_record(tmp_path / id, title=id.capitalize(), id=id)
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        for id in ("tooth", "tusk"):
            ingest(catalogue, tmp_path / id)
        with serving(catalogue) as address:
            page.goto(f"{address}/compare/sizes?records=tusk")
            assert page.get_by_label("Tusk").is_checked()
            page.get_by_label("Tooth").check()
            page.get_by_role("button", name="Draw them at one scale").press("Enter")
            page.wait_for_url("**/compare/sizes?records=tusk&records=tooth")
            rows = page.locator("tbody tr")
            assert rows.count() == 2
            heights = [float(text.split()[-2]) for text in rows.locator("td:nth-child(3)").all_inner_texts()]
            assert 2.9 < heights[0] / heights[1] < 3.3  # the same body, of voxels of 2 and of 0.65 µm
            wait_until(page, "document.querySelector('.sizes img').naturalWidth === 1600")
            assert axe(page) == []
            page.get_by_role("link", name="Compare", exact=True).click()
            page.get_by_role("link", name="Or draw up to six specimens").click()
            page.wait_for_url("**/compare/sizes")
            phone.goto(f"{address}/compare/sizes?records=tooth,tusk")
            assert axe(phone) == []
            assert width(phone) <= 390
