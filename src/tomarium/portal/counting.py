"""Counting how often published records are seen and taken, by the rules of COUNTER.

These are of its Code of Practice for Research Data, release 1 (https://www.projectcounter.org/code-practice-research-data/).
Robots are not counted, nor are those who keep a record, curators and administrators. What one visitor asks of one
record counts once until 30 seconds have passed without another of these requests; a range that goes on with a file
counts no second download that day. A visitor is a keyed hash of address and agent, whose key is made anew each day
(UTC) and kept in memory alone: nobody can tell later who it was. The counts are kept in memory, too, until a thread
writes them, at the latest after a minute; a portal that is killed loses what came since, and one that runs as several
processes counts a visitor once in each.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tomarium.catalogue import Catalogue
from tomarium.catalogue.queries import Place
from tomarium.catalogue.record_use import Counted, add_use
from tomarium.errors import DatabaseUnavailable
from tomarium.portal.agents import agent_of
from tomarium.portal.identity import identify

DOUBLE_CLICK_S: Final = 30.0
FLUSH_S: Final = 60.0
MOST_VISITORS: Final = 200_000
"""Visits that are remembered at once; beyond that the oldest are forgotten, and their visitors may count twice."""
_STATE: Final = "record_use"


@dataclass(frozen=True)
class _Noted:
    """A request that may count, once its answer has begun."""

    record: str
    kind: str
    method: str
    visitor: str
    path: str
    goes_on: bool  # a range that does not begin at the first byte


class UseCounter:
    """Counts in memory; `flush` writes what has come together, and a thread does so while anything is counted."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue, self._lock = catalogue, threading.Lock()
        self._day, self._key = "", b""
        self._last: dict[tuple[str, str, str], float] = {}  # (visitor, record, kind) → last request
        self._paths: set[tuple[str, str, str]] = set()  # (visitor, record, path) taken today
        self._totals: Counter[Counted] = Counter()
        self._uniques: Counter[Counted] = Counter()
        self._timer: threading.Timer | None = None

    def visitor(self, address: str, agent: str, now: float) -> str:
        """Return what stands for a visitor today; the key is thrown away with the day."""
        with self._lock:
            self._turn_day(now)
            return hashlib.blake2b(f"{address}\n{agent}".encode(), key=self._key, digest_size=12).hexdigest()

    def count(self, noted: _Noted, now: float) -> None:
        """Count a request, unless it goes on with what was counted."""
        visit = (noted.visitor, noted.record, noted.kind)
        counted_path = (noted.visitor, noted.record, noted.path)
        with self._lock:
            self._turn_day(now)
            last = self._last.pop(visit, None)
            self._last[visit] = now
            again = last is not None and now - last < DOUBLE_CLICK_S
            goes_on = noted.goes_on and counted_path in self._paths
            if noted.kind == "download":
                self._paths.add(counted_path)
            self._forget()
            if again or goes_on:
                return
            month = datetime.fromtimestamp(now, UTC).strftime("%Y-%m")
            key = Counted(noted.record, month, noted.kind, noted.method)
            self._totals[key] += 1
            self._uniques[key] += last is None
            if self._timer is None:
                self._timer = threading.Timer(FLUSH_S, self._flush_alone)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what was counted; where the database does not answer it is kept, and written the next time."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, totals, self._totals = None, self._totals, Counter()
            uniques, self._uniques = self._uniques, Counter()
        if not totals:
            return
        try:
            add_use(self._catalogue, {key: (totals[key], uniques[key]) for key in totals})
        except DatabaseUnavailable as problem:
            logging.getLogger(__name__).warning("counts of views and downloads wait: %s", problem)
            with self._lock:
                self._totals.update(totals)
                self._uniques.update(uniques)

    def _flush_alone(self) -> None:
        try:
            self.flush()
        except Exception:  # a thread has nobody to tell; the portal goes on
            logging.getLogger(__name__).exception("views and downloads could not be written")

    def _turn_day(self, now: float) -> None:
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        if day != self._day:
            self._day, self._key = day, secrets.token_bytes(32)
            self._last.clear()
            self._paths.clear()

    def _forget(self) -> None:
        while len(self._last) > MOST_VISITORS:
            del self._last[next(iter(self._last))]
        if len(self._paths) > 5 * MOST_VISITORS:
            self._paths.clear()


def note_view(request: Request, record: str, place: Place) -> None:
    """Note that a request is for the page or the metadata of a record."""
    _note(request, record, place, "view", "")


def note_download(request: Request, record: str, place: Place, path: str) -> None:
    """Note that a request is for files of a record; what its own pages fetch to show it is none."""
    fetched = request.headers.get("sec-fetch-dest", "document") not in ("document", "iframe", "frame")
    if not (fetched and request.headers.get("sec-fetch-site") in ("same-origin", "same-site")):
        _note(request, record, place, "download", path)


def _note(request: Request, record: str, place: Place, kind: str, path: str) -> None:
    if request.method != "GET" or place.state not in ("published", "withdrawn") or place.mine:
        return
    identity, agent = identify(request), request.headers.get("user-agent", "")
    sort = agent_of(agent)
    if sort == "robot" or identity.reader.sees_all:
        return
    method = "machine" if sort == "machine" or identity.way == "token" else "regular"
    counter: UseCounter = request.app.state.use
    visitor = counter.visitor(request.client.host if request.client else "", agent, time.time())
    span = request.headers.get("range", "").replace(" ", "")
    goes_on = span.startswith("bytes=") and not span.startswith("bytes=0-")
    setattr(request.state, _STATE, _Noted(record, kind, method, visitor, path, goes_on))


def with_counting(app: ASGIApp) -> ASGIApp:
    """Count what was noted of a request once its answer has begun and is one that gives it.

    Parameters
    ----------
    app : ASGI application
        What answers.

    Returns
    -------
    ASGI application
        The same; nothing waits for the counting.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 206):
                noted = scope.get("state", {}).get(_STATE)
                if noted is not None:
                    scope["app"].state.use.count(noted, time.time())
            await send(message)

        await app(scope, receive, send_and_count if scope["type"] == "http" else send)

    return answer
