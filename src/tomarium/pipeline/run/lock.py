"""One run a folder: a lock that the system lets go of when its process ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from pathlib import Path
from typing import IO, Final

from tomarium.errors import InputError, TomariumWarning

_BUSY: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def take_lock(path: Path) -> IO[str] | None:
    """Lock a file, which is made where it is absent, without waiting.

    Parameters
    ----------
    path : Path
        The file; its folder exists.

    Returns
    -------
    file or None
        Holds the lock until it is closed; None where the file was removed by whoever held it before, so that
        one has to look anew.

    Raises
    ------
    InputError
        Another process, or another call of this one, holds it.

    Warns
    -----
    TomariumWarning
        The file system knows no locks.
    """
    handle = path.open("a", encoding="ascii")
    try:
        _claim(handle)
    except OSError as problem:
        if problem.errno in _BUSY:
            handle.close()
            raise InputError(
                f"{path.parent.parent}: another run is at work in this folder; wait until it has ended, "
                f"or choose another folder with -o"
            ) from problem
        if problem.errno not in _NO_LOCKS:
            handle.close()
            raise
        warnings.warn(
            TomariumWarning(f"{path}: this file system knows no locks; start only one run in this folder"),
            stacklevel=2,
        )
    try:
        same = os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        same = False
    if same:
        return handle
    handle.close()
    return None


if sys.platform == "win32":  # pragma: no cover

    def _claim(handle: IO[str]) -> None:
        import msvcrt

        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)

else:

    def _claim(handle: IO[str]) -> None:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
