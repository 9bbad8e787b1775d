"""A server of files on this machine, with ranges and without, and with the faults that a test asks of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

Fault = Callable[[BaseHTTPRequestHandler], bool]


@dataclass
class FileServer:
    """What is served, and what was asked for."""

    folder: Path
    ranges: bool = True
    fault: Fault | None = None
    """Answers instead, where it returns True."""
    address: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and range of each request."""

    def chunks(self) -> list[str]:
        """Paths that were asked for and are no metadata."""
        return [
            path for path, _ in self.asked if not path.rpartition("/")[2].startswith((".z", "zarr", "plan"))
        ]


@contextmanager
def serving(folder: Path, *, ranges: bool = True, fault: Fault | None = None) -> Iterator[FileServer]:
    """Serve the files below a folder."""
    server = FileServer(folder, ranges, fault)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            asked = self.headers.get("Range", "")
            server.asked.append((path, asked))
            with suppress(ConnectionError):  # of a client that reads no further
                self.give(path, asked)

        def give(self, path: str, asked: str) -> None:
            if server.fault is not None and server.fault(self):
                return
            file = folder / path.lstrip("/")
            if not file.is_file():
                answer(self, 404, b"none")
                return
            content = file.read_bytes()
            if not asked or not server.ranges:
                answer(self, 200, content)
                return
            first, _, last = asked.removeprefix("bytes=").partition("-")
            begin = int(first) if first else max(0, len(content) - int(last))
            end = min(int(last), len(content) - 1) if first and last else len(content) - 1
            told = f"bytes {begin}-{end}/{len(content)}"
            answer(self, 206, content[begin : end + 1], {"Content-Range": told})

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def answer(
    to: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str] | None = None
) -> None:
    """Answer a request."""
    to.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
        to.send_header(name, value)
    to.end_headers()
    to.wfile.write(content)
