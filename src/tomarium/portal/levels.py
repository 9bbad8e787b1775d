"""For whom a page is shown: pupil, student or scientist, as its address says, else as the reader chose before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.responses import Response

from tomarium.errors import InputError
from tomarium.model.level import DEFAULT, LEVELS, read_level
from tomarium.portal.identity import cookie_of, set_cookie
from tomarium.portal.rendering import wants_json
from tomarium.portal.request_context import RequestContext

COOKIE: Final = "level"
KEPT_S: Final = 180 * 86400


@dataclass(frozen=True)
class LevelLink:
    """The same page at a level.

    Attributes
    ----------
    level, words, address : str
        "pupil", "Pupil", and where it is.
    here : bool
        Whether the page is shown at it.
    """

    level: str
    words: str
    address: str
    here: bool


def level_of(request: Request) -> str:
    """Tell at which level a page is asked for.

    Parameters
    ----------
    request : Request
        As it came.

    Returns
    -------
    str
        A key of `model.level.LEVELS`: `level` of its address, else what the reader chose before, else "scientist". What
        is asked for as JSON is for programs: there only the address counts.

    Raises
    ------
    ParameterError
        The address names none.
    """
    if name := request.query_params.get(COOKIE):
        return read_level(name)
    if request.url.path.endswith(".json") or wants_json(request):
        return DEFAULT
    chosen = cookie_of(request, COOKIE)
    return chosen if chosen in LEVELS else DEFAULT


def level_links(request_context: RequestContext) -> tuple[LevelLink, ...]:
    """Make the switch of a page: where it is at each level.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.

    Returns
    -------
    tuple of LevelLink
        The plainest first; all other choices in the address stay.
    """
    request, current = request_context.request, level_of(request_context.request)
    pairs = [(key, text) for key, text in parse_qsl(request.url.query) if key not in (COOKIE, "said")]
    path = request.url.path
    return tuple(
        LevelLink(level, words, f"{path}?{urlencode([*pairs, (COOKIE, level)])}", level == current)
        for level, words in LEVELS.items()
    )


def remember(request: Request, response: Response) -> None:
    """Keep the level that an address names for the pages that the reader opens next.

    Parameters
    ----------
    request : Request
        As it came.
    response : Response
        A page that has levels; it is told to depend on the cookie, and gets it.
    """
    response.headers["Vary"] = "Accept, Cookie"
    try:
        level = read_level(request.query_params.get(COOKIE, ""))
    except InputError:
        return
    set_cookie(request, response, COOKIE, level, KEPT_S)
    response.headers["Cache-Control"] = "private, no-cache"
