"""What the portal shows of records of other catalogues: a card with source and day, a page, and no other door."""

from collections.abc import Iterator

import pytest

from app_client import TestClient
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, open_catalogue
from tomarium.catalogue.harvest_sources import add_source, begin_listing, note
from tomarium.catalogue.harvested import Item, id_of, keep
from tomarium.catalogue.reader import OPEN_ONLY
from tomarium.portal.app import create_app

ADDRESS = "https://elsewhere.org/oai"
ID = id_of("oai", ADDRESS, "dataset", "1")
OTHER = id_of("oai", ADDRESS, "document", "2")
READERS = (ANYBODY, Reader("eve", "member"), Reader("cora", "curator"), LOCAL_OWNER)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    item = Item(
        "1",
        title="Bone of <b>a bear",
        description="A femur.",
        created="2019",
        creators=("Curie, Marie",),
        techniques=("PaNET01207",),
        doi="10.1234/bone",
        address="https://elsewhere.org/1",
        parameters={"energy_kev": 20.0},
        content={"title": "Bone of <b>a bear"},
    )
    script = Item("3", title="Script", address="javascript:alert(1)")
    with open_catalogue(tmp_path_factory.mktemp("harvested") / "catalogue.sqlite") as opened:
        with opened.writing() as connection:
            number = add_source(connection, "oai", ADDRESS, "Elsewhere").number
            begin_listing(connection, number)
            keep(connection, number, [item, script, Item("2", "document", "A paper")], 1_800_000_000.0)
        yield opened


def client_of(catalogue: Catalogue, reader: Reader) -> TestClient:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: reader
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.role)
def test_everybody_sees_it_as_another_catalogue_s(catalogue: Catalogue, reader: Reader) -> None:
    client = client_of(catalogue, reader)
    told = client.get(f"/harvested/{ID}.json").json()
    assert (told["source"], told["fetched"], told["address"], told["doi"]) == (
        "Elsewhere",
        "2027-01-15T08:00:00+00:00",
        "https://elsewhere.org/1",
        "10.1234/bone",
    )
    assert told["told"] == {"title": "Bone of <b>a bear"}
    assert client.get(f"/harvested/{OTHER}").status_code == 404  # a document is no record
    for door in ("", ".json", "/metadata/ro-crate", "/metadata/datacite", "/files/x", "/download", "/manage"):
        assert client.get(f"/records/{ID}{door}").status_code == 404, door
    for list_ in ("/feed.atom", "/sitemap.xml", "/index.json", "/"):
        assert "Bone of" not in client.get(list_).text, list_
        assert ID not in client.get(list_).text, list_


def test_a_copy_for_others_has_none_of_it(catalogue: Catalogue) -> None:
    client = client_of(catalogue, OPEN_ONLY)
    assert client.get(f"/harvested/{ID}").status_code == 404
    assert client.get("/records.json").json()["total"] == 0


def test_cards_and_page_tell_source_and_day(catalogue: Catalogue) -> None:
    client = client_of(catalogue, ANYBODY)
    for level in ("scientist", "student", "pupil"):
        cards = client.get(f"/records?level={level}").text
        assert "From Elsewhere, as of 15 January 2027" in cards
        assert f'href="/harvested/{ID}"' in cards
    assert '<input type="checkbox" name="catalogue" value="Elsewhere"' in client.get("/records").text
    page = client.get(f"/harvested/{ID}").text
    assert "Bone of &lt;b&gt;a bear" in page
    for text in ("15 January 2027", 'href="https://elsewhere.org/1"', "20 keV", "x-ray tomography", ">2019<"):
        assert text in page, text
    script = client.get(f"/harvested/{id_of('oai', ADDRESS, 'dataset', '3')}").text
    assert "javascript:" not in script


def test_a_source_that_fails_is_marked(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        note(connection, 1, error="it did not answer within 5 s")
    page = client_of(catalogue, ANYBODY).get(f"/harvested/{ID}").text
    assert "it did not answer within 5 s" in page
    assert client_of(catalogue, ANYBODY).get("/records.json?q=femur").json()["total"] == 1
