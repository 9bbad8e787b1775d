"""The forms by which the texts of the portal are written, looked at beforehand, restored and taken away."""

from collections.abc import Mapping
from dataclasses import replace

from fastapi import FastAPI, HTTPException
from fastapi.responses import RedirectResponse, Response

from tomarium.catalogue.page_texts import OlderVersion, newest, versions_of, write_text
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.words import name_from
from tomarium.errors import InputError, ParameterError
from tomarium.model.page_text import FACTS, PageText, checked, write_page_text
from tomarium.portal.administration import demand_section
from tomarium.portal.door import Door
from tomarium.portal.forms import Fields, add_form_route, demand_known, run_form_action
from tomarium.portal.languages import ENGLISH
from tomarium.portal.pages.text_edit import (
    EDIT,
    EditPage,
    compared,
    edit_page,
    known_language,
    known_name,
    with_preview,
)
from tomarium.portal.pages.texts import text_address
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.texts import shipped

# Annotations are evaluated here, not postponed: FastAPI reads them.

OTHERS = ("name", "language", "seen", "body", "remark", "draft", "preview")


def add_routes(app: FastAPI) -> None:
    """Add the routes of the forms to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the routes.
    """
    add_form_route(app, "/texts/{kind}/edit", save, name="texts.save")
    add_form_route(app, "/texts/{kind}/restore", restore, name="texts.restore")
    add_form_route(app, "/texts/{kind}/remove", remove, name="texts.remove")


def save(request_context: CurrentRequest, kind: str, fields: Fields) -> Response:
    """Write a version of a text: `name`, `language`, `body`, its facts, `seen`; `draft` keeps it to editors.

    `seen` is the number of the version that was read before (0: none); where there is a newer one, nothing is written.
    `preview` shows how it would look, and writes nothing.
    """
    reader = demand_section(request_context, "texts", change=True)
    if kind not in FACTS:
        known_name(kind, "x")
    demand_known(fields, (*FACTS[kind], *OTHERS))
    language = known_language(fields.get("language", ENGLISH))
    name = fields.get("name", "").strip() or name_from(fields.get("title", ""))
    typed = PageText(kind, {key: fields.get(key, "") for key in FACTS[kind]}, fields.get("body", ""))
    try:
        full_name = known_name(kind, name) if name else ""
        text = checked(typed)
        if fields.get("preview"):
            page = edit_page(request_context, reader, kind, name, language, text)
            return _form(
                request_context, _with_form_fields(with_preview(request_context, page, text), fields)
            )
        if not full_name:
            raise ParameterError("the text has no name; write one")
        if not fields.get("seen") and _exists(request_context, full_name):
            raise ParameterError(f"there is a text {name!r} already; choose another name, or edit that one")
        version = write_text(
            request_context.catalogue,
            reader,
            full_name,
            language,
            write_page_text(text),
            seen=_number(fields, "seen"),
            remark=fields.get("remark", "").strip(),
            draft=bool(fields.get("draft")),
        )
    except InputError as problem:
        return _refused(request_context, reader, (kind, name, language), typed, fields, problem)
    if wants_json(request_context.request):
        return answer_json({"name": full_name, "language": language, "version": version.number})
    return RedirectResponse(text_address(request_context, full_name), 303)


def restore(request_context: CurrentRequest, kind: str, fields: Fields) -> Response:
    """Write an earlier version, by its `number` (0: what came with tomarium), as the newest; `seen` as elsewhere."""
    reader = demand_section(request_context, "texts", change=True)
    name, number = known_name(kind, fields.get("name", "")), _number(fields, "number")
    language, source = known_language(fields.get("language", ENGLISH)), ""
    if number:
        with request_context.catalogue.reading() as connection:
            past = next(
                (version for version in versions_of(connection, name) if version.number == number), None
            )
        if past is None or not past.source:
            raise HTTPException(404, f"This text has no version {number} with content.")
        language, source = past.language, past.source
    elif (came := shipped().get(name, {}).get(language)) is not None:
        source = write_page_text(came)
    else:
        raise HTTPException(404, "No text of this name came with tomarium.")
    remark = f"version {number} again" if number else "as it came with tomarium"
    return _written(request_context, reader, name, language, source, fields, remark)


def remove(request_context: CurrentRequest, kind: str, fields: Fields) -> Response:
    """Take a text away in a `language`; its versions stay, and it can be restored. `seen` as elsewhere."""
    reader = demand_section(request_context, "texts", change=True)
    name, language = known_name(kind, fields.get("name", "")), known_language(fields.get("language", ENGLISH))
    return _written(request_context, reader, name, language, "", fields, fields.get("remark", "").strip())


def _written(
    context: RequestContext,
    reader: Reader,
    name: str,
    language: str,
    source: str,
    fields: Mapping[str, str],
    remark: str,
) -> Response:
    def act() -> int:
        seen_number = _number(fields, "seen")
        return write_text(
            context.catalogue, reader, name, language, source, seen=seen_number, remark=remark
        ).number

    number = run_form_action(act)
    if wants_json(context.request):
        return answer_json({"name": name, "language": language, "version": number})
    kind, _, slug = name.partition("/")
    return RedirectResponse(context.link("texts.history", {"kind": kind}, {"name": slug}), 303)


def _exists(context: RequestContext, name: str) -> bool:
    with context.catalogue.reading() as connection:
        return bool(newest(connection, name, drafts=True))


def _refused(
    context: RequestContext,
    reader: Reader,
    place: tuple[str, str, str],
    typed: PageText,
    fields: Mapping[str, str],
    problem: InputError,
) -> Response:
    """Show the form again with what was typed, why it was not saved, and what somebody else wrote meanwhile."""
    older = isinstance(problem, OlderVersion)
    status = 409 if older else 422
    if wants_json(context.request):
        raise HTTPException(status, f"{problem}.") from problem
    kind, name, language = place
    facts = {key: value for key, value in typed.facts.items() if value.strip()}
    page = _with_form_fields(
        edit_page(context, reader, kind, name, language, replace(typed, facts=facts)), fields
    )
    page = replace(page, problem=f"{problem}."[:1].upper() + f"{problem}."[1:])
    if older:
        with context.catalogue.reading() as connection:
            versions = [
                version
                for version in versions_of(connection, f"{kind}/{name}")
                if version.language == language
            ]
        came = shipped().get(f"{kind}/{name}", {}).get(language)
        first = write_page_text(came) if came else ""
        before = next(
            (version.source for version in versions if version.number == _number(fields, "seen")), first
        )
        page = replace(
            page, theirs=compared(before, versions[0].source if versions else ""), seen=versions[0].number
        )
    return _form(context, page, status)


def _with_form_fields(page: EditPage, fields: Mapping[str, str]) -> EditPage:
    """Keep what the form said besides the text itself."""
    return replace(
        page, remark=fields.get("remark", ""), seen=_number(fields, "seen"), draft=bool(fields.get("draft"))
    )


def _form(context: RequestContext, page: EditPage, status: int = 200) -> Response:
    if wants_json(context.request):
        return answer_json(page)
    path = context.link("texts.edit.json", {"kind": page.kind})
    response = answer_html(context, EDIT, page, path)
    response.status_code = status
    return response


def _number(fields: Mapping[str, str], key: str) -> int:
    text = fields.get(key, "") or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 18):
        raise HTTPException(400, f"{key}: {text[:20]!r} is no number of a version.")
    return int(text)


DOOR = Door("texts", add_routes)
