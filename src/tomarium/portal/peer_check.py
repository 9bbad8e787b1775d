"""Connections whose other end is judged before anything is asked of it: a name can lead to any machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import BaseHandler, HTTPHandler, HTTPSHandler, Request

from tomarium.errors import InputError

Judge = Callable[[str], None]


def is_private(peer: str) -> bool:
    """Tell whether a network address is of no machine of the public net: of this one, a private net, a link."""
    ip = ipaddress.ip_address(peer.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return not ip.is_global or ip.is_multicast


def outward() -> Judge:
    """Make a check of the connections of some requests and their redirects: none leads out of the public net.

    Returns
    -------
    callable
        Raises InputError for a machine of a private net, unless the first one that was reached is in a private net,
        too: then somebody who may gave such an address.
    """
    reached: list[bool] = []

    def judge(peer: str) -> None:
        reached.append(is_private(peer))
        if reached[-1] and not reached[0]:
            raise InputError(
                f"an address of the public net leads on to {peer}, a machine of a private net, which was not asked; "
                f"ask the keeper of that address"
            )

    return judge


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
    def __init__(self, *arguments: Any, judge: Judge, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.judge = judge

    def connect(self) -> None:
        """Connect, and let the other end be judged."""
        super().connect()
        _judge(self, self.judge)


class _TlsConnection(HTTPSConnection):
    def __init__(self, *arguments: Any, judge: Judge, **more: Any) -> None:
        super().__init__(*arguments, **more)
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
