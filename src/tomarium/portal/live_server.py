"""The page /live alone, without a catalogue: served by the watch itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from tomarium import __version__
from tomarium.errors import InputError
from tomarium.portal.forms import Fields, add_form_route, demand_same_site
from tomarium.portal.live import Seen, picture_of, state_now, stream, write_on
from tomarium.portal.live_view import LivePage, Remarks, live_page
from tomarium.portal.page import names
from tomarium.portal.rendering import answer_json, fill_alone, wants_json
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import with_headers
from tomarium.portal.serve import is_loopback, listen

# Annotations are evaluated here, not postponed: FastAPI reads those of the functions made below.


def create_live_app(folder: Path, *, local: bool = True) -> FastAPI:
    """Make the application that shows one watch and nothing else.

    Parameters
    ----------
    folder : Path
        The folder that the watch writes.
    local : bool
        Whether it is heard on this machine only; then it answers to no other name.

    Returns
    -------
    FastAPI
        An ASGI application.
    """
    hosts = ["localhost", "127.0.0.1", "::1", "[::1]"] if local else ["*"]
    app = FastAPI(
        title="tomarium watch",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(demand_same_site)],
        middleware=[
            Middleware(with_headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        ],
    )
    app.state.live = folder

    def content(request: Request, hold: bool = False, day: bool = False) -> LivePage:
        seen = state_now(folder)  # before the rest is read: what changes in between is told
        return live_page(
            folder,
            _now(),
            lambda file, version: (
                f"{request.app.url_path_for('live.picture', file=file)}?{urlencode({'v': version})}"
            ),
            events=f"{request.app.url_path_for('live.events')}?{urlencode({'seen': seen})}",
            remarks=Remarks(str(request.app.url_path_for("live.remark")), ask_name=True) if local else None,
            day=day,
            hold=hold,
        )

    def show(
        request: Request, hold: Annotated[bool, Query()] = False, day: Annotated[bool, Query()] = False
    ) -> Response:
        """Show the state of the watch."""
        shown = content(request, hold, day)
        return answer_json(shown) if wants_json(request) else HTMLResponse(fill_alone(request, names(shown)))

    def tell(request: Request) -> Response:
        """Return the content as JSON."""
        return answer_json(content(request))

    def picture(file: str) -> Response:
        """Give the picture of a slice."""
        return picture_of(folder, file)

    async def events(request: Request, seen: Seen = "") -> Response:
        """Tell of each change."""
        return stream(request, seen)

    def remark(request: Request, fields: Fields) -> Response:
        """Write a remark into the log book of the beamtime: text, and who says it."""
        if not local:
            raise HTTPException(
                403, "Others hear this page, and it asks for no account, so nobody writes by it."
            )
        write_on(folder, fields, fields.get("who", ""))
        return RedirectResponse(request.app.url_path_for("live"), 303)

    def home(request: Request) -> Response:
        """Redirect to the page."""
        return RedirectResponse(request.app.url_path_for("live"))

    add_get_route(app, "/", home, name="home", kind=RedirectResponse)
    add_get_route(app, "/live", show, name="live", kind=HTMLResponse)
    add_get_route(app, "/live.json", tell, name="live.json", kind=JSONResponse)
    add_get_route(app, "/live/slices/{file}", picture, name="live.picture", kind=Response)
    app.add_api_route("/live/events", events, name="live.events")
    add_form_route(app, "/live/log", remark, name="live.remark")
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    return app


def _now() -> float:
    from time import time

    return time()


@contextmanager
def serving_live(folder: Path, address: str) -> Iterator[str]:
    """Serve the page of a watch while the block runs.

    Parameters
    ----------
    folder : Path
        The folder that the watch writes.
    address : str
        "HOST:PORT", "HOST" or ":PORT"; port 0 takes any free one.

    Yields
    ------
    str
        Address of the page.

    Raises
    ------
    InputError
        The port is taken or may not be used, the host is none of this machine's, or the address is none.
    """
    import uvicorn

    from tomarium.portal.slow_clients import TimedConnection

    host, port = split_address(address)
    with listen(host, port) as listener:
        app = create_live_app(folder, local=is_loopback(host))
        app.state.ending = Event()  # streams of events end before the server does
        config = uvicorn.Config(
            app,
            http=TimedConnection,
            ws="none",  # there are none, and what upgrades to one is looked at no more
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="tomarium live page", daemon=True
        )
        thread.start()
        name = f"[{host}]" if ":" in host else host
        try:
            yield f"http://{name}:{listener.getsockname()[1]}/live"
        finally:
            app.state.ending.set()
            server.should_exit = True
            thread.join(5)


def split_address(address: str) -> tuple[str, int]:
    """Read "HOST:PORT".

    Parameters
    ----------
    address : str
        Either part may be left out: the host is then this machine's loopback, and the port 8000.

    Returns
    -------
    tuple of str and int
        Host and port.

    Raises
    ------
    InputError
        It has another form.
    """
    alone = address.isdecimal()
    parts = urlsplit(f"//127.0.0.1:{address}" if alone else f"//{address}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if port == -1 or parts.path or parts.username or (not parts.hostname and not address.startswith(":")):
        raise InputError(f"--serve {address}: write HOST:PORT, such as 127.0.0.1:8000 or 0.0.0.0:8000")
    return parts.hostname or "127.0.0.1", 8000 if port is None else port
