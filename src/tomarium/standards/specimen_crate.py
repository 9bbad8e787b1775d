"""RO-Crate of a whole specimen: its tree, its records by their identifiers, and the links between its images as files.

An attached crate (RO-Crate 1.2) without the data: each record is a Dataset of its own, named by the address of its page
or by its DOI, or by its identifier alone where it has neither; the links, with their covariances, are its files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tomarium.model import Link, Record
from tomarium.model.entity import HOWS
from tomarium.model.entity import Entity as Described
from tomarium.model.link import LINK_KINDS, read_frame
from tomarium.model.same_sample import CONFIRMED, STATES, SameSampleClaim
from tomarium.standards import record_json, ro_crate

Entity = dict[str, Any]


def export_specimen(
    specimen: Described,
    family: Sequence[Described],
    records: Sequence[Record],
    links: Mapping[str, Link],
    files: Mapping[str, bytes],
    written: datetime,
    address: str = "",
    claims: Sequence[SameSampleClaim] = (),
) -> str:
    """Write the metadata of a crate of a specimen.

    Parameters
    ----------
    specimen : Entity
        The specimen.
    family : sequence of Entity
        It and those it hangs together with, as the reader of the crate may know them.
    records : sequence of Record
        Those of its images.
    links : Mapping of str to Link
        Path of a file of the crate → the link that it tells.
    files : Mapping of str to bytes
        Path → content of every file of the crate but this one.
    written : datetime
        When, with its time zone.
    address : str
        Of the portal that shows the records, without a slash at its end; "" where there is none.
    claims : sequence of SameSampleClaim
        That these specimens are the same samples as some elsewhere. One that the other side confirmed is told as
        `sameAs`; another as what it is, a claim.

    Returns
    -------
    str
        The text of `ro-crate-metadata.json`.

    Raises
    ------
    FormatError
        A value has no spelling in JSON.
    """
    specimens = {entity.id: _specimen(entity, {other.id for other in family}) for entity in family}
    for member in family:
        above = [specimens[origin.parent] for origin in member.origins if origin.parent in specimens]
        if above:
            specimens[member.id]["isBasedOn"] = ro_crate.references(above)
    claimed = [
        entity
        for claim in claims
        if claim.specimen in specimens
        for entity in _describe_claim(specimens, claim)
    ]
    parts: dict[str, list[Entity]] = {record.id: _record(record, address) for record in records}
    entities_by_path = {f"specimens/{id}": entity for id, entity in specimens.items()}
    entities_by_path |= {f"records/{id}": part[0] for id, part in parts.items()}
    described = [_file(path, content, links.get(path), entities_by_path) for path, content in files.items()]
    licences = {record.licence for record in records}
    licence = ro_crate.licence_entity(licences.pop() if len(licences) == 1 else "")
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "identifier": f"https://doi.org/{quote(specimen.doi, safe='/')}" if specimen.doi else specimen.id,
        "name": f"{specimen.name} ({specimen.id}): its images and where they lie in each other",
        "description": (
            f"{len(family)} specimens, {len(records)} records of images and {len(links)} links between their frames, "
            f"each with its matrix and covariance. The images are not in this crate; their identifiers lead to them."
        ),
        "datePublished": written.isoformat(),
        "license": {"@id": licence["@id"]},
        "about": ro_crate.references(list(specimens.values())),
        "hasPart": ro_crate.references([*described, *(part[0] for part in parts.values())]),
    }
    descriptor: Entity = {
        "@id": ro_crate.FILENAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": ro_crate.SPECIFICATION},
    }
    of_records = [entity for part in parts.values() for entity in part]
    all_entities = [descriptor, root, licence, *specimens.values(), *claimed, *described, *of_records]
    graph = list({entity["@id"]: entity for entity in all_entities}.values())
    return record_json.to_json({"@context": ro_crate.CONTEXT, "@graph": graph}, indent=1) + "\n"


def _specimen(entity: Described, known_ids: Collection[str]) -> Entity:
    origins = [origin for origin in entity.origins if origin.parent in known_ids]
    made_from = "; ".join(f"{HOWS[origin.how]} {origin.parent}" for origin in origins)
    content = ro_crate.described_entity(entity)
    return content | ({"description": f"{content['description']}; {made_from}"} if made_from else {})


def _describe_claim(specimens: Mapping[str, Entity], claim: SameSampleClaim) -> list[Entity]:
    """Tell of a specimen what it is the same as; the entities that this needs besides."""
    specimen = specimens[claim.specimen]
    key = "sameAs" if claim.state == CONFIRMED else "additionalProperty"
    claim_id = (
        claim.target
        if claim.state == CONFIRMED
        else f"#claim-{claim.specimen}-{quote(claim.target, safe='')}"
    )
    specimen[key] = [*specimen.get(key, []), {"@id": claim_id}]
    if claim.state == CONFIRMED:
        return [{"@id": claim_id, "@type": "Thing", "name": claim.target, "description": claim.told}]
    content: Entity = {
        "@id": claim_id,
        "@type": "PropertyValue",
        "name": "claimed to be the same sample",
        "value": claim.target,
        "description": f"{STATES[claim.state]}; claimed by {claim.who}, {claim.when}: {claim.evidence}",
    }
    return [content]


def _record(record: Record, address: str) -> list[Entity]:
    """Describe a record that is not in the crate, with its licence and its creators."""
    publication = record.publication
    doi = f"https://doi.org/{quote(publication.doi, safe='/')}" if publication and publication.doi else ""
    page = f"{address}/records/{record.id}" if address else ""
    licence = ro_crate.licence_entity(record.licence)
    people = [
        {"@id": f"#{record.id}-creator-{number}", "@type": "Person", "name": person.name}
        for number, person in enumerate(record.creators, 1)
    ]
    content: Entity = {
        "@id": page or doi or f"#record-{record.id}",
        "@type": "Dataset",
        "name": record.title,
        "identifier": doi or record.id,
        "description": record.description or f"The record {record.id}.",
        "datePublished": (publication.published if publication else record.created).isoformat(),
        "license": {"@id": licence["@id"]},
    }
    if people:
        content["creator"] = ro_crate.references(people)
    if page:
        content["url"] = page
    return [content, licence, *people]


def _file(path: str, content: bytes, link: Link | None, entities_by_path: Mapping[str, Entity]) -> Entity:
    file_entity: Entity = {
        "@id": quote(path, safe="/"),
        "@type": "File",
        "name": path,
        "description": "The specimens, where the pixels of each image lie in its frame, and the links between frames.",
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
        "encodingFormat": "application/json",
    }
    if link is not None:
        file_entity["description"] = (
            f"Where the frame {link.from_frame} lies in {link.to_frame}, {LINK_KINDS[link.kind]}: a matrix for points "
            f"in metres, and the covariance of a rotation (rad) and a translation (m) after it."
        )
        frames = [read_frame(end) for end in (link.from_frame, link.to_frame)]
        ends = [
            entities_by_path[name]
            for frame in frames
            if (name := f"{frame.kind}/{frame.id}") in entities_by_path
        ]
        if ends:
            file_entity["about"] = ro_crate.references(ends)
    return file_entity
