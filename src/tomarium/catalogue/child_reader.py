"""Processes that read files of strangers: one that a damaged file kills, or keeps busy for ever, is replaced."""

from __future__ import annotations

import multiprocessing
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final, Generic, TypeVar

from tomarium.errors import TomariumError

MOST_MEMORY: Final = 6 << 30
LONGEST_S: Final = 20.0
START_S: Final = 60.0

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class ReaderDied(TomariumError):
    """The process that read ended without an answer, or took too long."""


class ReadersBusy(TomariumError):
    """All processes are reading for others."""


class ChildReaders(Generic[Asked, Told]):
    """A few processes that each answer one question at a time; they begin when they are first needed."""

    def __init__(self, work: Callable[[Asked], Told], count: int = 2) -> None:
        self._work = work
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)
        self._waiting = threading.BoundedSemaphore(16)

    def ask(self, question: Asked, *, longest_s: float = LONGEST_S) -> Told:
        """Have a question answered by a process.

        `longest_s`: when the process is ended. Raises ReaderDied where the process died or took longer, ReadersBusy
        where too many wait.
        """
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
            told: Told = child.ask(question, longest_s)
            return told
        except ReaderDied:
            child = None
            raise
        finally:
            self._idle.put(child)

    def close(self) -> None:
        """End the processes that wait for questions."""
        for _ in range(self._idle.qsize()):
            with suppress(queue.Empty):
                child = self._idle.get_nowait()
                if child is not None:
                    child.end()
                self._idle.put(None)


class _Child:
    def __init__(self, work: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, work), daemon=True)
        self._process.start()
        other.close()
        if not self._pipe.poll(START_S) or not self._told_ready():
            self.end()
            raise ReaderDied("the process that reads files could not begin")

    def _told_ready(self) -> bool:
        try:
            return bool(self._pipe.recv() == "ready")
        except EOFError:
            return False

    def ask(self, question: Any, longest_s: float) -> Any:
        try:
            self._pipe.send(question)
            if not self._pipe.poll(longest_s):
                self.end()
                raise ReaderDied(f"reading it takes longer than {longest_s:g} s; choose a smaller part")
            return self._pipe.recv()
        except (EOFError, OSError) as problem:
            self.end()
            raise ReaderDied("the library crashed on it; the file is damaged") from problem

    def end(self) -> None:
        self._process.kill()
        self._process.join(5)
        self._pipe.close()


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """Answer questions until the one who asks ends."""
    _limit_memory()
    pipe.send("ready")
    while True:
        try:
            question = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        pipe.send(work(question))


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
