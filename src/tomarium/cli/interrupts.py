"""Ctrl-C that is never lost.

Python raises KeyboardInterrupt wherever it happens to be. In a destructor or the callback of a weak reference that
exception is printed and forgotten, and the work goes on; so the wish to stop is also kept, and asked for after each
slab.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Final

ASKED: Final = threading.Event()
"""Set once the user, or a batch system, has asked this process to stop."""

AT_ONCE: Final = threading.Event()
"""Set once that was asked for again, while slabs in work were coming to their end."""

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask a command to stop."""

INSTALLED: Final = threading.Event()
"""Set where this process is the command line and nothing else."""


def install() -> None:
    """Take Ctrl-C, the signal of batch systems and that of a terminal that is closed as the wish to stop."""
    INSTALLED.set()
    for number in SIGNALS:
        # nohup has a command go on without its terminal; SIGINT, which a shell ignores for what it starts in the
        # background, may be sent to it all the same.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _on_signal)
    sys.unraisablehook = _report


def leave() -> None:
    """Ignore further wishes to stop: the command is at its end, and only waits for slabs that are in work."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _report(unraisable: sys.UnraisableHookArgs) -> None:
    """Say nothing of a lost wish to stop, for it is kept; of anything else, what Python says."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


def _on_signal(number: int, frame: FrameType | None) -> None:
    again = ASKED.is_set()
    if again and number == signal.SIGHUP:
        return  # a terminal that is closed may send it twice, and nobody is there who is impatient
    ASKED.set()
    if _slabs_are_in_work():
        if again:
            AT_ONCE.set()
        else:
            _say("stopping: slabs in work are being finished; Ctrl-C again stops at once")
    raise KeyboardInterrupt


def ask_once(number: int, frame: FrameType | None) -> None:
    """Take a signal as the wish to stop, where none came before it."""
    if not ASKED.is_set():
        _on_signal(number, frame)


def _slabs_are_in_work() -> bool:
    executor = sys.modules.get("tomarium.executors.executor")  # not imported: no slab is in work
    return executor is not None and bool(executor.IN_WORK)


def _say(text: str) -> None:
    """Write a line to the terminal without its buffers, which the signal may have found half written."""
    clear_line = "\r\x1b[K" if sys.stderr is not None and sys.stderr.isatty() else ""
    with suppress(OSError):  # the terminal was closed
        os.write(2, f"{clear_line}{text}\n".encode())


def end_at_once(code: int) -> None:
    """Leave with an exit code, where that was asked for twice and slabs are in work; else come back.

    Parameters
    ----------
    code : int
        The exit code.
    """
    if not AT_ONCE.is_set():
        return
    from tomarium.executors.threads import THREAD

    if any(thread.name.startswith(THREAD) for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def check() -> None:
    """Stop now if that was asked for.

    Raises
    ------
    KeyboardInterrupt
        The process was asked to stop, and the exception that told so was lost.
    """
    if ASKED.is_set():
        raise KeyboardInterrupt
