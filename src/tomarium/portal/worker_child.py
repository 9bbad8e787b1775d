"""Workers that a portal on one's own machine starts itself, when somebody asks for something that none does yet."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.workers import running_workers

RESTART_S: Final = 5.0
"""Seconds between two starts, where a worker ends at once."""
END_S: Final = 10.0
"""Seconds that a worker is given to end."""


def address_of(catalogue: Catalogue) -> str:
    """Return what opens the same catalogue, with the password that the address of a database may hold.

    It is told by the standard input: a list of processes shows the words of a command to everybody.

    Parameters
    ----------
    catalogue : Catalogue
        Open.

    Returns
    -------
    str
        A path, or an address.
    """
    if catalogue.engine.dialect.name == "sqlite":
        return str(Path(catalogue.name).absolute())
    address = catalogue.engine.url.set(drivername="postgresql")
    return address.render_as_string(hide_password=False)


class WorkerChildren:
    """Starts a worker process for a kind of job when it is wanted and none is there; `close` ends them.

    Each takes one kind, so that a volume that is made keeps nobody from looking at slices. They end with this process,
    however that ends: each waits for its standard input to be closed.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue, self._lock = catalogue, threading.Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._begun: dict[str, float] = {}

    def __call__(self, kind: str) -> None:
        """Start a worker for a kind of job, unless one takes it."""
        with self._lock:
            child = self._children.get(kind)
            if child is not None and child.poll() is None:
                return
            if time.monotonic() - self._begun.get(kind, -RESTART_S) < RESTART_S:
                return
            if any(worker.takes(kind) for worker in running_workers(self._catalogue.home)) and child is None:
                return
            if child is not None and child.stdin is not None:
                child.stdin.close()
            self._begun[kind] = time.monotonic()
            self._children[kind] = child = subprocess.Popen(
                [sys.executable, "-m", "tomarium", "worker", "--only", kind, "--end-with-input"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            assert child.stdin is not None
            with suppress(BrokenPipeError):  # it has ended already, and is started again when it is wanted
                child.stdin.write(f"{address_of(self._catalogue)}\n".encode())
                child.stdin.flush()

    @property
    def processes(self) -> dict[str, int]:
        """Numbers of the processes by their kinds."""
        return {kind: child.pid for kind, child in self._children.items() if child.poll() is None}

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            for child in self._children.values():
                if child.stdin is not None:
                    child.stdin.close()
            for child in self._children.values():
                try:
                    child.wait(END_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
            self._children.clear()
