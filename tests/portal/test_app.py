"""Pages as people and programs ask for them, and what they say when something is wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.routing import NoMatchFound

from app_client import TestClient
from tomarium.catalogue import Catalogue, file_record, ingest, open_catalogue
from tomarium.portal.app import create_app
from tomarium.portal.routes import path_of


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("text/html;q=0.2, application/json;q=0.9", "application/json"),
        ("application/json;q=broken", "text/html"),
        ("", "text/html"),
    ],
)
def test_reader_gets_what_it_prefers(client: TestClient, accept: str | None, kind: str) -> None:
    answer = client.get("/records", headers={} if accept is None else {"Accept": accept})
    assert answer.headers["content-type"].startswith(kind)
    # What programs get does not depend on the level that a reader chose.
    assert answer.headers["vary"] == ("Accept" if kind == "application/json" else "Accept, Cookie")


def test_search_gives_hits(client: TestClient) -> None:
    facts = client.get("/records.json", params={"q": "toot"}).json()
    assert facts["total"] == 1
    hit = facts["hits"][0]
    assert {"id", "title", "created", "snippet", "score"} <= hit.keys()
    assert (hit["id"], hit["page"]) == ("tooth", "/records/tooth")
    assert client.get("/records.json", params={"q": "bear"}).json()["hits"] == []


def test_record_has_values_with_units_and_origins(client: TestClient) -> None:
    facts = client.get("/records/tooth.json").json()
    assert facts["parameters"]["pixel_m"] == {
        "value": 0.65e-6,
        "unit": "m",
        "origin": "read",
        "source": "tooth.h5",
    }
    assert facts["shape"] == [24, 32, 32]
    shown = {"plain_card", "slices", "look", "parameters", "histogram", "provenance", "files", "make_a_slice"}
    assert set(facts["viewers"]) == shown
    assert "html" not in facts["viewers"]["slices"]
    page = client.get("/records/tooth").text
    assert "0.65 µm" in page
    assert 'aria-label="Scale bar of 5 µm"' in page


def test_choices_are_in_the_address(client: TestClient) -> None:
    facts = client.get("/records/tooth.json?z=3&y=4").json()
    planes = facts["viewers"]["slices"]["data"]["planes"]
    assert [planes[plane]["index"] for plane in "zyx"] == [3, 4, 16]
    page = client.get("/records/tooth?z=3&histogram=linear").text
    assert 'name="histogram" value="linear"' in page
    assert "z=4&amp;histogram=linear#slices" in page


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/nothing", 404, "no page"),
        ("/records/nothing", 404, "no record"),
        ("/records/%3Cscript%3E", 404, "no record"),
        ("/records/tooth?z=24", 400, "from 0 to 23"),
        ("/records/tooth?z=<b>", 400, "whole number"),
        ("/records/tooth?histogram=cubic", 400, "linear"),
        ("/records?limit=0", 400, "limit"),
        ("/records?offset=x", 400, "offset"),
        ("/records/tooth/folders/previews", 404, "no folder"),
        ("/static/nothing.css", 404, "no page"),
        ("/static/../app.py", 404, "no page"),
    ],
)
def test_problems_are_explained(client: TestClient, address: str, status: int, said: str) -> None:
    page = client.get(address)
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert said in page.text
    assert "<script>" not in page.text
    facts = client.get(address, headers={"Accept": "application/json"})
    assert facts.status_code == status
    assert facts.json()["error"]["status"] == status
    assert said in facts.json()["error"]["message"]


def test_other_methods_are_refused(client: TestClient) -> None:
    answer = client.post("/records")
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert client.delete("/records/tooth/files/protocol.yaml").status_code == 405


def test_every_answer_has_the_headers(client: TestClient) -> None:
    for address in (
        "/",
        "/nothing",
        "/static/tomarium.css",
        "/records/tooth/files/protocol.yaml",
        "/openapi.json",
    ):
        headers = client.get(address).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "default-src" in headers["content-security-policy"]
        assert "set-cookie" not in headers


def test_error_of_our_own_tells_nothing_of_the_machine(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_settings: object) -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr("tomarium.portal.pages.records.search", fail)
    answer = client.get("/records")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Something broke here" in answer.text


def test_openapi_names_all_and_frameworks_pages_are_gone(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/records.json", "/records/{id}.json", "/records/{id}/files/{path}"} <= paths.keys()
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    assert "/records.json" in client.get("/api").text


def test_api_page_shows_code_as_code(client: TestClient) -> None:
    html = client.get("/api").text
    assert "`" not in html
    assert "such as the slice <code>z-120.png</code> of the viewer <code>slices</code>" in html
    assert "`z-120.png`" in client.get("/api.json").text


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a `b` c", "a <code>b</code> c"),
        ("``a `b` ``", "<code>a `b` </code>"),
        ("`<b>` & `x`", "<code>&lt;b&gt;</code> &amp; <code>x</code>"),
        ("one ` alone <i>", "one ` alone &lt;i&gt;"),
        ("", ""),
    ],
)
def test_code_in_a_text(text: str, html: str) -> None:
    from tomarium.portal.rendering import _coded

    assert str(_coded(text)) == html


def test_foreign_names_are_refused(catalogue: Catalogue) -> None:
    with TestClient(
        create_app(catalogue, hosts=["localhost"], local=True), base_url="http://evil.example"
    ) as client:
        assert client.get("/").status_code == 400
    with TestClient(
        create_app(catalogue, hosts=["localhost"], local=True), base_url="http://localhost:8000"
    ) as client:
        assert client.get("/").status_code == 200


def test_empty_catalogue_says_what_to_do(tmp_path: Path) -> None:
    with (
        open_catalogue(tmp_path / "c.sqlite") as catalogue,
        TestClient(create_app(catalogue, local=True)) as client,
    ):
        assert "tomarium demo" in client.get("/").text
        assert "Nothing has been filed yet" in client.get("/records").text
        assert client.get("/index.json").json()["total"] == 0


def test_damage_is_said_and_hides_nothing_else(tmp_path: Path, make_volume: Callable[..., Path]) -> None:
    folder = tmp_path / "a"
    make_volume(folder / "volume.ome.zarr", size=16)
    file_record(folder, title="Hurt", id="a")
    with open_catalogue(tmp_path / "c.sqlite") as catalogue:
        ingest(catalogue, folder)
        with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
            shutil.rmtree(folder / "volume.ome.zarr")
            page = client.get("/records/a")
            assert page.status_code == 200
            assert "damaged or missing" in page.text
            assert "previews/thumbnail.png" in client.get("/records/a.json").text
            assert client.get("/records/a/pictures/slices/z-1.png").status_code == 503
            shutil.rmtree(folder)
            gone = client.get("/records/a")
            assert gone.status_code == 503
            assert str(tmp_path) not in gone.text
            assert client.get("/records").status_code == 200


def test_works_behind_a_path_of_a_proxy(catalogue: Catalogue) -> None:
    with TestClient(create_app(catalogue, local=True), root_path="/tomo") as client:
        page = client.get("/tomo/records/tooth").text
        assert 'href="/tomo/records"' in page
        assert 'src="/tomo/records/tooth/pictures/slices/' in page


def test_addresses_are_built_as_starlette_builds_them(catalogue: Catalogue) -> None:
    app = create_app(catalogue)
    names = {(route.name, *getattr(route, "param_convertors", ())) for route in app.routes}
    assert len(names) > 100
    for name, *parameters in names:
        parts = dict.fromkeys(parameters, "1")
        assert path_of(app, name, parts) == app.url_path_for(name, **parts)
    with pytest.raises(NoMatchFound):
        path_of(app, "record", {})
    app.add_api_route("/later/{id}", lambda id: id, name="later")
    assert path_of(app, "later", {"id": "1"}) == "/later/1"


def test_applications_share_routes_and_nothing_that_is_asked_of_them(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as empty:
        apps = {1: create_app(catalogue, local=True), 0: create_app(empty, local=True)}
        for total, app in apps.items():
            with TestClient(app) as client:
                assert client.get("/records.json").json()["total"] == total
        assert apps[0].state.uploads is not apps[1].state.uploads
        apps[0].add_api_route("/alone", lambda: "", name="alone")
        assert "alone" not in {getattr(route, "name", "") for route in apps[1].routes}
