"""CRC-32 of files that were read once, by their SHA-256; a zip archive needs it and no record holds it.

The CRC-32 of a file is known when the file was read. A reader who goes on with an archive in its middle does not read
the files before that place again, yet the list at the archive's end has the CRC-32 of all of them. So it is kept, in a
file beside the catalogue that may be deleted at any time: the files are then read once more.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Final

_FLUSHED_AT: Final = 512
_MOST: Final = 1 << 18  # in memory


class CrcStore:
    """What is known of the CRC-32 of contents; may be used by several threads."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, int] = {}
        self._fresh: dict[str, int] = {}
        self._open: sqlite3.Connection | None = None

    def find(self, sha256: str) -> int | None:
        """Return the CRC-32 of the content with a checksum, or None where it was not read yet."""
        with self._lock:
            if sha256 in self._known or self._path is None:
                return self._known.get(sha256)
            try:
                row = (
                    self._database()
                    .execute("SELECT crc FROM crc WHERE sha256 = ?", (bytes.fromhex(sha256),))
                    .fetchone()
                )
            except sqlite3.Error as problem:
                self._give_up(problem)
                return None
            if row:
                self._remember(sha256, int(row[0]))
            return self._known.get(sha256)

    def keep(self, sha256: str, crc: int) -> None:
        """Keep the CRC-32 of a content whose checksum was compared."""
        with self._lock:
            self._remember(sha256, crc)
            if self._path is not None:
                self._fresh[sha256] = crc
            if len(self._fresh) >= _FLUSHED_AT:
                self._write()

    def flush(self) -> None:
        """Write what was kept to the disk, and let go of the file until it is needed again."""
        with self._lock:
            self._write()
            if self._open is not None:
                self._open.close()
                self._open = None

    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = sqlite3.connect(
                str(self._path), timeout=2, isolation_level=None, check_same_thread=False
            )
            self._open.execute("PRAGMA synchronous=OFF")
            self._open.execute(
                "CREATE TABLE IF NOT EXISTS crc (sha256 BLOB PRIMARY KEY, crc INTEGER) WITHOUT ROWID"
            )
        return self._open

    def _remember(self, sha256: str, crc: int) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[sha256] = crc

    def _write(self) -> None:
        if not self._fresh:
            return
        try:
            database = self._database()
            database.execute("BEGIN IMMEDIATE")
            rows = [(bytes.fromhex(sha256), crc) for sha256, crc in self._fresh.items()]
            database.executemany("INSERT OR IGNORE INTO crc VALUES (?, ?)", rows)
            database.execute("COMMIT")
            self._fresh.clear()
        except sqlite3.Error as problem:
            self._give_up(problem)

    def _give_up(self, problem: sqlite3.Error) -> None:
        """Go on in memory, as on a disk that is full or can only be read."""
        logging.getLogger(__name__).warning("%s: %s; CRC-32 are kept in memory", self._path, problem)
        self._path = None
        self._fresh.clear()
        if self._open is not None:
            self._open.close()
            self._open = None
