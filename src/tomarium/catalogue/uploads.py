"""Uploads that go on where they were: what is on disk is what was received, whatever happens.

An upload is one file of a batch; a batch becomes a record. Names on disk are ours until the batch is whole: the folder
of an upload is BATCH/PATH/BEGINNING, where PATH is made of the file's path by SHA-256, so that an earlier upload of the
same path is found without a look at the others. Nothing here knows a protocol: the portal speaks tus 1.0 on top of it.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tomarium.atomic_files import write_json
from tomarium.catalogue.appending import (
    Appending,
    Busy,
    NoUpload,
    TooLarge,
    UploadProblem,
    WrongChecksum,
    WrongOffset,
)
from tomarium.catalogue.checksums import sum_file
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.upload_filing import forget_moved
from tomarium.catalogue.upload_notes import (
    BATCH,
    INFO,
    NAME,
    Batch,
    key_of,
    length_of,
    owner_of,
    read_batch,
    read_info,
    uploads_in,
)
from tomarium.catalogue.upload_total import changing, demand_free_bytes, drop_total, total_of
from tomarium.units import show_bytes
from tomarium.viewers.place import is_inside

DATA: Final = "data"
INCOMING: Final = "incoming"
LONGEST_NAME: Final = 1000
KEPT_S: Final = 7 * 86400
"""How long an upload that nobody goes on with is kept."""
_ID: Final = re.compile(r"([A-Za-z0-9_-]{22})([A-Za-z0-9_-]{22})([A-Za-z0-9_-]{22})")
"""Of an upload: its batch, what was made of its path, and which beginning of it."""


@dataclass(frozen=True)
class Upload:
    """One file that is being uploaded.

    Attributes
    ----------
    id, batch : str
        Its name in addresses, and that of its batch.
    path : str
        Where it will lie in its record.
    length : int
        Bytes it will have.
    sha256 : str
        Its checksum, where it was told; else "".
    modified : str
        When it was changed last, as its sender tells it; a sender knows by it which file it was.
    offset : int
        Bytes that are on disk.
    until_utc : float
        When it is removed if nobody goes on.
    """

    id: str
    batch: str
    path: str
    length: int
    sha256: str
    modified: str = ""
    offset: int = 0
    until_utc: float = 0.0


@dataclass(frozen=True)
class Uploads:
    """The folder in which uploads lie until they become records.

    Attributes
    ----------
    root : Path
        The folder; on the same disk as the records.
    largest : int
        Bytes of the largest file that is taken.
    quota : int
        Bytes that one person may have under way; `upload_room.reserving_room` sees to it.
    """

    root: Path
    largest: int = 20 << 40
    quota: int = 100 << 40

    def begin(self, reader: Reader, title: str = "", team: str = "") -> str:
        """Begin a batch.

        Parameters
        ----------
        reader : Reader
            Whose it is.
        title : str
            Title of the record it becomes, where it is none yet.
        team : str
            A team of the reader, whose the record is to be too; "" for none.

        Returns
        -------
        str
            Its name in addresses.

        Raises
        ------
        UploadProblem
            The reader is not in the team.
        """
        if team and team not in reader.teams:
            raise UploadProblem(
                f"{reader.name} is not in the team {team[:60]!r} (teams: {', '.join(reader.teams) or 'none'})"
            )
        batch = secrets.token_urlsafe(16)
        (self.root / batch).mkdir(parents=True)
        notes = {
            "owner": reader.name,
            "title": " ".join(title.split())[:300],
            "made_utc": time.time(),
            "team": team,
        }
        write_json(self.root / batch / BATCH, notes)
        return batch

    def batches(self, reader: Reader) -> list[Batch]:
        """List the batches of a reader.

        Parameters
        ----------
        reader : Reader
            Whose.

        Returns
        -------
        list of Batch
            The newest first.
        """
        batches = []
        for home in self._homes(reader):
            with suppress(OSError, ValueError):
                notes = read_batch(home)
                is_assembled = (home / INCOMING).exists()
                batches.append(
                    Batch(
                        home.name,
                        str(notes["title"]),
                        float(notes["made_utc"]),
                        self._total(home),
                        is_assembled,
                    )
                )
        return sorted(batches, key=lambda batch: -batch.made_utc)

    def create(
        self, reader: Reader, batch: str, path: str, length: int, sha256: str = "", modified: str = ""
    ) -> Upload:
        """Begin a file of a batch.

        Parameters
        ----------
        reader : Reader
            Whose the batch is.
        batch : str
            The batch.
        path : str
            Where the file will lie in its record, with "/" as separator.
        length : int
            Its bytes.
        sha256 : str
            Its checksum, hexadecimal, compared when the batch is whole.
        modified : str
            When it was changed last; at most 40 signs are kept.

        Returns
        -------
        Upload
            With nothing in it yet. The same path again begins anew.

        Raises
        ------
        NoUpload
            There is no such batch of this reader.
        UploadProblem
            The path leads out of the record, or the checksum is none.
        TooLarge
            The file is larger than is taken.
        StorageFull
            The disk has no room for it.
        """
        home = self._batch(reader, batch)
        if not is_inside(path) or path.endswith("/") or len(path) > LONGEST_NAME:
            raise UploadProblem(
                f"{path[:80]!r} cannot be the path of a file in a record; give one like data/scan.h5"
            )
        if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise UploadProblem(f"sha256 {sha256[:80]!r} is no checksum of 64 hexadecimal digits")
        self._check_length(path, length)
        key, token = key_of(path), secrets.token_urlsafe(16)
        upload = Upload(f"{batch}{key}{token}", batch, path, length, sha256, modified[:40])
        with changing(home, self._count) as total:
            total.bytes -= sum(length_of(path) for path in (home / key).glob(f"*/{INFO}"))
            shutil.rmtree(home / key, ignore_errors=True)
            place = home / key / token
            place.mkdir(parents=True)
            (place / DATA).touch()
            notes = {
                name: value for name, value in asdict(upload).items() if name not in ("offset", "until_utc")
            }
            write_json(place / INFO, notes)
            total.bytes += length
        return self.state(reader, upload.id)

    def state(self, reader: Reader, id: str) -> Upload:
        """Tell how far an upload is.

        Parameters
        ----------
        reader : Reader
            Whose it is.
        id : str
            The upload.

        Returns
        -------
        Upload
            `offset` is what is on disk.

        Raises
        ------
        NoUpload
            There is none of this reader.
        """
        place = self._place(reader, id)
        try:
            state = (place / DATA).stat()
            notes = read_info(place)
        except (OSError, ValueError) as problem:
            raise NoUpload(f"there is no upload {id[:40]!r}; begin it anew") from problem
        return Upload(**notes, offset=state.st_size, until_utc=state.st_mtime + KEPT_S)

    @contextmanager
    def appending(self, reader: Reader, id: str, offset: int) -> Iterator[Appending]:
        """Append to an upload, alone.

        Parameters
        ----------
        reader : Reader
            Whose it is.
        id : str
            The upload.
        offset : int
            Where the bytes belong.

        Yields
        ------
        Appending
            Takes the bytes. What it has taken is on disk when this ends, whether it ends well or not.

        Raises
        ------
        Busy
            Somebody else is appending.
        WrongOffset
            Another byte is next.
        """
        upload = self.state(reader, id)
        descriptor = os.open(self._place(reader, id) / DATA, os.O_WRONLY | os.O_APPEND)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as problem:
                raise Busy(
                    f"{upload.path}: is being written to by another request; try again in a moment"
                ) from problem
            size = os.fstat(descriptor).st_size
            if size != offset:
                raise WrongOffset(
                    f"{upload.path}: bytes from {offset} were sent, and byte {size} is next; go on there"
                )
            taking = Appending(descriptor, upload.path, offset, upload.length)
            try:
                yield taking
            finally:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, reader: Reader, id: str) -> None:
        """Remove an upload.

        Parameters
        ----------
        reader : Reader
            Whose it is.
        id : str
            The upload.
        """
        place = self._place(reader, id)
        with changing(place.parents[1], self._count) as total:
            total.bytes -= length_of(place / INFO)
            shutil.rmtree(place.parent)

    def files(self, reader: Reader, batch: str) -> list[Upload]:
        """List the files of a batch.

        Parameters
        ----------
        reader : Reader
            Whose it is.
        batch : str
            The batch.

        Returns
        -------
        list of Upload
            Sorted by path.
        """
        home = self._batch(reader, batch)
        uploads = [self.state(reader, home.name + key + token) for key, token in uploads_in(home)]
        return sorted(uploads, key=lambda upload: upload.path)

    def assemble(self, reader: Reader, batch: str) -> Path:
        """Put the files of a batch in their places.

        Parameters
        ----------
        reader : Reader
            Whose it is.
        batch : str
            The batch.

        Returns
        -------
        Path
            A folder that holds them; doing it again goes on where it was stopped.

        Raises
        ------
        UploadProblem
            A file is not whole, or is not what its checksum says, or two cannot lie beside each other.
        """
        home = self._batch(reader, batch)
        target = home / INCOMING
        forget_moved(home, target, DATA)
        uploads = self.files(reader, batch)
        if not uploads and not target.exists():
            raise UploadProblem("nothing was uploaded in this batch; send its files first")
        short = [upload for upload in uploads if upload.offset != upload.length]
        if short:
            raise UploadProblem(
                f"{len(short)} of {len(uploads)} files are not whole: {short[0].path} has {short[0].offset} of "
                f"{short[0].length} bytes; send the rest"
            )
        for upload in uploads:
            if upload.sha256 and sum_file(self._place(reader, upload.id) / DATA).sha256 != upload.sha256:
                self.remove(reader, upload.id)
                raise WrongChecksum(f"{upload.path}: is not what its checksum says; send this file again")
        for upload in uploads:
            uploaded, place = self._place(reader, upload.id), target / upload.path
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                (uploaded / DATA).replace(place)
            except OSError as problem:
                raise UploadProblem(
                    f"{upload.path}: cannot lie beside the other files ({problem.strerror})"
                ) from problem
            shutil.rmtree(uploaded.parent)
        drop_total(home)
        return target

    def describe(self, reader: Reader, batch: str, said: Mapping[str, str]) -> None:
        """Keep what its sender says of the record that a batch becomes: field → text."""
        notes = read_batch(home := self._batch(reader, batch))
        if said and notes.get("said") != dict(said):
            title = said.get("title") or notes["title"]
            write_json(home / BATCH, {**notes, "title": title, "said": dict(said)})

    def said(self, reader: Reader, batch: str) -> Mapping[str, str]:
        """Return what `describe` kept."""
        return dict(read_batch(self._batch(reader, batch)).get("said", {}))

    def title(self, reader: Reader, batch: str) -> str:
        """Return the title that a batch was given."""
        return str(read_batch(self._batch(reader, batch))["title"])

    def drop(self, reader: Reader, batch: str) -> None:
        """Remove a batch of a reader, and all its bytes."""
        self._batch(reader, batch)
        self.forget(batch)

    def forget(self, batch: str) -> None:
        """Remove what is left of a batch that became a record."""
        if NAME.fullmatch(batch):
            shutil.rmtree(self.root / batch, ignore_errors=True)

    def clean(self, now: float | None = None) -> list[str]:
        """Remove batches that nobody went on with for a week.

        Parameters
        ----------
        now : float, optional
            Seconds since 1970; the present moment by default.

        Returns
        -------
        list of str
            The batches that are gone.
        """
        moment = time.time() if now is None else now
        gone = []
        for home in self.root.iterdir() if self.root.is_dir() else ():
            newest = max((path.stat().st_mtime for path in home.rglob("*")), default=home.stat().st_mtime)
            if moment - newest > KEPT_S and not (home / INCOMING).exists():
                self.forget(home.name)
                gone.append(home.name)
        return gone

    def _check_length(self, path: str, length: int) -> None:
        if not 0 <= length <= self.largest:
            raise TooLarge(
                f"{path}: has {show_bytes(length)}; at most {show_bytes(self.largest)} are taken in one file"
            )
        demand_free_bytes(self.root, path, length)

    def _batch(self, reader: Reader, batch: str) -> Path:
        home = self.root / batch
        if reader.name and NAME.fullmatch(batch):
            with suppress(OSError, ValueError):
                if read_batch(home)["owner"] == reader.name:
                    return home
        raise NoUpload(f"there is no batch {batch[:40]!r} of uploads; begin one")

    def _place(self, reader: Reader, id: str) -> Path:
        if parts := _ID.fullmatch(id):
            batch, key, token = parts.groups()
            place = self._batch(reader, batch) / key / token
            if place.is_dir():
                return place
        raise NoUpload(f"there is no upload {id[:40]!r}; begin it anew")

    def team(self, reader: Reader, batch: str) -> str:
        """Return the team that a batch is of too; "" where it is none's."""
        return str(read_batch(self._batch(reader, batch)).get("team", ""))

    def bytes_of(self, reader: Reader, batch: str) -> int:
        """Return how many bytes the files of a batch have when they are whole."""
        return self._total(self._batch(reader, batch))

    def earlier(self, reader: Reader, batch: str, path: str) -> int:
        """Return the bytes of an upload of this path that was begun before."""
        return sum(
            length_of(info_path)
            for info_path in (self._batch(reader, batch) / key_of(path)).glob(f"*/{INFO}")
        )

    def every_batch(self) -> Iterator[tuple[str, str, str, int]]:
        """List all batches of everybody: name, owner, team, bytes."""
        for home in self.root.iterdir() if self.root.is_dir() else ():
            with suppress(OSError, ValueError):
                notes = read_batch(home)
                yield home.name, str(notes["owner"]), str(notes.get("team", "")), self._total(home)

    def _homes(self, reader: Reader) -> list[Path]:
        """List the folders of a reader's batches."""
        if not reader.name or not self.root.is_dir():
            return []
        homes = (home for home in self.root.iterdir() if NAME.fullmatch(home.name))
        return [home for home in homes if owner_of(home) == reader.name]

    def _total(self, home: Path) -> int:
        """Return how many bytes the files of a batch have when they are whole."""
        return total_of(home, self._count)

    @staticmethod
    def _count(home: Path) -> int:
        begun = sum(length_of(home / key / token / INFO) for key, token in uploads_in(home))
        return begun + sum(path.stat().st_size for path in (home / INCOMING).rglob("*") if path.is_file())
