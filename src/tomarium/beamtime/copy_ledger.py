"""The ledger of copies: which scan is where, and when each copy was last read and found whole."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium.beamtime.mounted_volumes import Volume
from tomarium.errors import InputError

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS place (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, filesystem TEXT NOT NULL, top TEXT NOT NULL,
    first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, total_bytes INTEGER, free_bytes INTEGER, bytes_s REAL);
CREATE TABLE IF NOT EXISTS copy (
    place TEXT NOT NULL REFERENCES place(id), path TEXT NOT NULL, scan TEXT NOT NULL, content TEXT NOT NULL,
    state TEXT NOT NULL, role TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL, copied TEXT NOT NULL,
    verified TEXT, told TEXT NOT NULL, PRIMARY KEY (place, path));
CREATE TABLE IF NOT EXISTS file (
    place TEXT NOT NULL, copy TEXT NOT NULL, path TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
    source_mtime_ns INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, verified TEXT NOT NULL,
    PRIMARY KEY (place, copy, path));
CREATE TABLE IF NOT EXISTS transfer (
    place TEXT NOT NULL, copy TEXT NOT NULL, submission TEXT NOT NULL, task TEXT NOT NULL, state TEXT NOT NULL,
    asked TEXT NOT NULL, ended TEXT NOT NULL, told TEXT NOT NULL, PRIMARY KEY (place, copy));
"""

STATES: Final = ("copying", "whole", "damaged", "missing")
"""What a copy may be: not whole yet; whole when it was last read; read and found otherwise; not there any more."""


@dataclass(frozen=True)
class Place:
    """A volume that holds copies.

    Attributes
    ----------
    id, kind, label, filesystem : str
        As of `Volume`; of a remote its kind is "remote", of a collection of Globus "globus".
    top : str
        Where it was mounted when it was last seen.
    first_seen, last_seen : str
        ISO 8601, UTC.
    total_bytes, free_bytes : int or None
        When it was last seen; None where it is not known.
    bytes_s : float or None
        Bytes a second that the last copy took, with reading back.
    """

    id: str
    kind: str
    label: str
    filesystem: str
    top: str
    first_seen: str
    last_seen: str
    total_bytes: int | None
    free_bytes: int | None
    bytes_s: float | None


@dataclass(frozen=True)
class Copy:
    """A copy of a scan at one place.

    Attributes
    ----------
    place : str
        Id of the place.
    path : str
        In it, without a leading slash.
    scan : str
        Name of the scan.
    content : str
        Checksum of the checksums of its files: two copies are of the same scan where it is the same. "" until whole.
    state : str
        One of `STATES`.
    role : str
        "source" for where it was copied from, "copy" for the rest.
    files, bytes : int
        How many, and their size.
    copied : str
        When it was entered (ISO 8601, UTC).
    verified : str or None
        When all its files were last read and found as they should be.
    told : str
        What was found wrong, or what could not be copied as it was.
    """

    place: str
    path: str
    scan: str
    content: str
    state: str
    role: str
    files: int
    bytes: int
    copied: str
    verified: str | None
    told: str = ""


@dataclass(frozen=True)
class FileRow:
    """A file of a copy that was read back.

    Attributes
    ----------
    path : str
        In the copy; "" where the copy is one file.
    bytes : int
        Size.
    sha256 : str
        Lower-case hexadecimal.
    source_mtime_ns, mtime_ns : int
        Time of change of the source when it was copied, and of the copy: while both stand, neither is read again.
    verified : str
        When it was read back (ISO 8601, UTC).
    """

    path: str
    bytes: int
    sha256: str
    source_mtime_ns: int
    mtime_ns: int
    verified: str


@dataclass(frozen=True)
class Transfer:
    """A transfer that Globus does, of a copy.

    Attributes
    ----------
    place, path : str
        Of the copy.
    submission, task : str
        Ids of Globus; of the task "" until it answered.
    state : str
        "SUBMITTING", then as Globus says: "ACTIVE", "INACTIVE", "SUCCEEDED", "FAILED".
    asked, ended : str
        When it was submitted, and when it ended; "" until then (ISO 8601).
    told : str
        What Globus said last of it.
    """

    place: str
    path: str
    submission: str
    task: str
    state: str
    asked: str
    ended: str
    told: str

    @property
    def open(self) -> bool:
        """Whether it has not come to its end."""
        return self.state not in ("SUCCEEDED", "FAILED")


def now() -> str:
    """Tell the time as the ledger does.

    Returns
    -------
    str
        ISO 8601 to the second, UTC.
    """
    return datetime.now(UTC).isoformat(timespec="seconds")


def content_of(files: Iterable[FileRow]) -> str:
    """Name the content of a copy.

    Parameters
    ----------
    files : iterable of FileRow
        All its files.

    Returns
    -------
    str
        SHA-256 of the lines "checksum  path", sorted by path, as `sha256sum` writes them.
    """
    lines = sorted(f"{file.sha256}  {file.path}\n" for file in files)
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


class CopyLedger:
    """An open ledger; every change is on the disk when its method returns."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    def see(
        self, volume: Volume, total: int | None = None, free: int | None = None, rate: float | None = None
    ) -> None:
        """Enter a volume, or that it was seen again.

        Parameters
        ----------
        volume : Volume
            What is there.
        total, free : int, optional
            Bytes of it.
        rate : float, optional
            Bytes a second of a copy that just ended.
        """
        volume_row = (volume.id, volume.kind, volume.label, volume.filesystem, str(volume.top), now(), now())
        with self._connection as open_now:
            open_now.execute(
                "INSERT INTO place VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET label=excluded.label, "
                "kind=excluded.kind, filesystem=excluded.filesystem, top=excluded.top, last_seen=excluded.last_seen, "
                "total_bytes=coalesce(excluded.total_bytes, total_bytes), "
                "free_bytes=coalesce(excluded.free_bytes, free_bytes), bytes_s=coalesce(excluded.bytes_s, bytes_s)",
                (*volume_row, total, free, rate),
            )

    def enter(self, copy: Copy) -> None:
        """Enter a copy, or what has become of it.

        Parameters
        ----------
        copy : Copy
            Of a place that was seen.
        """
        with self._connection as open_now:
            open_now.execute(
                "INSERT OR REPLACE INTO copy VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                _to_database(vars(copy).values()),
            )

    def enter_files(self, copy: Copy, files: Iterable[FileRow]) -> None:
        """Enter files of a copy that were read back.

        Parameters
        ----------
        copy : Copy
            Whose they are.
        files : iterable of FileRow
            The files.
        """
        with self._connection as open_now:
            open_now.executemany(
                "INSERT OR REPLACE INTO file VALUES (?,?,?,?,?,?,?,?)",
                [_to_database((copy.place, copy.path, *vars(file).values())) for file in files],
            )

    def files_of(self, copy: Copy) -> dict[str, FileRow]:
        """List the files of a copy.

        Parameters
        ----------
        copy : Copy
            The copy.

        Returns
        -------
        dict of str to FileRow
            By path, sorted.
        """
        query = (
            "SELECT path, bytes, sha256, source_mtime_ns, mtime_ns, verified FROM file WHERE place=? AND copy=? "
            "ORDER BY path"
        )
        cursor = self._connection.execute(query, _to_database((copy.place, copy.path)))
        return {row.path: row for row in (FileRow(*_from_database(values)) for values in cursor)}

    def places(self) -> list[Place]:
        """List the places.

        Returns
        -------
        list of Place
            By label.
        """
        return [Place(*row) for row in self._connection.execute("SELECT * FROM place ORDER BY label, id")]

    def copies(self) -> list[Copy]:
        """List the copies.

        Returns
        -------
        list of Copy
            By name of the scan.
        """
        return [
            Copy(*_from_database(row))
            for row in self._connection.execute("SELECT * FROM copy ORDER BY scan, place, path")
        ]

    def enter_transfer(self, transfer: Transfer) -> None:
        """Enter a transfer, or what has become of it.

        Parameters
        ----------
        transfer : Transfer
            Of a copy that was entered.
        """
        with self._connection as open_now:
            open_now.execute(
                "INSERT OR REPLACE INTO transfer VALUES (?,?,?,?,?,?,?,?)",
                _to_database(vars(transfer).values()),
            )

    def transfers(self) -> list[Transfer]:
        """List the transfers.

        Returns
        -------
        list of Transfer
            In the order in which they were asked for.
        """
        return [
            Transfer(*_from_database(row))
            for row in self._connection.execute("SELECT * FROM transfer ORDER BY asked, copy")
        ]

    def forget(self, id: str) -> None:
        """Remove a place and its copies from the ledger; nothing is removed from the disk.

        Parameters
        ----------
        id : str
            Id of the place.
        """
        with self._connection as open_now:
            for table, column in (
                ("transfer", "place"),
                ("file", "place"),
                ("copy", "place"),
                ("place", "id"),
            ):
                open_now.execute(f"DELETE FROM {table} WHERE {column}=?", (id,))

    def place(self, name: str) -> Place:
        """Find a place by what a person calls it.

        Parameters
        ----------
        name : str
            Its label, its id, the end of its id, or where it was mounted.

        Returns
        -------
        Place
            The one that is meant.

        Raises
        ------
        InputError
            None or several are called so.
        """
        places_known = self.places()
        exact = [
            place
            for place in places_known
            if name in (place.id, place.label, place.top, place.id.partition(":")[2])
        ]
        places = exact or [place for place in places_known if place.id.partition(":")[2].startswith(name)]
        if len(places) == 1:
            return places[0]
        listed = ", ".join(f"{place.label} ({place.id})" for place in (places or places_known)) or "none yet"
        problem = "several places are" if places else "no place is"
        raise InputError(f"{self.path}: {problem} called {name!r}; give the id of one of: {listed}")


def _to_database(values: Iterable[Any]) -> tuple[Any, ...]:
    """Give values as the database takes them: text that is no UTF-8, such as a file's name may be, as bytes."""
    return tuple(
        os.fsencode(value) if isinstance(value, str) and _is_odd(value) else value for value in values
    )


def _is_odd(text: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in text)


def _from_database(row: Iterable[Any]) -> tuple[Any, ...]:
    """Give values as they were before they were kept."""
    return tuple(os.fsdecode(value) if isinstance(value, bytes) else value for value in row)


@contextmanager
def open_ledger(path: Path, *, make: bool = True) -> Iterator[CopyLedger]:
    """Open a ledger of copies.

    Parameters
    ----------
    path : Path
        Its file.
    make : bool
        Whether it is made where it is absent.

    Yields
    ------
    CopyLedger
        Open; several processes may have it open at a time.

    Raises
    ------
    InputError
        It is absent, or no ledger.
    """
    if not make and not path.is_file():
        raise InputError(f"{path}: there is no ledger of copies yet; tomarium copy SCAN DISK writes it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=30, check_same_thread=False)) as connection:
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(_TABLES)
        except sqlite3.DatabaseError as problem:
            raise InputError(
                f"{path}: is no ledger of copies ({problem}); take it from a backup"
            ) from problem
        yield CopyLedger(connection, path)
