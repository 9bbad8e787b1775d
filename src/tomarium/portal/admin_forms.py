"""The forms of the administration: each changes one thing, and goes back to the page that shows it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, HTTPException
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Connection

from tomarium import units
from tomarium.catalogue import accounts, dois, form_words, jobs
from tomarium.catalogue.account_links import make_link, revoke_link
from tomarium.catalogue.alarms import clear_alarm
from tomarium.catalogue.assigned_instruments import change_instruments
from tomarium.catalogue.audit import note
from tomarium.catalogue.disk_use import change_quota
from tomarium.catalogue.harvest_sources import all_sources
from tomarium.catalogue.mail_queue import retry_mails
from tomarium.catalogue.reader import LOCAL_OWNER, NotAllowed, Reader
from tomarium.catalogue.second_factor import end_factor
from tomarium.catalogue.settings import SETTINGS, all_settings, change_setting
from tomarium.errors import InputError
from tomarium.model.sentence import Sentence, joined, sentence_of
from tomarium.portal.administration import SECTIONS, demand_section
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, read_days
from tomarium.portal.harvest_jobs import ask_for
from tomarium.portal.page import Page
from tomarium.portal.pages import admin_user, admin_users
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext

# Annotations are evaluated here, not postponed: FastAPI reads them.

Made = TypeVar("Made")
DAYS = "7"
"""How long a link by which somebody sets a password works, where nobody says otherwise."""


def add_routes(app: FastAPI) -> None:
    """Add the routes of these forms to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/admin/users", add_user, name="admin.users.add")
    add_form_route(app, "/admin/users/{name}/role", role, name="admin.user.role")
    add_form_route(app, "/admin/users/{name}/teams", teams, name="admin.user.teams")
    add_form_route(app, "/admin/users/{name}/instruments", instruments, name="admin.user.instruments")
    add_form_route(app, "/admin/users/{name}/link", link, name="admin.user.link")
    add_form_route(app, "/admin/users/{name}/withdraw-link", withdraw_link, name="admin.user.withdraw_link")
    add_form_route(app, "/admin/users/{name}/second-factor-off", factor_off, name="admin.user.factor_off")
    add_form_route(app, "/admin/users/{name}/close", close, name="admin.user.close")
    add_form_route(app, "/admin/users/{name}/open", reopen, name="admin.user.open")
    add_form_route(app, "/admin/settings", settings, name="admin.settings.change")
    add_form_route(app, "/admin/work", again, name="admin.work.again")
    add_form_route(app, "/admin/sources", harvest_now, name="admin.sources.harvest")
    add_form_route(app, "/admin/disk", quota, name="admin.disk.quota")
    add_form_route(app, "/admin/alarms", clear, name="admin.alarms.clear")


def add_user(request_context: CurrentRequest, fields: Fields) -> Response:
    """Make an account: `name`, `role`, `teams`, `orcid`; without `password` a link to set one, for `days`, is told."""
    reader = demand_section(request_context, "users", change=True)
    name, password = fields.get("name", "").strip(), fields.get("password", "")

    def act(connection: Connection) -> str:
        if not password and not accounts.any_account(connection):
            raise InputError(
                "the first account is an administrator's, and must have a password now: from then on nobody gets in "
                "without one"
            )
        given_role = fields.get("role") or "member"
        accounts.make_account(
            connection, reader, name, given_role, password=password, orcid=fields.get("orcid", "").strip()
        )
        accounts.change_teams(connection, reader, name, join=_lines(fields, "teams"))
        return "" if password else make_link(connection, reader, name, read_days(fields, DAYS))

    secret = _change(request_context, act)
    if not secret:
        # Who made the first account as the owner of this machine is nobody from now on, and has to sign in.
        target = "sign-in" if reader == LOCAL_OWNER else "admin.users"
        return _answer_done(request_context, target, {}, f"{name} may sign in now.")
    address = request_context.address("welcome", {"secret": secret})
    if wants_json(request_context.request):
        return _secret(answer_json({"name": name, "link": address}, 201))
    page = admin_users.content_of(request_context, secret_of=name, secret=address)
    return _secret(_html(request_context, admin_users.USERS, page, {}))


def role(request_context: CurrentRequest, name: str, fields: Fields) -> Response:
    """Give an account another `role`; it holds from the next request on."""
    new_role = fields.get("role", "")
    return _change_user(
        request_context,
        name,
        lambda connection, reader: accounts.change_role(connection, reader, name, new_role),
        f"{name} is {new_role} now.",
    )


def teams(request_context: CurrentRequest, name: str, fields: Fields) -> Response:
    """Say to which `teams` an account belongs, one a line; it leaves all others."""
    new_teams = _lines(fields, "teams")

    def act(connection: Connection, reader: Reader) -> None:
        now = accounts.account_named(connection, name).teams
        leave = tuple(team for team in now if team not in new_teams)
        accounts.change_teams(connection, reader, name, join=new_teams, leave=leave)

    return _change_user(request_context, name, act, "The teams are changed.")


def instruments(request_context: CurrentRequest, name: str, fields: Fields) -> Response:
    """Say which `instruments` are assigned to an account, one a line; all others are taken from it."""
    new_instruments = _lines(fields, "instruments")

    def act(connection: Connection, reader: Reader) -> None:
        now = accounts.account_named(connection, name).instruments
        release = tuple(instrument for instrument in now if instrument not in new_instruments)
        change_instruments(connection, reader, name, assign=new_instruments, release=release)

    return _change_user(request_context, name, act, "The instruments are changed.")


def link(request_context: CurrentRequest, name: str, fields: Fields) -> Response:
    """Make a link by which the holder of an account sets its password, once, within `days`."""
    reader = demand_section(request_context, "users", change=True)
    secret = _change(
        request_context, lambda connection: make_link(connection, reader, name, read_days(fields, DAYS)), name
    )
    address = request_context.address("welcome", {"secret": secret})
    if wants_json(request_context.request):
        return _secret(answer_json({"name": name, "link": address}, 201))
    page = admin_user.content_of(request_context, name, secret=address)
    return _secret(_html(request_context, admin_user.USER, page, {"name": name}))


def factor_off(request_context: CurrentRequest, name: str) -> Response:
    """Switch the second factor of an account off, whose holder lost the app and the recovery codes."""
    return _change_user(
        request_context,
        name,
        lambda connection, reader: end_factor(connection, reader, name),
        "The second factor is off; the password alone signs in.",
    )


def withdraw_link(request_context: CurrentRequest, name: str) -> Response:
    """Revoke the link of an account."""
    return _change_user(
        request_context,
        name,
        lambda connection, reader: revoke_link(connection, reader, name),
        "The link opens nothing any more.",
    )


def close(request_context: CurrentRequest, name: str) -> Response:
    """Close an account: its sessions, tokens and link end; what it owns stays."""
    return _change_user(
        request_context,
        name,
        lambda connection, reader: accounts.close_account(connection, reader, name),
        "The account is closed.",
    )


def reopen(request_context: CurrentRequest, name: str) -> Response:
    """Open a closed account again; its tokens are gone."""
    return _change_user(
        request_context,
        name,
        lambda connection, reader: accounts.reopen_account(connection, reader, name),
        "The account is open again.",
    )


def settings(request_context: CurrentRequest, fields: Fields) -> Response:
    """Change settings: key → value; "" goes back to the default. All are taken, or none."""
    reader = demand_section(request_context, "settings", change=True)

    def act(connection: Connection) -> dict[str, str]:
        before = all_settings(connection)
        changed = {
            key: value.strip()
            for key, value in fields.items()
            if key not in SETTINGS or value.strip() != before[key]
        }
        for key, value in changed.items():
            change_setting(connection, key, value)
        if changed:
            note(connection, reader, "settings", told=changed)
        return changed

    changed = _change(request_context, act)
    return _answer_done(
        request_context, "admin.settings", {}, f"Changed: {', '.join(changed)}." if changed else "No change."
    )


def again(request_context: CurrentRequest, fields: Fields) -> Response:
    """Queue a `job` or a `mail` (its number), or a `doi`, again for a worker."""
    reader = demand_section(request_context, "work", change=True)
    doi, mail = fields.get("doi", ""), fields.get("mail", "")
    number = mail or fields.get("job", "")

    def act(connection: Connection) -> None:
        if doi:
            dois.retry_doi(connection, reader, doi)
        elif number.isascii() and number.isdecimal() and len(number) < 18:
            retry = retry_mails if mail else jobs.retry_job
            retry(connection, reader, int(number))
        else:
            raise InputError(Sentence(form_words.NO_JOB_OR_MAIL, text=repr(number[:20])))

    _change(request_context, act)
    return _answer_done(request_context, "admin.work", {}, "The next worker tries it again.")


def harvest_now(request_context: CurrentRequest, fields: Fields) -> Response:
    """Queue the harvest of a `source`, its number, for a worker now."""
    reader = demand_section(request_context, "sources", change=True)
    number = fields.get("source", "")

    def act(connection: Connection) -> str:
        sources = {str(source.number): source for source in all_sources(connection)}
        if number not in sources:
            raise InputError(f"there is no source {number[:20]!r}; the page lists their numbers")
        ask_for(connection, sources[number])
        note(connection, reader, "harvest", told=[sources[number].title])
        return sources[number].title

    title = _change(request_context, act)
    return _answer_done(request_context, "admin.sources", {}, f"{title}: the next worker harvests it.")


def quota(request_context: CurrentRequest, fields: Fields) -> Response:
    """Say how much the records of an owner or a team may take: `kind`, `name`, `quota` ("500 GB"; "" for no limit)."""
    reader = demand_section(request_context, "disk", change=True)
    text, name = fields.get("quota", "").strip(), fields.get("name", "").strip()

    def act(connection: Connection) -> None:
        size = units.parse(text, "B") if text else None
        if size is not None and not math.isfinite(size):
            raise InputError(f"{text[:40]!r} is no size; give one such as 500 GB")
        change_quota(connection, reader, fields.get("kind", ""), name, None if size is None else round(size))

    _change(request_context, act)
    return _answer_done(request_context, "admin.disk", {}, f"{name}: {text or 'no limit'}.")


def clear(request_context: CurrentRequest, fields: Fields) -> Response:
    """Clear an `alarm`, its number, with the `reason`: what was done; the log keeps it."""
    reader = demand_section(request_context, "alarms", change=True)
    number = fields.get("alarm", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 18):
        raise HTTPException(422, Sentence(form_words.NO_ALARM, text=repr(number[:20])))
    _change(
        request_context,
        lambda connection: clear_alarm(connection, reader, int(number), fields.get("reason", "")),
    )
    return _answer_done(request_context, "admin.alarms", {}, f"Alarm {number} is cleared.")


def _change_user(
    context: RequestContext, name: str, act: Callable[[Connection, Reader], object], message: str
) -> Response:
    reader = demand_section(context, "users", change=True)
    _change(context, lambda connection: act(connection, reader), name)
    # Who took their own role, or closed their own account, sees the list of users no more.
    with context.catalogue.reading() as connection:
        accounts_by_name = {account.name: account for account in accounts.all_accounts(connection)}
    own_account = accounts_by_name.get(reader.name)
    sees = own_account is None or (not own_account.closed and own_account.role in SECTIONS["users"].sees)
    return (
        _answer_done(context, "admin.user", {"name": name}, message)
        if sees
        else _answer_done(context, "home", {}, message)
    )


def _change(context: RequestContext, act: Callable[[Connection], Made], name: str = "") -> Made:
    """Run a change in one transaction, with errors as HTTP statuses; 404 where there is no account."""
    try:
        with context.catalogue.writing() as connection:
            if name:
                _demand_account(connection, name)
            return act(connection)
    except NotAllowed as problem:
        raise HTTPException(403, joined((sentence_of(problem), ""), ".")) from problem
    except InputError as problem:
        raise HTTPException(422, joined((sentence_of(problem), ""), ".")) from problem


def _demand_account(connection: Connection, name: str) -> None:
    try:
        accounts.account_named(connection, name)
    except InputError as problem:
        raise HTTPException(404, Sentence(form_words.NO_ACCOUNT, name=name[:60])) from problem


def _answer_done(context: RequestContext, page: str, parts: Mapping[str, str], message: str) -> Response:
    if wants_json(context.request):
        return answer_json({"said": message})
    return RedirectResponse(f"{context.link(page, parts)}?said={quote(message[:300])}", 303)


def _html(context: RequestContext, page: Page, content: Any, parts: Mapping[str, str]) -> Response:
    response = answer_html(context, page, content, context.link(f"{page.name}.json", parts))
    response.status_code = 201
    return response


def _secret(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _lines(fields: Mapping[str, str], name: str) -> tuple[str, ...]:
    lines = (" ".join(line.split()) for line in fields.get(name, "").splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


DOOR = Door("administration", add_routes)
