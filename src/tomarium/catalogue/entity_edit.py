"""Making and changing specimens, proposals, instruments and the like; their records are kept in step."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from tomarium.catalogue import form_words
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.cited_by import follow_document, note_members
from tomarium.catalogue.dois import ask_for_entity
from tomarium.catalogue.entities import (
    Held,
    ancestors,
    demand_entity,
    descendants,
    reach,
    records_below,
    row_of,
)
from tomarium.catalogue.entity_records import ask_to_rewrite, rewrite_now
from tomarium.catalogue.reader import MEMBERS, NotAllowed, Reader, demand_role
from tomarium.catalogue.record_changes import note_changes
from tomarium.catalogue.record_folder import ID
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tables import entities, origins
from tomarium.catalogue.words import name_from
from tomarium.errors import InputError, ParameterError
from tomarium.model.entity import HOWS, INSTITUTIONS, KINDS, Entity, read_fact
from tomarium.model.sentence import Sentence


def make_entity(
    catalogue: Catalogue, reader: Reader, kind: str, name: str, facts: Mapping[str, str], id: str = ""
) -> Entity:
    """Make a specimen, proposal, instrument, or another of a kind of `model.entity.KINDS`.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose it becomes.
    kind : str
        A key of `model.entity.KINDS`.
    name : str
        One line for people.
    facts : Mapping of str to str
        Key of a fact → what is told, as people type it.
    id : str
        Its identifier; one is made from the name where it is "".

    Returns
    -------
    Entity
        As it is now; seen by its owner and curators until a record is of it or it is published.

    Raises
    ------
    InputError
        There is no such kind or fact, the name is empty, or the identifier is none or taken.
    NotAllowed
        A visitor asks.
    """
    demand_role(reader, *MEMBERS, to=f"make a {kind}")
    if kind not in KINDS:
        raise ParameterError(f"there is no kind {kind[:40]!r}; there are {', '.join(KINDS)}")
    if id and not ID.fullmatch(id):
        raise ParameterError(Sentence(form_words.NO_IDENTIFIER, text=repr(id[:80])))
    read = {key: read_fact(kind, key, text) for key, text in facts.items()}
    filled_facts = {key: value for key, value in read.items() if value}
    with catalogue.writing() as connection:
        entity = Entity(
            kind, id or _free_id(connection, _named(kind, name)), _named(kind, name), filled_facts
        )
        if connection.execute(select(entities.c.id).where(entities.c.id == entity.id)).first():
            raise InputError(Sentence(form_words.IDENTIFIER_TAKEN, id=entity.id))
        connection.execute(insert(entities).values(**row_of(entity, reader.name), published_utc=None, doi=""))
        note_members(connection, entity)
        note(connection, reader, f"new {kind}", told=[entity.id])
    return entity


def change_entity(
    catalogue: Catalogue,
    reader: Reader,
    id: str,
    facts: Mapping[str, str],
    *,
    name: str | None = None,
    disclosed: Iterable[str] | None = None,
    team: str | None = None,
) -> Entity:
    """Change what is told of an entity; the crates and DOIs of its records follow.

    The change and a job to write the records are noted together. Up to `entity_records.AT_ONCE` records are written
    before this returns; else a worker writes them. Where something that was public is taken back, nobody sees it from
    the change on, whatever the records' crates still tell.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Its owner, somebody of its team, or a curator.
    id : str
        Its identifier.
    facts : Mapping of str to str
        Key of a fact → what is told; "" takes it away. Facts that are not named stay.
    name : str, optional
        Another name.
    disclosed : iterable of str, optional
        Keys of all private facts that are public from now on.
    team : str, optional
        A group of people who may change it too.

    Returns
    -------
    Entity
        As it is now.

    Raises
    ------
    InputError
        There is none that the reader may see and change, or a fact is none of its kind.
    """
    with catalogue.writing() as connection:
        before = demand_mine(connection, reader, id)
        kind = before.entity.kind
        new_facts = dict(before.entity.facts) | {
            key: read_fact(kind, key, text) for key, text in facts.items()
        }
        filled_facts = {key: value for key, value in new_facts.items() if value}
        public = tuple(before.entity.disclosed if disclosed is None else dict.fromkeys(disclosed))
        private = [fact.key for fact in KINDS[kind].facts if fact.private]
        if unknown := [key for key in public if key not in private]:
            raise ParameterError(
                f"{unknown[0]}: is no private fact of a {kind}; there are {', '.join(private)}"
            )
        values = {
            "name": before.entity.name if name is None else _named(kind, name),
            "facts": filled_facts,
            "disclosed": list(public),
            "changed_utc": time.time(),
            **({} if team is None else {"team": team}),
        }
        connection.execute(update(entities).where(entities.c.id == id).values(**values))
        note(connection, reader, f"edit {kind}", told=[id, *facts])
        if kind == "collection" and "members" in facts and before.entity.published is not None:
            moved = set(before.entity.facts.get("members", ())) ^ set(filled_facts.get("members", ()))
            note_changes(connection, sorted(moved))
        hides = not set(before.entity.disclosed) <= set(public) or not set(before.entity.facts) <= set(
            filled_facts
        )
        job = _follow(connection, reader, id, hides=hides)
        changed = demand_entity(connection, reader, id).entity
        note_members(connection, changed)
    rewrite_now(catalogue, reader, id, job)
    follow_document(catalogue, reader, before.entity, changed)
    return changed


def link_specimen(
    catalogue: Catalogue, reader: Reader, child: str, parent: str, how: str, *, remove: bool = False
) -> None:
    """Say that a specimen was made from another, or take it back.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose the child is; the parent must be the reader's too, or published, since the child's readers see it.
    child, parent : str
        Identifiers of two specimens.
    how : str
        A key of `model.entity.HOWS`.
    remove : bool
        Whether it is taken back.

    Raises
    ------
    InputError
        There are no such specimens, or the parent was made from the child, directly or not.
    """
    if how not in HOWS:
        raise ParameterError(
            Sentence(form_words.NO_WAY_OF_MAKING, text=repr(how[:40]), names=", ".join(HOWS))
        )
    with catalogue.writing() as connection:
        held_child = demand_mine(connection, reader, child)
        above = demand_entity(connection, reader, parent)
        if not above.mine and above.entity.published is None:
            raise NotAllowed(
                f"{parent}: is not {reader.name or 'a visitor'}'s, and was not published; ask its owner"
            )
        for held_entity in (held_child.entity, above.entity):
            if held_entity.kind != "specimen":
                raise InputError(Sentence(form_words.ONLY_SPECIMENS, id=held_entity.id))
        if child == parent or child in ancestors(connection, [parent]):
            raise InputError(
                f"{child}: {parent} is {'the same' if child == parent else 'made from it'}, so it cannot be "
                f"made from {parent}; take the other link back first"
            )
        connection.execute(delete(origins).where(origins.c.child == child, origins.c.parent == parent))
        if not remove:
            connection.execute(insert(origins).values(child=child, parent=parent, how=how))
        note(connection, reader, "unlink specimen" if remove else "link specimen", told=[child, parent, how])
        job = _follow(connection, reader, child, linked=True, hides=remove)
    rewrite_now(catalogue, reader, child, job)


def publish_entity(catalogue: Catalogue, reader: Reader, id: str, *, doi: bool = True) -> Entity:
    """Publish an entity: everybody may see it, without its private facts, and it gets a DOI.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        A curator.
    id : str
        Its identifier.
    doi : bool
        Whether it gets a DOI, where the catalogue has a prefix; a facility or an organisation gets none, for ROR
        names it. The worker tells it to DataCite.

    Returns
    -------
    Entity
        As it is now; what was published before stays as it is.
    """
    demand_role(reader, "curator", to="publish what records are of and come from")
    with catalogue.writing() as connection:
        held_entity = demand_entity(connection, reader, id)
        if held_entity.entity.published is not None:
            return held_entity.entity
        settings = all_settings(connection)
        prefix = settings["doi_prefix"] if doi and held_entity.entity.kind not in INSTITUTIONS else ""
        new_doi = f"{prefix}/{held_entity.entity.kind}/{id}" if prefix else ""
        moment = datetime.now(UTC).replace(microsecond=0).timestamp()
        connection.execute(
            update(entities).where(entities.c.id == id).values(published_utc=moment, doi=new_doi)
        )
        note(connection, reader, f"publish {held_entity.entity.kind}", told=[id, new_doi])
        if held_entity.entity.kind == "collection":
            note_changes(connection, held_entity.entity.facts.get("members", ()))
        job = _follow(connection, reader, id)
        published = demand_entity(connection, reader, id).entity
    rewrite_now(catalogue, reader, id, job)
    follow_document(catalogue, reader, None, published)
    return published


def demand_mine(connection: Connection, reader: Reader, id: str) -> Held:
    """Return an entity that is a reader's to change, or refuse."""
    held_entity = demand_entity(connection, reader, id)
    if not held_entity.mine:
        raise NotAllowed(Sentence(form_words.NOT_YOURS, id=id, name=reader.name or "a visitor"))
    return held_entity


def _follow(
    connection: Connection, reader: Reader, changed: str, *, linked: bool = False, hides: bool = False
) -> int | None:
    """Tell DataCite, and note that the records of an entity follow; the job for `rewrite_now`, if any."""
    settings, below = all_settings(connection), descendants(connection, [changed])
    for id in (changed, *ancestors(connection, [changed]), *below):
        ask_for_entity(connection, id, settings["address"])
    if linked:  # who sees what changes with the link itself
        reach(connection, records_below(connection, [changed, *below]))
    return ask_to_rewrite(connection, reader, changed, hides=hides)


def _named(kind: str, name: str) -> str:
    if not (line := " ".join(name.split())):
        raise ParameterError(Sentence(form_words.ENTITY_WITHOUT_NAME))
    return line


def _free_id(connection: Connection, name: str) -> str:
    """Make an identifier from a name that no other entity has."""
    start = name_from(name) or "entity"
    ids = set(
        connection.execute(
            select(entities.c.id).where(entities.c.id.startswith(start, autoescape=True))
        ).scalars()
    )
    if start not in ids:
        return start
    return next(
        candidate for number in range(2, len(ids) + 3) if (candidate := f"{start}-{number}") not in ids
    )
