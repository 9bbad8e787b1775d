"""The page to which an invited person comes: they set the password of their account, once, and are signed in."""

from dataclasses import dataclass, field

from fastapi import FastAPI, HTTPException
from fastapi.responses import RedirectResponse, Response

from tomarium.catalogue.account_links import link_of, use_link
from tomarium.catalogue.accounts import account_named
from tomarium.catalogue.audit import note
from tomarium.catalogue.second_factor import factor_of
from tomarium.catalogue.tokens import close_session, open_session
from tomarium.errors import InputError
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route
from tomarium.portal.identity import SESSION, cookie_of, session_seconds, set_cookie
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route

# Annotations are evaluated here, not postponed: FastAPI reads them.

NOTHING = (
    "This link opens nothing: it was used, has ended, or a letter is missing. Ask who sent it for another."
)


@dataclass(frozen=True)
class WelcomePage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    name, role : str
        Of the account.
    secret : str
        The link's.
    problem : str
        What was wrong with the password.
    """

    title: str
    name: str
    role: str
    secret: str = field(metadata=FOR_PEOPLE)
    problem: str = field(default="", metadata=FOR_PEOPLE)


def add_routes(app: FastAPI) -> None:
    """Add the routes of the page and its form to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_get_route(app, "/welcome/{secret}", show, name="welcome", kind=Response)
    add_form_route(app, "/welcome/{secret}", set_password, name="welcome.post")


def show(request_context: CurrentRequest, secret: str) -> Response:
    """Ask an invited person for their password; the link is used up only when it is set."""
    return _page(request_context, secret)


def set_password(request_context: CurrentRequest, secret: str, fields: Fields) -> Response:
    """Set the `password` of the account of a link, which opens nothing afterwards; without a second factor sign in."""
    password = fields.get("password", "")
    if password != fields.get("again", password):
        return _page(request_context, secret, 400, "The two passwords differ; write the same twice.")
    request = request_context.request
    try:
        with request_context.catalogue.writing() as connection:
            if link_of(connection, secret) is None:
                raise HTTPException(404, NOTHING)
            name = use_link(connection, secret, password)
            account = account_named(connection, name)
            if factor_of(connection, name).on:  # a link that somebody else read is no second factor
                return _private(RedirectResponse(request_context.link("sign-in"), 303))
            close_session(connection, cookie_of(request, SESSION))  # never goes on under another name
            session = open_session(connection, name)
            note(connection, account.reader, "sign in", means="invitation")
    except InputError as problem:
        return _page(request_context, secret, 400, f"{problem}."[:1].upper() + f"{problem}."[1:])
    response: Response = RedirectResponse(request_context.link("sign-in"), 303)
    if wants_json(request):
        response = answer_json({"name": name, "role": account.role})
    set_cookie(request, response, SESSION, session, session_seconds())
    return _private(response)


def _page(context: RequestContext, secret: str, status: int = 200, problem: str = "") -> Response:
    with context.catalogue.reading() as connection:
        link = link_of(connection, secret)
        if link is None:
            raise HTTPException(404, NOTHING)
        account = account_named(connection, link.account)
    if wants_json(context.request):
        if problem:
            raise HTTPException(status, problem)
        return _private(answer_json({"name": account.name, "role": account.role}))
    page = Page("welcome", "/welcome/{secret}", "", "welcome.html", show)
    content = WelcomePage(f"Welcome, {account.name}", account.name, account.role, secret, problem)
    response = answer_html(context, page, content, context.link("welcome", {"secret": secret}))
    response.status_code = status
    return _private(response)


def _private(response: Response) -> Response:
    response.headers.update({"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})
    return response


DOOR = Door("welcome", add_routes)
