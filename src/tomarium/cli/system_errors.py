"""What the system refuses, told as a sentence with the next move."""

from __future__ import annotations

import errno
import os
from typing import Final

NEXT: Final = {
    errno.ENOENT: "check the spelling, and that the folder it lies in exists",
    errno.EACCES: "choose a place where you may read and write, or ask its owner for the right",
    errno.EPERM: "choose a place where you may read and write, or ask its owner for the right",
    errno.EROFS: "it can only be read; choose another place",
    errno.EEXIST: "something of this name is there already; remove it, or choose another name",
    errno.ENOTDIR: "a folder was expected where a file is; check the path",
    errno.EISDIR: "a file was expected where a folder is; check the path",
    errno.ENOSPC: "free some space and give the same command again",
    errno.EDQUOT: "free some space and give the same command again",
    errno.EMFILE: "close other programs, or raise the limit with ulimit -n",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def explain(problem: OSError) -> str:
    """Say what the system refused, where, and what to do.

    Parameters
    ----------
    problem : OSError
        As it was raised.

    Returns
    -------
    str
        One sentence.
    """
    where = f"{os.fsdecode(problem.filename)}: " if isinstance(problem.filename, str | bytes) else ""
    number = problem.errno or 0
    # HDF5 tells its own whole story where the system has a short one.
    message = os.strerror(number) if where and number else problem.strerror or str(problem)
    return f"{where}{message}; {NEXT.get(number, 'check the path, its permissions and the disk')}"
