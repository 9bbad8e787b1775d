"""Uploads that go on where they were: what is on disk is what was received, whatever happens.

An upload is one file of a batch; a batch becomes a record. Names on disk are ours until the batch is whole. Nothing
here knows a protocol: the portal speaks tus 1.0 on top of it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import write_json
from tomarium.catalogue.checksums import sum_file
from tomarium.catalogue.reader import Reader
from tomarium.errors import InputError, StorageFull
from tomarium.viewers.place import is_inside

INFO: Final = "info.json"
DATA: Final = "data"
BATCH: Final = "batch.json"
INCOMING: Final = "incoming"
LONGEST_NAME: Final = 1000
KEPT_S: Final = 7 * 86400
"""How long an upload that nobody goes on with is kept."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_SPARE_BYTES: Final = 1 << 28


class UploadProblem(InputError):
    """An upload cannot go on so."""


class NoUpload(UploadProblem):
    """There is no such upload or batch, or it is somebody else's."""


class WrongOffset(UploadProblem):
    """Bytes were sent for another place than the one that is next."""


class Busy(UploadProblem):
    """Somebody else is writing to it now."""


class WrongChecksum(UploadProblem):
    """Bytes arrived that are not those that were sent; they were dropped."""


class TooLarge(UploadProblem):
    """More than may be uploaded."""


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
        Bytes that one person may have under way.
    """

    root: Path
    largest: int = 20 << 40
    quota: int = 100 << 40

    def begin(self, reader: Reader, title: str = "") -> str:
        """Begin a batch.

        Parameters
        ----------
        reader : Reader
            Whose it is.
        title : str
            Title of the record it becomes, where it is none yet.

        Returns
        -------
        str
            Its name in addresses.
        """
        batch = secrets.token_urlsafe(16)
        (self.root / batch).mkdir(parents=True)
        told = {"owner": reader.name, "title": " ".join(title.split())[:300], "made_utc": time.time()}
        write_json(self.root / batch / BATCH, told)
        return batch

    def create(self, reader: Reader, batch: str, path: str, length: int, sha256: str = "") -> Upload:
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
            The file, or all that is under way, is larger than is taken.
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
        if not 0 <= length <= self.largest:
            raise TooLarge(f"{path}: has {length} bytes; at most {self.largest} are taken in one file")
        if self.under_way(reader) + length > self.quota:
            raise TooLarge(
                f"{path}: with it more than {self.quota} bytes would be under way; finish what was begun"
            )
        free = shutil.disk_usage(self.root).free
        if length + _SPARE_BYTES > free:
            raise StorageFull(
                f"{path}: has {length} bytes, and {free} are free; tell whoever runs this portal"
            )
        for before in self.files(reader, batch):
            if before.path == path:
                shutil.rmtree(home / before.id)
        upload = Upload(secrets.token_urlsafe(16), batch, path, length, sha256)
        place = home / upload.id
        place.mkdir()
        (place / DATA).touch()
        told = {key: value for key, value in asdict(upload).items() if key not in ("offset", "until_utc")}
        write_json(place / INFO, told)
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
            told = json.loads((place / INFO).read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise NoUpload(f"there is no upload {id[:40]!r}; begin it anew") from problem
        return Upload(**told, offset=state.st_size, until_utc=state.st_mtime + KEPT_S)

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
        shutil.rmtree(self._place(reader, id))

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
        found = [self.state(reader, place.name) for place in home.iterdir() if (place / INFO).is_file()]
        return sorted(found, key=lambda upload: upload.path)

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
        uploads = self.files(reader, batch)
        if not uploads and not target.exists():
            raise UploadProblem("nothing was uploaded in this batch; send its files first")
        short = [one for one in uploads if one.offset != one.length]
        if short:
            raise UploadProblem(
                f"{len(short)} of {len(uploads)} files are not whole: {short[0].path} has {short[0].offset} of "
                f"{short[0].length} bytes; send the rest"
            )
        for one in uploads:
            if one.sha256 and sum_file(home / one.id / DATA).sha256 != one.sha256:
                shutil.rmtree(home / one.id)
                raise WrongChecksum(f"{one.path}: is not what its checksum says; send this file again")
        for one in uploads:
            place = target / one.path
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                (home / one.id / DATA).replace(place)
            except OSError as problem:
                raise UploadProblem(
                    f"{one.path}: cannot lie beside the other files ({problem.strerror})"
                ) from problem
            shutil.rmtree(home / one.id)
        return target

    def title(self, reader: Reader, batch: str) -> str:
        """Return the title that a batch was given."""
        return str(json.loads((self._batch(reader, batch) / BATCH).read_text(encoding="utf-8"))["title"])

    def forget(self, batch: str) -> None:
        """Remove what is left of a batch that became a record."""
        if _ID.fullmatch(batch):
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
            newest = max((one.stat().st_mtime for one in home.rglob("*")), default=home.stat().st_mtime)
            if moment - newest > KEPT_S and not (home / INCOMING).exists():
                self.forget(home.name)
                gone.append(home.name)
        return gone

    def _batch(self, reader: Reader, batch: str) -> Path:
        home = self.root / batch
        if reader.name and _ID.fullmatch(batch):
            with suppress(OSError, ValueError):
                told: dict[str, Any] = json.loads((home / BATCH).read_text(encoding="utf-8"))
                if told["owner"] == reader.name:
                    return home
        raise NoUpload(f"there is no batch {batch[:40]!r} of uploads; begin one")

    def _place(self, reader: Reader, id: str) -> Path:
        if _ID.fullmatch(id):
            for home in self.root.glob(f"*/{id}"):
                self._batch(reader, home.parent.name)
                return home
        raise NoUpload(f"there is no upload {id[:40]!r}; begin it anew")

    def under_way(self, reader: Reader) -> int:
        """Sum the lengths of a reader's uploads that are no records yet, in bytes."""
        total = 0
        for info in self.root.glob(f"*/*/{INFO}"):
            with suppress(OSError, ValueError, NoUpload):
                self._batch(reader, info.parent.parent.name)
                total += int(json.loads(info.read_text(encoding="utf-8"))["length"])
        return total


@dataclass
class Appending:
    """Takes the bytes of one request.

    Attributes
    ----------
    descriptor : int
        Of the file, open for appending.
    path : str
        For messages.
    start : int
        Where the first byte belongs.
    length : int
        Bytes of the whole file.
    """

    descriptor: int
    path: str
    start: int
    length: int
    taken: int = 0

    def write(self, content: bytes) -> None:
        """Take some bytes.

        Parameters
        ----------
        content : bytes
            The next ones.

        Raises
        ------
        TooLarge
            More came than the file has; none of these are kept.
        StorageFull
            The disk is full; what was taken before is kept.
        """
        if self.start + self.taken + len(content) > self.length:
            raise TooLarge(
                f"{self.path}: more bytes came than the {self.length} that were told; begin it anew"
            )
        rest = memoryview(content)
        try:
            while rest:
                put = os.write(self.descriptor, rest)
                self.taken += put
                rest = rest[put:]
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise StorageFull(
                f"{self.path}: the disk is full; what arrived is kept, go on later"
            ) from problem

    def drop(self) -> None:
        """Drop what this request brought."""
        os.ftruncate(self.descriptor, self.start)
        self.taken = 0

    @property
    def offset(self) -> int:
        """The next byte."""
        return self.start + self.taken
