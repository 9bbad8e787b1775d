"""Pictures that the portal makes of a record's files, in a process of its own: the files may be malicious."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from tomarium.catalogue.child_reader import SETTING, ChildReaders, ReaderDied, ReadersBusy
from tomarium.catalogue.confined_volumes import VolumeQuestion, answer_in_child
from tomarium.catalogue.store import ObjectPath
from tomarium.confinement import CannotConfine
from tomarium.errors import FormatError
from tomarium.model import Record
from tomarium.portal import webp
from tomarium.portal.request_context import RequestContext
from tomarium.registry import collect
from tomarium.viewers.viewer import Viewer


@dataclass(frozen=True)
class PictureQuestion:
    """A picture of a viewer, by its name and choices."""

    viewer: str
    record: Record
    folder: Path
    name: str
    choices: Mapping[str, str]


@cache
def readers() -> ChildReaders:
    """Return the processes that draw for this portal, and read volumes for its pages.

    Returns
    -------
    ChildReaders
        Two, which begin when they are first asked.
    """
    return ChildReaders(make, before=load_viewers, waiting=64)


def load_viewers() -> None:
    """Import all viewers."""
    collect("viewers", Viewer)


def make(question: PictureQuestion | Path | VolumeQuestion) -> bytes | dict[str, Any] | None:
    """Draw a picture, write one smaller, or read of a volume; what a child does."""
    if isinstance(question, VolumeQuestion):
        return answer_in_child(question)
    if isinstance(question, Path):
        return webp.as_webp(question.read_bytes())
    draw = collect("viewers", Viewer)[question.viewer].picture
    return None if draw is None else draw(question.record, question.folder, question.name, question.choices)


def draw(request_context: RequestContext, question: PictureQuestion) -> bytes:
    """Draw a picture of a viewer.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    question : PictureQuestion
        Of a viewer that has pictures.

    Returns
    -------
    bytes
        As the viewer makes it; in this process where the record lies in an object store, which a child does not reach.

    Raises
    ------
    ParameterError
        There is no such picture.
    FormatError
        The files are damaged, or reading them takes too long.
    HTTPException
        501: this system cannot confine a process. 503: too much is being drawn.
    """
    remote = isinstance(question.folder, ObjectPath)
    content = make(question) if remote else _ask(request_context, question, question.folder)
    assert isinstance(content, bytes)
    return content


def smaller(request_context: RequestContext, path: Path, changed_ns: int, size: int) -> bytes | None:
    """Write a picture of a record as WebP; None where that cannot be, or is no smaller.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    path : Path
        A PNG.
    changed_ns, size : int
        Its time and size in bytes, by which a changed file is another one.

    Returns
    -------
    bytes or None
        Made once for each file.
    """
    if size > webp.MOST_BYTES or isinstance(path, ObjectPath):
        return None
    key = (path, changed_ns, size)
    if key not in _SMALLER:
        try:
            picture = _ask(request_context, path, path)
        except (HTTPException, FormatError):
            return None
        while len(_SMALLER) >= webp.MOST_KEPT:
            _SMALLER.pop(next(iter(_SMALLER)), None)
        _SMALLER[key] = picture
    return _SMALLER[key]


_SMALLER: dict[tuple[Path, int, int], bytes | None] = {}


def _ask(request_context: RequestContext, question: PictureQuestion | Path, readable: Path) -> bytes | None:
    unconfined = request_context.settings[SETTING] == "yes"
    try:
        picture: bytes | None = readers().ask(question, readable=[readable], unconfined=unconfined)
    except ReadersBusy as problem:
        raise HTTPException(503, f"{str(problem).capitalize()}.", {"Retry-After": "2"}) from problem
    except CannotConfine as problem:
        raise HTTPException(501, f"{problem}.") from problem
    except ReaderDied as problem:
        raise FormatError(f"{readable}: {problem}") from problem
    return picture
