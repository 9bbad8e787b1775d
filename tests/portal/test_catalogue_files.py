"""DCAT: read by rdflib, judged by shapes of what DCAT-AP 3 demands; and what each reader is told of the catalogue."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rdflib import DCAT, DCTERMS, RDF, Graph, Namespace, URIRef

from app_client import TestClient
from standards.examples import ADDRESS, DRAFT, FULL, OPEN, WITHDRAWN
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.model import Person, Record
from tomarium.portal import catalogue_files
from tomarium.portal.app import create_app
from tomarium.standards.dcat import export

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib in itself
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
COUNT = 4
# Mandatory properties, ranges and vocabularies of DCAT-AP 3.0.0, in words of SHACL.
SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix spdx: <http://spdx.org/rdf/terms#> .
@prefix adms: <http://www.w3.org/ns/adms#> .
[] a sh:NodeShape ; sh:targetClass dcat:Catalog ;
  sh:property [ sh:path dct:title ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:description ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ] ,
    [ sh:path dcat:dataset ; sh:minCount 1 ; sh:class dcat:Dataset ] .
[] a sh:NodeShape ; sh:targetClass dcat:Dataset ; sh:nodeKind sh:IRI ;
  sh:property [ sh:path dct:title ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:description ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:identifier ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dct:publisher ; sh:maxCount 1 ; sh:class foaf:Agent ] ,
    [ sh:path dct:creator ; sh:class foaf:Agent ] ,
    [ sh:path dcat:theme ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcat:keyword ; sh:nodeKind sh:Literal ] ,
    [ sh:path dcat:landingPage ; sh:class foaf:Document ] ,
    [ sh:path dct:issued ; sh:maxCount 1 ; sh:datatype xsd:date ] ,
    [ sh:path dct:temporal ; sh:class dct:PeriodOfTime ] ,
    [ sh:path adms:identifier ; sh:class adms:Identifier ] ,
    [ sh:path dcat:distribution ; sh:class dcat:Distribution ] ,
    [ sh:path dct:accessRights ; sh:minCount 1 ; sh:maxCount 1 ; sh:in (
      <http://publications.europa.eu/resource/authority/access-right/PUBLIC>
      <http://publications.europa.eu/resource/authority/access-right/RESTRICTED>
      <http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC> ) ] .
[] a sh:NodeShape ; sh:targetClass dcat:Distribution ;
  sh:property [ sh:path dcat:accessURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcat:downloadURL ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcat:byteSize ; sh:maxCount 1 ; sh:datatype xsd:nonNegativeInteger ] ,
    [ sh:path dcat:mediaType ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dct:license ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path spdx:checksum ; sh:maxCount 1 ; sh:class spdx:Checksum ] .
[] a sh:NodeShape ; sh:targetClass foaf:Agent ;
  sh:property [ sh:path foaf:name ; sh:minCount 1 ; sh:nodeKind sh:Literal ] .
[] a sh:NodeShape ; sh:targetClass spdx:Checksum ;
  sh:property [ sh:path spdx:checksumValue ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:hexBinary ] ,
    [ sh:path spdx:algorithm ; sh:minCount 1 ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] .
"""


@pytest.fixture(scope="module")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("dcat")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        for number in range(COUNT):
            id = f"tooth-{number}"
            make_volume(home / id / "volume.ome.zarr", size=16)
            file_record(home / id, title=f"Tooth {number}", id=id)
            ingest(opened, home / id)
            edit(opened, LOCAL_OWNER, id, Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),)))
            if number:
                publish(opened, LOCAL_OWNER, id, Request(embargo="2 years" if number == 1 else "0"))
        yield opened


def graph_of(text: str) -> Graph:
    from pyshacl import validate

    graph = Graph().parse(data=text, format="json-ld")
    sound, _, told = validate(graph, shacl_graph=Graph().parse(data=SHAPES, format="turtle"))
    assert sound, told
    return graph


@pytest.mark.parametrize("record", [FULL, OPEN, DRAFT, WITHDRAWN], ids=["full", "open", "draft", "withdrawn"])
def test_every_record_meets_the_shapes(record: Record) -> None:
    graph = graph_of(export(record, ADDRESS))
    (dataset,) = graph.subjects(RDF.type, DCAT.Dataset)
    assert str(graph.value(dataset, DCTERMS.title)) == (record.title.strip() or record.id)


def test_the_shapes_find_faults() -> None:
    broken = json.loads(export(OPEN, ADDRESS))
    del broken["dct:title"]
    with pytest.raises(AssertionError, match="title"):
        graph_of(json.dumps(broken))


def test_what_is_told_of_an_open_record() -> None:
    graph = graph_of(export(OPEN, ADDRESS))
    (dataset,) = graph.subjects(RDF.type, DCAT.Dataset)
    assert dataset == URIRef("https://doi.org/10.5072/tooth_1.v2")
    assert str(graph.value(dataset, DCTERMS.license)) == "https://creativecommons.org/licenses/by/4.0/"
    assert str(graph.value(dataset, DCTERMS.accessRights)).endswith("/PUBLIC")
    assert URIRef("https://orcid.org/0000-0002-1825-0097") in set(graph.objects(dataset, DCTERMS.creator))
    taken = {str(one) for one in graph.objects(None, DCAT.downloadURL)}
    assert f"{ADDRESS}/download.zip" in taken
    assert f"{ADDRESS}/files/manifest-sha256.txt" in taken
    period = graph.value(dataset, DCTERMS.temporal)
    assert str(graph.value(period, DCAT.startDate)) == "2025-11-19T08:00:00+01:00"
    assert not list(graph_of(export(WITHDRAWN, ADDRESS)).objects(None, DCAT.downloadURL))


def client_of(catalogue: Catalogue, reader: Reader) -> TestClient:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: reader
    return TestClient(app)


def test_the_catalogue_comes_in_pages(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_files, "PER_PAGE", 2)
    for reader in (ANYBODY, LOCAL_OWNER):
        found, page = [], "/catalogue.dcat.json"
        with client_of(catalogue, reader) as client:
            while page:
                answer = client.get(page)
                assert answer.headers["content-type"] == "application/ld+json"
                graph = graph_of(answer.text)
                (home,) = graph.subjects(RDF.type, DCAT.Catalog)
                found += [str(one) for one in graph.objects(home, DCAT.dataset)]
                page = str(graph.value(None, HYDRA.next) or next(iter(graph.objects(None, HYDRA.next)), ""))
        expected = [f"http://testserver/records/tooth-{number}" for number in range(1, COUNT)]
        assert sorted(found) == expected  # no draft, not even for its owner
        assert len(found) == COUNT - 1


def test_what_is_under_embargo_tells_no_files(catalogue: Catalogue) -> None:
    with client_of(catalogue, LOCAL_OWNER) as client:
        told: dict[str, Any] = client.get("/catalogue.dcat.json").json()
    closed = next(one for one in told["dcat:dataset"] if one["@id"].endswith("/tooth-1"))
    assert closed["dct:accessRights"]["@id"].endswith("/RESTRICTED")
    assert "dcat:distribution" not in closed
    assert "/files/" not in json.dumps(closed)


def test_the_catalogue_is_described_as_a_table(catalogue: Catalogue) -> None:
    with client_of(catalogue, ANYBODY) as client:
        told = client.get("/catalogue.croissant.json").json()
        table = client.get(told["distribution"][0]["contentUrl"])
    assert hashlib.sha256(table.content).hexdigest() == told["distribution"][0]["sha256"]
    fields = {one["name"]: one for one in told["recordSet"][0]["field"]}
    assert fields["energy_kev"]["description"].endswith(", keV.")
    assert fields["techniques"]["repeated"] is True
