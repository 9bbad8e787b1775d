"""Neuroglancer's states: made from a record, and refused where they hold anything but volumes of this portal."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app_client import TestClient
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.saved_views import MOST_OF_RECORD, save_view
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import saved_views
from tomarium.errors import InputError
from tomarium.model import Person
from tomarium.portal import volume_view
from tomarium.portal.app import create_app

OWN = "/records/{}/files/volume.ome.zarr/|zarr3:"


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("volumes")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for id in ("tooth", "bone"):
            make_volume(home / id / "volume.ome.zarr", size=32)
            file_record(home / id, title=id.title(), id=id, created=datetime(2026, 11, 20, tzinfo=UTC))
            ingest(catalogue, home / id)
        yield catalogue


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
        yield client


def test_a_record_is_shown_whole_at_its_scale(client: TestClient) -> None:
    state = client.get("/records/tooth/volume.json").json()["state"]
    assert state["dimensions"] == {axis: [pytest.approx(0.65e-6), "m"] for axis in "xyz"}
    assert state["position"] == [15.5, 15.5, 11.5]  # the middle of 24 × 32 × 32
    [layer] = state["layers"]
    assert layer["source"] == OWN.format("tooth")
    low, high = layer["shaderControls"]["normalized"]["range"]
    assert -0.5 < low < 0.3 < 1.5 < high < 3  # air is 0.05, enamel 1.75, inclusions 2.2
    assert state["layout"] == "4panel"
    rendered = client.get("/records/tooth/volume.json?rendering=true").json()["state"]
    assert rendered["layers"][0]["volumeRendering"] == "on"


def test_volumes_lie_over_each_other(client: TestClient) -> None:
    told = client.get("/records/tooth/volume.json?with=bone").json()
    assert [layer["source"] for layer in told["state"]["layers"]] == [OWN.format("tooth"), OWN.format("bone")]
    assert {layer["blend"] for layer in told["state"]["layers"]} == {"additive"}
    assert '<a href="/records/bone">' in client.get("/records/tooth/volume?with=bone").text
    assert client.get("/records/tooth/volume?with=nothing").status_code == 404
    assert client.get("/records/tooth/volume?with=a,b,c,d,e").status_code == 400


def test_a_shared_view_comes_back_as_it_was(client: TestClient) -> None:
    state = client.get("/records/tooth/volume.json").json()["state"]
    state |= {"position": [3.25, 7.5, 11.125], "crossSectionScale": 0.123456789}
    kept = client.post("/records/tooth/views", json={"state": json.dumps(state)})
    assert kept.status_code == 201
    view = kept.json()["view"]
    assert kept.json()["address"] == f"http://testserver/records/tooth/volume?view={view}"
    assert client.get(kept.json()["path"].replace("?", ".json?")).json()["state"] == state
    again = client.post("/records/tooth/views", json={"state": json.dumps(state)})
    assert again.json()["view"] == view
    # A view belongs to its record.
    assert client.get(f"/records/bone/volume?view={view}").status_code == 404
    assert client.get("/records/tooth/volume?view=nothing").status_code == 404


def layer(**more: Any) -> dict[str, Any]:
    return {"layers": [{"type": "image", "source": OWN.format("tooth"), **more}]}


@pytest.mark.parametrize(
    "state",
    [
        [],
        {},
        {"layers": []},
        layer(source="https://elsewhere.org/volume/|zarr3:"),
        layer(source="//elsewhere.org/records/tooth/files/volume.ome.zarr/|zarr3:"),
        layer(source="/records/tooth/files/../../bone/files/volume.ome.zarr/|zarr3:"),
        layer(source="/records/tooth/files/volume.ome.zarr/|zarr3:|https://elsewhere.org/"),
        layer(source="/records/nothing/files/volume.ome.zarr/|zarr3:"),
        layer(source={"url": "gs://bucket/volume"}),
        layer(source=[OWN.format("tooth"), "precomputed://http://elsewhere.org"]),
        layer(source={"url": OWN.format("tooth"), "transform": {"to": "http://elsewhere.org"}}),
        layer(source=None),
        layer(type="new"),
        layer(shader="x" * 9_000),
        layer(linkedSegmentationLayer="http://elsewhere.org/"),
        layer(deep={"a": [{"b": "http://elsewhere.org/"}]}),
        {**layer(), "credentials": {}},
        {**layer(), "title": "x" * 60_000},
        {**layer(), "selection": "x" * 3_000},
    ],
)
def test_a_state_that_leads_elsewhere_is_refused(client: TestClient, state: Any) -> None:
    assert client.post("/records/tooth/views", json={"state": json.dumps(state)}).status_code == 400


def test_what_is_no_state_is_refused(client: TestClient) -> None:
    for text in ("", "{", "[" * 20_000, "null", "1"):
        assert client.post("/records/tooth/views", json={"state": text}).status_code == 400
    assert client.post("/records/tooth/views", json={"state": "x" * 70_000}).status_code == 413
    foreign = {"sec-fetch-site": "cross-site"}
    sent = {"state": json.dumps(layer())}
    assert client.post("/records/tooth/views", json=sent, headers=foreign).status_code == 403


def test_a_record_keeps_so_many_views(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    from tomarium.catalogue import ANYBODY

    monkeypatch.setattr("tomarium.catalogue.saved_views.MOST_OF_RECORD", 2)
    assert MOST_OF_RECORD == 2_000
    with catalogue.writing() as connection:
        connection.execute(saved_views.delete().where(saved_views.c.record == "bone"))
        tokens = {save_view(connection, ANYBODY, "bone", {"position": [n % 2]}) for n in range(4)}
        assert len(tokens) == 2
        with pytest.raises(InputError, match="2 saved views"):
            save_view(connection, ANYBODY, "bone", {"position": [9]})


def test_the_document_of_the_viewer(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    if volume_view.has_client():
        answer = client.get("/records/tooth/volume/v/now")
        policy = answer.headers["content-security-policy"]
        assert "'unsafe-eval'" in policy
        assert "frame-ancestors 'self'" in policy
        assert client.get("/records/tooth/volume").headers["content-security-policy"].count("unsafe") == 0
        files = list(volume_view.CLIENT.iterdir())
        assert sum(file.stat().st_size for file in files) < 6_000_000
        assert any(file.name == "LICENSE" for file in files)
    for name in ("LICENSE", "%2e%2e", "%2e%2e%2fLICENCES.txt", "nothing.js"):
        assert client.get(f"/neuroglancer/{name}").status_code == 404
    monkeypatch.setattr(volume_view, "CLIENT", Path("/nowhere"))
    page = client.get("/records/tooth/volume").text
    assert "not in this installation" in page
    assert "z-12.png" in page
    assert client.get("/records/tooth/volume/v/now").status_code == 404


def test_text_of_a_state_cannot_end_its_element(catalogue: Catalogue, client: TestClient) -> None:
    if not volume_view.has_client():
        pytest.skip("the viewer is not built (make web)")
    state = layer(name="</script><script>alert(1)</script>")
    refused = client.post("/records/tooth/views", json={"state": json.dumps(state)})
    view = refused.json()["view"]
    assert "<script>alert" not in client.get(f"/records/tooth/volume/v/now?view={view}").text


def test_a_view_shows_nobody_a_layer_that_is_not_open_to_them(catalogue: Catalogue) -> None:
    told = Changes(creators=(Person("Lovelace, Ada"),), licence="CC-BY-4.0")
    edit(catalogue, LOCAL_OWNER, "tooth", told)
    publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0"))
    with TestClient(create_app(catalogue, local=True)) as owner:
        state = owner.get("/records/tooth/volume.json?with=bone").json()["state"]
        view = owner.post("/records/tooth/views", json={"state": json.dumps(state)}).json()["view"]
        assert owner.get(f"/records/tooth/volume.json?view={view}").json()["state"] == state
    with TestClient(create_app(catalogue, local=False)) as anybody:
        assert anybody.get("/records/bone").status_code == 404
        told = anybody.get(f"/records/tooth/volume.json?view={view}")
        assert [layer["source"] for layer in told.json()["state"]["layers"]] == [OWN.format("tooth")]
        assert told.json()["state"]["selectedLayer"]["layer"] == "Tooth (tooth)"
        assert "bone" not in told.text.lower()
        assert "bone" not in anybody.get(f"/records/tooth/volume/v/now?view={view}").text.lower()


def test_visitors_leave_room_for_the_views_of_members(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomarium.catalogue.saved_views.MOST_OF_VISITORS", 2)
    with catalogue.writing() as connection:
        for k in range(2):
            save_view(connection, ANYBODY, "flood", {"position": [k]})
        with pytest.raises(InputError, match="2 views of visitors"):
            save_view(connection, ANYBODY, "flood", {"position": [2]})
        assert save_view(connection, Reader("ada", "member"), "flood", {"position": [3]})


@pytest.mark.parametrize("up", ["%2e%2e", "%2E."])
def test_an_address_that_a_browser_reads_as_another_is_refused(client: TestClient, up: str) -> None:
    state = client.get("/records/tooth/volume.json").json()["state"]
    state["layers"][0]["source"] = f"/records/tooth/files/x/{up}/{up}/volume.ome.zarr/|zarr3:"
    answer = client.post("/records/tooth/views", json={"state": json.dumps(state)})
    assert answer.status_code == 400


def test_addresses_to_take_away_are_of_the_house_and_not_of_the_request(
    catalogue: Catalogue, client: TestClient
) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "address", "https://data.example.org")
    try:
        for place in ("manifest.aria2", "manifest.metalink", "notebook.ipynb", "download", ""):
            told = client.get(f"/records/tooth/{place}".rstrip("/"), headers={"host": "evil.example"}).text
            assert "https://data.example.org/records/tooth" in told, place
            assert "evil.example" not in told, place
    finally:
        with catalogue.writing() as connection:
            change_setting(connection, "address", "")
