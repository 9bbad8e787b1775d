"""Signposting: a foreign client walks from a record to its linkset, its files and its metadata, and back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request as Ask
from urllib.request import urlopen

import pytest

from portal.cutting_portal import served
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import make_entity, publish_entity
from tomarium.catalogue.life import Request, publish
from tomarium.model import Person
from tomarium.portal.signposting import HEADER_BYTES, OME_ZARR
from tomarium.registry import collect
from tomarium.standards.standard import Standard

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ADA = Person("Lovelace, Ada", "0000-0002-1825-0097")
PEOPLE = tuple(Person(f"Author, {n}", f"0000-0002-1825-{n:04}") for n in range(120))


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Iterator[str]:
    home = tmp_path_factory.mktemp("signposting")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for id in ("tooth", "closed", "crowd"):
            make_volume(home / id / "volume.ome.zarr", size=16)
            (home / id / "raw words #1.txt").write_text("words")
            file_record(home / id, title=id, id=id)
            ingest(catalogue, home / id)
            people = PEOPLE if id == "crowd" else (ADA, Person("Röntgen"))
            edit(catalogue, LOCAL_OWNER, id, Changes(licence="CC-BY-4.0", creators=people))
            publish(catalogue, LOCAL_OWNER, id, Request(embargo="2 years" if id == "closed" else "0"))
        make_entity(catalogue, LOCAL_OWNER, "collection", "Teeth", {"members": "tooth; closed"}, "teeth")
        publish_entity(catalogue, LOCAL_OWNER, "teeth")
        with served(catalogue, local=False) as (address, app):
            app.app.state.reader_of = lambda _request: ANYBODY
            yield address


def walk(address: str) -> Any:
    from signposting.resolver import find_signposting_http

    return find_signposting_http(address)


def linkset(address: str) -> Any:
    from signposting.linkset import find_signposting_linkset

    return find_signposting_linkset(address)


def led(found: Any, relation: str) -> set[str]:
    return {str(one.target) for one in found.signposts if str(one.rel) == relation}


def targets(signposts: Any) -> set[str]:
    return {str(one.target) for one in signposts}


def test_a_client_walks_from_a_record_to_its_files_and_back(portal: str) -> None:
    page = f"{portal}/records/tooth"
    found = walk(page)
    assert str(found.citeAs.target) == page  # it has no DOI
    assert targets(found.types) == {"https://schema.org/AboutPage", "https://schema.org/Dataset"}
    assert str(found.license.target) == "https://spdx.org/licenses/CC-BY-4.0"
    assert targets(found.authors) == {f"https://orcid.org/{ADA.orcid}"}
    assert led(found, "collection") == {f"{portal}/collections/teeth"}
    told = {str(one.target): str(one.type) for one in found.describedBy}
    assert told == {
        f"{page}.json": "application/json",
        **{
            f"{page}/metadata/{name}": one.media_type.split(";")[0]
            for name, one in collect("standards", Standard).items()
        },
    }
    for address, kind in told.items():
        with urlopen(address) as answer:
            assert answer.headers["Content-Type"].split(";")[0] == kind
        assert page in targets(walk(address).signposts), address
    assert targets(found.linksets) == {f"{page}/linkset.json", f"{page}/linkset"}
    (volume,) = [
        one for one in found.items if str(one.profiles and next(iter(one.profiles))) == OME_ZARR["zarr.json"]
    ]
    for one in found.items:
        with urlopen(Ask(str(one.target), method="HEAD")) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].split(";")[0] == str(one.type)
    assert led(walk(str(volume.target)), "collection") == {page}
    assert f"{page}/files/raw%20words%20%231.txt" in targets(found.items)


@pytest.mark.parametrize("end", ["linkset.json", "linkset"])
def test_a_linkset_says_what_the_header_says_and_more(portal: str, end: str) -> None:
    page = f"{portal}/records/crowd"
    header, whole = walk(page), linkset(f"{page}/{end}")
    of_page = {(str(one.rel), str(one.target)) for one in whole.for_context(page).signposts}
    assert {(str(one.rel), str(one.target)) for one in header.signposts} < of_page
    assert {target for rel, target in of_page if rel == "author"} == {
        f"https://orcid.org/{one.orcid}" for one in PEOPLE
    }
    files = {target for rel, target in of_page if rel == "item"}
    assert f"{page}/files/manifest-sha256.txt" in files
    for file in files:
        assert led(whole.for_context(file), "collection") == {page}


def test_get_and_head_say_the_same_within_4_kilobytes(portal: str) -> None:
    for path in ("/records/crowd", "/records/tooth", "/collections/teeth"):
        told = []
        for method in ("GET", "HEAD"):
            with urlopen(Ask(portal + path, method=method)) as answer:
                told.append(answer.headers["Link"])
        assert told[0] == told[1]
        assert len(told[0]) < 4000
    assert HEADER_BYTES < 4000


def test_what_is_under_embargo_has_no_items(portal: str) -> None:
    page = f"{portal}/records/closed"
    for asked in (walk(page), linkset(f"{page}/linkset.json"), linkset(f"{page}/linkset")):
        found = asked.for_context(page)
        assert found.describedBy
        assert not found.items
        assert not any("/files/" in one or "download" in one for one in targets(found.signposts))


def test_a_collection_leads_to_its_records(portal: str) -> None:
    page = f"{portal}/collections/teeth"
    found = walk(page)
    assert targets(found.items) == {f"{portal}/records/tooth", f"{portal}/records/closed"}
    assert targets(found.items) == targets(linkset(f"{page}/linkset.json").for_context(page).items)
    assert "https://schema.org/Collection" in targets(found.types)
