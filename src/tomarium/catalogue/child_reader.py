"""Processes that read files of strangers: one that a damaged file kills, or keeps busy for ever, harms nobody.

Each question is answered by a fork of such a process that may touch the folders it is told and nothing else, as
`child_process` says.
"""

from __future__ import annotations

import atexit
import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Final

from tomarium.catalogue import child_process
from tomarium.catalogue.child_process import MOST_MEMORY, Task
from tomarium.catalogue.child_progress import AT_WORK, read_progress
from tomarium.confinement import CannotConfine, means
from tomarium.errors import TomariumError

LONGEST_S: Final = 20.0
START_S: Final = 60.0
SETTING: Final = "unconfined_reading"
LOOK_S: Final = 0.25
"""Seconds from one look whether an answer is still wanted to the next."""
TELL_S: Final = 0.05
"""Seconds between two words of how far an answer is; what comes sooner waits, and the newest counts."""

Tell = Callable[[str, int, int], object]


class ReaderDied(TomariumError):
    """The process that read ended without an answer, or took too long."""


class ReadersBusy(TomariumError):
    """All processes are reading for others."""


class ChildReaders:
    """A few processes that each answer one question at a time; they begin when they are first needed.

    `work(question)` is a function of a module; what it returns, `child_process.to_bytes` can write.
    `before()` is called once in each process, for what all questions need. More than `waiting` questions are refused.
    Where they `compute`, they may take the processors that this process may, and else one.
    """

    def __init__(
        self,
        work: Callable[[Any], Any],
        count: int = 2,
        *,
        before: Callable[[], object] | None = None,
        waiting: int = 16,
        computes: bool = False,
    ) -> None:
        self._work, self._computes = (work, before), computes
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)
        atexit.register(self.close)
        self._waiting = threading.BoundedSemaphore(waiting)

    def ask(
        self,
        question: Any,
        *,
        readable: Sequence[Path],
        writable: Sequence[Path] = (),
        longest_s: float | None = None,
        unconfined: bool = False,
        memory: int = MOST_MEMORY,
        processors: int = 1,
        devices: Sequence[Path] = (),
        tell: Tell | None = None,
        demand_wanted: Callable[[], object] | None = None,
    ) -> Any:
        """Ask a process and return its answer.

        `readable`, `writable`: folders and files that it may touch. `longest_s`: when it is ended, else after
        `LONGEST_S`. `unconfined`: whether it is answered where the system cannot confine a process, as the setting
        `unconfined_reading` says.
        `memory`, `processors`, `devices`: bytes, processors and files of a GPU that it may take. `tell`: told how far
        it is. `demand_wanted`: called some times a second; what it raises ends the process.
        Raises ReaderDied where the process died or took longer, ReadersBusy where too many wait, CannotConfine, and
        what the work raised of `tomarium.errors`.
        """
        if not unconfined and not means().landlock:
            raise CannotConfine(
                f"files are not read for pages on this machine: {means().why}. To read them without that protection: "
                f"tomarium settings {SETTING} yes"
            )
        if not self._waiting.acquire(blocking=False):
            raise ReadersBusy("too many files are being read now; try again in a moment")
        longest_s = LONGEST_S if longest_s is None else longest_s
        try:
            child = self._idle.get(timeout=2 * longest_s)
        except queue.Empty:
            raise ReadersBusy("too many files are being read now; try again in a moment") from None
        finally:
            self._waiting.release()
        try:
            child = child or _Child(self._work, self._computes)
            task = Task(
                question, tuple(readable), tuple(writable), longest_s, unconfined, memory, processors, tuple(devices)
            )  # fmt: skip
            return child.ask(task, tell, demand_wanted)
        finally:
            self._idle.put(child if child is not None and child.lives else None)

    def close(self) -> None:
        """End the processes that wait for questions."""
        atexit.unregister(self.close)
        idle: list[_Child | None] = []
        with suppress(queue.Empty):
            while (
                True
            ):  # all are taken out before any place is given back: the last one in is the first one out
                idle.append(self._idle.get_nowait())
        for child in idle:
            if child is not None:
                child.end()
            self._idle.put(None)


class _Child:
    def __init__(
        self, work: tuple[Callable[[Any], Any], Callable[[], object] | None], computes: bool = False
    ) -> None:
        self._pipe, child_end = Pipe()
        self._scratch = tempfile.mkdtemp(prefix="tomarium-reader-")
        words = [sys.executable, "-P", "-W", "ignore", "-m", child_process.__name__, str(child_end.fileno())]
        self.lives = True
        self._process = subprocess.Popen(
            words, pass_fds=[child_end.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env={**child_process.environment(computes=computes), "TMPDIR": self._scratch}, start_new_session=True,
        )  # fmt: skip
        child_end.close()
        try:
            self._pipe.send_bytes(pickle.dumps((sys.path, pickle.dumps(work))))
            if self._pipe.poll(START_S) and self._pipe.recv_bytes():
                return
        except (EOFError, OSError):
            pass
        self.end()
        raise ReaderDied("the process that reads files could not begin")

    def ask(
        self, task: Task, tell: Tell | None = None, demand_wanted: Callable[[], object] | None = None
    ) -> Any:
        try:
            self._pipe.send_bytes(pickle.dumps(task))
            message = self._wait(task.longest_s, tell, demand_wanted)
        except (EOFError, OSError) as problem:
            self.end()
            raise ReaderDied("the library crashed on it; the file is damaged") from problem
        except BaseException:
            self.end()
            raise
        if message[:1] != b"t":
            raise ReaderDied(_why(int(message[1:])))
        try:
            return child_process.reading(message[1:])
        except (ValueError, RecursionError) as problem:
            raise ReaderDied("the process that read it answered nonsense; the file is damaged") from problem

    def _wait(self, longest_s: float, tell: Tell | None, demand_wanted: Callable[[], object] | None) -> bytes:
        """Wait for the answer, and pass on how far it is."""
        begun, last = time.monotonic(), 0.0
        newest: tuple[str, int, int] | None = None
        while (left_s := begun + longest_s - time.monotonic()) > 0:
            answered = self._pipe.poll(
                left_s if tell is None and demand_wanted is None else min(left_s, LOOK_S)
            )
            if answered:
                message = self._pipe.recv_bytes()
                if message[:1] != AT_WORK:
                    return message
                newest = _progress(message[1:])
            now = time.monotonic()
            if newest is not None and tell is not None and (not answered or now - last >= TELL_S):
                tell(*newest)
                newest, last = None, now
            if demand_wanted is not None:
                demand_wanted()
        raise ReaderDied(f"reading it takes longer than {longest_s:g} s; choose a smaller part")

    def end(self) -> None:
        if not self.lives:
            return
        self.lives = False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # with the fork that reads
        self._process.wait(60)
        self._pipe.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


def _progress(content: bytes) -> tuple[str, int, int]:
    try:
        return read_progress(content)
    except (ValueError, RecursionError) as problem:
        raise ReaderDied("the process that read it told nonsense; the file is damaged") from problem


def _why(code: int) -> str:
    """Say why the fork ended without an answer."""
    if code == -signal.SIGXCPU:
        return "reading it takes too much processor time; choose a smaller part"
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"the library crashed on it ({name}); the file is damaged"
