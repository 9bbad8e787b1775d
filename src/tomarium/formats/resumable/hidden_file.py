"""A file or a folder that is written under a hidden name, with a log of what it has; a killed run goes on from there.

While `<name>` is written, `.<name>.partial` holds the bytes and `.<name>.partial.done` the log: what the content is
made from, then one line of JSON for each block that is on disk. A run that is not to be resumed writes under a name
of its own process, and leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tomarium.atomic_files import alone
from tomarium.formats.resumable.full_disk import KEPT, NOT_KEPT, raising_storage_full
from tomarium.formats.resumable.progress import ProgressLog

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told of progress: bytes written so far, bytes in all."""


@dataclass(frozen=True)
class HiddenFile:
    """A file that is being written by this process alone, and its log."""

    path: Path
    partial: Path
    log: ProgressLog
    resumes: (
        bool  # whether a run that stops is gone on with; else the file is forced to disk once, at its end
    )

    def blocks(self, key: str) -> list[list[Any]] | None:
        """List the blocks that an earlier run of the same `key` has noted; None where there was none."""
        lines = self.log.read()
        return lines[1:] if self.partial.exists() and lines[:1] == [key] else None

    def begin(self, key: str) -> None:
        """Begin the log anew, once the file of the hidden name is on disk."""
        if not self.resumes:
            return
        with self.partial.open("rb") as stream:
            os.fsync(stream.fileno())
        self.log.replace([key])

    @contextmanager
    def writing(self) -> Iterator[tuple[int, Callable[[Sequence[Any]], None]]]:
        """Open the file; yield its descriptor, and what notes a block when its bytes were written."""
        with self.log.adding() as add, self.partial.open("r+b", buffering=0) as stream:

            def note(block: Sequence[Any]) -> None:
                if self.resumes:
                    os.fdatasync(stream.fileno())
                    add(block)

            yield stream.fileno(), note
            if not self.resumes:
                os.fdatasync(stream.fileno())


@contextmanager
def hidden_file(path: Path, *, resume: bool, what: str = "file") -> Iterator[HiddenFile]:
    """Write a file in the block; it has its name when the block ends, and replaces an older one only then.

    With `resume` a run that stops leaves what it has. `what` it is: "file" or "folder". Raises StorageFull where the
    disk is full, and InputError where another process writes the same.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial" if resume else f".{path.name}.{os.getpid()}.partial")
    log = partial.with_name(f"{partial.name}.done")
    with alone(log, f"{path}: another process is writing this {what}; wait for it, or give another name"):
        try:
            with raising_storage_full(path, lambda: KEPT if resume and partial.exists() else NOT_KEPT):
                yield HiddenFile(path, partial, ProgressLog(log), resume)
                partial.replace(path)
            resume = False
        finally:
            if partial.is_dir() and (not resume or not any(partial.iterdir())):
                shutil.rmtree(partial, ignore_errors=True)
            elif not resume:
                partial.unlink(missing_ok=True)
            if not partial.exists():
                log.unlink(missing_ok=True)
