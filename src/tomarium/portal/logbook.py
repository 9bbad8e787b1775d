"""Addresses of the log book beside its pages: writing, files, export, and events that tell of what is new."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from tomarium.catalogue.log_access import keeps_log
from tomarium.catalogue.log_book import change_entry, entry_numbered, remove_entry, write_entry
from tomarium.catalogue.log_entry import Entry, EntryContent, read_subject
from tomarium.catalogue.log_export import as_markdown, log_archive
from tomarium.catalogue.log_files import LogFile, place_of_file
from tomarium.catalogue.log_find import LARGEST, By, EntryFilter, find_entries, last_change
from tomarium.catalogue.reader import Reader
from tomarium.errors import ParameterError
from tomarium.portal.byte_answer import ByteAnswer, wanted_range
from tomarium.portal.days import read_day
from tomarium.portal.door import Door
from tomarium.portal.forms import Sent, SentForm, add_form_route, demand_known, own_path, run_form_action
from tomarium.portal.identity import demand_log_scope, identify
from tomarium.portal.rendering import fill, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED

# Annotations are evaluated here, not postponed: FastAPI reads them.

ASKED_S: Final = 1.0
"""Time between two looks at the database for one page that waits."""
LONGEST_S: Final = 60.0
"""Time after which a stream ends; the browser opens the next one by itself."""
MOST_EXPORTED: Final = 20_000
FIELDS: Final = ("about", "text", "tags", "links", "event", "preview", "back")

Word = Annotated[str, Query(max_length=200)]
Day = Annotated[str, Query(max_length=10, description="A day, 2026-11-20")]


def _read_filter(
    q: Annotated[str, Query(max_length=500, description="Words that must all occur")] = "",
    about: Annotated[str, Query(max_length=300, description="records/ID, proposals/ID, specimens/ID …")] = "",
    who: Word = "",
    by: Annotated[By, Query(description="people or machine: who wrote it")] = "",
    tag: Word = "",
    since: Day = "",
    until: Day = "",
) -> EntryFilter:
    try:
        subject = read_subject(about) if about.strip() else ""
    except ParameterError as problem:
        raise HTTPException(400, f"{problem}.") from problem
    return EntryFilter(q, subject, who, by, tag, read_day(since), read_day(until, after=1))


RequestedEntries = Annotated[EntryFilter, Depends(_read_filter)]
"""Which entries the address asks for."""


def add_routes(app: FastAPI) -> None:
    """Add the routes of entries, their files, exports and events to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/logbook/write", write, name="log.write")
    add_form_route(app, "/logbook.json", write_json, name="log.write.json")
    add_form_route(app, "/logbook/{number:int}/change", change, name="log_entry.change")
    add_form_route(app, "/logbook/{number:int}/remove", remove, name="log_entry.remove")
    add_get_route(app, "/logbook/{number:int}/files/{digest}", file_of, name="log_entry.file", kind=Response)
    add_get_route(app, "/logbook.md", markdown, name="log.markdown", kind=Response)
    add_get_route(app, "/logbook.zip", crate, name="log.crate", kind=Response)
    app.add_api_route("/logbook/events", events, name="log.events", include_in_schema=False)


def write(request_context: CurrentRequest, sent: SentForm) -> Response:
    """Write an entry: `about`, `text`, and `tags`, `links`, `event`, files; `preview` shows it and writes nothing."""
    demand_known(sent.fields, FIELDS)
    if sent.fields.get("preview"):
        return _preview(request_context, sent)
    number = _write(request_context, sent)
    if wants_json(request_context.request):
        return _written(request_context, number)
    page = request_context.link("log_entry", {"number": str(number)})
    back = own_path(sent.fields["back"]) if sent.fields.get("back") else page
    return RedirectResponse(f"{back}#entry-{number}", 303)


def write_json(request_context: CurrentRequest, sent: SentForm) -> Response:
    """Write an entry, as a program does: JSON of texts, or a form with files; the answer tells number and address.

    `about`: whose log book, "proposals/hg-123". `text`: Markdown. `tags`: words. `links`: what else it is about.
    `event`: what a program tells of, so that it is written once, however often it is sent.
    """
    demand_known(sent.fields, FIELDS)
    return _written(request_context, _write(request_context, sent))


def _written(request_context: RequestContext, number: int) -> Response:
    address = request_context.address("log_entry", {"number": str(number)})
    return JSONResponse({"number": number, "address": address}, 201, {"Location": address})


def _write(request_context: RequestContext, sent: Sent) -> int:
    reader = demand_log_scope(request_context.request)

    def act() -> int:
        subject = read_subject(sent.fields.get("about", ""))
        _demand_visible(request_context, reader, subject)
        return write_entry(request_context.catalogue, reader, subject, _read_content(request_context, sent))

    return run_form_action(act)


def _read_content(request_context: RequestContext, sent: Sent) -> EntryContent:
    fields = sent.fields
    return EntryContent(
        fields.get("text", ""),
        fields.get("tags", "").replace(",", " ").split(),
        fields.get("links", "").replace(",", " ").split(),
        sent.files,
        machine=identify(request_context.request).way == "token",
        event=fields.get("event", "").strip(),
    )


def _demand_visible(request_context: RequestContext, reader: Reader, subject: str) -> None:
    with request_context.catalogue.reading() as connection:
        if keeps_log(connection, reader, subject) is None:
            raise HTTPException(404, f"There is no “{subject[:100]}” in this catalogue that has a log book.")


def _preview(request_context: RequestContext, sent: Sent) -> Response:
    demand_log_scope(request_context.request)
    fields = {**dict.fromkeys(FIELDS, ""), **sent.fields}
    content = {"title": "Preview", "here": "logbook", "json_path": "", "told": fields}
    content |= {"files": [name for name, _ in sent.files]}
    return Response(fill(request_context, "log_preview.html", content), media_type="text/html")


def change(request_context: CurrentRequest, number: int, sent: SentForm) -> Response:
    """Change an entry: `text`, `tags`, `links`, more files, and `keep-CHECKSUM` of those that stay."""
    keeps = [name.removeprefix("keep-") for name in sent.fields if name.startswith("keep-")]
    keep = keeps if "keeping" in sent.fields else None

    def act(reader: Reader, entry: Entry) -> None:
        arguments = (reader, entry.subject, number, _read_content(request_context, sent))
        change_entry(request_context.catalogue, *arguments, keep=keep)

    return _answer_done(request_context, number, act)


def remove(request_context: CurrentRequest, number: int, sent: SentForm) -> Response:
    """Remove an entry: a line stays that says so, with the `reason`."""

    def act(reader: Reader, entry: Entry) -> None:
        reason = sent.fields.get("reason", "")
        remove_entry(request_context.catalogue, reader, entry.subject, number, reason)

    return _answer_done(request_context, number, act)


def _answer_done(
    request_context: RequestContext, number: int, act: Callable[[Reader, Entry], object]
) -> Response:
    reader = demand_log_scope(request_context.request)
    entry = _entry(request_context, reader, number)
    run_form_action(lambda: act(reader, entry))
    if wants_json(request_context.request):
        return JSONResponse({"number": number, "said": "Saved."})
    return RedirectResponse(request_context.link("log_entry", {"number": str(number)}), 303)


def _entry(request_context: RequestContext, reader: Reader, number: int) -> Entry:
    with request_context.catalogue.reading() as connection:
        entry = entry_numbered(connection, reader, number) if number < 2**62 else None
    if entry is None:
        raise HTTPException(404, f"There is no entry {number} of the log book that you may read.")
    return entry


def file_of(request_context: CurrentRequest, number: int, digest: str) -> Response:
    """Give a picture or a file of an entry; a browser shows pictures alone, and only by what they begin with."""
    entry = _entry(request_context, request_context.reader, number)
    files = [*entry.files, *(file for version in entry.before for file in version.files)]
    matches = [file for file in files if file.digest == digest]
    if not matches:
        raise HTTPException(404, f"The entry {number} has no such file.")
    return answer_file(request_context, matches[0])


def answer_file(request_context: RequestContext, file: LogFile) -> Response:
    """Answer with a kept file that the reader may have: shown where it is a picture, else saved."""
    place = place_of_file(request_context.catalogue.home, file.digest)
    if not place.is_file():
        raise HTTPException(503, f"{file.name[:100]}: is not in the catalogue's folder; ask who runs it.")
    kind = "inline" if file.is_picture else "attachment"
    headers = {
        "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": LOCKED,
        "Cache-Control": "private, no-cache",
    }
    return FileResponse(place, media_type=file.type or "application/octet-stream", headers=headers)


def markdown(request_context: CurrentRequest, filters: RequestedEntries) -> Response:
    """Write the entries that are asked for as Markdown, the oldest first."""
    text = as_markdown(_all(request_context, filters), request_context.address("home").rstrip("/"))
    headers = {"Content-Disposition": 'inline; filename="logbook.md"', "Content-Security-Policy": LOCKED}
    return Response(text, headers=headers, media_type="text/markdown; charset=utf-8")


def crate(request_context: CurrentRequest, request: Request, filters: RequestedEntries) -> Response:
    """Give the entries that are asked for as an RO-Crate in a zip: Markdown, JSON, and their pictures and files."""
    entries = _all(request_context, filters)
    archive = log_archive(
        request_context.catalogue.home, entries, request_context.address("home").rstrip("/"), filters.about
    )
    tag = f'"{archive.tag}"'
    headers = {
        "ETag": tag,
        "Content-Disposition": 'attachment; filename="logbook.zip"',
        "Content-Security-Policy": LOCKED,
        "Cache-Control": "private, no-cache",
    }
    span = wanted_range(request, archive.table.size, tag)
    return ByteAnswer(archive.table.read, archive.table.size, span, headers, "application/zip")


def _all(request_context: RequestContext, filters: EntryFilter) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    after = ""
    with request_context.catalogue.reading() as connection:
        while len(entries) < MOST_EXPORTED:
            page, after = find_entries(
                connection, request_context.reader, filters, after=after, limit=LARGEST
            )
            entries += page
            if not after:
                return tuple(reversed(entries))
    raise HTTPException(
        413, f"More than {MOST_EXPORTED} entries were asked for; take them in parts, by since and until."
    )


async def events(request_context: CurrentRequest, filters: RequestedEntries, seen: Word = "") -> Response:
    """Tell of each change of the entries that are asked for, after that of `seen`, as server-sent events."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(request_context, filters, seen), media_type="text/event-stream", headers=headers
    )


async def _events(request_context: RequestContext, filters: EntryFilter, seen: str) -> AsyncIterator[str]:
    request, end = request_context.request, time.monotonic() + LONGEST_S
    ending = getattr(request.app.state, "ending", threading.Event())
    yield "retry: 1000\n\n"
    state_before, beat = seen, time.monotonic()
    while time.monotonic() < end and not ending.is_set() and not await request.is_disconnected():
        now = await asyncio.to_thread(_state, request_context, filters)
        if now != state_before or time.monotonic() - beat > 10:
            yield f"event: changed\ndata: {now}\n\n" if now != state_before else ": still here\n\n"
            state_before, beat = now, time.monotonic()
        await asyncio.sleep(ASKED_S)


def _state(request_context: RequestContext, filters: EntryFilter) -> str:
    with request_context.catalogue.reading() as connection:
        return last_change(connection, request_context.reader, filters)


DOOR = Door("log book", add_routes)
