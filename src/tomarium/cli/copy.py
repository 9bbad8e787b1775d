"""`tomarium copy`: scans to a disk or an archive, read back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium import units
from tomarium.cli import interrupts, show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.beamtime.copy_globus import Collection
    from tomarium.beamtime.copy_ledger import CopyLedger
    from tomarium.beamtime.copy_listing import Listing
    from tomarium.beamtime.copy_scans import ScanCopied
    from tomarium.beamtime.log_file import MachineLog

LOOK_S = 5.0
"""Seconds from one look for new scans to the next."""


@click.command("copy")
@click.argument("places", metavar="SRC... DST", nargs=-1, required=True)
@click.option(
    "--also", multiple=True, metavar="DST", help="Another disk or remote for the same; may be repeated."
)
@click.option("--each", is_flag=True, help="Each entry of the folders SRC is a scan of its own.")
@click.option("--watch", is_flag=True, help="Go on as new scans finish in the folders SRC, until Ctrl-C.")
@click.option(
    "--still",
    default="30 s",
    show_default=True,
    metavar="TIME",
    help="With --watch: a scan is finished when its files did not change for this long.",
)
@click.option(
    "--beamtime", type=click.Path(path_type=Path), help="Folder of the beamtime, which holds the ledger."
)
@click.option(
    "--globus-source",
    metavar="ID[:/FOLDER]",
    help="To globus: the collection that holds SRC, and which folder of this machine is its top; that of the "
    "profile, or of Globus Connect Personal, by default.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be copied, and copy nothing.")
def command(
    places: Sequence[str],
    also: Sequence[str],
    each: bool,
    watch: bool,
    still: str,
    beamtime: Path | None,
    globus_source: str | None,
    dry_run: bool,
) -> int:
    """Copy the scans SRC into the folder DST of a disk, read every file back, and note it in the ledger.

    SRC is a file or a folder, a scan each; DST a folder that is there, NAME:PATH of rclone or of rsync by ssh, or
    globus:ID/PATH of a collection of Globus, to which the scans are given and which `tomarium disks status` follows.
    Where it is stopped, by Ctrl-C, kill or an unplugged disk, the same command goes on, also within a file.

    \b
    never      deletes anything, changes SRC, or replaces a file of other content: that is named, exit code 1
    checks     SHA-256 while it reads; flushes; reads the copy back after the system was asked to forget it. Whether the
               memory of the disk itself answered, no program can tell: unplug, plug in, `tomarium disks verify`
    refuses    before it begins, what the disk cannot hold, and files above 4 GiB on FAT32 (exit code 4)
    warns      before it begins, of names that the disk does not take, which are left out, of exFAT and FAT32; then of a
               disk as slow as USB 2, and by how many hours it falls behind what arrives
    keeps      times of files; hard and symbolic links, or says that the disk has none
    leaves     DST/tomarium-sha256/SCAN.sha256 for `sha256sum -c` in DST, the ledger: `tomarium disks`, and in a
               beamtime a line in its log book: `tomarium log`

    \b
    tomarium copy spool/tooth_01 spool/tooth_02 /media/anna/disk1
    tomarium copy --each /data/2026/20260001 /media/anna/disk1 --also /media/ben/disk2
    tomarium copy --watch /data/2026/20260001 /media/anna/disk1
    tomarium copy tooth_01 archive:2026/20260001
    tomarium copy tooth_01 globus:6c54cade-bde5-45c1-bdea-f4bd71dba2cc/2026/20260001
    """
    from tomarium.beamtime.beamtime_folder import find_beamtime, ledger_file
    from tomarium.beamtime.copy_globus import is_globus, source_collection
    from tomarium.beamtime.copy_ledger import open_ledger
    from tomarium.beamtime.copy_remote import is_remote
    from tomarium.beamtime.log_file import MachineLog
    from tomarium.beamtime.profile_in_use import profile_in_use

    if len(places) < 2:
        raise InputError(
            f"{places[0]}: is the only path; scans and then the disk were expected: tomarium copy SCAN DISK"
        )
    *sources, first = places
    targets = [first, *also]
    if watch and any(is_globus(target) or is_remote(target) for target in targets):
        raise InputError("--watch copies to folders of disks only; leave it out for a remote")
    folders = [Path(source) for source in sources]
    seconds = units.parse(still, "s")
    place = find_beamtime(beamtime)
    log = None if place is None else MachineLog(place, "tomarium copy")
    collection = None
    if any(is_globus(target) for target in targets):
        profile = profile_in_use(beamtime=beamtime).profile
        collection = source_collection(globus_source, {} if profile is None else profile.globus)
    with open_ledger(ledger_file(beamtime)) as ledger:
        if watch:
            return _watch(folders, [Path(target) for target in targets], ledger, seconds, log)
        code = 0
        for target in targets:
            if is_globus(target):
                assert collection is not None
                _submit_to_globus(folders, target, collection, ledger, each_scan=each, dry_run=dry_run)
            elif is_remote(target):
                code = max(
                    code, _copy_to_remote(folders, target, ledger, log, each_scan=each, dry_run=dry_run)
                )
            else:
                code = max(
                    code, _copy_to_disk(folders, Path(target), ledger, log, each_scan=each, dry_run=dry_run)
                )
    return code


def _scans(folders: Sequence[Path], target: Path, *, each_scan: bool) -> list[Listing]:
    from tomarium.beamtime.copy_scans import list_all
    from tomarium.beamtime.copy_watch import listings_in

    return list_all([listing.source for listing in listings_in(folders)] if each_scan else folders, target)


def _copy_to_disk(
    folders: Sequence[Path],
    target: Path,
    ledger: CopyLedger,
    log: MachineLog | None,
    *,
    each_scan: bool,
    dry_run: bool,
) -> int:
    """Copy scans to a folder of a disk."""
    from tomarium.beamtime.copy_scans import open_disk

    with open_disk(target, mark=False):
        pass  # a folder that is not there, or that another copy uses, is told before the scans are listed
    listings = _scans(folders, target, each_scan=each_scan)
    return _copy_listed(listings, target, ledger, log, dry_run=dry_run, waiting=lambda: 0)


def _copy_listed(
    listings: Sequence[Listing],
    target: Path,
    ledger: CopyLedger,
    log: MachineLog | None,
    *,
    dry_run: bool,
    waiting: Callable[[], int],
) -> int:
    """Copy what is listed, and tell of each scan; `waiting` tells the bytes that are there beside them."""
    from tomarium.beamtime.copy_names import names_refused
    from tomarium.beamtime.copy_scans import copy_scans, demand_room, open_disk
    from tomarium.beamtime.copy_speed import Speed, falls_behind, filesystem_warning, speed_warning
    from tomarium.beamtime.copy_watch import arriving_bytes_s
    from tomarium.beamtime.log_events import of_copy

    warned_names: set[str] = set()
    listed, volume = {listing.source.name: listing for listing in listings}, ""
    arriving = arriving_bytes_s(listings, time.time())

    def after(scan: ScanCopied, speed: Speed, bytes_left: int) -> None:
        _tell_scan(scan, target)
        if log is not None:
            log.note_all(
                [of_copy(scan, listed[scan.scan], str(target), volume)], lambda text: show.warnings([text])
            )
        bytes_left += waiting()
        for name, warning in (
            ("speed", speed_warning(speed, bytes_left)),
            ("behind", falls_behind(speed, bytes_left, arriving)),
        ):
            if warning and name not in warned_names:
                warned_names.add(name)
                show.warnings([warning])

    with open_disk(target, mark=not dry_run) as disk:
        volume = disk.volume.id
        left = demand_room(listings, disk)
        size = units.show_bytes(sum(listing.bytes for listing in listings))
        click.echo(
            f"{target}: {show.counted(len(listings), 'scan')}, {size}, of which "
            f"{units.show(float(left), 'B', digits=3)} are to be "
            f"written to {disk.volume.label} ({disk.volume.id})"
        )
        warned = [
            text
            for text in (filesystem_warning(disk.volume.filesystem), _same_disk(listings, target))
            if text
        ]
        warned += names_refused(listings, target)
        show.warnings(warned)
        if dry_run:
            return 1 if warned else 0
        report_progress = show.progress()
        copied, speed = copy_scans(
            listings,
            disk,
            ledger,
            tell=lambda bytes_done, all: report_progress("MB", bytes_done // 10**6, all // 10**6),
            after=after,
        )
    whole = sum(scan_copied.state == "whole" for scan_copied in copied)
    message = f"{target}: {whole} of {len(copied)} scans are whole; {units.show_bytes(speed.written)} written"
    if speed.bytes_s and speed.write_bytes_s:
        message += f" at {units.show_bytes(speed.write_bytes_s)}/s"
        message += f", with reading back at {units.show_bytes(speed.bytes_s)}/s"
    click.echo(message)
    return 1 if warned or warned_names or any(scan_copied.problems for scan_copied in copied) else 0


def _same_disk(listings: Sequence[Listing], target: Path) -> str | None:
    """Tell of scans that lie on the disk to which they are copied."""
    device = target.stat().st_dev
    same = [listing.source.name for listing in listings if listing.source.stat().st_dev == device]
    if not same:
        return None
    more_scans = f" and {len(same) - 1} more" if len(same) > 1 else ""
    return f"{same[0]}{more_scans}: on the same disk as {target}; when it fails, both copies are lost"


def _tell_scan(scan: ScanCopied, target: Path) -> None:
    size = units.show_bytes(scan.bytes)
    state = "whole, read back" if scan.state == "whole" else "not whole"
    click.echo(f"  {scan.scan}: {state}; {show.counted(scan.files, 'file')}, {size}")
    for remark in scan.remarks:
        click.echo(f"    {remark}")
    show.warnings(scan.problems)


def _copy_to_remote(
    folders: Sequence[Path],
    target: str,
    ledger: CopyLedger,
    log: MachineLog | None,
    *,
    each_scan: bool,
    dry_run: bool,
) -> int:
    """Copy scans to a remote."""
    from tomarium.beamtime.copy_remote import copy_to_remote
    from tomarium.beamtime.log_events import of_copy

    code = 0
    for listing in _scans(folders, Path("/nowhere"), each_scan=each_scan):
        interrupts.check()
        if dry_run:
            click.echo(f"{target}: {listing.source.name}, {units.show(float(listing.bytes), 'B', digits=3)}")
            continue
        copied = copy_to_remote(listing, target, ledger, show.megabytes(f"{listing.source.name} (MB read)"))
        _tell_scan(copied, Path(target))
        if log is not None:
            log.note_all([of_copy(copied, listing, target, target)], lambda text: show.warnings([text]))
        code = max(code, 1 if copied.problems else 0)
    return code


def _submit_to_globus(
    folders: Sequence[Path],
    target: str,
    collection: Collection,
    ledger: CopyLedger,
    *,
    each_scan: bool,
    dry_run: bool,
) -> None:
    """Give scans to Globus; what becomes of them is asked for later."""
    from tomarium.beamtime.copy_globus import submit

    for listing in _scans(folders, Path("/nowhere"), each_scan=each_scan):
        interrupts.check()
        name = listing.source.name
        if dry_run:
            path_there = collection.path(listing.source)
            click.echo(
                f"{target}: {name}, {units.show_bytes(listing.bytes)}, from {path_there} "
                f"of the collection {collection.id}"
            )
            continue
        transfer = submit(listing, target, collection, ledger, show.megabytes(f"{name} (MB read)"))
        click.echo(f"  {name}: given to Globus, task {transfer.task}: {transfer.told or transfer.state}")
    if not dry_run:
        click.echo("`tomarium disks status` tells when Globus has copied and verified them")


def _watch(
    folders: Sequence[Path],
    targets: Sequence[Path],
    ledger: CopyLedger,
    still_s: float,
    log: MachineLog | None,
) -> int:
    """Copy scans as they finish, until the user stops it."""
    from tomarium.beamtime.copy_scans import open_disk
    from tomarium.beamtime.copy_watch import Arrivals

    for target in targets:
        with open_disk(target):
            pass
    arrivals = Arrivals(folders, still_s)
    last_message = ""
    while True:
        interrupts.check()
        ready, growing = arrivals.look(time.monotonic())
        message = f"{show.counted(len(ready), 'scan')} to copy, {len(growing)} still written or just finished"
        if message != last_message:
            click.echo(message)
            last_message = message
        for number, listing in enumerate(ready):
            bytes_left = sum(listing.bytes for listing in (*ready[number + 1 :], *growing))
            for target in targets:
                _copy_listed(
                    *([listing], target, ledger, log),
                    dry_run=False,
                    waiting=lambda left=bytes_left: left,  # type: ignore[misc]
                )
            arrivals.taken(listing)
        if not ready:
            time.sleep(min(LOOK_S, max(still_s / 2, 0.1)))
