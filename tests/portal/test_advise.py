"""The page that plans a beamtime: the numbers of `tomarium advise`, by a form without a script."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app_client import TestClient
from tomarium.catalogue import Catalogue
from tomarium.cli import execute
from tomarium.portal.app import create_app


@pytest.fixture
def client(catalogue: Catalogue) -> TestClient:
    return TestClient(create_app(catalogue))  # of anybody: it tells nothing of the catalogue


def numbers(topics: Any) -> dict[str, dict[str, Any]]:
    return {topic["key"]: {one["key"]: one["value"] for one in topic["answers"]} for topic in topics}


def test_it_answers_as_the_command_does(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    words = {
        "columns": "3000", "rows": "2400", "views": "8000", "span": "360 deg", "width": "5600", "scans": "12",
        "methods": "2", "scan-time": "1 h", "disk-speed": "100 MB/s", "pixel": "0.65 um", "energy": "20 keV",
        "distance": "5 cm", "delta-beta": "400", "sample": "3 mm", "exposure": "50 ms", "num-flats": "50",
    }  # fmt: skip
    answer = client.get("/advise.json", params={**words, "extended": "1"}).json()
    execute(
        [
            "advise",
            *(word for name, text in words.items() for word in (f"--{name}", text)),
            "--extended",
            "--json",
        ]
    )
    told = json.loads(capsys.readouterr().out)
    assert answer["problems"] == []
    found = numbers(answer["topics"])
    for name, values in found.items():
        assert values == {key: one["value"] for key, one in told[name]["values"].items()}
    assert {topic["key"]: topic["warnings"] for topic in answer["topics"]}["disk"] == told["disk"]["warnings"]
    assert "your disk falls behind by" in told["disk"]["warnings"][0]
    assert found.keys() == {"views", "disk", "exposure", "phase"}


def test_the_form_keeps_what_was_filled_in_and_says_what_cannot_be(client: TestClient) -> None:
    page = client.get("/advise", params={"columns": "2048", "rows": "2048", "pixel": "0.65", "scans": "1.5"})
    assert page.status_code == 200
    assert 'name="columns" value="2048"' in page.text
    problems = client.get("/advise.json", params={"pixel": "0.65", "scans": "1.5"}).json()["problems"]
    assert len(problems) == 2
    assert "give a whole number, 1 or more" in problems[0]
    assert problems[1].startswith("Pixel size at the sample: ")
    for params in (
        {"rows": "nan"},
        {"columns": "inf"},
        {"columns": "1e400"},
        {"energy": "-5 keV"},
        {"views": "0"},
    ):
        told = client.get("/advise.json", params=params).json()
        assert told["problems"], params
        assert told["topics"] == []


def test_what_lacks_is_named_by_its_field(client: TestClient) -> None:
    [views, *_] = client.get("/advise.json", params={"columns": "100", "views": "50"}).json()["topics"]
    assert views["missing"] == ["Angle of a scan"]
    page = client.get("/advise").text
    assert "--" not in page.split("<main")[1].split("</main>")[0].replace("</", "")
    assert ">Plan</a>" in client.get("/").text
