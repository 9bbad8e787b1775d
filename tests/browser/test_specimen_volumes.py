"""Neuroglancer itself puts a volume of a specimen where the links do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromium import wait_until
from placed_volumes import FIRST_M, IN_BLOCK, SHAPES, STEPS_M, file_volumes
from tomarium.catalogue import LOCAL_OWNER, open_catalogue
from tomarium.catalogue.saved_views import save_view
from tomarium.catalogue.specimen_export import gather
from tomarium.portal.specimen_state import specimen_state
from tomarium.portal.viewer_state import check_state
from tomarium.portal.volume_view import has_client

BOUNDS = """() => {
  const space = globalThis.viewer && viewer.coordinateSpace.value;
  if (!space || !space.valid || !space.bounds) return null;
  const { lowerBounds, upperBounds } = space.bounds;
  const found = Object.fromEntries(space.names.map((name, i) =>
    [name, [lowerBounds[i] * space.scales[i], upperBounds[i] * space.scales[i]]]));
  return Object.values(found).flat().every(Number.isFinite) ? found : null;
}"""


def box_m(id: str) -> np.ndarray[Any, Any]:
    """Return the least and the largest x, y and z of a volume's outer edges in the block."""
    shape, step, first = (np.array(one[id][::-1]) for one in (SHAPES, STEPS_M, FIRST_M))
    ends = [first - step / 2, first + step * (shape - 0.5)]
    corners = [[ends[i][0], ends[j][1], ends[k][2], 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    placed = np.array(corners) @ IN_BLOCK[id].T
    return np.array([placed.min(axis=0)[:3], placed.max(axis=0)[:3]])


def test_a_turned_volume_lies_where_its_link_says(
    tmp_path: Path, page: Any, serving: Callable[..., Any]
) -> None:
    if not has_client():
        pytest.skip("the viewer is not built (make web)")
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        file_volumes(opened, tmp_path)
        with opened.reading() as connection:
            state, _ = specimen_state(gather(connection, LOCAL_OWNER, "rum-8"))
        for id in ("core", "cut"):
            layers = [one for one in state["layers"] if f"/records/{id}/" in one["source"]["url"]]
            alone = check_state(
                state | {"layers": layers, "selectedLayer": {"layer": layers[0]["name"]}}, lambda _: True
            )
            with opened.writing() as connection:
                token = save_view(connection, LOCAL_OWNER, id, alone)
            with serving(opened) as address:
                page.goto(f"{address}/records/{id}/volume?view={token}")
                frame = page.wait_for_selector("#volume-frame").content_frame()
                told = wait_until(frame, BOUNDS)
            shown = np.array([told[axis] for axis in "xyz"]).T
            np.testing.assert_allclose(shown, box_m(id), atol=1e-10)
