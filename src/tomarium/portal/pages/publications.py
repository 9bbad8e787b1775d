"""Publications: papers by year, and the data that each of them used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from fastapi import Query
from sqlalchemy import Connection

from tomarium.catalogue.entities import Held, entities_of_kind, members_of
from tomarium.catalogue.words import fold
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.texts import TextPage, find_text, page_of
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.standards.identifiers import doi_address

PAPERS: Final = ("paper", "article", "thesis", "book", "preprint", "proceedings", "chapter", "report")
"""Words in the type of a document that make it a publication; so does a DOI."""
SORTS: Final = {"newest": "Newest first", "oldest": "Oldest first", "title": "By title"}
Sort = Literal["newest", "oldest", "title"]


@dataclass(frozen=True)
class Used:
    """What a publication is about.

    Attributes
    ----------
    title, address, kind : str
        Its name, where its page is, and "record", "specimen" …
    """

    title: str
    address: str
    kind: str


@dataclass(frozen=True)
class Publication:
    """A publication.

    Attributes
    ----------
    title, page, authors, year, type, doi : str
        As it says itself; "" for what it does not.
    link : str
        Address of the paper; "" where none is known.
    used : tuple of Used
        Records and what else it is about, as far as the reader may see them.
    """

    title: str
    page: str
    authors: str
    year: str
    type: str
    doi: str
    link: str
    used: tuple[Used, ...]


@dataclass(frozen=True)
class YearLink:
    """A year to choose.

    Attributes
    ----------
    year : str
        "2014", or "" for all.
    count : int
        How many publications there are of it.
    chosen : bool
        Whether it is asked for.
    """

    year: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class PublicationsPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    text : TextPage
        What stands above the list.
    q, year, sort : str
        What was asked for.
    data : bool
        Whether only those are shown that name their data.
    total : int
        How many there are, whatever is asked for.
    publications : tuple of Publication
        Those asked for.
    years : tuple of YearLink
        To choose from.
    sorts : tuple of (str, str)
        To choose from.
    """

    title: str
    text: TextPage
    q: str
    year: str
    sort: str
    data: bool
    total: int
    publications: tuple[Publication, ...]
    years: tuple[YearLink, ...]
    sorts: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    q: Annotated[
        str, Query(max_length=200, description="Words of title, authors or DOI that must all occur")
    ] = "",
    year: Annotated[str, Query(max_length=10, description="Year, such as 2014")] = "",
    sort: Annotated[Sort, Query(description="Which come first")] = "newest",
    data: Annotated[bool, Query(description="Only those that name the data they used")] = False,
) -> PublicationsPage:
    """List publications by year, with the data they used."""
    text = page_of(request_context, find_text(request_context, "pages/publications"))
    with request_context.catalogue.reading() as connection:
        documents = [
            entity
            for entity in entities_of_kind(connection, request_context.reader, "document")
            if _is_publication(entity)
        ]
        every = [_publication(request_context, connection, publication) for publication in documents]
    publications = [
        publication for publication in every if _holds(publication, q) and (publication.used or not data)
    ]
    counts: dict[str, int] = {}
    for publication in publications:
        counts[publication.year] = counts.get(publication.year, 0) + 1
    shown = [publication for publication in publications if not year or publication.year == year]
    shown.sort(key=lambda publication: fold(publication.title))
    if sort != "title":
        shown.sort(key=lambda publication: publication.year, reverse=sort == "newest")
    years = [YearLink(count, counts[count], count == year) for count in sorted(counts, reverse=True) if count]
    return PublicationsPage(
        title=text.title,
        text=text,
        q=q,
        year=year,
        sort=sort,
        data=data,
        total=len(every),
        publications=tuple(shown),
        years=tuple(years),
        sorts=tuple(SORTS.items()),
    )


def _is_publication(document: Held) -> bool:
    kind = str(document.entity.facts.get("type", "")).casefold()
    return bool(document.entity.facts.get("paper_doi")) or any(word in kind for word in PAPERS)


def _publication(context: RequestContext, connection: Connection, document: Held) -> Publication:
    facts, doi = document.entity.facts, str(document.entity.facts.get("paper_doi", ""))
    return Publication(
        title=document.entity.name,
        page=context.link("document", {"id": document.entity.id}),
        authors="; ".join(facts.get("authors", ())),
        year=str(facts.get("year", ""))[:4],
        type=str(facts.get("type", "")),
        doi=doi,
        link=doi_address(doi) if doi else str(facts.get("address", "")),
        used=tuple(
            Used(name, context.link(kind, {"id": id}), kind)
            for kind, id, name in members_of(connection, context.reader, document.entity.id)
        ),
    )


def _holds(publication: Publication, q: str) -> bool:
    words = fold(" ".join((publication.title, publication.authors, publication.doi)))
    return all(any(word.startswith(text) for word in words) for text in fold(q))


PUBLICATIONS = Page(
    name="publications",
    path="/publications",
    json_path="/publications.json",
    template="publications.html",
    content=content,
    levels=True,
)
