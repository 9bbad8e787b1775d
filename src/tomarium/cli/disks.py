"""`tomarium disks`: which scan is where, and when it was last found whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium import units
from tomarium.cli import show
from tomarium.errors import EngineUnavailable, InputError, Interrupted

if TYPE_CHECKING:
    from tomarium.beamtime.copies_known import CopyState
    from tomarium.beamtime.copy_ledger import CopyLedger

BEAMTIME = click.option(
    "--beamtime", type=click.Path(path_type=Path), help="Folder of the beamtime, which holds the ledger."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print it for machines.")


@contextmanager
def _open_ledger(beamtime: Path | None) -> Iterator[CopyLedger]:
    from tomarium.beamtime.beamtime_folder import ledger_file
    from tomarium.beamtime.copy_ledger import open_ledger

    with open_ledger(ledger_file(beamtime), make=False) as ledger:
        yield ledger


@click.group("disks")
def command() -> None:
    """Say which scan is on which disk, and when each copy was last read and found whole.

    `tomarium copy` writes this ledger: copies.sqlite in the folder of the beamtime (the nearest one upwards that holds
    beamtime.toml), else the user's own. A disk is known by the UUID of its volume, wherever it is plugged in.

    \b
    tomarium disks status
    tomarium disks list
    tomarium disks verify disk1
    """


@command.command("status")
@click.option("--few", is_flag=True, help="Only scans with fewer than two copies.")
@BEAMTIME
@JSON
def status(few: bool, beamtime: Path | None, as_json: bool) -> int:
    """List the scans, those with on one volume only first, and where each copy is.

    Copies on one volume count once. A copy on a disk that is not plugged in counts as it was last seen. Of scans that
    were given to Globus it is asked how far they are, by the program `globus`. Leaves with exit code 1 where a scan has
    fewer than two whole copies.

    \b
    tomarium disks status
    tomarium disks status --few --json
    """
    from tomarium.beamtime.copies_known import scans_known

    with _open_ledger(beamtime) as ledger:
        _note_transfers(ledger, beamtime)
        scan_states = [scan_state for scan_state in scans_known(ledger) if not few or scan_state.places < 2]
    if as_json:
        show.as_json([asdict(scan_state) for scan_state in scan_states])
    else:
        for scan_state in scan_states:
            size = units.show_bytes(scan_state.bytes)
            count = {0: "no whole copy", 1: "on one volume only"}.get(
                scan_state.places, f"on {scan_state.places} volumes"
            )
            click.secho(
                f"{scan_state.scan}  {size}  {count}",
                fg="yellow" if scan_state.places < 2 else None,
                bold=True,
            )
            show.table(_table_row(state) for state in scan_state.copies)
    return 1 if any(scan_state.places < 2 for scan_state in scan_states) else 0


def _note_transfers(ledger: CopyLedger, beamtime: Path | None) -> None:
    """Ask Globus how far its transfers are; what it cannot tell now is said, and the ledger stands."""
    from tomarium.beamtime.beamtime_folder import find_beamtime
    from tomarium.beamtime.copy_globus import event_of, follow
    from tomarium.beamtime.log_file import MachineLog

    try:
        transfers = follow(ledger)
    except (EngineUnavailable, Interrupted) as problem:
        show.warnings([f"how far Globus is could not be asked: {problem}"])
        return
    place = find_beamtime(beamtime)
    if place is not None:
        labels = {place.id: place.label for place in ledger.places()}
        end_events = [
            event for transfer in transfers if (event := event_of(transfer, labels[transfer.place]))
        ]
        MachineLog(place, "tomarium disks").note_all(end_events, lambda text: show.warnings([text]))


def _table_row(state: CopyState) -> tuple[str, ...]:
    copy = state.copy
    if state.place.kind == "globus":
        read_text = (
            f"verified by Globus {copy.verified}, not read by tomarium"
            if copy.verified
            else "not verified yet"
        )
        task = f"; Globus: {state.transfer.state}, {state.transfer.told}" if state.transfer else ""
        return (state.place.label, state.state, read_text, copy.role, f"/{copy.path}{task}")
    where = state.path or f"{'a remote' if state.place.kind == 'remote' else 'not plugged in'}; {copy.path}"
    read_text = f"read {copy.verified}" if copy.verified else "never read back"
    return (state.place.label, state.state, read_text, copy.role, where)


@command.command("list")
@BEAMTIME
@JSON
def list_all(beamtime: Path | None, as_json: bool) -> None:
    """List the disks, archives and servers that hold copies, also those that are not plugged in.

    \b
    tomarium disks list
    """
    from tomarium.beamtime.copies_known import places_known

    with _open_ledger(beamtime) as ledger:
        place_states = places_known(ledger)
    if as_json:
        show.as_json([asdict(place_state) for place_state in place_states])
        return
    for place_state in place_states:
        place = place_state.place
        click.secho(f"{place.label}  {place.id}", bold=True)
        free = (
            "" if place.free_bytes is None else f", {units.show(float(place.free_bytes), 'B', digits=3)} free"
        )
        rate = (
            ""
            if place.bytes_s is None
            else f", last copy {units.show(float(f'{place.bytes_s:.3g}'), 'B', digits=3)}/s"
        )
        where = place_state.top or (
            {"remote": "a remote", "globus": "a collection of Globus"}.get(place.kind)
            or f"not plugged in, seen {place.last_seen}"
        )
        size = units.show_bytes(place_state.bytes)
        click.echo(f"  {where}; {show.counted(place_state.scans, 'whole scan')}, {size}{free}{rate}")
        click.echo(f"  oldest reading: {place_state.last_verified or 'none'}")


@command.command("verify")
@click.argument("disk", metavar="DISK")
@click.argument("scans", metavar="[SCAN]...", nargs=-1)
@BEAMTIME
def verify(disk: str, scans: tuple[str, ...], beamtime: Path | None) -> int:
    """Read the copies on DISK again and compare them with the ledger; all of them, or those of SCAN.

    DISK is a label, an id or its beginning, or where it is mounted. Unplug it and plug it in before, so that nothing
    comes from memory. Leaves with exit code 1 where a file is missing or has other content.

    \b
    tomarium disks verify disk1
    tomarium disks verify 1234-ABCD tooth_01
    """
    from tomarium.beamtime.copies_known import verify_copy
    from tomarium.beamtime.mounted_volumes import find_volume

    with _open_ledger(beamtime) as ledger:
        place = ledger.place(disk)
        top = find_volume(place.id, place.top)
        if place.kind == "globus":
            raise InputError(
                f"{place.label} ({place.id}): is a collection of Globus, which compared checksums when it copied; "
                f"tomarium cannot read it. Give the copy again: Globus then compares all files, and sends what differs"
            )
        if top is None:
            raise InputError(
                f"{place.label} ({place.id}): is not plugged in, or a remote; plug it in (copy to a remote again: that "
                f"reads it back)"
            )
        copies = [
            copy for copy in ledger.copies() if copy.place == place.id and (not scans or copy.scan in scans)
        ]
        if lacking := set(scans) - {copy.scan for copy in copies}:
            raise InputError(
                f"{place.label}: holds no copy of {min(lacking)}; tomarium disks status says where it is"
            )
        code = 0
        for copy in copies:
            problems = verify_copy(ledger, copy, top, show.megabytes(copy.scan))
            click.echo(
                f"{copy.scan}: {copy.files} files, {'as they were' if not problems else f'{len(problems)} are wrong'}"
            )
            show.warnings(problems)
            code = max(code, 1 if problems else 0)
    return code


@command.command("forget")
@click.argument("disk", metavar="DISK")
@BEAMTIME
def forget(disk: str, beamtime: Path | None) -> None:
    """Remove DISK from the ledger, as when it was given away; nothing is removed from the disk.

    \b
    tomarium disks forget disk1
    """
    with _open_ledger(beamtime) as ledger:
        place = ledger.place(disk)
        ledger.forget(place.id)
    click.echo(f"{place.label} ({place.id}): is no longer in the ledger; its files are as they were")
