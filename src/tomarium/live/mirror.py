"""A read-only copy of a file that is being written, which can always be opened.

A copy is made while the source rests, repaired where its writer had it marked as open, looked through by
another process, and only then becomes the current one: `current` in the folder is a symbolic link that is
replaced in one step, `current.h5` leads to it. Two generations are kept, so that a reader which has just
opened the older one can go on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py

from tomarium.atomic_files import clear_drafts, replacing
from tomarium.errors import FormatError, StorageFull
from tomarium.formats.hdf5.errors import DAMAGE
from tomarium.formats.hdf5.half_written import Stamp
from tomarium.formats.hdf5.names import member, visit_links
from tomarium.formats.hdf5.security_check import beside, open_checked
from tomarium.formats.hdf5.superblock import mark_closed
from tomarium.formats.resumable.full_disk import is_full
from tomarium.live.mirror_copy import Copier, copy_whole, is_same
from tomarium.live.retry import wait_for_rest

CURRENT: Final = "current"
KEPT: Final = 2
# Smaller files are copied whole, within the few milliseconds that a writer leaves.
_LARGE: Final = 16 << 20
# Larger copies are brought up to date where they lie; others are made from the last one.
_VERY_LARGE: Final = 1 << 30
# A source that is left alone for so long is compared with its copy once.
_ALONE_S: Final = 10.0
_LONGEST_CHECK_S: Final = 300.0
# Copying takes at most a quarter of the time, whatever interval was asked for.
_SHARE: Final = 4.0


@dataclass(frozen=True)
class Generation:
    """One copy that was made and found good."""

    number: int
    path: Path
    source: Stamp  # the source when it was copied
    seconds: float  # how long copying and looking through it took
    attempts: int  # how many copies were begun for it
    absent: tuple[str, ...] = ()  # files it points to that are not beside the source


def is_mirror(folder: Path) -> bool:
    """Tell whether a folder is a mirror that has a copy to show.

    Result: true where `current` leads to a generation.
    """
    return (folder / CURRENT).is_symlink() and (folder / CURRENT).resolve().name.startswith("gen-")


def mirror_once(
    source: Path, folder: Path, *, patience_s: float = 60.0, copier: Copier | None = None
) -> Generation:
    """Copy a file that may be being written, and make the copy the current one of its mirror.

    `patience_s`: seconds for which copies are begun anew, because the source changed meanwhile or the copy
    was bad. `copier`: what is known from earlier copies of this source; a large one is then copied only where
    it changed.
    """
    if not source.is_file():
        state = (
            "is a folder" if source.is_dir() else "is no file" if source.exists() else "is not there (yet)"
        )
        raise FormatError(f"{source}: {state}; give the HDF5 file that a scan is written to")
    _make_mirror_folder(folder)
    began, attempts, problem = time.monotonic(), 0, "it never rested"
    keep, copier = copier is not None, Copier(source) if copier is None else copier
    number = max(_numbers(folder), default=0) + 1
    clear_drafts(folder / "gen-")  # of mirrors that were killed
    candidate = _candidate(folder, number)
    try:
        while attempts == 0 or time.monotonic() - began < patience_s:
            attempts += 1
            stamp = _copy_resting(source, candidate, folder, copier, began + patience_s)
            if stamp is None:
                problem = "it changed while it was copied"
                continue
            absent = _copy_sources(source, candidate, folder)
            problem = _check(candidate)
            if not problem:
                path = _switch(folder, candidate, number, keep)
                return Generation(number, path, stamp, time.monotonic() - began, attempts, absent)
    except FormatError as trouble:  # of a copy whose name nobody knows
        raise FormatError(str(trouble).replace(str(candidate), str(source))) from trouble
    except OSError as trouble:
        if is_full(trouble):
            raise StorageFull(
                f"{folder}: the disk is full; free some space, the mirror then goes on"
            ) from trouble
        raise FormatError(f"{source}: cannot be mirrored ({trouble}); check that it is there") from trouble
    finally:
        candidate.unlink(missing_ok=True)
    raise FormatError(
        f"{source}: no good copy could be made in {attempts} attempts and {patience_s:g} s ({problem}); "
        f"the older copies stay, so try again when its writer pauses or has closed it"
    )


def mirror(
    source: Path,
    folder: Path,
    *,
    every_s: float = 2.0,
    on_copy: Callable[[Generation], None] | None = None,
    complain: Callable[[str], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Keep a mirror of a file up to date until told to stop.

    `every_s`: seconds between two copies, if the source changed; more where copying takes more than a quarter
    of it. `complain`: called with the reason where no copy could be made; the older ones stay, and it goes
    on. `stop`: asked ten times a second; True ends it. None lets it run until it is interrupted.
    """
    copied: Stamp | None = None
    copier, compared = Copier(source), False
    following = time.monotonic()
    try:
        while stop is None or not stop():
            if time.monotonic() < following:
                time.sleep(min(0.1, every_s))
                continue
            began = time.monotonic()
            try:
                if (
                    copied is not None
                    and not compared
                    and copied.age_s() > _ALONE_S
                    and Stamp.of(source) == copied
                ):
                    compared = True
                    if not is_same(source, (folder / CURRENT).resolve()):
                        copied, copier = None, Copier(source)  # a frame was written again
                generation = _renew(source, folder, copied, max(10 * every_s, 10.0), copier)
                if generation is not None:
                    copied, compared = generation.source, False
                    if on_copy is not None:
                        on_copy(generation)
            except (FormatError, StorageFull) as problem:
                if complain is not None:
                    complain(str(problem))
            took = time.monotonic() - began
            following = began + max(every_s, _SHARE * took)
    finally:
        for file in folder.glob(f".gen-*.{os.getpid()}.part"):
            file.unlink(missing_ok=True)


def _make_mirror_folder(folder: Path) -> None:
    """Make a folder a mirror; refuse one with files of others, which copies might replace."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "current.h5").is_symlink():
        return
    other_names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    if other_names:
        raise FormatError(
            f"{folder}: is no mirror and not empty "
            f"({', '.join(other_names[:3])}{' …' if len(other_names) > 3 else ''}), "
            f"and copies might replace what is there; give a new folder"
        )


def _renew(
    source: Path, folder: Path, copied: Stamp | None, patience_s: float, copier: Copier
) -> Generation | None:
    try:
        now = Stamp.of(source)
    except OSError as problem:
        raise FormatError(f"{source}: is not there (yet); it is looked for again") from problem
    return None if now == copied else mirror_once(source, folder, patience_s=patience_s, copier=copier)


def _numbers(folder: Path) -> list[int]:
    names = (path.stem.removeprefix("gen-") for path in folder.glob("gen-*.h5"))
    return sorted(int(name) for name in names if name.isdigit())


def _copy_resting(source: Path, candidate: Path, folder: Path, copier: Copier, end: float) -> Stamp | None:
    """Copy the source as it is at one time; None where it changed meanwhile."""
    if source.stat().st_size > _LARGE:
        return copier.copy(candidate, (folder / CURRENT).resolve() if is_mirror(folder) else None, end)
    stamp = wait_for_rest(source, end)
    _copy(source, candidate)
    return stamp if Stamp.of(source) == stamp else None


def _copy(source: Path, target: Path) -> None:
    copy_whole(source, target)
    mark_closed(target)


def _copy_sources(source: Path, candidate: Path, folder: Path) -> tuple[str, ...]:
    """Copy the files a master points to, each once and anew when it has changed; return the absent ones."""
    absent = []
    try:
        names = _files_pointed_to(candidate)
    except DAMAGE:
        return ()  # the check says what is wrong with it
    if names:
        _show(folder)  # so that a mirror that is killed here is known for one
    for name in names:
        if Path(name).is_absolute():
            name = Path(name).name
        place = beside(source, source, name)
        if place is None:
            absent.append(name)
            continue
        target = folder / name
        now = place.stat()
        if target.exists() and target.stat()[6:9:2] == (now.st_size, int(now.st_mtime)):
            continue
        if not target.resolve().is_relative_to(folder.resolve()) or target.resolve() == place:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as draft:
            _copy(place, draft)
            os.utime(draft, ns=(now.st_atime_ns, now.st_mtime_ns))
    return tuple(absent)


def _files_pointed_to(path: Path) -> list[str]:
    names: set[str] = set()

    def visit(name: str, link: Any) -> None:
        if isinstance(link, h5py.ExternalLink):
            names.add(link.filename)
        elif isinstance(link, h5py.HardLink):
            node = member(file, name)
            if isinstance(node, h5py.Dataset) and node.is_virtual:
                names.update(item.file_name for item in node.virtual_sources())

    with open_checked(path, growing=True) as file:
        visit_links(file, visit)
    return sorted(names - {"."})


def _check(candidate: Path) -> str:
    """Look through a copy in a process of its own; return what is wrong with it, or nothing."""
    command = [
        sys.executable,
        "-c",
        "from tomarium.live.mirror_check import main; main()",
        str(candidate),
    ]
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_LONGEST_CHECK_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return "looking through the copy did not end"
    if process.returncode:
        return process.stdout.strip() or f"looking through the copy ended with {process.returncode}"
    return ""


def _candidate(folder: Path, number: int) -> Path:
    return folder / f".gen-{number:06d}.{os.getpid()}.part"


def _switch(folder: Path, candidate: Path, number: int, keep: bool) -> Path:
    """Make a copy the current one in one step, and remove those that are too old.

    Of large ones the newest that is too old can be kept as the next candidate, for it holds most of it.
    """
    path = folder / f"gen-{number:06d}.h5"
    candidate.chmod(0o444)
    candidate.replace(path)
    _point(folder / CURRENT, path.name)
    _show(folder)
    for old in reversed(_numbers(folder)[:-KEPT]):
        file = folder / f"gen-{old:06d}.h5"
        if keep and file.stat().st_size > _VERY_LARGE:
            file.replace(_candidate(folder, number + 1))
            keep = False
        else:
            file.unlink(missing_ok=True)
    return path


def _show(folder: Path) -> None:
    if not (folder / "current.h5").is_symlink():
        _point(folder / "current.h5", CURRENT)


def _point(link: Path, target: str) -> None:
    with replacing(link) as draft:
        draft.symlink_to(target)
