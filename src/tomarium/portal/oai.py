"""OAI-PMH 2.0 (https://www.openarchives.org/OAI/openarchivesprotocol.html): others harvest what was published here.

Withdrawn records are told as deleted, for good; records under embargo are told with their metadata; drafts are not.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from tomarium.catalogue import ANYBODY
from tomarium.catalogue.entities import with_current_entities
from tomarium.catalogue.queries import places_of
from tomarium.catalogue.record_changes import (
    Changed,
    changed_record,
    changed_records,
    count_changes,
    first_change,
)
from tomarium.catalogue.record_sets import all_sets, is_in_set, sets_of
from tomarium.errors import FormatError
from tomarium.model import Record
from tomarium.portal.door import Door
from tomarium.portal.forms import MOST_BYTES, MOST_FIELDS, add_form_route
from tomarium.portal.oai_request import (
    ARGUMENTS,
    Listing,
    OaiError,
    read_arguments,
    read_listing,
    stamp,
    token_of,
)
from tomarium.portal.request_context import CurrentRequest, RequestContext, read_at, without_content
from tomarium.portal.routes import add_get_route
from tomarium.standards import dublin_core, oai_datacite

# Annotations are evaluated here, not postponed: FastAPI reads them.

NAMESPACE: Final = "http://www.openarchives.org/OAI/2.0/"
IDENTIFIERS: Final = "http://www.openarchives.org/OAI/2.0/oai-identifier"
RECORDS: Final = 100
HEADERS: Final = 1000
NO_CONTACT: Final = "contact-is-not-set@portal.invalid"
"""What stands for the address of the administrator, which must be told, where the setting `contact` is empty."""
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
_DOMAIN: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*(\.[a-zA-Z][a-zA-Z0-9-]*)+")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Format:
    """A format of metadata: its schema, its namespace, and how a record is written in it."""

    schema: str
    namespace: str
    write: Callable[[Record, str], Element]


FORMATS: Final[Mapping[str, Format]] = {
    "oai_dc": Format(dublin_core.SCHEMA, dublin_core.NAMESPACE, dublin_core.dc),
    "oai_datacite": Format(oai_datacite.SCHEMA, oai_datacite.NAMESPACE, oai_datacite.oai_datacite),
}


def add_routes(app: FastAPI) -> None:
    """Add the OAI-PMH route to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/oai", answer_get, name="oai", kind=Response)
    add_form_route(app, "/oai", answer_post, name="oai.post")


async def _read_form(request: Request) -> list[tuple[str, str]]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"A request has at most {MOST_BYTES >> 10} KiB.")
    return _pairs(body.decode("utf-8", "replace"))


def answer_get(request_context: CurrentRequest, request: Request) -> Response:
    """Answer a request of OAI-PMH 2.0, such as `?verb=ListRecords&metadataPrefix=oai_dc`."""
    return _answer(request_context, _pairs(request.url.query))


def answer_post(
    request_context: CurrentRequest, pairs: Annotated[list[tuple[str, str]], Depends(_read_form)]
) -> Response:
    """Answer a request of OAI-PMH 2.0 whose arguments are sent as a form."""
    return _answer(request_context, pairs)


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return []


def _answer(request_context: RequestContext, pairs: Sequence[tuple[str, str]]) -> Response:
    # All harvesters are told the same, whoever asks.
    if not request_context.reader.open_only:
        request_context = replace(request_context, reader=ANYBODY)
    root = Element("OAI-PMH", {"xmlns": NAMESPACE, "xmlns:xsi": _INSTANCE})
    root.set("xsi:schemaLocation", f"{NAMESPACE} http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd")
    # Before anything is read: what is changed from here on, a harvester asks for the next time.
    _add(root, "responseDate", stamp(time.time()))
    request_element = _add(root, "request", request_context.address("oai"))
    try:
        arguments = read_arguments(pairs)
        request_element.attrib.update({name: _printable(text) for name, text in arguments.items()})
        with request_context.catalogue.reading() as connection:
            root.append(_VERBS[arguments["verb"]](request_context, connection, arguments))
    except OaiError as problem:
        if problem.code in ("badVerb", "badArgument"):
            request_element.attrib.clear()
        _add(root, "error", _printable(str(problem))).set("code", problem.code)
    content = tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(content, media_type="text/xml", headers={"Cache-Control": "no-cache"})


def _identify(request_context: RequestContext, connection: Connection, _told: Mapping[str, str]) -> Element:
    settings = request_context.settings
    element = Element("Identify")
    _add(element, "repositoryName", settings["name"])
    _add(element, "baseURL", request_context.address("oai"))
    _add(element, "protocolVersion", "2.0")
    _add(element, "adminEmail", settings["contact"] or NO_CONTACT)
    _add(element, "earliestDatestamp", stamp(first_change(connection, request_context.reader)))
    _add(element, "deletedRecord", "persistent")
    _add(element, "granularity", "YYYY-MM-DDThh:mm:ssZ")
    host = _host(request_context)
    if _DOMAIN.fullmatch(host):
        scheme = SubElement(_add(element, "description"), "oai-identifier", {"xmlns": IDENTIFIERS})
        scheme.set("xsi:schemaLocation", f"{IDENTIFIERS} {IDENTIFIERS}.xsd")
        _add(scheme, "scheme", "oai")
        _add(scheme, "repositoryIdentifier", host)
        _add(scheme, "delimiter", ":")
        _add(scheme, "sampleIdentifier", f"oai:{host}:tooth-1")
    return element


def _list_formats(
    request_context: RequestContext, connection: Connection, arguments: Mapping[str, str]
) -> Element:
    if "identifier" in arguments:
        _demand_record(request_context, connection, arguments["identifier"])
    element = Element("ListMetadataFormats")
    for prefix, metadata_format in FORMATS.items():
        child = _add(element, "metadataFormat")
        _add(child, "metadataPrefix", prefix)
        _add(child, "schema", metadata_format.schema)
        _add(child, "metadataNamespace", metadata_format.namespace)
    return element


def _list_sets(
    request_context: RequestContext, connection: Connection, arguments: Mapping[str, str]
) -> Element:
    if "resumptionToken" in arguments:
        raise OaiError("badResumptionToken", "the list of sets has one part; ask for it without a token")
    element = Element("ListSets")
    for name, words in all_sets(connection, request_context.reader).items():
        child = _add(element, "set")
        _add(child, "setSpec", name)
        _add(child, "setName", words)
    return element


def _get_record(
    request_context: RequestContext, connection: Connection, arguments: Mapping[str, str]
) -> Element:
    _demand_format(arguments["metadataPrefix"])
    changed = _demand_record(request_context, connection, arguments["identifier"])
    element = Element("GetRecord")
    _add_records(request_context, connection, element, [changed], arguments["metadataPrefix"], single=True)
    return element


def _list(request_context: RequestContext, connection: Connection, arguments: Mapping[str, str]) -> Element:
    verb, listing = arguments["verb"], read_listing(connection, arguments)
    _demand_format(listing.prefix)
    within = is_in_set(connection, listing.set) if listing.set else None
    if listing.set and within is None:
        raise OaiError("noRecordsMatch", f"there is no set {listing.set[:80]!r}; ListSets names them")
    most = RECORDS if verb == "ListRecords" else HEADERS
    reader, span = request_context.reader, listing.span
    changes = changed_records(connection, reader, most + 1, span=span, after=listing.after, within=within)
    if not changes and listing.after is None:
        raise OaiError("noRecordsMatch", "no record was changed then, or is in this set")
    page, element = changes[:most], Element(verb)
    if verb == "ListRecords":
        _add_records(request_context, connection, element, page, listing.prefix)
    else:
        sets = sets_of(connection, page)
        for change in page:
            element.append(_header(request_context, change, sets[change.id]))
    more = len(changes) > most
    if more or listing.after is not None:
        total = listing.total
        if total is None:
            total = count_changes(connection, reader, span=span, within=within)
        _add_token(connection, element, verb, replace(listing, total=total), page, more=more)
    return element


def _add_token(
    connection: Connection,
    element: Element,
    verb: str,
    listing: Listing,
    page: Sequence[Changed],
    *,
    more: bool,
) -> None:
    """Tell where the list goes on; an empty token ends it. What was changed meanwhile makes it longer than told."""
    cursor = listing.cursor + len(page)
    text = ""
    if more:
        last = page[-1]
        text = token_of(connection, verb, replace(listing, after=(last.moment, last.id), cursor=cursor))
    token = _add(element, "resumptionToken", text)
    token.set("completeListSize", str(max(listing.total or 0, cursor + more)))
    token.set("cursor", str(listing.cursor))


def _add_records(
    request_context: RequestContext,
    connection: Connection,
    element: Element,
    page: Sequence[Changed],
    prefix: str,
    *,
    single: bool = False,
) -> None:
    """Add records with their metadata; one that cannot be written is left out of a list, and the log tells why."""
    places = places_of(connection, request_context.reader, [change.id for change in page])
    sets, write = sets_of(connection, page), FORMATS[prefix].write
    for changed in page:
        record = Element("record")
        record.append(_header(request_context, changed, sets[changed.id]))
        if not changed.withdrawn:
            place = places[changed.id]
            try:
                current_record = with_current_entities(connection, read_at(place), stale=place.stale)
                shown = current_record if place.open else without_content(current_record)
                address = request_context.address("record", {"id": changed.id})
                _add(record, "metadata").append(write(shown, address))
            except (OSError, FormatError) as problem:
                if single:
                    raise OaiError(
                        "cannotDisseminateFormat", f"{changed.id}: cannot be written as {prefix} now"
                    ) from problem
                _log.error("OAI-PMH leaves out %s: %s", changed.id, problem)
                continue
        element.append(record)


def _header(request_context: RequestContext, changed: Changed, sets: Sequence[str]) -> Element:
    header = Element("header", {"status": "deleted"} if changed.withdrawn else {})
    _add(header, "identifier", f"oai:{_host(request_context)}:{changed.id}")
    _add(header, "datestamp", stamp(changed.moment))
    for name in sets:
        _add(header, "setSpec", name)
    return header


def _demand_record(request_context: RequestContext, connection: Connection, identifier: str) -> Changed:
    start = f"oai:{_host(request_context)}:"
    change = None
    if identifier.startswith(start):
        change = changed_record(connection, request_context.reader, identifier.removeprefix(start))
    if change is None:
        raise OaiError("idDoesNotExist", f"there is no record {identifier[:120]!r}; one begins with {start}")
    return change


def _demand_format(prefix: str) -> None:
    if prefix not in FORMATS:
        raise OaiError(
            "cannotDisseminateFormat", f"there is no format {prefix[:40]!r}; give {' or '.join(FORMATS)}"
        )


def _host(request_context: RequestContext) -> str:
    """Return what identifiers name this repository by: the host of the setting `address`, or of this request."""
    return urlsplit(request_context.origin).hostname or "localhost"


def _add(parent: Element, name: str, text: str = "") -> Element:
    element = SubElement(parent, name)
    element.text = _printable(text) or None
    return element


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(sign for sign in text if sign.isprintable())


_VERBS: Final[Mapping[str, Callable[[RequestContext, Connection, Mapping[str, str]], Element]]] = {
    "Identify": _identify,
    "ListMetadataFormats": _list_formats,
    "ListSets": _list_sets,
    "GetRecord": _get_record,
    "ListIdentifiers": _list,
    "ListRecords": _list,
}
assert _VERBS.keys() == ARGUMENTS.keys()


DOOR = Door("oai", add_routes)
