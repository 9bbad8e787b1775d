"""Scans copied to a disk, so that a stop at any moment, or a disk unplugged, loses nothing and leaves nothing half."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tomarium import units
from tomarium.atomic_files import alone, write_whole
from tomarium.beamtime.copy_file import Copied, copy_file, draft_of, flush_folder
from tomarium.beamtime.copy_ledger import Copy, CopyLedger, FileRow, content_of, now
from tomarium.beamtime.copy_listing import Listed, Listing, list_scan
from tomarium.beamtime.copy_names import is_unusual
from tomarium.beamtime.copy_speed import Speed
from tomarium.beamtime.mounted_volumes import SYSTEM, System, Volume, volume_of
from tomarium.errors import CannotFit, FormatError, InputError, Interrupted, StorageFull

CHECKSUMS: Final = "tomarium-sha256"
"""Folder on the disk with a list of checksums for each scan, for `sha256sum -c`."""

_GONE: Final = (
    errno.EIO,
    errno.ENODEV,
    errno.ENXIO,
    errno.EROFS,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
)
_OF_NAMES: Final = (errno.EINVAL, errno.ENOENT, errno.EPERM, errno.EILSEQ, errno.ENAMETOOLONG)
_BATCH_S: Final = 2.0

Told = Callable[[int, int], None]
"""Told of bytes done and of all."""


@dataclass(frozen=True)
class ScanCopied:
    """What came of a scan.

    Attributes
    ----------
    scan : str
        Its name.
    state : str
        "whole", or "copying" where something of it could not be copied.
    files, bytes, written : int
        Files and bytes of it on the disk, and bytes written now.
    problems : tuple of str
        What could not be copied, and why: names that another file has, files that changed meanwhile.
    remarks : tuple of str
        What was left out or is not as it was.
    """

    scan: str
    state: str
    files: int
    bytes: int
    written: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass
class _DiskCopy:
    """What the copy of scans to one disk goes by."""

    target: Path
    device: int
    volume: Volume
    ledger: CopyLedger
    tell: Told
    total: int = 0
    done: int = 0
    speed: Speed = field(default_factory=Speed)

    def advance(self, count: int) -> None:
        self.done += count
        self.tell(max(0, min(self.done, self.total)), self.total)


@dataclass(frozen=True)
class Disk:
    """A disk that is ready to take scans.

    Attributes
    ----------
    target : Path
        Folder on it.
    volume : Volume
        Which one it is.
    """

    target: Path
    volume: Volume


@contextmanager
def taking(target: Path, system: System = SYSTEM, *, mark: bool = True) -> Iterator[Disk]:
    """Make a folder on a disk ready, and keep other copies off it.

    Parameters
    ----------
    target : Path
        The folder, which must be there: what is not mounted is not made on another disk.
    system : System
        Where the system tells of its volumes.
    mark : bool
        Whether a volume without a UUID gets a marker, a small file by which it is known again.

    Yields
    ------
    Disk
        Ready.

    Raises
    ------
    InputError
        It is no folder, or another copy to it is under way.
    """
    if not target.is_dir():
        raise InputError(f"{target}: is no folder; plug in the disk, or make the folder on it first")
    with alone(target, f"{target}: another copy to this folder is under way; wait for it"):
        yield Disk(target, volume_of(target, system, mark=mark))


def list_all(sources: Sequence[Path], target: Path) -> list[Listing]:
    """List scans, and refuse those that cannot lie beside each other in a folder.

    Parameters
    ----------
    sources : sequence of Path
        Files or folders, a scan each.
    target : Path
        Folder on the disk.

    Returns
    -------
    list of Listing
        One a scan.

    Raises
    ------
    InputError
        Two have one name, or the disk's folder lies in a scan, or a scan in it.
    """
    names: dict[str, Path] = {}
    real = Path(os.path.realpath(target))
    for source in sources:
        if not source.exists():
            raise InputError(f"{source}: is not there; a scan, a file or a folder, was expected")
        place = Path(os.path.realpath(source))
        if (other := names.setdefault(source_name(source), place)) != place:
            raise InputError(f"{source} and {other}: have one name; copy them to two folders")
        if real == place or place in real.parents or real / source_name(source) == place:
            raise InputError(f"{target}: the copy would lie in {source} itself; name another folder")
    by_name = dict(zip(map(source_name, sources), sources, strict=True))
    return [list_scan(source) for source in by_name.values()]


def source_name(source: Path) -> str:
    """Tell the name of a scan: the last part of its path."""
    return source.name or source.resolve().name


def demand_room(listings: Sequence[Listing], disk: Disk) -> int:
    """Refuse scans that the disk cannot hold, before anything is written.

    Parameters
    ----------
    listings : sequence of Listing
        The scans.
    disk : Disk
        Where to.

    Returns
    -------
    int
        Bytes that are still to be written.

    Raises
    ------
    CannotFit
        The disk is too small, or its file system holds no file as large.
    """
    limit = disk.volume.largest_file
    status = os.statvfs(disk.target)
    block, free = status.f_frsize or 512, status.f_bavail * (status.f_frsize or 512)
    needed = bytes_to_write = 0
    for listing in listings:
        for file in listing.files:
            if limit is not None and file.bytes > limit:
                raise CannotFit(
                    f"{listing.source / file.path}: has {units.show(float(file.bytes), 'B', digits=3)}, and a file on "
                    f"{disk.target} ({disk.volume.filesystem}) at most 4 GiB; format the disk as NTFS or ext4"
                )
            target = _target_path(disk.target, listing, file.path)
            if file.same_as is not None or os.path.lexists(target):
                continue
            bytes_there = _draft_bytes(draft_of(target))
            needed += max(0, -(-file.bytes // block) - -(-bytes_there // block)) * block
            bytes_to_write += max(0, file.bytes - bytes_there)
    if needed > free:
        raise CannotFit(
            f"{disk.target}: has {units.show(float(free), 'B', digits=4)} free, the copy needs "
            f"{units.show(float(needed), 'B', digits=4)}; name fewer scans, or another disk"
        )
    return bytes_to_write


def _draft_bytes(draft: Path) -> int:
    """Tell the bytes that an earlier try left of a file; none where the disk does not take its name."""
    try:
        return draft.stat().st_size
    except OSError:
        return 0


def copy_scans(
    listings: Sequence[Listing],
    disk: Disk,
    ledger: CopyLedger,
    *,
    system: System = SYSTEM,
    tell: Told = lambda done, total: None,
    after: Callable[[ScanCopied, Speed, int], None] = lambda scan, speed, bytes_left: None,
) -> tuple[list[ScanCopied], Speed]:
    """Copy scans to a disk, read each file back, and enter them in the ledger.

    Parameters
    ----------
    listings : sequence of Listing
        The scans, which are only read.
    disk : Disk
        Where to; it has room.
    ledger : CopyLedger
        Open.
    system : System
        Where the system tells of its volumes.
    tell : callable
        Told of bytes done and of all.
    after : callable
        Told of each scan that came to its end, of the speed so far, and of the bytes that are left.

    Returns
    -------
    list of ScanCopied, Speed
        What came of each, and how quick the disk was.

    Raises
    ------
    Interrupted
        The disk was unplugged or does not answer; the same command goes on.
    StorageFull
        It is full.
    """
    total = sum(listing.bytes for listing in listings)
    work = _DiskCopy(disk.target, disk.target.stat().st_dev, disk.volume, ledger, tell, total)
    _note_free_space(work)
    copied_scans = []
    for listing in listings:
        with _disk_errors(work):
            copied_scans.append(_copy_scan(listing, work, system))
        after(copied_scans[-1], work.speed, total - work.done)
    _note_free_space(work)
    return copied_scans, work.speed


def _note_free_space(work: _DiskCopy) -> None:
    status = os.statvfs(work.target)
    block = status.f_frsize or 512
    work.ledger.see(work.volume, status.f_blocks * block, status.f_bavail * block, work.speed.bytes_s)


def _target_path(target: Path, listing: Listing, path: str) -> Path:
    whole = target / source_name(listing.source)
    return whole / path if path else whole


def _copy_scan(listing: Listing, work: _DiskCopy, system: System) -> ScanCopied:
    """Copy a scan; what fails of it is told, and the rest goes on."""
    name = source_name(listing.source)
    inside = f"{work.volume.inside}/{name}".strip("/")
    entry = Copy(work.volume.id, inside, name, "", "copying", "copy", 0, 0, now(), None)
    sound = all(
        copy.state in ("whole", "copying")
        for copy in work.ledger.copies()
        if (copy.place, copy.path) == (entry.place, entry.path)
    )
    # what was found damaged is read before it is believed
    entered = work.ledger.files_of(entry) if sound else {}
    work.ledger.enter(entry)
    problems: list[str] = []
    remarks = list(listing.remarks)
    for path, _ in listing.folders:
        if problem := _make_folder(_target_path(work.target, listing, path), work):
            work.advance(listing.bytes)
            work.ledger.enter(replace(entry, told=problem))
            return ScanCopied(name, "copying", 0, 0, 0, (problem,), tuple(remarks))
    before, rows = work.speed.written, _copy_files(listing, entry, entered, work, problems, remarks)
    for path, linked in listing.links:
        _make_link(_target_path(work.target, listing, path), linked, problems, remarks)
    for path, changed in reversed(listing.folders):
        folder = _target_path(work.target, listing, path)
        os.utime(folder, ns=(changed, changed))
        flush_folder(folder)
    notes = "; ".join([*problems, *remarks])[:2000]
    whole = not problems
    size = sum(row.bytes for row in rows)
    entry = replace(entry, state="whole" if whole else "copying", files=len(rows), bytes=size, told=notes)
    if whole:
        entry = replace(
            entry, content=content_of(rows), verified=min((row.verified for row in rows), default=now())
        )
        _write_checksums(work.target, name, rows)
        _enter_source(listing, entry, rows, work.ledger, system)
    work.ledger.enter(entry)
    return ScanCopied(
        name, entry.state, len(rows), size, work.speed.written - before, tuple(problems), tuple(remarks)
    )


def _copy_files(
    listing: Listing,
    entry: Copy,
    entered: dict[str, FileRow],
    work: _DiskCopy,
    problems: list[str],
    remarks: list[str],
) -> list[FileRow]:
    rows: list[FileRow] = []
    fresh: list[FileRow] = []
    last = time.monotonic()
    single = []
    try:
        for file in listing.files:
            _demand_there(work)
            target = _target_path(work.target, listing, file.path)
            row = _row_if_unchanged(file, entered.get(file.path), target)
            if row is not None:
                work.advance(file.bytes if file.same_as is None else 0)
                rows.append(row)
                continue
            try:
                linked = file.same_as is not None and _link(
                    _target_path(work.target, listing, file.same_as), target
                )
                if file.same_as is not None and not linked:
                    single.append(file.path)
                source = listing.source / file.path if file.path else listing.source
                row = _copy_file(source, file, target, work)
            except (FileExistsError, InputError, FormatError) as problem:
                problems.append(_problem_text(problem, target))
                continue
            except OSError as problem:
                if _is_gone(problem, work):
                    raise
                problems.append(_problem_text(problem, target))
                continue
            rows.append(row)
            fresh.append(row)
            if time.monotonic() - last > _BATCH_S:
                work.ledger.enter_files(entry, fresh)
                fresh, last = [], time.monotonic()
    finally:
        work.ledger.enter_files(entry, fresh)
    if single:
        remarks.append(f"{len(single)} hard links, such as {single[0]}, became files of their own")
    return rows


def _copy_file(source: Path, listed: Listed, target: Path, work: _DiskCopy) -> FileRow:
    """Copy a file and make its row."""
    copy: Copied = copy_file(source, target, work.advance if listed.same_as is None else lambda count: None)
    work.speed = work.speed.plus(copy.written, copy.write_s, copy.read_back_s if copy.written else 0.0)
    status = target.stat()
    return FileRow(listed.path, copy.bytes, copy.sha256, listed.mtime_ns, status.st_mtime_ns, now())


def _row_if_unchanged(listed: Listed, row: FileRow | None, target: Path) -> FileRow | None:
    """Find a file as the ledger says that it was read back, when neither it nor its source changed since."""
    if row is None or (row.bytes, row.source_mtime_ns) != (listed.bytes, listed.mtime_ns):
        return None
    try:
        status = target.lstat()
    except FileNotFoundError:
        return None
    return row if (status.st_size, status.st_mtime_ns) == (row.bytes, row.mtime_ns) else None


def _link(other: Path, target: Path) -> bool:
    """Give a file another name; tell whether the disk can."""
    try:
        os.link(other, target)
    except FileExistsError:
        return True  # compared as any file that is there
    except OSError:
        return False
    return True


def _make_folder(folder: Path, work: _DiskCopy) -> str:
    """Make a folder where it is absent; tell what is wrong where it cannot be."""
    _demand_there(work)
    if folder.is_symlink() or (os.path.lexists(folder) and not folder.is_dir()):
        return f"{folder}: is there and no folder; it was left as it is, copy the scan to another folder of the disk"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        if _is_gone(problem, work):
            raise
        return f"{folder}: cannot be made ({problem.strerror}); the disk may not take such a name"
    return ""


def _make_link(target: Path, linked: str, problems: list[str], remarks: list[str]) -> None:
    """Make a symbolic link; a disk that has none is said."""
    if os.path.lexists(target):
        if not target.is_symlink() or str(target.readlink()) != linked:
            problems.append(f"{target}: another thing has this name; it was left")
        return
    try:
        target.symlink_to(linked)
    except OSError as problem:
        remarks.append(
            f"{target.name}: the disk has no symbolic links ({problem.strerror}); it named {linked}"
        )


def _enter_source(
    listing: Listing, entry: Copy, rows: list[FileRow], ledger: CopyLedger, system: System
) -> None:
    """Enter where a scan was copied from: it was read now, and its checksums are known."""
    volume = volume_of(listing.source, system)
    ledger.see(volume)
    source = replace(entry, place=volume.id, path=volume.inside, role="source", told="", copied=now())
    ledger.enter(source)
    ledger.enter_files(source, [replace(row, mtime_ns=row.source_mtime_ns) for row in rows])


def _write_checksums(target: Path, name: str, rows: list[FileRow]) -> None:
    """Write the checksums of a scan beside it, so that the disk can be checked where there is no ledger."""
    folder = target / CHECKSUMS
    folder.mkdir(exist_ok=True)
    lines = []
    for row in sorted(rows, key=lambda row: row.path):
        path = f"{name}/{row.path}" if row.path else name
        plain = path.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{'' if plain == path else chr(92)}{row.sha256}  {plain}\n")
    write_whole(folder / f"{name}.sha256", "".join(lines).encode(errors="surrogateescape"))


def _problem_text(problem: Exception, target: Path) -> str:
    if not isinstance(problem, OSError):
        return str(problem)
    if problem.errno in _OF_NAMES and is_unusual(target.name):
        return f"{target}: the disk does not take this name ({problem.strerror}); rename it, or copy to a disk of ext4"
    where = os.fsdecode(problem.filename) if problem.filename else target
    return f"{where}: {problem.strerror}; it was left as it is"


def _demand_there(work: _DiskCopy) -> None:
    """Make sure that the disk is the one on which the copy began, and not the empty folder where it was."""
    if work.target.stat().st_dev != work.device:
        raise OSError(errno.ENODEV, "the disk was unplugged", str(work.target))


def _is_gone(problem: OSError, work: _DiskCopy) -> bool:
    """Whether a disk is unplugged or full, rather than a single file not to be copied."""
    if problem.errno in (*_GONE, errno.ENOSPC, errno.EDQUOT):
        return True
    try:
        return work.target.stat().st_dev != work.device
    except OSError:
        return True


@contextmanager
def _disk_errors(work: _DiskCopy) -> Iterator[None]:
    """Say what an error of the disk means."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"{work.target}: is full; free some of it, or name another disk; what is copied stays, and the same "
                f"command goes on"
            ) from problem
        if not _is_gone(problem, work):
            raise
        raise Interrupted(
            f"{work.target}: does not answer ({problem.strerror}); plug the disk in again and give the same command: "
            f"it goes on where it stopped"
        ) from problem
