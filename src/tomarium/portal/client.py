"""How programs ask a portal over HTTP: a token that goes nowhere else, growing waits, the portal's own words."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import (
    BaseHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
    getproxies,
    proxy_bypass,
)

from tomarium.catalogue.datacite_client import NoRedirects
from tomarium.errors import InputError, Interrupted
from tomarium.portal.peer_check import checking_handlers

TRIES: Final = 8
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 32.0
MOST_REDIRECTS: Final = 5
LONGEST_ANSWER_BYTES: Final = 1 << 30
_LONGEST_PROBLEM_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 18
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_MOVED: Final = (301, 302, 303, 307, 308)
_sleep: Final = time.sleep


@dataclass(frozen=True)
class Answer:
    """What was answered.

    Attributes
    ----------
    status : int
        HTTP status.
    headers : Message
        Of the answer.
    content : bytes
        All of it; empty where it is read from `stream`.
    stream : HTTPResponse or None
        The content of an answer that is not read yet.
    address : str
        Where it came from, after redirects.
    """

    status: int
    headers: Message
    content: bytes = b""
    stream: HTTPResponse | None = None
    address: str = ""

    def json(self) -> dict[str, Any]:
        """Read the content as a JSON object; ValueError where it is none."""
        value = json.loads(self.content)
        if not isinstance(value, dict):
            raise ValueError("is no object")
        return value


def _opener(place: str, peer: Callable[[str], None] | None) -> OpenerDirector:
    """Make what opens an address: by the proxies of the environment, but not to this machine."""
    parts = urlsplit(place)
    direct = parts.hostname in _HERE
    proxied = not direct and parts.scheme in getproxies() and not proxy_bypass(parts.netloc)
    handlers: list[BaseHandler] = [NoRedirects(), *([ProxyHandler({})] if direct else [])]
    if peer is not None and not proxied:
        handlers += checking_handlers(peer)
    return build_opener(*handlers)


@dataclass(frozen=True)
class Limits:
    """What is borne of a portal that is asked.

    Attributes
    ----------
    silent_s : float
        How long it may send nothing.
    whole_s : float
        How long an answer that `ask` and `get` read may take in all.
    bytes : int
        Size of such an answer.
    """

    silent_s: float = 120.0
    whole_s: float = 3600.0
    bytes: int = LONGEST_ANSWER_BYTES


@dataclass(frozen=True)
class Portal:
    """A portal that is asked.

    Attributes
    ----------
    address : str
        Of the portal, with "/" at its end.
    token : str
        Of an account there, "" for none; sent to this address only.
    headers : Mapping of str to str
        Sent with each request.
    limits : Limits
        How long it is waited for, and how much it may answer.
    peer : callable, optional
        Told the network address of the machine that was reached, before the request is sent; what it raises ends it.
        Behind a proxy, which resolves names itself, it is not asked.
    """

    address: str
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: Limits())
    peer: Callable[[str], None] | None = None

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Answer:
        """Ask once, and follow no redirect.

        Parameters
        ----------
        method, path : str
            Of the request; the path is joined to `address`.
        headers : Mapping of str to str, optional
            Of this request.
        content : bytes
            Of this request.

        Returns
        -------
        Answer
            Of any status.

        Raises
        ------
        OSError
            There is no whole answer, or one beyond the limits.
        """
        with self.open(method, path, headers, content) as answer:
            return self._read_whole(answer, cut=method != "HEAD")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Get something whole, and follow redirects; parameters and errors as of `follow` and `ask`."""
        with self.follow(path, headers) as answer:
            return self._read_whole(answer)

    def _read_whole(self, answer: Answer, *, cut: bool = True) -> Answer:
        if answer.stream is None:
            return answer
        most, end = self.limits.bytes, time.monotonic() + self.limits.whole_s
        pieces, size = [], 0
        try:
            while piece := answer.stream.read1(min(_PIECE_BYTES, most + 1 - size)):
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    raise OSError(f"the answer is longer than {most} bytes, which no such answer is")
                if time.monotonic() > end:
                    raise OSError(f"the answer did not come to its end within {self.limits.whole_s:.0f} s")
        except HTTPException as problem:
            raise OSError(f"the answer was cut off ({problem})") from problem
        length = answer.headers.get("Content-Length", "")
        if cut and length.isdecimal() and size != int(length):
            raise OSError(f"the answer was cut off after {size} of {length} bytes")
        return Answer(answer.status, answer.headers, b"".join(pieces), address=answer.address)

    @contextmanager
    def open(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Iterator[Answer]:
        """Ask once; a good answer is read from its `stream`, a problem is in its `content`.

        Parameters
        ----------
        method, path, headers, content
            As in `ask`.

        Yields
        ------
        Answer
            Of any status.

        Raises
        ------
        OSError
            There is no answer.
        """
        place = urljoin(self.address, path)
        sent = {"Accept": "application/json", **self.headers, **(headers or {})}
        request = Request(place, content or None, sent, method=method)
        if self.token and origin(urlsplit(place)) == origin(urlsplit(self.address)):
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with _opener(place, self.peer).open(request, timeout=self.limits.silent_s) as response:
                yield Answer(response.status, response.headers, stream=response, address=place)
        except HTTPError as problem:
            with problem:
                problem_content = problem.read(_LONGEST_PROBLEM_BYTES)
            yield Answer(problem.code, problem.headers, problem_content, address=place)
        except HTTPException as problem:
            raise OSError(str(problem) or type(problem).__name__) from problem

    @contextmanager
    def follow(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """Get something, and follow at most 5 redirects.

        Parameters
        ----------
        path : str
            Joined to `address`.
        headers : Mapping of str to str, optional
            Of this request.

        Yields
        ------
        Answer
            As `open` gives it.

        Raises
        ------
        InputError
            A redirect leads from https to http, to what is no web address, to another host with a token, or there are
            more than 5.
        OSError
            There is no answer.
        """
        place = urljoin(self.address, path)
        for _ in range(MOST_REDIRECTS + 1):
            with self.open("GET", place, headers) as answer:
                if answer.status not in _MOVED or not answer.headers.get("Location"):
                    yield answer
                    return
                place = self._next(place, answer.headers["Location"])
        raise InputError(
            f"{self.address}: more than {MOST_REDIRECTS} redirects, the last to {place[:120]}; give the address of the "
            f"record's page itself"
        )

    def _next(self, place: str, location: str) -> str:
        target, parts_before = urljoin(place, location), urlsplit(place)
        parts = web_address(target)
        if parts_before.scheme == "https" and parts.scheme == "http":
            raise InputError(
                f"{place[:120]}: leads from https to {target[:120]}, where anybody on the way could read and change "
                f"what is sent; ask its keeper for an address that begins with https://"
            )
        if self.token and origin(parts) != origin(parts_before):
            raise InputError(
                f"{place[:120]}: leads to another host, {target[:120]}, to which the token is not sent; give that "
                f"address itself if you trust it, or take TOMARIUM_TOKEN away"
            )
        return target


def origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address."""
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def web_address(address: str, example: str = "https://data.example.org") -> SplitResult:
    """Split the address of a portal, or of something there.

    Parameters
    ----------
    address : str
        Any text.
    example : str
        What such an address looks like, for the message.

    Returns
    -------
    SplitResult
        Its scheme is https or http.

    Raises
    ------
    InputError
        It is no such address, or tells a name and a password.
    """
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or not address.isprintable() or " " in address:
        raise InputError(f"{address[:80]}: is no address of a portal; give one like {example}")
    if parts.username is not None:
        raise InputError(
            f"{parts.hostname}: an address with a name and a password in it is not used; give a token by TOMARIUM_TOKEN"
        )
    return parts


def demand_private(parts: SplitResult, token: str) -> None:
    """Refuse to send a token in the clear to another machine.

    Parameters
    ----------
    parts : SplitResult
        Of the address.
    token : str
        "" for none.

    Raises
    ------
    InputError
        It would be.
    """
    if token and parts.scheme == "http" and parts.hostname not in _HERE:
        raise InputError(
            f"{parts.geturl()[:80]}: a token would be sent in the clear; give an address that begins with https://"
        )


def wait_s(tried: int, answer: Answer | None = None, longest: float = LONGEST_WAIT_S) -> float:
    """Return how long to wait after a try that failed.

    Parameters
    ----------
    tried : int
        How many failed before it.
    answer : Answer, optional
        What it was answered; its Retry-After, seconds or a date, is respected up to the longest wait.
    longest : float
        The longest wait, s.

    Returns
    -------
    float
        Time, s; doubled with each try, up to 32 s where the portal asks for no longer wait.
    """
    retry_after = answer.headers.get("Retry-After", "") if answer is not None else ""
    seconds = float(retry_after) if retry_after.isdecimal() and len(retry_after) < 9 else _until(retry_after)
    return min(max(min(FIRST_WAIT_S * float(2**tried), LONGEST_WAIT_S), seconds), longest)


def _until(date: str) -> float:
    """Return the seconds from now until a date of HTTP; 0 where it is none."""
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time()) if date else 0.0
    except (ValueError, TypeError, OverflowError):
        return 0.0


class NoAnswer(Interrupted):
    """A portal gave no answer each time it was asked, or one that told of its own trouble: `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the portal does not answer ({reason}); what is there is kept, start again to go on"
        )
        self.reason = reason


def reason_of(problem: BaseException) -> str:
    """Say why nothing answered, in the system's words and without the library's about them.

    Parameters
    ----------
    problem : BaseException
        What was raised, such as a `URLError` about an `OSError`.

    Returns
    -------
    str
        "Name or service not known", "Connection refused", "timed out" …
    """
    inner = problem.reason if isinstance(problem, URLError) else problem
    told = inner.strerror if isinstance(inner, OSError) else ""
    return told or str(inner) or type(inner).__name__


def with_retries(
    ask: Callable[[], Answer],
    tries: int = TRIES,
    longest: float = LONGEST_WAIT_S,
    *,
    silences: int | None = None,
    within_s: float = math.inf,
) -> Answer:
    """Repeat a request until its status is one that another try would not change.

    Parameters
    ----------
    ask : callable
        Asks once.
    tries : int
        How often at most.
    longest : float
        The longest wait between two tries, s.
    silences : int, optional
        After how many tries without an answer it is asked no more; after all tries by default.
    within_s : float
        Since when it was asked first, s, it is asked no more; a try that is under way then comes to its end.

    Returns
    -------
    Answer
        Of a status that asking again would not change.

    Raises
    ------
    NoAnswer
        There is none after all tries.
    """
    end, silent = time.monotonic() + within_s, 0
    for tried in range(tries):
        answer = None
        try:
            answer = ask()
            if not is_temporary(answer.status):
                return answer
            reason = words(answer)
        except (URLError, OSError) as problem:
            reason = reason_of(problem)
            silent += 1
        wait = wait_s(tried, answer, longest)
        if tried + 1 == tries or silent == silences or time.monotonic() + wait > end:
            break
        _sleep(wait)
    raise NoAnswer(reason)


def is_temporary(status: int) -> bool:
    """Tell whether a status is one that may be another after a while."""
    return status == 429 or (status >= 500 and status != 507)


def words(answer: Answer) -> str:
    """Return what a portal says is wrong, on one line.

    Parameters
    ----------
    answer : Answer
        Of a problem.

    Returns
    -------
    str
        Its own words (RFC 9457, "detail"), or else its status.
    """
    try:
        problem = answer.json()
        text = str(problem.get("detail") or problem["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the portal answered {answer.status}"
    return " ".join(text.split())[:600]
