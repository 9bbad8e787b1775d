"""The PaNOSC search API: the facts of the reference's own data, our records, who sees what, and errors."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import make_entity
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.catalogue.panosc_filter import LARGEST, USUAL
from tomarium.catalogue.reader import OPEN_ONLY
from tomarium.model import Part, Person, Value
from tomarium.portal.app import create_app
from tomarium.portal.harvests.panosc import LIMITS, PAGE, harvest_file
from tomarium.standards.panet import id_of

ADA = Reader("ada", "member")
API = "/panosc/api"
PREFIX = "20.500.12269/panosc-"
STATES = ("draft", "embargoed", "open", "withdrawn")


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, place: Files, shared: Callable[[str], Path]
) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("panosc")
    with open_catalogue(place(home / "catalogue.sqlite")) as opened:
        _file_ours(opened, home / "records")
        harvest_file(opened, shared("catalogue/panosc/db.json"), title="Reference")
        yield client_of(opened, ANYBODY)


def client_of(catalogue: Catalogue, reader: Reader) -> TestClient:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: reader
    return TestClient(app, raise_server_exceptions=False)


def _file_ours(catalogue: Catalogue, home: Path) -> None:
    make_entity(
        catalogue, ADA, "proposal", "Teeth of bears", {"team": "Curie, Marie", "phone": "123"}, "hg-1"
    )
    make_entity(catalogue, ADA, "instrument", "BM05", {"facility": "ESRF"}, "bm05")
    make_entity(catalogue, ADA, "specimen", "Molar", {"age": "63", "description": "A molar"}, "molar")
    for id in STATES:
        folder = home / id
        folder.mkdir(parents=True)
        (folder / "scan.dat").write_bytes(id.encode())
        (folder / "notes_100%.txt").write_bytes(b"x")
        told = {"energy_kev": Value(20.0, "read", ""), "temperature_celsius": Value(25.0, "read", ""),
                "detector": Value("PCO", "read", ""),}  # fmt: skip
        file_record(folder, title=f"Scan {id}", id=id, parameters=told, keywords=("enamel",), description="Of a tooth.",
                    parts=(Part("projections", "scan.dat"),))  # fmt: skip
        ingest(catalogue, folder, reader=ADA)
        changes = Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada", "0000-0002-1825-0097"),),
                          techniques=(id_of("x-ray microtomography"),),
                          specimen="molar", proposal="hg-1", instrument="bm05")  # fmt: skip
        edit(catalogue, ADA, id, changes)
    publish(catalogue, LOCAL_OWNER, "embargoed", Request(embargo="1 year"))
    for id in ("open", "withdrawn"):
        publish(catalogue, LOCAL_OWNER, id, Request(embargo="0"))
    withdraw(catalogue, LOCAL_OWNER, "withdrawn", "the wrong bear")


def ask(client: TestClient, model: str, wanted: dict[str, Any] | None = None, **more: str) -> list[Any]:
    params = {**({"filter": json.dumps(wanted)} if wanted is not None else {}), **more}
    answer = client.get(f"{API}/{model}", params=params)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, list)
    return found


def reference(client: TestClient, model: str, wanted: dict[str, Any] | None = None) -> list[Any]:
    return ask(client, model, wanted, provider="Reference")


def scoped(relation: str, where: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"relation": relation, "scope": {**({"where": where} if where else {}), **more}}


def names(found: list[Any]) -> list[str]:
    return sorted(one["pid"].rpartition("-")[2].removeprefix("panosc-") for one in found)


def measured(name: str, condition: Any, unit: str) -> dict[str, Any]:
    return scoped("parameters", {"and": [{"name": name}, {"value": condition}, {"unit": unit}]})


def test_the_facts_of_the_reference_data(client: TestClient) -> None:
    datasets = reference(client, "Datasets")
    assert names(datasets) == ["dataset1", "dataset2", "dataset3", "dataset4"]
    assert {(one["isPublic"], one["creationDate"], one["provider"]) for one in datasets} == {
        (True, "2020-05-05T15:01:02.341Z", "Reference")
    }
    documents = reference(client, "Documents")
    assert sorted((one["type"], one["title"]) for one in documents) == [
        ("proposal", "PaNOSC Test Proposal"),
        ("publication", "PaNOSC Test Publication"),
    ]
    instruments = reference(client, "Instruments")
    assert len(instruments) == 15
    assert {one["facility"] for one in instruments} == {"ESS"}
    for model, found in (("Datasets", datasets), ("Documents", documents), ("Instruments", instruments)):
        first = found[0]
        told = client.get(f"{API}/{model}/{quote(first['pid'], safe='')}").json()
        assert told == first
        assert client.get(f"{API}/{model}/count?provider=Reference").json() == {"count": len(found)}


def test_a_technique_a_parameter_or_a_file_filters_the_datasets(client: TestClient) -> None:
    found = reference(client, "Datasets", {"include": [scoped("techniques", {"name": "x-ray absorption"})]})
    assert names(found) == ["dataset3", "dataset4"]
    assert {one["name"] for each in found for one in each["techniques"]} == {"x-ray absorption"}
    solid = {"and": [{"name": "sample_state"}, {"value": "solid"}]}
    copper = {"and": [{"name": "chemical_formula"}, {"value": "Cu"}]}
    (found_one,) = reference(client, "Datasets", {"include": [scoped("parameters", {"or": [solid, copper]})]})
    assert [one["name"] for one in found_one["parameters"]] == ["chemical_formula", "sample_state"]
    both = {"include": [scoped("parameters", solid), scoped("parameters", copper)]}
    assert names(reference(client, "Datasets", both)) == ["dataset1"]
    found = reference(client, "Datasets", {"include": [scoped("files", {"text": "FILE1"})]})
    assert [one["name"] for each in found for one in each["files"]] == ["panosc-file1.hdf"]


@pytest.mark.parametrize(
    ("name", "condition", "unit", "value", "dataset"),
    [
        ("photon_energy", {"between": [880, 990]}, "eV", 930, "dataset2"),
        ("photon_energy", {"between": [0.88, 0.99]}, "keV", 0.93, "dataset2"),
        ("photon_energy", {"eq": 0.93}, "keV", 0.93, "dataset2"),
        ("photon_energy", {"gt": 1.4e-16}, "J", 1.490024214e-16, "dataset2"),
        ("temperature", {"lt": 80}, "celsius", 20, "dataset3"),
        ("temperature", {"between": [293, 294]}, "kelvin", 293.15, "dataset3"),
        ("temperature", 68, "degF", 68, "dataset3"),
        ("wavelength", {"between": [1000, 1100]}, "nm", 1064, "dataset4"),
        ("wavelength", {"inq": [1, 10640]}, "angstrom", 10640, "dataset4"),
    ],
)
def test_numbers_are_compared_in_any_unit_and_told_in_that(
    client: TestClient, name: str, condition: Any, unit: str, value: float, dataset: str
) -> None:
    found = reference(client, "Datasets", {"include": [measured(name, condition, unit)]})
    assert names(found) == [dataset]
    (told,) = found[0]["parameters"]
    assert (told["name"], told["unit"]) == (name, unit)
    assert told["value"] == pytest.approx(value, rel=1e-9)


def test_what_is_of_another_quantity_is_not_found(client: TestClient) -> None:
    for unit in ("nm", "parsecs of cheese", "kelvin"):
        wanted = {"include": [measured("photon_energy", {"gt": 0}, unit)]}
        assert reference(client, "Datasets", wanted) == []


def test_documents_are_found_by_what_their_datasets_are(client: TestClient) -> None:
    wanted = {
        "where": {"type": "proposal"},
        "include": [
            {"relation": "datasets"},
            scoped("members", {"role": "principal investigator"},
                   include=[scoped("person", {"fullName": "James Chadwick"})]),
        ],
    }  # fmt: skip
    (found,) = reference(client, "Documents", wanted)
    assert names(found["datasets"]) == ["dataset3", "dataset4"]
    assert [(one["role"], one["person"]["fullName"]) for one in found["members"]] == [
        ("principal investigator", "James Chadwick")
    ]
    nm = measured("wavelength", {"between": [1000, 1100]}, "nm")
    assert names(reference(client, "Documents", {"include": [nm]})) == ["document1"]
    (found,) = reference(client, "Documents", {"include": [scoped("datasets", include=[nm])]})
    assert (names([found]), names(found["datasets"])) == (["document2"], ["dataset4"])
    assert found["datasets"][0]["parameters"] == [
        {"id": "5", "name": "wavelength", "value": 1064, "unit": "nm"}
    ]
    both = [
        scoped("samples", {"name": "solid copper cylinder"}),
        scoped("techniques", {"name": "x-ray absorption"}),
    ]
    (found,) = reference(client, "Documents", {"include": [scoped("datasets", include=both)]})
    assert names(found["datasets"]) == ["dataset3", "dataset4"]
    files = scoped("datasets", include=[scoped("files", {"text": "file1"})])
    assert names(reference(client, "Documents", {"include": [files]})) == ["document1"]
    loki = {"where": {"name": "LoKI"}, "include": ["datasets"]}
    assert names(reference(client, "Instruments", loki)[0]["datasets"]) == ["dataset1"]


def test_ours_are_told_with_all_that_is_public(client: TestClient) -> None:
    relations = ["parameters", "samples", "techniques", "files", "instrument", "documents"]
    (found,) = ask(client, "Datasets", {"where": {"title": "Scan open"}, "include": relations})
    assert (found["pid"], found["isPublic"], found["provider"]) == ("open", True, "tomarium")
    assert found["url"] == "http://testserver/records/open"
    told = {one["name"]: (one["value"], one["unit"]) for one in found["parameters"]}
    assert told["photon_energy"] == (20.0, "keV")
    assert told["temperature"] == (25.0, "°C")
    assert told["detector"] == ("PCO", "")
    assert found["samples"] == [{"pid": "molar", "name": "Molar", "description": "A molar"}]
    assert found["techniques"][0]["name"] == "x-ray microtomography"
    assert {"scan.dat", "notes_100%.txt"} <= {one["name"] for one in found["files"]}
    assert (found["instrument"]["name"], found["instrument"]["facility"]) == ("BM05", "ESRF")
    assert {one["type"] for one in found["documents"]} == {"publication", "proposal"}
    members = scoped("members", include=[{"relation": "person"}])
    (paper,) = ask(client, "Documents", {"where": {"title": "Scan open"}, "include": [members]})
    assert (paper["license"], paper["keywords"], paper["summary"]) == ("CC-BY-4.0", ["enamel"], "Of a tooth.")
    assert paper["members"][0]["person"]["orcid"] == "0000-0002-1825-0097"
    (proposal,) = ask(client, "Documents", {"where": {"pid": "hg-1"}, "include": [members, "datasets"]})
    assert [one["person"]["fullName"] for one in proposal["members"]] == ["Curie, Marie"]
    assert sorted(one["title"] for one in proposal["datasets"]) == ["Scan embargoed", "Scan open"]
    assert "123" not in json.dumps(proposal)
    files = client.get(
        f"{API}/Datasets/open/files", params={"filter": '{"where": {"name": {"like": "100\\\\%"}}}'}
    )
    assert [one["name"] for one in files.json()] == ["notes_100%.txt"]
    assert client.get(f"{API}/Datasets/open/files/count").json()["count"] == len(found["files"])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"panetId": "http://purl.org/pan-science/PaNET/PaNET01207"}, 2),  # x-ray tomography comprises it
        ({"pid": "PaNET01207"}, 2),
        ({"name": "x-ray tomography"}, 2),
        ({"name": "X-Ray Tomography"}, 2),
        ({"name": {"inq": ["ptychography", "tomography"]}}, 2),
        ({"panetId": {"neq": "http://purl.org/pan-science/PaNET/PaNET01207"}}, 0),
        ({"panetId": "http://purl.org/pan-science/PaNET/PaNET01153"}, 0),  # ultrafast
    ],
)
def test_a_technique_comprises_the_narrower_ones(client: TestClient, where: Any, expected: int) -> None:
    found = ask(client, "Datasets", {"include": [scoped("techniques", where)]}, provider="own")
    assert len(found) == expected


@pytest.mark.parametrize("reader", [ANYBODY, ADA, LOCAL_OWNER], ids=["nobody", "owner", "administrator"])
def test_who_sees_what(client: TestClient, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue: Catalogue = client.app.state.catalogue  # type: ignore[attr-defined]
    asked = client_of(catalogue, reader)
    assert sorted(one["pid"] for one in ask(asked, "Datasets", provider="own")) == ["embargoed", "open"]
    public = {one["pid"]: one["isPublic"] for one in ask(asked, "Datasets", provider="own")}
    assert public == {"embargoed": False, "open": True}
    assert [one["pid"] for one in ask(asked, "Datasets", {"where": {"isPublic": False}})] == ["embargoed"]
    for id in ("draft", "withdrawn", "nothing"):
        for path in (
            f"Datasets/{id}",
            f"Documents/{id}",
            f"Datasets/{id}/files",
            f"Datasets/{id}/files/count",
        ):
            assert asked.get(f"{API}/{path}").status_code == 404, path
    later = time.time() + 400 * 86400
    monkeypatch.setattr("tomarium.catalogue.reader.time.time", lambda: later)
    assert ask(asked, "Datasets", {"where": {"isPublic": False}}) == []


def test_a_copy_for_others_has_open_records_alone(client: TestClient) -> None:
    catalogue: Catalogue = client.app.state.catalogue  # type: ignore[attr-defined]
    found = ask(client_of(catalogue, OPEN_ONLY), "Datasets")
    assert [one["pid"] for one in found] == ["open"]


def test_pages_orders_and_fields(client: TestClient) -> None:
    pids = [one["pid"] for one in ask(client, "Instruments", {"order": "name DESC", "limit": 3})]
    more = [one["pid"] for one in ask(client, "Instruments", {"order": ["name DESC"], "limit": 3, "skip": 2})]
    assert pids[2] == more[0]
    told = ask(client, "Instruments", {"order": "facility ASC", "fields": {"name": True}})
    assert all(set(one) == {"name"} for one in told)
    assert {"name": "BM05"} in told
    without = ask(client, "Instruments", {"fields": {"facility": False}, "limit": 1})
    assert "facility" not in without[0]
    assert len(ask(client, "Instruments", {"limit": 10**6})) == 16 < LARGEST
    in_brackets = client.get(
        f"{API}/Datasets?filter[where][title][like]=Scan&filter[limit]=1&filter[order]=title"
    )
    assert [one["title"] for one in in_brackets.json()] == ["Scan embargoed"]
    counted = client.get(f"{API}/Datasets/count?where[title][ilike]=SCAN")
    assert counted.json() == {"count": 2}
    either = "filter[where][or][0][title]=Scan open&filter[where][or][1][title]=Scan embargoed"
    brackets = f"{either}&filter[include][]=files"
    assert len(client.get(f"{API}/Datasets?{brackets}").json()) == 2


def test_a_query_scores_from_0_to_1(client: TestClient) -> None:
    for told in (
        ask(client, "Datasets", query="scan tooth"),
        ask(client, "Datasets", {"query": "scan tooth"}),
    ):
        assert [one["pid"] for one in told[:2]] == ["open", "embargoed"] or told[0]["score"] >= told[1][
            "score"
        ]
        assert {one["provider"] for one in told} == {"tomarium"}
        assert all(0.5 <= one["score"] <= 1 for one in told)
    documents = ask(client, "Documents", query="publication test unknownword")
    assert [(one["title"], one["score"]) for one in documents[:1]] == [
        ("PaNOSC Test Publication", pytest.approx(2 / 3, abs=1e-6))
    ]
    assert [one["score"] for one in documents] == sorted((one["score"] for one in documents), reverse=True)
    assert ask(client, "Instruments", query="nothingofthis") == []


def test_the_page_of_what_was_harvested_leads_to_its_source(client: TestClient) -> None:
    (hit,) = client.get("/records.json?q=photon energy 0.93").json()["hits"]
    told = client.get(f"/harvested/{hit['id']}.json").json()
    assert told["address"] == f"https://hdl.handle.net/{PREFIX}dataset2"
    assert (told["description"], hit["snippet"]) == ("Sample solid copper cylinder", "Photon energy 0.93 keV")
    assert client.get("/records.json?technique=small-angle neutron scattering").json()["total"] == 2


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        ("{", "JSON"),
        ("[1]", "object"),
        ("[" * 20_000, "JSON"),
        ('{"where": {"title": {"foo": 1}}}', "operator"),
        ('{"where": {"title": {"between": [1]}}}', "between"),
        ('{"where": {"title": {"inq": "x"}}}', "inq"),
        ('{"where": {"and": {"title": 1}}}', "and"),
        ('{"where": [1]}', "where"),
        ('{"where": {"creationDate": "soon"}}', "date"),
        ('{"where": {"size": "much"}}', "number"),
        ('{"where": {"isPublic": "perhaps"}}', "true or false"),
        ('{"where": {"title": {"regexp": "(a+)+$"}}}', "regular expression"),
        ('{"include": "nothing"}', "relation"),
        ('{"include": [{"scope": {}}]}', "relation"),
        ('{"limit": -1}', "limit"),
        ('{"skip": "x"}', "skip"),
        ('{"order": "title SIDEWAYS"}', "order"),
        (json.dumps({"where": {"or": [{"title": "x"}] * 500}}), "too much"),
        ('{"where": ' + '{"and": [' * 20 + "{}" + "]}" * 20 + "}", "too much"),
    ],
)
def test_what_is_no_filter_is_refused_in_loopback_s_form(client: TestClient, wanted: str, word: str) -> None:
    answer = client.get(f"{API}/Datasets", params={"filter": wanted})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    error = answer.json()["error"]
    assert (error["statusCode"], error["name"]) == (400, "Error")
    assert word in error["message"]


def test_unknown_names(client: TestClient) -> None:
    """A property that there is not is null, as in the reference; an unknown identifier has its code."""
    assert ask(client, "Datasets", {"where": {"nothing": "x"}}) == []
    assert ask(client, "Datasets", {"where": {"nothing": {"gt": 1}}}) == []
    assert len(ask(client, "Datasets", {"where": {"nothing": {"neq": "x"}}})) == 6
    assert ask(client, "Datasets", {"include": [scoped("samples", {"nothing": 1})]}) == []
    answer = client.get(f"{API}/Datasets/{quote('a/b', safe='')}")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "statusCode": 404,
        "name": "Error",
        "message": 'Unknown "Dataset" id "a/b".',
        "code": "MODEL_NOT_FOUND",
    }
    assert client.get(f"{API}/Datasets?provider=nobody").status_code == 400


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("^Scan", 2), ("open$", 1), ("S.an .*en", 1), ("/^scan/i", 2), ("can", 2), ("^can", 0), ("open\\.", 0)],
)
def test_a_simple_regular_expression_is_a_pattern(client: TestClient, pattern: str, found: int) -> None:
    assert len(ask(client, "Datasets", {"where": {"title": {"regexp": pattern}}}, provider="own")) == found


def test_the_guide_is_true(client: TestClient) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "panosc-search.md").read_text("utf-8")
    filters = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    wanted = [json.loads(text) for text in filters]
    assert [len(ask(client, "Datasets", one, provider="own")) for one in wanted[:2]] == [2, 2]
    names = [one["members"][0]["person"]["fullName"] for one in ask(client, "Documents", wanted[2])]
    assert sorted(names) == ["Curie, Marie", "Lovelace, Ada", "Lovelace, Ada"]
    addresses = re.findall(r'curl .*?"https://data.example.org(\S+)"', guide)
    for address in [*addresses, "/panosc/api/Datasets?" + urlencode({"filter": wanted_by_curl(guide)})]:
        assert client.get(address).status_code == 200, address
    for told in (f"{USUAL} are told", f"{LARGEST} at most", f"{LIMITS.silent_s:.0f} s", f"{PAGE} at a time"):
        assert told in guide.replace("\n", " "), told


def wanted_by_curl(guide: str) -> str:
    (text,) = re.findall(r"'filter=(.*?)'", guide)
    return str(text)


@pytest.mark.parametrize(
    ("name", "condition", "unit"),
    [
        ("photon_energy", {"between": [880, 990]}, "eV"),
        ("photon_energy", {"inq": [930, 20000]}, "eV"),
        ("photon_energy", {"neq": 930}, "eV"),
        ("photon_energy", {"gt": 1}, "nm"),
        ("temperature", {"lt": 80}, "celsius"),
        ("temperature", {"between": [298.15, 298.15]}, "K"),
        ("wavelength", {"gte": 1e-6}, "m"),
    ],
)
def test_the_index_of_numbers_loses_no_dataset(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, name: str, condition: dict[str, Any], unit: str
) -> None:
    """What is found by it is what is found by reading all that is told, of ours and of harvested ones."""
    wanted = {"include": [measured(name, condition, unit)]}
    found = ask(client, "Datasets", wanted)
    assert found or unit == "nm"
    monkeypatch.setattr("tomarium.catalogue.panosc_ranges.RARE", -1)
    assert found == ask(client, "Datasets", wanted)


def test_a_dataset_that_tells_a_parameter_twice_is_found_by_both(tmp_path: Path) -> None:
    twice = [{"name": "photon_energy", "value": value, "unit": "keV"} for value in (7.1, 9.3)]
    file = tmp_path / "told.json"
    file.write_text(json.dumps({"Datasets": [{"pid": "a", "title": "A", "parameters": twice}]}))
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        harvest_file(opened, file)
        client = client_of(opened, ANYBODY)
        for value, count in ((7.1, 1), (9.3, 1), (8.0, 0)):
            wanted = measured("photon_energy", {"between": [value, value]}, "keV")
            assert len(ask(client, "Datasets", {"include": [wanted]})) == count, value
