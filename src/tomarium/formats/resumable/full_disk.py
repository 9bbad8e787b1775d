"""A full disk is said as such, with what is kept and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tomarium.atomic_files import write_whole
from tomarium.errors import StorageFull, TomariumError

KEPT = "what is written is kept; free some space and repeat the command to go on"
NOT_KEPT = "free some space and write it again"


def is_full(problem: BaseException) -> bool:
    """Tell whether an error says that the disk, or a quota on it, is full; h5py has the number in its text only."""
    if getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    words = (f"errno = {errno.ENOSPC}", f"errno = {errno.EDQUOT}", os.strerror(errno.ENOSPC))
    return any(word in str(problem) for word in words)


@contextmanager
def saying_full(path: Path, remedy: str | Callable[[], str]) -> Iterator[None]:
    """Raise StorageFull for what the system or HDF5 says of a full disk; the remedy may be found out only then."""
    try:
        yield
    except TomariumError:
        raise
    except (OSError, RuntimeError) as problem:
        if is_full(problem):
            advice = remedy if isinstance(remedy, str) else remedy()
            raise StorageFull(f"{path}: the disk is full; {advice}") from problem
        raise


def write_text(path: Path, text: str) -> None:
    """Write a small text, as UTF-8 with the line endings it has, so that the file is there whole or not at all."""
    with saying_full(path, NOT_KEPT):
        write_whole(path, text.encode("utf-8", "surrogateescape"))
