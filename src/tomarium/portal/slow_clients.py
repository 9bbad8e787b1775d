"""Connections of clients that send or take next to nothing are closed, so that none is held for ever.

The bounds are those that file servers have (Apache's mod_reqtimeout; nginx's client_header_timeout and send_timeout).
An upload or a download that is cut off so goes on where it was. Whoever is quicker than that keeps the connection as
long as the work takes: a slow line is no attack.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 20.0
"""Seconds in which the head of a request has to come, from its first byte on, or from the connection on."""
BODY_S: Final = 60.0
"""Seconds over which it is judged how quickly the body of a request comes."""
BODY_RATE: Final = 100.0
"""Bytes of a body that have to come in a second."""
TAKE_S: Final = 300.0
"""Seconds after which a client that took nothing of its answer is let go."""
LOOK_S: Final = 5.0
"""Seconds from one look at a connection to the next."""
MOST_OPEN: Final = 65536
"""Connections and files that this process may hold open at once, where the system allows as many."""
_LATE: Final = b"The head of the request did not come in time.\n"


class TimedConnection(H11Protocol):
    """uvicorn's connection of HTTP/1.1, which ends where its client does next to nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at a new connection."""
        super().connection_made(transport)
        now = self.loop.time()
        self._head_since: float | None = now
        self._body_since, self._body_bytes = now, 0
        self._taken, self._left = now, 0
        self._next_look = self.loop.call_later(LOOK_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop checking the connection."""
        self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note the time at which data came."""
        if self._head_since is None and self.conn.their_state is h11.IDLE:
            self._head_since = self.loop.time()
        self._body_bytes += len(data)
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_since = None

    def resume_writing(self) -> None:
        """Note the time at which data were taken."""
        self._taken = self.loop.time()
        super().resume_writing()

    def _look(self) -> None:
        now = self.loop.time()
        if self._head_since is not None and now - self._head_since > HEAD_S:
            self._answer_late()
        if self._sends_too_slowly(now) or self._takes_nothing(now):
            self.transport.abort()
        else:
            self._next_look = self.loop.call_later(LOOK_S, self._look)

    def _answer_late(self) -> None:
        """Answer 408 (RFC 9110, section 15.5.9), and close."""
        self._head_since = None
        if self.transport.is_closing() or self.conn.our_state is not h11.IDLE:
            return
        headers = [
            ("Content-Type", "text/plain"),
            ("Content-Length", str(len(_LATE))),
            ("Connection", "close"),
        ]
        response = h11.Response(status_code=408, headers=headers, reason="Request Timeout")
        for event in (response, h11.Data(data=_LATE), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _sends_too_slowly(self, now: float) -> bool:
        """Tell whether the rest of a body is waited for, and next to nothing comes."""
        waited_for = self.conn.their_state is h11.SEND_BODY and not self.flow.read_paused
        if not waited_for or self.cycle.waiting_for_100_continue:
            self._body_since, self._body_bytes = now, 0
            return False
        if now - self._body_since < BODY_S:
            return False
        slow = self._body_bytes < BODY_RATE * (now - self._body_since)
        self._body_since, self._body_bytes = now, 0
        return slow

    def _takes_nothing(self, now: float) -> bool:
        """Tell whether an answer waits to be taken, and nothing of it was for long."""
        pending = self.transport.get_write_buffer_size() + _sent_and_not_taken(self.transport)
        if not pending or pending < self._left:
            self._taken = now
        self._left = pending
        return now - self._taken > TAKE_S


def _sent_and_not_taken(transport: asyncio.Transport) -> int:
    """Return how many bytes the system holds that a client has not taken; 0 where it does not tell (Windows)."""
    with suppress(ImportError, AttributeError, OSError, ValueError):
        import fcntl
        import termios

        place = transport.get_extra_info("socket").fileno()
        return int.from_bytes(fcntl.ioctl(place, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    return 0


def allow_many_connections() -> None:
    """Let this process hold as many connections and files open as the system allows it, up to `MOST_OPEN`.

    Nothing changes where the system has no such limit, or allows as many already.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MOST_OPEN if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
