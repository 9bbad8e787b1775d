"""Bytes of one request, put behind those of an upload that are there; and what can be wrong with an upload."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from tomarium.errors import InputError, StorageFull


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
        unwritten = memoryview(content)
        try:
            while unwritten:
                count = os.write(self.descriptor, unwritten)
                self.taken += count
                unwritten = unwritten[count:]
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
