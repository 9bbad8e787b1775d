"""Signing in with a password, signing out, and reviewers' links."""

import math
import time

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from tomarium.catalogue import Reader, sign_in_limits
from tomarium.catalogue.accounts import NAME, Account, check_password
from tomarium.catalogue.audit import note
from tomarium.catalogue.invitations import invited_to
from tomarium.catalogue.sealing import KeyUnusable
from tomarium.catalogue.second_factor import any_factor, passes
from tomarium.catalogue.tokens import close_session, open_session
from tomarium.model.sentence import Sentence
from tomarium.portal import oidc, refusals
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, own_path
from tomarium.portal.identity import (
    MOST_LINKS,
    REVIEW,
    SESSION,
    cookie_of,
    forget_session,
    identify,
    session_seconds,
    set_cookie,
)
from tomarium.portal.pages.second_factor import NO_KEY
from tomarium.portal.pages.sign_in import SIGN_IN, content_of
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route

# Annotations are evaluated here, not postponed: FastAPI reads them.


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/sign-in", sign_in, name="sign-in.post")
    add_form_route(app, "/sign-out", sign_out, name="sign-out")
    add_get_route(app, "/sign-in/oidc", start_oidc, name="sign-in.oidc", kind=Response, in_schema=False)
    add_get_route(
        app, "/sign-in/oidc/back", finish_oidc, name="sign-in.oidc.back", kind=Response, in_schema=False
    )
    add_get_route(app, "/review/{secret}", review, name="review", kind=Response)


def sign_in(request_context: CurrentRequest, fields: Fields) -> Response:
    """Sign in with `name`, `password` and the `code` of a second factor, and go to `back`; a program gets a cookie."""
    name, password = fields.get("name", "").strip(), fields.get("password", "")
    client = request_context.request.client
    address = client.host if client else ""
    catalogue = request_context.catalogue
    with catalogue.writing() as connection:
        wait = sign_in_limits.begin(connection, name, address)
    if wait:
        minutes = math.ceil(wait / 60)
        reason = (
            Sentence(refusals.TOO_MANY_SIGN_INS, minutes=minutes)
            if minutes > 1
            else refusals.TOO_MANY_IN_A_MINUTE
        )
        return _failed(request_context, fields, 429, reason, {"Retry-After": str(math.ceil(wait))})
    account = check_password(catalogue, name, password)
    keyless = False
    with catalogue.writing() as connection:
        asks_code = any_factor(connection)
        try:
            passed = account is not None and passes(connection, catalogue.home, name, fields.get("code", ""))
        except KeyUnusable:
            passed, keyless = False, True
        if passed:
            sign_in_limits.succeed(connection, name, address)
        else:
            # What is no name may be a password in the wrong field.
            shown = name[:80] if NAME.fullmatch(name) else ""
            why = (
                {} if account is None else {"wrong": "key of second factors" if keyless else "second factor"}
            )
            note(connection, Reader(), "sign in failed", account=shown, address=address, **why)
    if keyless:
        return _failed(request_context, fields, 503, NO_KEY)
    if account is None or not passed:
        return _failed(request_context, fields, 403, refusals.WRONG_CODE if asks_code else refusals.WRONG)
    return _begin(request_context, account, own_path(fields.get("back", "/")), "password")


def sign_out(request_context: CurrentRequest) -> Response:
    """Sign out: the session ends on the server too."""
    request = request_context.request
    identity = identify(request)
    secret = cookie_of(request, SESSION)
    if secret:
        with request_context.catalogue.writing() as connection:
            close_session(connection, secret)
            if identity.way == "session":
                note(connection, identity.reader, "sign out")
    response = (
        answer_json({"name": ""}) if wants_json(request) else RedirectResponse(_home(request_context), 303)
    )
    forget_session(request, response)
    return response


def start_oidc(request_context: CurrentRequest, back: str = "/") -> Response:
    """Go to the identity provider to sign in."""
    started = oidc.start(_client(request_context))
    response = RedirectResponse(started.address, 303, headers={"Cache-Control": "no-store"})
    state_text = started.keep(own_path(back))
    set_cookie(request_context.request, response, oidc.COOKIE, state_text, oidc.LONGEST_S)
    return response


def finish_oidc(
    request_context: CurrentRequest, code: str = "", state: str = "", error: str = ""
) -> Response:
    """Come back from the identity provider, and be signed in."""
    request = request_context.request
    oidc_state = oidc.PendingSignIn.read(cookie_of(request, oidc.COOKIE))
    if error:
        raise HTTPException(403, f"The identity provider did not sign you in ({error[:80]}). Try again.")
    if oidc_state is None or not oidc_state.fits(state):
        raise HTTPException(403, refusals.NOT_BEGUN_HERE)
    person = oidc.finish(_client(request_context), oidc_state, code)
    account = oidc.account_of(request_context.catalogue, person)
    response = _begin(request_context, account, oidc_state.back, person.issuer)
    set_cookie(request, response, oidc.COOKIE, "", 0)
    return response


def review(request_context: CurrentRequest, secret: str) -> Response:
    """Open a record by a reviewer's link, until it ends; nobody is asked or told who follows it."""
    request = request_context.request
    earlier = [
        earlier_secret
        for earlier_secret in cookie_of(request, REVIEW).split(".")
        if earlier_secret and earlier_secret != secret
    ]
    secrets = [secret, *earlier[: MOST_LINKS - 1]]
    with request_context.catalogue.reading() as connection:
        invitations = {key: invited_to(connection, key) for key in secrets}
    opened = invitations[secret]
    if opened is None:
        raise HTTPException(404, refusals.OPENS_NOTHING)
    valid_until = {
        key: invitation.until_utc for key, invitation in invitations.items() if invitation is not None
    }
    address = request_context.link("record", {"id": opened.record})
    response = RedirectResponse(address, 303)
    set_cookie(request, response, REVIEW, ".".join(valid_until), max(valid_until.values()) - time.time())
    response.headers.update({"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})
    return response


def _begin(context: RequestContext, account: Account, back: str, means: str) -> Response:
    request = context.request
    with context.catalogue.writing() as connection:
        close_session(connection, cookie_of(request, SESSION))  # never goes on under another name
        secret = open_session(connection, account.name)
        note(connection, account.reader, "sign in", means=means)
    response: Response = RedirectResponse(back, 303)
    if wants_json(request):
        response = answer_json({"name": account.name, "role": account.role, "teams": account.teams})
    set_cookie(request, response, SESSION, secret, session_seconds())
    response.headers["Cache-Control"] = "no-store"
    return response


def _failed(
    context: RequestContext, fields: Fields, status: int, problem: str, headers: dict[str, str] | None = None
) -> Response:
    if wants_json(context.request):
        raise HTTPException(status, problem, headers)
    content = content_of(context, fields.get("back", "/"), fields.get("name", ""), problem=problem)
    response = answer_html(context, SIGN_IN, content, context.link("sign-in.json"))
    response.status_code = status
    response.headers.update({"Cache-Control": "no-store", **(headers or {})})
    return response


def _client(context: RequestContext) -> oidc.Client:
    request: Request = context.request
    path = context.link("sign-in.oidc.back")
    return oidc.client_of(context.catalogue, str(request.base_url.replace(path="")).rstrip("/"), path)


def _home(context: RequestContext) -> str:
    return context.link("home")


DOOR = Door("sign in", add_routes)
