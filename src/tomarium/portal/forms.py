"""Requests that change something: forms of people and JSON of programs, never on behalf of another site's page.

A browser says itself where a request comes from: in Sec-Fetch-Site (all browsers since 2023), else in Origin. Every
request that is not GET, HEAD or OPTIONS is checked by it, on all routes of the application, as Go's
`http.CrossOriginProtection` does. Cookies are SameSite=Lax besides, so that a form of another site comes without them.
A token in each form would add nothing to these two, would need a session before anybody has signed in, and would have
to be remembered in each template; what is checked on all routes cannot be forgotten on one. Programs send neither
header and are let through: they have no cookies that a stranger could use.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import Response
from starlette.formparsers import MultiPartException, MultiPartParser

from tomarium.catalogue import form_words
from tomarium.catalogue.reader import NotAllowed
from tomarium.errors import FormatError, InputError
from tomarium.model.sentence import Sentence, joined, sentence_of
from tomarium.portal import refusals
from tomarium.portal.identity import SAFE

Made = TypeVar("Made")

MOST_BYTES: Final = 64 << 10
MOST_FIELDS: Final = 200
MOST_FILES: Final = 20
MOST_SENT_BYTES: Final = 64 << 20


async def demand_same_site(request: Request) -> None:
    """Refuse a request that a page of another site made a browser send, unless it only reads.

    It waits for nothing, and as a coroutine it costs no request the way to a thread and back.

    Parameters
    ----------
    request : Request
        As it came.

    Raises
    ------
    HTTPException
        403.
    """
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    elif origin is not None:
        own = urlsplit(origin).netloc == request.headers.get("host", "")
    else:
        return
    if not own:
        raise HTTPException(403, refusals.OTHER_SITE)


async def _read_fields(request: Request) -> Mapping[str, str]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"A form has at most {MOST_BYTES >> 10} KiB.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = body.decode()
        if kind == "application/json":
            read = json.loads(text or "{}")
            if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
                raise HTTPException(400, "Send a JSON object whose values are texts.")
            return read
        if kind in ("application/x-www-form-urlencoded", ""):
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as problem:  # no UTF-8, no JSON, or too many fields
        raise HTTPException(400, "The form cannot be read; send it in UTF-8.") from problem
    raise HTTPException(415, f"{kind[:60]}: send application/x-www-form-urlencoded or application/json.")


def demand_known(fields: Iterable[str], names: Collection[str]) -> None:
    """Refuse a form that has a field of another name; raises HTTPException 400."""
    unknown = [name for name in fields if name not in names]
    if unknown:
        raise HTTPException(
            400, Sentence(form_words.NO_FIELD_OF_FORM, text=repr(unknown[0][:60]), names=", ".join(names))
        )


@dataclass(frozen=True)
class Sent:
    """A form with files.

    Attributes
    ----------
    fields : mapping of str to str
        Name of a field → its text.
    files : tuple of (str, bytes)
        Name and content of each file that was chosen, in whatever field.
    """

    fields: Mapping[str, str]
    files: tuple[tuple[str, bytes], ...] = ()


async def _read_sent(request: Request) -> Sent:
    """Read a form with files (RFC 7578), or one without any as `_read_fields` does."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return Sent(await _read_fields(request))

    async def bounded() -> AsyncGenerator[bytes, None]:
        read = 0
        async for piece in request.stream():
            read += len(piece)
            if read > MOST_SENT_BYTES:
                raise HTTPException(
                    413,
                    f"A form with files has at most {MOST_SENT_BYTES >> 20} MiB; send the files one by one.",
                )
            yield piece

    try:
        parser = MultiPartParser(
            request.headers, bounded(), max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=MOST_BYTES
        )
        form = await parser.parse()
    except MultiPartException as problem:
        raise HTTPException(400, f"The form cannot be read: {problem.message}") from problem
    fields: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields[name] = value
        elif value.filename:  # else none was chosen
            files.append((value.filename, await value.read()))
            await value.close()
    return Sent(fields, tuple(files))


SentForm = Annotated[Sent, Depends(_read_sent)]
"""What was filled in, and the files that were chosen."""

Fields = Annotated[Mapping[str, str], Depends(_read_fields)]
"""What was filled in: name → text."""


def add_form_route(
    app: FastAPI,
    path: str,
    endpoint: Callable[..., Response] | Callable[..., Awaitable[Response]],
    *,
    name: str,
    in_schema: bool = True,
) -> None:
    """Add the route of a form to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the route, for POST.
    path : str
        With its parameters in braces.
    endpoint : callable
        Gives the answer; a parameter of the type `Fields` holds what was filled in. Its docstring's first line is the
        summary in the API's description.
    name : str
        What its address is built by.
    in_schema : bool
        Whether the API's description names it.
    """
    lines = (endpoint.__doc__ or "").strip().split("\n", 1)
    app.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        name=name,
        operation_id=name,
        summary=lines[0],
        response_class=Response,
        include_in_schema=in_schema,
    )


def read_days(fields: Mapping[str, str], default: str) -> int:
    """Read the field `days`; raises InputError where it is no whole number."""
    text = fields.get("days", "").strip() or default
    if not text.isascii() or not text.isdecimal():
        raise InputError(Sentence(form_words.NO_DAYS, text=repr(text[:20]), number=default))
    return int(text[:6])


def run_form_action(act: Callable[[], Made]) -> Made:
    """Run the action of a form; raises HTTPException 403 where the catalogue does not allow it, 422 where it cannot."""
    try:
        return act()
    except FormatError:
        raise
    except NotAllowed as problem:
        raise HTTPException(403, joined((sentence_of(problem), ""), ".")) from problem
    except InputError as problem:
        raise HTTPException(422, joined((sentence_of(problem), ""), ".")) from problem


def is_form(route: object) -> bool:
    """Tell whether a route takes `Fields`.

    Parameters
    ----------
    route : object
        Of an application.

    Returns
    -------
    bool
        Whether its endpoint reads a form or JSON, with files or without.
    """
    needs = getattr(getattr(route, "dependant", None), "dependencies", ())
    return any(need.call in (_read_fields, _read_sent) for need in needs)


def takes_files(route: object) -> bool:
    """Tell whether a route takes a `SentForm`, as `is_form` tells whether it takes any."""
    needs = getattr(getattr(route, "dependant", None), "dependencies", ())
    return any(need.call is _read_sent for need in needs)


def own_path(text: str) -> str:
    """Return a path of this portal to go back to.

    Parameters
    ----------
    text : str
        From an address or a form; any text.

    Returns
    -------
    str
        "/" where it leads to another host, or is none.
    """
    plain = text.startswith("/") and text.isprintable() and "\\" not in text
    return text if plain and not text.startswith("//") and len(text) < 2000 else "/"
