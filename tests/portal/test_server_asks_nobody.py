"""The portal opens no address that a stranger gives them (server-side request forgery)."""

from __future__ import annotations

import ast
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from starlette.routing import Route

import tomarium
from app_client import TestClient
from tomarium.catalogue import Catalogue, open_catalogue
from tomarium.errors import InputError
from tomarium.portal.app import create_app
from tomarium.portal.client import Portal
from tomarium.portal.harvests.oai import known_source
from tomarium.portal.peer_check import public_net_only

SOURCE = Path(tomarium.__file__).parent
CLIENTS = {"urllib.request", "http.client", "httpx", "httpx2", "requests", "aiohttp", "urllib3", "ftplib", "smtplib",
           "obstore", "fsspec", "boto3", "websockets", "tomarium.portal.client"}  # fmt: skip
NAMED = {one.rpartition(".")[2] for one in CLIENTS}
ASKING = {
    # What asks others, and who says whom: nobody but who runs a command or is an administrator.
    "catalogue/datacite_client.py": "the setting datacite",
    "catalogue/store.py": "tomarium store add",
    "catalogue/smtp.py": "the setting smtp_host",
    "datasets/load.py": "tomarium.load, in the program of who calls it",
    "datasets/portal_path.py": "tomarium.load, in the program of who calls it",
    "datasets/web_files.py": "the command line and tomarium.open, in the program of who calls it",
    "portal/check_claims.py": "tomarium specimen check-claims",
    "portal/client.py": "all that stand below",
    "portal/fetch.py": "tomarium pull",
    "portal/follow.py": "tomarium follow",
    "portal/harvests/oai.py": "tomarium harvest oai",
    "portal/harvests/panosc.py": "tomarium harvest panosc",
    "portal/oidc.py": "the setting oidc_issuer",
    "portal/peer_check.py": "portal/client.py",
    "portal/pull.py": "tomarium pull",
    "portal/push.py": "tomarium push",
    "portal/remote_record.py": "tomarium pull",
}
CANARY = "http://canary.invalid/x"
FIELDS = (
    "url", "address", "back", "doi", "orcid", "ror", "subject", "about", "source", "state", "text",
    "title", "name", "file", "path", "scan", "licence", "creators", "specimen", "proposal",
    "instrument", "link", "links", "members", "related", "imprint", "logo", "datacite", "q", "asked",
    "mail", "email", "password", "steps", "protocol", "arguments", "number", "to", "from", "pairs",
    "kind", "reason", "place", "role", "days",
)  # fmt: skip


def _asks(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in CLIENTS)


def imported(text: str) -> set[str]:
    found = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_what_asks_others_is_known() -> None:
    """A file that is new here says in the table who gives it the address it opens."""
    asking = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text("utf-8")
        if any(one in text for one in NAMED) and any(_asks(one) for one in imported(text)):
            asking.add(path.relative_to(SOURCE).as_posix())
    assert asking == ASKING.keys()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Whom anything in this process wants to reach: it reaches nobody."""
    wanted: list[object] = []

    def refuse(*told: object, **_more: object) -> None:
        wanted.append(told[-1] if isinstance(told[0], socket.socket) else told[0])
        raise OSError("nobody is asked in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return wanted


def test_no_route_opens_an_address_that_it_is_given(
    asked: list[object], tmp_path: Path, make_volume: Callable[..., Path]
) -> None:
    with open_catalogue(tmp_path / "c.sqlite") as catalogue:
        app = create_app(catalogue, local=True, scans=(tmp_path,))
        client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
        count = 0
        for route in [one for one in app.routes if isinstance(one, Route)]:
            if route.path.startswith(("/live/events", "/logbook/events")):  # they go on and on
                continue
            for method in (route.methods or set()) - {"HEAD"}:
                path = re.sub(r"\{\w+:int\}", "1", route.path)
                path = re.sub(r"\{[^}]*\}", "x" if "secret" in path else "canary.invalid", path)
                given = dict.fromkeys(FIELDS, CANARY)
                if method == "GET":
                    client.get(path, params=given)
                else:
                    client.request(method, path, json=given, headers={"Accept": "application/json"})
                count += 1
        assert count > 200
    assert asked == []
    with pytest.raises(OSError, match="nobody"):
        socket.create_connection(("canary.invalid", 80))
    assert len(asked) == 1  # the guard does see what is asked


@pytest.fixture
def leading_inward() -> Iterator[str]:
    """A server that leads to another machine of this test, 127.0.0.2."""

    class Leading(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = self.headers["Host"].startswith("127.0.0.1")
            self.send_response(302 if here else 200)
            if here:
                self.send_header("Location", f"http://127.0.0.2:{self.server.server_port}/")  # type: ignore[attr-defined]
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_told: object) -> None: ...

    with ThreadingHTTPServer(("0.0.0.0", 0), Leading) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/oai"
        server.shutdown()


def test_a_source_that_is_harvested_leads_into_no_private_net(
    leading_inward: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert (
        Portal(leading_inward, peer=public_net_only()).get(leading_inward).status == 200
    )  # both are of private nets
    monkeypatch.setattr("tomarium.portal.peer_check.is_private", lambda peer: peer == "127.0.0.2")
    inward = pytest.raises(InputError, match=r"leads on to 127\.0\.0\.2, a machine of a private net")
    with open_catalogue(tmp_path / "c.sqlite") as catalogue, inward:
        known_source(catalogue, leading_inward)


@pytest.mark.parametrize(
    "peer", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"]
)
def test_private_machines(peer: str) -> None:
    judge = public_net_only()
    judge("193.49.43.2")
    judge("2001:4860:4860::8888")
    with pytest.raises(InputError, match="private net"):
        judge(peer)
    inside = public_net_only()
    inside(peer)
    inside("193.49.43.2")
    inside("10.0.0.2")


def test_only_who_runs_commands_adds_a_source(catalogue: Catalogue) -> None:
    """The page of sources asks for a harvest of one that is known, and takes no address."""
    client = TestClient(create_app(catalogue, local=True), raise_server_exceptions=False)
    answer = client.post("/admin/sources", json={"source": CANARY}, headers={"Accept": "application/json"})
    assert answer.status_code in (400, 404, 422)
