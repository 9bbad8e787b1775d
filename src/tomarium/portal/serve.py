"""Serving the portal from this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection

from tomarium.catalogue import Catalogue
from tomarium.catalogue.accounts import any_account
from tomarium.catalogue.number_columns import keep_columns
from tomarium.catalogue.sealing import KeyUnusable
from tomarium.catalogue.second_factor import demand_key
from tomarium.catalogue.settings import all_settings
from tomarium.errors import InputError
from tomarium.portal.app import create_app
from tomarium.portal.worker_child import WorkerChildren


def serve(
    catalogue: Catalogue,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    live: Path | None = None,
    scans: Sequence[Path] = (),
    workers: bool = False,
    proxies: Sequence[str] = (),
    announce: Callable[[str], object] = print,
) -> None:
    """Serve a catalogue until it is interrupted.

    Parameters
    ----------
    catalogue : Catalogue
        Open; it stays the caller's to close.
    host : str
        Address to listen at. The default is heard on this machine only, and then only requests that name
        this machine are answered.
    port : int
        0 takes any free one.
    live : Path, optional
        Folder of the watch that the page /live shows.
    scans : sequence of Path
        Folders whose scans the owner of this machine may choose on the page of work.
    workers : bool
        Whether workers are started when somebody asks for a slice or a volume and none is there.
    proxies : sequence of str
        Network addresses, or networks, of proxies that are believed whom a request is from, besides 127.0.0.1.
    announce : callable
        `announce(address)` is called once, when connections are accepted: "http://127.0.0.1:8000/".

    Raises
    ------
    InputError
        The port is taken or may not be used, or the host is none of this machine's.
    """
    import uvicorn

    from tomarium.portal.slow_clients import TimedConnection, allow_many_connections

    allow_many_connections()
    listener = listen(host, port)
    with listener:
        local = is_loopback(host)
        hosts = _hosts(catalogue) if local else ["*"]
        name = f"[{host}]" if ":" in host else host
        announce(f"http://{name}:{listener.getsockname()[1]}/")
        children = WorkerChildren(catalogue) if workers else None
        keep_columns(catalogue)
        app = create_app(catalogue, hosts=hosts, local=local, live=live, scans=scans, start_worker=children)
        config = uvicorn.Config(
            app,
            http=TimedConnection,
            ws="none",  # there are none, and what upgrades to one is looked at no more
            timeout_graceful_shutdown=2,  # events of the live page have no end
            log_level="warning",
            access_log=False,
            server_header=False,
            forwarded_allow_ips=["127.0.0.1", *proxies],
        )
        try:
            with suppress(KeyboardInterrupt):  # uvicorn closes in order, then raises the signal once more
                uvicorn.Server(config).run(sockets=[listener])
        finally:
            app.state.use.flush()
            if children is not None:
                children.close()


def notices(catalogue: Catalogue, host: str) -> list[str]:
    """Say what who starts a portal should know of who can use it.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    host : str
        As for `serve`.

    Returns
    -------
    list of str
        Sentences.
    """
    with catalogue.reading() as connection:
        accounts = any_account(connection)
        address = all_settings(connection)["address"]
        keyless = _keyless(connection, catalogue.home)
    return [*keyless, *_notices_of_accounts(accounts, address, host)]


def _keyless(connection: Connection, home: Path) -> list[str]:
    try:
        demand_key(connection, home)
    except KeyUnusable as problem:
        return [f"codes of second factors cannot be checked: {problem}"]
    return []


def _notices_of_accounts(accounts: bool, address: str, host: str) -> list[str]:
    if is_loopback(host):
        return ["the catalogue has accounts, so everybody signs in, on this machine too"] if accounts else []
    if not accounts:
        return [
            "there is no account, so only what is published is shown, to anybody; make one with: "
            "tomarium user add NAME --role administrator"
        ]
    if address.startswith("https://"):
        return []
    return [
        "passwords cross the network unprotected by http; put a proxy with TLS before it, and say its address: "
        "tomarium settings address https://…"
    ]


def is_owners(catalogue: Catalogue, host: str) -> bool:
    """Tell whether who opens the portal is the owner of this machine.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    host : str
        As for `serve`.

    Returns
    -------
    bool
        It is heard on this machine only, and there is no account.
    """
    with catalogue.reading() as connection:
        return is_loopback(host) and not any_account(connection)


def _hosts(catalogue: Catalogue) -> list[str]:
    """Return the names under which a portal on loopback answers: this machine, and the address its proxy has."""
    with catalogue.reading() as connection:
        address = all_settings(connection)["address"]
    named = urlsplit(address).hostname
    return ["localhost", "127.0.0.1", "::1", "[::1]", *([named] if named else [])]


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address; InputError where the port is taken or the host is none of this machine's."""
    if not 0 <= port <= 65535:
        raise InputError(f"cannot listen at port {port}; give one from 1 to 65535, or 0 for any free one")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as problem:
        raise InputError(
            f"cannot listen at {host}, port {port} ({problem}); give another port, or 0 for any free one"
        ) from problem


def is_loopback(host: str) -> bool:
    """Tell whether an address is heard on this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
