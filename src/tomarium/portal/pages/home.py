"""The first page: what this is, the search, a specimen with its label, and the newest records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fastapi import HTTPException

from tomarium.catalogue import Hit, search
from tomarium.catalogue.entities import published_collection
from tomarium.catalogue.kept_counts import facets_of_all
from tomarium.catalogue.search import named
from tomarium.catalogue.words import snippet
from tomarium.errors import StoreUnavailable
from tomarium.model.level import DEFAULT
from tomarium.portal.facet_links import Facet, facet_links
from tomarium.portal.levels import LevelLink, level_links, level_of
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.news import NewsLine, newest_news
from tomarium.portal.pages.texts import TextPage, page_of
from tomarium.portal.record_facts import Bar, label_rows, picture_bar, stamp_of
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.result_card import FoundRecord, found_records
from tomarium.portal.texts import shown_text

NEWEST = 8
LOOKED_AT = 24  # for that many that are not withdrawn
WORDS = 4
NEWS = 3
THUMBNAIL = "previews/thumbnail.png"


@dataclass(frozen=True)
class Specimen:
    """The record that is shown with its label.

    Attributes
    ----------
    id, title, created, creators, licence
        As in `model.Record`; `created` is ISO 8601.
    snippet : str
        As in `catalogue.Hit`.
    page, picture : str
        Address of its page, and of its small picture.
    width, height : int
        Of the picture, in voxels.
    bar : Bar or None
        The picture's scale bar; None where the voxel size is not known.
    facts : tuple of tuple of str
        Rows of its label.
    featured : bool
        Whether the curators chose it; it is the newest otherwise.
    stamp : str
        What its label's stamp says of its files: "open files", "under embargo" …
    """

    id: str
    title: str
    snippet: str
    created: str
    creators: tuple[str, ...]
    licence: str
    page: str
    picture: str
    width: int
    height: int
    bar: Bar | None
    facts: tuple[tuple[str, str], ...]
    featured: bool
    stamp: str


CABINETS: Final = ("technique", "taxon", "instrument", "holds", "licence", "year")
"""Facets of the first page, the most telling first."""
MOST_CABINETS: Final = 4


@dataclass(frozen=True)
class Choice:
    """The collection that the curators chose.

    Attributes
    ----------
    title, description : str
        Its name, and what it says of itself.
    page : str
        Address of its page.
    hits : tuple of FoundRecord
        Records of it that the reader may see, in its order.
    """

    title: str
    description: str
    page: str
    hits: tuple[FoundRecord, ...]


@dataclass(frozen=True)
class HomePage:
    """Content of the first page.

    Attributes
    ----------
    title : str
        Of the page.
    total : int
        Records in the catalogue.
    hits : tuple of FoundRecord
        The newest that are not withdrawn.
    specimen : Specimen or None
        The curators' record, or the newest that has a picture; None where there is none.
    words : tuple of str
        Keywords of the specimen, to be searched for.
    choice : Choice or None
        The curators' collection, where one is set, published and holds a record that the reader may see.
    level, levels : str, tuple of LevelLink
        For whom the cards are told, and the switch.
    text : TextPage or None
        What this is, in the words of the portal; None where that page was taken away.
    news : tuple of NewsLine
        The newest.
    facets : tuple of Facet
        What the records have in common, where they differ in it.
    """

    title: str
    total: int
    hits: tuple[FoundRecord, ...]
    specimen: Specimen | None = field(metadata=FOR_PEOPLE)
    words: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    choice: Choice | None = None
    level: str = DEFAULT
    levels: tuple[LevelLink, ...] = field(default=(), metadata=FOR_PEOPLE)
    text: TextPage | None = None
    news: tuple[NewsLine, ...] = ()
    facets: tuple[Facet, ...] = field(default=(), metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> HomePage:
    """Show the newest records; `level=pupil` and `student` tell their cards in plain words."""
    level = level_of(request_context.request)
    page = search(request_context.catalogue, request_context.reader, limit=LOOKED_AT)
    newest = [hit for hit in page.hits if hit.state != "withdrawn"][:NEWEST]
    specimen, words = _specimen(request_context, newest, level)
    hits = found_records(request_context, newest, level)
    choice = _choice(request_context, level)
    with request_context.catalogue.reading() as connection:
        shown = shown_text(connection, request_context.reader, "pages/home", request_context.language)
        news = newest_news(request_context, connection)[:NEWS]
    text = page_of(request_context, shown) if shown else None
    return HomePage(
        title=text.title if text else request_context.settings["name"],
        total=page.total,
        hits=hits,
        specimen=specimen,
        words=words,
        choice=choice,
        level=level,
        levels=level_links(request_context),
        text=text,
        news=news,
        facets=_cabinets(request_context),
    )


def _cabinets(request_context: RequestContext) -> tuple[Facet, ...]:
    """Count by facets as the list of records does; not among pages that are files, which have no such list."""
    if request_context.request.app.state.as_files:
        return ()
    counted = facets_of_all(request_context.catalogue, request_context.reader)
    facets = {facet.name: facet for facet in facet_links(counted, request_context.link("records"), {})}
    differing = [facets[name] for name in CABINETS if name in facets and len(facets[name].choices) > 1]
    return tuple(differing[:MOST_CABINETS])


def _choice(request_context: RequestContext, level: str) -> Choice | None:
    id = request_context.settings["curators_choice"]
    if not id:
        return None
    with request_context.catalogue.reading() as connection:
        published = published_collection(connection, id)
        if published is None:
            return None
        collection, members = published
        hits = named(connection, request_context.reader, members)[:NEWEST]
    if not hits:
        return None
    return Choice(
        collection.name,
        str(collection.facts.get("description", "")),
        request_context.link("collection", {"id": id}),
        found_records(request_context, hits, level),
    )


def _specimen(
    request_context: RequestContext, hits: Iterable[Hit], level: str
) -> tuple[Specimen | None, tuple[str, ...]]:
    """Choose the curators' record, else the newest that has a picture and can be read; and some of its keywords."""
    chosen = request_context.settings["featured"]
    for id in filter(None, (chosen, *(hit.id for hit in hits if hit.thumbnail))):
        try:
            record, _ = request_context.record(id)
        except StoreUnavailable:  # its page says so; asking for the next would keep the reader waiting
            break
        except HTTPException:  # its folder is gone or damaged, which its own page says; or it is not open
            continue
        picture = next((entry.path for entry in record.files if entry.path == THUMBNAIL), None)
        if picture is None:
            continue
        shape: Sequence[int] = tuple(record.volume.get("shape") or ())
        specimen = Specimen(
            id=record.id,
            title=(level != DEFAULT and record.card.title) or record.title,
            snippet=record.card.what if level == "pupil" else snippet(record.description, ()),
            created=record.created.isoformat(),
            creators=tuple(person.name for person in record.creators),
            licence=record.licence,
            page=request_context.link("record", {"id": record.id}),
            picture=request_context.link("file", {"id": record.id, "path": picture}),
            width=shape[2] if len(shape) == 3 else 512,
            height=shape[1] if len(shape) == 3 else 512,
            bar=picture_bar(record),
            facts=tuple(row for row in label_rows(record, request_context.language) if row[0] != "Volume"),
            featured=id == chosen,
            stamp=stamp_of(record),
        )
        return specimen, tuple(word for word in record.keywords if len(word) <= 40)[:WORDS]
    return None, ()


HOME = Page(
    name="home", path="/", json_path="/index.json", template="home.html", content=content, levels=True
)
