"""Where what is written comes from: a run that stopped goes on only from the same source, unchanged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from tomarium.model import Frames, Image, Scan

_MOST_LISTED: Final = 10_000


def origin_of(opened: Scan | Image) -> str:
    """Sum up the files of a scan or an image.

    Parameters
    ----------
    opened : Scan or Image
        What is written.

    Returns
    -------
    str
        Another one where a file was changed, or another is meant; "" where it lies in no file.
    """
    if isinstance(opened, Scan):
        stacks = [
            opened.projections,
            *(one.frames for one in (opened.flats, opened.darks) if one is not None),
        ]
        told = [files_of(stack) for stack in stacks] or _stamps(opened.path)
        held: dict[str, Any] = {name: repr(value.value) for name, value in opened.metadata.items()}
        told.append([opened.shape, repr(opened.angles_deg.value.tolist()), held])
    elif opened.path is None or not opened.path.exists():
        return ""
    else:
        told = [_stamps(opened.path), opened.shape, opened.dtype.str, opened.name, repr(opened.axes)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def files_of(frames: Frames) -> list[Any]:
    """Name the files frames come from, with their sizes and times, where they come from some.

    Parameters
    ----------
    frames : Frames
        A stack.

    Returns
    -------
    list
        JSON-ready.
    """
    found: list[Any] = []
    for part in getattr(frames, "parts", (frames,)):
        file = getattr(part, "file", None) or getattr(part, "path", None)
        if file is not None and Path(file).exists():
            found.append(_stamps(Path(file)))
    return found


def _stamps(path: Path) -> list[Any]:
    places = [path, *sorted(path.iterdir())[:_MOST_LISTED]] if path.is_dir() else [path]
    stats = [(place, place.stat()) for place in places]
    return [[str(place.resolve()), now.st_size, now.st_mtime_ns] for place, now in stats]
