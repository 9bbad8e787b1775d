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
    others = [*_documents(record, pid), *_instrument(record)]
    body = {
        "pid": pid,
        "title": record.title,
        "creationDate": write_date(record.created),
        "size": sum(one.bytes for one in record.files),
        "parameters": list(_parameters(record)),
        "samples": _samples(record),
        "techniques": [_technique(one) for one in _techniques(record)],
        "files": [{"id": one.path, "name": one.path.rstrip("/").rpartition("/")[2], "path": one.path,
                   "size": one.bytes} for one in record.files[:_MOST]],
    }  # fmt: skip
    links = tuple((pid, one.model, one.pid) for one in others)
    return (Shared("Dataset", pid, body, links), *others)


def _documents(record: Record, pid: str) -> Iterator[Shared]:
    if record.publication is not None:
        told = record.publication
        body = {"pid": pid, "isPublic": True, "type": "publication", "title": record.title,
                "summary": record.description, "doi": told.doi, "releaseDate": write_date(told.open_from),
                "license": record.licence, "keywords": list(record.keywords),
                "members": [_member(one, "author") for one in record.creators[:_MOST]]}  # fmt: skip
        yield Shared("Document", pid, _told(body))
    if (one := record.entity("proposal")) is not None:
        facts = one.facts
        body = {"pid": one.id, "isPublic": True, "type": "proposal", "title": one.name,
                "summary": facts.get("description"), "startDate": read_date(str(facts.get("start") or "")),
                "endDate": read_date(str(facts.get("end") or "")),
                "members": _team(facts.get("team"))}  # fmt: skip
        yield Shared("Document", one.id, _told(body))


def _team(team: Any) -> list[dict[str, Any]]:
    from tomarium.model.person import read_person

    people = [read_person(one) for one in team] if isinstance(team, list) else []
    return [_member(one, "member") for one in people[:_MOST]]


def _instrument(record: Record) -> Iterator[Shared]:
    entity = record.entity("instrument")
    told = [_text(record, key) for key in ("instrument", "beamline")]
    name = entity.name if entity else next(filter(None, told), "")
    if name:
        facility = str(entity.facts.get("facility", "")) if entity else ""
        pid = (str(entity.facts.get("pid", "")) or entity.id) if entity else name
        body = {"pid": pid, "name": name, "facility": facility or _text(record, "facility")}
        yield Shared("Instrument", pid, body)


def _samples(record: Record) -> list[dict[str, Any]]:
    entity: Entity | None = record.entity("specimen")
    if entity is not None:
        return [
            _told({"pid": entity.id, "name": entity.name, "description": entity.facts.get("description")})
        ]
    name = _text(record, "sample_name") or record.specimen
    told = {"pid": record.specimen or name, "name": name, "description": _text(record, "sample_description")}
    return [_told(told)] if name else []


def _techniques(record: Record) -> tuple[str, ...]:
    return record.techniques or tuple(filter(None, (_text(record, "technique"),)))


def _technique(told: str) -> dict[str, Any]:
    if told in terms() or told.startswith("PaNET"):
        return {"pid": address_of(told), "name": label_of(told), "panetId": address_of(told)}
    return {"pid": told, "name": told}


def _member(person: Person, role: str) -> dict[str, Any]:
    orcid = f"https://orcid.org/{person.orcid}" if person.orcid else None
    told = _told({"id": orcid or person.name, "fullName": person.name, "orcid": person.orcid})
    place = _told(
        {"name": person.affiliation, "pid": f"https://ror.org/{person.ror}" if person.ror else None}
    )
    return {"role": role, "person": told, **({"affiliation": place} if place else {})}


def _parameters(record: Record) -> Iterator[dict[str, Any]]:
    told = {
        key: one.value
        for key, one in record.parameters.items()
        if not parameter.is_private(key) or key in record.disclosed
    }
    for key, value in list(told.items())[:_MOST]:
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
    told: dict[str, Any] = {"name": name, "value": value, "unit": unit}
    if not isinstance(value, str) and unit and (known := in_base(float(value), unit)) is not None:
        told |= {"si": known[0], "base": known[1]}
    return told


def _text(record: Record, key: str) -> str:
    value = record.parameters.get(key)
    return " ".join(value.value.split()) if value and isinstance(value.value, str) else ""


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
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


def read_shared(model: str, told: Mapping[str, Any]) -> Shared | None:
    """Read what another provider tells of a dataset, a document or an instrument.

    Parameters
    ----------
    model : str
        Of `ROOTS`.
    told : Mapping
        With what it includes: instrument, documents, samples …

    Returns
    -------
    Shared or None
        What the models name, of the kinds that they name; None where it has no identifier.
    """
    pid = told.get("pid")
    if not isinstance(pid, str) or not pid:
        return None
    body = _read(model, told)
    links: list[tuple[str, str, str]] = []
    if model == "Dataset":
        for key, other in (("instrument", "Instrument"), ("documents", "Document"), ("document", "Document")):
            links += [
                (pid, other, one["pid"]) for one in _listed(told.get(key)) if isinstance(one.get("pid"), str)
            ]
    else:
        links += [
            (one["pid"], model, pid)
            for one in _listed(told.get("datasets"))
            if isinstance(one.get("pid"), str)
        ]
    return Shared(model, pid, body, tuple(dict.fromkeys(links)))


def _read(model: str, told: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, kind in MODELS[model].items():
        value = _value(kind, told.get(key))
        if value is not None and key != "provider":
            body[key] = value
    if model == "Parameter":
        body |= measured(str(body.get("name", "")), body.get("value", ""), str(body.get("unit", "")))
    for key, relation in RELATIONS.get(model, {}).items():
        if relation.inside and told.get(key) is not None:
            inside = [_read(relation.model, one) for one in _listed(told[key])[:_MOST]]
            if relation.many:
                body[key] = inside
            elif inside:
                body[key] = inside[0]
    return body


def _listed(value: Any) -> list[Mapping[str, Any]]:
    told = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [one for one in told if isinstance(one, Mapping)]


def _value(kind: str, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    finite = number and abs(value) < 1e300
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "texts":
        return [one for one in value if isinstance(one, str)] if isinstance(value, list) else None
    if kind == "number":
        return value if finite else None
    if kind == "date":
        return read_date(value) or value if isinstance(value, str) else None
    if kind == "any" and finite:
        return value if isinstance(value, float) or abs(value) < _EXACT else float(value)
    return str(value) if isinstance(value, str) or (kind == "text" and finite) else None


def techniques_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the techniques of a dataset as a record does: PaNET's ids where they are told, else names."""
    found = []
    for one in body.get("techniques", ()):
        told = str(one.get("panetId") or one.get("pid") or "").removeprefix(ADDRESS)
        name = str(one.get("name") or told)
        if told not in terms():  # what the excerpt of PaNET does not have is called by its name
            try:
                told = id_of(name)
            except ParameterError:
                told = name
        found.append(told)
    return tuple(dict.fromkeys(filter(None, found)))


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
    names = {theirs: ours for ours, theirs in NAMES.items()}
    found: dict[str, Any] = {}
    for one in parameters:
        name = "_".join(str(one.get("name", "")).lower().split())
        name = names.get(name, name)
        value, unit, base = one.get("value"), str(one.get("unit", "")), str(one.get("base", ""))
        if not name or value is None:
            continue
        if base in UNITS:
            found.setdefault(f"{name}_{UNITS[base]}", one["si"])
        elif base == "K":
            found.setdefault(f"{name}_celsius", float(f"{one['si'] - 273.15:.12g}"))
        else:
            found.setdefault(name, f"{value} {unit}" if unit else value)
    return found
