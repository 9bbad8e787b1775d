"""Ctrl-C that is never lost.

Python raises KeyboardInterrupt wherever it happens to be. In a destructor or the callback of a weak reference that
exception is printed and forgotten, and the work goes on; so the wish to stop is also kept, and asked for after each
slab.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Final

ASKED: Final = threading.Event()
"""Set once the user, or a batch system, has asked this process to stop."""

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
    ASKED.set()
    raise KeyboardInterrupt


def ask_once(number: int, frame: FrameType | None) -> None:
    """Take a signal as the wish to stop, where none came before it."""
    if not ASKED.is_set():
        _on_signal(number, frame)


def check() -> None:
    """Stop now if that was asked for.

    Raises
    ------
    KeyboardInterrupt
        The process was asked to stop, and the exception that told so was lost.
    """
    if ASKED.is_set():
        raise KeyboardInterrupt
