"""A record in the terms of the DataCite Metadata Schema 4.7, which its JSON and its XML both tell.

Where a term is mandatory and nothing is known, DataCite's own codes stand (appendix 3 of the schema): ":tba", to be
assigned or announced later, in drafts, and ":unav", value unavailable, elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from tomarium.model import Funding, Person, Record, parameter
from tomarium.model.entity import KINDS, entity_line
from tomarium.model.wording import in_words
from tomarium.standards import panet
from tomarium.standards.citation import NO_LICENCE, acknowledgement_of, day_of, doi_of
from tomarium.standards.identifiers import classify, read_award
from tomarium.standards.licences import LICENCES, address_of
from tomarium.standards.names import name_of

SCHEMA: Final = "http://datacite.org/schema/kernel-4"
TO_COME: Final = ":tba"
UNKNOWN: Final = ":unav"

_TYPES: Final = {
    "volume": ("Dataset", "Tomographic volume"),
    "projections": ("Dataset", "Tomographic projections"),
    "table": ("Dataset", "Table"),
    "image": ("Image", "Image"),
    "picture": ("Image", "Picture"),
    "mesh": ("Model", "Surface mesh"),
    "document": ("Text", "Document"),
}
"""Kind of a record's main part → resourceTypeGeneral, and the type in free words."""


def attributes(record: Record, address: str = "") -> dict[str, Any]:
    """Tell a record as the attributes of a DOI, as DataCite's REST API takes them.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page: where its DOI leads to, and what other records of the catalogue are found by.

    Returns
    -------
    dict
        JSON values; what is not known is left out, what is mandatory never.
    """
    publication = record.publication
    terms = {
        "doi": doi_of(record),
        "url": address,
        "creators": [creator(person) for person in record.creators if one_line(person.name)]
        or [{"name": UNKNOWN}],
        "titles": [{"title": one_line(record.title) or UNKNOWN}],
        "publisher": {"name": one_line(publication.publisher) or UNKNOWN if publication else TO_COME},
        "publicationYear": f"{day_of(record).year:04}",
        "types": dict(zip(("resourceTypeGeneral", "resourceType"), _types(record), strict=True)),
        "subjects": _subjects(record),
        "dates": _dates(record),
        "alternateIdentifiers": _alternates(record, address),
        "relatedIdentifiers": _related(record, address),
        "sizes": _sizes(record),
        "formats": sorted({entry.media_type for entry in record.files if entry.media_type}),
        "version": str(publication.version) if publication else "",
        "rightsList": [_rights(record.licence)],
        "descriptions": _descriptions(record),
        "fundingReferences": [_funding(funding) for funding in record.funding if one_line(funding.funder)],
        "schemaVersion": SCHEMA,
    }
    return {
        key: _without_repeats(content) if isinstance(content, list) else content
        for key, content in terms.items()
        if content
    }


def one_line(text: str) -> str:
    """Put a text on one line."""
    return " ".join(text.split())


def _types(record: Record) -> tuple[str, str]:
    """Return the resourceTypeGeneral of a record, by its main part, and the type in free words.

    What was measured or computed is a Dataset, also an image of more than two axes, as a map with a spectrum in each
    pixel; a flat image or a picture is an Image, a surface a Model, a document a Text.
    """
    kinds = [part.kind for part in record.parts]
    main = next((kind for kind in ("volume", "projections") if kind in kinds), kinds[0] if kinds else "")
    if main == "image" and sum(int(axis.get("length", 1)) > 1 for axis in record.parts[0].axes) > 2:
        return "Dataset", "Image of several axes"
    return _TYPES.get(main, ("Dataset", "Dataset"))


def creator(person: Person) -> dict[str, Any]:
    """Tell a person as DataCite does."""
    name = name_of(person)
    creator: dict[str, Any] = {
        "name": name.ordered,
        "nameType": "Organizational" if name.organisation else "Personal",
    }
    if name.given:
        family = f"{name.family} {name.suffix}" if name.suffix else name.family
        creator |= {"givenName": name.given, "familyName": family}
    if person.orcid:
        creator["nameIdentifiers"] = [
            _identifier_terms("nameIdentifier", f"https://orcid.org/{person.orcid}", "ORCID")
        ]
    ror = f"https://ror.org/{person.ror}" if person.ror else ""
    if affiliation := one_line(person.affiliation) or ror:
        identifier = _identifier_terms("affiliationIdentifier", ror, "ROR") if ror else {}
        creator["affiliation"] = [{"name": affiliation, **identifier}]
    return creator


def _identifier_terms(term: str, identifier: str, scheme: str) -> dict[str, str]:
    home = {"ORCID": "https://orcid.org", "ROR": "https://ror.org"}[scheme]
    return {term: identifier, f"{term}Scheme": scheme, "schemeUri": home}


def _subjects(record: Record) -> list[dict[str, str]]:
    words = [{"subject": one_line(word)} for word in record.keywords if one_line(word)]
    terms = [
        {
            "subject": panet.label_of(text),
            "subjectScheme": "PaNET",
            "schemeUri": panet.ADDRESS,
            "valueUri": panet.address_of(text),
        }
        for text in map(one_line, record.techniques)
        if text
    ]
    return words + terms


def _dates(record: Record) -> list[dict[str, str]]:
    dates = [{"date": record.created.date().isoformat(), "dateType": "Created"}]
    with suppress(KeyError, TypeError, ValueError):
        began = datetime.fromisoformat(record.parameters["start_time"].value).date().isoformat()
        dates.append({"date": began, "dateType": "Collected"})
        end = datetime.fromisoformat(record.parameters["end_time"].value).date().isoformat()
        if end > began:
            dates[-1]["date"] = f"{began}/{end}"
    if publication := record.publication:
        dates.append({"date": publication.published.date().isoformat(), "dateType": "Issued"})
        if publication.open_from > publication.published:
            dates.append({"date": publication.open_from.date().isoformat(), "dateType": "Available"})
        if publication.withdrawn:
            withdrawn = {"date": publication.withdrawn.date().isoformat(), "dateType": "Withdrawn"}
            reason = one_line(publication.reason)
            dates.append(withdrawn | ({"dateInformation": reason} if reason else {}))
    return dates


def _alternates(record: Record, address: str) -> list[dict[str, str]]:
    alternates = [{"alternateIdentifier": record.id, "alternateIdentifierType": "tomarium record"}]
    if address:
        alternates.append({"alternateIdentifier": address, "alternateIdentifierType": "URL"})
    return alternates


def _related(record: Record, address: str) -> list[dict[str, str]]:
    relations = [_relation(related.relation, related.identifier, address) for related in record.related]
    if record.publication and record.publication.concept_doi:
        relations.append(_relation("IsVersionOf", record.publication.concept_doi, ""))
    for kind, relation in (
        ("specimen", "IsDerivedFrom"),
        ("proposal", "IsPartOf"),
        ("instrument", "IsCollectedBy"),
    ):
        entity = record.entity(kind)
        if entity and entity.doi and (relation_told := _relation(relation, entity.doi, "")):
            relations.append({**relation_told, "resourceTypeGeneral": KINDS[kind].general})
    if not record.entity("specimen") and (specimen := _relation("IsDerivedFrom", record.specimen, "")):
        relations.append({**specimen, "resourceTypeGeneral": "PhysicalObject"})
    return [relation for relation in relations if relation]


def _relation(relation: str, identifier: str, address: str) -> dict[str, str]:
    """Tell a relation; {} where the identifier is none that the schema has a type for."""
    text, kind = classify(identifier, address)
    if not kind:
        return {}
    return {"relatedIdentifier": text, "relatedIdentifierType": kind, "relationType": relation}


def _sizes(record: Record) -> list[str]:
    sizes = []
    if record.files:
        sizes.append(f"{sum(entry.bytes for entry in record.files)} bytes")
    for part in record.parts:
        shape = part.summary.get("shape")
        if part.kind == "volume" and isinstance(shape, list | tuple) and shape:
            sizes.append(f"{' × '.join(in_words(length) for length in shape)} voxels (z × y × x)")
    return sizes


def _rights(licence: str) -> dict[str, str]:
    licence = one_line(licence)
    if licence_known := LICENCES.get(licence):
        scheme = {"rightsIdentifierScheme": "SPDX", "schemeUri": "https://spdx.org/licenses/"}
        return {
            "rights": licence_known.name,
            "rightsUri": licence_known.address,
            "rightsIdentifier": licence,
            **scheme,
        }
    address = address_of(licence)
    return {"rights": licence or NO_LICENCE, **({"rightsUri": address} if address else {})}


def _descriptions(record: Record) -> list[dict[str, str]]:
    acknowledgement = acknowledgement_of(record)
    texts = {
        "Abstract": record.description,
        "Methods": "\n".join(_steps(record)),
        "TechnicalInfo": "\n".join(_technical(record)),
        "Other": acknowledgement and f"Acknowledgement: {acknowledgement}",
    }
    lines = {kind: text.replace("\r\n", "\n").replace("\r", "\n").strip() for kind, text in texts.items()}
    return [{"description": text, "descriptionType": kind} for kind, text in lines.items() if text]


def _steps(record: Record) -> Iterable[str]:
    """Word the steps of the protocol, as the run froze it."""
    protocol = record.provenance.get("frozen")
    steps = protocol.get("steps") if isinstance(protocol, Mapping) else None
    for number, step in enumerate(steps if isinstance(steps, list | tuple) else (), 1):
        name, values = next(iter(step.items())) if isinstance(step, Mapping) and step else (step, None)
        yield f"{number}. {in_words(name)}{f' ({in_words(values)})' if values else ''}"


def _technical(record: Record) -> Iterable[str]:
    for entity in record.entities:
        own = entity == record.entity(entity.kind)
        label = entity.kind.capitalize() if own else "Made from the specimen"
        yield f"{label}: {one_line(entity_line(entity))}"
    if record.entity("specimen"):
        pass
    elif record.specimen.strip() and not _relation("IsDerivedFrom", record.specimen, ""):
        yield f"Specimen: {one_line(record.specimen)}"
    for key, value in record.parameters.items():
        yield f"{parameter.label(key)}: {parameter.show(key, value.value)}"


def _funding(funding: Funding) -> dict[str, str]:
    """Tell an award by its number, or by its title, which has several words; an address belongs to a number."""
    content = {"funderName": one_line(funding.funder)}
    if funding.ror:
        content |= {"funderIdentifier": f"https://ror.org/{funding.ror}", "funderIdentifierType": "ROR"}
    words, identifier, address = read_award(funding.award)
    title = words if " " in words else ""
    number = identifier if title else words or identifier
    award = {"awardNumber": number, "awardUri": address, "awardTitle": title}
    return content | {term: text for term, text in award.items() if text}


def _without_repeats(items: list[Any]) -> list[Any]:
    """Leave out what was told already, which the schema refuses."""
    return [item for number, item in enumerate(items) if item not in items[:number]]
