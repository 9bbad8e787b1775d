"""DCAT 3 by the application profile for data portals in Europe, DCAT-AP 3, as JSON-LD.

Sources: https://www.w3.org/TR/vocab-dcat-3/ and https://semiceu.github.io/DCAT-AP/releases/3.0.0/; access rights and
themes are those of the authority tables of the Publications Office of the European Union, file types those of IANA.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tomarium.model import Person, Record
from tomarium.standards import panet, record_json, schema_org
from tomarium.standards.citation import doi_of, link_of
from tomarium.standards.identifiers import doi_address, place_of
from tomarium.standards.licences import address_of
from tomarium.standards.standard import Standard

_AUTHORITY: Final = "http://publications.europa.eu/resource/authority"
THEMES: Final = (f"{_AUTHORITY}/data-theme/TECH",)
"""Of every record: science and technology."""
_IANA: Final = "https://www.iana.org/assignments/media-types"
CONTEXT: Final[Mapping[str, Any]] = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "hydra": "http://www.w3.org/ns/hydra/core#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_TERMS: Final = {
    "IsCitedBy": "dct:isReferencedBy",
    "IsDescribedBy": "dct:isReferencedBy",
    "IsSupplementTo": "dct:isReferencedBy",
    "IsDerivedFrom": "dct:source",
    "IsPartOf": "dct:isPartOf",
    "HasPart": "dct:hasPart",
    "IsVersionOf": "dcat:isVersionOf",
    "References": "dct:references",
    "Cites": "dct:references",
}
"""Relation of DataCite → property."""

Entity = dict[str, Any]


def export(record: Record, address: str = "") -> str:
    """Write a record as a dcat:Dataset.

    Parameters
    ----------
    record : Record
        Any record. While its files are not open, no distribution is told.
    address : str, optional
        Address of its page; without it no distribution is told.

    Returns
    -------
    str
        JSON-LD.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold.
    """
    return record_json.to_json({"@context": CONTEXT, **dataset(record, address)}, indent=1) + "\n"


def dataset(record: Record, address: str = "") -> Entity:
    """Describe a record as a dcat:Dataset, without a context; arguments as of `export`.

    Returns
    -------
    dict
        A node of JSON-LD.
    """
    schema_org_data = json.loads(schema_org.export(record, address))
    publication, doi = record.publication, doi_of(record)
    content: Entity = {
        "@id": link_of(record, address) or f"urn:tomarium:{record.id}",
        "@type": "dcat:Dataset",
        "dct:title": schema_org_data["name"],
        "dct:description": schema_org_data["description"],
        "dct:identifier": doi_address(doi) if doi else record.id,
        "adms:identifier": _notation(doi_address(doi)) if doi else {},
        "dct:creator": [_person(creator) for creator in record.creators if creator.name.strip()],
        "dct:publisher": _agent(publication.publisher) if publication else {},
        "dcat:keyword": schema_org_data.get("keywords", []),
        "dcat:theme": _nodes(
            [
                *THEMES,
                *(panet.address_of(technique) for technique in record.techniques if _is_term(technique)),
            ]
        ),
        "dct:created": _typed(record.created.isoformat(), "dateTime"),
        "dct:issued": _typed(schema_org_data["datePublished"], "date") if publication else {},
        "dct:available": _typed(publication.open_from.isoformat(), "dateTime") if publication else {},
        "dct:accessRights": _node(f"{_AUTHORITY}/access-right/{_access(record, schema_org_data)}"),
        "dct:license": _node(address_of(record.licence))
        if address_of(record.licence).startswith("http")
        else {},
        "dcat:version": schema_org_data.get("version", ""),
        "dcat:landingPage": {"@id": address, "@type": "foaf:Document"} if address else {},
        "dct:temporal": _period(record),
        "dcat:distribution": [
            _distribution(file, schema_org_data, address) for file in schema_org_data.get("distribution", [])
        ],
        **_relations(record, address),
    }
    return {key: value for key, value in content.items() if value}


def catalogue(
    name: str, description: str, address: str, publisher: str, datasets: Sequence[Entity], view: Entity
) -> str:
    """Write a page of a dcat:Catalog.

    Parameters
    ----------
    name, description, publisher : str
        Of the catalogue.
    address : str
        Of its first page for people.
    datasets : sequence of dict
        As `dataset` returns them.
    view : dict
        Properties of Hydra that lead to the other pages; its "@id" is this one.

    Returns
    -------
    str
        JSON-LD.
    """
    content: Entity = {
        "@context": CONTEXT,
        "@id": address,
        "@type": "dcat:Catalog",
        "dct:title": name,
        "dct:description": description,
        "dct:publisher": _agent(publisher),
        "foaf:homepage": {"@id": address, "@type": "foaf:Document"},
        "dcat:themeTaxonomy": _node(f"{_AUTHORITY}/data-theme"),
        "dcat:dataset": list(datasets),
        "hydra:view": {"@type": "hydra:PartialCollectionView", **view},
    }
    return record_json.to_json(content, indent=1) + "\n"


def _node(address: str) -> Entity:
    return {"@id": address}


def _nodes(addresses: Sequence[str]) -> list[Entity]:
    return [_node(address) for address in addresses]


def _typed(text: str, kind: str) -> Entity:
    return {"@value": text, "@type": f"xsd:{kind}"}


def _notation(text: str) -> Entity:
    return {"@type": "adms:Identifier", "skos:notation": _typed(text, "anyURI")}


def _agent(name: str) -> Entity:
    return {"@type": "foaf:Agent", "foaf:name": name.strip()} if name.strip() else {}


def _person(person: Person) -> Entity:
    agent: Entity = {"@type": "foaf:Agent", "foaf:name": person.name.strip()}
    return {"@id": f"https://orcid.org/{person.orcid}", **agent} if person.orcid else agent


def _is_term(technique: str) -> bool:
    return technique.startswith("PaNET") and technique[5:].isdecimal() and technique.isascii()


def _access(record: Record, schema_org_data: Entity) -> str:
    if schema_org_data.get("isAccessibleForFree"):
        return "PUBLIC"
    publication = record.publication
    return "NON_PUBLIC" if publication is None or publication.withdrawn else "RESTRICTED"


def _period(record: Record) -> Entity:
    """Tell from when to when it was measured, where its parameters tell that as moments."""
    moments = {key: record.parameters.get(key) for key in ("start_time", "end_time")}
    ends = {
        "dcat:startDate": schema_org.moment(moments["start_time"]),
        "dcat:endDate": schema_org.moment(moments["end_time"]),
    }
    dates = {key: _typed(text, "dateTime") for key, text in ends.items() if text}
    return {"@type": "dct:PeriodOfTime", **dates} if dates else {}


def _distribution(file: Entity, schema_org_data: Entity, address: str) -> Entity:
    size = str(file.get("contentSize", "")).removesuffix(" B")
    content: Entity = {
        "@type": "dcat:Distribution",
        "dct:title": file["name"],
        "dcat:accessURL": _node(address),
        "dcat:downloadURL": _node(file["contentUrl"]),
        "dcat:mediaType": _node(f"{_IANA}/{file['encodingFormat'].split(';')[0]}"),
        "dcat:byteSize": _typed(size, "nonNegativeInteger") if size else {},
        "dct:license": _node(schema_org_data["license"])
        if schema_org_data.get("license", "").startswith("http")
        else {},
    }
    if "sha256" in file:
        content["spdx:checksum"] = {
            "@type": "spdx:Checksum",
            "spdx:algorithm": _node("http://spdx.org/rdf/terms#checksumAlgorithm_sha256"),
            "spdx:checksumValue": _typed(file["sha256"], "hexBinary"),
        }
    return {key: value for key, value in content.items() if value}


def _relations(record: Record, address: str) -> Entity:
    relations: dict[str, list[Entity]] = {}
    for related in record.related:
        if (term := _TERMS.get(related.relation)) and (place := place_of(related.identifier, address)):
            relations.setdefault(term, []).append(_node(place))
    return dict(relations)


DCAT = Standard(
    name="dcat",
    title="DCAT-AP 3 (JSON-LD)",
    filename="dcat.jsonld",
    media_type="application/ld+json",
    export=export,
)
