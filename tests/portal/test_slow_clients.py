"""Clients that do next to nothing are let go, and nobody else notices: at the socket, and by a clock of the test."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tomarium.catalogue import open_catalogue
from tomarium.portal import serve as serving
from tomarium.portal import slow_clients
from tomarium.portal.slow_clients import BODY_S, HEAD_S, LOOK_S, TAKE_S, TimedConnection

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"


async def app(scope: Any, _receive: Any, send: Any) -> None:
    """Answer."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"so"})


class Clock(asyncio.BaseEventLoop):
    """A loop whose time passes when a test says so; tasks are begun and never gone on with."""

    now = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.due: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any, *_told: Any, **_more: Any) -> Any:
        told = (self.now + delay, callback)
        self.due.append(told)
        return type("Handle", (), {"cancel": lambda _self: told in self.due and self.due.remove(told)})()

    def create_task(self, work: Any, **_told: Any) -> Any:
        work.close()
        return asyncio.Future(loop=self)

    def passes(self, seconds: float) -> None:
        """Let time pass, and call what is due."""
        end = self.now + seconds
        while self.due and min(self.due)[0] <= end:
            one = min(self.due, key=lambda told: told[0])
            self.due.remove(one)
            self.now = one[0]
            one[1]()
        self.now = end


class Wire(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.waiting, self.aborted, self.closing = b"", 0, False, False

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted = self.closing = True

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


@pytest.fixture
def made() -> Iterator[tuple[TimedConnection, Wire, Clock]]:
    clock, wire = Clock(), Wire()
    config = uvicorn.Config(app, lifespan="off", log_config=None)
    connection = TimedConnection(config, ServerState(), {}, _loop=clock)
    connection.connection_made(wire)
    yield connection, wire, clock
    connection.connection_lost(None)
    clock.close()


def test_a_head_that_comes_a_letter_at_a_time_is_answered_408(
    made: tuple[TimedConnection, Wire, Clock],
) -> None:
    connection, wire, clock = made
    for letter in HEAD[:20]:
        connection.data_received(bytes([letter]))
        clock.passes(HEAD_S / 21)
    assert (wire.sent, wire.closing) == (b"", False)
    clock.passes(HEAD_S / 10 + LOOK_S)
    assert wire.sent.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert wire.closing


def test_each_request_of_a_connection_has_its_own_time(made: tuple[TimedConnection, Wire, Clock]) -> None:
    connection, wire, clock = made
    for _ in range(3):
        connection.data_received(HEAD[:9])
        clock.passes(HEAD_S * 0.9)
        connection.data_received(HEAD[9:])
        connection.cycle.response_complete = True
        connection.conn.send(slow_clients.h11.Response(status_code=204, headers=[]))
        connection.conn.send(slow_clients.h11.EndOfMessage())
        connection.conn.start_next_cycle()
    assert (wire.sent, wire.closing) == (b"", False)
    connection.data_received(HEAD[:9])
    clock.passes(HEAD_S + LOOK_S)
    assert b" 408 " in wire.sent


def test_a_body_that_never_ends_is_not_waited_for(made: tuple[TimedConnection, Wire, Clock]) -> None:
    connection, wire, clock = made
    connection.data_received(POST)
    for _ in range(int(BODY_S + 2 * LOOK_S)):
        connection.data_received(b"a")
        clock.passes(1)
    assert wire.aborted


def test_a_body_on_a_slow_line_is_waited_for_and_one_that_nobody_reads_too(
    made: tuple[TimedConnection, Wire, Clock],
) -> None:
    connection, wire, clock = made
    connection.data_received(POST)
    for _ in range(300):
        connection.data_received(bytes(150))
        clock.passes(1)
    assert not wire.aborted
    connection.flow.pause_reading()  # the portal is busy with what it has
    clock.passes(10 * BODY_S)
    assert not wire.aborted


def test_who_takes_nothing_is_let_go_and_who_takes_little_is_not(
    made: tuple[TimedConnection, Wire, Clock],
) -> None:
    connection, wire, clock = made
    connection.data_received(HEAD)
    wire.waiting = 1 << 20
    for _ in range(20):
        clock.passes(TAKE_S / 2)
        wire.waiting -= 1000
    connection.pause_writing()
    for _ in range(20):  # as much is put there again as was taken
        clock.passes(TAKE_S / 2)
        connection.resume_writing()
    assert not wire.aborted
    clock.passes(TAKE_S + 2 * LOOK_S)
    assert wire.aborted


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(slow_clients, "LOOK_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            app, http=TimedConnection, lifespan="off", log_level="critical", access_log=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield int(listener.getsockname()[1])
        server.should_exit = True
        thread.join()


def test_500_sockets_that_send_a_byte_at_a_time_hold_nobody_up(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_clients, "HEAD_S", 3600.0)  # nobody is let go before all have sent

    def told(connection: socket.socket) -> bytes:
        content = b""
        with suppress(ConnectionResetError, BrokenPipeError):
            while got := connection.recv(1 << 16):
                content += got
        return content

    slow = [socket.create_connection(("127.0.0.1", port), timeout=600) for _ in range(500)]
    try:
        for letter in HEAD[:5]:
            for one in slow[:450]:  # the others say nothing at all
                with suppress(OSError):
                    one.send(bytes([letter]))
            with socket.create_connection(("127.0.0.1", port), timeout=600) as quick:
                quick.sendall(HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                assert told(quick).endswith(b"\r\n\r\nso")
        monkeypatch.setattr(slow_clients, "HEAD_S", 0.0)
        answers = [told(one) for one in slow]
    finally:
        for one in slow:
            one.close()
    assert sum(b" 408 " in one for one in answers) > 400
    assert all(b" 408 " in one or one == b"" for one in answers), set(answers)


def test_the_portal_is_served_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, **_: found.append(self.config.http))
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        serving.serve(catalogue, port=0, announce=lambda _: None)
    assert found == [TimedConnection]
