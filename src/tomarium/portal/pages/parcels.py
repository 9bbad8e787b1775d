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
        parcels = parcels_of(connection, reader, state=state)
    makes = identify(request_context.request).way != "nobody" and reader.role != "visitor"
    return ParcelsPage(
        "Parcels",
        tuple(_line(request_context, parcel) for parcel in parcels),
        state,
        tuple(STATES.items()),
        _boxes({}) if makes else (),
        specimens,
    )


def parcel_content(request_context: CurrentRequest, id: str) -> ParcelPage:
    """Show a parcel: what is in it, from whom, to whom, and every state it was in."""
    reader = request_context.reader
    with request_context.catalogue.reading() as connection:
        parcel = parcel_of(connection, reader, id)
        if parcel is None:
            raise HTTPException(404, f"There is no parcel “{id[:80]}” that you may see.")
        visible = {specimen for specimen, _ in parcel.specimens if entity_of(connection, reader, specimen)}
    private = {fact.key for fact in FACTS if fact.private}
    following = NEXT[parcel.state] if parcel.receives else ()
    return ParcelPage(
        title=parcel.facts.get("title") or f"Parcel {id}",
        id=id,
        state=parcel.state,
        words=STATES[parcel.state],
        facts=tuple(
            (fact.label, parcel.facts[fact.key], fact.key in private)
            for fact in FACTS
            if fact.key in parcel.facts and fact.key != "title"
        ),
        specimens=tuple(
            Content(
                specimen,
                name,
                request_context.link("specimen", {"id": specimen}) if specimen in visible else "",
            )
            for specimen, name in parcel.specimens
        ),
        events=tuple(
            ShownParcelEvent(
                event.state,
                STATES[event.state],
                event.when,
                event.who,
                event.note,
                files_at(
                    request_context, "parcel.file", {"id": id, "number": str(event.number)}, event.files
                ),
            )
            for event in parcel.events
        ),
        receiver=parcel.receiver,
        next=tuple((state, DONE[state]) for state in following),
        others=tuple(
            (state, words)
            for state, words in STATES.items()
            if parcel.receives and state not in (*following, parcel.state)
        ),
        boxes=_boxes(parcel.facts) if parcel.mine else (),
        labels=request_context.link(
            "labels", query={"specimens": " ".join(specimen for specimen, _ in parcel.specimens)}
        ),
    )


def places_content(request_context: CurrentRequest) -> PlacesPage:
    """Show where the specimens are that the reader keeps, as a tree of places."""
    with request_context.catalogue.reading() as connection:
        events = where_now(connection, request_context.reader)
        names = names_of(connection, list(events))
    at: dict[str, list[Content]] = {}
    elsewhere = []
    for id, event in events.items():
        page = request_context.link("specimen", {"id": id})
        parcel = str(event.parcel) if event.on_its_way else ""
        row = Content(id, names[id], page, _words(event), event.holder, parcel)
        if event.on_its_way or not event.place:
            elsewhere.append(row)
        else:
            at.setdefault(event.place, []).append(row)
    return PlacesPage("Where specimens are", tuple(_tree(at)), tuple(elsewhere))


def _tree(at: Mapping[str, Sequence[Content]]) -> list[PlaceNode]:
    """Lay out places so that each stands under what it is in, also where nothing lies there itself."""
    paths = {
        tuple(path.split(" / ")[:depth]) for path in at for depth in range(1, len(path.split(" / ")) + 1)
    }
    return [
        PlaceNode(path[-1], name, len(path), tuple(at.get(name, ())))
        for path in sorted(paths)
        for name in (" / ".join(path),)
    ]


def _words(event: SpecimenEvent) -> str:
    if event.on_its_way:
        return f"on its way in {event.parcel}"
    return f"with {event.holder}" if event.holder else ""


def _line(request_context: RequestContext, parcel: Parcel) -> ParcelLine:
    return ParcelLine(
        parcel.id,
        parcel.facts.get("title") or parcel.id,
        request_context.link("parcel", {"id": parcel.id}),
        parcel.state,
        STATES[parcel.state],
        parcel.facts.get("sender", parcel.owner),
        parcel.facts.get("receiver", parcel.receiver),
        len(parcel.specimens),
        parcel.changed,
    )


def _boxes(facts: Mapping[str, str]) -> tuple[Box, ...]:
    return tuple(
        Box(fact.key, fact.label, facts.get(fact.key, ""), fact.private, fact.key in LONG) for fact in FACTS
    )


PARCELS = Page("parcels", "/parcels", "/parcels.json", "parcels.html", content)
PARCEL = Page("parcel", "/parcels/{id}", "/parcels/{id}.json", "parcel.html", parcel_content)
PLACES = Page("places", "/places", "/places.json", "places.html", places_content)
