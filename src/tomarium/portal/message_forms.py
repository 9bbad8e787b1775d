"""Forms of visitors and of those who answer them: feedback, questions about a record, and their table."""

import csv
import io
import math
from dataclasses import replace

from fastapi import FastAPI, HTTPException
from fastapi.responses import RedirectResponse, Response

from tomarium.catalogue.messages import TooMany, close_message, messages_of, write_message
from tomarium.errors import ParameterError
from tomarium.model.sentence import sentence_of
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, demand_known, own_path, run_form_action
from tomarium.portal.identity import demand_scope
from tomarium.portal.languages import translate
from tomarium.portal.page import Page
from tomarium.portal.pages.feedback import ASK, FEEDBACK, FeedbackPage, page_of
from tomarium.portal.pages.messages import message_row
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route

# Annotations are evaluated here, not postponed: FastAPI reads them.

FIELDS = ("name", "email", "text", "page", "website")
"""`website` is hidden from people: programs that fill in every field are known by it."""
COLUMNS = ("number", "when", "record", "name", "email", "text", "page", "answered")


class Table(Response):
    """A table, for the description of the API."""

    media_type = "text/csv"


def add_routes(app: FastAPI) -> None:
    """Add the routes of the forms to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/feedback", send, name="feedback.send")
    add_form_route(app, "/records/{id}/ask", ask, name="record.ask.send")
    add_form_route(app, "/messages/{number}/answered", answered, name="messages.answered")
    add_form_route(app, "/messages/{number}/remove", remove, name="messages.remove")
    add_get_route(app, "/messages.csv", table, name="messages.csv", kind=Table)


def send(request_context: CurrentRequest, fields: Fields) -> Response:
    """Write to those who run the portal: `text`, and where an answer is wanted `name` and `email`."""
    return _send(request_context, FEEDBACK, page_of(request_context, ""), fields)


def ask(request_context: CurrentRequest, id: str, fields: Fields) -> Response:
    """Ask those whom a record belongs to: `text`, `email` and `name`."""
    return _send(request_context, ASK, page_of(request_context, id), fields)


def _send(context: RequestContext, page: Page, shown: FeedbackPage, fields: Fields) -> Response:
    demand_known(fields, FIELDS)
    parts = {"id": shown.record} if shown.record else {}
    if not fields.get("website"):
        client = context.request.client
        about = own_path(fields["page"]) if fields.get("page") else ""
        try:
            write_message(
                context.catalogue,
                fields,
                record=shown.record,
                page=about,
                address=client.host if client else "",
            )
        except (ParameterError, TooMany) as problem:
            return _refused(context, page, replace(shown, given=dict(fields), page=about), problem)
    if wants_json(context.request):
        return answer_json({"said": "Sent."}, 201)
    return RedirectResponse(context.link(page.name, parts, {"sent": "true"}), 303)


def _refused(
    context: RequestContext, page: Page, shown: FeedbackPage, problem: ParameterError | TooMany
) -> Response:
    many = isinstance(problem, TooMany)
    status, sentence = (429 if many else 422), f"{problem}."[:1].upper() + f"{problem}."[1:]
    headers = {"Retry-After": str(math.ceil(problem.wait_s))} if isinstance(problem, TooMany) else {}
    if wants_json(context.request):
        raise HTTPException(status, sentence, headers) from problem
    parts = {"id": shown.record} if shown.record else {}
    path = context.link(f"{page.name}.json", parts)
    told = translate(sentence_of(problem), context.language)
    told = f"{told}."[:1].upper() + f"{told}."[1:]
    response = answer_html(context, page, replace(shown, problem=told), path)
    response.status_code = status
    response.headers.update(headers)
    return response


def answered(request_context: CurrentRequest, number: int) -> Response:
    """Note that a message was dealt with."""
    return _close(request_context, number, remove=False)


def remove(request_context: CurrentRequest, number: int) -> Response:
    """Remove a message, with all that it tells of who wrote it."""
    return _close(request_context, number, remove=True)


def _close(context: RequestContext, number: int, *, remove: bool) -> Response:
    reader = demand_scope(context.request, "write")
    if not 0 < number < 2**62:
        raise HTTPException(404, "There is no such message.")
    run_form_action(lambda: close_message(context.catalogue, reader, number, remove=remove))
    if wants_json(context.request):
        return answer_json({"message": number})
    return RedirectResponse(context.link("messages"), 303)


def table(request_context: CurrentRequest) -> Response:
    """Give all messages as CSV, to administrators."""
    reader = demand_scope(request_context.request, "admin")
    if reader.role != "administrator":
        raise HTTPException(403, "The table of all messages is for administrators.")
    with request_context.catalogue.reading() as connection:
        messages = messages_of(connection, reader, 10**6)
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for message in messages:
        row = message_row(request_context, message)
        writer.writerow([_cell(str(getattr(row, column))) for column in COLUMNS])
    headers = {"Content-Disposition": 'attachment; filename="messages.csv"', "Cache-Control": "no-store"}
    return Response(written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(text: str) -> str:
    """Keep a spreadsheet from taking what somebody wrote for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


DOOR = Door("messages", add_routes)
