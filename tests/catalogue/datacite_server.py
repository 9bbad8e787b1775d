"""A DataCite that lives in a thread: accounts, JSON:API, the three states of a DOI, and bad days on demand.

Written after https://support.datacite.org/docs/api-create-dois and /docs/doi-states: draft, registered, findable.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

EVENTS = {
    ("draft", "publish"): "findable",
    ("draft", "register"): "registered",
    ("registered", "publish"): "findable",
    ("findable", "hide"): "registered",
    ("findable", "publish"): "findable",
    ("registered", "hide"): "registered",
    ("registered", "register"): "registered",
}
MANDATORY = ("creators", "titles", "publisher", "publicationYear", "types", "url")


@dataclass
class FakeDataCite:
    """What it knows, and how it behaves."""

    address: str = ""
    dois: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    bad_days: list[int] = field(default_factory=list)  # statuses that the next requests get
    creates_by_put: bool = True


@contextmanager
def fake_datacite(user: str = "ACME.LAB", password: str = "secret") -> Iterator[FakeDataCite]:
    """Run one."""
    state = FakeDataCite()
    key = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.api+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def refuse(self, status: int, title: str, source: str = "") -> None:
            self.answer(status, {"errors": [{"status": str(status), "title": title, "source": source}]})

        def take(self, created: bool) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.requests.append((self.command, unquote(self.path)))
            if state.bad_days:
                self.refuse(state.bad_days.pop(0), "a bad day")
                return
            if self.headers["Authorization"] != key:
                self.refuse(401, "Bad credentials.")
                return
            if self.headers["Content-Type"] != "application/vnd.api+json":
                self.refuse(415, "The media type is not JSON:API.")
                return
            data = json.loads(body)["data"]
            told = dict(data["attributes"])
            doi = told["doi"]
            if data["type"] != "dois" or (not created and unquote(self.path) != f"/dois/{doi}"):
                self.refuse(400, "The document is no DOI.")
                return
            if not created and doi not in state.dois and not state.creates_by_put:
                self.refuse(404, "The resource you are looking for doesn't exist.")
                return
            event = told.pop("event", "")
            missing = [name for name in MANDATORY if not told.get(name)]
            if event == "publish" and missing:
                self.refuse(422, "can't be blank", missing[0])
                return
            before = state.dois.get(doi, {"state": "draft"})["state"]
            state.dois[doi] = {**told, "state": EVENTS.get((before, event), before)}
            self.answer(201 if doi not in state.dois else 200, {"data": {"id": doi, "type": "dois"}})

        def do_PUT(self) -> None:
            self.take(created=False)

        def do_POST(self) -> None:
            self.take(created=True)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
