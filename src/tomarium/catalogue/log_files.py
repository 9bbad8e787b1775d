"""Pictures and files that were put to entries of the log book or to a hand-over: kept once each, by their checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import write_whole
from tomarium.catalogue.strip_metadata import Unreadable, without_metadata
from tomarium.errors import ParameterError

FOLDER: Final = "logbook"
"""Below the catalogue's folder."""
LARGEST_BYTES: Final = 20 << 20
MOST: Final = 10
"""Files of one entry."""
_LONGEST_NAME: Final = 120
_PICTURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
"""What a picture begins with that a browser shows and that can hold no script."""


@dataclass(frozen=True)
class LogFile:
    """A file of an entry.

    Attributes
    ----------
    name : str
        For people; no path.
    digest : str
        SHA-256, hexadecimal.
    bytes : int
        Its size.
    type : str
        "image/png", "image/jpeg", "image/gif" or "image/webp", by what the file begins with; "" for all else.
    """

    name: str
    digest: str
    bytes: int
    type: str

    @property
    def is_picture(self) -> bool:
        """Whether a page shows it."""
        return bool(self.type)


def keep_files(home: Path, named_contents: Iterable[tuple[str, bytes]]) -> tuple[LogFile, ...]:
    """Keep files, pictures without what a camera wrote into them; one that is there already is not written again.

    Parameters
    ----------
    home : Path
        Folder of the catalogue.
    named_contents : iterable of (str, bytes)
        Name and content of each.

    Returns
    -------
    tuple of LogFile
        In this order. What begins like a picture and cannot be read as one is kept as it is, and is no picture.

    Raises
    ------
    ParameterError
        There are too many, or one is empty or too large; then none is kept.
    """
    files = list(named_contents)
    if len(files) > MOST:
        raise ParameterError(f"{len(files)} files were given; an entry has at most {MOST}: write another one")
    for name, content in files:
        if not content or len(content) > LARGEST_BYTES:
            raise ParameterError(
                f"{_named(name)}: has {len(content)} bytes; 1 byte to {LARGEST_BYTES >> 20} MiB were expected"
            )
    return tuple(_keep_file(home, _named(name), content) for name, content in files)


def _keep_file(home: Path, name: str, content: bytes) -> LogFile:
    type = picture_type(content)
    try:
        content = without_metadata(content, type) if type else content
    except Unreadable:
        type = ""
    return LogFile(name, keep_content(home, content), len(content), type)


def keep_content(home: Path, content: bytes) -> str:
    """Keep a file as it is, once; return its SHA-256.

    Parameters
    ----------
    home : Path
        Folder of the catalogue.
    content : bytes
        Of the file.

    Returns
    -------
    str
        Hexadecimal.
    """
    digest = hashlib.sha256(content).hexdigest()
    if not (place := place_of_file(home, digest)).is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, content)
    return digest


def place_of_file(home: Path, digest: str) -> Path:
    """Return where a file lies.

    Parameters
    ----------
    home : Path
        Folder of the catalogue.
    digest : str
        As a `LogFile` has it.

    Returns
    -------
    Path
        Below the folder.
    """
    return home / FOLDER / digest[:2] / digest


def picture_type(content: bytes) -> str:
    """Tell the type of a picture by what it begins with, whatever its name says; "" for all else, SVG among it."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for start, media_type in _PICTURES if content.startswith(start)), "")


def files_as_data(files: Iterable[LogFile]) -> list[dict[str, Any]]:
    """Write files as a column of the database holds them."""
    return [asdict(file) for file in files]


def read_files(entries: Iterable[Mapping[str, Any]]) -> tuple[LogFile, ...]:
    """Read what `files_as_data` wrote."""
    return tuple(LogFile(entry["name"], entry["digest"], entry["bytes"], entry["type"]) for entry in entries)


def _named(name: str) -> str:
    """Take the last part of a path, of whatever system, without signs that are none for people."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(sign for sign in last if sign.isprintable()).strip(". ")
    return plain[-_LONGEST_NAME:] or "file"
