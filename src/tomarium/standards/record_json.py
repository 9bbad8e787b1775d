"""A record's values as JSON, and what a crate's own terms cannot hold exactly, as JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, cast

from tomarium.errors import FormatError, InputError
from tomarium.model import Entity, Funding, Link, Part, Person, Publication, Record, Related
from tomarium.model.entity import HOWS, Origin, public_facts
from tomarium.model.entity import KINDS as ENTITIES
from tomarium.model.part import KINDS, Kind, Permission
from tomarium.model.plain_card import FIELDS as CARD
from tomarium.model.plain_card import PlainCard
from tomarium.model.publication import RELATIONS, Relation
from tomarium.specimen.link_file import link_json, link_of

MOST_LINKS = 10_000
"""Links of one record; one that is written has fewer."""
OLD_VOLUME = "volume.ome.zarr"
"""Path of the only part of a record that was written before records told their parts."""


def to_json(content: Any, indent: int | None = None) -> str:
    """Write JSON.

    Parameters
    ----------
    content : object
        Text, finite numbers, truth values, None, and lists and mappings of them.
    indent : int, optional
        Spaces for each level; by default all stands on one line.

    Returns
    -------
    str
        Any sign but the double quote, the backslash and control characters stands for itself.

    Raises
    ------
    FormatError
        A value has no spelling in JSON.
    """
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=indent)
        text.encode()  # half a character (a lone surrogate, as undecodable arguments have) has no spelling
    except (TypeError, ValueError) as problem:
        raise FormatError(
            f"the record holds a value that JSON cannot hold ({problem}); give text, finite numbers, "
            f"truth values, None, or lists and mappings of them"
        ) from problem
    return text


def demand_json(record: Record) -> None:
    """Demand that a record holds nothing but what JSON can hold.

    Parameters
    ----------
    record : Record
        Any record.

    Raises
    ------
    FormatError
        It holds NaN, infinity, half a character, or an object of Python's.
    """
    names = [record.id, record.title, record.description, record.licence, *record.keywords]
    values = {key: [value.value, value.source] for key, value in record.parameters.items()}
    files = [[entry.path, entry.media_type] for entry in record.files]
    to_json([names, values, files, dict(record.provenance), details(record)])


def details(record: Record) -> dict[str, Any]:
    """Tell all of a record that is not told elsewhere in its crate.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    dict
        JSON values. The first volume's summary is left out: the crate tells it by itself.
    """
    content: dict[str, Any] = {"parts": [_part_json(part) for part in record.parts]}
    for volume in [part for part in content["parts"] if part["kind"] == "volume"][:1]:
        del volume["summary"]
    if record.publication is not None:
        content["publication"] = {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(record.publication).items()
        }
    content["people"] = [asdict(person) for person in record.creators]
    content["related"] = [asdict(related) for related in record.related]
    content["techniques"] = list(record.techniques)
    content["disclosed"] = list(record.disclosed)
    content["specimen"] = record.specimen
    content["funding"] = [_funding_json(funding) for funding in record.funding]
    content["entities"] = [entity_json(entity) for entity in record.entities]
    content["acknowledgement"] = record.acknowledgement
    content["links"] = [link_json(link) for link in record.links]
    content["card"] = record.card.told
    return {key: value for key, value in content.items() if value}


def _funding_json(funding: Funding) -> dict[str, str]:
    """Tell who paid; a funder without a ROR id as before there was a place for it."""
    return {key: text for key, text in asdict(funding).items() if text or key != "ror"}


def _part_json(part: Part) -> dict[str, Any]:
    """Tell all of a part; its summary, which may be long, is not copied."""
    content = {field.name: getattr(part, field.name) for field in fields(part)}
    content["axes"] = [dict(axis) for axis in part.axes]
    for key in ("creator", "permission"):
        if not content[key]:
            del content[key]
    if part.permission:
        content["permission"] = asdict(part.permission)
    return content


def read_parts(content: Mapping[str, Any], volume: Mapping[str, Any]) -> tuple[Part, ...]:
    """Read the parts of a record.

    Parameters
    ----------
    content : Mapping
        As `details` returns it.
    volume : Mapping
        Summary of the first volume.

    Returns
    -------
    tuple of Part
        Of a record that was written before parts were told: its volume.
    """
    if "parts" not in content:
        return (Part("volume", str(volume.get("path") or OLD_VOLUME), summary=volume),) if volume else ()
    parts, summary = [], volume
    for part in content["parts"]:
        if part["kind"] not in KINDS:
            raise ValueError(f"a part of the kind {part['kind']!r} is unknown; known are {', '.join(KINDS)}")
        parts.append(
            Part(
                kind=cast(Kind, part["kind"]),
                path=_text(part, "path"),
                role=_text(part, "role"),
                frame=_text(part, "frame"),
                axes=tuple(dict(axis) for axis in part["axes"]),
                summary=dict(part["summary"]) if "summary" in part else summary,
                creator=_text(part, "creator") if "creator" in part else "",
                permission=_permission(part["permission"]) if "permission" in part else None,
            )
        )
    return tuple(parts)


def _permission(content: Mapping[str, Any]) -> Permission:
    return Permission(*(_text(content, key) for key in ("holder", "licence", "text", "date", "document")))


def read_people(content: Mapping[str, Any], names: list[str]) -> tuple[Person, ...]:
    """Read who made a record.

    Parameters
    ----------
    content : Mapping
        As `details` returns it.
    names : list of str
        Names of the creators, which are all that old records tell.

    Returns
    -------
    tuple of Person
        In the order of the citation.
    """
    if "people" not in content:
        return tuple(Person(name) for name in names)
    keys = ("name", "orcid", "affiliation", "ror")
    return tuple(Person(*(_text(person, key) for key in keys)) for person in content["people"])


def read_publication(content: Mapping[str, Any]) -> Publication | None:
    """Read that a record was published.

    Parameters
    ----------
    content : Mapping
        As `details` returns it.

    Returns
    -------
    Publication or None
        None where it was not.
    """
    if "publication" not in content:
        return None
    publication = content["publication"]
    if (
        not isinstance(publication["version"], int)
        or isinstance(publication["version"], bool)
        or publication["version"] < 1
    ):
        raise ValueError(f"the version {publication['version']!r} is no number from 1")
    return Publication(
        published=_moment(publication, "published"),
        publisher=_text(publication, "publisher"),
        open_from=_moment(publication, "open_from"),
        doi=_text(publication, "doi"),
        concept_doi=_text(publication, "concept_doi"),
        version=publication["version"],
        kept_until=None if publication["kept_until"] is None else _moment(publication, "kept_until"),
        withdrawn=None if publication["withdrawn"] is None else _moment(publication, "withdrawn"),
        reason=_text(publication, "reason"),
    )


def read_related(content: Mapping[str, Any]) -> tuple[Related, ...]:
    """Read what a record is related to.

    Parameters
    ----------
    content : Mapping
        As `details` returns it.

    Returns
    -------
    tuple of Related
        In the order they were told.
    """
    related = []
    for entry in content.get("related", []):
        if entry["relation"] not in RELATIONS:
            raise ValueError(
                f"the relation {entry['relation']!r} is unknown; known are {', '.join(RELATIONS)}"
            )
        related.append(Related(cast(Relation, entry["relation"]), _text(entry, "identifier")))
    return tuple(related)


def read_others(content: Mapping[str, Any]) -> dict[str, Any]:
    """Read techniques, specimen, funding, acknowledgement, links, what was disclosed, and the card in plain words.

    Parameters
    ----------
    content : Mapping
        As `details` returns it.

    Returns
    -------
    dict
        Fields of `Record`.
    """
    lists = {key: content.get(key, []) for key in ("techniques", "disclosed")}
    for key, items in lists.items():
        if not all(isinstance(item, str) for item in items):
            raise ValueError(f"{key}: an item is no text")
    return {
        **{key: tuple(items) for key, items in lists.items()},
        "specimen": _text(content, "specimen") if "specimen" in content else "",
        "funding": tuple(
            Funding(
                _text(entry, "funder"), _text(entry, "award"), _text(entry, "ror") if "ror" in entry else ""
            )
            for entry in content.get("funding", [])
        ),
        "entities": tuple(_entity(entry) for entry in content.get("entities", [])),
        "acknowledgement": _text(content, "acknowledgement") if "acknowledgement" in content else "",
        "links": _links(content.get("links", [])),
        "card": _card(content.get("card", {})),
    }


def _links(content: Any) -> tuple[Link, ...]:
    if not isinstance(content, list) or len(content) > MOST_LINKS:
        raise ValueError(f"links: at most {MOST_LINKS} links in a list were expected")
    try:
        return tuple(link_of(entry) for entry in content)
    except InputError as problem:
        raise FormatError(f"links: {problem}") from problem


def _card(content: Any) -> PlainCard:
    if not isinstance(content, dict) or not content.keys() <= CARD.keys():
        raise ValueError(f"the card in plain words is none; its fields are {', '.join(CARD)}")
    return PlainCard(**{key: _text(content, key) for key in content})


def entity_json(entity: Entity) -> dict[str, Any]:
    """Tell an entity in JSON values, without what is private."""
    return {
        "kind": entity.kind,
        "id": entity.id,
        "name": entity.name,
        "facts": public_facts(entity),
        **({"disclosed": list(entity.disclosed)} if entity.disclosed else {}),
        **({"origins": [asdict(origin) for origin in entity.origins]} if entity.origins else {}),
        **({"doi": entity.doi} if entity.doi else {}),
        **({"published": entity.published.isoformat()} if entity.published else {}),
    }


def _entity(content: Mapping[str, Any]) -> Entity:
    kind, facts = _text(content, "kind"), content["facts"]
    if kind not in ENTITIES:
        raise ValueError(f"an entity of the kind {kind!r} is unknown; known are {', '.join(ENTITIES)}")
    forms = {fact.key: fact.form for fact in ENTITIES[kind].facts}
    if not isinstance(facts, dict) or not facts.keys() <= forms.keys():
        raise ValueError(f"the facts of the {kind} are unknown; known are {', '.join(forms)}")
    for key, value in facts.items():
        lines = value if forms[key] in ("list", "people") else [value]
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError(f"{key} of the {kind} is no text, or no list of texts")
    origins = tuple(
        Origin(_text(origin, "parent"), _text(origin, "how")) for origin in content.get("origins", [])
    )
    if unknown := [origin.how for origin in origins if origin.how not in HOWS]:
        raise ValueError(f"how a specimen was made, {unknown[0]!r}, is unknown; known are {', '.join(HOWS)}")
    disclosed = content.get("disclosed", [])
    if not isinstance(disclosed, list) or not all(isinstance(key, str) for key in disclosed):
        raise ValueError("disclosed: an item is no text")
    return Entity(
        kind=kind,
        id=_text(content, "id"),
        name=_text(content, "name"),
        facts=facts,
        disclosed=tuple(disclosed),
        origins=origins,
        doi=_text(content, "doi") if "doi" in content else "",
        published=_moment(content, "published") if "published" in content else None,
    )


def _moment(content: Mapping[str, Any], key: str) -> datetime:
    moment = datetime.fromisoformat(_text(content, key))
    if moment.tzinfo is None:
        raise ValueError(f"{key} {content[key]!r} has no time zone")
    return moment


def _text(content: Mapping[str, Any], key: str) -> str:
    text = content[key]
    if not isinstance(text, str):
        raise ValueError(f"{key} is {type(text).__name__}, not text")
    return text
