"""Scans copied to a remote of rclone, or of rsync over ssh: their program copies, checksums are compared by us."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tomarium.beamtime.copy_ledger import Copy, CopyLedger, FileRow, content_of, now
from tomarium.beamtime.copy_listing import Listing, sums_of
from tomarium.beamtime.copy_scans import ScanCopied, Told, source_name
from tomarium.beamtime.mounted_volumes import Volume, volume_of
from tomarium.errors import EngineUnavailable, InputError, Interrupted

_OTHER: Final = "a file of other content has this name, or was damaged; it was left as it is"
_REMOTE: Final = re.compile(r"(?P<name>[\w.@+-][\w.@+ -]*):(?P<path>.*)")


def is_remote(text: str) -> bool:
    """Tell whether a destination is one of rclone or rsync, as `archive:2026/proposal`.

    Parameters
    ----------
    text : str
        What a user gave.

    Returns
    -------
    bool
        Whether a name and a colon come first; a path that is there never is.
    """
    return bool(_REMOTE.fullmatch(text)) and not Path(text).exists()


def copy_to_remote(
    listing: Listing, remote: str, ledger: CopyLedger, tell: Told = lambda done, total: None
) -> ScanCopied:
    """Copy a scan to a remote, compare the checksums of both ends, and enter it in the ledger.

    A name that rclone has among its remotes is rclone's; any other is a machine that rsync reaches, by ssh or as a
    server of its own. Files are
    read back from the remote in full: by rclone through this machine, by rsync on the other one. A file of other
    content on the remote is not replaced, and told.

    Parameters
    ----------
    listing : Listing
        The scan.
    remote : str
        "archive:2026/proposal", "me@cluster:/data", "rsync://server/module/folder".
    ledger : CopyLedger
        Open.
    tell : callable
        Told of bytes read for their checksums, and of all; then the program copies.

    Returns
    -------
    ScanCopied
        What came of it.

    Raises
    ------
    InputError
        It is no remote.
    EngineUnavailable
        Neither program that could reach it is installed.
    Interrupted
        The program stopped with an error, which is told; the same command goes on.
    """
    match = _REMOTE.fullmatch(remote)
    if match is None:
        raise InputError(f"{remote}: is no remote; NAME:PATH was expected")
    name, scan = source_name(listing.source), _remote_name(match)
    by_rclone = _has_remote(scan)
    if not by_rclone and shutil.which("rsync") is None:
        raise EngineUnavailable(
            f"{remote}: {scan} is no remote that rclone knows, and rsync is not installed; "
            f"set the remote up with `rclone config`, or install rsync"
        )
    volume = Volume(
        f"remote:{scan}", "remote", scan, "rclone" if by_rclone else "rsync", match["path"], Path("/")
    )
    folder = match["path"].removeprefix(f"//{scan}").strip(":/")
    inside = f"{folder}/{name}" if folder else name
    entry = Copy(volume.id, inside, name, "", "copying", "copy", 0, 0, now(), None)
    ledger.see(volume)
    ledger.enter(entry)
    target = f"{remote.rstrip('/')}/{name}" if match["path"] else f"{remote}{name}"
    sums = sums_of(listing, tell)
    differing = (_copy_by_rclone if by_rclone else _copy_by_rsync)(listing.source, target, sums)
    rows = [
        FileRow(file.path, file.bytes, sums[file.path], file.mtime_ns, file.mtime_ns, now())
        for file in listing.files
        if file.path not in differing
    ]
    problems = [f"{target}/{path}".rstrip("/") + f": {text}" for path, text in differing.items()]
    size = sum(row.bytes for row in rows)
    remarks = list(listing.remarks)
    if listing.links:
        remarks.append(
            f"{len(listing.links)} symbolic links were {'left out' if by_rclone else 'copied as links'}"
        )
    remarks_kept = "; ".join([*problems, *remarks])[:2000]
    entry = replace(entry, files=len(rows), bytes=size, told=remarks_kept)
    if not problems:
        entry = replace(entry, state="whole", content=content_of(rows), verified=now())
        source_volume = volume_of(listing.source)
        ledger.see(source_volume)
        source = replace(entry, place=source_volume.id, path=source_volume.inside, role="source", told="")
        ledger.enter(source)
        ledger.enter_files(source, rows)
    ledger.enter(entry)
    ledger.enter_files(entry, rows)
    return ScanCopied(name, entry.state, len(rows), size, size, tuple(problems), tuple(remarks))


def _remote_name(match: re.Match[str]) -> str:
    """Tell the remote of rclone, or the machine: of rsync://HOST/MODULE/PATH the host."""
    if match["name"] == "rsync" and match["path"].startswith("//"):
        return match["path"].removeprefix("//").partition("/")[0]
    return match["name"]


def _has_remote(name: str) -> bool:
    if shutil.which("rclone") is None:
        return False
    return f"{name}:" in _output(["rclone", "listremotes"]).splitlines()


def _copy_by_rclone(source: Path, target: str, sums: dict[str, str]) -> dict[str, str]:
    """Copy by rclone and read back by it; tell the files that are not there as they should be."""
    single = set(sums) == {""}
    verb = "copyto" if single else "copy"
    copied = _run(
        ["rclone", verb, "--immutable", "--checksum", "--create-empty-src-dirs", str(source), target]
    )
    parent = target.rpartition("/")[0] if "/" in target else target.partition(":")[0] + ":"
    listed = _run(["rclone", "hashsum", "SHA256", "--download", target])
    remote_sums = {path: sum for sum, path in _read_sums(listed.stdout)}
    if single:
        remote_sums = {"": remote_sums.get(Path(target.removeprefix(parent)).name, "")}
    differing = _differing_files(sums, remote_sums)
    if (copied.returncode or listed.returncode) and not differing:
        raise Interrupted(_failed("rclone", copied if copied.returncode else listed))
    if copied.returncode and not any(text == _OTHER for text in differing.values()):
        raise Interrupted(_failed("rclone", copied))
    return differing


def _copy_by_rsync(source: Path, target: str, sums: dict[str, str]) -> dict[str, str]:
    """Copy by rsync, then let both ends read all files; tell those that differ.

    Given the folder that is to hold the scan, rsync makes it where it is absent; not the ones above it.
    """
    single = set(sums) == {""}
    ends = [str(source), target[: -len(source_name(source))]]
    if source.is_symlink() or not source.name:
        ends = [f"{source}/", target]
    copied = _run(["rsync", "-aH", "--partial-dir=.rsync-part", "--ignore-existing", *ends])
    if copied.returncode:
        raise Interrupted(_failed("rsync", copied))
    checked = _run(["rsync", "-a", "--checksum", "--dry-run", "--out-format=%i %n", *ends])
    if checked.returncode:
        raise Interrupted(_failed("rsync", checked))
    differing = [line.split(" ", 1) for line in checked.stdout.splitlines() if line.startswith("<f")]
    name = f"{source_name(source)}/"
    return {
        "" if single else path.removeprefix(name): _OTHER
        for flags, path in differing
        if "c" in flags[:4] or "+" in flags
    }


def _differing_files(sums: dict[str, str], remote_sums: dict[str, str]) -> dict[str, str]:
    differing = {}
    for path, sum in sums.items():
        if not remote_sums.get(path):
            differing[path] = "is not there"
        elif remote_sums[path] != sum:
            differing[path] = _OTHER
    return differing


def _read_sums(text: str) -> list[tuple[str, str]]:
    return [(line[:64], line[66:]) for line in text.splitlines() if re.match(r"[0-9a-f]{64}  ", line)]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(command), capture_output=True, text=True, errors="surrogateescape", check=False
    )


def _output(command: Sequence[str]) -> str:
    process = _run(command)
    if process.returncode:
        raise Interrupted(_failed(command[0], process))
    return process.stdout


def _failed(program: str, process: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in process.stderr.splitlines() if line.strip()] or ["it said nothing"]
    message = lines[0 if program == "rsync" else -1]  # rsync says first what is wrong, rclone last
    problem = f"{program} stopped with code {process.returncode}: {message[:300]}"
    return f"{problem}; give the same command again when it answers"
