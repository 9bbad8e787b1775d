"""The log book of a beamtime: what people remark and programs note, a line of JSON each, in the beamtime's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

from tomarium.atomic_files import adding_to, write_whole
from tomarium.catalogue.log_files import LARGEST_BYTES
from tomarium.errors import ParameterError

LOG: Final = "log.jsonl"
LOG_FILES: Final = "log-files"
"""Folder beside it for pictures and files of entries."""
LONGEST: Final = 4000
"""Characters of a remark at most."""
LONGEST_NAME: Final = 100


@dataclass(frozen=True)
class LogEntry:
    """A line of the log book.

    Attributes
    ----------
    when, who, text : str
        When (ISO 8601), who, what.
    machine : bool
        Whether a program wrote it.
    key : str
        Of a program's entry: what it is about, so that it is written once; "" of a person's remark.
    tags : tuple of str
        Words by which entries are chosen in the catalogue.
    files : tuple of str
        Names of its pictures and files in the folder `log-files` beside the log book.
    """

    when: str
    who: str
    text: str
    machine: bool = False
    key: str = ""
    tags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """Its text, and the names of its files without the checksums they begin with."""
        names = ", ".join(file.partition("-")[2] for file in self.files)
        return f"{self.text} ({names})" if names else self.text


def read_log(folder: Path) -> tuple[LogEntry, ...]:
    """Read the log book of a beamtime.

    Parameters
    ----------
    folder : Path
        Of the beamtime.

    Returns
    -------
    tuple of LogEntry
        In the order in which they were written; empty where there is no log book. A line that is none, as the last one
        of a writer that was killed, is left out.

    Raises
    ------
    OSError
        The file is there, and cannot be read.
    """
    try:
        content = (folder / LOG).read_bytes()
    except FileNotFoundError:
        return ()
    return tuple(_entries(content.splitlines()))


def write_remark(
    folder: Path, who: str, text: str, tags: Sequence[str] = (), files: Sequence[Path] = ()
) -> LogEntry:
    """Write what a person has to say into the log book.

    Parameters
    ----------
    folder : Path
        Of the beamtime.
    who, text : str
        Who says it, and what.
    tags : sequence of str
        Words without spaces.
    files : sequence of Path
        Pictures and files; they are copied into the folder `log-files`.

    Returns
    -------
    LogEntry
        As it was written.

    Raises
    ------
    ParameterError
        One of them is empty or too long, or a file too large.
    OSError
        It cannot be written, or a file not be read.
    """
    for value, name, most in ((who, "name", LONGEST_NAME), (text, "remark", LONGEST)):
        if not value.strip():
            raise ParameterError(f"the {name} is empty; a remark in the log book has a name and a text")
        if len(value) > most:
            raise ParameterError(f"the {name} has {len(value)} characters; at most {most} were expected")
    names = tuple(_copy_beside(folder / LOG_FILES, file) for file in files)
    entry = LogEntry(_now(), " ".join(who.split()), text.strip(), tags=tuple(tags), files=names)
    with adding_to(folder / LOG) as file:
        _append(file, entry)
    return entry


def _copy_beside(folder: Path, file: Path) -> str:
    """Copy a file beside the log book, under a name that no other content has."""
    if (size := file.stat().st_size) > LARGEST_BYTES or not size:
        raise ParameterError(
            f"{file}: has {size} bytes; 1 byte to {LARGEST_BYTES >> 20} MiB were expected for the log book"
        )
    content = file.read_bytes()
    name = f"{sha256(content).hexdigest()[:12]}-{file.name}"
    if not (folder / name).is_file():
        folder.mkdir(exist_ok=True)
        write_whole(folder / name, content)
    return name


class MachineLog:
    """What a program notes in the log book of a beamtime: each event once, also when the program is started again."""

    def __init__(self, folder: Path, who: str) -> None:
        self.path, self.who = folder / LOG, who
        self._keys: set[str] = set()
        self._read = 0
        self._refused = False

    def note(self, key: str, text: str) -> bool:
        """Write an entry, unless there is one of the same key.

        Parameters
        ----------
        key : str
            What it is about: the same for the same event, whoever asks and however often.
        text : str
            What people read.

        Returns
        -------
        bool
            Whether it was written now.

        Raises
        ------
        OSError
            The file cannot be read or written.
        """
        if key in self._keys:
            return False
        with adding_to(self.path) as file:
            self._read_on(file)
            if key in self._keys:
                return False
            _append(file, LogEntry(_now(), self.who, text, machine=True, key=key))
        self._keys.add(key)
        return True

    def note_all(self, events: Iterable[tuple[str, str]], tell: Callable[[str], object]) -> None:
        """Write what is not there yet; where the system refuses it, that is told once, and nothing stops.

        Parameters
        ----------
        events : iterable of (str, str)
            Keys and texts.
        tell : callable
            `tell(sentence)`.
        """
        try:
            for key, text in events:
                self.note(key, text)
            self._refused = False
        except OSError as problem:
            if not self._refused:
                tell(f"{self.path} cannot be written, so nothing is noted in it: {problem.strerror}")
            self._refused = True

    def _read_on(self, file: BinaryIO) -> None:
        """Take the keys of what others wrote since."""
        size = os.fstat(file.fileno()).st_size
        if size < self._read:  # it was cut or replaced by a person
            self._read, self._keys = 0, set()
        file.seek(self._read)
        lines = file.read(size - self._read).split(b"\n")
        self._keys |= {entry.key for entry in _entries(lines) if entry.key}
        self._read = size - len(lines[-1])  # the last line may be unfinished


def _append(file: BinaryIO, entry: LogEntry) -> None:
    """Add a line; where a writer was killed in the middle of the last one, that is ended first."""
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        torn = file.read(1) != b"\n"
    else:
        torn = False
    content = {name: value for name, value in asdict(entry).items() if value not in ("", False, ())}
    file.write(b"\n" * torn + json.dumps(content, ensure_ascii=False).encode(errors="replace") + b"\n")
    file.flush()


def _entries(lines: Iterable[bytes]) -> Iterable[LogEntry]:
    for line in lines:
        try:
            content: Any = json.loads(line)
        except ValueError:
            continue
        texts = isinstance(content, dict) and all(
            isinstance(content.get(key_of_text), str) for key_of_text in ("when", "who", "text")
        )
        if texts:
            key = content.get("key")
            yield LogEntry(
                content["when"],
                content["who"],
                content["text"],
                content.get("machine") is True,
                key if isinstance(key, str) else "",
                _texts(content.get("tags")),
                tuple(
                    text
                    for text in _texts(content.get("files"))
                    if "/" not in text and not text.startswith(".")
                ),
            )


def _texts(values: object) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
