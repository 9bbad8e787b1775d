"""Beside the pages of work: asking for slices and volumes, cancelling, pictures, and how far a job is.

The web process computes nothing: it writes a row of `job`, which a worker takes, and draws numbers that one has left.
"""

from collections.abc import Mapping
from dataclasses import replace
from secrets import token_hex
from typing import Any, Final

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy import Connection

from tomarium.beamtime.work_jobs import PREVIEW, RECONSTRUCT
from tomarium.beamtime.work_results import read_slice
from tomarium.beamtime.work_settings import FIELDS, WorkSettings, settings_of
from tomarium.beamtime.work_steps import from_fields
from tomarium.catalogue.filing import id_words
from tomarium.catalogue.find_jobs import own_jobs
from tomarium.catalogue.jobs import add_job, cancel_job, drop_jobs
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.upload_room import demand_room
from tomarium.errors import InputError, StorageFull
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, demand_known, run_form_action
from tomarium.portal.identity import demand_scope, may_upload
from tomarium.portal.languages import translate
from tomarium.portal.page import machine
from tomarium.portal.pages.work_slice import WORK_SLICE, Typed, content_of, grey_window
from tomarium.portal.rendering import answer_html, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route
from tomarium.portal.work_requests import (
    MOST_OPEN,
    OPEN,
    demand_worker_member,
    ensure_worker,
    facts_of_job,
    folder_of_job,
    named_scan,
    own_job,
    progress_of,
)
from tomarium.viewers.picture import png

# Annotations are evaluated here, not postponed: FastAPI reads them.

LONGEST_TITLE: Final = 200
ASKED: Final = ("scan", "what", "session", "take", "axes", "look", "low", "high", "add", *FIELDS)
"""Fields of the form for a slice, besides those of further steps."""
KEPT: Final = {"Cache-Control": "private, max-age=3600"}


def add_routes(app: FastAPI) -> None:
    """Add the routes of the requests on the pages of work to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/reconstruct/looks", ask, name="work.look")
    add_form_route(app, "/reconstruct/jobs", launch, name="work.launch")
    add_form_route(app, "/reconstruct/jobs/{number}/cancel", cancel, name="work.cancel")
    add_get_route(
        app, "/reconstruct/looks/{number}/state", look_state, name="work.look_state.json", kind=JSONResponse
    )
    add_get_route(
        app, "/reconstruct/looks/{number}/slices/{index}.png", picture, name="work.picture", kind=Response
    )
    add_get_route(
        app, "/reconstruct/looks/{number}/protocol.yaml", protocol, name="work.protocol", kind=Response
    )


def ask(request_context: CurrentRequest, fields: Fields) -> Response:
    """Ask for a slice of `scan` with the settings of the form; `what` = "axes" asks for slices about several axes."""
    request_context = _asker(request_context)
    reader = request_context.reader
    demand_known([name for name in fields if not name.startswith("step.")], ASKED)
    scan, session = fields.get("scan", ""), fields.get("session", "")[:40] or token_hex(6)
    run_form_action(lambda: named_scan(request_context, scan))
    look, axes = _number(fields, "look"), _number(fields, "axes")
    what = "axes" if fields.get("what") == "axes" else "slice"
    further = from_fields(fields.get("further", ""), fields.items())
    axis = fields.get("take") or fields.get("axis", "")
    settings = run_form_action(lambda: settings_of({**fields, "axis": axis, "further": further}))
    window = fields.get("low", "")[:40], fields.get("high", "")[:40]
    try:
        settings.protocol(_domain(request_context, axes))
    except InputError as problem:
        return _refused(request_context, scan, (look, axes), Typed(settings, f"{problem}.", *window), session)
    arguments = {"what": what, "scan": scan, "session": session, "settings": settings.texts}

    def unwanted(arguments_of_job: Any) -> bool:
        return (arguments_of_job.get("session"), arguments_of_job.get("what")) == (session, what)

    with request_context.catalogue.writing() as connection:
        drop_jobs(connection, reader, PREVIEW, unwanted)
        _demand_few(connection, reader, PREVIEW)
        job = add_job(connection, reader, PREVIEW, arguments, joins=())
    ensure_worker(request_context.request, PREVIEW)
    look, axes = (look, job) if what == "axes" else (job, axes)
    query = {
        "scan": scan, "session": session, "look": str(look or ""), "axes": str(axes or ""),
        "low": window[0], "high": window[1],
    }  # fmt: skip
    address = request_context.link("work.slice", query=query)
    if not wants_json(request_context.request):
        return RedirectResponse(f"{address}#slice" if what == "slice" else address, 303)
    state = request_context.link("work.look_state.json", {"number": str(job)})
    return JSONResponse({"job": job, "address": address, "state": state}, 202)


def _asker(request_context: RequestContext) -> RequestContext:
    """Return the context of who asks, where they may bring new data; raises HTTPException 401 or 403."""
    reader = demand_scope(request_context.request, "upload")
    if not may_upload(request_context.request):
        raise HTTPException(
            403, f"{reader.name} only looks; ask an administrator for an account that may bring data."
        )
    return replace(request_context, reader=reader)


def _number(fields: Any, name: str) -> int:
    text = fields.get(name, "").strip() or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise HTTPException(400, f"{name}: {text[:20]!r} is no number of a job.")
    return int(text)


def _domain(request_context: RequestContext, axes: int) -> Any:
    """Return what the scan's numbers are, where a worker has told; counts else, and the worker judges."""
    facts = facts_of_job(request_context, own_job(request_context, axes, PREVIEW)) if axes else None
    return (facts or {}).get("domain", "counts")


def _refused(
    request_context: RequestContext, scan: str, shown: tuple[int, int], typed: Typed, session: str
) -> Response:
    """Answer with the form as it was typed, and why it was refused."""
    if wants_json(request_context.request):
        raise HTTPException(422, typed.problem)
    look, axes = shown
    content = content_of(request_context, scan, look, axes, session=session, typed=typed)
    json_path = request_context.link("work.slice.json", query={"scan": scan})
    answer = answer_html(request_context, WORK_SLICE, content, json_path)
    answer.status_code = 422
    return answer


def _demand_few(connection: Connection, reader: Reader, kind: str) -> None:
    """Refuse more than a few jobs of one person at once; raises HTTPException 429."""
    open_jobs = sum(job.state in OPEN for job in own_jobs(connection, reader, kind))
    if open_jobs >= MOST_OPEN[kind]:
        raise HTTPException(
            429,
            f"{open_jobs} jobs of yours wait or run already, which is the most; wait for one, or cancel it.",
            {"Retry-After": "30"},
        )


def launch(request_context: CurrentRequest, fields: Fields) -> Response:
    """Ask for the whole volume with the protocol of a slice that was made: `look`, its number, and a `title`."""
    request_context = _asker(request_context)
    reader = request_context.reader
    demand_known(fields, ("look", "title"))
    look = _number(fields, "look")
    job = own_job(request_context, look, PREVIEW)
    facts = facts_of_job(request_context, job)
    if facts is None or job.arguments["what"] != "slice":
        raise HTTPException(
            422, "The slice whose protocol is wanted is not made yet, or was cleared away. Look again."
        )
    scan, settings = str(job.arguments["scan"]), settings_of(job.arguments["settings"])
    name = run_form_action(lambda: named_scan(request_context, scan))
    title = " ".join(fields.get("title", "").split()) or f"{name}, reconstructed"
    if len(title) > LONGEST_TITLE:
        raise HTTPException(422, f"The title has {len(title)} letters; give one of at most {LONGEST_TITLE}.")
    arguments = {"scan": scan, "protocol": facts["protocol"], "rows": settings.run_rows, "title": title}
    with request_context.catalogue.writing() as connection:
        number = _find_same_job(connection, reader, arguments)
        if number is None:
            _demand_few(connection, reader, RECONSTRUCT)
            size = _bytes_of(facts, settings)
            _demand_room(connection, reader, size)
            more = {
                "id": f"{id_words(title)}-{token_hex(4)}",
                "look": look,
                "session": job.arguments["session"],
                "bytes": size,
            }
            number = add_job(connection, reader, RECONSTRUCT, {**arguments, **more}, joins=())
    ensure_worker(request_context.request, RECONSTRUCT)
    return _answer_with_job(request_context, number, 202)


def _bytes_of(facts: Mapping[str, Any], settings: WorkSettings) -> int:
    """Return about what a volume takes: its voxels as float32; coarser levels and what can be packed cancel out."""
    height, width = facts["full"]
    if settings.region is not None:
        ends = [[int(end) for end in part.split(":")] for part in settings.region.split(",")]
        height, width = (last - first for first, last in ends)
    rows = len(range(facts["height"])[settings.slices or slice(None)])
    return int(4 * rows * height * width)


def _demand_room(connection: Connection, reader: Reader, size: int) -> None:
    """Refuse a volume for which the quota of who asks leaves no room; raises HTTPException 507."""
    jobs = (job for job in own_jobs(connection, reader, RECONSTRUCT) if job.state in OPEN)
    try:
        demand_room(
            connection, "owner", reader.name, size + sum(job.arguments.get("bytes", 0) for job in jobs)
        )
    except StorageFull as problem:
        raise HTTPException(507, f"{problem}.") from problem


def _find_same_job(connection: Connection, reader: Reader, arguments: Any) -> int | None:
    """Find a job that makes the same already, as where a button was pressed twice."""
    for job in own_jobs(connection, reader, RECONSTRUCT):
        if job.state in OPEN and {name: job.arguments.get(name) for name in arguments} == arguments:
            return int(job.number)
    return None


def _answer_with_job(request_context: RequestContext, number: int, status: int) -> Response:
    page = request_context.link("work.job", {"number": str(number)})
    if wants_json(request_context.request):
        return JSONResponse({"job": number, "address": page}, status)
    return RedirectResponse(page, 303)


def cancel(request_context: CurrentRequest, number: int, fields: Fields) -> Response:
    """Cancel a volume that waits or is made; what was made of it is removed."""
    request_context = _asker(request_context)
    reader = request_context.reader
    demand_known(fields, ())
    own_job(request_context, number, RECONSTRUCT)

    def act() -> None:
        with request_context.catalogue.writing() as connection:
            cancel_job(connection, reader, number)

    run_form_action(act)
    return _answer_with_job(request_context, number, 200)


def look_state(request_context: CurrentRequest, number: int) -> Response:
    """Tell how far a slice is: `state`, a `sentence` for people, `done` and `total` parts of its present stage."""
    demand_worker_member(request_context)
    job = own_job(request_context, number, PREVIEW)
    if job.state in OPEN:
        ensure_worker(request_context.request, job.kind)
    progress = progress_of(request_context, job)
    state = machine(progress) | {"sentence": translate(progress.sentence, request_context.language)}
    return JSONResponse(state, headers={"Cache-Control": "no-store"})


def picture(
    request_context: CurrentRequest, number: int, index: int, low: str = "", high: str = ""
) -> Response:
    """Draw a slice that a worker made, between two grey values."""
    demand_worker_member(request_context)
    job = own_job(request_context, number, PREVIEW)
    facts = facts_of_job(request_context, job)
    image = None if facts is None else read_slice(folder_of_job(request_context, job), index)
    if facts is None or image is None:
        raise HTTPException(
            404, "There is no such slice; it may not be made yet, or was cleared away after a day."
        )
    return Response(png(image, window=grey_window(facts, (low, high))), media_type="image/png", headers=KEPT)


def protocol(request_context: CurrentRequest, number: int) -> Response:
    """Give the protocol of a slice as YAML, for `tomarium run SCAN -p`."""
    demand_worker_member(request_context)
    job = own_job(request_context, number, PREVIEW)
    facts = facts_of_job(request_context, job)
    if facts is None:
        raise HTTPException(
            404, "There is no such protocol; its slice may not be made yet, or was cleared away."
        )
    headers = {
        "Content-Disposition": f'attachment; filename="protocol-{number}.yaml"',
        "Cache-Control": "no-store",
    }
    return Response(facts["yaml"], media_type="application/yaml", headers=headers)


DOOR = Door("work", add_routes)
