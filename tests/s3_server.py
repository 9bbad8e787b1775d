"""A real S3 endpoint on this machine: rclone serving a folder, behind a relay that can be told to fail.

rclone answers a range with status 200 where S3 has 206 (its 1.75), which the relay mends and changes nothing else.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from free_port import free_port

BLOCK = 1 << 20


@dataclass
class S3Server:
    """Where it is; buckets are folders below `root`."""

    root: Path
    address: str
    environment: dict[str, str]
    down: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)


def rclone() -> str | None:
    """Return the program, beside Python or on the path."""
    beside = Path(sys.executable).parent / "rclone"
    return str(beside) if beside.is_file() else shutil.which("rclone")


@contextmanager
def serving_s3(root: Path) -> Iterator[S3Server]:
    """Serve the folders below `root` as buckets."""
    program, port = rclone(), free_port()
    assert program is not None
    command = [program, "serve", "s3", str(root), "--addr", f"127.0.0.1:{port}", "--auth-key", "KEY,SECRET",
               "--config", str(root.parent / "no-rclone.conf"), "--no-cleanup"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    down, asked = threading.Event(), list[str]()
    relay = ThreadingHTTPServer(("127.0.0.1", 0), _relay_to(port, down, asked))
    relay.daemon_threads = True
    thread = threading.Thread(target=relay.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        _wait(process, port)
        address = f"http://127.0.0.1:{relay.server_address[1]}"
        keys = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "SECRET"}
        yield S3Server(root, address, keys, down, asked)
    finally:
        relay.shutdown()
        relay.server_close()
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 120
    while True:
        assert process.poll() is None, f"rclone serve s3 ended with {process.returncode} before it listened"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < end, "rclone serve s3 did not listen within 120 s"
            time.sleep(0.025)


def _relay_to(port: int, down: threading.Event, asked: list[str]) -> type[BaseHTTPRequestHandler]:
    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = BLOCK

        def _hand_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            asked.append(f"{self.command} {self.path}")
            if down.is_set():
                self.close_connection = True
                return
            # A client that was killed leaves in mid-answer: the connection behind it is closed all the same.
            with closing(http.client.HTTPConnection("127.0.0.1", port)) as there:
                self._ask(there, body)

        def _ask(self, there: http.client.HTTPConnection, body: bytes) -> None:
            there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, text in self.headers.items():
                there.putheader(name, text)
            there.endheaders(body)
            with there.getresponse() as answer:
                ranged = answer.status == 200 and answer.headers.get("Content-Range")
                self.send_response_only(206 if ranged else answer.status)
                sized = "Content-Length" in answer.headers or answer.status == 204
                for name, text in answer.headers.items():
                    if name.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(name, text)
                content = b"" if sized else answer.read()
                if not sized:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                while sized and self.command != "HEAD" and (block := answer.read(BLOCK)):
                    self.wfile.write(block)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _hand_on  # noqa: N815

        def log_message(self, *_given: object) -> None:
            """Say nothing."""

    return Relay
