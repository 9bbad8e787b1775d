"""RO-Crate: the spelling in which a record lies in its folder.

Written after RO-Crate Metadata Specification 1.2 (attached crate: the root is "./") and the profile
Process Run Crate 0.5 (the reconstruction is a CreateAction). Every term is one of the crate's context,
so that a reader that knows nothing of tomarium still reads titles, people, licence, parameters with
units, files and checksums:

=====================  ===============================================================================
record                 crate
=====================  ===============================================================================
parameter              PropertyValue: propertyID = key, value, unitText, measurementTechnique = origin,
                       description = source
file, folder           File, Dataset: contentSize, sha256, encodingFormat, additionalType = role
creator, affiliation   Person, Organization, with ORCID iD and ROR id as identifier
technique              DefinedTerm of PaNET, as what the dataset is about
volume, provenance,    CreativeWork whose `text` is JSON, for they nest and a crate is flat
parts, publication …
=====================  ===============================================================================
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, cast, get_args
from urllib.parse import quote, unquote

from tomarium.errors import FormatError
from tomarium.formats.record.reader import CRATE
from tomarium.model import FileEntry, Origin, Record, Value, parameter
from tomarium.model.entity import Entity as Described
from tomarium.model.entity import entity_line
from tomarium.model.person import is_orcid
from tomarium.standards import panet, record_json
from tomarium.standards.names import name_of
from tomarium.standards.standard import Standard

FILENAME: Final = CRATE
CONTEXT: Final = "https://w3id.org/ro/crate/1.2/context"
SPECIFICATION: Final = "https://w3id.org/ro/crate/1.2"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
COMPLETED: Final = "http://schema.org/CompletedActionStatus"
NO_LICENCE: Final = "#no-licence-stated"

DESCRIPTIONS: Final = {
    "volume": "The reconstructed volume, OME-Zarr 0.5; its checksum is that of its lines in the manifest.",
    "preview": "A picture of the volume.",
    "protocol": "The steps of the reconstruction with their parameters; can be run again.",
    "provenance": "What was done: plan, versions, timings, source.",
    "manifest": "SHA-256 of each file, for sha256sum -c.",
    "file table": "Path, size and SHA-256 of each file, as a table.",
    "patches": "Patches of the volume for learning: split, place and values of each, as a table.",
    "log": "What the programs said.",
}

Entity = dict[str, Any]


def export(record: Record, address: str = "") -> str:
    """Write a record as the JSON-LD of an RO-Crate.

    Parameters
    ----------
    record : Record
        Its values must be JSON values; NaN and infinity are not.
    address : str, optional
        Not told, for a crate lies beside its files wherever these are.

    Returns
    -------
    str
        The text of `ro-crate-metadata.json`.

    Raises
    ------
    FormatError
        A value has no spelling in JSON.
    """
    people = _people(record)
    organisations = _organisations(record)
    entities = [described_entity(entity) for entity in record.entities]
    described = [*people, *organisations, *_techniques(record), *entities]
    parameters = [_parameter(key, value) for key, value in record.parameters.items()]
    credits = {part.path: {"creditText": part.credit} for part in record.parts if part.credit}
    files = [_file(entry) | credits.get(entry.path.rstrip("/"), {}) for entry in record.files]
    licence = licence_entity(record.licence)
    details = [
        _text("#volume-summary", "Shape, voxel size, statistics and histogram of the volume", record.volume),
        _text("#provenance", "What was done: plan, versions, timings, source", record.provenance),
    ]
    if record_details := record_json.details(record):
        details.append(_text("#details", "Parts, people, publication, relations, funding", record_details))
    action = _action(record, people, details[1])
    publication = record.publication
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": {"@id": PROFILE},
        "identifier": record.id,
        "name": record.title,
        "description": record.description,
        "dateCreated": record.created.isoformat(),
        "datePublished": (publication.published if publication else record.created).isoformat(),
        "creator": references(people),
        "keywords": list(record.keywords),
        "license": {"@id": licence["@id"]},
        "hasPart": references(files),
        "variableMeasured": references(parameters),
        "mentions": references(
            [
                *action[:1],
                *details,
                *(entity for entity in entities if entity["additionalType"] != "specimen"),
            ]
        ),
    }
    if publication:
        root |= {"publisher": {"@id": "#publisher"}, "version": str(publication.version)}
        if publication.doi:
            root["cite-as"] = f"https://doi.org/{quote(publication.doi, safe='/')}"
    specimens = [entity for entity in entities if entity["additionalType"] == "specimen"]
    if record.techniques or specimens:
        root["about"] = references([*_techniques(record), *specimens])
    descriptor: Entity = {
        "@id": FILENAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": SPECIFICATION},
    }
    profile: Entity = {
        "@id": PROFILE,
        "@type": ["CreativeWork", "Profile"],
        "name": "Process Run Crate",
        "version": "0.5",
    }
    graph = [descriptor, root, profile, licence, *described, *action, *details, *parameters, *files]
    document = {"@context": CONTEXT, "@graph": graph}
    return record_json.to_json(document, indent=1) + "\n"


def read(text: str) -> Record:
    """Read a record back from the JSON-LD of an RO-Crate.

    Parameters
    ----------
    text : str
        Content of `ro-crate-metadata.json`.

    Returns
    -------
    Record
        Equal to the one that was exported.

    Raises
    ------
    FormatError
        The text is not JSON, not a crate, or lacks what a record cannot do without.
    """
    try:
        document = json.loads(text, parse_constant=_refuse, parse_int=_integer)
        text.encode()
        if "\\ud" in text.lower():  # half a character, which cannot be stored or shown
            json.dumps(document, ensure_ascii=False).encode()
        graph: dict[str, Entity] = {entity["@id"]: entity for entity in document["@graph"]}
        root = graph[graph[FILENAME]["about"]["@id"]]
        return _record(root, graph)
    except json.JSONDecodeError as problem:
        raise FormatError(
            f"{FILENAME}: not JSON ({problem}); it is cut short or damaged, so take it from a backup "
            f"or file the run again"
        ) from problem
    except KeyError as problem:
        raise FormatError(
            f"{FILENAME}: {problem} is missing; a crate that tomarium wrote was expected, whose root dataset "
            f"has identifier, name and datePublished"
        ) from problem
    except (TypeError, ValueError, AttributeError, RecursionError) as problem:
        raise FormatError(
            f"{FILENAME}: {problem}; the flattened JSON-LD of an RO-Crate that tomarium wrote was expected"
        ) from problem


def _record(root: Entity, graph: Mapping[str, Entity]) -> Record:
    term = "dateCreated" if "dateCreated" in root else "datePublished"
    created = datetime.fromisoformat(root[term])
    if created.tzinfo is None:
        raise ValueError(f"{term} {root[term]!r} has no time zone")
    record_details = _mapping(graph.get("#details"))
    names = [_string(_entity(item, graph), "name") for item in _list(root.get("creator"))]
    licence = _entity(root["license"], graph) if "license" in root else {"@id": NO_LICENCE}
    return Record(
        id=_string(root, "identifier"),
        title=_string(root, "name"),
        created=created,
        description=_string(root, "description") if "description" in root else "",
        creators=record_json.read_people(record_details, names),
        keywords=tuple(str(word) for word in _list(root.get("keywords"))),
        licence="" if licence["@id"] == NO_LICENCE else _string(licence, "name"),
        parameters=dict(_value(_entity(item, graph)) for item in _list(root.get("variableMeasured"))),
        parts=record_json.read_parts(record_details, _mapping(graph.get("#volume-summary"))),
        provenance=_mapping(graph.get("#provenance")),
        files=tuple(_entry(_entity(item, graph)) for item in _list(root.get("hasPart"))),
        publication=record_json.read_publication(record_details),
        related=record_json.read_related(record_details),
        **record_json.read_others(record_details),
    )


def _people(record: Record) -> list[Entity]:
    """Describe the creators; who has an ORCID iD of their own is known by it, as the specification recommends."""
    orcid_counts = Counter(person.orcid for person in record.creators)
    people = []
    for number, person in enumerate(record.creators, 1):
        orcid = f"https://orcid.org/{person.orcid}" if person.orcid else ""
        own = is_orcid(person.orcid) and orcid_counts[person.orcid] == 1
        entity: Entity = {
            "@id": orcid if own else f"#creator-{number}",
            "@type": "Organization" if name_of(person).organisation else "Person",
            "name": person.name,
        }
        if orcid:
            entity["identifier"] = orcid
        if person.affiliation:
            entity["affiliation"] = {"@id": _organisation(record, number)["@id"]}
        people.append(entity)
    return people


def _organisation(record: Record, number: int) -> Entity:
    """Describe the affiliation of a creator; one that always has the same name is known by its ROR id."""
    person = record.creators[number - 1]
    names = {other.affiliation for other in record.creators if other.ror == person.ror}
    own = re.fullmatch("0[a-z0-9]{6}[0-9]{2}", person.ror) is not None and names == {person.affiliation}
    ror = f"https://ror.org/{person.ror}"
    entity = {
        "@id": ror if own else f"#organisation-{number}",
        "@type": "Organization",
        "name": person.affiliation,
    }
    return entity | ({"identifier": ror} if person.ror else {})


def _organisations(record: Record) -> list[Entity]:
    """Describe the affiliations of the creators, and the publisher."""
    numbered = enumerate(record.creators, 1)
    organisations = [_organisation(record, number) for number, person in numbered if person.affiliation]
    if record.publication:
        organisations.append(
            {"@id": "#publisher", "@type": "Organization", "name": record.publication.publisher or "unnamed"}
        )
    return list({entity["@id"]: entity for entity in organisations}.values())


def _techniques(record: Record) -> list[Entity]:
    return [
        {
            "@id": panet.address_of(technique),
            "@type": "DefinedTerm",
            "name": panet.label_of(technique),
            "termCode": technique,
        }
        for technique in dict.fromkeys(record.techniques)
    ]


def described_entity(entity: Described) -> Entity:
    """Describe a specimen, proposal or instrument; all that is known of it stands in #details."""
    content: Entity = {
        "@id": f"#{entity.kind}-{entity.id}",
        "@type": "Project" if entity.kind == "proposal" else "Thing",
        "name": entity.name,
        "description": entity_line(entity),
        "additionalType": entity.kind,
        "identifier": f"https://doi.org/{quote(entity.doi, safe='/')}" if entity.doi else entity.id,
    }
    return content


def _parameter(key: str, value: Value[Any]) -> Entity:
    entity: Entity = {
        "@id": f"#parameter-{quote(key, safe='')}",
        "@type": "PropertyValue",
        "name": parameter.label(key),
        "propertyID": key,
        "value": value.value,
        "measurementTechnique": value.origin,
        "description": value.source,
    }
    if unit := parameter.unit(key):
        entity["unitText"] = unit
    if value.value is None or isinstance(value.value, (list, tuple, dict)):
        # JSON-LD drops null and flattens lists, so such a value travels as text.
        entity |= {"value": record_json.to_json(value.value), "encodingFormat": "application/json"}
    return entity


def _value(entity: Entity) -> tuple[str, Value[Any]]:
    value = entity["value"]
    if entity.get("encodingFormat") == "application/json":
        value = _part(value)
    origin = entity["measurementTechnique"]
    if origin not in get_args(Origin):
        raise ValueError(f"the origin {origin!r} of parameter {entity['propertyID']!r} is unknown")
    return _string(entity, "propertyID"), Value(value, cast(Origin, origin), _string(entity, "description"))


def _file(entry: FileEntry) -> Entity:
    return {
        "@id": quote(entry.path, safe="/"),
        "@type": "Dataset" if entry.path.endswith("/") else "File",
        "name": entry.path,
        "description": DESCRIPTIONS.get(entry.role, "A file of the record."),
        "contentSize": str(entry.bytes),
        "sha256": entry.sha256,
        "encodingFormat": entry.media_type,
        "additionalType": entry.role,
    }


def _entry(entity: Entity) -> FileEntry:
    return FileEntry(
        path=unquote(entity["@id"]),
        bytes=int(entity["contentSize"]),
        sha256=_string(entity, "sha256"),
        media_type=_string(entity, "encodingFormat"),
        role=_string(entity, "additionalType"),
    )


def licence_entity(licence: str) -> Entity:
    """Describe a licence by its SPDX identifier, or say that none was stated."""
    if not licence:
        return {
            "@id": NO_LICENCE,
            "@type": "CreativeWork",
            "name": "No licence stated",
            "description": "Nobody has said under which terms these data may be used; ask their creators.",
        }
    spdx = re.fullmatch(r"[A-Za-z0-9.+-]+", licence) is not None
    address = f"https://spdx.org/licenses/{licence}" if spdx else f"#licence-{quote(licence, safe='')}"
    return {
        "@id": address,
        "@type": "CreativeWork",
        "name": licence,
        "description": f"The licence {licence}, under which these data may be used.",
    }


def _action(record: Record, people: list[Entity], provenance: Entity) -> list[Entity]:
    """Tell the reconstruction as a CreateAction: software, source and result (Process Run Crate 0.5)."""
    results = [entry for entry in record.files if entry.role == "volume"]
    if not results:
        return []
    versions = record.provenance.get("versions")
    version = versions.get("tomarium") if isinstance(versions, Mapping) else None
    # A package URL (ECMA-427) is an absolute address that says which software of which version it was.
    package = f"pkg:pypi/tomarium@{quote(str(version))}" if version else "pkg:pypi/tomarium"
    software: Entity = {
        "@id": package,
        "@type": "SoftwareApplication",
        "name": "tomarium",
        "url": package,
        "version": str(version or "unknown"),
    }
    completed: Entity = {"@id": COMPLETED, "@type": "ActionStatusType", "name": "Completed"}
    action: Entity = {
        "@id": "#reconstruction",
        "@type": "CreateAction",
        "name": f"{record.made_by.capitalize()} of {record.title}"
        if record.made_by == "reconstruction"
        else record.made_by.capitalize(),
        "description": "Tomographic reconstruction; its plan and protocol are in the provenance."
        if record.made_by == "reconstruction"
        else f"{record.made_by.capitalize()}; what was done is in the provenance.",
        "instrument": {"@id": software["@id"]},
        "result": references(_file(entry) for entry in results),
        "subjectOf": {"@id": provenance["@id"]},
        "actionStatus": {"@id": COMPLETED},
        "endTime": record.created.isoformat(),
    }
    for term, key in (("startTime", "started"), ("endTime", "finished")):
        if isinstance(record.provenance.get(key), str):
            action[term] = record.provenance[key]
    source = record.provenance.get("source")
    path = source.get("path") if isinstance(source, Mapping) else source
    raw: list[Entity] = []
    if isinstance(path, str) and path:
        raw = [{"@id": "#source", "@type": "CreativeWork", "name": path, "description": "The raw scan."}]
        action["object"] = references(raw)
    if people:
        action["agent"] = references(people)
    return [action, software, completed, *raw]


def _text(address: str, name: str, content: Mapping[str, Any]) -> Entity:
    return {
        "@id": address,
        "@type": "CreativeWork",
        "name": name,
        "encodingFormat": "application/json",
        "text": record_json.to_json(dict(content)),
    }


def _mapping(entity: Entity | None) -> dict[str, Any]:
    content = _part(entity["text"]) if entity else {}
    if not isinstance(content, dict):
        raise ValueError(f"the text of {entity and entity['@id']} is no JSON object")
    return content


def _part(text: str) -> Any:
    content = json.loads(text, parse_constant=_refuse, parse_int=_integer)
    json.dumps(content, ensure_ascii=False).encode()
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _integer(digits: str) -> int:
    if len(digits) > 300:
        raise ValueError(f"a number of {len(digits)} digits is beyond all measure")
    return int(digits)


def _string(entity: Entity, key: str) -> str:
    text = entity[key]
    if not isinstance(text, str):
        raise ValueError(f"{key} of {entity['@id']} is {type(text).__name__}, not text")
    return text


def references(entities: Iterable[Entity]) -> list[Entity] | Entity:
    """Point to entities; to one without a list around it, as the specification recommends."""
    references = [{"@id": entity["@id"]} for entity in entities]
    return references[0] if len(references) == 1 else references


def _entity(reference: Entity, graph: Mapping[str, Entity]) -> Entity:
    return graph[reference["@id"]]


def _list(item: Any) -> list[Any]:
    if item is None:
        return []
    return item if isinstance(item, list) else [item]


RO_CRATE = Standard(
    name="ro-crate",
    title="RO-Crate 1.2",
    filename=FILENAME,
    media_type="application/ld+json",
    export=export,
    read=read,
)
