"""Specimens, proposals, instruments, facilities and the like: a list of each kind, and a page of each one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import HTTPException
from markupsafe import Markup
from sqlalchemy import Connection

from tomarium.catalogue.completeness import Completeness, completeness
from tomarium.catalogue.dois import DoiResult, states_of
from tomarium.catalogue.entities import (
    children_of,
    entities_of_kind,
    entity_of,
    members_of,
    records_of,
)
from tomarium.catalogue.entity_records import still_to_write
from tomarium.catalogue.institutions import institution_named, named_by, names_of, records_at
from tomarium.catalogue.log_access import KINDS as WITH_LOG
from tomarium.catalogue.log_access import keeps_log
from tomarium.catalogue.log_book import entries_of
from tomarium.catalogue.same_sample import claims_of
from tomarium.catalogue.search import named
from tomarium.model.entity import HOWS, INSTITUTIONS, KINDS, Entity, Kind, entity_line, public_facts
from tomarium.model.level import DEFAULT, for_level
from tomarium.model.same_sample import STATES, SameSampleClaim
from tomarium.portal.administration import is_keeper
from tomarium.portal.facet_links import with_query
from tomarium.portal.identity import identify
from tomarium.portal.levels import LevelLink, level_links, level_of
from tomarium.portal.log_shown import ShownEntry, shown_entries
from tomarium.portal.markdown import marked_down
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.result_card import FoundRecord, found_records
from tomarium.portal.signposting import entity_header
from tomarium.portal.where_shown import Where, where_shown
from tomarium.standards.identifiers import doi_address

CARDS = 24
"""Most records that are shown with their pictures."""
COUNTED = ("proposal", "collection", "specimen", "instrument")
"""Kinds of which it is told what their records lack."""
MOST_COUNTED = 200
"""Records of which that is told."""
LOGGED = 20
"""Most entries of the log book on a page."""


@dataclass(frozen=True)
class Named:
    """Something that has a page.

    Attributes
    ----------
    id, name, address, words : str
        Its identifier, its name, where its page is, and what it is to what is shown.
    """

    id: str
    name: str
    address: str
    words: str = ""


@dataclass(frozen=True)
class Row:
    """A fact on the page.

    Attributes
    ----------
    key, label : str
        As in `model.entity.Fact`.
    lines : tuple of str
        What is told.
    address : str
        Where it leads; "" where it does not.
    private : bool
        Whether only those who keep it see it.
    """

    key: str
    label: str
    lines: tuple[str, ...]
    address: str = ""
    private: bool = False


@dataclass(frozen=True)
class Box:
    """A field of the form.

    Attributes
    ----------
    key, label, text : str
        Key and label of a fact, and what is told now.
    private : bool
        Whether it is private now.
    long, listed : bool
        Whether it has several lines, and whether each is one of a list.
    hideable : bool
        Whether it is private unless it was disclosed.
    """

    key: str
    label: str
    text: str
    private: bool
    long: bool
    listed: bool
    hideable: bool


@dataclass(frozen=True)
class EntitiesPage:
    """Content of a list.

    Attributes
    ----------
    title, kind : str
        "Specimens"; "specimen".
    found : tuple of Named
        Those the reader may see, by their names.
    boxes : tuple of Box
        Of the form that makes another; empty where the reader may not.
    kinds : tuple of (str, str)
        Titles and names of the lists of all kinds.
    imports : bool
        Whether who asks may import publications.
    """

    title: str
    kind: str
    found: tuple[Named, ...]
    boxes: tuple[Box, ...] = field(metadata=FOR_PEOPLE)
    kinds: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    imports: bool = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class EntityPage:
    """Content of the page of one.

    Attributes
    ----------
    title, id, kind, doi : str
        As in `model.entity.Entity`.
    plural, above : str
        Name of its kind's list, and where that is.
    published : str
        ISO 8601; "" where it was not.
    description : str
        As it is told.
    body : Markup
        Of a document: its description as Markdown, as far as it is for the level, with words of the glossary.
    level, levels : str, tuple of LevelLink
        Of a document: for whom it is shown, and the switch.
    facts : tuple of Row
        What else is told.
    origins, children : tuple of Named
        What it was made from and what was made from it, as far as the reader sees them.
    records : tuple of Named
        Records of it and of what was made from it.
    cards : tuple of FoundRecord
        The first of these with their pictures.
    beyond : tuple of Named
        The others.
    members : tuple of Named
        Of a collection or a document; of a facility or an organisation the instruments, proposals, specimens and
        facilities that name it.
    all_records, records_found : str, int
        Of a facility or an organisation, where all records that name it are listed, and how many there are.
    log : tuple of ShownEntry
        The newest entries about it that the reader may read: of a proposal, specimen or instrument those who keep it
        read its log book, for one published record does not open that of the others.
    mine, may_publish : bool
        Whether the reader may change it, and publish it.
    boxes : tuple of Box
        Of the form.
    dois : tuple of DoiResult
        How far its DOI is, for those who keep it.
    said : str
        What was just done.
    behind : str
        That some records still tell what it said before, for those who keep it.
    keeps_log : bool
        Whether the reader may write into its log book.
    images : str
        Of a specimen, the page that shows its images in space.
    where : Where or None
        Of a specimen, where it is, for those who keep it.
    claims : tuple of SameSampleClaim
        Of a specimen, that it is the same sample as others elsewhere; those that were withdrawn last.
    claim_states : dict of str to str
        State of a claim → words.
    completeness : tuple of Completeness
        Of a proposal, collection, specimen or instrument, for those who keep it: what each of its records that are
        theirs to keep has and lacks; of the first 200.
    """

    title: str
    id: str
    kind: str
    doi: str
    plural: str = field(metadata=FOR_PEOPLE)
    above: str = field(metadata=FOR_PEOPLE)
    published: str
    description: str
    body: Markup = field(metadata=FOR_PEOPLE)
    level: str
    levels: tuple[LevelLink, ...] = field(metadata=FOR_PEOPLE)
    facts: tuple[Row, ...]
    origins: tuple[Named, ...]
    children: tuple[Named, ...]
    records: tuple[Named, ...]
    cards: tuple[FoundRecord, ...] = field(metadata=FOR_PEOPLE)
    beyond: tuple[Named, ...] = field(metadata=FOR_PEOPLE)
    members: tuple[Named, ...]
    all_records: str = field(metadata=FOR_PEOPLE)
    records_found: int = field(metadata=FOR_PEOPLE)
    log: tuple[ShownEntry, ...]
    mine: bool = field(metadata=FOR_PEOPLE)
    may_publish: bool = field(metadata=FOR_PEOPLE)
    boxes: tuple[Box, ...] = field(metadata=FOR_PEOPLE)
    dois: tuple[DoiResult, ...] = field(metadata=FOR_PEOPLE)
    hows: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)
    behind: str = field(metadata=FOR_PEOPLE)
    keeps_log: bool = field(metadata=FOR_PEOPLE)
    images: str = field(metadata=FOR_PEOPLE)
    where: Where | None
    claims: tuple[SameSampleClaim, ...]
    claim_states: dict[str, str] = field(metadata=FOR_PEOPLE)
    completeness: tuple[Completeness, ...] = field(default=(), metadata=FOR_PEOPLE)


def _list_of(kind: Kind) -> Callable[..., EntitiesPage]:
    def content(request_context: CurrentRequest) -> EntitiesPage:
        reader = request_context.reader
        with request_context.catalogue.reading() as connection:
            held_entities = entities_of_kind(connection, reader, kind.name)
        makes = identify(request_context.request).way != "nobody" and reader.role != "visitor"
        return EntitiesPage(
            title=kind.plural.capitalize(),
            kind=kind.name,
            found=tuple(
                _named(
                    request_context,
                    held_entity.entity,
                    entity_line(held_entity.entity).removeprefix(held_entity.entity.name).strip(),
                )
                for held_entity in held_entities
            ),
            boxes=_boxes(Entity(kind.name, "", "")) if makes else (),
            kinds=tuple((kind.plural.capitalize(), kind.plural) for kind in KINDS.values()),
            imports=is_keeper(request_context.request),
        )

    content.__doc__ = f"List the {kind.plural} that the reader may see."
    return content


def _page_of(kind: Kind) -> Callable[..., EntityPage]:
    def content(request_context: CurrentRequest, id: str, said: str = "") -> EntityPage:
        with request_context.catalogue.reading() as connection:
            held_entity = entity_of(connection, request_context.reader, id)
            if held_entity is None or held_entity.entity.kind != kind.name:
                raise HTTPException(404, f"There is no {kind.name} “{id[:80]}” in this catalogue.")
            shown = _shown(request_context, connection, held_entity.entity, held_entity.mine, said)
        if shown.mine and kind.name in COUNTED:
            ids = [one.id for one in (*shown.records, *shown.members)][:MOST_COUNTED]
            told, _ = completeness(request_context.catalogue, request_context.reader, ids)
            shown = replace(shown, completeness=tuple(told))
        return (
            _with_records(request_context, held_entity.entity, shown) if kind.name in INSTITUTIONS else shown
        )

    content.__doc__ = f"Show a {kind.name}, and the records of it that the reader may see."
    return content


def _shown(
    request_context: RequestContext, connection: Connection, entity: Entity, mine: bool, said: str
) -> EntityPage:
    reader, kind = request_context.reader, KINDS[entity.kind]
    public = public_facts(entity)
    document = entity.kind == "document"
    level = level_of(request_context.request) if document else DEFAULT
    description = str(entity.facts.get("description", ""))
    if document:
        description = for_level(description, level)
    is_institution = entity.kind in INSTITUTIONS
    members = (
        named_by(connection, reader, entity) if is_institution else members_of(connection, reader, entity.id)
    )
    id_titles = records_of(connection, reader, entity.id)
    records = tuple(Named(id, title, request_context.link("record", {"id": id})) for id, title in id_titles)
    subject = f"{kind.plural}/{entity.id}"
    with_log = kind.plural in WITH_LOG
    found_log = entries_of(connection, reader, subject, most=LOGGED) if with_log else ()

    def term(id: str) -> str:
        return f"{request_context.link('glossary')}#{id}"

    return EntityPage(
        title=entity.name,
        id=entity.id,
        kind=entity.kind,
        doi=entity.doi,
        plural=kind.plural.capitalize(),
        above=request_context.link(kind.plural),
        published=entity.published.isoformat() if entity.published else "",
        description=description,
        body=marked_down(description, term) if document and description else Markup(""),
        level=level,
        levels=level_links(request_context) if document else (),
        facts=tuple(
            _linked(
                *(request_context, connection, entity),
                _row(fact.key, fact.label, entity.facts[fact.key], private=fact.key not in public),
            )
            for fact in kind.facts
            if fact.key in entity.facts and fact.key not in ("description", "members")
        ),
        origins=tuple(
            _named(request_context, above.entity, HOWS[origin.how])
            for origin in entity.origins
            if (above := entity_of(connection, reader, origin.parent))
        ),
        children=tuple(
            _named(request_context, child, f"{HOWS[how]} it")
            for child, how in children_of(connection, reader, entity.id)
        ),
        records=records,
        beyond=records[CARDS:],
        cards=found_records(
            request_context, named(connection, reader, [id for id, _ in id_titles[:CARDS]]), level
        ),
        members=tuple(
            Named(id, name, request_context.link(text, {"id": id}), text) for text, id, name in members
        ),
        all_records="",
        records_found=len(records),
        log=shown_entries(request_context, connection, found_log),
        keeps_log=with_log and bool(keeps_log(connection, reader, subject)) and reader.name != "",
        images=request_context.link("specimen_images", {"id": entity.id})
        if entity.kind == "specimen"
        else "",
        where=where_shown(request_context, connection, reader, entity.id)
        if entity.kind == "specimen"
        else None,
        claims=tuple(claims_of(connection, reader, entity.id)) if entity.kind == "specimen" else (),
        claim_states=STATES,
        mine=mine,
        may_publish=mine and reader.sees_all and entity.published is None,
        boxes=_boxes(entity) if mine else (),
        dois=tuple(states_of(connection, f"{kind.plural}/{entity.id}")) if mine else (),
        hows=tuple(HOWS.items()),
        said=said,
        behind=still_to_write(connection, entity.id) if mine else "",
    )


def _with_records(request_context: RequestContext, institution: Entity, shown: EntityPage) -> EntityPage:
    """Show the newest records that name a facility or an organisation, and where all of them are."""
    page = records_at(request_context.catalogue, request_context.reader, institution)
    link = request_context.link
    return replace(
        shown,
        records=tuple(Named(hit.id, hit.title, link("record", {"id": hit.id})) for hit in page.hits),
        cards=found_records(request_context, page.hits, shown.level),
        all_records=with_query(link("records"), {"facility": names_of(institution)}) if page.total else "",
        records_found=page.total,
    )


def _linked(request_context: RequestContext, connection: Connection, entity: Entity, row: Row) -> Row:
    """Link a fact that names a facility or an organisation to its page, where there is one."""
    institution = institution_named(connection, request_context.reader, row.key, dict(entity.facts))
    if row.address or institution is None:
        return row
    return replace(row, address=request_context.link(institution.kind, {"id": institution.id}))


def _named(request_context: RequestContext, entity: Entity, words: str) -> Named:
    return Named(entity.id, entity.name, request_context.link(entity.kind, {"id": entity.id}), words)


def _row(key: str, label: str, value: Any, *, private: bool) -> Row:
    lines = (value,) if isinstance(value, str) else tuple(value)
    address = ""
    if key in ("ror", "facility_ror", "institution_ror"):
        address = f"https://ror.org/{value}"
    elif key == "paper_doi":
        address = doi_address(str(value))
    elif len(lines) == 1 and lines[0].startswith(("https://", "http://")):
        address = lines[0]
    return Row(key, label, lines, address, private)


def _boxes(entity: Entity) -> tuple[Box, ...]:
    boxes = []
    for fact in KINDS[entity.kind].facts:
        value = entity.facts.get(fact.key, "")
        listed = fact.form in ("list", "people")
        long = listed or fact.key in ("description", "medical_history")
        text = value if isinstance(value, str) else "\n".join(value)
        private = fact.private and fact.key not in entity.disclosed
        boxes.append(Box(fact.key, fact.label, text, private, long, listed, fact.private))
    return tuple(boxes)


def _pages(kind: Kind) -> tuple[Page, Page]:
    listed = Page(kind.plural, f"/{kind.plural}", f"/{kind.plural}.json", "entities.html", _list_of(kind))
    path = f"/{kind.plural}/{{id}}"
    return listed, Page(
        kind.name,
        path,
        f"{path}.json",
        "entity.html",
        _page_of(kind),
        levels=kind.name == "document",
        links=entity_header,
    )


SPECIMENS, SPECIMEN = _pages(KINDS["specimen"])
PROPOSALS, PROPOSAL = _pages(KINDS["proposal"])
INSTRUMENTS, INSTRUMENT = _pages(KINDS["instrument"])
FACILITIES, FACILITY = _pages(KINDS["facility"])
ORGANISATIONS, ORGANISATION = _pages(KINDS["organisation"])
COLLECTIONS, COLLECTION = _pages(KINDS["collection"])
DOCUMENTS, DOCUMENT = _pages(KINDS["document"])
