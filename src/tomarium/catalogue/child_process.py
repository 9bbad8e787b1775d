"""The process that answers for `child_reader`: it forks for each question, and the fork gives up what it may do first.

Nothing that comes back is unpickled: an answer is JSON and bytes, so that whoever takes over the fork can hand a wrong
answer to the portal, and nothing more.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import mimetypes
import os
import pickle
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from tomarium import errors
from tomarium.catalogue.child_progress import AT_WORK, HEAD, TELLER
from tomarium.confinement import CannotConfine, confine, limit, means, needed_by_python
from tomarium.errors import TomariumError

MOST_MEMORY: Final = 6 << 30
MOST_ANSWERED: Final = 1 << 30
_OPEN_FILES: Final = 512
_SCRATCH_BYTES: Final = 16 << 30
_ONCE: Final = (
    "h5py",
    "hdf5plugin",
    "zarr",
    "tifffile",
    "PIL.Image",
    "PIL.PngImagePlugin",
    "PIL.WebPImagePlugin",
    *(f"PIL.{name}ImagePlugin" for name in ("Bmp", "Gif", "Jpeg", "Ppm")),  # as the first picture asks
    "resource",
    "tomarium.formats.zarr.chunk_check",
    "tomarium.formats.zarr.contained_store",
)
"""What most questions import, which is done once, before any fork."""
_READY, _TOLD, _DIED = b"r", b"t", b"d"
_MOST_WORDS: Final = 2000
_LIMITED: Final = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Task:
    """A question, and what may be touched for it.

    Attributes
    ----------
    question : object
        What the work is called with.
    readable, writable : tuple of Path
        Folders and files.
    longest_s : float
        Seconds that it may take.
    unconfined : bool
        Whether it is answered where the system has no Landlock.
    memory : int
        Bytes that it may take.
    processors : int
        How many it may keep busy all that time.
    devices : tuple of Path
        Files of a GPU that it may use.
    """

    question: Any
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    longest_s: float
    unconfined: bool
    memory: int = MOST_MEMORY
    processors: int = 1
    devices: tuple[Path, ...] = ()


def to_bytes(answer: Any) -> bytes:
    """Write an answer: None, numbers, texts, bytes, sequences of those, and mappings with texts as keys."""
    blobs: list[bytes] = []

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            blobs.append(value)
            return {"bytes": len(value)}
        if isinstance(value, dict):
            return {"of": {key: plain(member) for key, member in value.items()}}
        return [plain(member) for member in value] if isinstance(value, (list, tuple)) else value

    head = json.dumps(plain(answer)).encode()
    return b"".join([len(head).to_bytes(8, "little"), head, *blobs])


def from_bytes(content: bytes) -> Any:
    """Read an answer; sequences come as lists. Raises ValueError where it is none."""
    at = 8 + int.from_bytes(content[:8], "little")

    def restored(value: Any) -> Any:
        nonlocal at
        if isinstance(value, list):
            return [restored(member) for member in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("of"), dict):
            return {key: restored(member) for key, member in value["of"].items()}
        size = value.get("bytes")
        if type(size) is not int or not 0 <= size <= len(content) - at:
            raise ValueError("bytes that are not there")
        at += size
        return content[at - size : at]

    return restored(json.loads(content[8:at]))


def serve(pipe: Connection) -> None:
    """Answer questions until the one who asks ends."""
    sys.path[:], work = pickle.loads(pipe.recv_bytes())
    for name in _ONCE:
        with suppress(ImportError):
            importlib.import_module(name)
    answer, before = pickle.loads(work)
    if before is not None:
        before()
    mimetypes.init()  # reads /etc/mime.types, once
    if means().landlock:
        needed_by_python()
    gc.freeze()  # a collection in a fork would copy the pages of all that was imported
    pipe.send_bytes(_READY)
    while True:
        try:
            task: Task = pickle.loads(pipe.recv_bytes())
        except (EOFError, KeyboardInterrupt):
            return
        scratch = Path(tempfile.mkdtemp(prefix="tomarium-reader-"))
        try:
            pipe.send_bytes(_in_a_fork(answer, task, scratch, pipe))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _in_a_fork(answer: Callable[[Any], Any], task: Task, scratch: Path, pipe: Connection) -> bytes:
    """Answer in a process of its own; tell its answer, or by what it died."""
    sink, source = os.pipe()
    child = os.fork()
    if not child:
        pipe.close()
        os.close(sink)
        _answer_and_end(answer, task, scratch, source)
    os.close(source)
    with open(sink, "rb", buffering=0) as file_io:  # noqa: PTH123  # a number of a pipe is no path
        content = _until_end(file_io, pipe)
    if content is None:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return _TOLD + content if code == 0 and content is not None else _DIED + str(code).encode()


def _until_end(messages: io.FileIO, pipe: Connection) -> bytes | None:
    """Read what the fork tells until it ends, and pass on how far it is.

    None where that is too much, or the one who asked has ended; b"" where it is no answer.
    """
    content = bytearray()
    while len(content) <= MOST_ANSWERED:
        # Who asked sends nothing meanwhile: what can be read there is the end of it.
        if pipe in wait([messages.fileno(), pipe]):
            return None
        part = messages.read(1 << 20)
        if not part:
            is_whole = content[:1] == _TOLD and len(content) == HEAD + _length(content)
            return bytes(content[HEAD:]) if is_whole else b""
        content += part
        while content[:1] == AT_WORK and len(content) >= HEAD:
            size = _length(content)
            if size > _MOST_WORDS:
                return None
            if len(content) < HEAD + size:
                break
            pipe.send_bytes(AT_WORK + content[HEAD : HEAD + size])
            del content[: HEAD + size]
    return None


def _length(content: bytearray) -> int:
    return int.from_bytes(content[1:HEAD], "little")


def _answer_and_end(answer: Callable[[Any], Any], task: Task, scratch: Path, descriptor: int) -> None:
    """Answer, and end without what Python does at the end of a program."""
    code = 1
    try:
        TELLER.file = descriptor
        TELLER(_TOLD, to_bytes(_answered(answer, task, scratch)))
        code = 0
    finally:
        os._exit(code)


def _answered(answer: Callable[[Any], Any], task: Task, scratch: Path) -> dict[str, Any]:
    try:
        _confine(task, scratch)
        return {"told": answer(task.question)}
    except TomariumError as problem:
        return {"raised": type(problem).__name__, "text": str(problem)}
    except MemoryError:
        most = f"{task.memory >> 30} GiB"
        return {
            "raised": "FormatError",
            "text": f"reading it takes more than {most} of memory; the file is damaged",
        }
    except Exception as problem:
        return {"raised": "", "text": f"an error of tomarium itself: {type(problem).__name__}: {problem}"}


def _confine(task: Task, scratch: Path) -> None:
    """Give up what the question does not need."""
    tempfile.tempdir = str(scratch)
    limit(
        memory=task.memory,
        cpu_s=int(task.longest_s) * task.processors + 2,
        file_bytes=None if task.writable else _SCRATCH_BYTES,
        open_files=_OPEN_FILES,
    )
    if means().landlock or not task.unconfined:
        confine(task.readable, (*task.writable, scratch), task.devices)


def reading(content: bytes) -> Any:
    """Return what was told, or raise the error that was; ValueError for what is neither. For the one who asked."""
    message = from_bytes(content)
    if not isinstance(message, dict) or ("told" not in message and "raised" not in message):
        raise ValueError("no answer")
    if "told" in message:
        return message["told"]
    error = (
        CannotConfine
        if message["raised"] == CannotConfine.__name__
        else getattr(errors, str(message["raised"]), None)
    )
    kind = error if isinstance(error, type) and issubclass(error, TomariumError) else TomariumError
    raise kind(str(message.get("text", ""))[:4000])


def environment(*, computes: bool = False) -> dict[str, str]:
    """Return what such a process is told of this one's environment: no password, and no plugin of HDF5.

    One that computes may take the processors and the GPU that this one may.
    """
    names: Sequence[str] = (
        "PATH",
        "LANG",
        "LC_ALL",
        "TZ",
        "LD_LIBRARY_PATH",
        "TMPDIR",
        "PYTHONDONTWRITEBYTECODE",
    )
    own = (*_LIMITED, "TOMARIUM_DEVICE", "TOMARIUM_INSTRUCTIONS", "CUDA_VISIBLE_DEVICES")
    limited = {key: os.environ[key] for key in own if key in os.environ} if computes else _LIMITED
    plugins = {"HDF5_PLUGIN_PRELOAD": "::", "HDF5_PLUGIN_PATH": ""}
    return {key: os.environ[key] for key in names if key in os.environ} | limited | plugins


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked ends it
    serve(Connection(int(sys.argv[1])))
