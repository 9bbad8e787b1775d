"""The list of records as people and programs ask for it: facets, ranges and pages in the address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, open_catalogue
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.model import Record, Value
from tomarium.portal.app import create_app

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with open_catalogue(tmp_path_factory.mktemp("list") / "c.sqlite") as catalogue:
        with catalogue.writing() as connection:
            for number in range(60):
                record = Record(
                    id=f"r{number}",
                    title="bone" if number % 2 else "tooth",
                    created=START + timedelta(days=number),
                    parameters={
                        "pixel_m": Value(1e-7 * (number + 1), "read", ""),
                        "instrument": Value("ID19" if number % 3 else "ID16 & <b>", "read", ""),
                    },
                )
                entry = entry_of(connection, record, Path("/nowhere") / record.id, LOCAL_OWNER)
                save_records(connection, [entry])
        with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
            yield client


def test_address_chooses(client: TestClient) -> None:
    facts = client.get(
        "/records.json?q=bone&pixel=<1um&instrument=ID19&year=2026&facets=1&sort=newest"
    ).json()
    wanted = [f"r{number}" for number in range(59, -1, -1) if number % 2 and number % 3 and number < 9]
    assert [hit["id"] for hit in facts["hits"]] == wanted
    assert facts["ranges"][0]["range"] == "<1um"
    instrument = next(facet for facet in facts["facets"] if facet["name"] == "instrument")
    assert [(one["value"], one["count"], one["chosen"]) for one in instrument["choices"]] == [
        ("ID19", 3, True),
        ("ID16 & <b>", 1, False),
    ]
    both = client.get(instrument["choices"][1]["address"], headers={"Accept": "application/json"}).json()
    assert both["total"] == 4
    without = client.get(instrument["choices"][0]["address"], headers={"Accept": "application/json"}).json()
    assert without["total"] == 4


def test_facets_are_counted_when_asked_and_on_the_first_page_for_people(client: TestClient) -> None:
    assert client.get("/records.json").json()["facets"] == []
    assert "<legend>Instrument</legend>" in client.get("/records").text
    assert "ID16 &amp; &lt;b&gt;" in client.get("/records").text
    following = client.get("/records.json").json()["next"]
    assert "<legend>Instrument</legend>" not in client.get(following).text
    assert "25 to 48 shown" in client.get(following).text


def test_pages_are_walked_by_their_addresses(client: TestClient) -> None:
    address, seen = "/records?limit=25&pixel=>0.5um", []
    while address:
        facts = client.get(address, headers={"Accept": "application/json"}).json()
        seen += [hit["id"] for hit in facts["hits"]]
        last, address = facts, facts["next"]
    assert seen == [f"r{number}" for number in range(59, 4, -1)]
    assert (last["first"], last["last"]) == (51, 55)
    before = client.get(last["previous"], headers={"Accept": "application/json"}).json()
    assert [hit["id"] for hit in before["hits"]] == seen[25:50]
    assert [hit["id"] for hit in client.get("/records.json?offset=3&limit=2").json()["hits"]] == [
        "r56",
        "r55",
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("pixel=<1", "Write one of <1 um"),
        ("pixel=<1 keV", "Write one of <1 um"),
        ("pixle=<1um", "did you mean pixel"),
        ("sort=oldest", "relevance"),
        ("after=abc", "next page"),
        ("facets=perhaps", "facets"),
    ],
)
def test_what_cannot_be_asked_is_explained(client: TestClient, query: str, said: str) -> None:
    answer = client.get(f"/records.json?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_filters_that_find_nothing_lead_out(client: TestClient) -> None:
    page = client.get("/records?instrument=none&pixel=<1um")
    assert page.status_code == 200
    assert "No record has all of this" in page.text
    assert "Without these filters" in page.text
