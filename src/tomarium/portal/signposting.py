"""Links of a page for programs (FAIR Signposting, level 2): in the header Link, and all of them as a linkset.

Sources: https://signposting.org/FAIR/ for the relations, RFC 8288 for the header, RFC 9264 for linksets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response

from tomarium.catalogue.entities import entity_of, members_of, records_of
from tomarium.catalogue.memberships import collections_of
from tomarium.catalogue.queries import Place
from tomarium.model import Record
from tomarium.model.entity import KINDS, Entity, Kind
from tomarium.portal.door import Door
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED
from tomarium.registry import collect
from tomarium.standards.citation import doi_of
from tomarium.standards.identifiers import doi_address
from tomarium.standards.licences import LICENCES
from tomarium.standards.standard import Standard
from tomarium.viewers.volume import volume_path

HEADER_BYTES: Final = 3500
"""Most bytes of the header Link: servers between refuse headers of more than 4 to 8 kB."""
LINKSET: Final = {"linkset.json": "application/linkset+json", "linkset": "application/linkset"}
"""End of an address → what is there."""
OME_ZARR: Final = {
    "zarr.json": "https://ngff.openmicroscopy.org/0.5/",
    ".zattrs": "https://ngff.openmicroscopy.org/0.4/",
}
"""File that describes the group of a volume → profile of the link to it."""
ABOUT_PAGE: Final = "https://schema.org/AboutPage"
TYPES: Final = {
    "record": "https://schema.org/Dataset",
    "specimen": "https://schema.org/Thing",
    "proposal": "https://schema.org/Project",
    "instrument": "https://schema.org/Thing",
    "facility": "https://schema.org/Organization",
    "organisation": "https://schema.org/Organization",
    "collection": "https://schema.org/Collection",
    "document": "https://schema.org/CreativeWork",
}


@dataclass(frozen=True)
class Link:
    """A typed link.

    Attributes
    ----------
    relation : str
        "cite-as", "item" …
    address : str
        Where it leads, whole.
    type : str
        Media type of what is there; "" where that is not known.
    profile : str
        Address of the convention that it follows; "" for none.
    anchor : str
        Where it starts; "" for the page itself.
    """

    relation: str
    address: str
    type: str = ""
    profile: str = ""
    anchor: str = ""


def links_of_record(request_context: RequestContext, record: Record, place: Place) -> tuple[Link, ...]:
    """List the links of a record's page, what matters most first.

    Parameters
    ----------
    request_context : RequestContext
        Who asks, and for the addresses.
    record : Record
        Whose page it is.
    place : Place
        What the reader may have of it: files are told only where they are open.

    Returns
    -------
    tuple of Link
        All of them start at the page.
    """
    parts = {"id": record.id}
    page = request_context.address("record", parts)
    doi = doi_of(record)
    links = [Link("cite-as", doi_address(doi) if doi else page)] if record.publication else []
    links += [Link("type", ABOUT_PAGE), Link("type", TYPES["record"])]
    links += [Link("license", licence) for licence in _licences(record.licence)]
    links += _linksets(request_context, "record", record.id)
    links += [
        Link(
            "describedby",
            request_context.address("metadata", {**parts, "standard": standard.name}),
            standard.media_type,
        )
        for standard in collect("standards", Standard).values()
    ]
    links.append(Link("describedby", request_context.address("record.json", parts), "application/json"))
    links += [
        Link("author", f"https://orcid.org/{person.orcid}") for person in record.creators if person.orcid
    ]
    with request_context.catalogue.reading() as connection:
        above = collections_of(connection, request_context.reader, record.id)
    links += [Link("collection", request_context.address("collection", {"id": id})) for id, _ in above]
    return (*links, *(_items(request_context, record, place) if place.open else ()))


def links_of_entity(request_context: RequestContext, entity: Entity) -> tuple[Link, ...]:
    """List the links of the page of a specimen, a proposal, an instrument, a collection or a document.

    Parameters
    ----------
    request_context : RequestContext
        Who asks, and for the addresses.
    entity : Entity
        Whose page it is.

    Returns
    -------
    tuple of Link
        Its items are the pages of its members, or of its records, as far as the reader sees them.
    """
    address = request_context.address(entity.kind, {"id": entity.id})
    ror = str(entity.facts.get("ror", ""))
    lasting = doi_address(entity.doi) if entity.doi else f"https://ror.org/{ror}" if ror else address
    cited = [Link("cite-as", lasting)] if entity.published else []
    with request_context.catalogue.reading() as connection:
        members = [(kind, id) for kind, id, _ in members_of(connection, request_context.reader, entity.id)]
        records = [("record", id) for id, _ in records_of(connection, request_context.reader, entity.id)]
    pages = dict.fromkeys([*members, *records])
    return (
        *cited,
        Link("type", ABOUT_PAGE),
        Link("type", TYPES[entity.kind]),
        *_linksets(request_context, entity.kind, entity.id),
        Link(
            "describedby",
            request_context.address(f"{entity.kind}.json", {"id": entity.id}),
            "application/json",
        ),
        *(Link("item", request_context.address(kind, {"id": id}), "text/html") for kind, id in pages),
    )


def header(links: Iterable[Link], room: int = HEADER_BYTES) -> str:
    """Write links as the header Link, as many as there is room for.

    Parameters
    ----------
    links : iterable of Link
        What matters most first.
    room : int
        Most bytes.

    Returns
    -------
    str
        The others stand in the linkset, which the header names.
    """
    written, used = [], 0
    for link in links:
        text = _written(link)
        used += len(text) + 2
        if used > room:
            break
        written.append(text)
    return ", ".join(written)


def back_to(request_context: RequestContext, relation: str, id: str) -> str:
    """Write the header Link of what belongs to a record.

    Parameters
    ----------
    request_context : RequestContext
        For the addresses.
    relation : str
        "collection" of a file, "describes" of metadata.
    id : str
        Of the record.

    Returns
    -------
    str
        To the record's page and its linkset.
    """
    page = Link(relation, request_context.address("record", {"id": id}), "text/html")
    return header((page, *_linksets(request_context, "record", id)))


def record_header(request_context: RequestContext, content: object) -> str:
    """Write the header Link of a record's page, of whose content only `id` is taken."""
    record, place = request_context.seen(str(getattr(content, "id")))  # noqa: B009
    return header(links_of_record(request_context, record, place))


def entity_header(request_context: RequestContext, content: object) -> str:
    """Write the header Link of the page of an entity, of whose content only `id` is taken."""
    return header(links_of_entity(request_context, _entity(request_context, str(getattr(content, "id")))))  # noqa: B009


def add_routes(app: FastAPI) -> None:
    """Add to an application the routes of linksets of records, specimens, proposals, instruments and the like.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    for end in LINKSET:
        add_get_route(app, f"/records/{{id}}/{end}", _of_record(end), name=f"record.{end}", kind=Response)
        for kind in KINDS.values():
            path = f"/{kind.plural}/{{id}}/{end}"
            in_schema = end == "linkset.json"
            add_get_route(
                app,
                path,
                _of_entity(kind, end),
                name=f"{kind.name}.{end}",
                kind=Response,
                in_schema=in_schema,
            )


def _of_record(end: str) -> Callable[..., Response]:
    def linkset(request_context: CurrentRequest, id: str) -> Response:
        """Give all links of a record's page, its files and its metadata (RFC 9264)."""
        record, place = request_context.seen(id)
        return _linkset(
            request_context.address("record", {"id": id}),
            links_of_record(request_context, record, place),
            end,
        )

    return linkset


def _of_entity(kind: Kind, end: str) -> Callable[..., Response]:
    def linkset(request_context: CurrentRequest, id: str) -> Response:
        entity = _entity(request_context, id, kind.name)
        return _linkset(
            request_context.address(kind.name, {"id": id}), links_of_entity(request_context, entity), end
        )

    linkset.__doc__ = f"Give all links of the page of a {kind.name} (RFC 9264)."
    return linkset


def _entity(request_context: RequestContext, id: str, kind: str = "") -> Entity:
    with request_context.catalogue.reading() as connection:
        held_entity = entity_of(connection, request_context.reader, id)
    if held_entity is None or (kind and held_entity.entity.kind != kind):
        raise HTTPException(404, f"There is no {kind or 'page'} “{id[:80]}” in this catalogue.")
    return held_entity.entity


def _linkset(page: str, links: Iterable[Link], end: str) -> Response:
    all_links = [*links, *_backwards(page, links)]
    text = _as_json(page, all_links) if end == "linkset.json" else _as_text(page, all_links)
    headers = {"Content-Security-Policy": LOCKED, "Cache-Control": "private, no-cache"}
    return Response(text, headers=headers, media_type=LINKSET[end])


def _backwards(page: str, links: Iterable[Link]) -> Iterator[Link]:
    """Tell of each file and each description that it belongs to the page."""
    for link in links:
        if link.relation in ("item", "describedby"):
            relation = "collection" if link.relation == "item" else "describes"
            yield Link(relation, page, "text/html", anchor=link.address)


def _as_json(page: str, links: Iterable[Link]) -> str:
    contexts: dict[str, dict[str, list[dict[str, str]]]] = {}
    for link in links:
        members = {"href": link.address, "type": link.type, "profile": link.profile}
        relations = contexts.setdefault(link.anchor or page, {})
        relations.setdefault(link.relation, []).append({key: text for key, text in members.items() if text})
    linkset = {"linkset": [{"anchor": anchor, **relations} for anchor, relations in contexts.items()]}
    return json.dumps(linkset, indent=1)


def _as_text(page: str, links: Iterable[Link]) -> str:
    return ",\n".join(f'{_written(link)}; anchor="{link.anchor or page}"' for link in links) + "\n"


def _written(link: Link) -> str:
    text = f'<{link.address}>; rel="{link.relation}"'
    text += f'; type="{link.type.split(";")[0]}"' if link.type else ""
    return text + (f'; profile="{link.profile}"' if link.profile else "")


def _linksets(request_context: RequestContext, kind: str, id: str) -> list[Link]:
    return [
        Link("linkset", request_context.address(f"{kind}.{end}", {"id": id}), media_type)
        for end, media_type in LINKSET.items()
    ]


def _licences(licence: str) -> Iterator[str]:
    if licence in LICENCES:
        yield f"https://spdx.org/licenses/{licence}"
    elif licence.startswith(("https://", "http://")) and licence.isascii() and not set(' <>"') & set(licence):
        yield licence


def _items(request_context: RequestContext, record: Record, place: Place) -> Iterator[Link]:
    """List what a program may take: the volume first, then all as an archive, then each file."""
    base = request_context.address("file", {"id": record.id, "path": "*"}).removesuffix("*")
    if (volume := volume_path(record)) is not None:
        group = next((name for name in OME_ZARR if (place.folder / volume / name).is_file()), "")
        kind = "application/json" if group.endswith(".json") else "application/octet-stream"
        if group:
            yield Link("item", f"{base}{quote(volume)}/{group}", kind, OME_ZARR[group])
    yield Link("item", request_context.address("download.zip", {"id": record.id}), "application/zip")
    for entry in record.files:
        if not entry.path.endswith("/"):
            yield Link("item", base + quote(entry.path), entry.media_type)


DOOR = Door("signposting", add_routes)
