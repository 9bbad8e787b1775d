"""A command that works in a process of its own, which is begun again where a crash of the interpreter ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

import click

from tomarium.cli import interrupts

LINE: Final = "TOMARIUM_SUPERVISOR"
"""Variable of the environment of the process that works: the descriptor by which it notices that its parent is gone."""

CRASHES: Final = "TOMARIUM_CRASHES"
"""Variable that says how often the process that worked before it crashed."""

MOST: Final = 100
"""Crashes after which the command ends."""

FORWARDED: Final = signal.SIGUSR1
"""How the parent hands a SIGINT on that was sent to it alone; from a terminal the process that works has its own."""

_ASKED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def crashes() -> int:
    """Tell how often the process that worked before this one crashed."""
    count = os.environ.get(CRASHES, "")
    return int(count) if count.isdecimal() else 0


def is_supervised() -> bool:
    """Tell whether this is the process that works; it then ends at once where its parent is gone, however that ends."""
    descriptor = os.environ.pop(LINE, "")  # what this process starts itself is not watched over by it
    if not descriptor.isdecimal():
        return False
    line = int(descriptor)
    signal.signal(FORWARDED, interrupts.ask_once)

    def wait() -> None:
        os.read(line, 1)  # nothing is ever written: it comes back when the parent's end is closed
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="tomarium, waits for the end of its parent", daemon=True).start()
    return True


def supervise(words: Sequence[str]) -> int:
    """Run a command in a process of its own, and again where it crashes; what asks it to stop is for that process.

    Parameters
    ----------
    words : sequence of str
        Of the command line, after `tomarium`.

    Returns
    -------
    int
        Its exit code; 3 where it crashed too often.
    """
    for count in range(MOST):
        code = _run_once(words, count)
        if code >= 0:
            return code
        if -code in (*_ASKED, FORWARDED):
            return 3
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        click.secho(
            f"! the program was ended by {name} while it was at work; it goes on in a new process",
            fg="yellow",
            err=True,
        )
    click.echo(
        f"tomarium: the program crashed {MOST} times; the same command goes on where it stands", err=True
    )
    return 3


def _run_once(words: Sequence[str], count: int) -> int:
    read_end, write_end = os.pipe()
    environment = {**os.environ, LINE: str(read_end), CRASHES: str(count)}
    before = {number: signal.getsignal(number) for number in _ASKED}
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "tomarium", *words], env=environment, pass_fds=(read_end,)
        )  # the parent keeps the other end, and closes it by ending
        signal.signal(signal.SIGINT, lambda _number, _frame: process.send_signal(FORWARDED))
        for number in (signal.SIGTERM, signal.SIGHUP):
            if before[number] != signal.SIG_IGN:
                signal.signal(number, lambda number, _frame: process.send_signal(number))
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(read_end)
        os.close(write_end)
