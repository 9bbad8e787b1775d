"""All records, or those that hold some words, have some facets or numbers within some range, page by page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import Query

from tomarium.catalogue import search
from tomarium.catalogue.asked import Asked, read_asked
from tomarium.catalogue.companions import NAME as COMPANIONS
from tomarium.catalogue.facets import FACETS
from tomarium.portal.facet_links import Facet, facet_links, with_query
from tomarium.portal.fewer_conditions import Without, without_links
from tomarium.portal.identity import identify
from tomarium.portal.levels import LevelLink, level_links, level_of
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.result_card import FoundRecord, found_records
from tomarium.portal.spread_links import ShownSpread, bounds_of, spread_links

USUAL = 24
"""Records on a page."""

Values = Annotated[list[str] | None, Query(description="Value of a facet; of several any will do")]
Companions = Annotated[
    list[str] | None,
    Query(
        alias=COMPANIONS,
        description="Technique of another image of the specimen, such as ct, eds or PaNET01207; of several all must be "
        "among its images",
    ),
]


@dataclass(frozen=True)
class AskedRange:
    """A range of numbers that was asked for.

    Attributes
    ----------
    name, range : str
        As it was asked: "pixel", "<1um".
    address : str
        Where it is not asked.
    low, high : float or None
        Its bounds in `unit`, of a parameter that is spread; None where there is none.
    unit : str
        Of these.
    """

    name: str
    range: str
    address: str
    low: float | None = field(default=None, metadata=FOR_PEOPLE)
    high: float | None = field(default=None, metadata=FOR_PEOPLE)
    unit: str = field(default="", metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class RecordsPage:
    """Content of a list of records.

    Attributes
    ----------
    title : str
        Of the page.
    q : str
        What was asked for.
    total : int
        Records found.
    more : bool
        There are more than `total`.
    first, last : int
        Numbers of the first and the last hit on this page, from 1; 0 where there is none.
    hits : tuple of FoundRecord
        The most relevant first; the newest first where nothing was asked.
    previous, next : str or None
        Addresses of the pages beside this one.
    sort : str
        "relevance" or "newest": which come first here.
    facets : tuple of Facet
        What the records have in common; empty where it was not counted: JSON counts with `facets=1`, the page where
        it is the first.
    facets_of_newest : bool
        The facets count only the 20 000 newest of what words and ranges find.
    spreads : tuple of ShownSpread
        How sizes of voxels and pixels, and energies, of the records found are spread; told where facets are counted.
    ranges : tuple of AskedRange
        Ranges that were asked for.
    filtered : bool
        Whether facets, ranges or other images were asked for.
    level, levels : str, tuple of LevelLink
        For whom the cards are told, and the switch.
    feed : str
        Address of the Atom feed of this search; "" where there is none.
    asked : str
        What is asked for, as `catalogue.asked` spells it.
    other_order : str
        Address of the same search in the other order; "" where there is one order only.
    without : tuple of Without
        Where nothing is found: what is found with one condition less.
    saves : str
        "yes" where who asks may save the search, "sign in" where it takes an account, "" where nobody may.
    """

    title: str
    q: str
    total: int
    more: bool
    first: int
    last: int
    hits: tuple[FoundRecord, ...]
    previous: str | None
    next: str | None
    sort: str
    facets: tuple[Facet, ...]
    facets_of_newest: bool
    spreads: tuple[ShownSpread, ...]
    ranges: tuple[AskedRange, ...]
    filtered: bool
    level: str
    levels: tuple[LevelLink, ...] = field(metadata=FOR_PEOPLE)
    feed: str = ""
    asked: str = field(default="", metadata=FOR_PEOPLE)
    other_order: str = field(default="", metadata=FOR_PEOPLE)
    without: tuple[Without, ...] = field(default=(), metadata=FOR_PEOPLE)
    saves: str = field(default="", metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    q: Annotated[str, Query(description="Words that must all occur; “in quotes”: side by side")] = "",
    technique: Values = None,
    instrument: Values = None,
    facility: Values = None,
    proposal: Values = None,
    taxon: Values = None,
    access: Annotated[
        list[str] | None,
        Query(description="`open`: anybody may have the files now; `embargo`: from a later day on"),
    ] = None,
    holds: Values = None,
    licence: Values = None,
    year: Values = None,
    state: Values = None,
    catalogue: Values = None,
    companions: Companions = None,
    sort: Annotated[Literal["relevance", "newest"], Query(description="Which come first")] = "relevance",
    limit: Annotated[int, Query(ge=1, le=200, description="Records on a page")] = USUAL,
    offset: Annotated[int, Query(ge=0, lt=2**31, description="Records to pass over")] = 0,
    after: Annotated[
        str, Query(max_length=200, description="Place of a page: from `next` or `previous`")
    ] = "",
    facets: Annotated[bool | None, Query(description="Whether to count by facets")] = None,
) -> RecordsPage:
    """List records, or find them by words, facets and ranges; with those that were harvested from other catalogues.

    Any parameter of records may be asked for by a range, such as `pixel=<1um`, `energy=20..60keV`,
    `exposure_s=>=10ms`; of several ranges all must be met. `level=pupil` and `student` tell the cards in plain words.
    """
    level = level_of(request_context.request)
    selections = (
        technique,
        instrument,
        facility,
        proposal,
        taxon,
        access,
        holds,
        licence,
        year,
        state,
        catalogue,
    )
    chosen = {name: tuple(values) for name, values in zip(FACETS, selections, strict=True) if values}
    spelled = read_asked(request_context.request.query_params.multi_items())
    ranges = spelled.ranges
    companion_kinds = tuple(dict.fromkeys(filter(None, map(str.strip, companions or ()))))
    first_page = not after and not offset
    request = request_context.request
    for_people = not (request.url.path.endswith(".json") or wants_json(request))
    if facets is None:
        facets = first_page and for_people
    page = search(
        request_context.catalogue,
        request_context.reader,
        q,
        filters=chosen,
        ranges=ranges,
        companions=companion_kinds,
        sort=sort,
        limit=limit,
        offset=offset,
        after=after,
        facets=facets,
        spread=facets,
        elsewhere=True,
    )
    path = request_context.link("records")
    arguments = {
        "q": (q,),
        **chosen,
        **ranges,
        COMPANIONS: companion_kinds,
        "sort": (sort if sort != "relevance" else "",),
        "limit": (str(limit) if limit != USUAL else "",),
        # A cookie keeps it for people; a program, which has none, follows the links.
        "level": (request_context.request.query_params.get("level", ""),),
    }

    def beside(cursor: str | None) -> str | None:
        return with_query(path, {**arguments, "after": (cursor,)}) if cursor else None

    return RecordsPage(
        title=f"Search for “{q}”"
        if q.strip()
        else "Records found"
        if chosen or ranges or companion_kinds
        else "All records",
        q=q,
        total=page.total,
        more=page.more,
        first=page.offset + 1 if page.hits else 0,
        last=page.offset + len(page.hits) if page.hits else 0,
        hits=found_records(request_context, page.hits, level),
        previous=beside(page.previous),
        next=beside(page.next),
        sort=page.sort,
        facets=facet_links(page.facets, path, arguments),
        facets_of_newest=page.facets_of_newest,
        spreads=spread_links(page.spreads, path, arguments, ranges),
        ranges=tuple(
            AskedRange(
                name,
                text,
                with_query(
                    path, {**arguments, name: tuple(other_text for other_text in texts if other_text != text)}
                ),
                *bounds_of(name, text),
            )
            for name, texts in ranges.items()
            for text in texts
        ),
        filtered=bool(chosen or ranges or companion_kinds),
        level=level,
        levels=level_links(request_context),
        feed=_feed(request_context, spelled),
        asked=spelled.spelled,
        other_order=with_query(
            path, {**arguments, "sort": ("newest" if page.sort == "relevance" else "relevance",)}
        )
        if q.strip() and page.total > 1 and not page.more
        else "",
        without=without_links(request_context, spelled)
        if for_people and first_page and not page.total
        else (),
        saves=_saves(request_context),
    )


def _feed(request_context: RequestContext, query: Asked) -> str:
    """Tell where the feed of a search is; nowhere among pages that are files."""
    if request_context.request.app.state.as_files:
        return ""
    return f"{request_context.link('records.atom')}?{query.spelled}".removesuffix("?")


def _saves(request_context: RequestContext) -> str:
    if request_context.request.app.state.as_files:
        return ""
    way = identify(request_context.request).way
    return "yes" if way == "session" else "sign in" if way == "nobody" else ""


RECORDS = Page(
    name="records",
    path="/records",
    json_path="/records.json",
    template="records.html",
    content=content,
    menu="Records",
    order=10,
    levels=True,
)
