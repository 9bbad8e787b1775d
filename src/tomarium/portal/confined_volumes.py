"""Volumes of records as the portal opens them: their headers and voxels are read in a process that can do nothing else.

While a request is answered, `viewers.volume.open_volume` asks `open_confined`. It gives a volume like any other, each
of whose parts is a question to such a process when it is sliced; so no codec and no metadata of strangers are read in
the portal itself, whichever page, picture or download asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from fastapi import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from tomarium.catalogue.child_reader import ChildReaders, ReaderDied, ReadersBusy
from tomarium.catalogue.store import ObjectPath
from tomarium.errors import FormatError
from tomarium.model import Axis, Volume
from tomarium.viewers.volume import OPENER, open_here

WAIT_S: Final = 30.0
"""Seconds that a part of a volume waits for a process that is free."""


@dataclass(frozen=True)
class VolumeQuestion:
    """What is asked of a volume: its header, or a part of one of its levels.

    Attributes
    ----------
    path : Path
        Folder of an OME-Zarr image.
    level : int or None
        Which one a part is wanted of; None asks for the header.
    key : object
        What it is sliced with.
    """

    path: Path
    level: int | None = None
    key: Any = None


@dataclass(frozen=True, eq=False)
class ConfinedLevel:
    """One level of a volume, whose parts are asked for when it is sliced."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    ask: Callable[[Any], Any]

    def __getitem__(self, key: Any) -> Any:
        told = self.ask(key)
        part = np.frombuffer(told["content"], np.dtype(told["dtype"])).reshape(told["shape"])
        return part if part.ndim else part[()]


def answer_in_child(question: VolumeQuestion) -> dict[str, Any]:
    """Read what is asked of a volume; what a child does.

    Parameters
    ----------
    question : VolumeQuestion
        Of a folder that it may read.

    Returns
    -------
    dict
        Of a part: its "content", "dtype" and "shape". Of a header: all but the voxels, as `_volume_of` reads it.

    Raises
    ------
    FormatError
        The volume is damaged.
    """
    volume = open_here(question.path)
    if question.level is not None:
        part = np.asarray(volume.levels[question.level][question.key])
        return {"content": part.tobytes(), "dtype": part.dtype.str, "shape": list(part.shape)}
    return {
        "axes": [asdict(axis) for axis in volume.axes],
        "unit": volume.unit,
        "name": volume.name,
        "metadata": dict(volume.metadata),
        "levels": [
            {
                "path": str(getattr(level, "path", question.path)),
                "shape": list(level.shape),
                "dtype": np.dtype(level.dtype).str,
                "chunks": list(getattr(level, "chunks", (1,))),
            }
            for level in volume.levels
        ],
        "level_axes": [[asdict(axis) for axis in axes] for axes in volume.level_axes],
    }


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

    def ask(level: int | None = None, key: Any = None) -> Any:
        until = time.monotonic() + (0 if level is None else WAIT_S)
        while True:
            try:
                # Where the system cannot confine it, a process of its own is still better than this one.
                return readers.ask(VolumeQuestion(path, level, key), readable=[path], unconfined=True)
            except ReadersBusy as problem:
                if time.monotonic() > until:
                    raise HTTPException(
                        503, f"{str(problem).capitalize()}.", {"Retry-After": "2"}
                    ) from problem
            except ReaderDied as problem:
                raise FormatError(f"{path.name}: {problem}") from problem
            time.sleep(0.2)  # an answer has begun, and would be cut off

    return _volume_of(ask(), path, ask)


def _volume_of(told: dict[str, Any], path: Path, ask: Callable[[int, Any], Any]) -> Volume:
    """Make a volume of what a child told; FormatError where that is no header."""

    def level_of(number: int, one: dict[str, Any]) -> ConfinedLevel:
        return ConfinedLevel(
            Path(one["path"]),
            tuple(map(int, one["shape"])),
            np.dtype(one["dtype"]),
            tuple(map(int, one["chunks"])),
            lambda key: ask(number, key),
        )

    def axes_of(axes: list[dict[str, Any]]) -> tuple[Axis, ...]:
        return tuple(Axis(**{**axis, "coordinates": tuple(axis["coordinates"])}) for axis in axes)

    try:
        levels = tuple(level_of(number, one) for number, one in enumerate(told["levels"]))
        return Volume(
            levels[0],
            axes_of(told["axes"]),
            str(told["unit"]),
            str(told["name"]),
            path,
            dict(told["metadata"]),
            levels=levels,
            level_axes=tuple(axes_of(axes) for axes in told["level_axes"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise FormatError(
            f"{path.name}: the process that read it answered nonsense; the volume is damaged"
        ) from problem


def with_confined_volumes(app: ASGIApp, readers: Callable[[], ChildReaders]) -> ASGIApp:
    """Have the volumes that an application opens while it answers be read in processes of their own.

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
