"""Send files to a portal by tus 1.0; an upload that was interrupted is resumed."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

from tomarium.atomic_files import write_json
from tomarium.catalogue.checksums import list_files
from tomarium.catalogue.home import home
from tomarium.errors import InputError, Interrupted
from tomarium.portal.client import TRIES, Portal, demand_private, wait_s, web_address, with_retries, words
from tomarium.portal.uploads import CONTENT, VERSION

Tell = Callable[[str, int, int], object]


def push(
    path: Path,
    address: str,
    *,
    token: str = "",
    title: str = "",
    team: str = "",
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
    team : str
        A team of the account, whose the record is to be too.
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
    demand_private(web_address(address), token)
    files = _files(path)
    portal = Portal(address.rstrip("/") + "/", token, {"Tus-Resumable": VERSION})
    notes = _notes(path, address)
    batch = _batch(portal, notes, title, team)
    listed = with_retries(lambda: portal.ask("GET", f"uploads/batches/{batch}"))
    if listed.status != 200:  # the end of an earlier push, whose answer was lost, came about meanwhile
        raise InputError(f"{address}: {words(listed)}")
    begun = {upload["path"]: upload for upload in listed.json()["files"]}
    sent, total = 0, sum(place.stat().st_size for place in files.values())
    for name, place in files.items():
        _send(portal, batch, name, place, begun.get(name), chunk, _progress_from(tell, sent, total))
        sent += place.stat().st_size
    answer = with_retries(lambda: portal.ask("POST", f"uploads/batches/{batch}/done"))
    if answer.status not in (201, 202):
        raise InputError(f"{address}: {words(answer)}")
    notes.unlink(missing_ok=True)
    content = answer.json()
    record_address = str(urljoin(portal.address, str(content["address"])))
    if answer.status == 201:
        return record_address
    return _wait(portal, record_address) if wait else f"job {content['job']}: {record_address}"


def _progress_from(tell: Tell | None, before: int, total: int) -> Callable[[int], object]:
    return lambda sent: tell("send", before + sent, total) if tell else None


def _files(path: Path) -> dict[str, Path]:
    """List what is sent: path in the record → file."""
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        raise InputError(f"{path}: does not exist; give a record's folder, a file, or a folder of them")
    files = {name: path / name for name in sorted(list_files(path))}
    if not files:
        raise InputError(
            f"{path}: holds no file to send; give a record's folder, a file, or a folder of them"
        )
    return files


def _notes(path: Path, address: str) -> Path:
    """Return where it is noted which batch is under way, so that a second start goes on with it."""
    key = hashlib.sha256(f"{path.resolve()}\n{address}".encode()).hexdigest()[:24]
    return home() / "pushes" / f"{key}.json"


def _batch(portal: Portal, notes: Path, title: str, team: str) -> str:
    if notes.exists():
        unfinished_batch = str(json.loads(notes.read_text(encoding="utf-8"))["batch"])
        if with_retries(lambda: portal.ask("GET", f"uploads/batches/{unfinished_batch}")).status == 200:
            return unfinished_batch
    values = {name: text for name, text in (("title", title), ("team", team)) if text}
    query = f"?{urlencode(values)}" if values else ""
    answer = with_retries(lambda: portal.ask("POST", f"uploads/batches{query}"))
    if answer.status != 201:
        raise InputError(f"{portal.address}: {words(answer)}")
    batch = str(answer.json()["batch"])
    notes.parent.mkdir(parents=True, exist_ok=True)
    write_json(notes, {"batch": batch})
    return batch


def _send(
    portal: Portal,
    batch: str,
    name: str,
    place: Path,
    listed: Mapping[str, Any] | None,
    chunk: int,
    tell: Callable[[int], object],
) -> None:
    """Send one file, from where it is there; `listed` is what the portal listed of it."""
    size = place.stat().st_size
    if listed is not None and listed["bytes"] != size:
        listed = None
    upload = (
        urljoin(portal.address, listed["upload"]) if listed else _create(portal, batch, name, place, size)
    )
    offset = int(listed["offset"]) if listed else 0
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
                raise InputError(f"{place}: {_without_name(words(answer), name)}")
            waited += 1
            if waited > TRIES:
                reason_given = words(answer) if answer is not None else reason
                raise Interrupted(
                    f"{portal.address}: {reason_given}; {offset} of {size} bytes of {name} are there, start again"
                )
            time.sleep(wait_s(waited - 1, answer))
            state = with_retries(lambda: portal.ask("HEAD", upload))
            if state.status == 404:
                raise Interrupted(f"{portal.address}: the upload of {name} is gone there; start again")
            offset = int(state.headers.get("Upload-Offset") or offset)


def _without_name(text: str, name: str) -> str:
    """Leave out the name of the file in the record, where an answer begins with it: the file here is named already."""
    return text.removeprefix(f"{name}: ")


def _create(portal: Portal, batch: str, name: str, place: Path, size: int) -> str:
    with place.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    metadata = {"batch": batch, "filename": name, "sha256": checksum}
    told_words = ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items()
    )
    headers = {"Upload-Length": str(size), "Upload-Metadata": told_words}
    answer = with_retries(lambda: portal.ask("POST", "uploads", headers))
    if answer.status != 201:
        raise InputError(f"{place}: {_without_name(words(answer), name)}")
    return urljoin(portal.address, str(answer.headers["Location"]))


def _wait(portal: Portal, place: str) -> str:
    while True:
        state = with_retries(lambda: portal.ask("GET", place)).json()
        if state["state"] == "done":
            addresses = [
                urljoin(portal.address, str(record["address"])) for record in state.get("records", ())
            ]
            return ", ".join(addresses) or str(state["told"])
        if state["state"] == "failed":
            raise InputError(f"{portal.address}: no record could be made: {state['told']}")
        time.sleep(1)
