"""The form by which curators import publications, and the report of what data are used where as CSV."""

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response

from tomarium.catalogue.data_use import as_csv, grouped, uses_of_data
from tomarium.catalogue.import_publications import import_works
from tomarium.errors import InputError
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, run_form_action
from tomarium.portal.identity import demand_scope
from tomarium.portal.pages.data_use import By
from tomarium.portal.pages.import_publications import IMPORT, content_of
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.routes import add_get_route
from tomarium.standards.read_works import read_works

# Annotations are evaluated here, not postponed: FastAPI reads them.


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/publications/report.csv", report_csv, name="data_use.csv", kind=Response)
    add_form_route(app, "/publications/import", import_text, name="publications.import.post")


def report_csv(request_context: CurrentRequest, by: By = "record") -> Response:
    """Tell which publications used which records, as CSV: a row for each of both."""
    with request_context.catalogue.reading() as connection:
        groups = grouped(uses_of_data(connection, request_context.reader), by)
    headers = {"Content-Disposition": f'attachment; filename="use-of-data-by-{by}.csv"'}
    return Response(as_csv(groups), media_type="text/csv; charset=utf-8", headers=headers)


def import_text(request_context: CurrentRequest, fields: Fields) -> Response:
    """Import publications: `text` is BibTeX, RIS or JSON, `data` identifiers of records that all of them used."""
    reader = demand_scope(request_context.request, "review")
    if not reader.sees_all:
        raise HTTPException(
            403, f"Publications are imported by curators, and {reader.name} is a {reader.role}."
        )
    text, data = fields.get("text", ""), fields.get("data", "")
    try:
        works = read_works(text)
    except InputError as problem:
        page = content_of(request_context, [], (f"{problem}."[:1].upper() + f"{problem}."[1:],), text, data)
        status = 422
    else:
        results = run_form_action(
            lambda: import_works(request_context.catalogue, reader, works.works, data=data.split())
        )
        page, status = content_of(request_context, results, works.problems), 200
    if wants_json(request_context.request):
        return answer_json(page, status)
    response = answer_html(request_context, IMPORT, page, request_context.link("publications.import.json"))
    response.status_code = status
    return response


DOOR = Door("publications", add_routes)
