"""PaNOSC search API: its models, and what a record is as datasets, documents and instruments.

The models are those of the data model of the Photon and Neutron open science cloud
(https://github.com/panosc-eu/search-api, doc/data-model.md). A `Shared` is one dataset, document or instrument with
what belongs to it alone; which of them belong together is told by their identifiers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tomarium.errors import ParameterError
from tomarium.model import Entity, Person, Record, parameter
from tomarium.standards.panet import ADDRESS, address_of, id_of, label_of, terms
from tomarium.standards.panosc_units import in_base

# model → property → kind: text, texts (a list), date, number, boolean, any (text or number)
MODELS: Final[dict[str, dict[str, str]]] = {
    "Dataset": {
        "pid": "text", "title": "text", "isPublic": "boolean", "creationDate": "date", "size": "number",
        "url": "text", "provider": "text",
    },
    "Document": {
        "pid": "text", "isPublic": "boolean", "type": "text", "title": "text", "summary": "text", "doi": "text",
        "startDate": "date", "endDate": "date", "releaseDate": "date", "license": "text", "keywords": "texts",
        "provider": "text",
    },
    "Instrument": {"pid": "text", "name": "text", "facility": "text", "provider": "text"},
    "File": {"id": "text", "name": "text", "path": "text", "size": "number"},
    "Member": {"id": "text", "role": "text"},
    "Person": {
        "id": "text", "fullName": "text", "orcid": "text", "researcherId": "text", "firstName": "text",
        "lastName": "text",
    },
    "Affiliation": {
        "id": "text", "name": "text", "pid": "text", "address": "text", "city": "text", "country": "text",
    },
    "Parameter": {"id": "text", "name": "text", "value": "any", "unit": "text"},
    "Sample": {"pid": "text", "name": "text", "description": "text"},
    "Technique": {"pid": "text", "name": "text", "panetId": "text"},
}  # fmt: skip
ROOTS: Final = ("Dataset", "Document", "Instrument")
"""Models that have an address of their own."""
TEXTS: Final = {
    "Dataset": ("title",),
    "Document": ("title", "summary"),
    "File": ("name",),
    "Instrument": ("name", "facility"),
    "Sample": ("name", "description"),
    "Technique": ("name",),
}
"""Properties in which the operator `text` looks."""


@dataclass(frozen=True)
class Relation:
    """Where one model leads to another.

    Attributes
    ----------
    model : str
        The other model.
    many : bool
        Whether there may be several.
    inside : str
        Key under which they lie in the body; "" of another root, which is found by its identifier.
    """

    model: str
    many: bool
    inside: str = ""


RELATIONS: Final[dict[str, dict[str, Relation]]] = {
    "Dataset": {
        "parameters": Relation("Parameter", True, "parameters"),
        "samples": Relation("Sample", True, "samples"),
        "techniques": Relation("Technique", True, "techniques"),
        "files": Relation("File", True, "files"),
        "instrument": Relation("Instrument", False),
        "documents": Relation("Document", True),
    },
    "Document": {
        "datasets": Relation("Dataset", True),
        "members": Relation("Member", True, "members"),
        "parameters": Relation("Parameter", True, "parameters"),
    },
    "Instrument": {"datasets": Relation("Dataset", True)},
    "Member": {
        "person": Relation("Person", False, "person"),
        "affiliation": Relation("Affiliation", False, "affiliation"),
    },
}

# What is called otherwise by others than in our keys.
NAMES: Final = {"energy": "photon_energy"}
UNITS: Final = {"m": "m", "keV": "kev", "deg": "deg", "s": "s", "B": "bytes"}
"""Base unit → ending of a key."""
_MOST: Final = 1000  # of files, members or parameters of one body
_EXACT: Final = 2**53


@dataclass(frozen=True)
class Shared:
    """One dataset, document or instrument as others are told it.

    Attributes
    ----------
    model : str
        Of `ROOTS`.
    pid : str
        Its identifier.
    body : dict
        Its properties, and under the names of relations what belongs to it alone.
    links : tuple of (str, str, str)
        Identifier of a dataset, and model and identifier of the document or instrument that belongs to it.
    """

    model: str
    pid: str
    body: dict[str, Any]
    links: tuple[tuple[str, str, str], ...] = ()


def share(record: Record) -> tuple[Shared, ...]:
    """Tell a record as a dataset, its own citable document, its proposal and its instrument.

    Parameters
    ----------
    record : Record
        Any; only what its crate tells, which is public.

    Returns
    -------
    tuple of Shared
        The dataset first.
    """
    pid = record.publication.doi if record.publication and record.publication.doi else record.id
    further = [*_documents(record, pid), *_instrument(record)]
    body = {
        "pid": pid,
        "title": record.title,
        "creationDate": write_date(record.created),
        "size": sum(file.bytes for file in record.files),
        "parameters": list(_parameters(record)),
        "samples": _samples(record),
        "techniques": [_technique(technique) for technique in _techniques(record)],
        "files": [{"id": file.path, "name": file.path.rstrip("/").rpartition("/")[2], "path": file.path,
                   "size": file.bytes} for file in record.files[:_MOST]]
    }  # fmt: skip
    links = tuple((pid, shared.model, shared.pid) for shared in further)
    return (Shared("Dataset", pid, body, links), *further)


def _documents(record: Record, pid: str) -> Iterator[Shared]:
    if record.publication is not None:
        publication = record.publication
        body = {"pid": pid, "isPublic": True, "type": "publication", "title": record.title,
                "summary": record.description, "doi": publication.doi, "releaseDate": write_date(publication.open_from),
                "license": record.licence, "keywords": list(record.keywords),
                "members": [_member(creator, "author") for creator in record.creators[:_MOST]]}  # fmt: skip
        yield Shared("Document", pid, _without_empty(body))
    if (proposal := record.entity("proposal")) is not None:
        facts = proposal.facts
        body = {"pid": proposal.id, "isPublic": True, "type": "proposal", "title": proposal.name,
                "summary": facts.get("description"), "startDate": read_date(str(facts.get("start") or "")),
                "endDate": read_date(str(facts.get("end") or "")),
                "members": _team(facts.get("team"))}  # fmt: skip
        yield Shared("Document", proposal.id, _without_empty(body))


def _team(team: Any) -> list[dict[str, Any]]:
    from tomarium.model.person import read_person

    people = [read_person(text) for text in team] if isinstance(team, list) else []
    return [_member(person, "member") for person in people[:_MOST]]


def _instrument(record: Record) -> Iterator[Shared]:
    entity = record.entity("instrument")
    texts = [_text(record, key) for key in ("instrument", "beamline")]
    name = entity.name if entity else next(filter(None, texts), "")
    if name:
        facility = str(entity.facts.get("facility", "")) if entity else ""
        pid = (str(entity.facts.get("pid", "")) or entity.id) if entity else name
        body = {"pid": pid, "name": name, "facility": facility or _text(record, "facility")}
        yield Shared("Instrument", pid, body)


def _samples(record: Record) -> list[dict[str, Any]]:
    entity: Entity | None = record.entity("specimen")
    if entity is not None:
        return [
            _without_empty(
                {"pid": entity.id, "name": entity.name, "description": entity.facts.get("description")}
            )
        ]
    name = _text(record, "sample_name") or record.specimen
    sample = {
        "pid": record.specimen or name,
        "name": name,
        "description": _text(record, "sample_description"),
    }
    return [_without_empty(sample)] if name else []


def _techniques(record: Record) -> tuple[str, ...]:
    return record.techniques or tuple(filter(None, (_text(record, "technique"),)))


def _technique(technique: str) -> dict[str, Any]:
    if technique in terms() or technique.startswith("PaNET"):
        return {"pid": address_of(technique), "name": label_of(technique), "panetId": address_of(technique)}
    return {"pid": technique, "name": technique}


def _member(person: Person, role: str) -> dict[str, Any]:
    orcid = f"https://orcid.org/{person.orcid}" if person.orcid else None
    content = _without_empty({"id": orcid or person.name, "fullName": person.name, "orcid": person.orcid})
    place = _without_empty(
        {"name": person.affiliation, "pid": f"https://ror.org/{person.ror}" if person.ror else None}
    )
    return {"role": role, "person": content, **({"affiliation": place} if place else {})}


def _parameters(record: Record) -> Iterator[dict[str, Any]]:
    values = {
        key: value.value
        for key, value in record.parameters.items()
        if not parameter.is_private(key) or key in record.disclosed
    }
    for key, value in list(values.items())[:_MOST]:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            unit = parameter.unit(key)
            name = (
                "_".join(key.split("_")[:-1]) if unit and key.rpartition("_")[2] in parameter.ENDINGS else key
            )
            yield measured(NAMES.get(name, name), value, unit)


def measured(name: str, value: str | float, unit: str) -> dict[str, Any]:
    """Tell a parameter, with its number in a base unit beside it, by which it is compared.

    Parameters
    ----------
    name, unit : str
        Of the parameter; "" for no unit.
    value : str or float
        As it was told.

    Returns
    -------
    dict of str to JSON value
        `name`, `value`, `unit`; of a number whose unit is known `si` and `base`.
    """
    content: dict[str, Any] = {"name": name, "value": value, "unit": unit}
    if not isinstance(value, str) and unit and (converted := in_base(float(value), unit)) is not None:
        content |= {"si": converted[0], "base": converted[1]}
    return content


def _text(record: Record, key: str) -> str:
    value = record.parameters.get(key)
    return " ".join(value.value.split()) if value and isinstance(value.value, str) else ""


def _without_empty(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value not in (None, "", [])}


def write_date(moment: datetime) -> str:
    """Write a moment as JavaScript does, by which texts are in the order of time: "2020-05-05T15:01:02.341Z"."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def read_date(text: str) -> str | None:
    """Read a date as people and programs write it, and write it as `write_date`; None where it is none."""
    try:
        moment = datetime.fromisoformat(f"{text}-01-01" if len(text) == 4 and text.isdecimal() else text)
        return write_date(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).rjust(24, "0")
    except (ValueError, OverflowError):
        return None


def read_shared(model: str, content: Mapping[str, Any]) -> Shared | None:
    """Read what another provider tells of a dataset, a document or an instrument.

    Parameters
    ----------
    model : str
        Of `ROOTS`.
    content : Mapping
        With what it includes: instrument, documents, samples …

    Returns
    -------
    Shared or None
        What the models name, of the kinds that they name; None where it has no identifier.
    """
    pid = content.get("pid")
    if not isinstance(pid, str) or not pid:
        return None
    body = _read_body(model, content)
    links: list[tuple[str, str, str]] = []
    if model == "Dataset":
        for key, other in (("instrument", "Instrument"), ("documents", "Document"), ("document", "Document")):
            links += [
                (pid, other, entry["pid"])
                for entry in _objects(content.get(key))
                if isinstance(entry.get("pid"), str)
            ]
    else:
        links += [
            (dataset["pid"], model, pid)
            for dataset in _objects(content.get("datasets"))
            if isinstance(dataset.get("pid"), str)
        ]
    return Shared(model, pid, body, tuple(dict.fromkeys(links)))


def _read_body(model: str, content: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, kind in MODELS[model].items():
        value = _read_value(kind, content.get(key))
        if value is not None and key != "provider":
            body[key] = value
    if model == "Parameter":
        body |= measured(str(body.get("name", "")), body.get("value", ""), str(body.get("unit", "")))
    for key, relation in RELATIONS.get(model, {}).items():
        if relation.inside and content.get(key) is not None:
            inside = [_read_body(relation.model, entry) for entry in _objects(content[key])[:_MOST]]
            if relation.many:
                body[key] = inside
            elif inside:
                body[key] = inside[0]
    return body


def _objects(value: Any) -> list[Mapping[str, Any]]:
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [entry for entry in values if isinstance(entry, Mapping)]


def _read_value(kind: str, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    finite = number and abs(value) < 1e300
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "texts":
        return [text for text in value if isinstance(text, str)] if isinstance(value, list) else None
    if kind == "number":
        return value if finite else None
    if kind == "date":
        return read_date(value) or value if isinstance(value, str) else None
    if kind == "any" and finite:
        return value if isinstance(value, float) or abs(value) < _EXACT else float(value)
    return str(value) if isinstance(value, str) or (kind == "text" and finite) else None


def techniques_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the techniques of a dataset as a record does: PaNET's ids where they are told, else names."""
    names = []
    for technique in body.get("techniques", ()):
        term = str(technique.get("panetId") or technique.get("pid") or "").removeprefix(ADDRESS)
        name = str(technique.get("name") or term)
        if term not in terms():  # what the excerpt of PaNET does not have is called by its name
            try:
                term = id_of(name)
            except ParameterError:
                term = name
        names.append(term)
    return tuple(dict.fromkeys(filter(None, names)))


def keyed(parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give parameters of other providers the keys of ours, with the unit in the key.

    Parameters
    ----------
    parameters : sequence of Mapping
        As `measured` tells them.

    Returns
    -------
    dict of str to JSON value
        "energy_kev": 0.93 of a photon energy of 930 eV. A number whose unit has no ending here is told as text with
        its unit.
    """
    names = {their_name: our_key for our_key, their_name in NAMES.items()}
    values_by_key: dict[str, Any] = {}
    for entry in parameters:
        name = "_".join(str(entry.get("name", "")).lower().split())
        name = names.get(name, name)
        value, unit, base = (entry.get("value"), str(entry.get("unit", "")), str(entry.get("base", "")))
        if not name or value is None:
            continue
        if base in UNITS:
            values_by_key.setdefault(f"{name}_{UNITS[base]}", entry["si"])
        elif base == "K":
            values_by_key.setdefault(f"{name}_celsius", float(f"{entry['si'] - 273.15:.12g}"))
        else:
            values_by_key.setdefault(name, f"{value} {unit}" if unit else value)
    return values_by_key
