"""What an unfinished run has done so far, kept beside its volume so that it can resume."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import drafts_of, take_lock, write_json
from tomarium.errors import InputError
from tomarium.formats.opening.messages import UNFINISHED_RUN
from tomarium.formats.record.reader import CRATE
from tomarium.formats.resumable.progress import ProgressLog
from tomarium.pipeline.run.at_work import Word, boot

FOLDER: Final = UNFINISHED_RUN
"""Below the record's folder; its presence says that the run has not come to its end."""

REQUEST: Final = "request.json"
LOCK: Final = "lock"
BOOT: Final = "boot"
SLABS: Final = "slabs.jsonl"


@dataclass
class Journal:
    """The progress log of a run.

    Attributes
    ----------
    folder : Path or None
        Folder of the record; None for a run in memory, which keeps nothing.
    request : mapping
        What was asked for, JSON-ready; a run resumes only if it asks for the same.
    notes : dict
        What must be the same when the run goes on, JSON-ready: "split", and "probes" with their answers; "boot",
        which start of the computer it was; "run", which tells it from other runs; "output", once its volume was begun.
    slabs : dict
        Section and number of a finished slab → its tallies and counts, JSON-ready.
    made_folder : bool
        Whether the folder was not there before this run.
    word : Word
        What others read of the process that is at work.
    """

    folder: Path | None
    request: Mapping[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)
    slabs: dict[tuple[int, int], Any] = field(default_factory=dict)
    made_folder: bool = False
    word: Word = field(default_factory=lambda: Word(None))
    _held: int | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def home(self) -> Path | None:
        """Folder of the journal itself."""
        return None if self.folder is None else self.folder / FOLDER

    def note(self, name: str, data: Any) -> None:
        """Keep what must be the same when the run goes on.

        Parameters
        ----------
        name : str
            One of those of `notes`.
        data : object
            JSON-ready.
        """
        self.notes[name] = data
        if self.home is not None:
            write_json(self.home / "notes.json", self.notes)

    def done(self, section: int) -> dict[int, Any]:
        """Return the finished slabs of a section: number → what was told of it."""
        return {index: slab for (number, index), slab in self.slabs.items() if number == section}

    def note_slab(self, section: int, index: int, record: Mapping[str, Any]) -> None:
        """Keep that a slab is written, after it is.

        Parameters
        ----------
        section, index : int
            Number of the section and of its slab.
        record : mapping
            Its tallies and counts, JSON-ready.
        """
        with self._lock:
            if self.home is not None:
                with _log(self.home).adding() as add:
                    add({"section": section, "slab": index, **record})
            self.slabs[section, index] = record

    def forget_spools(self) -> None:
        """Do all sections but the last anew: their files were not forced to disk before the computer was started."""
        last = len(self.notes.get("split", [])) - 1
        self.slabs = {place: slab for place, slab in self.slabs.items() if place[0] >= last}
        if self.home is not None:
            _log(self.home).replace({"section": s, "slab": k, **slab} for (s, k), slab in self.slabs.items())
        self.note(BOOT, boot())

    def discard(self, names: Sequence[str]) -> None:
        """Remove what the run has made, for it failed before anything worth keeping was done.

        Parameters
        ----------
        names : sequence of str
            Names below the record's folder; whatever else lies there is not touched.
        """
        if self.folder is None:
            return
        for name in names:
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        self.close()
        if self.made_folder and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def close(self) -> None:
        """Remove the journal: the run has come to its end."""
        if self.home is None:
            return
        # The request goes last: as long as it is there, a run killed in here is known for what it is.
        for path in sorted(self.home.iterdir(), key=lambda path: path.name == REQUEST):
            if path.name != LOCK:
                path.unlink()
        self.release()
        _remove_empty(self.home)

    def release(self) -> None:
        """Let another run work in the folder."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def is_unfinished(folder: Path) -> bool:
    """Tell whether a folder holds a run that was stopped.

    Parameters
    ----------
    folder : Path
        Folder of a record.

    Returns
    -------
    bool
        True where a journal is in it.
    """
    return (folder / FOLDER).is_dir()


def open_journal(folder: Path | None, request: Mapping[str, Any]) -> Journal:
    """Begin a journal, or go on with the one an interrupted run left.

    Parameters
    ----------
    folder : Path or None
        Folder of the record; made where it is absent. None for a run in memory.
    request : mapping
        What is asked for, JSON-ready.

    Returns
    -------
    Journal
        Empty, or as the interrupted run left it.

    Raises
    ------
    InputError
        The folder holds an unfinished run that asked for something else, or files that are not of a run, or
        another run is at work in it.
    """
    if folder is None:
        return Journal(None, request)
    busy = f"{folder}: another run is at work in this folder; wait until it has ended, or choose another folder with -o"
    while True:
        made_folder = not folder.exists()
        _demand_own(folder)
        home = folder / FOLDER
        home.mkdir(parents=True, exist_ok=True)
        try:
            lock = take_lock(home / LOCK, busy)
        except FileNotFoundError:  # a run that had it came to its end meanwhile
            continue
        if lock is not None:
            break
    try:
        _demand_own(folder)  # once more: before the lock was ours, another run may have come to its end
        before = _demand_same(folder, request)
    except InputError:
        os.close(lock)
        raise
    if not before:
        write_json(home / REQUEST, request)
        journal = Journal(folder, request, made_folder=made_folder, word=Word(home), _held=lock)
        journal.note(BOOT, boot())
        return journal
    notes = read_json(home / "notes.json") or {}
    slabs = {(int(entry.pop("section")), int(entry.pop("slab"))): entry for entry in _log(home).read()}
    journal = Journal(folder, request, notes, slabs, made_folder, Word(home), lock)
    if notes.get(BOOT) != boot():
        journal.forget_spools()
    return journal


def _demand_own(folder: Path) -> None:
    """Refuse a folder that holds anything but a run that was stopped, whatever its name is."""
    home = folder / FOLDER
    if (home / REQUEST).is_file() or not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; choose another folder with -o")
    drafts = drafts_of(home / REQUEST)
    ours = {
        LOCK,
        *(draft.name for draft in drafts),
    }  # all there is where a run was killed before its first word
    if home.is_dir() and {path.name for path in home.iterdir()} <= ours:
        if {path.name for path in folder.iterdir()} == {FOLDER}:
            return
        for draft in drafts:
            draft.unlink(missing_ok=True)
        _remove_empty(home)  # killed after its last word
    if any(folder.iterdir()):
        finished = (folder / CRATE).is_file()
        found = "holds a finished record, which is kept" if finished else "exists and is not empty"
        remedy = "remove this one to make it anew" if finished else "empty this one"
        raise InputError(f"{folder} {found}; choose another folder with -o, or {remedy}")


def _demand_same(folder: Path, request: Mapping[str, Any]) -> bool:
    """Tell whether a run was begun in a folder; refuse where it is another one."""
    before = read_json(folder / FOLDER / REQUEST)
    if before is None:
        return False
    if before != json.loads(json.dumps(request)):
        changed = ", ".join(sorted(k for k in {*before, *request} if before.get(k) != request.get(k)))
        raise InputError(
            f"{folder} holds an unfinished run that asked for something else ({changed}); "
            f"repeat that command to resume it, or remove the folder, or choose another with -o"
        )
    return True


def _remove_empty(home: Path) -> None:
    with suppress(OSError):  # another run looks into it just now; it removes the folder itself
        (home / LOCK).unlink(missing_ok=True)
        home.rmdir()


def read_json(path: Path) -> Any:
    """Read JSON.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    object
        Its content; None where the file is absent.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _log(home: Path) -> ProgressLog:
    """Return the log of the slabs that are written."""
    return ProgressLog(home / SLABS)
