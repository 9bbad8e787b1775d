"""Two records side by side: one scale, one place, and only what the reader may open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.model import Value
from tomarium.portal.app import create_app


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("compare")
    made = {"fine": (32, 0.65), "coarse": (16, 1.95), "bare": (16, None)}
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for id, (size, voxel_um) in made.items():
            make_volume(home / id / "volume.ome.zarr", size=size, voxel_um=voxel_um)
            energy = {"energy_kev": Value(20.0 if id == "fine" else 30.0, "read", "")}
            provenance = {"plan": {"stages": [{"steps": ["paganin"] if id == "fine" else ["fbp"]}]}}
            file_record(home / id, title=f"The {id} one", id=id, parameters=energy, provenance=provenance)
            ingest(catalogue, home / id)
        with TestClient(create_app(catalogue, local=True)) as client:
            yield client


def widths(page: str) -> list[float]:
    return [float(width) for width in re.findall(r'<image [^>]*width="([\d.]+)"', page)]


def test_both_are_drawn_at_one_scale(client: TestClient) -> None:
    page = client.get("/compare?a=fine&b=coarse").text
    fine, coarse = widths(page)
    assert coarse == 1000  # 16 voxels of 1.95 µm are the wider ones, and fill the drawing
    assert fine / coarse == pytest.approx(32 * 0.65 / (16 * 1.95), rel=1e-4)
    assert client.get("/compare.json?a=fine&b=coarse").json()["scale"] == "5 µm"
    assert "voxels are compared" in client.get("/compare?a=fine&b=bare").text


def test_slices_lie_at_one_place(client: TestClient) -> None:
    sides = client.get("/compare.json?a=fine&b=coarse&at=125").json()["sides"]
    # An eighth of the longer one (12 slices of 1.95 µm) from the middle: 2.9 µm.
    assert [side["index"] for side in sides] == [12 + 4, 6 + 1]
    assert client.get("/compare.json?a=fine&b=coarse&at=500").json()["sides"][0]["index"] == -1
    assert "does not reach so far" in client.get("/compare?a=fine&b=coarse&at=450").text


def test_what_differs_is_told(client: TestClient) -> None:
    told = {
        row["label"]: (row["one"], row["other"])
        for row in client.get("/compare.json?a=fine&b=coarse").json()["differences"]
    }
    assert told["Photon energy"] == ("20 keV", "30 keV")
    assert told["Step: Paganin phase retrieval"] == ("done", "–")
    assert client.get("/compare.json?a=fine&b=fine").json()["differences"] == []


def test_the_other_one_is_chosen(client: TestClient) -> None:
    page = client.get("/compare?a=fine").text
    assert "/compare?a=fine&amp;b=coarse" in page
    assert "b=fine" not in page
    assert client.get("/compare?a=fine&b=nothing").status_code == 404
    assert client.get("/compare?a=fine&b=coarse&at=501").status_code in (400, 422)
