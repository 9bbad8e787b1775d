"""Forms of saved searches and of where their mails go; and the links in the mails, which work without signing in."""

from dataclasses import dataclass, field
from typing import Final, NoReturn
from urllib.parse import quote

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tomarium.catalogue import saved_searches
from tomarium.catalogue.mail_addresses import change_mail_address, confirm_mail_address
from tomarium.catalogue.saved_searches import change_search, delete_search, save_search, search_with_key
from tomarium.portal.account import holder_of
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, run_form_action
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.routes import add_get_route

# Annotations are evaluated here, not postponed: FastAPI reads them.

NOTHING: Final = "This link opens nothing: it was used, is too old, or a letter is missing."


@dataclass(frozen=True)
class MailLinkPage:
    """Content of the page that a link in a mail leads to.

    Attributes
    ----------
    title, text : str
        What it is about.
    action, button : str
        Where its form goes, and the words on its button; "" where it was done.
    """

    title: str
    text: str
    action: str = field(default="", metadata=FOR_PEOPLE)
    button: str = field(default="", metadata=FOR_PEOPLE)


def add_routes(app: FastAPI) -> None:
    """Add the routes of the forms, and of the pages of the links, to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/account/searches", save, name="account.searches.save")
    add_form_route(app, "/account/searches/{number}", change, name="account.search")
    add_form_route(app, "/account/mail", address, name="account.mail")
    add_get_route(app, "/account/mail/{secret}", ask_to_confirm, name="account.mail.link", kind=HTMLResponse)
    add_form_route(app, "/account/mail/{secret}", confirm, name="account.mail.confirm")
    add_get_route(app, "/unsubscribe/{key}", ask_to_unsubscribe, name="unsubscribe", kind=HTMLResponse)
    add_form_route(app, "/unsubscribe/{key}", unsubscribe, name="unsubscribe.post")


def save(request_context: CurrentRequest, fields: Fields) -> Response:
    """Save a search: `asked` as in the address of the list of records, `name`, `every`, and perhaps `address`."""
    reader = holder_of(request_context)

    def act() -> str:
        with request_context.catalogue.writing() as connection:
            query, every = fields.get("asked", ""), fields.get("every") or "daily"
            search = save_search(connection, reader, query, fields.get("name", ""), every)
            if fields.get("address", "").strip():
                change_mail_address(connection, reader, fields["address"])
        return f"“{search.name}” is saved."

    return _answer_done(request_context, run_form_action(act))


def change(request_context: CurrentRequest, number: int, fields: Fields) -> Response:
    """Change a saved search: `name`, `every`, `paused` (yes or no); with `delete`, delete it."""
    reader = holder_of(request_context)

    def act() -> str:
        with request_context.catalogue.writing() as connection:
            if fields.get("delete"):
                delete_search(connection, reader, number)
                return "It is deleted."
            pause, paused = fields.get("paused"), None
            if pause:
                paused = pause == "yes"
            search = change_search(
                connection, reader, number, name=fields.get("name"), every=fields.get("every"), paused=paused
            )
        return f"“{search.name}” is paused." if search.paused else f"“{search.name}” is saved."

    return _answer_done(request_context, run_form_action(act))


def address(request_context: CurrentRequest, fields: Fields) -> Response:
    """Say where mails go: `address`; an empty one ends all mail."""
    reader = holder_of(request_context)

    def act() -> str:
        with request_context.catalogue.writing() as connection:
            now = change_mail_address(connection, reader, fields.get("address", ""))
        if not now.address:
            return "No mail goes anywhere."
        return (
            "Mails go there." if now.confirmed else "A mail with a link to confirm the address is on its way."
        )

    return _answer_done(request_context, run_form_action(act))


def ask_to_confirm(request_context: CurrentRequest, secret: str) -> Response:
    """Ask whether mails may go to the address that a link was sent to; programs that look at links confirm nothing."""
    action = request_context.link("account.mail.confirm", {"secret": secret})
    text = "Mails of new records that your saved searches find go to the address to which this link was sent."
    return _page(request_context, MailLinkPage("Confirm your address", text, action, "Confirm"))


def confirm(request_context: CurrentRequest, secret: str) -> Response:
    """Confirm the address that a link was sent to."""
    with request_context.catalogue.writing() as connection:
        confirmed = confirm_mail_address(connection, secret)
    if confirmed is None:
        _refuse()
    text = f"Mails of new records go to {confirmed} from now on."
    return _page(request_context, MailLinkPage("The address is confirmed", text))


def ask_to_unsubscribe(request_context: CurrentRequest, key: str) -> Response:
    """Ask whether a search is to send no mail any more; no account is needed."""
    with request_context.catalogue.reading() as connection:
        search = search_with_key(connection, key)
    if search is None:
        _refuse()
    action = request_context.link("unsubscribe.post", {"key": key})
    text = f"The saved search “{search.name}” sends mail of new records."
    return _page(
        request_context, MailLinkPage("End these mails", text, action, "No more mail of this search")
    )


def unsubscribe(request_context: CurrentRequest, key: str) -> Response:
    """End the mails of a search, by one POST (RFC 8058), which mail programs send themselves."""
    with request_context.catalogue.writing() as connection:
        search = saved_searches.unsubscribe(connection, key)
    if search is None:
        _refuse()
    text = f"The saved search “{search.name}” sends no mail any more. Its holder can go on with it after signing in."
    return _page(request_context, MailLinkPage("These mails have ended", text))


def _refuse() -> NoReturn:
    raise HTTPException(404, NOTHING)


def _page(context: RequestContext, content: MailLinkPage) -> Response:
    page = Page("mail_link", "", "", "mail_link.html", lambda: content)
    response = (
        answer_json(content) if wants_json(context.request) else answer_html(context, page, content, "")
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _answer_done(context: RequestContext, message: str) -> Response:
    if wants_json(context.request):
        return answer_json({"said": message})
    return RedirectResponse(f"{context.link('account.searches')}?said={quote(message)}", 303)


DOOR = Door("saved searches", add_routes)
