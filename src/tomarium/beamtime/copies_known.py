"""What the ledger knows, put together: scans with few copies first; and a copy read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tomarium.beamtime.copy_file import sum_of
from tomarium.beamtime.copy_ledger import Copy, CopyLedger, Place, Transfer, now
from tomarium.beamtime.mounted_volumes import SYSTEM, System, device_of, find_volume


@dataclass(frozen=True)
class CopyState:
    """A copy, and what can be seen of it now.

    Attributes
    ----------
    copy : Copy
        As the ledger has it.
    place : Place
        Where it is.
    path : str or None
        Where it is on this machine now; None where its volume is not there.
    state : str
        "whole", "copying", "damaged" or "missing".
    transfer : Transfer or None
        Of Globus, where it brings or brought the copy.
    """

    copy: Copy
    place: Place
    path: str | None
    state: str
    transfer: Transfer | None = None


@dataclass(frozen=True)
class ScanState:
    """A scan, and its copies.

    Attributes
    ----------
    scan : str
        Its name.
    content : str
        Checksum of its content; "" where no copy is whole yet.
    bytes : int
        Size of the largest copy.
    places : int
        Volumes that hold a whole copy; two copies on one volume are lost with it and count once. Of those that are not
        there now each counts.
    copies : tuple of CopyState
        Those that are whole first.
    """

    scan: str
    content: str
    bytes: int
    places: int
    copies: tuple[CopyState, ...]


@dataclass(frozen=True)
class PlaceState:
    """A volume, and what it holds.

    Attributes
    ----------
    place : Place
        As the ledger has it.
    top : str or None
        Where it is on this machine now; None where it is not plugged in.
    scans : int
        Whole copies on it.
    bytes : int
        Of all its copies.
    last_verified : str or None
        The oldest time at which one of its whole copies was last read; None where there is none.
    """

    place: Place
    top: str | None
    scans: int
    bytes: int
    last_verified: str | None


def scans_known(ledger: CopyLedger, system: System = SYSTEM) -> list[ScanState]:
    """List the scans, those with the fewest copies first.

    Parameters
    ----------
    ledger : CopyLedger
        Open.
    system : System
        Where the system tells of its volumes.

    Returns
    -------
    list of ScanState
        Copies of one content are one scan; one that is not whole yet belongs to the whole ones of its name where
        these are of one content.
    """
    places = {place.id: place for place in ledger.places()}
    tops = {id: find_volume(id, place.top, system) for id, place in places.items()}
    # A folder with a marker may lie on the disk of the source, and is lost with it.
    devices = {id: id if top is None else device_of(top, system) for id, top in tops.items()}
    brought = {(transfer.place, transfer.path): transfer for transfer in ledger.transfers()}
    copy_states = [
        _state_of_copy(copy, places[copy.place], tops[copy.place], brought.get((copy.place, copy.path)))
        for copy in ledger.copies()
    ]
    contents: dict[str, set[str]] = {}
    for copy_state in copy_states:
        if copy_state.copy.content:
            contents.setdefault(copy_state.copy.scan, set()).add(copy_state.copy.content)
    groups: dict[tuple[str, str], list[CopyState]] = {}
    for copy_state in copy_states:
        of_name = contents.get(copy_state.copy.scan, set())
        content = copy_state.copy.content or (next(iter(of_name)) if len(of_name) == 1 else "")
        groups.setdefault((content, copy_state.copy.scan if not content else ""), []).append(copy_state)
    states = []
    for (content, _), copies in groups.items():
        copies.sort(
            key=lambda state: (state.state != "whole", state.copy.role != "source", state.place.label)
        )
        count = len({devices[copy.place.id] for copy in copies if copy.state == "whole"})
        largest = max(copy.copy.bytes for copy in copies)
        states.append(ScanState(copies[0].copy.scan, content, largest, count, tuple(copies)))
    return sorted(states, key=lambda scan_state: (scan_state.places, scan_state.scan))


def places_known(ledger: CopyLedger, system: System = SYSTEM) -> list[PlaceState]:
    """List the volumes, and what each holds.

    Parameters
    ----------
    ledger : CopyLedger
        Open.
    system : System
        Where the system tells of its volumes.

    Returns
    -------
    list of PlaceState
        By label.
    """
    copies = ledger.copies()
    states = []
    for place in ledger.places():
        copies_here = [copy for copy in copies if copy.place == place.id]
        whole = [copy for copy in copies_here if copy.state == "whole"]
        top = find_volume(place.id, place.top, system)
        oldest = min((copy.verified for copy in whole if copy.verified), default=None)
        size = sum(copy.bytes for copy in copies_here)
        states.append(PlaceState(place, None if top is None else str(top), len(whole), size, oldest))
    return states


def verify_copy(
    ledger: CopyLedger, copy: Copy, top: Path, tell: Callable[[int, int], None] = lambda done, total: None
) -> list[str]:
    """Read all files of a copy from their disk, compare them with the ledger, and enter what was found.

    Parameters
    ----------
    ledger : CopyLedger
        Open.
    copy : Copy
        One of its copies.
    top : Path
        Where its volume is now.
    tell : callable
        Told of bytes read and of all.

    Returns
    -------
    list of str
        What is wrong, a file each; empty where all is as it was.

    Raises
    ------
    OSError
        The volume does not answer any more.
    """
    rows = ledger.files_of(copy)
    total, bytes_read = sum(row.bytes for row in rows.values()), 0
    problems_by_path: dict[str, str] = {}
    missing = 0
    for row in rows.values():
        path = top / copy.path / row.path if row.path else top / copy.path
        if not path.is_file():
            top.stat()  # a volume that was unplugged is no volume without files
            problems_by_path[row.path], missing = f"{path}: is missing", missing + 1
        elif (size := path.stat().st_size) != row.bytes:
            problems_by_path[row.path] = f"{path}: has {size} bytes, not {row.bytes}"
        elif sum_of(path) != row.sha256:
            problems_by_path[row.path] = f"{path}: has other content than what was copied"
        bytes_read += row.bytes
        tell(bytes_read, total)
    problems = "; ".join(list(problems_by_path.values())[:5])
    if not problems_by_path:
        state = copy.state if copy.state == "copying" else "whole"
        ledger.enter(
            replace(copy, state=state, verified=now(), told=copy.told if state == copy.state else "")
        )
    else:
        ledger.enter(replace(copy, state="missing" if missing == len(rows) else "damaged", told=problems))
    return list(problems_by_path.values())


def _state_of_copy(copy: Copy, place: Place, top: Path | None, transfer: Transfer | None) -> CopyState:
    """Look for a copy where its volume is plugged in."""
    if top is None:
        return CopyState(copy, place, None, copy.state, transfer)
    path = top / copy.path
    return CopyState(copy, place, str(path), copy.state if path.exists() else "missing")
