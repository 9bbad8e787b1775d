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
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Final

from tomarium.catalogue import child_process
from tomarium.catalogue.child_process import Task
from tomarium.confinement import CannotConfine, means
from tomarium.errors import TomariumError

LONGEST_S: Final = 20.0
START_S: Final = 60.0
SETTING: Final = "unconfined_reading"


class ReaderDied(TomariumError):
    """The process that read ended without an answer, or took too long."""


class ReadersBusy(TomariumError):
    """All processes are reading for others."""


class ChildReaders:
    """A few processes that each answer one question at a time; they begin when they are first needed.

    `work(question)` is a function of a module; what it returns, `child_process.to_bytes` can write.
    `before()` is called once in each process, for what all questions need. More than `waiting` questions are refused.
    """

    def __init__(
        self,
        work: Callable[[Any], Any],
        count: int = 2,
        *,
        before: Callable[[], object] | None = None,
        waiting: int = 16,
    ) -> None:
        self._work = (work, before)
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
        longest_s: float = LONGEST_S,
        unconfined: bool = False,
    ) -> Any:
        """Have a question answered by a process.

        `readable`, `writable`: folders and files that it may touch. `longest_s`: when it is ended. `unconfined`:
        whether it is answered where the system cannot confine a process, as the setting `unconfined_reading` says.
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
        try:
            child = self._idle.get(timeout=2 * longest_s)
        except queue.Empty:
            raise ReadersBusy("too many files are being read now; try again in a moment") from None
        finally:
            self._waiting.release()
        try:
            child = child or _Child(self._work)
            return child.ask(Task(question, tuple(readable), tuple(writable), longest_s, unconfined))
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
    def __init__(self, work: tuple[Callable[[Any], Any], Callable[[], object] | None]) -> None:
        self._pipe, other = Pipe()
        self._scratch = tempfile.mkdtemp(prefix="tomarium-reader-")
        words = [sys.executable, "-P", "-W", "ignore", "-m", child_process.__name__, str(other.fileno())]
        self.lives = True
        self._process = subprocess.Popen(
            words, pass_fds=[other.fileno()], env={**child_process.environment(), "TMPDIR": self._scratch},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        other.close()
        try:
            self._pipe.send_bytes(pickle.dumps((sys.path, pickle.dumps(work))))
            if self._pipe.poll(START_S) and self._pipe.recv_bytes():
                return
        except (EOFError, OSError):
            pass
        self.end()
        raise ReaderDied("the process that reads files could not begin")

    def ask(self, task: Task) -> Any:
        try:
            self._pipe.send_bytes(pickle.dumps(task))
            if not self._pipe.poll(task.longest_s):
                self.end()
                raise ReaderDied(f"reading it takes longer than {task.longest_s:g} s; choose a smaller part")
            told = self._pipe.recv_bytes()
        except (EOFError, OSError) as problem:
            self.end()
            raise ReaderDied("the library crashed on it; the file is damaged") from problem
        except KeyboardInterrupt:
            self.end()
            raise
        if told[:1] != b"t":
            raise ReaderDied(_why(int(told[1:])))
        try:
            return child_process.reading(told[1:])
        except (ValueError, RecursionError) as problem:
            raise ReaderDied("the process that read it answered nonsense; the file is damaged") from problem

    def end(self) -> None:
        self.lives = False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # with the fork that reads
        self._process.wait(5)
        self._pipe.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


def _why(code: int) -> str:
    """Say why the fork ended without an answer."""
    if code == -signal.SIGXCPU:
        return "reading it takes too much processor time; choose a smaller part"
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"the library crashed on it ({name}); the file is damaged"
