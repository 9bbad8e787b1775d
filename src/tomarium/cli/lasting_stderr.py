"""Messages and progress on stderr, which may go away before the work is done.

The reader of a pipe ends, as `tomarium run SCAN 2>&1 | head` has it, or a terminal is closed under a command that the
shell was told to let go on. Nobody reads what is told then; the work is still wanted.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, Final

_GONE: Final = (errno.EPIPE, errno.EIO)
"""Errors of a write to a pipe without a reader, and to a terminal that is closed."""


class _Lasting(io.FileIO):
    """A file to which writing goes on, into nothing, once nobody reads it any more."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as problem:
            if problem.errno not in _GONE:
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(
                nowhere, self.fileno()
            )  # also for what writes there by itself: libraries, and processes it starts
            os.close(nowhere)
            return memoryview(content).nbytes


def install() -> None:
    """Let this process go on without its stderr where that goes away."""
    if sys.stderr is None:
        return
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError):  # it is no file
        return
    file = io.BufferedWriter(_Lasting(descriptor, "wb", closefd=False))
    sys.stderr = io.TextIOWrapper(
        file, encoding=sys.stderr.encoding, errors=sys.stderr.errors, line_buffering=True, write_through=True
    )
