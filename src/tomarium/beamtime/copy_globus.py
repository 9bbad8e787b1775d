"""Scans given to Globus: its program submits and checks, the ledger keeps the task and follows it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tomarium.beamtime.copy_ledger import Copy, CopyLedger, FileRow, Transfer, content_of, now
from tomarium.beamtime.copy_listing import Listing, sums_of
from tomarium.beamtime.copy_scans import Told, source_name
from tomarium.beamtime.mounted_volumes import Volume, volume_of
from tomarium.errors import EngineUnavailable, InputError, Interrupted

SCHEME: Final = "globus:"
KIND: Final = "globus"
"""Kind of a place in the ledger."""
ANSWERS_S: Final = 120.0
"""Seconds after which a command of Globus has not answered."""

_ABSENT: Final = 50
"""Exit code that stands for the status 404."""


@dataclass(frozen=True)
class Collection:
    """A collection of Globus, and where its top is on this machine.

    Attributes
    ----------
    id : str
        UUID.
    root : Path
        Folder of this machine that is "/" in the collection.
    """

    id: str
    root: Path

    def path(self, source: Path) -> str:
        """Tell where a path of this machine is in the collection; raises InputError where it is outside of it."""
        place = source.resolve()
        try:
            return f"/{place.relative_to(self.root.resolve()).as_posix()}"
        except ValueError:
            raise InputError(
                f"{source}: does not lie in {self.root}, which is the top of the collection {self.id}; name the "
                f"collection that holds it: --globus-source ID:/FOLDER"
            ) from None


def is_globus(text: str) -> bool:
    """Tell whether a destination is a collection of Globus, as `globus:ID/PATH`."""
    return text.startswith(SCHEME) and not Path(text).exists()


def source_collection(option: str | None, settings: Mapping[str, str]) -> Collection:
    """Find the collection that holds the scans.

    Parameters
    ----------
    option : str or None
        "ID" or "ID:/FOLDER" of a user.
    settings : mapping of str to str
        `collection` and `root` of the beamline's profile, which hold where the user said nothing.

    Returns
    -------
    Collection
        That of Globus Connect Personal on this machine where neither tells one.

    Raises
    ------
    InputError
        It is no UUID, or there is none.
    EngineUnavailable
        The program `globus` is not installed.
    """
    id, _, root = (
        option.partition(":") if option else (settings.get("collection", ""), "", settings.get("root", ""))
    )
    if not id:
        demand_program()
        completed_process = _run("endpoint", "local-id")
        id = completed_process.stdout.strip()
        if completed_process.returncode or not id:
            raise InputError(
                "which collection of Globus holds the scans is not known: Globus Connect Personal is not installed "
                "here, and no profile tells it; give --globus-source ID:/FOLDER, FOLDER being its top on this machine"
            )
    return Collection(_id(id, "--globus-source"), Path(root or "/"))


def demand_program() -> None:
    """Refuse where the program `globus` is not installed; raises EngineUnavailable."""
    if shutil.which("globus") is None:
        raise EngineUnavailable(
            "the program globus is not installed, which gives transfers to Globus; `pipx install globus-cli`, then "
            "`globus login`"
        )


def submit(
    listing: Listing,
    target: str,
    source: Collection,
    ledger: CopyLedger,
    tell: Told = lambda done, total: None,
) -> Transfer:
    """Give a scan to Globus, which compares the SHA-256 of each file at both ends, and enter the task in the ledger.

    Asked again while the task runs, it gives that task; where the program was killed while it submitted, the same
    submission is repeated, which Globus takes once.

    Parameters
    ----------
    listing : Listing
        The scan.
    target : str
        "globus:ID/PATH".
    source : Collection
        Which one holds it.
    ledger : CopyLedger
        Open.
    tell : callable
        Told of bytes read for their checksums, and of all.

    Returns
    -------
    Transfer
        As the ledger has it.

    Raises
    ------
    InputError
        The target is none, a name cannot be given to Globus, or something else has this name there.
    EngineUnavailable
        The program `globus` is not installed.
    Interrupted
        Globus refused or did not answer; the same command goes on.
    """
    demand_program()
    id, folder = _split_target(target)
    name = source_name(listing.source)
    inside = f"{folder}/{name}".strip("/")
    collection_path = source.path(listing.source)
    volume = Volume(f"{KIND}:{id}", KIND, id, KIND, inside, Path("/"))
    before = next(
        (
            transfer
            for transfer in ledger.transfers()
            if (transfer.place, transfer.path) == (volume.id, inside)
        ),
        None,
    )
    if before is not None and before.open and before.task:
        return before
    sums = sums_of(listing, tell)
    rows = [FileRow(file.path, file.bytes, sums[file.path], file.mtime_ns, 0, "") for file in listing.files]
    lines = [_line(row, collection_path, f"/{inside}") for row in rows]
    entry = Copy(volume.id, inside, name, "", "copying", "copy", len(rows), listing.bytes, now(), None)
    is_same = before is not None and {r.path: r.sha256 for r in ledger.files_of(entry).values()} == sums
    if before is None:
        _demand_free(id, folder, name, target)
    submission = before.submission if before is not None and is_same and before.open else ""
    submission = submission or _output("task", "generate-submission-id").strip()
    transfer = Transfer(volume.id, inside, submission, "", "SUBMITTING", now(), "", "")
    ledger.see(volume)
    ledger.enter(entry)
    ledger.enter_files(entry, rows)
    ledger.enter_transfer(transfer)
    words = [
        "--submission-id",
        submission,
        "--label",
        _label(name),
        "--verify-checksum",
        "--preserve-timestamp",
    ]
    words += ["--checksum-algorithm", "SHA256", *(["--sync-level", "checksum"] if before is not None else [])]
    answer = _json("transfer", *words, "--batch", "-", source.id, id, batch="\n".join(lines) + "\n")
    transfer = replace(
        transfer, task=str(answer["task_id"]), state="ACTIVE", told=str(answer.get("message", ""))
    )
    ledger.enter_transfer(transfer)
    remarks = _items_not_sent(listing)
    ledger.enter(replace(entry, told="; ".join(remarks)))
    source_volume = volume_of(listing.source)
    ledger.see(source_volume)
    origin = replace(
        entry,
        place=source_volume.id,
        path=source_volume.inside,
        role="source",
        state="whole",
        content=content_of(rows),
    )
    ledger.enter(replace(origin, verified=now()))
    ledger.enter_files(origin, [replace(row, mtime_ns=row.source_mtime_ns, verified=now()) for row in rows])
    return transfer


def follow(ledger: CopyLedger) -> list[Transfer]:
    """Ask Globus what became of the transfers that were under way, and enter it.

    Parameters
    ----------
    ledger : CopyLedger
        Open.

    Returns
    -------
    list of Transfer
        Those that were asked about, as they are now.

    Raises
    ------
    EngineUnavailable
        There are some, and the program `globus` is not installed.
    Interrupted
        Globus did not answer.
    """
    waiting = [transfer for transfer in ledger.transfers() if transfer.open and transfer.task]
    if waiting:
        demand_program()
    return [_ask_transfer(transfer, ledger) for transfer in waiting]


def _ask_transfer(transfer: Transfer, ledger: CopyLedger) -> Transfer:
    task = _json("task", "show", transfer.task)
    state, entry = str(task["status"]), _entry_of(transfer, ledger)
    label = str(task.get("destination_endpoint_display_name") or transfer.place.partition(":")[2])
    ledger.see(Volume(transfer.place, KIND, label, KIND, transfer.path, Path("/")))
    moved = replace(
        transfer, state=state, told=_task_text(task), ended=str(task.get("completion_time") or "")
    )
    if state == "SUCCEEDED":
        contradictions = _contradictions(task, _successful_transfers(transfer.task), entry, ledger)
        rows = [replace(row, verified=moved.ended) for row in ledger.files_of(entry).values()]
        if contradictions:
            ledger.enter(replace(entry, state="damaged", told="; ".join(contradictions)[:2000]))
        else:
            ledger.enter(replace(entry, state="whole", content=content_of(rows), verified=moved.ended))
            ledger.enter_files(entry, rows)
    elif state == "FAILED":
        ledger.enter(replace(entry, told=moved.told))
    ledger.enter_transfer(moved)
    return moved


def _entry_of(transfer: Transfer, ledger: CopyLedger) -> Copy:
    return next(
        copy for copy in ledger.copies() if (copy.place, copy.path) == (transfer.place, transfer.path)
    )


def _contradictions(
    task: Mapping[str, Any], listed: Sequence[Mapping[str, Any]], entry: Copy, ledger: CopyLedger
) -> list[str]:
    """Tell what speaks against a transfer that Globus calls a success."""
    contradictions = []
    if not task.get("verify_checksum"):
        contradictions.append("Globus did not compare checksums of this transfer")
    if skipped := task.get("subtasks_skipped_errors"):
        contradictions.append(f"Globus skipped {skipped} files with errors")
    sums = {f"/{entry.path}/{row.path}".rstrip("/"): row.sha256 for row in ledger.files_of(entry).values()}
    for entry_of_task in listed:
        path, checksum = (
            str(entry_of_task.get("destination_path")),
            str(entry_of_task.get("checksum") or "").lower(),
        )
        if (
            entry_of_task.get("checksum_algorithm") == "SHA256"
            and path in sums
            and checksum
            and checksum != sums[path]
        ):
            contradictions.append(f"{path}: has the SHA-256 {checksum[:12]}… there, {sums[path][:12]}… here")
    return contradictions


def _successful_transfers(task: str) -> list[Mapping[str, Any]]:
    """List what a transfer wrote; what Globus forgot, after some weeks, is empty."""
    return list(_json("task", "show", task, "--successful-transfers").get("DATA", []))


def _task_text(task: Mapping[str, Any]) -> str:
    """Say how a task is doing."""
    error = task.get("fatal_error") or {}
    status = error.get("description") or task.get("nice_status_short_description") or task.get("nice_status")
    files = f"{task.get('files_transferred') or 0} of {task.get('files') or 0} files"
    faults = f", {task['faults']} faults" if task.get("faults") else ""
    return f"{files}{faults}{f': {status}' if status and status != 'OK' else ''}"


def _split_target(target: str) -> tuple[str, str]:
    """Take a target apart: the collection, and the folder in it."""
    id, slash, folder = target.removeprefix(SCHEME).replace(":", "", 1).partition("/")
    if not slash:
        raise InputError(
            f"{target}: names no folder; globus:ID/FOLDER was expected, ID being that of a collection"
        )
    return _id(id, target), folder.strip("/")


def _id(text: str, where: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InputError(
            f"{where}: {text!r} is no id of a collection of Globus; 32 hexadecimal digits were expected, as "
            f"`globus endpoint search` lists them"
        ) from None


def _demand_free(id: str, folder: str, name: str, target: str) -> None:
    """Refuse where something of this name is there that we did not bring: Globus would replace its files."""
    process = _run(
        "ls", "--all", "--format", "json", "--map-http-status", f"404={_ABSENT}", f"{id}:/{folder}"
    )
    if process.returncode == _ABSENT:
        return
    if name in {str(entry.get("name")) for entry in _parsed(process).get("DATA", [])}:
        raise InputError(
            f"{target}: holds {name} already, which is no copy that the ledger knows, and Globus would replace its "
            f"files; name another folder"
        )


def _line(row: FileRow, source: str, target: str) -> str:
    """Write a line of a batch: a file, its checksum, and where it goes."""
    ends = [f"{end}/{row.path}".rstrip("/") for end in (source, target)]
    if any(letter in end for end in ends for letter in "\r\n") or any(not end.isprintable() for end in ends):
        raise InputError(
            f"{ends[0]!r}: has a name that cannot be given to Globus; rename it, or copy to a disk"
        )
    return shlex.join(["--external-checksum", row.sha256, *ends])


def _label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9 ,_-]", "_", f"tomarium {name}")[:128]


def _items_not_sent(listing: Listing) -> list[str]:
    """Say what of a scan Globus does not take."""
    full = {Path(file.path).parent.as_posix() for file in listing.files}
    empty = [
        path
        for path, _ in listing.folders
        if path and not any(text == path or text.startswith(f"{path}/") for text in full)
    ]
    remarks = list(listing.remarks)
    if listing.links:
        remarks.append(f"{len(listing.links)} symbolic links were left out")
    if empty:
        remarks.append(f"{len(empty)} empty folders were left out")
    return remarks


def _run(*words: str, batch: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["globus", *words], input=batch, capture_output=True, text=True, check=False, timeout=ANSWERS_S
        )
    except subprocess.TimeoutExpired as problem:
        raise Interrupted(
            f"globus {words[0]} did not answer in {ANSWERS_S:g} s; give the same command again"
        ) from problem


def _output(*words: str, batch: str = "") -> str:
    process = _run(*words, batch=batch)
    if process.returncode:
        raise Interrupted(_failed(process))
    return process.stdout


def _json(*words: str, batch: str = "") -> dict[str, Any]:
    return _parsed(_run(*words, "--format", "json", batch=batch))


def _parsed(process: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    if process.returncode:
        raise Interrupted(_failed(process))
    try:
        content = json.loads(process.stdout)
    except ValueError as problem:
        raise Interrupted(f"globus answered {process.stdout[:200]!r}, and JSON was expected") from problem
    assert isinstance(content, dict)
    return content


def _failed(process: subprocess.CompletedProcess[str]) -> str:
    message = " ".join((process.stderr.strip() or process.stdout.strip() or "it said nothing").split())
    return f"globus stopped with code {process.returncode}: {message[:400]}; mend that, and give the same command again"


def event_of(transfer: Transfer, label: str) -> tuple[str, str] | None:
    """Tell the end of a transfer as the log book has it: its key and text; None while it is under way."""
    if transfer.open:
        return None
    name, succeeded = Path(transfer.path).name, transfer.state == "SUCCEEDED"
    how = (
        f"copied to {label} and verified by Globus"
        if succeeded
        else f"warning: not copied to {label}, Globus says FAILED"
    )
    return f"globus {transfer.task} {transfer.state}", f"{name}: {how}; task {transfer.task}, {transfer.told}"
