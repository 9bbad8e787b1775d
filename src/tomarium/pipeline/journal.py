"""What an unfinished run has done so far, kept beside its volume so that it can resume."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tomarium.errors import InputError

FOLDER: Final = "unfinished"
"""Below the record's folder; its presence says that the run has not come to its end."""


@dataclass
class Journal:
    """The diary of a run.

    Attributes
    ----------
    folder : Path or None
        Folder of the record; None for a run in memory, which keeps nothing.
    request : mapping
        What was asked for, JSON-ready; a run resumes only if it asks for the same.
    notes : dict
        What must be the same when the run goes on, JSON-ready: "slab_rows", and "probes" with their answers.
    slabs : dict
        Number of a finished slab → its tallies and counts, JSON-ready.
    """

    folder: Path | None
    request: Mapping[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)
    slabs: dict[int, Any] = field(default_factory=dict)
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
            "slab_rows" or "probes".
        data : object
            JSON-ready.
        """
        self.notes[name] = data
        if self.home is not None:
            write_json(self.home / "notes.json", self.notes)

    def note_slab(self, index: int, told: Mapping[str, Any]) -> None:
        """Keep that a slab is written, after it is.

        Parameters
        ----------
        index : int
            Number of the slab.
        told : mapping
            Its tallies and counts, JSON-ready.
        """
        with self._lock:
            if self.home is not None:
                with (self.home / "slabs.jsonl").open("a", encoding="utf-8") as diary:
                    diary.write(json.dumps({"slab": index, **told}) + "\n")
                    diary.flush()
                    os.fsync(diary.fileno())
            self.slabs[index] = told

    def discard(self) -> None:
        """Remove the whole folder: the run failed before anything worth keeping was done."""
        if self.folder is not None:
            shutil.rmtree(self.folder)

    def close(self) -> None:
        """Remove the journal: the run has come to its end."""
        if self.home is not None:
            shutil.rmtree(self.home)


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
        The folder holds an unfinished run that asked for something else, or files that are not of a run.
    """
    if folder is None:
        return Journal(None, request)
    home = folder / FOLDER
    if not home.exists():
        if folder.exists() and any(folder.iterdir()):
            raise InputError(
                f"{folder} exists and is not empty; choose another folder with -o, or empty this one"
            )
        home.mkdir(parents=True)
        write_json(home / "request.json", request)
        return Journal(folder, request)
    before = read_json(home / "request.json")
    if before is None:  # killed before its first word
        write_json(home / "request.json", request)
        return Journal(folder, request)
    if before != json.loads(json.dumps(request)):
        changed = ", ".join(sorted(k for k in {*before, *request} if before.get(k) != request.get(k)))
        raise InputError(
            f"{folder} holds an unfinished run that asked for something else ({changed}); "
            f"repeat that command to resume it, or remove the folder, or choose another with -o"
        )
    return Journal(folder, request, read_json(home / "notes.json") or {}, _read_slabs(home / "slabs.jsonl"))


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


def _read_slabs(path: Path) -> dict[int, Any]:
    """Read the finished slabs; a last line cut short by a kill does not count."""
    found: dict[int, Any] = {}
    if not path.exists():
        return found
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    for line in whole.splitlines():
        told = json.loads(line)
        found[int(told.pop("slab"))] = told
    return found


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that the file is either the old one or the whole new one.

    Parameters
    ----------
    path : Path
        File to write.
    data : object
        JSON-ready.
    """
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(data, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
