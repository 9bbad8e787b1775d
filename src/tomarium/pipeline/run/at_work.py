"""Which process is at work on something, what it says of itself, and whether it is still there."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from tomarium.atomic_files import replacing
from tomarium.errors import FormatError, Interrupted

NAME: Final = "at_work.json"
"""File in which a process says that it is at work, beside what it works on."""

BEGINS: Final = "before its first slab"

Presence = Literal["runs", "halted", "gone", "elsewhere"]
"""Whether a process is there; "halted" by Ctrl-Z; "elsewhere" where it cannot be seen from here."""

_PROC: Final = Path("/proc")
_PS_ANSWERS_WITHIN_S: Final = 10.0


@dataclass(frozen=True)
class ProcessMark:
    """What tells a process from all others, also when its number is given anew.

    Attributes
    ----------
    process : int
        Its number.
    started : str
        When it was started, as the system counts it.
    host, machine, boot : str
        Its computer: name, identifier, and which start of it; empty where the system does not tell.
    namespace : str
        Where its number counts; a container has its own.
    """

    process: int
    started: str
    host: str
    machine: str
    boot: str
    namespace: str


@dataclass(frozen=True)
class Stage:
    """A section of a run, by its plan.

    Attributes
    ----------
    name : str
        As it is shown.
    slabs : int
        How many it has.
    seconds : float
        Estimate of its time.
    """

    name: str
    slabs: int
    seconds: float


@dataclass(frozen=True)
class AtWork:
    """What a process says of its work.

    Attributes
    ----------
    mark : ProcessMark
        The process.
    command, folder : str
        What was typed, and in which folder; the first is empty where it was no command of tomarium.
    executor : str
        How slabs are shared out, as for `tomarium.executors.find_executor`; empty where that is not told.
    began : float
        When, seconds since 1970.
    stages : tuple of Stage
        Sections, once they are planned.
    stage : int
        Section that is at work; -1 before the first, their number behind the last.
    doing : str
        The same in words.
    since : float
        When it was begun.
    had : int
        Its slabs that were done before.
    state : {"running", "stopped", "failed"}
        By its own word: a process that was killed is "running" for ever.
    problem : str
        Why it was stopped, or failed.
    ended : float
        When; 0 before.
    """

    mark: ProcessMark
    command: str
    folder: str
    executor: str
    began: float
    stages: tuple[Stage, ...] = ()
    stage: int = -1
    doing: str = ""
    since: float = 0.0
    had: int = 0
    state: str = "running"
    problem: str = ""
    ended: float = 0.0


@dataclass
class Word:
    """The file in which this process says that it is at work, and how far.

    Attributes
    ----------
    folder : Path or None
        Where it lies; None where nothing is kept.
    """

    folder: Path | None
    _told: AtWork | None = field(default=None, repr=False)

    def begin(self, executor: str = "") -> None:
        """Say that this process is at work.

        Parameters
        ----------
        executor : str
            How slabs are shared out.
        """
        if self.folder is not None:
            now = time.time()
            self._write(
                AtWork(
                    this_process(), command_line(), str(Path.cwd()), executor, now, doing=BEGINS, since=now
                )
            )

    def tell(self, **changes: Any) -> None:
        """Say what has changed.

        Parameters
        ----------
        **changes : object
            Attributes of `AtWork`.
        """
        if self._told is not None:
            self._write(replace(self._told, **changes))

    def end(self, state: Literal["stopped", "failed"], problem: str) -> None:
        """Say that the work has ended before its end, where the disk takes that.

        Parameters
        ----------
        state : {"stopped", "failed"}
            How.
        problem : str
            Why.
        """
        if self.folder is not None and self.folder.is_dir():
            with suppress(OSError):
                self.tell(state=state, problem=problem, ended=time.time())

    def _write(self, told: AtWork) -> None:
        assert self.folder is not None
        self._told = told
        # not forced to disk, as it means nothing once the computer was started anew
        with replacing(self.folder / NAME) as draft:
            draft.write_text(
                json.dumps(asdict(told), ensure_ascii=False), encoding="utf-8", errors="surrogateescape"
            )


@contextmanager
def saying_at_work(folder: Path, executor: str = "") -> Iterator[None]:
    """Say in a folder, within the block, that this process is at work, and how the work was stopped or failed.

    Parameters
    ----------
    folder : Path
        What is worked on.
    executor : str
        How slabs are shared out.

    Yields
    ------
    None
        Others can read of it; the word is removed where the block comes to its end.
    """
    word = Word(folder)
    word.begin(executor)
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as stop:
        word.end("stopped", str(stop))
        raise
    except Exception as problem:
        word.end("failed", str(problem) or type(problem).__name__)
        raise
    (folder / NAME).unlink(missing_ok=True)


def read_at_work(folder: Path) -> AtWork | None:
    """Read what a process has said of its work.

    Parameters
    ----------
    folder : Path
        Where it said so.

    Returns
    -------
    AtWork or None
        None where no process has.

    Raises
    ------
    FormatError
        The file is damaged.
    """
    path = folder / NAME
    try:
        return _of_data(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError, KeyError, AttributeError) as problem:
        raise FormatError(f"{path}: cannot be read ({type(problem).__name__}: {problem})") from problem


def _of_data(content: Mapping[str, Any]) -> AtWork:
    known = {one.name for one in fields(AtWork)}
    values = {name: value for name, value in content.items() if name in known}
    mark = ProcessMark(**{one.name: content["mark"][one.name] for one in fields(ProcessMark)})
    stages = tuple(
        Stage(str(stage["name"]), int(stage["slabs"]), float(stage["seconds"])) for stage in content["stages"]
    )
    for name in ("began", "since", "ended"):
        values[name] = float(values.get(name, 0.0))
    return AtWork(**{**values, "mark": mark, "stages": stages})


def command_line() -> str:
    """Write the command that this process carries out as it is typed; empty where it is none of tomarium's."""
    program = Path(sys.argv[0]) if sys.argv else Path()
    if program.name == "tomarium" or program.parts[-2:] == ("tomarium", "__main__.py"):
        return shlex.join(["tomarium", *sys.argv[1:]])
    return ""


def this_process() -> ProcessMark:
    """Tell this process from all others."""
    seen = _seen(os.getpid())
    return ProcessMark(
        os.getpid(), "" if seen is None else seen[1], socket.gethostname(), _machine(), boot(), _namespace()
    )


def presence(mark: ProcessMark) -> Presence:
    """Tell whether a process is there.

    Parameters
    ----------
    mark : ProcessMark
        The process.

    Returns
    -------
    str
        One of `Presence`. "elsewhere" is said of another computer, of another container, and where this system shows
        nothing of processes of others.
    """
    if (mark.host, mark.machine) != (socket.gethostname(), _machine()):
        return "elsewhere"
    if mark.boot != boot():
        return "gone"
    if mark.namespace != _namespace():
        return "elsewhere"
    seen = _seen(mark.process)
    if seen is None:
        return "elsewhere" if _is_hidden(mark.process) else "gone"
    state, started = seen
    if state in "ZX" or (mark.started and started != mark.started):
        return "gone"
    return "halted" if state in "Tt" else "runs"


def _seen(process: int) -> tuple[str, str] | None:
    """Return the state of a process, one letter, and when it was started; None where none is seen."""
    if not (_PROC / "self" / "stat").exists():
        return _asked(process)
    try:
        words = (_PROC / str(process) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return words[0], words[19]  # fields 3 and 22 of proc_pid_stat(5)
    except (OSError, IndexError):
        return None


def _asked(process: int) -> tuple[str, str] | None:
    """Ask `ps`, where the system has no /proc."""
    try:
        answer = subprocess.run(
            ["ps", "-o", "state=,lstart=", "-p", str(process)],
            capture_output=True, text=True, timeout=_PS_ANSWERS_WITHIN_S, check=False,
        ).stdout.split()  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (answer[0][0], " ".join(answer[1:])) if answer else None


def _is_hidden(process: int) -> bool:
    """Tell whether there is a process of this number, of which this system shows nothing."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return False  # it was begun just now, and is another


def boot() -> str:
    """Tell one start of this computer from another; empty where that cannot be known."""
    return _line(_PROC / "sys" / "kernel" / "random" / "boot_id")


def _machine() -> str:
    return _line(Path("/etc/machine-id"))


def _namespace() -> str:
    with suppress(OSError):
        return str((_PROC / "self" / "ns" / "pid").readlink())
    return ""


def _line(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return ""
