"""Which workers are there: each writes a small file beside the catalogue every few seconds."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.atomic_files import write_json

BEAT_S: Final = 4.0
"""Seconds between two beats."""
LATELY_S: Final = 20.0
"""Seconds for which a worker that was heard counts as there."""
FORGOTTEN_S: Final = 3600.0
"""Seconds after which the file of a worker that was killed is removed."""


@dataclass(frozen=True)
class Worker:
    """A worker that was heard.

    Attributes
    ----------
    name : str
        Machine and process.
    only : tuple of str
        Kinds of jobs that it takes; all where there is none.
    seen_utc : float
        When it was heard last, seconds since 1970.
    """

    name: str
    only: tuple[str, ...]
    seen_utc: float

    def takes(self, kind: str) -> bool:
        """Tell whether it takes jobs of a kind."""
        return not self.only or kind in self.only


def workers_folder(home: Path) -> Path:
    """Return where workers write that they are there.

    Parameters
    ----------
    home : Path
        Of the catalogue, which all machines share.

    Returns
    -------
    Path
        It need not exist.
    """
    return home / "work" / "workers"


@contextmanager
def heard(home: Path, only: Collection[str] = ()) -> Iterator[None]:
    """Say every few seconds that this process works, for as long as the block lasts.

    Parameters
    ----------
    home : Path
        Of the catalogue.
    only : collection of str
        Kinds of jobs that it takes; all where there is none.
    """
    folder, name = workers_folder(home), f"{socket.gethostname()}-{os.getpid()}"
    path, over = folder / f"{name}.json", threading.Event()

    def beat() -> None:
        with suppress(OSError):  # a disk that is full or away for a while stops no worker
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, {"name": name, "only": list(only), "seen_utc": time.time()})

    def go_on() -> None:
        while not over.wait(BEAT_S):
            beat()

    beat()
    thread = threading.Thread(target=go_on, name="worker is heard", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(OSError):
            path.unlink(missing_ok=True)


def running_workers(home: Path, now: float | None = None) -> list[Worker]:
    """List the workers that were heard lately.

    Parameters
    ----------
    home : Path
        Of the catalogue.
    now : float, optional
        Seconds since 1970; the present moment by default.

    Returns
    -------
    list of Worker
        Those that were heard in the last 20 s.
    """
    moment = time.time() if now is None else now
    return [worker for _, worker in _all(home) if moment - worker.seen_utc < LATELY_S]


def forget_workers(home: Path, now: float | None = None) -> None:
    """Remove what workers that were killed have left.

    Parameters
    ----------
    home : Path
        Of the catalogue.
    now : float, optional
        Seconds since 1970; the present moment by default.
    """
    moment = time.time() if now is None else now
    for path, worker in _all(home):
        if moment - worker.seen_utc > FORGOTTEN_S:
            path.unlink(missing_ok=True)


def _all(home: Path) -> Iterator[tuple[Path, Worker]]:
    for path in sorted(workers_folder(home).glob("*.json")):
        try:
            notes = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(notes, Mapping):
                yield (
                    path,
                    Worker(str(notes["name"]), tuple(map(str, notes["only"])), float(notes["seen_utc"])),
                )
        except (OSError, ValueError, TypeError, KeyError):
            continue  # removed just now, or no file of a worker
