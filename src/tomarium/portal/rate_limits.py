"""How much may be asked in a while from one network, or with one account: a bucket of tokens for each.

A bucket holds what may be asked in a minute and is refilled evenly. Requests from a network (IPv4 /24, IPv6 /64) share
buckets; who asks with a token or a session that was found to be valid has buckets of their own. Buckets are kept in
memory: a portal that runs as several processes gives each of them its own. Scripts and pictures of the pages
themselves are not counted, nor is a request whose network is not known, nor one from this machine itself.
"""

from __future__ import annotations

import ipaddress
import math
import re
import threading
import time
from collections import OrderedDict
from typing import Final, Literal

import anyio.to_thread
from fastapi import HTTPException, Request

from tomarium.catalogue import Catalogue
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.tokens import digest_of
from tomarium.model.sentence import Sentence
from tomarium.portal import refusals
from tomarium.portal.identity import PROXY_HEADERS, SAFE, SESSION, cookie_of

Kind = Literal["searches", "files", "forms", "pages"]
KINDS: Final[dict[Kind, str]] = {
    "searches": refusals.SEARCHES,
    "files": refusals.FILES,
    "forms": refusals.FORMS,
    "pages": refusals.PAGES,
}
SEARCHES: Final = re.compile(
    r"/(records|logbook|specimens|proposals|instruments|collections|documents|places|parcels)(\.json|\.atom|\.md)?"
    r"|/(oai|index\.json|statistics(\.json|\.csv)?|reports/dsr|publications/report(\.json|\.csv)?)|/panosc/.*"
)
FILES: Final = re.compile(
    r"/records/\{id\}/(files|pictures|h5|volume\.|volume/v|download\.|models/\{name\}).*"
    r"|/(uploads|assets|neuroglancer|live/slices|logo)(/.*)?|.*/files/\{digest\}|.*/slices/\{index\}\.png"
)
MINUTE_S: Final = 60.0
SETTINGS_S: Final = 30.0
"""How long the settings are taken for what they were."""
KNOWN_S: Final = 600.0
"""How long a secret that was valid has buckets of its own without being found valid again."""
MOST_KEPT: Final = 100_000
"""Buckets, and valid secrets, that are kept at once; beyond that those that were not asked for longest are dropped."""


def kind_of(method: str, path: str) -> Kind:
    """Tell as what a request is counted.

    Parameters
    ----------
    method : str
        Of the request.
    path : str
        Of its route, with parameters in braces.

    Returns
    -------
    str
        "searches" for lists and the interfaces of programs, "files" for content and uploads, "forms" for all else
        that changes something, "pages" for the rest.
    """
    if SEARCHES.fullmatch(path):
        return "searches" if method in SAFE or path.startswith("/oai") else "forms"
    if FILES.fullmatch(path):
        return "files"
    return "pages" if method in SAFE else "forms"


def network(address: str) -> str:
    """Return the network that shares buckets.

    Parameters
    ----------
    address : str
        IPv4 or IPv6 of a machine; any text.

    Returns
    -------
    str
        IPv4 /24 or IPv6 /64; "" where the text is no address.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((ip, 64), strict=False))
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24), strict=False))


class RateLimits:
    """The buckets of a portal, safe to use from several threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue, self._lock = catalogue, threading.Lock()
        self._buckets: OrderedDict[tuple[str, Kind], tuple[float, float]] = OrderedDict()
        self._known: OrderedDict[str, float] = (
            OrderedDict()
        )  # digest of a valid secret → when it was found so
        self._read, self._limits = -math.inf, dict.fromkeys(KINDS, 0)

    def limits(self, now: float) -> dict[Kind, int] | None:
        """Return how many requests of each kind a minute are allowed, 0: any; None where they are to be read."""
        return self._limits if now - self._read < SETTINGS_S else None

    def read_limits(self, now: float) -> dict[Kind, int]:
        """Read how many requests of each kind are allowed."""
        with self._catalogue.reading() as connection:
            settings = all_settings(connection)
        self._limits = {kind: int(settings[f"rate_{kind}"]) for kind in KINDS}
        self._read = now
        return self._limits

    def remember(self, secret: str, now: float | None = None) -> None:
        """Note that a token or a session is valid: it has buckets of its own from now on."""
        with self._lock:
            digest = digest_of(secret)
            self._known[digest] = time.monotonic() if now is None else now
            self._known.move_to_end(digest)
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)

    def holder(self, secret: str, now: float) -> str:
        """Return what stands for who holds a valid secret; "" where it is not known to be valid."""
        digest = digest_of(secret)
        with self._lock:
            return digest if now - self._known.get(digest, -math.inf) < KNOWN_S else ""

    def take(self, who: str, kind: Kind, limit: int, now: float) -> float:
        """Take one request out of a bucket.

        Parameters
        ----------
        who : str
            A network, or the digest of a secret.
        kind : str
            As what it is counted.
        limit : int
            Requests a minute.
        now : float
            Seconds of a clock that never goes back.

        Returns
        -------
        float
            Seconds to wait until it may be asked again; 0 where it may be answered.
        """
        with self._lock:
            tokens, moment = self._buckets.get((who, kind), (float(limit), now))
            tokens = min(float(limit), tokens + (now - moment) * limit / MINUTE_S)
            allowed = tokens >= 1
            self._buckets[who, kind] = (tokens - 1 if allowed else tokens, now)
            self._buckets.move_to_end((who, kind))
            while len(self._buckets) > MOST_KEPT:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) * MINUTE_S / limit


async def demand_rate(request: Request) -> None:
    """Refuse a request of a network or account that asked too much in the last minute.

    It waits for nothing but the settings, every half minute, and as a coroutine costs no way to a thread and back.

    Parameters
    ----------
    request : Request
        As it came.

    Raises
    ------
    HTTPException
        429, with Retry-After.
    """
    client_network = network(request.client.host if request.client else "")
    if not client_network or _is_from_here(request):
        return
    rates: RateLimits = request.app.state.rates
    now = time.monotonic()
    limits = rates.limits(now)
    if limits is None:
        limits = await anyio.to_thread.run_sync(rates.read_limits, now)
    kind = kind_of(request.method, getattr(request.scope.get("route"), "path", ""))
    if not limits[kind]:
        return
    secret = request.headers.get("authorization", "").partition(" ")[2].strip() or cookie_of(request, SESSION)
    who = (rates.holder(secret, now) if secret else "") or client_network
    wait = rates.take(who, kind, limits[kind], now)
    if wait:
        seconds = math.ceil(wait)
        whose = refusals.FROM_NETWORK if who == client_network else refusals.WITH_ACCOUNT
        raise HTTPException(
            429,
            Sentence(
                refusals.TOO_MANY if seconds > 1 else refusals.TOO_MANY_FOR_A_SECOND,
                number=limits[kind],
                kind=Sentence(KINDS[kind]),
                whose=Sentence(whose),
                seconds=seconds,
            ),
            {"Retry-After": str(seconds)},
        )


def _is_from_here(request: Request) -> bool:
    """Tell whether a request is from this machine itself, and came through no proxy."""
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    assert request.client is not None
    return ipaddress.ip_address(request.client.host.partition("%")[0]).is_loopback
