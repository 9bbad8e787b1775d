"""Files that another catalogue tells of, looked for in a folder of this machine; nothing outside of it is touched."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from tomarium.errors import InputError
from tomarium.importers.found import DraftFile

State = Literal["at hand", "not at hand", "other size", "other checksum", "leads out of the folder"]
_BLOCK: Final = 1 << 20
_BY_LENGTH: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}


@dataclass(frozen=True)
class LocalFile:
    """A file of a source, and what was found of it.

    Attributes
    ----------
    file : DraftFile
        As the source tells it.
    state : str
        "at hand" or what keeps it from being taken.
    place : Path or None
        Where it lies.
    """

    file: DraftFile
    state: State
    place: Path | None = None


def demand_folder(folder: Path | None) -> None:
    """Refuse a folder of files that is none, so that nothing is called absent for a mistyped name."""
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: is no folder; give that below which the files of the source lie")


def look_for(file: DraftFile, folder: Path | None, *, read: bool = False) -> LocalFile:
    """Look for a file.

    Parameters
    ----------
    file : DraftFile
        As the source tells it.
    folder : Path or None
        Below which it must lie; None where none was given.
    read : bool
        Whether it is read to compare its checksum; its size is compared in any case.

    Returns
    -------
    LocalFile
        At hand only where it is as the source says, as far as that tells.
    """
    if folder is None:
        return LocalFile(file, "not at hand")
    root = folder.resolve()
    outside = False
    for location in file.locations:
        path = PurePosixPath(location.replace("\\", "/"))
        if ".." in path.parts or "\0" in location:
            outside = True
            continue
        below = root.joinpath(*[part for part in path.parts if part != "/"])
        places = [below, Path(path)] if path.is_absolute() else [below]
        for place in places:
            real = place.resolve()
            if not real.is_relative_to(root):
                outside = outside or place is below
            elif real.is_file():
                return LocalFile(file, _state(file, real, read), real)
    return LocalFile(file, "leads out of the folder" if outside else "not at hand")


def _state(file: DraftFile, place: Path, read: bool) -> State:
    if file.bytes is not None and place.stat().st_size != file.bytes:
        return "other size"
    if read and file.checksum and not _agrees(place, file.checksum):
        return "other checksum"
    return "at hand"


def _agrees(place: Path, checksum: str) -> bool:
    """Compare a checksum by the algorithm that its length tells; one of no known length is not compared."""
    digits = checksum.strip().lower().rpartition(":")[2]
    if len(digits) <= 8:
        crc = 0
        with place.open("rb") as file:
            while block := file.read(_BLOCK):
                crc = zlib.crc32(block, crc)
        return crc == int(digits, 16) if all(text in "0123456789abcdef" for text in digits) else True
    name = _BY_LENGTH.get(len(digits))
    if name is None:
        return True
    with place.open("rb") as file:
        return hashlib.file_digest(file, name).hexdigest() == digits
