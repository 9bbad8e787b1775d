"""What somebody who signed in changes of their own account: the password, and tokens."""

from fastapi import FastAPI, HTTPException
from fastapi.responses import RedirectResponse, Response

from tomarium.catalogue import sign_in_limits
from tomarium.catalogue.accounts import change_password, check_password
from tomarium.catalogue.audit import note
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.tokens import SCOPES, end_sessions, make_token, open_session, revoke_token
from tomarium.errors import InputError
from tomarium.portal import refusals
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, read_days
from tomarium.portal.identity import SESSION, forget_session, identify, session_seconds, set_cookie
from tomarium.portal.pages.sign_in import SIGN_IN, content_of
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext

# Annotations are evaluated here, not postponed: FastAPI reads them.

WRONG_PASSWORD = "The current password is wrong."


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/account/password", new_password, name="account.password")
    add_form_route(app, "/account/sign-out", sign_out_everywhere, name="account.sign-out")
    add_form_route(app, "/account/tokens", new_token, name="account.tokens")
    add_form_route(app, "/account/tokens/revoke", revoke, name="account.revoke")


def new_password(request_context: CurrentRequest, fields: Fields) -> Response:
    """Change one's own password: `current` and `password`; all other sessions end."""
    reader = holder_of(request_context)
    request, catalogue = request_context.request, request_context.catalogue
    address = demand_try(request_context, reader)
    if check_password(catalogue, reader.name, fields.get("current", "")) is None:
        with catalogue.writing() as connection:
            note(connection, reader, "change password failed", address=address)
        return _show(request_context, 403, problem=WRONG_PASSWORD)
    with catalogue.writing() as connection:
        sign_in_limits.succeed(connection, reader.name, address)
    try:
        with catalogue.writing() as connection:
            change_password(connection, reader, reader.name, fields.get("password", ""))
            secret = open_session(connection, reader.name)
    except InputError as problem:
        return _show(request_context, 400, problem=f"{problem}."[:1].upper() + f"{problem}."[1:])
    response = _show(request_context, 200, told=refusals.PASSWORD_CHANGED)
    set_cookie(request, response, SESSION, secret, session_seconds())
    return response


def sign_out_everywhere(request_context: CurrentRequest) -> Response:
    """End all of one's own sessions, this one too; tokens stay."""
    reader = holder_of(request_context)
    request = request_context.request
    with request_context.catalogue.writing() as connection:
        count = end_sessions(connection, reader, reader.name)
    home = RedirectResponse(request_context.link("sign-in"), 303)
    response = answer_json({"ended": count}) if wants_json(request) else home
    forget_session(request, response)
    return response


def new_token(request_context: CurrentRequest, fields: Fields) -> Response:
    """Make a token of one's own: `name`, `days`, and a field `scope.read`, `scope.upload` … for each scope."""
    reader = holder_of(request_context)
    scopes = tuple(scope for scope in SCOPES if fields.get(f"scope.{scope}"))
    try:
        days = read_days(fields, "365")
        with request_context.catalogue.writing() as connection:
            secret = make_token(connection, reader, reader.name, fields.get("name", "").strip(), scopes, days)
    except InputError as problem:
        return _show(request_context, 400, problem=f"{problem}."[:1].upper() + f"{problem}."[1:])
    if wants_json(request_context.request):
        return answer_json({"token": secret, "scopes": scopes}, 201)
    return _show(request_context, 201, secret=secret)


def revoke(request_context: CurrentRequest, fields: Fields) -> Response:
    """Revoke a token of one's own: `name`."""
    reader = holder_of(request_context)
    try:
        with request_context.catalogue.writing() as connection:
            revoke_token(connection, reader, reader.name, fields.get("name", ""))
    except InputError as problem:
        return _show(request_context, 400, problem=f"{problem}."[:1].upper() + f"{problem}."[1:])
    return _show(request_context, 200, told=refusals.TOKEN_REVOKED)


def demand_try(context: RequestContext, reader: Reader) -> str:
    """Refuse to look at a password or a code where too many were wrong; returns the address that asks."""
    client = context.request.client
    address = client.host if client else ""
    with context.catalogue.writing() as connection:
        wait = sign_in_limits.begin(connection, reader.name, address)
    if wait:
        raise HTTPException(429, refusals.TOO_MANY_TRIES, {"Retry-After": str(int(wait) + 1)})
    return address


def holder_of(context: RequestContext) -> Reader:
    """Return who signed in; a token can neither make others nor change the password."""
    identity = identify(context.request)
    if identity.way != "session":
        raise HTTPException(401, refusals.SIGN_IN_FIRST)
    return identity.reader


def _show(
    context: RequestContext, status: int, *, problem: str = "", told: str = "", secret: str = ""
) -> Response:
    if wants_json(context.request):
        if problem:
            raise HTTPException(status, problem)
        return answer_json({"told": told})
    content = content_of(context, "/", problem=problem, told=told, secret=secret)
    response = answer_html(context, SIGN_IN, content, context.link("sign-in.json"))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


DOOR = Door("account", add_routes)
