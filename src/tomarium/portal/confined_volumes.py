"""Volumes of records as the portal opens them: their headers and voxels are read in a process that can do nothing else.

While a request is answered, `viewers.volume.open_volume` asks `open_confined`. It gives a volume like any other, each
of whose parts is a question to such a process when it is sliced; so no codec and no metadata of strangers are read in
the portal itself, whichever page, picture or download asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from fastapi import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from tomarium.catalogue.child_reader import ChildReaders, ReadersBusy
from tomarium.catalogue.confined_volumes import VolumeQuestion, confined_volume
from tomarium.catalogue.store import ObjectPath
from tomarium.model import Volume
from tomarium.viewers.volume import OPENER, open_here

WAIT_S: Final = 30.0
"""Seconds that a part of a volume waits for a process that is free."""


def open_confined(readers: ChildReaders, path: Path) -> Volume:
    """Open the volume of a record without reading it here.

    Parameters
    ----------
    readers : ChildReaders
        Whose work is `answer_in_child`.
    path : Path
        Folder of an OME-Zarr image. One in an object store is read here, for a child has no network.

    Returns
    -------
    Volume
        As `open_volume` gives it.

    Raises
    ------
    FormatError
        The volume is damaged, or reading its header takes too long.
    HTTPException
        503: too much is being read.
    """
    if isinstance(path, ObjectPath):
        return open_here(path)

    def ask(question: VolumeQuestion) -> Any:
        until = time.monotonic() + (0 if question.level is None else WAIT_S)
        while True:
            try:
                # Where the system cannot confine it, a process of its own is still better than this one.
                return readers.ask(question, readable=[path], unconfined=True)
            except ReadersBusy as problem:
                if time.monotonic() > until:
                    raise HTTPException(
                        503, f"{str(problem).capitalize()}.", {"Retry-After": "2"}
                    ) from problem
            time.sleep(0.2)  # an answer has begun, and would be cut off

    return confined_volume(path, ask)


def with_confined_volumes(app: ASGIApp, readers: Callable[[], ChildReaders]) -> ASGIApp:
    """Read the volumes that an application opens while it answers in processes of their own.

    Parameters
    ----------
    app : ASGI application
        What answers.
    readers : callable
        Gives the processes, whose work is `answer_in_child`.

    Returns
    -------
    ASGI application
        The same.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        before = OPENER.set(lambda path: open_confined(readers(), path))
        try:
            await app(scope, receive, send)
        finally:
            OPENER.reset(before)

    return answer
