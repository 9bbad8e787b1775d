"""An entity in the terms of DataCite 4.7: a specimen as a PhysicalObject, which is what an IGSN ID is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tomarium.model.entity import KINDS, Entity, public_facts
from tomarium.model.level import for_level
from tomarium.model.person import read_person
from tomarium.standards.datacite_attributes import SCHEMA, UNKNOWN, creator
from tomarium.standards.identifiers import classify

_PART: Final = ("section", "aliquot", "fib-lift-out")
"""How a specimen was made → it is a part of its parent; else it is derived from it, or the same."""


def relation_of(how: str) -> str:
    """Return DataCite's relationType of a specimen to what it was made from."""
    return "IsPartOf" if how in _PART else "IsIdenticalTo" if how == "same-as" else "IsDerivedFrom"


def entity_attributes(
    entity: Entity, address: str, publisher: str, related: Mapping[str, str]
) -> dict[str, Any]:
    """Tell an entity as the attributes of its DOI.

    Parameters
    ----------
    entity : Entity
        One that was published.
    address : str
        Address of its page.
    publisher : str
        Name of the organisation that keeps it.
    related : Mapping of str to str
        DOI, IGSN or address of another thing → relationType to it.

    Returns
    -------
    dict
        JSON values, without private facts.
    """
    facts = public_facts(entity)
    people = [read_person(text) for key in ("team", "curators", "authors") for text in facts.get(key, [])]
    owner = str(facts.get("institution") or facts.get("facility") or "")
    creators = [creator(person) for person in people] or [
        {"name": owner, "nameType": "Organizational"} if owner else {"name": UNKNOWN}
    ]
    labels = {fact.key: fact.label for fact in KINDS[entity.kind].facts}
    technical = [
        f"{labels[key]}: {fact if isinstance(fact, str) else ', '.join(fact)}"
        for key, fact in facts.items()
        if key != "description"
    ]
    descriptions = {
        "Abstract": for_level(str(facts.get("description", "")), None),
        "TechnicalInfo": "\n".join(technical),
    }
    words = [facts.get("taxon"), *facts.get("taxon_synonyms", []), facts.get("material")]
    published = entity.published
    content = {
        "doi": entity.doi,
        "url": address,
        "creators": creators,
        "titles": [{"title": entity.name}],
        "publisher": {"name": publisher or UNKNOWN},
        "publicationYear": f"{published.year:04}" if published else "",
        "types": {
            "resourceTypeGeneral": KINDS[entity.kind].general,
            "resourceType": entity.kind.capitalize(),
        },
        "subjects": [{"subject": word} for word in dict.fromkeys(words) if word],
        "dates": [{"date": str(facts["collected"]), "dateType": "Collected"}] if "collected" in facts else [],
        "alternateIdentifiers": [
            {"alternateIdentifier": entity.id, "alternateIdentifierType": "tomarium entity"}
        ],
        "relatedIdentifiers": [
            {"relatedIdentifier": classify(other)[0], "relatedIdentifierType": kind, "relationType": relation}
            for other, relation in related.items()
            if (kind := classify(other)[1])
        ],
        "descriptions": [
            {"description": text, "descriptionType": kind} for kind, text in descriptions.items() if text
        ],
        "schemaVersion": SCHEMA,
    }
    return {key: value for key, value in content.items() if value}
