"""Connections whose other end is judged before anything is asked of it: a name can lead to any machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import BaseHandler, HTTPHandler, HTTPSHandler, Request

Judge = Callable[[str], None]


def judging(judge: Judge) -> list[BaseHandler]:
    """Make handlers of `urllib` whose connections are judged.

    Parameters
    ----------
    judge : callable
        Told the network address of the machine that was reached; what it raises ends the connection.

    Returns
    -------
    list of BaseHandler
        For HTTP and HTTPS.
    """
    return [_Http(judge), _Https(judge)]


class _Connection(HTTPConnection):
    def __init__(self, *told: Any, judge: Judge, **more: Any) -> None:
        super().__init__(*told, **more)
        self.judge = judge

    def connect(self) -> None:
        """Connect, and let the other end be judged."""
        super().connect()
        _judge(self, self.judge)


class _TlsConnection(HTTPSConnection):
    def __init__(self, *told: Any, judge: Judge, **more: Any) -> None:
        super().__init__(*told, **more)
        self.judge = judge

    def connect(self) -> None:
        """Connect, and let the other end be judged."""
        super().connect()
        _judge(self, self.judge)


def _judge(connection: HTTPConnection, judge: Judge) -> None:
    try:
        judge(connection.sock.getpeername()[0])
    except BaseException:
        connection.close()
        raise


class _Http(HTTPHandler):
    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self._connection = partial(_Connection, judge=judge)

    def http_open(self, req: Request) -> HTTPResponse:
        """Open by a connection that is judged."""
        return self.do_open(self._connection, req)


class _Https(HTTPSHandler):
    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self._connection = partial(_TlsConnection, judge=judge)

    def https_open(self, req: Request) -> HTTPResponse:
        """Open by a connection that is judged."""
        return self.do_open(self._connection, req)
