"""Publications in the portal: pasted by curators, shown on the record, reported; each to those who may see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.model import Person
from tomarium.portal import administration, identity
from tomarium.portal.app import create_app
from tomarium.portal.identity import Identity

BIBTEX = """@article{a, title = {Teeth <b>of</b> bears}, author = {Lovelace, Ada}, year = 2026, journal = {Nature},
 doi = {10.1038/abc}, note = {10.5072/tooth.v1}}"""


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("publications")
    with open_catalogue(home / "c.sqlite") as opened:
        for id in ("tooth", "draft"):
            make_volume(home / id / "volume.ome.zarr", size=8)
            file_record(home / id, title=f"Secret {id}", id=id)
            ingest(opened, home / id)
            edit(opened, LOCAL_OWNER, id, Changes(licence="CC0-1.0", creators=(Person("Ada"),)))
        publish(opened, LOCAL_OWNER, "tooth", Request(embargo="0"))
        yield opened


@pytest.fixture
def owner(catalogue: Catalogue) -> TestClient:
    return TestClient(create_app(catalogue, local=True), raise_server_exceptions=False)


@pytest.fixture
def nobody(catalogue: Catalogue) -> TestClient:
    return TestClient(create_app(catalogue), raise_server_exceptions=False)


def test_curators_paste_and_everybody_sees_by_what_a_record_is_cited(
    owner: TestClient, nobody: TestClient
) -> None:
    assert "Paste references" in owner.get("/publications/import").text
    answer = owner.post("/publications/import", data={"text": BIBTEX, "data": "tooth\ndraft"})
    assert answer.status_code == 200
    assert "New" in answer.text
    assert "&lt;b&gt;" in answer.text
    shown = nobody.get("/records/tooth").text
    assert "Cited by 1" in shown
    assert "Lovelace, A. (2026)" in shown
    assert "https://doi.org/10.1038/abc" in shown
    told = nobody.get("/records/tooth.json").json()
    assert [one["doi"] for one in told["cited_by"]] == ["10.1038/abc"]
    assert not any("10.1038/abc" in one["identifier"] for one in told["related"])
    document = nobody.get(told["cited_by"][0]["page"])
    assert ("Secret tooth" in document.text, "Secret draft" in document.text) == (True, False)
    assert "10.1038/abc" in nobody.get("/records/tooth/metadata/datacite").text
    again = owner.post(
        "/publications/import",
        json={"text": BIBTEX.replace("2026", "2025")},
        headers={"Accept": "application/json"},
    )
    assert again.json()["done"][0]["told"] == ["year: kept “2026”, the file says “2025”"]


@pytest.mark.parametrize("by", ["record", "publication", "facility", "instrument", "year"])
def test_the_report_tells_only_of_what_is_seen(owner: TestClient, nobody: TestClient, by: str) -> None:
    owner.post("/publications/import", data={"text": BIBTEX, "data": "tooth draft"})
    for client, records in ((owner, 2), (nobody, 1)):
        page = client.get(f"/publications/report?by={by}").text
        assert ("Secret tooth" in page, "Secret draft" in page) == (True, records == 2)
        told = client.get(f"/publications/report.json?by={by}").json()
        assert (told["publications"], told["records"]) == (1, records)
        rows = client.get(f"/publications/report.csv?by={by}").text.splitlines()
        assert len(rows) == 1 + records
    assert nobody.get("/publications/report?by=colour").status_code == 400


def test_what_cannot_be_read_is_said_and_kept_in_the_form(owner: TestClient) -> None:
    answer = owner.post("/publications/import", data={"text": "hello there"})
    assert answer.status_code == 422
    assert "neither BibTeX nor RIS" in answer.text
    assert "hello there</textarea>" in answer.text
    assert owner.post("/publications/import", data={"text": BIBTEX, "data": "none"}).status_code == 422


@pytest.mark.parametrize("role", ["visitor", "member", "instrument scientist", "curator", "administrator"])
def test_only_curators_import_and_write_newsletters(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    reader = Reader("eve", role)  # type: ignore[arg-type]
    known = Identity(reader, "session", frozenset(("read", "write", "review", "admin")))
    for module in (identity, administration):
        monkeypatch.setattr(module, "identify", lambda _request: known)
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: reader
    client = TestClient(app, raise_server_exceptions=False)
    wanted = 200 if role in ("curator", "administrator") else 403
    for door in ("/publications/import", "/newsletter", "/newsletter.json"):
        assert client.get(door).status_code == wanted, door
    assert client.post("/publications/import", data={"text": BIBTEX}).status_code == wanted


def test_a_newsletter_is_shown_and_can_be_copied(owner: TestClient, nobody: TestClient) -> None:
    assert nobody.get("/newsletter").status_code == 403
    page = owner.get("/newsletter").text
    assert "1 record was published." in page
    assert "### [Secret tooth](http://testserver/records/tooth)" in page
    assert "Secret draft" not in page
    assert owner.get("/newsletter?since=2020-01-01&until=2020-02-01").text.count("To be copied") == 0
    assert owner.get("/newsletter?since=soon").status_code == 400
