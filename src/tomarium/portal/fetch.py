"""Fetching files over HTTP, several at a time: each goes on where it was cut, and is there only when it is whole."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import queue
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from io import FileIO
from pathlib import Path
from typing import Final

from tomarium.catalogue.checksums import sum_file
from tomarium.catalogue.contents import Content
from tomarium.errors import FormatError, InputError, Interrupted, StorageFull
from tomarium.portal.client import TRIES, Answer, Portal, is_temporary, wait_s, words

Refusal = Callable[[Answer], InputError]
BLOCK: Final = 1 << 18
PARTIAL: Final = re.compile(r"\.[0-9a-f]{12}\.partial$")
"""The end of the names of files that are not whole yet."""

_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class FileToFetch:
    """A file to fetch.

    Attributes
    ----------
    path : str
        Address below the portal's.
    place, partial : Path
        Where it is when it is whole, and while it is not.
    bytes : int
        Its size.
    sha256 : str
        Its checksum; "" where it has none, and then `tag` tells whether it is still the same.
    tag : str
        Its ETag.
    """

    path: str
    place: Path
    partial: Path
    bytes: int
    sha256: str
    tag: str = ""


def partial_of(folder: Path, content: Content) -> Path:
    """Return where a file of a record lies while it is not whole; another content has another place.

    Parameters
    ----------
    folder : Path
        Of the record.
    content : Content
        The file.

    Returns
    -------
    Path
        Beside the file's own place.
    """
    place = folder / content.path
    mark = hashlib.sha256(f"{content.path}\n{content.sha256}".encode()).hexdigest()[:12]
    return place.with_name(f"{place.name[:40]}.{mark}.partial")


@dataclass
class _Progress:
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    done: int = 0
    fetched: int = 0
    problem: BaseException | None = None

    def add(self, present: int, fetched: int) -> None:
        with self.lock:
            self.done += present
            self.fetched += fetched

    def fail(self, problem: BaseException) -> None:
        with self.lock:
            self.problem = self.problem or problem
        self.stop.set()


def fetch(
    portal: Portal,
    files: Sequence[FileToFetch],
    jobs: int,
    refusal: Refusal,
    tell: Callable[[str, int, int], object] | None = None,
) -> int:
    """Fetch files.

    Parameters
    ----------
    portal : Portal
        Where from.
    files : sequence of FileToFetch
        The files; what is there already is read and compared, and not fetched.
    jobs : int
        How many at a time.
    refusal : callable
        Makes an error of an answer that refuses a file.
    tell : callable, optional
        Told of progress in this thread: a word, megabytes done, megabytes in all.

    Returns
    -------
    int
        Bytes that were sent now.

    Raises
    ------
    InputError
        The portal refuses a file, or another one is there in its place.
    FormatError
        A file is not what the portal lists.
    Interrupted, StorageFull
        Stopped half-way; partial files are kept.
    """
    progress, waiting = _Progress(), queue.SimpleQueue[FileToFetch]()
    for file in files:
        waiting.put(file)
    workers = [
        threading.Thread(target=_work, args=(portal, waiting, refusal, progress), daemon=True)
        for _ in range(max(1, min(jobs, len(files))))
    ]
    for worker in workers:
        worker.start()
    total = sum(file.bytes for file in files)
    try:
        for worker in workers:
            while worker.is_alive():
                worker.join(0.1)
                if tell and progress.done < total:
                    tell("fetch (MB)", progress.done // 1_000_000, -(-total // 1_000_000))
    except KeyboardInterrupt as stopped:
        progress.stop.set()
        for worker in workers:
            worker.join(1)
        raise Interrupted(
            "stopped; what is there is kept, start the same command again to go on"
        ) from stopped
    if progress.problem is not None:
        raise progress.problem
    if tell:
        tell("fetch (MB)", -(-total // 1_000_000), -(-total // 1_000_000))
    return progress.fetched


def _work(
    portal: Portal,
    waiting: queue.SimpleQueue[FileToFetch],
    refusal: Refusal,
    progress: _Progress,
) -> None:
    while not progress.stop.is_set():
        try:
            file = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            _fetch_one(portal, file, refusal, progress)
        except OSError as problem:
            progress.fail(_disk_error(file, problem))
        except BaseException as problem:
            progress.fail(problem)


def _disk_error(file: FileToFetch, problem: OSError) -> Exception:
    if problem.errno in _FULL:
        return StorageFull(
            f"{file.place}: the disk is full; what is there is kept. Free some space, then start the same command again"
        )
    return Interrupted(
        f"{file.place}: cannot be written ({problem.strerror or problem}); what is there is kept, start the same "
        f"command again to go on"
    )


def _fetch_one(portal: Portal, file: FileToFetch, refusal: Refusal, progress: _Progress) -> None:
    if file.place.exists():
        if sum_file(file.place).sha256 != file.sha256:
            raise InputError(
                f"{file.place}: is there and is another file than the portal's; remove it, or give another folder"
            )
        progress.add(file.bytes, 0)
        return
    file.place.parent.mkdir(parents=True, exist_ok=True)
    good, resumed = _attempt(portal, file, refusal, progress)
    if not good and resumed:  # what was there was damaged, such as by a loss of power
        good, _ = _attempt(portal, file, refusal, progress)
    if not good:
        listed = f"SHA-256 {file.sha256[:16]}…, " if file.sha256 else ""
        raise FormatError(
            f"{portal.address}{file.path}: is not what the portal lists ({listed}{file.bytes} bytes); it was not kept. "
            f"It may have been changed just now: start again, or ask the portal's keeper"
        )


def _attempt(portal: Portal, wanted: FileToFetch, refusal: Refusal, progress: _Progress) -> tuple[bool, bool]:
    """Fetch what is missing of a file; tell whether it is what it should be, and whether some of it was there."""
    descriptor = os.open(wanted.partial, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    with FileIO(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise InputError(
                f"{wanted.place}: another process is fetching this file; wait for it"
            ) from problem
        transfer = _Transfer(portal, wanted, file, progress)
        resumed = transfer.read_what_is_there()
        if transfer.receive(refusal) and wanted.sha256 in ("", transfer.digest.hexdigest()):
            os.fsync(descriptor)
            wanted.partial.replace(wanted.place)
            return True, resumed
        transfer.clear()
        wanted.partial.unlink()
        return False, resumed


class _Transfer:
    """One file that comes; `digest` is of the bytes before the file's place, always."""

    def __init__(self, portal: Portal, wanted: FileToFetch, file: FileIO, progress: _Progress) -> None:
        self.portal, self.wanted, self.file, self.progress = portal, wanted, file, progress
        self.digest = hashlib.sha256()

    def read_what_is_there(self) -> bool:
        if os.fstat(self.file.fileno()).st_size > self.wanted.bytes:
            self.file.truncate(0)
        while block := self.file.read(BLOCK):
            self._demand_going()
            self.digest.update(block)
            self.progress.add(len(block), 0)
        return self.file.tell() > 0

    def clear(self) -> None:
        self.progress.add(-self.file.tell(), 0)
        self.file.seek(0)
        self.file.truncate(0)
        self.digest = hashlib.sha256()

    def receive(self, refusal: Refusal) -> bool:
        """Receive to the end, in as many requests as it takes; tell whether sizes are those that were told."""
        furthest, failed = self.file.tell(), 0
        while self.file.tell() < self.wanted.bytes:
            answer, reason = None, ""
            try:
                with self.portal.follow(self.wanted.path, self._headers()) as answer:
                    if answer.status == 416:
                        return False
                    if answer.stream is None:
                        if not is_temporary(answer.status):
                            raise refusal(answer)
                        reason = words(answer)
                    elif not self._suits(answer):
                        return False
                    else:
                        self._copy(answer.stream)
                        reason = "the connection was cut"
            except OSError as problem:
                reason = str(problem)
            if self.file.tell() > furthest:
                furthest, failed = self.file.tell(), 0
            elif self.file.tell() < self.wanted.bytes:
                failed += 1
            if failed > TRIES:
                raise Interrupted(
                    f"{self.portal.address}{self.wanted.path}: {reason}; what is there is kept, start the same command "
                    f"again to go on"
                )
            if self.file.tell() < self.wanted.bytes:
                self.progress.stop.wait(wait_s(max(0, failed - 1), answer))
                self._demand_going()
        return True

    def _headers(self) -> dict[str, str]:
        if not self.file.tell():
            return {}
        tag = {"If-Range": self.wanted.tag} if self.wanted.tag else {}
        return {"Range": f"bytes={self.file.tell()}-", **tag}

    def _suits(self, answer: Answer) -> bool:
        """Tell whether an answer is of the file that is wanted; one that begins anew is taken from its beginning."""
        if self.wanted.tag and answer.headers.get("ETag") != self.wanted.tag:
            return False
        if answer.status == 200:
            if answer.headers.get("Content-Length", str(self.wanted.bytes)) != str(self.wanted.bytes):
                return False
            if self.file.tell():
                self.clear()
            return True
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        span = (int(match[1]), int(match[3])) if match else None
        return answer.status == 206 and span == (self.file.tell(), self.wanted.bytes)

    def _copy(self, stream: HTTPResponse) -> None:
        while room := self.wanted.bytes - self.file.tell():
            self._demand_going()
            block = stream.read1(min(BLOCK, room))
            if not block:
                return
            unwritten = memoryview(block)
            try:
                while unwritten:
                    unwritten = unwritten[self.file.write(unwritten) :]
            except OSError as problem:
                raise _disk_error(self.wanted, problem) from problem
            self.digest.update(block)
            self.progress.add(len(block), len(block))

    def _demand_going(self) -> None:
        if self.progress.stop.is_set():
            raise Interrupted("stopped; what is there is kept, start the same command again to go on")
