"""Records and entities as plain fields, so that three states of each can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tomarium.catalogue.edit import Changes
from tomarium.catalogue.life import OPENS_ON
from tomarium.importers.found import DraftEntity, DraftRecord
from tomarium.model import Record, Value
from tomarium.model.entity import KINDS, Entity, read_fact
from tomarium.model.parameter import is_private
from tomarium.model.person import read_person, write_person
from tomarium.model.publication import read_funding, read_related, write_funding, write_related
from tomarium.pipeline.run.provenance import plain

PARAMETER: Final = "parameter "
"""What the name of a field that is a parameter begins with."""
_TEXTS: Final = ("title", "description", "licence", "specimen", "proposal", "instrument")
_LISTS: Final = ("keywords", "techniques")


@dataclass(frozen=True)
class Conflict:
    """A field that somebody changed here, and that the source tells otherwise; it was kept.

    Attributes
    ----------
    id, field : str
        Of what, and which.
    here, there : JSON value
        What stands here, and what the source tells.
    """

    id: str
    field: str
    here: Any
    there: Any


def told_record(draft: DraftRecord, ids: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Return the fields that a source tells of a record; what it does not tell is not among them.

    Parameters
    ----------
    draft : DraftRecord
        As the source tells it.
    ids : Mapping of (str, str) to str
        Kind and key of what is filed already → its identifier here.
    """
    fields: dict[str, Any] = {
        "title": " ".join(draft.title.split()),
        "description": draft.description,
        "licence": draft.licence,
        "creators": [write_person(creator) for creator in draft.creators],
        "keywords": list(draft.keywords),
        "techniques": list(draft.techniques),
        "related": [write_related(related) for related in draft.related],
        "funding": [write_funding(funding) for funding in draft.funding],
        "specimen": ids.get(("specimen", draft.specimen), ""),
        "proposal": ids.get(("proposal", draft.proposal), ""),
        "instrument": ids.get(("instrument", draft.instrument), ""),
    }
    derived = [ids[("record", key)] for key in draft.derived_from if ("record", key) in ids]
    fields["related"] += [f"IsDerivedFrom {id}" for id in derived]
    public = {key: value for key, value in draft.parameters.items() if not is_private(key)}
    if draft.opens is not None and draft.opens > datetime.now(UTC):
        fields[f"{PARAMETER}{OPENS_ON}"] = f"{draft.opens:%Y-%m-%d}"
    return {key: field for key, field in fields.items() if field} | {
        f"{PARAMETER}{key}": plain(value.value) for key, value in public.items()
    }


def private_parameters(draft: DraftRecord) -> dict[str, Value[Any]]:
    """Return the parameters of a record that are withheld."""
    return {key: value for key, value in draft.parameters.items() if is_private(key)}


def record_here(record: Record) -> dict[str, Any]:
    """Return the same fields of a record as it is."""
    fields: dict[str, Any] = {
        "title": record.title,
        "description": record.description,
        "licence": record.licence,
        "creators": [write_person(creator) for creator in record.creators],
        "keywords": list(record.keywords),
        "techniques": list(record.techniques),
        "related": [write_related(related) for related in record.related],
        "funding": [write_funding(funding) for funding in record.funding],
        "specimen": record.specimen,
    }
    for kind in ("proposal", "instrument"):
        entity = record.entity(kind)
        fields[kind] = entity.id if entity else ""
    return fields | {f"{PARAMETER}{key}": plain(value.value) for key, value in record.parameters.items()}


def changes_of(fields: Mapping[str, Any], draft: DraftRecord) -> Changes:
    """Return what is to be changed of a record."""
    changes: dict[str, Any] = {key: fields[key] for key in _TEXTS if key in fields}
    changes |= {key: tuple(fields[key]) for key in _LISTS if key in fields}
    readers = {"creators": read_person, "related": read_related, "funding": read_funding}
    changes |= {
        key: tuple(read(item) for item in fields[key]) for key, read in readers.items() if key in fields
    }
    parameters = {key: draft.parameters[key] for key in draft.parameters if f"{PARAMETER}{key}" in fields}
    if opens := fields.get(f"{PARAMETER}{OPENS_ON}"):
        parameters[OPENS_ON] = Value(opens, "read", f"{draft.key}: release")
    return Changes(**changes, parameters=parameters)


def told_entity(draft: DraftEntity, ids: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Return what a source tells of an entity."""
    facts: dict[str, Any] = {
        key: read_fact(draft.kind, key, text) for key, text in draft.facts.items() if text.strip()
    }
    members = [ids[member] for member in draft.members if member in ids]
    return {"name": " ".join(draft.name.split())} | facts | ({"members": members} if members else {})


def entity_here(entity: Entity) -> dict[str, Any]:
    """Return the same of an entity as it is."""
    return {"name": entity.name, **entity.facts}


def as_typed(kind: str, fields: Mapping[str, Any]) -> dict[str, str]:
    """Write facts as people type them."""
    fact_keys = {fact.key for fact in KINDS[kind].facts}
    return {
        key: field if isinstance(field, str) else "\n".join(field)
        for key, field in fields.items()
        if key in fact_keys
    }


def merge(
    id: str,
    fields: Mapping[str, Any],
    told_before: Mapping[str, Any],
    filed: Mapping[str, Any],
    fields_here: Mapping[str, Any],
) -> tuple[dict[str, Any], list[Conflict]]:
    """Compare what a source tells now with what it told before, what was filed of that, and what stands here.

    Parameters
    ----------
    id : str
        Identifier here.
    fields, told_before, filed, fields_here : Mapping of str to JSON values
        Fields.

    Returns
    -------
    changes : dict of str to JSON value
        Fields that take what the source tells: it changed there and not here, or nothing stands here.
    conflicts : list of Conflict
        Fields that somebody changed here and that the source tells otherwise.
    """
    changes, conflicts = {}, []
    for key, value in fields.items():
        value_here = fields_here.get(key)
        if value_here == value:
            continue
        if key not in filed and value_here in (None, "", []):
            changes[key] = value
        elif value_here == filed.get(key):
            if value != told_before.get(key):
                changes[key] = value
        else:
            conflicts.append(Conflict(id, key.removeprefix(PARAMETER), value_here, value))
    return changes, conflicts


def digest_of(*values: Any) -> str:
    """Return one checksum of JSON values."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
