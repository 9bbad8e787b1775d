"""Folders outside of a scan's own that it may point to, because its user trusts what lies there.

A scan from elsewhere must not be able to make its reader open other people's files, so frames lie in the scan's folder
or below. Programs that only refer to the raw data, as nxtomomill does, write files that point above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from pathlib import Path
from typing import Final

from tomarium.errors import ParameterError

# It holds for the block of `trusting` alone, in the thread that entered it: formats are asked through functions of one
# fixed form, which take a path and nothing else.
_TRUSTED: Final[ContextVar[tuple[Path, ...]]] = ContextVar("trusted", default=())


@contextmanager
def trusting(folders: Iterable[str | PathLike[str]]) -> Iterator[None]:
    """Let scans point to files in some folders, and below them, while the block lasts.

    `folders`: folders; symbolic links are resolved, and those that were trusted before stay so.
    """
    paths = tuple(Path(folder).expanduser() for folder in folders)
    absent = next((folder for folder in paths if not folder.is_dir()), None)
    if absent is not None:
        raise ParameterError(f"{absent} was given to be trusted, but there is no such folder; check its path")
    token = _TRUSTED.set((*_TRUSTED.get(), *(folder.resolve() for folder in paths)))
    try:
        yield
    finally:
        _TRUSTED.reset(token)


def trusted() -> tuple[Path, ...]:
    """Return the folders that are trusted here, symbolic links resolved.

    Result: empty outside of a block of `trusting`.
    """
    return _TRUSTED.get()
