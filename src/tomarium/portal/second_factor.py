"""The forms of a second factor: set up, switched on with the first code, recovery codes anew, switched off."""

from collections.abc import Callable, Mapping
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response
from sqlalchemy import Connection

from tomarium.catalogue import second_factor, sign_in_limits
from tomarium.catalogue.accounts import check_password
from tomarium.catalogue.audit import note
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.sealing import KeyUnusable
from tomarium.errors import InputError
from tomarium.portal.account import WRONG_PASSWORD, demand_try, holder_of
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route
from tomarium.portal.pages.second_factor import NO_KEY, SECOND_FACTOR, content_of
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext

# Annotations are evaluated here, not postponed: FastAPI reads them.

IS_ON, IS_OFF = "The second factor is on.", "The second factor is off."
ANEW = "The recovery codes are new; those before open nothing any more."
WRONG = "The code is wrong, or was used already; wait for the next one of the app."


def add_routes(app: FastAPI) -> None:
    """Add the routes to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/account/second-factor/set-up", set_up, name="account.second_factor.set_up")
    add_form_route(app, "/account/second-factor/on", switch_on, name="account.second_factor.on")
    add_form_route(app, "/account/second-factor/codes", codes_anew, name="account.second_factor.codes")
    add_form_route(app, "/account/second-factor/off", switch_off, name="account.second_factor.off")


def set_up(request_context: CurrentRequest, fields: Fields) -> Response:
    """Make the secret of a second factor, after the password: `current`; it counts when its first code came."""
    reader = holder_of(request_context)
    address = demand_try(request_context, reader)
    catalogue = request_context.catalogue
    if check_password(catalogue, reader.name, fields.get("current", "")) is None:
        with catalogue.writing() as connection:
            note(connection, reader, "set up second factor failed", address=address)
        return _show(request_context, 403, problem=WRONG_PASSWORD)
    with catalogue.writing() as connection:
        sign_in_limits.succeed(connection, reader.name, address)
    try:
        with catalogue.writing() as connection:
            secret = second_factor.begin_factor(connection, catalogue.home, reader)
    except KeyUnusable:
        return _show(request_context, 503, problem=NO_KEY)
    except InputError as problem:
        return _show(request_context, 400, problem=f"{problem}."[:1].upper() + f"{problem}."[1:])
    if wants_json(request_context.request):
        return _private(answer_json({"secret": secret}, 201))
    return _show(request_context, 201, setting_up=True)


def switch_on(request_context: CurrentRequest, fields: Fields) -> Response:
    """Switch the second factor on with the first `code` of the app; recovery codes are told, once."""
    home = request_context.catalogue.home

    def act(connection: Connection, reader: Reader) -> tuple[str, ...]:
        return second_factor.confirm_factor(connection, home, reader, fields.get("code", ""))

    return _with_code(request_context, act, IS_ON, setting_up=True)


def codes_anew(request_context: CurrentRequest, fields: Fields) -> Response:
    """Make recovery codes anew, with a `code` of the app or a recovery code."""
    home = request_context.catalogue.home

    def act(connection: Connection, reader: Reader) -> tuple[str, ...] | None:
        right = _is_right(connection, home, reader, fields)
        return second_factor.make_codes(connection, reader) if right else None

    return _with_code(request_context, act, "The recovery codes are new; those before open nothing any more.")


def switch_off(request_context: CurrentRequest, fields: Fields) -> Response:
    """Switch the second factor off, with a `code` of the app or a recovery code."""
    home = request_context.catalogue.home

    def act(connection: Connection, reader: Reader) -> tuple[str, ...] | None:
        if not _is_right(connection, home, reader, fields):
            return None
        second_factor.end_factor(connection, reader, reader.name)
        return ()

    return _with_code(request_context, act, IS_OFF, ends=True)


def _is_right(connection: Connection, home: Path, reader: Reader, fields: Mapping[str, str]) -> bool:
    on = second_factor.factor_of(connection, reader.name).on
    return on and second_factor.passes(connection, home, reader.name, fields.get("code", ""))


def _with_code(
    context: RequestContext,
    act: Callable[[Connection, Reader], tuple[str, ...] | None],
    told: str,
    *,
    setting_up: bool = False,
    ends: bool = False,
) -> Response:
    """Run a change if a code is right; as many may be wrong as passwords when signing in."""
    reader = holder_of(context)
    address = demand_try(context, reader)
    try:
        with context.catalogue.writing() as connection:
            codes = act(connection, reader)
    except KeyUnusable:
        return _show(context, 503, problem=NO_KEY)
    if codes is None or not (codes or ends):
        with context.catalogue.writing() as connection:
            note(connection, reader, "second factor failed", address=address)
        return _show(context, 403, problem=WRONG, setting_up=setting_up)
    with context.catalogue.writing() as connection:
        sign_in_limits.succeed(connection, reader.name, address)
    if wants_json(context.request):
        return _private(answer_json({"told": told, "codes": codes}))
    return _show(context, 200, told=told, shown=codes)


def _show(
    context: RequestContext,
    status: int,
    *,
    problem: str = "",
    told: str = "",
    setting_up: bool = False,
    shown: tuple[str, ...] = (),
) -> Response:
    if wants_json(context.request) and problem:
        raise HTTPException(status, problem)
    content = content_of(context, problem=problem, told=told, setting_up=setting_up, shown=shown)
    response = answer_html(context, SECOND_FACTOR, content, context.link("account.second_factor.json"))
    response.status_code = status
    return _private(response)


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


DOOR = Door("second factor", add_routes)
