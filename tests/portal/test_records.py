"""The list of records as people and programs ask for it: facets, ranges and pages in the address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import html
from sqlalchemy import insert

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, open_catalogue
from tomarium.catalogue.entities import reach
from tomarium.catalogue.entity_edit import make_entity
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.catalogue.tables import origins, record_entities
from tomarium.model import Part, Person, Record, Value
from tomarium.model.plain_card import PlainCard
from tomarium.portal.app import create_app

NAMES = ("Ann", "Bo", "Cy", "Di", "Ed")
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
                    creators=tuple(Person(f"Doe, {name}") for name in NAMES[: number % 6]),
                    parameters={
                        "pixel_m": Value(1e-7 * (number + 1), "read", ""),
                        "instrument": Value("ID19" if number % 3 else "ID16 & <b>", "read", ""),
                        **({"energy_kev": Value(20.5, "read", "")} if number == 2 else {}),
                        **({"technique": Value("EDS", "read", "")} if number == 1 else {}),
                    },
                    licence="" if number % 20 else "CC0-1.0",
                    parts=() if number % 20 else (Part("mesh", "body.stl"),),
                    card=PlainCard(what="A tooth.") if number % 20 == 7 else PlainCard(),
                    techniques=() if number else ("PaNET01207",),
                )
                entry = entry_of(connection, record, Path("/nowhere") / record.id, LOCAL_OWNER)
                save_records(connection, [entry])
        for id in ("block", "section"):
            make_entity(catalogue, LOCAL_OWNER, "specimen", id.capitalize(), {}, id)
        with catalogue.writing() as connection:
            connection.execute(insert(origins).values(child="section", parent="block", how="polished"))
            chosen = [
                {"record": record, "entity": id, "chosen": 1}
                for id, record in (("block", "r0"), ("section", "r1"))
            ]
            connection.execute(insert(record_entities), chosen)
            reach(connection, ["r0", "r1"])
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


def test_card_tells_people_and_energy(client: TestClient) -> None:
    hits = {hit["id"]: hit for hit in client.get("/records.json?limit=60").json()["hits"]}
    assert hits["r0"]["creators"] == []
    assert hits["r5"]["creators"] == [f"Doe, {name}" for name in NAMES]
    assert (hits["r2"]["energy_kev"], hits["r3"]["energy_kev"]) == (20.5, None)
    cards = {
        card.xpath("string(.//*[@class='number'])"): card.xpath("string(.)")
        for card in html.fromstring(client.get("/records?limit=60").text).xpath("//li[@class='card']")
    }
    assert "Doe, Ann; Doe, Bo · 3 January 2026" in cards["r2"]
    assert "20.5 keV" in cards["r2"]
    assert "Doe, Ann and 4 more · 6 January 2026" in cards["r5"]
    assert not re.search("Doe|keV", cards["r0"])


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


def test_other_images_of_the_specimen_choose(client: TestClient) -> None:
    """Record 0 is a CT of a block, record 1 an EDS map of its section; the others are of nothing."""
    facts = client.get("/records.json?with=ct&facets=1").json()
    assert [hit["id"] for hit in facts["hits"]] == ["r1"]
    both = client.get("/records.json?with=ct&with=EDS&facets=1").json()
    assert [hit["id"] for hit in both["hits"]] == ["r1", "r0"]
    facet = next(one for one in facts["facets"] if one["name"] == "with")
    assert facet["label"] == "Other images of the specimen"
    assert [(one["value"], one["count"], one["chosen"]) for one in facet["choices"]] == [
        ("ct", 1, True),
        ("EDS", 2, False),
    ]
    told = client.get(facet["choices"][1]["address"], headers={"Accept": "application/json"}).json()
    assert told["total"] == 2
    page = client.get("/records?with=PaNET01207").text
    assert "<legend>Other images of the specimen</legend>" in page
    assert 'name="with" value="PaNET01207" checked> <span>x-ray tomography</span>' in page
    assert "Remove: Other images of the specimen x-ray tomography" in page
    free = client.get("/records.json?facets=1").json()["facets"]
    choices = next(one for one in free if one["name"] == "with")["choices"]
    assert [(one["label"], one["count"]) for one in choices] == [("EDS", 1), ("x-ray tomography", 1)]
    assert client.get("/records.json?with=%3F").status_code == 400
    described = client.get("/openapi.json").json()["paths"]["/records.json"]["get"]["parameters"]
    assert "with" in [one["name"] for one in described]


def test_filters_that_find_nothing_lead_out(client: TestClient) -> None:
    page = client.get("/records?instrument=none&pixel=<1um")
    assert page.status_code == 200
    assert "No record has all of this" in page.text
    assert "Without these filters" in page.text
    ways = html.fromstring(page.text).xpath("//div[@class='empty']//li")
    assert [way.text_content() for way in ways] == ["Without “Instrument: none”: 9 records"]
    [address] = ways[0].xpath("a/@href")
    assert client.get(address, headers={"Accept": "application/json"}).json()["total"] == 9
    for typed in ("tooth <0.5um", "tooth Pixel <0.45 µm"):
        [way] = html.fromstring(client.get("/records", params={"q": typed}).text).xpath(
            "//div[@class='empty']//li"
        )
        assert way.text_content().startswith("As a range: pixel <0.")
    assert client.get("/records", params={"q": "tooth pixel <5keV"}).status_code == 200
    assert "Without “" not in client.get("/records?instrument=none").text


def test_records_without_a_licence_and_by_what_they_hold_are_found(client: TestClient) -> None:
    facets = {one["name"]: one["choices"] for one in client.get("/records.json?facets=1").json()["facets"]}
    assert [(one["value"], one["count"]) for one in facets["licence"]] == [
        ("none stated", 57),
        ("CC0-1.0", 3),
    ]
    assert [(one["value"], one["label"], one["count"]) for one in facets["holds"]] == [
        ("mesh", "mesh, as for printing", 3),
        ("plain card", "card in plain words", 3),
    ]
    wanted = client.get("/records.json?holds=mesh&licence=CC0-1.0").json()["hits"]
    assert [hit["id"] for hit in wanted] == ["r40", "r20", "r0"]


def test_the_first_page_opens_cabinets(client: TestClient) -> None:
    page = html.fromstring(client.get("/").text)
    cabinets = page.xpath("//div[@class='cabinets']/div")
    assert [one.xpath("string(h3)") for one in cabinets] == ["Technique", "Instrument", "Holds", "Licence"]
    [mesh] = cabinets[2].xpath(".//a[contains(., 'mesh')]/@href")
    assert client.get(mesh, headers={"Accept": "application/json"}).json()["total"] == 3


def test_the_other_order_is_a_link(client: TestClient) -> None:
    [newest] = html.fromstring(client.get("/records?q=bone").text).xpath(
        "//a[.='Show the newest first']/@href"
    )
    page = client.get(newest).text
    assert "the newest first" in page
    assert "Show the most relevant first" in page
    assert "Show the" not in client.get("/records").text


def test_bars_beside_a_range_narrow_it(client: TestClient) -> None:
    """Record n has a pixel of 0.1 (n + 1) µm; all else that is asked limits the bars, their own range does not."""
    asked = "/records?q=bone&pixel=0.5..1um"
    facts = client.get(f"{asked}&facets=1", headers={"Accept": "application/json"}).json()
    [spread] = facts["spreads"]
    assert (spread["name"], spread["unit"], spread["logarithmic"]) == ("pixel", "m", True)
    assert (facts["total"], sum(bar["count"] for bar in spread["bars"])) == (3, 30)
    for bar in spread["bars"]:
        found = client.get(bar["address"], headers={"Accept": "application/json"}).json()
        assert found["total"] == bar["count"]
        assert found["q"] == "bone"
        assert bar["chosen"] == (bar["low"] <= 1e-6 and bar["high"] > 0.5e-6)
    page = html.fromstring(client.get(asked).text)
    [bars] = page.xpath("//ol[@class='bars']")
    assert bars.get("aria-label") == "Pixel size of the records found"
    told = [one.xpath("string(.//span[@class='hidden'])") for one in bars.xpath("li")]
    assert told[:2] == ["0.2 µm to 0.3 µm: 1 record", "0.3 µm to 0.5 µm: 1 record"]
    marks = [(one.get("aria-current"), one.get("class")) for one in bars.xpath("li/a")]
    assert marks == [(None, "outside")] * 2 + [("true", None)] * 3 + [(None, "outside")] * 4
    assert not page.xpath("//ol[@class='bars']//@style")
    [chip] = page.xpath("//ul[@class='chips']//a[not(@class)]")
    assert chip.text_content() == "Pixel size: 0.5 µm to 1 µm"
    assert page.xpath("//input[@name='pixel']/@value") == ["0.5..1um"]
    twice = html.fromstring(client.get("/records?pixel=>0.5um&pixel=<1um").text)
    assert twice.xpath("//input[@name='pixel']/@value") == [">0.5um", "<1um"]
    assert "1 µm bis 1,5 µm: 3 Datensätze" in client.get("/de/records?q=bone").text
    assert client.get("/records.json").json()["spreads"] == []


def test_cards_say_what_is_shown_in_three_dimensions(client: TestClient) -> None:
    hits = client.get("/records.json?limit=60").json()["hits"]
    assert [hit["id"] for hit in hits if hit["mesh"]] == ["r40", "r20", "r0"]
    cards = html.fromstring(client.get("/records?limit=60").text).xpath("//li[@class='card']")
    badged = [card for card in cards if "3-D" in card.xpath(".//span[@class='badge']/text()")]
    assert [card.xpath("string(.//*[@class='number'])") for card in badged] == ["r40", "r20", "r0"]
