"""A command of tomarium in a process of its own whose slabs wait, from one on, until the test lets them go."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_S = 300.0
"""Time after which a test that waits for something fails."""

DRIVER = """
import os, sys, time
from pathlib import Path
import tomarium.catalogue.make_record as make_record
from tomarium.cli import supervised
from tomarium.errors import StepFailed
from tomarium.pipeline.run.work import Task

gate, first, parent = Path(sys.argv.pop(1)), int(sys.argv.pop(1)), int(sys.argv.pop(1))
do, run = Task.__call__, make_record.run

def held(self, cut):
    if cut.index >= first:
        (gate / f"reached{cut.index}").touch()
        while not (gate / "open").exists():
            if os.getppid() != parent:  # the test was killed
                os._exit(9)
            if (gate / "fail").exists():
                try:
                    raise ZeroDivisionError("nothing to divide by")
                except ZeroDivisionError as problem:
                    raise StepFailed("step fbp: nothing to divide by") from problem
            time.sleep(0.01)
    return do(self, cut)

supervised.is_supervised = lambda: True  # a batch works in this process
Task.__call__ = held
make_record.run = lambda *words, **named: run(*words, **{**named, "slab_rows": 4})
sys.argv[0] = "tomarium"
from tomarium import cli
cli.main()
"""
"""Takes the folder of the gate, the first slab that waits and the process of the test before the command's words."""


class Held:
    """The process, and the gate that its slabs wait at."""

    def __init__(self, gate: Path, first: int, words: list[str], folder: Path) -> None:
        gate.mkdir(exist_ok=True)
        self.gate, self.output = gate, gate / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, str(gate), str(first), str(os.getpid()), *words],
                cwd=folder, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def wait_for_slab(self, number: int) -> None:
        """Wait until a slab is at the gate."""
        wait_until((self.gate / f"reached{number}").exists, self)

    def let_go(self) -> None:
        """Open the gate."""
        (self.gate / "open").touch()

    def said(self) -> str:
        """Read what the command has printed."""
        return self.output.read_text()


def wait_until(is_so: Callable[[], bool], held: Held | None = None) -> None:
    """Wait for something, and fail where it does not come, or the process ends before."""
    until = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < until, "waited for something that never comes"
        assert held is None or held.process.poll() is None or is_so(), held.said() if held else ""
        time.sleep(0.02)


@contextmanager
def held_command(gate: Path, first: int, words: list[str], folder: Path) -> Iterator[Held]:
    """Start a command, and end it with the block.

    Parameters
    ----------
    gate : Path
        Folder for the gate; made.
    first : int
        Number of the first slab that waits.
    words : list of str
        Of the command, after `tomarium`.
    folder : Path
        Where it is given.

    Yields
    ------
    Held
        It has begun.
    """
    held = Held(gate, first, words, folder)
    try:
        yield held
    finally:
        held.process.kill()
        held.process.wait()
