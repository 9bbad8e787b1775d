"""A record that says absurd things in earnest: nested values, lengths beyond all measure, texts without end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.model import Value
from tomarium.portal.app import create_app

LETTERS = {
    "title": "T",
    "description": "D",
    "creator": "C",
    "keyword": "K",
    "value": "V",
    "source": "S",
    "key": "q",
}


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("absurd")
    make_volume(home / "r" / "volume.ome.zarr", size=16)
    long = {name: letter * 5000 for name, letter in LETTERS.items()}
    file_record(
        home / "r",
        title=long["title"],
        id="absurd",
        description=long["description"],
        creators=(long["creator"],),
        keywords=(long["keyword"],),
        licence="L" * 3000,
        parameters={
            "sample_name": Value(long["value"], "read", long["source"]),
            "detector": Value({"kind": "CMOS", "gain": {"low": [1, 2.5], "on": True}}, "read", "a"),
            "stages": Value([{"name": "x"}, {"name": "y"}], "read", "a"),
            "distance_m": Value(1e20, "read", "a"),
            "source_distance_m": Value(1e-30, "read", "a"),
            "exposure_s": Value(1e-30, "read", "a"),
            "projections": Value(10**250, "read", "a"),
            long["key"]: Value(1, "read", "a"),
        },
        provenance={
            "source": {"path": "a.h5", "given": {}},
            "plan": {"steps": [{"fbp": {"window": None}}, [1, [2, {"deep": False}]]], "note": "N" * 5000},
            "N" * 3000: 1,
        },
    )
    with open_catalogue(home / "c.sqlite") as catalogue:
        ingest(catalogue, home / "r")
        with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
            yield client


@pytest.mark.parametrize("address", ["/records/absurd", "/records", "/", "/records?q=vvv", "/records?q=ttt"])
def test_no_text_is_without_end(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    shown = re.sub(r'<script type="application/ld\+json">.*?</script>', "", answer.text, flags=re.DOTALL)
    assert re.findall(r"([A-CE-Zq])\1{1000}|D{4000}", shown) == []
    assert len(answer.text) < 60_000


def test_values_are_worded(client: TestClient) -> None:
    html = client.get("/records/absurd").text
    for words in (
        "kind: CMOS; gain: (low: (1, 2.5); on: yes)",
        "(name: x), (name: y)",
        "1e+20 m",
        "1e-30 m",
        "1e-30 s",
    ):
        assert words in html
    for raw in ("{'", "{&#39;", "[&#39;", "['", "None", "True", "False"):
        assert raw not in html


def test_machines_are_told_all_of_it(client: TestClient) -> None:
    told = client.get("/records/absurd.json").json()
    assert told["title"] == "T" * 5000
    assert told["parameters"]["sample_name"]["value"] == "V" * 5000
    assert told["parameters"]["detector"]["value"]["gain"]["low"] == [1, 2.5]
