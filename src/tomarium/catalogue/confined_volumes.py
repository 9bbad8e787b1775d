"""Volumes whose headers and voxels a process reads that can do nothing else, sliced like any other.

Each part is a question to such a process; so no codec and no metadata of strangers are read by who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tomarium.catalogue.child_reader import ReaderDied
from tomarium.errors import FormatError
from tomarium.model import Axis, Volume
from tomarium.viewers.volume import open_here


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
        block = self.ask(key)
        part = np.frombuffer(block["content"], np.dtype(block["dtype"])).reshape(block["shape"])
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


def confined_volume(path: Path, ask: Callable[[VolumeQuestion], Any]) -> Volume:
    """Open a volume without reading it here.

    Parameters
    ----------
    path : Path
        Folder of an OME-Zarr image.
    ask : callable
        Has a question answered by `answer_in_child` in a process of its own.

    Returns
    -------
    Volume
        As `open_here` gives it, each of whose parts is asked for when it is sliced.

    Raises
    ------
    FormatError
        The volume is damaged, or its reader died.
    """

    def ask_level(level: int | None = None, key: Any = None) -> Any:
        try:
            return ask(VolumeQuestion(path, level, key))
        except ReaderDied as problem:
            raise FormatError(f"{path.name}: {problem}") from problem

    return _volume_of(ask_level(), path, ask_level)


def _volume_of(header: dict[str, Any], path: Path, ask: Callable[[int, Any], Any]) -> Volume:
    """Make a volume of what a child told; FormatError where that is no header."""

    def level_of(number: int, level: dict[str, Any]) -> ConfinedLevel:
        return ConfinedLevel(
            Path(level["path"]),
            tuple(map(int, level["shape"])),
            np.dtype(level["dtype"]),
            tuple(map(int, level["chunks"])),
            lambda key: ask(number, key),
        )

    def axes_of(axes: list[dict[str, Any]]) -> tuple[Axis, ...]:
        return tuple(Axis(**{**axis, "coordinates": tuple(axis["coordinates"])}) for axis in axes)

    try:
        levels = tuple(level_of(number, level) for number, level in enumerate(header["levels"]))
        return Volume(
            levels[0],
            axes_of(header["axes"]),
            str(header["unit"]),
            str(header["name"]),
            path,
            dict(header["metadata"]),
            levels=levels,
            level_axes=tuple(axes_of(axes) for axes in header["level_axes"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise FormatError(
            f"{path.name}: the process that read it answered nonsense; the volume is damaged"
        ) from problem
