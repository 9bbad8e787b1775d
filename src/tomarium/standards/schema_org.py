"""schema.org as JSON-LD: what Google Dataset Search and other search engines read from a record's page.

The text may stand in HTML as it is, between <script type="application/ld+json"> and </script>: signs that could end
the script are escaped. Terms are those of https://schema.org/Dataset; name and description are what
https://developers.google.com/search/docs/appearance/structured-data/dataset demands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from tomarium.model import FileEntry, Funding, Record, Value, parameter
from tomarium.model.entity import entity_line
from tomarium.model.wording import brief, in_words
from tomarium.standards import panet, record_json
from tomarium.standards.citation import cite, doi_of, is_embargoed, link_of
from tomarium.standards.identifiers import doi_address, place_of, read_award
from tomarium.standards.licences import LICENCES, address_of
from tomarium.standards.names import name_of
from tomarium.standards.standard import Standard

MOST_FILES: Final = 200
"""Files that are all told; of more, only the manifests and the archive are."""
SHORTEST: Final = 50
LONGEST: Final = 5000
"""Characters of a description that Google Dataset Search takes."""
UNNAMED: Final = "tomarium"
"""Name of a catalogue that has none of its own, as of the setting `name`."""

Entity = dict[str, Any]


def export(record: Record, address: str = "", catalogue: str = UNNAMED) -> str:
    """Write a record as a Dataset of schema.org.

    Parameters
    ----------
    record : Record
        Any record. While it is under embargo, or once it is withdrawn, no address of a file is told.
    address : str, optional
        Address of its page; without it no address of a file or of the catalogue is told.
    catalogue : str, optional
        Name of the catalogue at that address.

    Returns
    -------
    str
        JSON-LD that may stand in HTML.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold.
    """
    record_json.demand_json(record)
    publication, doi = record.publication, doi_of(record)
    dataset: Entity = {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "@id": link_of(record, address),
        "name": record.title.strip() or record.id,
        "description": _description(record),
        "identifier": _identifiers(record, doi),
        "url": address,
        "sameAs": doi_address(doi) if doi else "",
        "creator": [_creator(record, number) for number in range(len(record.creators))],
        "keywords": [word.strip() for word in record.keywords if word.strip()],
        "license": address_of(record.licence),
        "version": str(publication.version) if publication else "",
        "creativeWorkStatus": _status(record),
        "dateCreated": record.created.isoformat(),
        "temporalCoverage": _measured(record),
        "datePublished": publication.published.date().isoformat() if publication else "",
        "publisher": _organisation(publication.publisher) if publication else {},
        "isAccessibleForFree": _is_open(record),
        "conditionsOfAccess": _conditions(record),
        "measurementTechnique": [
            _technique(technique) for technique in record.techniques if technique.strip()
        ],
        "variableMeasured": [
            _parameter(key, value) for key, value in record.parameters.items() if value.value is not None
        ],
        "funder": [
            _organisation(funding.funder, funding.ror) for funding in record.funding if funding.funder.strip()
        ],
        "funding": [_grant(funding) for funding in record.funding if funding.award.strip()],
        "includedInDataCatalog": _catalogue(address, catalogue),
        "distribution": _distribution(record, address) if _is_open(record) and address else [],
        "creditText": cite(record, address),
        **_relations(record, address),
    }
    filled = {key: content for key, content in dataset.items() if content or content is False}
    return _for_html(record_json.to_json(filled, indent=1)) + "\n"


def moment(parameter_value: Value[Any] | None) -> str:
    """Read a parameter that tells a moment.

    Parameters
    ----------
    parameter_value : Value or None
        Such as that of `start_time`.

    Returns
    -------
    str
        ISO 8601 with its time zone; "" where it tells none.
    """
    try:
        moment_read = (
            datetime.fromisoformat(parameter_value.value.strip())
            if parameter_value and isinstance(parameter_value.value, str)
            else None
        )
    except ValueError:
        return ""
    return moment_read.isoformat() if moment_read and moment_read.tzinfo else ""


def _measured(record: Record) -> str:
    """Tell from when to when it was measured, as an interval of ISO 8601; ".." for an end that is not known."""
    start, end = (moment(record.parameters.get(key)) for key in ("start_time", "end_time"))
    return f"{start or '..'}/{end or '..'}" if start or end else ""


def _for_html(text: str) -> str:
    """Escape what ends a script or opens a comment in HTML, and what JavaScript takes for the end of a line."""
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _description(record: Record) -> str:
    """Describe in 50 to 5000 characters; what is too short is followed by what the record is."""
    text = record.description.strip()
    if len(text) < SHORTEST:
        kinds = ", ".join(dict.fromkeys(part.kind for part in record.parts)) or "files"
        title = record.title.strip() or record.id
        more = (
            f"Dataset “{title}” of X-ray tomography and related imaging, with its {kinds} and their metadata."
        )
        text = f"{text} {more}".strip()
    return brief(text, LONGEST)


def _identifiers(record: Record, doi: str) -> list[Any]:
    identifiers: list[Any] = [doi_address(doi)] if doi else []
    return [*identifiers, {"@type": "PropertyValue", "propertyID": "tomarium record", "value": record.id}]


def _creator(record: Record, number: int) -> Entity:
    person = record.creators[number]
    name = name_of(person)
    if name.organisation:
        return _organisation(person.name)
    whole = " ".join(part for part in (name.given, name.family, name.suffix) if part)
    fields = {"@type": "Person", "name": whole, "givenName": name.given, "familyName": name.family}
    entity: Entity = {key: content for key, content in fields.items() if content}
    if person.orcid:
        entity["sameAs"] = f"https://orcid.org/{person.orcid}"
    if person.affiliation:
        entity["affiliation"] = _organisation(person.affiliation, person.ror)
    return entity


def _organisation(name: str, ror: str = "") -> Entity:
    organisation = {
        "@type": "Organization",
        "name": name.strip(),
        "sameAs": f"https://ror.org/{ror}" if ror else "",
    }
    return {key: content for key, content in organisation.items() if content} if name.strip() else {}


def _is_open(record: Record) -> bool:
    """Tell whether anybody can take the files today."""
    publication = record.publication
    return (
        publication is not None and not publication.withdrawn and not is_embargoed(record, datetime.now(UTC))
    )


def _status(record: Record) -> str:
    if record.publication is None:
        return "Draft"
    return "Withdrawn" if record.publication.withdrawn else "Published"


def _conditions(record: Record) -> str:
    publication, licence = record.publication, LICENCES.get(record.licence)
    if publication is None:
        return "Not published; ask its creators."
    if publication.withdrawn:
        reason = f": {publication.reason.strip()}" if publication.reason.strip() else "."
        return f"Withdrawn on {publication.withdrawn.date().isoformat()}{reason}"
    if not _is_open(record):
        return f"Under embargo: the files open on {publication.open_from.date().isoformat()}."
    if licence:
        return licence.told
    return f"Licence: {record.licence}" if record.licence.strip() else "No licence stated; ask its creators."


def _technique(id: str) -> Entity:
    return {
        "@type": "DefinedTerm",
        "@id": panet.address_of(id),
        "name": panet.label_of(id),
        "termCode": id,
        "inDefinedTermSet": panet.ADDRESS,
    }


def _parameter(key: str, value: Value[Any]) -> Entity:
    """Tell a parameter as a number with its unit, or as text; a long list in short."""
    plain = isinstance(value.value, str | int | float)
    content: Entity = {
        "@type": "PropertyValue",
        "name": parameter.label(key),
        "propertyID": key,
        "value": value.value if plain else in_words(value.value),
    }
    return content | ({"unitText": unit} if (unit := parameter.unit(key)) else {})


def _grant(funding: Funding) -> Entity:
    words, identifier, address = read_award(funding.award)
    grant: Entity = {"@type": "Grant", "identifier": words or identifier}
    grant |= {"url": address} if address else {}
    return grant | ({"funder": _organisation(funding.funder, funding.ror)} if funding.funder.strip() else {})


def _catalogue(address: str, name: str) -> Entity:
    """Name the catalogue, whose address is what stands before "/records/" in that of a record."""
    home, separator, _ = address.rpartition("/records/")
    return {"@type": "DataCatalog", "name": name, "url": f"{home}/"} if separator and home else {}


def _distribution(record: Record, address: str) -> list[Entity]:
    """Tell where files can be taken: all of them as one archive, and each, but not what is a folder."""
    address = address.rstrip("/")
    archive = {
        "@type": "DataDownload",
        "name": "All files as one archive",
        "contentUrl": f"{address}/download.zip",
        "encodingFormat": "application/zip",
    }
    files = [entry for entry in record.files if not entry.path.endswith("/")]
    if len(record.files) > MOST_FILES:
        files = [entry for entry in files if entry.role == "manifest"]
    return [archive, *(_download(entry, address) for entry in files)] if record.files else []


def _download(entry: FileEntry, address: str) -> Entity:
    return {
        "@type": "DataDownload",
        "name": entry.path,
        "contentUrl": f"{address}/files/{quote(entry.path, safe='/')}",
        "encodingFormat": entry.media_type,
        "contentSize": f"{entry.bytes} B",
        "sha256": entry.sha256,
    }


# relation of DataCite → term of schema.org that says the same, seen from the dataset
_TERMS: Final[Mapping[str, str]] = {
    "IsDerivedFrom": "isBasedOn",
    "IsPartOf": "isPartOf",
    "HasPart": "hasPart",
    "Cites": "citation",
    "References": "citation",
    "IsDescribedBy": "citation",
    "IsSupplementTo": "citation",
    "IsCitedBy": "subjectOf",
}


def _relations(record: Record, address: str) -> Entity:
    relations: dict[str, list[Any]] = {}
    for related in record.related:
        if (term := _TERMS.get(related.relation)) and (place := place_of(related.identifier, address)):
            kind = "Dataset" if term in {"isPartOf", "hasPart"} else "CreativeWork"
            other = place if term == "isBasedOn" else {"@type": kind, "@id": place, "url": place}
            relations.setdefault(term, []).append(other)
    for kind, text in (("specimen", "about"), ("proposal", "isPartOf"), ("instrument", "mentions")):
        if entity := record.entity(kind):
            doi = doi_address(entity.doi) if entity.doi else ""
            content = {
                "name": entity.name,
                "description": entity_line(entity),
                "identifier": doi or entity.id,
            }
            kind_of = "CreativeWork" if kind == "proposal" else "Thing"
            relations.setdefault(text, []).append(
                {"@type": kind_of, **content, **({"@id": doi} if doi else {})}
            )
    if place := place_of(record.specimen):
        relations.setdefault("isBasedOn", []).append(place)
    return dict(relations)


SCHEMA_ORG = Standard(
    name="schema-org",
    title="schema.org (JSON-LD)",
    filename="schema-org.jsonld",
    media_type="application/ld+json",
    export=export,
    export_in=export,
)
