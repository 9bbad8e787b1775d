"""What h5py raises for damaged bytes, and what its words mean to the user of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tomarium.errors import FormatError, TomariumError
from tomarium.formats.resumable.full_disk import is_full

# What h5py raises for damaged bytes; there is no common parent below Exception.
DAMAGE: Final = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    MemoryError,
    OverflowError,
    SystemError,
)


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn what h5py raises for a damaged file into a FormatError that names the file."""
    try:
        yield
    except TomariumError:
        raise
    except DAMAGE as problem:
        demand_no_stop(problem)
        if is_full(problem):  # of what is written meanwhile, not of what is read
            raise
        # Cython wraps what happens while a lock is released into a SystemError that says nothing.
        reason = problem.__cause__ if isinstance(problem, SystemError) and problem.__cause__ else problem
        reason_text = (
            "it claims more memory than there is" if isinstance(reason, MemoryError) else str(reason)
        )
        raise FormatError(f"{path}: {advice(reason_text)}") from problem


def demand_no_stop(problem: BaseException) -> None:
    """Stop where an error is nothing but a wish to stop: Cython wraps a KeyboardInterrupt into a SystemError."""
    if isinstance(problem, SystemError) and isinstance(problem.__cause__, KeyboardInterrupt):
        raise KeyboardInterrupt from problem


def advice(problem: str) -> str:
    """Say what the HDF5 library's words mean, and what to do."""
    short = re.sub(r"^\[Errno \d+\] ", "", problem).strip("'\"")
    if "already open for write" in short:
        return (
            f"is still being written ({short}); open it once its writer has closed it, or, where that is gone, "
            f"a mirror of it (tomarium mirror)"
        )
    if "locking flag values don't match" in short:
        return f"is open elsewhere in this program, with locks ({short}); close it there"
    if "addr overflow" in short:
        return (
            f"holds more than its superblock knows of, as where its writer was killed, or is damaged ({short}); "
            f"a mirror of it (tomarium mirror) opens to the last frame that was written"
        )
    if "truncated file" in short:
        return f"is truncated ({short}); copy it again, or let its writer finish"
    return f"cannot be read as HDF5 ({short}); the file is damaged, so copy it again from its origin"
