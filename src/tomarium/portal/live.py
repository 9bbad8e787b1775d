"""Addresses beside the page /live: its pictures, and events that tell when it has changed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from tomarium.beamtime.live_file import NAME, PICTURES, read_live, runs
from tomarium.beamtime.log_file import LOG, write_remark
from tomarium.catalogue.reader import LOCAL_OWNER, Reader
from tomarium.errors import FormatError
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, demand_known, run_form_action
from tomarium.portal.live_view import beamtime_of
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.routes import add_get_route

ASKED_S: Final = 0.3
"""Time between two looks at the file of the watch."""

LONGEST_S: Final = 60.0
"""Time after which a stream ends; the browser opens the next one by itself."""

Seen = Annotated[str, Query(max_length=100, description="The state that the page shows")]
"""What the page that asks for events was made of, so that no change between the two is missed."""


def live_folder(request: Request) -> Path | None:
    """Return the folder of the watch that an application shows.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    Path or None
        None where none was named.
    """
    folder: Path | None = getattr(request.app.state, "live", None)
    return folder


def demand_member(request_context: CurrentRequest) -> None:
    """Refuse those who have no account: slices of a running experiment are nobody else's.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.

    Raises
    ------
    HTTPException
        401.
    """
    if request_context.reader.role == "visitor":
        raise HTTPException(
            401,
            "The live page is for those who have an account here. Sign in.",
            {"WWW-Authenticate": "Bearer"},
        )


def add_routes(app: FastAPI) -> None:
    """Add the routes of the live page's pictures and events to a portal.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/live/slices/{file}", picture, name="live.picture", kind=Response)
    app.add_api_route("/live/events", events, name="live.events", include_in_schema=False)
    add_form_route(app, "/live/log", remark, name="live.remark")


def remark(request_context: CurrentRequest, fields: Fields) -> Response:
    """Write a remark into the log book of the beamtime: text; and who, where nobody signs in here."""
    demand_member(request_context)
    request = request_context.request
    own = fields.get("who", "") if asks_name(request_context.reader) else request_context.reader.name
    write_on(live_folder(request), fields, own)
    return RedirectResponse(request_context.link("live"), 303)


def asks_name(reader: Reader) -> bool:
    """Tell whether a reader's name is not known: where nobody signs in."""
    return reader == LOCAL_OWNER


def write_on(folder: Path | None, fields: Mapping[str, str], who: str) -> None:
    """Write a remark into the log book of the beamtime in which a watch lies.

    Parameters
    ----------
    folder : Path or None
        The folder that the watch writes.
    fields : mapping of str to str
        What was filled in: `text`, and `who`.
    who : str
        Who says it.

    Raises
    ------
    HTTPException
        400, 404 or 422.
    """
    demand_known(fields, ("text", "who"))
    beamtime = beamtime_of(folder)
    if beamtime is None:
        raise HTTPException(404, "The watch lies in the folder of no beamtime, so there is no log book.")
    run_form_action(lambda: write_remark(beamtime, who, fields.get("text", "")))


def picture(request_context: CurrentRequest, file: str) -> Response:
    """Give the picture of a slice."""
    demand_member(request_context)
    return picture_of(live_folder(request_context.request), file)


async def events(request_context: CurrentRequest, seen: Seen = "") -> Response:
    """Tell of each change of the watch, as server-sent events."""
    demand_member(request_context)
    return stream(request_context.request, seen)


def picture_of(folder: Path | None, file: str) -> Response:
    """Answer with a picture of a watch.

    Parameters
    ----------
    folder : Path or None
        Of the watch.
    file : str
        Name of the file; any text.

    Returns
    -------
    Response
        A PNG, kept by nobody but the browser.

    Raises
    ------
    HTTPException
        404.
    """
    path = None if folder is None else folder / PICTURES / file
    if path is None or "/" in file or file.startswith(".") or path.is_symlink() or not path.is_file():
        raise HTTPException(404, "There is no such slice; the page names those that there are.")
    return FileResponse(path, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


def stream(request: Request, seen: str = "") -> Response:
    """Answer with events: one at once where it is not as `seen`, and one for each change that a reader would see.

    Parameters
    ----------
    request : Request
        Its application names the folder of the watch.
    seen : str
        What `state_now` told when the page was made; "" where there was none. A change between the page and its first
        event is told so, too.

    Returns
    -------
    Response
        `text/event-stream`; it ends after a minute, and a browser asks again.
    """
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(request, seen), media_type="text/event-stream", headers=headers)


async def _events(request: Request, seen: str) -> AsyncIterator[str]:
    folder, end = live_folder(request), time.monotonic() + LONGEST_S
    yield "retry: 1000\n\n"
    digest, stamp_before, beat = seen, None, 0.0
    ending = getattr(request.app.state, "ending", threading.Event())
    while time.monotonic() < end and not ending.is_set() and not await request.is_disconnected():
        stamp = await asyncio.to_thread(_stamp, folder)
        running = _may_run(stamp)
        if (stamp, running) != stamp_before:
            stamp_before = stamp, running
            now = await asyncio.to_thread(state_now, folder)
            if now != digest:
                digest = now
                yield f"event: changed\ndata: {now}\n\n"
                beat = time.monotonic()
        if time.monotonic() - beat > 10:  # so that the page knows that it is heard
            yield ": still here\n\n"
            beat = time.monotonic()
        await asyncio.sleep(ASKED_S)


def _stamp(folder: Path | None) -> tuple[int, int, int] | None:
    """Tell the state of the watch's file, and the length of the log book."""
    try:
        stat = (folder / NAME).stat() if folder is not None else None
    except OSError:
        return None
    return None if stat is None else (stat.st_ino, stat.st_mtime_ns, _length_of_log(folder))


def _length_of_log(folder: Path | None) -> int:
    beamtime = beamtime_of(folder)
    try:
        return 0 if beamtime is None else (beamtime / LOG).stat().st_size
    except OSError:
        return 0


def _may_run(stamp: tuple[int, int, int] | None) -> bool:
    """Tell whether the file was written lately, so that a watcher that ended is noticed without a change."""
    return stamp is not None and time.time() - stamp[1] / 1e9 < 16


def state_now(folder: Path | None) -> str:
    """Sum up all of the state that the page shows but the heartbeat.

    Parameters
    ----------
    folder : Path or None
        Of the watch.

    Returns
    -------
    str
        A few letters, which are others in another process.
    """
    try:
        state = read_live(folder) if folder is not None else None
    except FormatError as problem:
        return str(hash(str(problem)))
    if state is None:
        return "none"
    shown = (
        runs(state, time.time()), state.problem, state.running,
        [(entry.get("scan"), entry.get("finished_at"), entry.get("checked")) for entry in state.slices[:6]],
        [(entry.get("scan"), entry.get("why")) for entry in state.queue],
        len(state.failed), len(state.skipped), len(state.slices), _length_of_log(folder),
    )  # fmt: skip
    return f"{hash(repr(shown)) & 0xFFFFFFFFFFFF:x}"


DOOR = Door("live", add_routes)
