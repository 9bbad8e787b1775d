"""Every address against its description: no error of the server, no status or media type that is not declared."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.model import Person
from tomarium.portal.app import create_app
from tomarium.portal.description import SUCCESSES

KNOWN = {
    "id": ("tooth", "bone"),
    "path": ("volume.ome.zarr", "volume.ome.zarr/zarr.json", "manifest-sha256.txt"),
    "viewer": ("slices",),
    "name": ("z-3.png",),
    "standard": ("datacite", "bibtex"),
    "kind": ("sha256", "aria2"),
}
"""What stands in every second path, so that more is asked than what is not there."""


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("described")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        for id in ("tooth", "bone"):
            make_volume(home / "records" / id / "volume.ome.zarr", size=8)
            file_record(home / "records" / id, title=id, id=id)
            ingest(opened, home / "records" / id)
        ready = Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))
        edit(opened, LOCAL_OWNER, "bone", ready)
        publish(opened, LOCAL_OWNER, "bone", Request(embargo="0"))
        yield opened


def asked(app: Any, examples: int) -> list[str]:
    """Ask every address, some times each, and return what does not fit its description."""
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    turn = count()

    @schema.hook
    def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        known = next(turn)
        if known % 2 and path_parameters:
            return {
                key: KNOWN[key][known // 2 % len(KNOWN[key])] if key in KNOWN else value
                for key, value in path_parameters.items()
            }
        return path_parameters

    wrong: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(1)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            try:
                # What is well formed may still be refused for what it says: a range, a day, a name.
                case.call_and_validate(excluded_checks=[positive_data_acceptance])
            except Exception as problem:
                told = [str(one) for one in getattr(problem, "exceptions", [problem])]
                wrong.extend(f"{case.method} {case.formatted_path}: {one[:600]}" for one in told)

        ask()
    return wrong


def test_every_address_answers_as_it_is_described(catalogue: Catalogue, tmp_path: Path) -> None:
    shutil.rmtree(catalogue.home / "uploads", ignore_errors=True)
    assert asked(create_app(catalogue, local=True), 2) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/records/none.json", 404),
        ("GET", "/records/none/volume.npy", 404),
        ("GET", "/records.json?limit=x", 400),
        ("POST", "/records/none/edit", 404),
        ("POST", "/records", 405),
        ("PUT", "/nowhere", 404),
        ("GET", "/static/none.js", 404),
        ("PATCH", "/uploads/none", 412),
    ],
)
def test_every_error_is_a_problem_that_says_what_to_do(
    catalogue: Catalogue, method: str, path: str, status: int
) -> None:
    with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
        answer = client.request(method, path, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert told["status"] == status
    assert len(told["detail"].split()) > 4


def test_a_feed_reader_reads_the_feed(catalogue: Catalogue) -> None:
    feedparser = pytest.importorskip("feedparser")
    with TestClient(create_app(catalogue)) as client:
        read = feedparser.parse(client.get("/feed.atom").content)
    assert not read.bozo, read.get("bozo_exception")
    assert read.version == "atom10"
    assert [(one.title, one.link) for one in read.entries] == [("bone", "http://testserver/records/bone")]
    assert read.entries[0].id
    assert read.entries[0].updated_parsed.tm_year >= 2026


def test_the_sitemap_follows_its_protocol(catalogue: Catalogue) -> None:
    etree = pytest.importorskip("lxml.etree")
    schema = etree.XMLSchema(etree.parse(Path(__file__).with_name("sitemap.xsd")))
    with TestClient(create_app(catalogue)) as client:
        document = etree.fromstring(client.get("/sitemap.xml").content)
    schema.assertValid(document)
    assert document.xpath("string(//*[local-name()='loc'][contains(., 'bone')])").endswith("/records/bone")


def test_every_status_is_of_a_route_that_is_there(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    known = {one["operationId"]: one for path in document["paths"].values() for one in path.values()}
    assert set(SUCCESSES) <= set(known)
    assert "204" in known["uploads.append"]["responses"]
    assert "200" in known["upload"]["responses"]
