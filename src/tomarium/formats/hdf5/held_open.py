"""One open file for all that read it in turn: some dozen formats are asked about each file, and one then reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import h5py

from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.half_written import Stamp, stamp_of
from tomarium.formats.hdf5.members import KnownGroups
from tomarium.formats.hdf5.security_check import open_checked


@dataclass
class _Held:
    path: Path
    file: h5py.File | None = None
    stamp: Stamp | None = None
    known: KnownGroups = field(default_factory=KnownGroups)
    users: int = 0
    refusal: Exception | None = None  # why it cannot be opened, as it was at `stamp`

    def open(self) -> h5py.File:
        """Open it; what cannot be opened is tried again only where it changed since."""
        now = stamp_of(self.path)
        if self.refusal is not None and now is not None and now == self.stamp:
            raise self.refusal
        self.stamp, self.refusal = now, None
        try:
            return open_checked(self.path)
        except Exception as problem:
            self.refusal = problem
            raise

    def close(self) -> None:
        file, self.file, self.known = self.file, None, KnownGroups()
        if file is not None:
            file.close()


_held: ContextVar[_Held | None] = ContextVar("held", default=None)


@contextmanager
def held_open(path: Path) -> Iterator[None]:
    """Open a file once for all who read it within the block, one after the other.

    `path`: the file; anything else is passed over. It is opened when first asked for, and anew where it
    changed since, its writer has it open so that others read it meanwhile (SWMR), or reading failed.
    """
    outer = _held.get()
    if outer is not None and outer.path == path:
        yield
        return
    shared = _Held(path)
    before = _held.set(shared)
    try:
        yield
    finally:
        _held.reset(before)
        shared.refusal = None
        with guarded(path):
            shared.close()


@contextmanager
def shared_open(path: Path) -> Iterator[tuple[h5py.File, KnownGroups]]:
    """Open a file for reading, or take it as `held_open` holds it."""
    shared = _held.get()
    if shared is None or shared.path != path or not _is_ready(shared):
        with open_checked(path) as file:
            yield file, KnownGroups()
        return
    if shared.file is None:
        shared.file = shared.open()
    shared.users += 1
    try:
        yield shared.file, shared.known
    except BaseException:  # what the library then holds of the file may be damaged too
        shared.users -= 1
        if not shared.users:
            shared.close()
        raise
    shared.users -= 1
    if not shared.users and shared.file is not None and shared.file.swmr_mode:
        shared.close()


def _is_ready(shared: _Held) -> bool:
    """Tell whether the file is open as it is now, or may be opened."""
    if shared.file is None or shared.stamp == stamp_of(shared.path):
        return True
    if shared.users:
        return False
    shared.close()
    return True
