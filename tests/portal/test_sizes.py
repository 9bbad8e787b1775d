"""Specimens at one scale: bodies of known size, the picture against the numbers, and what is refused by name."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from PIL import Image

from app_client import TestClient
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.portal.app import create_app

BODIES = {  # half axes (z, x) in voxels, voxel in µm, whether it reaches the edge
    "egg": ((24, 15), 10.0, False),
    "pea": ((10, 10), 10.0, False),
    "pole": ((99, 8), 40.0, True),
}


def write_body(path: Path, half: tuple[int, int], voxel_um: float | None) -> None:
    z, y, x = np.mgrid[-32:32, -20:20, -24:24] + 0.5
    inside = (z / half[0]) ** 2 + (x / half[1]) ** 2 + (y / half[1]) ** 2 <= 1
    values = inside + np.random.default_rng(1).normal(0, 0.1, inside.shape)
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.create_array("0", data=values.astype(np.float32))
    scale = [{"type": "scale", "scale": [voxel_um or 1.0] * 3}]
    unit = {"unit": "micrometer"} if voxel_um else {}
    axes = [{"name": name, "type": "space", **unit} for name in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("sizes")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for id, (half, voxel_um, _) in BODIES.items():
            write_body(home / id / "volume.ome.zarr", half, voxel_um)
        write_body(home / "shade" / "volume.ome.zarr", (9, 9), None)
        for id in (*BODIES, "shade"):
            file_record(home / id, title=id.capitalize(), id=id)
            ingest(catalogue, home / id)
        with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
            yield client


@pytest.mark.fast
def test_heights_and_widths_are_those_of_the_bodies(client: TestClient) -> None:
    told = client.get("/compare/sizes.json?records=egg,pea&records=pole").json()
    assert [one["letter"] for one in told["specimens"]] == ["A", "B", "C"]
    for one in told["specimens"]:
        half, voxel_um, cut = BODIES[one["id"]]
        assert one["cut"] is cut
        assert one["known_to_m"] == pytest.approx(2 * voxel_um * 1e-6)
        # Points with fewer than two voxels behind them do not count: a pixel on either side.
        height = min(64, 2 * half[0])
        assert one["height_m"] == pytest.approx(height * voxel_um * 1e-6, abs=1.001 * one["known_to_m"])
        assert one["width_m"] == pytest.approx(2 * half[1] * voxel_um * 1e-6, abs=1.001 * one["known_to_m"])


def test_the_picture_has_the_scale_that_is_told(client: TestClient) -> None:
    told = client.get("/compare/sizes.json?records=egg,pea").json()
    answer = client.get(told["picture"])
    assert answer.headers["content-type"] == "image/png"
    drawn = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert drawn.shape[1] == 1600
    bright = drawn > 40
    bar = max(run_lengths(bright[-24]), default=0)  # the line in which the scale bar lies
    assert bar == pytest.approx(told["bar_m"] / told["pixel_m"], abs=1)
    for one, part in zip(told["specimens"], (bright[:, :1000], bright[:, 1000:]), strict=False):
        ground = np.flatnonzero(part.any(axis=1))
        assert ground[0] >= 0
        tall = 40 + max(s["height_m"] for s in told["specimens"]) / told["pixel_m"]
        above = part[: round(tall)]
        height = np.flatnonzero(above.any(axis=1))
        assert height[-1] - height[0] + 1 == pytest.approx(one["height_m"] / told["pixel_m"], abs=2)


def run_lengths(line: Any) -> list[int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
    return [int(b - a) for a, b in zip(edges[::2], edges[1::2], strict=True)]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("records=egg,shade", 400, "voxel size of the record shade is not known"),
        ("records=a,b,c,d,e,f,g", 400, "7 are named; at most 6"),
        ("records=nothing", 404, "nothing"),
    ],
)
def test_what_cannot_be_drawn_is_told_by_name(
    client: TestClient, query: str, status: int, words: str
) -> None:
    for door in ("/compare/sizes.json", "/compare/sizes.png"):
        answer = client.get(f"{door}?{query}")
        assert answer.status_code == status
        assert words in answer.text
    assert client.get("/compare/sizes.png").status_code == 400


@pytest.mark.fast
def test_the_page_offers_what_can_be_drawn(client: TestClient) -> None:
    page = client.get("/compare/sizes?records=pea", headers={"accept": "text/html"}).text
    assert 'value="pea" checked' in page
    assert 'value="egg">' in page
    assert 'value="shade"' not in page
    assert "0.2 mm" in page
