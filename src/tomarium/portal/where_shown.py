"""Where a specimen is and was, as its page shows it to those who keep it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from tomarium.catalogue.parcels import parcels_of
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.specimen_events import SpecimenEvent, events_of, keeps_specimen
from tomarium.model.parcel import BY_HAND, EVENTS, STATES
from tomarium.model.sentence import Sentence
from tomarium.portal.log_shown import ShownFile, files_at
from tomarium.portal.page import FOR_PEOPLE
from tomarium.portal.request_context import RequestContext

ON_ITS_WAY: Final = "On its way in %(parcel)s"
WAY_BACK: Final = "On its way back in %(parcel)s"
PLACE_AND_HOLDER: Final = "%(place)s, with %(name)s"
HELD: Final = "with %(name)s"


@dataclass(frozen=True)
class ShownWhere:
    """What became of a specimen, as `specimen_events.SpecimenEvent` tells it, with addresses."""

    kind: str
    words: str
    when: str
    who: str
    place: str
    holder: str
    condition: str
    note: str
    parcel: str
    files: tuple[ShownFile, ...]
    parcel_page: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Where:
    """Where a specimen is.

    Attributes
    ----------
    now : str
        In words; "" where nobody said.
    place, holder : str
        Where it is, and who has it; "" where nobody said, or while it is on its way.
    events : tuple of ShownWhere
        The newest first.
    parcels : tuple of (str, str, str)
        Identifier, state in words and page of the parcels that hold or held it.
    """

    now: str
    place: str
    holder: str
    events: tuple[ShownWhere, ...]
    parcels: tuple[tuple[str, str, str], ...]
    kinds: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    labels: str = field(metadata=FOR_PEOPLE)
    send: str = field(metadata=FOR_PEOPLE)


def where_shown(
    request_context: RequestContext, connection: Connection, reader: Reader, id: str
) -> Where | None:
    """Tell where a specimen is to a reader who keeps it.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    connection : Connection
        Of the catalogue.
    reader : Reader
        Who asks.
    id : str
        Identifier of the specimen.

    Returns
    -------
    Where or None
        None for who does not keep it.
    """
    if not reader.name or not keeps_specimen(connection, reader, id):
        return None
    events = events_of(connection, reader, id)
    last = events[0] if events else None
    at_place = last if last and not last.on_its_way else None
    return Where(
        now=_place_in_words(last),
        place=at_place.place if at_place else "",
        holder=at_place.holder if at_place else "",
        events=tuple(_shown_event(request_context, event) for event in events),
        parcels=tuple(
            (parcel.id, STATES[parcel.state], request_context.link("parcel", {"id": parcel.id}))
            for parcel in parcels_of(connection, reader, specimen=id)
        ),
        kinds=tuple((kind, EVENTS[kind]) for kind in BY_HAND),
        labels=request_context.link("labels", query={"specimens": id}),
        send=request_context.link("parcels", query={"specimens": id}) + "#new",
    )


def _place_in_words(last: SpecimenEvent | None) -> str:
    if last is None:
        return ""
    if last.on_its_way:
        return Sentence(WAY_BACK if last.kind == "returned" else ON_ITS_WAY, parcel=last.parcel)
    if last.place and last.holder:
        return Sentence(PLACE_AND_HOLDER, place=last.place, name=last.holder)
    return last.place or (Sentence(HELD, name=last.holder) if last.holder else "")


def _shown_event(request_context: RequestContext, event: SpecimenEvent) -> ShownWhere:
    parts = {"id": event.specimen, "number": str(event.number)}
    return ShownWhere(
        event.kind,
        EVENTS[event.kind],
        event.when,
        event.who,
        event.place,
        event.holder,
        event.condition,
        event.note,
        event.parcel,
        files_at(request_context, "specimen.where.file", parts, event.files),
        request_context.link("parcel", {"id": event.parcel}) if event.parcel else "",
    )
