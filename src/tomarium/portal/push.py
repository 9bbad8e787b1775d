"""The other end of the door for uploads: sends files to a portal by tus 1.0, and goes on where it was."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tomarium.atomic_files import write_json
from tomarium.catalogue.checksums import list_files
from tomarium.catalogue.home import home
from tomarium.errors import InputError, Interrupted
from tomarium.portal.uploads import CONTENT, VERSION

TRIES: Final = 8
_FIRST_WAIT_S: Final = 0.5
_TIMEOUT_S: Final = 120
Tell = Callable[[str, int, int], object]


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Message
    content: bytes

    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.content)
        return told


@dataclass(frozen=True)
class _Portal:
    address: str
    token: str

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> _Answer:
        """Ask once; HTTPError is an answer, all else that fails is raised as OSError."""
        request = Request(urljoin(self.address, path), content or None, dict(headers or {}), method=method)
        request.add_header("Tus-Resumable", VERSION)
        request.add_header("Accept", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_S) as response:
                return _Answer(response.status, response.headers, response.read())
        except HTTPError as problem:
            return _Answer(problem.code, problem.headers, problem.read())
        except HTTPException as problem:
            raise OSError(str(problem)) from problem


class _NoRedirects(HTTPRedirectHandler):
    """A token is sent to the address that was given, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def push(
    path: Path,
    address: str,
    *,
    token: str = "",
    title: str = "",
    chunk: int = 64_000_000,
    wait: bool = True,
    tell: Tell | None = None,
) -> str:
    """Send a record's folder, a file or a folder to a portal.

    Parameters
    ----------
    path : Path
        What to send; there must be no links in a folder.
    address : str
        Of the portal, "https://data.example.org".
    token : str
        Of an account there.
    title : str
        Title of the record it becomes, where it is none yet.
    chunk : int
        Bytes of a request; each is confirmed with its checksum.
    wait : bool
        Whether to wait for the worker that makes a record of it.
    tell : callable, optional
        Told of progress: a word, bytes done, bytes in all.

    Returns
    -------
    str
        Address of the record, or what became of it.

    Raises
    ------
    InputError
        There is nothing to send, or the portal refuses it; its own words are told.
    Interrupted
        The portal could not be reached; start it again to go on.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.netloc:
        raise InputError(f"{address[:80]}: is no address of a portal; give one like https://data.example.org")
    if token and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise InputError(
            f"{address[:80]}: a token would be sent in the clear; give an address that begins with https://"
        )
    files = _files(path)
    portal = _Portal(address.rstrip("/") + "/", token)
    notes = _notes(path, address)
    batch = _batch(portal, notes, title)
    done, total = 0, sum(place.stat().st_size for place in files.values())
    for name, place in files.items():
        _send(portal, batch, name, place, chunk, _told(tell, done, total))
        done += place.stat().st_size
    answer = _patiently(lambda: portal.ask("POST", f"uploads/batches/{batch}/done"))
    if answer.status not in (201, 202):
        raise InputError(f"{address}: {_words(answer)}")
    notes.unlink(missing_ok=True)
    told = answer.json()
    there = str(urljoin(portal.address, str(told["address"])))
    if answer.status == 201:
        return there
    return _wait(portal, there) if wait else f"job {told['job']}: {there}"


def _told(tell: Tell | None, before: int, total: int) -> Callable[[int], object]:
    return lambda sent: tell("send", before + sent, total) if tell else None


def _files(path: Path) -> dict[str, Path]:
    """List what is sent: path in the record → file."""
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        raise InputError(f"{path}: does not exist; give a record's folder, a file, or a folder of them")
    found = {name: path / name for name in sorted(list_files(path))}
    if not found:
        raise InputError(
            f"{path}: holds no file to send; give a record's folder, a file, or a folder of them"
        )
    return found


def _notes(path: Path, address: str) -> Path:
    """Return where it is noted which batch is under way, so that a second start goes on with it."""
    key = hashlib.sha256(f"{path.resolve()}\n{address}".encode()).hexdigest()[:24]
    return home() / "pushes" / f"{key}.json"


def _batch(portal: _Portal, notes: Path, title: str) -> str:
    if notes.exists():
        known = str(json.loads(notes.read_text(encoding="utf-8"))["batch"])
        if _patiently(lambda: portal.ask("GET", f"uploads/batches/{known}")).status == 200:
            return known
    query = f"?{urlencode({'title': title})}" if title else ""
    answer = _patiently(lambda: portal.ask("POST", f"uploads/batches{query}"))
    if answer.status != 201:
        raise InputError(f"{portal.address}: {_words(answer)}")
    batch = str(answer.json()["batch"])
    notes.parent.mkdir(parents=True, exist_ok=True)
    write_json(notes, {"batch": batch})
    return batch


def _send(
    portal: _Portal, batch: str, name: str, place: Path, chunk: int, tell: Callable[[int], object]
) -> None:
    """Send one file, from where it is there."""
    listed = _patiently(lambda: portal.ask("GET", f"uploads/batches/{batch}")).json()["files"]
    size = place.stat().st_size
    known = next((one for one in listed if one["path"] == name and one["bytes"] == size), None)
    upload = urljoin(portal.address, known["upload"]) if known else _create(portal, batch, name, place, size)
    offset = int(known["offset"]) if known else 0
    with place.open("rb") as file:
        waited = 0
        while offset < size:
            file.seek(offset)
            content = file.read(chunk)
            if not content:
                raise InputError(
                    f"{place}: became shorter while it was sent; send it again when nobody writes to it"
                )
            checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
            headers = {
                "Upload-Offset": str(offset),
                "Content-Type": CONTENT,
                "Upload-Checksum": f"sha256 {checksum}",
            }
            try:
                answer = portal.ask("PATCH", upload, headers, content)
            except OSError as problem:
                answer = None
                reason = str(problem)
            if answer is not None and answer.status == 204:
                offset, waited = int(answer.headers["Upload-Offset"]), 0
                tell(offset)
                continue
            if answer is not None and answer.status not in (409, 423, 460) and answer.status < 500:
                raise InputError(f"{place}: {_words(answer)}")
            waited += 1
            if waited > TRIES:
                said = _words(answer) if answer is not None else reason
                raise Interrupted(
                    f"{portal.address}: {said}; {offset} of {size} bytes of {name} are there, start again"
                )
            time.sleep(_FIRST_WAIT_S * 2 ** min(waited - 1, 6))
            told = _patiently(lambda: portal.ask("HEAD", upload))
            if told.status == 404:
                raise Interrupted(f"{portal.address}: the upload of {name} is gone there; start again")
            offset = int(told.headers.get("Upload-Offset") or offset)


def _create(portal: _Portal, batch: str, name: str, place: Path, size: int) -> str:
    with place.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    told = {"batch": batch, "filename": name, "sha256": checksum}
    words = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
    headers = {"Upload-Length": str(size), "Upload-Metadata": words}
    answer = _patiently(lambda: portal.ask("POST", "uploads", headers))
    if answer.status != 201:
        raise InputError(f"{place}: {_words(answer)}")
    return urljoin(portal.address, str(answer.headers["Location"]))


def _patiently(ask: Callable[[], _Answer]) -> _Answer:
    """Ask until there is an answer that is not the portal's own trouble."""
    for tried in range(TRIES):
        try:
            answer = ask()
            if answer.status < 500 or answer.status == 507:
                return answer
            reason = _words(answer)
        except (URLError, OSError) as problem:
            reason = str(problem)
        if tried + 1 < TRIES:
            time.sleep(_FIRST_WAIT_S * 2**tried)
    raise Interrupted(f"the portal does not answer ({reason}); what is there is kept, start again to go on")


def _wait(portal: _Portal, place: str) -> str:
    while True:
        told = _patiently(lambda: portal.ask("GET", place)).json()
        if told["state"] == "done":
            return str(told["told"])
        if told["state"] == "failed":
            raise InputError(f"{portal.address}: no record could be made: {told['told']}")
        time.sleep(1)


def _words(answer: _Answer) -> str:
    try:
        told = answer.json()
        return str(told.get("detail") or told["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the portal answered {answer.status}"
