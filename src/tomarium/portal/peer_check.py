"""Connections whose address is checked before anything is sent: a host name can stand for any machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import BaseHandler, HTTPHandler, HTTPSHandler, Request

from tomarium.errors import InputError

PeerCheck = Callable[[str], None]


def is_private(peer: str) -> bool:
    """Tell whether a network address is of no machine of the public net: of this one, a private net, a link."""
    ip = ipaddress.ip_address(peer.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return not ip.is_global or ip.is_multicast


def public_net_only() -> PeerCheck:
    """Make a check of the connections of some requests and their redirects: none leads out of the public net.

    Returns
    -------
    callable
        Raises InputError for a machine of a private net, unless the first one that was reached is in a private net,
        too: then somebody who may gave such an address.
    """
    reached: list[bool] = []

    def check(peer: str) -> None:
        reached.append(is_private(peer))
        if reached[-1] and not reached[0]:
            raise InputError(
                f"an address of the public net leads on to {peer}, a machine of a private net, which was not asked; "
                f"ask the keeper of that address"
            )

    return check


def checking_handlers(check: PeerCheck) -> list[BaseHandler]:
    """Make handlers of `urllib` whose connections are checked.

    Parameters
    ----------
    check : callable
        Told the network address of the machine that was reached; what it raises ends the connection.

    Returns
    -------
    list of BaseHandler
        For HTTP and HTTPS.
    """
    return [_Http(check), _Https(check)]


class _Connection(HTTPConnection):
    def __init__(self, *arguments: Any, check: PeerCheck, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.check = check

    def connect(self) -> None:
        """Connect, and check the address that was reached."""
        super().connect()
        _check_peer(self, self.check)


class _TlsConnection(HTTPSConnection):
    def __init__(self, *arguments: Any, check: PeerCheck, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.check = check

    def connect(self) -> None:
        """Connect, and check the address that was reached."""
        super().connect()
        _check_peer(self, self.check)


def _check_peer(connection: HTTPConnection, check: PeerCheck) -> None:
    try:
        check(connection.sock.getpeername()[0])
    except BaseException:
        connection.close()
        raise


class _Http(HTTPHandler):
    def __init__(self, check: PeerCheck) -> None:
        super().__init__()
        self._connection = partial(_Connection, check=check)

    def http_open(self, req: Request) -> HTTPResponse:
        """Open by a connection that is checked."""
        return self.do_open(self._connection, req)


class _Https(HTTPSHandler):
    def __init__(self, check: PeerCheck) -> None:
        super().__init__()
        self._connection = partial(_TlsConnection, check=check)

    def https_open(self, req: Request) -> HTTPResponse:
        """Open by a connection that is checked."""
        return self.do_open(self._connection, req)
