"""The application: every page of `portal.pages`, each as HTML and as JSON, and every door of `portal`."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute

from tomarium import __version__
from tomarium.catalogue import Catalogue
from tomarium.catalogue.uploads import Uploads
from tomarium.portal import child_pictures, downloads
from tomarium.portal.confined_volumes import with_confined_volumes
from tomarium.portal.counting import UseCounter, with_counting
from tomarium.portal.description import describe
from tomarium.portal.door import Door
from tomarium.portal.forms import demand_same_site
from tomarium.portal.hdf5_browser import StaticFolder
from tomarium.portal.identity import reader_of
from tomarium.portal.languages import with_languages
from tomarium.portal.levels import remember
from tomarium.portal.page import Page
from tomarium.portal.problems import explain
from tomarium.portal.rate_limits import RateLimits, demand_rate
from tomarium.portal.rendering import answer_html, answer_json, wants_json
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import with_headers
from tomarium.registry import collect

# Annotations are evaluated here, not postponed: FastAPI reads those of the functions made below.


def create_app(
    catalogue: Catalogue,
    *,
    hosts: Sequence[str] = ("*",),
    local: bool = False,
    live: Path | None = None,
    scans: Sequence[Path] = (),
    start_worker: Callable[[str], object] | None = None,
) -> FastAPI:
    """Make the web application of a catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        Open; it stays the caller's to close.
    hosts : sequence of str
        Names under which it answers; "*" for all. Naming them keeps foreign web pages from reading a private
        catalogue through a name that they point to this machine.
    local : bool
        Whether it is heard on this machine only. As long as the catalogue has no account, who asks is then its owner,
        who sees everything; but not a request that came through a proxy.
    live : Path, optional
        Folder of the watch that the page /live shows; `live` beside the catalogue by default.
    scans : sequence of Path
        Folders whose scans the owner of this machine may choose on the page of work; nobody else may.
    start_worker : callable, optional
        `start_worker(kind)` sees that somebody takes a kind of job; where it is absent, workers are started by hand.

    Returns
    -------
    FastAPI
        An ASGI application.
    """
    app = FastAPI(
        title="tomarium",
        summary="A herbarium for tomograms: search, look at and take records.",
        version=__version__,
        docs_url=None,  # FastAPI's own pages load scripts from another host; /api is ours
        redoc_url=None,
        middleware=[
            Middleware(with_headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
            Middleware(with_languages),
            Middleware(with_counting),  # after the language, which gives what follows a scope of its own
            Middleware(with_confined_volumes, readers=child_pictures.readers),
        ],
    )
    app.state.catalogue = catalogue
    app.state.local = local
    app.state.live = catalogue.home / "live" if live is None else live
    app.state.scans = tuple(scans)
    app.state.start_worker = start_worker
    app.state.reader_of = reader_of
    app.state.as_files = False  # whether its pages become files, which no server answers for
    app.state.uploads = Uploads(catalogue.home / "uploads")
    app.state.use = UseCounter(catalogue)
    app.state.rates = RateLimits(catalogue)
    app.state.crc_store = downloads.crc_store_of(catalogue)
    pages, doors = collect("portal.pages", Page), collect("portal", Door)
    app.router.routes.extend(_routes(tuple(pages.values()), tuple(doors.values())))
    explain(app)
    describe(app)
    return app


@cache
def _routes(pages: tuple[Page, ...], doors: tuple[Door, ...]) -> tuple[BaseRoute, ...]:
    """Make the routes of all addresses; they know no catalogue, and what FastAPI reads from signatures serves all."""
    app = FastAPI(openapi_url=None, dependencies=[Depends(demand_same_site), Depends(demand_rate)])
    for page in sorted(pages, key=lambda page: page.path):
        add_get_route(app, page.json_path, _machine(page), name=f"{page.name}.json", kind=JSONResponse)
    for door in doors:
        if door.first:
            door.give(app)
    # Longer addresses first, so that one with a free end does not take what is another's.
    for page in sorted(pages, key=lambda page: -len(page.path)):
        add_get_route(app, page.path, _people(page), name=page.name, kind=HTMLResponse)
    for door in doors:
        if not door.first:
            door.give(app)
    app.mount("/static", StaticFolder(directory=Path(__file__).parent / "static"), name="static")
    return tuple(sorted(app.routes, key=_rank))


def _rank(route: BaseRoute) -> int:
    """Tell which addresses come first: of some 500, each is compared with all before it, and these are asked most."""
    path = getattr(route, "path", "")
    return 0 if path.startswith("/static") else 1 if path.startswith("/records") else 2


def _people(page: Page) -> Callable[..., Response]:
    def show(
        request_context: CurrentRequest, request: Request, content: Annotated[Any, Depends(page.content)]
    ) -> Response:
        link_header = page.links(request_context, content) if page.links else ""
        if wants_json(request):
            answer = answer_json(content)
            if link_header:
                answer.headers["Link"] = link_header
            return answer
        path = request_context.link(f"{page.name}.json", request.path_params)
        json_path = f"{path}?{request.url.query}" if request.url.query else path
        answer = answer_html(request_context, page, content, json_path)
        if link_header:
            answer.headers["Link"] += f", {link_header}"
        if page.levels:
            remember(request, answer)
        return answer

    show.__doc__ = page.content.__doc__
    return show


def _machine(page: Page) -> Callable[..., Response]:
    def tell(
        request_context: CurrentRequest, request: Request, content: Annotated[Any, Depends(page.content)]
    ) -> Response:
        answer = answer_json(content)
        if page.links:
            described = request_context.address(page.name, request.path_params)
            answer.headers["Link"] = f'<{described}>; rel="describes"; type="text/html"'
        return answer

    tell.__doc__ = page.content.__doc__
    return tell
