"""Neuroglancer in a real browser: the volume where it should be, links that show the same view, bytes of the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser.volume_of_any_size import write_large
from chromium import wait_for, wait_until, width
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.portal.volume_view import has_client

# What a line of 10 Mbit/s carries in 3 s.
MOST_BYTES = 3_700_000


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path], serving: Callable[..., Any]
) -> Iterator[str]:
    if not has_client():
        pytest.skip("the viewer is not built (make web)")
    home = tmp_path_factory.mktemp("volume")
    created = datetime(2026, 11, 20, tzinfo=UTC)
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for id in ("large", "tooth"):
            make_volume(home / id / "volume.ome.zarr", size=32)
            file_record(home / id, title=id.title(), id=id, created=created, volume={"window": [-0.2, 1.3]})
            ingest(catalogue, home / id)
        # Filing reads all of a volume; a large one takes its place afterwards.
        write_large(home / "large" / "volume.ome.zarr")
        with serving(catalogue) as address:
            yield f"{address}/records"


def panels(window: Any) -> np.ndarray[Any, Any]:
    """Grey values of the viewer's four panels, below its two bars."""
    picture = Image.open(BytesIO(window.locator("#volume-frame").screenshot())).convert("L")
    return np.asarray(picture, float)[60:]


def settle(window: Any) -> np.ndarray[Any, Any]:
    """Wait until all that the view needs has come, and the picture stays as it is."""
    frame = window.wait_for_selector("#volume-frame").content_frame()
    held = [panels(window)]

    def same() -> bool:
        wait_until(frame, "globalThis.viewer?.isReady()")
        window.wait_for_timeout(200)
        held.append(panels(window))
        still = held[-1].mean() > 5 and np.abs(held[-1] - held[-2]).mean() < 0.05
        return bool(still and frame.evaluate("viewer.isReady()"))

    wait_for(window, same, "the picture stays as it is")
    return held[-1]


def position(window: Any) -> Any:
    frame = window.query_selector("#volume-frame").content_frame()
    state = "({p: Array.from(s.position), z: s.crossSectionScale, c: s.layers[0].shaderControls})"
    return frame.evaluate(f"(() => {{ const s = JSON.parse(JSON.stringify(viewer.state.toJSON(), (k, v) => "
                          f"ArrayBuffer.isView(v) ? Array.from(v) : v)); return {state}; }})()")  # fmt: skip


def test_a_volume_of_any_size(address: str, page: Any, axe: Callable[[Any], list[str]]) -> None:
    came: list[tuple[str, int]] = []

    def count(request: Any) -> None:
        if "/files/" in request.url:
            came.append((request.url.partition("volume.ome.zarr/")[2], request.sizes()["responseBodySize"]))

    page.on("requestfinished", count)
    page.goto(f"{address}/large/volume")
    coarsest = 32 * 2  # slabs, each with the index of its shard
    wait_for(
        page, lambda: sum(path.startswith("5/c/") for path, _ in came) >= coarsest, "the coarsest level comes"
    )

    # The first picture of all four panels is the coarsest level, which comes before the others are done.
    last = max(number for number, (path, _) in enumerate(came) if path.startswith("5/c/"))
    assert sum(size for _, size in came[: last + 1]) <= MOST_BYTES
    # What the screen cannot show is not fetched: of the three finest levels, 39 GB, only what describes them.
    assert [path for path, _ in came if path[0] in "012" and "/c/" in path] == []
    assert axe(page) == []

    # A view that is shared is the same for another reader.
    frame = page.query_selector("#volume-frame").content_frame()
    frame.evaluate("viewer.navigationState.position.value = new Float32Array([1000, 900.5, 1100])")
    frame.evaluate("viewer.navigationState.zoomFactor.value = 20")
    grey = settle(page)
    rows, columns = grey.shape
    ball = grey[rows // 4 - 15 : rows // 4 - 5, columns // 4 - 30 : columns // 4 - 10]
    outside = grey[10:20, 60:120]
    assert ball.mean() > 120
    assert outside.mean() < 20
    page.get_by_role("button", name="Share this view").click()
    link = page.wait_for_selector("#volume-link a").inner_text()
    shown = position(page)
    other = page.context.new_page()
    other.goto(link)
    again = settle(other)
    assert position(other) == shown
    assert shown["p"] == [1000, 900.5, 1100]
    assert np.abs(again[: rows // 2] - grey[: rows // 2]).mean() < 2


def test_without_webgl_a_slice_is_shown(address: str, phone: Any) -> None:
    phone.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    phone.goto(f"{address}/tooth/volume")
    phone.locator("main").get_by_text("draws no WebGL 2").wait_for()
    phone.locator("#volume-none img").wait_for(state="visible")
    assert width(phone) <= 390
