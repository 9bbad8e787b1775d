"""Parcels of specimens, one of them, and the places where specimens are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import HTTPException, Query

from tomarium.catalogue.entities import entity_of
from tomarium.catalogue.parcels import Parcel, parcel_of, parcels_of
from tomarium.catalogue.specimen_events import SpecimenEvent, names_of, where_now
from tomarium.model.parcel import DONE, FACTS, LONG, NEXT, STATES
from tomarium.portal.identity import identify
from tomarium.portal.log_shown import ShownFile, files_at
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest, RequestContext


@dataclass(frozen=True)
class Content:
    """A specimen in a parcel or at a place: its `id`, its `name`, its `page` where the reader may see it.

    `words` say with whom it is or in which parcel; `holder` and `parcel` are the same alone.
    """

    id: str
    name: str
    page: str
    words: str = ""
    holder: str = field(default="", metadata=FOR_PEOPLE)
    parcel: str = field(default="", metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Box:
    """A field of a form: `key`, `label` and `text` of a fact, whether it is `private`, and has several lines."""

    key: str
    label: str
    text: str
    private: bool
    long: bool


@dataclass(frozen=True)
class ParcelLine:
    """A parcel in a list: `id`, `title`, `state`, words for it, who sends and receives, how much is in it, and when."""

    id: str
    title: str
    page: str
    state: str
    words: str
    sender: str
    receiver: str
    specimens: int
    changed: str


@dataclass(frozen=True)
class ParcelsPage:
    """Content of the list: the parcels the reader may see, those of which something was told last first."""

    title: str
    parcels: tuple[ParcelLine, ...]
    state: str = field(metadata=FOR_PEOPLE)
    states: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    boxes: tuple[Box, ...] = field(metadata=FOR_PEOPLE)
    chosen: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class ShownParcelEvent:
    """What became of a parcel, as `parcels.ParcelEvent` tells it, with addresses of its pictures."""

    state: str
    words: str
    when: str
    who: str
    note: str
    files: tuple[ShownFile, ...]


@dataclass(frozen=True)
class ParcelPage:
    """Content of the page of one parcel.

    Attributes
    ----------
    title, id, state, words : str
        What it is; its identifier; its state, and words for that.
    facts : tuple of (str, str, bool)
        Label and text of what is told, and whether it is private.
    specimens : tuple of Content
        What is in it.
    events : tuple of ShownParcelEvent
        The newest first.
    next, others : tuple of (str, str)
        States that follow as a rule, and those that correct what was said; empty where the reader may not tell.
    """

    title: str
    id: str
    state: str
    words: str
    facts: tuple[tuple[str, str, bool], ...]
    specimens: tuple[Content, ...]
    events: tuple[ShownParcelEvent, ...]
    receiver: str
    next: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    others: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    boxes: tuple[Box, ...] = field(metadata=FOR_PEOPLE)
    labels: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class PlaceNode:
    """A place in the tree: its own `name`, its whole `path`, how deep it lies, and the `specimens` that are there."""

    name: str
    path: str
    depth: int
    specimens: tuple[Content, ...]


@dataclass(frozen=True)
class PlacesPage:
    """Content of the page of places: the tree, and what is on its way or has no place."""

    title: str
    places: tuple[PlaceNode, ...]
    elsewhere: tuple[Content, ...]


def content(
    request_context: CurrentRequest,
    state: Annotated[str, Query(max_length=20, description="announced, sent, received …")] = "",
    specimens: Annotated[
        str, Query(max_length=2000, description="Identifiers that the form begins with")
    ] = "",
) -> ParcelsPage:
    """List the parcels that the reader announced, may receive, or whose team the reader is in."""
    reader = request_context.reader
    if state and state not in STATES:
        raise HTTPException(400, f"There is no state “{state}”; there are {', '.join(STATES)}.")
    with request_context.catalogue.reading() as connection:
        found = parcels_of(connection, reader, state=state)
    makes = identify(request_context.request).way != "nobody" and reader.role != "visitor"
    return ParcelsPage(
        "Parcels",
        tuple(_line(request_context, one) for one in found),
        state,
        tuple(STATES.items()),
        _boxes({}) if makes else (),
        specimens,
    )


def parcel_content(request_context: CurrentRequest, id: str) -> ParcelPage:
    """Show a parcel: what is in it, from whom, to whom, and every state it was in."""
    reader = request_context.reader
    with request_context.catalogue.reading() as connection:
        found = parcel_of(connection, reader, id)
        if found is None:
            raise HTTPException(404, f"There is no parcel “{id[:80]}” that you may see.")
        seen = {one for one, _ in found.specimens if entity_of(connection, reader, one)}
    private = {fact.key for fact in FACTS if fact.private}
    following = NEXT[found.state] if found.receives else ()
    return ParcelPage(
        title=found.facts.get("title") or f"Parcel {id}",
        id=id,
        state=found.state,
        words=STATES[found.state],
        facts=tuple(
            (fact.label, found.facts[fact.key], fact.key in private)
            for fact in FACTS
            if fact.key in found.facts and fact.key != "title"
        ),
        specimens=tuple(
            Content(one, name, request_context.link("specimen", {"id": one}) if one in seen else "")
            for one, name in found.specimens
        ),
        events=tuple(
            ShownParcelEvent(
                one.state,
                STATES[one.state],
                one.when,
                one.who,
                one.note,
                files_at(request_context, "parcel.file", {"id": id, "number": str(one.number)}, one.files),
            )
            for one in found.events
        ),
        receiver=found.receiver,
        next=tuple((state, DONE[state]) for state in following),
        others=tuple(
            (state, words)
            for state, words in STATES.items()
            if found.receives and state not in (*following, found.state)
        ),
        boxes=_boxes(found.facts) if found.mine else (),
        labels=request_context.link(
            "labels", query={"specimens": " ".join(one for one, _ in found.specimens)}
        ),
    )


def places_content(request_context: CurrentRequest) -> PlacesPage:
    """Show where the specimens are that the reader keeps, as a tree of places."""
    with request_context.catalogue.reading() as connection:
        found = where_now(connection, request_context.reader)
        names = names_of(connection, list(found))
    at: dict[str, list[Content]] = {}
    elsewhere = []
    for id, event in found.items():
        page = request_context.link("specimen", {"id": id})
        parcel = str(event.parcel) if event.on_its_way else ""
        one = Content(id, names[id], page, _words(event), event.holder, parcel)
        if event.on_its_way or not event.place:
            elsewhere.append(one)
        else:
            at.setdefault(event.place, []).append(one)
    return PlacesPage("Where specimens are", tuple(_tree(at)), tuple(elsewhere))


def _tree(at: Mapping[str, Sequence[Content]]) -> list[PlaceNode]:
    """Lay out places so that each stands under what it is in, also where nothing lies there itself."""
    paths = {
        tuple(path.split(" / ")[:depth]) for path in at for depth in range(1, len(path.split(" / ")) + 1)
    }
    return [
        PlaceNode(path[-1], whole, len(path), tuple(at.get(whole, ())))
        for path in sorted(paths)
        for whole in (" / ".join(path),)
    ]


def _words(event: SpecimenEvent) -> str:
    if event.on_its_way:
        return f"on its way in {event.parcel}"
    return f"with {event.holder}" if event.holder else ""


def _line(request_context: RequestContext, one: Parcel) -> ParcelLine:
    return ParcelLine(
        one.id,
        one.facts.get("title") or one.id,
        request_context.link("parcel", {"id": one.id}),
        one.state,
        STATES[one.state],
        one.facts.get("sender", one.owner),
        one.facts.get("receiver", one.receiver),
        len(one.specimens),
        one.changed,
    )


def _boxes(facts: Mapping[str, str]) -> tuple[Box, ...]:
    return tuple(
        Box(fact.key, fact.label, facts.get(fact.key, ""), fact.private, fact.key in LONG) for fact in FACTS
    )


PARCELS = Page("parcels", "/parcels", "/parcels.json", "parcels.html", content)
PARCEL = Page("parcel", "/parcels/{id}", "/parcels/{id}.json", "parcel.html", parcel_content)
PLACES = Page("places", "/places", "/places.json", "places.html", places_content)
