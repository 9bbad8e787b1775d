"""Write a folder of files so that it is there whole or not at all, and a run that stopped can go on.

The folder carries a hidden name until its last file is there; so does each file, so that one which is found is
complete and need not be written again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.hdf5.writer import blocks
from tomarium.formats.resumable.hidden_file import OnProgress, hidden_file
from tomarium.model import Frames, Scan


@contextmanager
def creating_folder(path: Path, origin: str | None = None) -> Iterator[Path]:
    """Write a folder beside its final name and rename it when it is complete.

    `path`: final name; it must not exist, or be an empty folder. `origin`: where its content comes from, as
    `source_fingerprint.origin_of` says. A run that stops then leaves what it has, and the next one with the same
    origin finds it. None, or "", leaves nothing behind.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FormatError(f"{path}: exists already; remove it or choose another path")
    with hidden_file(path, resume=bool(origin), what="folder") as hidden:
        if hidden.blocks(origin or "") is None:
            shutil.rmtree(hidden.partial, ignore_errors=True)
            hidden.partial.mkdir()
            hidden.log.replace([origin or ""])
        yield hidden.partial
        if path.exists():
            path.rmdir()


def is_begun(path: Path) -> bool:
    """Tell whether a run that stopped has left part of a folder."""
    return path.with_name(f".{path.name}.partial").is_dir()


def put(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file that has its name only when it is whole; one that is there is left."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.part")
    with draft.open("wb") as stream:
        for part in parts:
            stream.write(part)
    draft.replace(path)


@dataclass
class Tally:
    """How many bytes of frames are written, of how many."""

    total: int  # bytes in all
    on_progress: OnProgress | None = None  # told of both
    done: int = 0

    def add(self, count: int) -> None:
        """Note some more, and tell."""
        self.done += count
        if self.on_progress is not None:
            self.on_progress(self.done, self.total)


def tally_of(scan: Scan, on_progress: OnProgress | None) -> Tally:
    """Begin to count the frames of a scan."""
    stacks = [
        scan.projections,
        *(reference.frames for reference in (scan.flats, scan.darks) if reference is not None),
    ]
    return Tally(sum(_bytes(stack) * stack.shape[0] for stack in stacks), on_progress)


def write_frames(
    frames: Frames,
    file_of: Callable[[int], Path],
    parts_of: Callable[[int, NDArray[Any]], Iterable[bytes | memoryview]],
    tally: Tally,
) -> None:
    """Write each frame of a stack into a file of its own; those that are there are not read again.

    `parts_of`: `parts_of(number, frame) -> bytes-like, …`: what its file holds.
    """
    for start, stop in blocks(frames):
        lacking = [number for number in range(start, stop) if not file_of(number).exists()]
        if lacking:
            block = frames.read(slice(lacking[0], stop), slice(None))
            for number in lacking:
                put(file_of(number), *parts_of(number, block[number - lacking[0]]))
        tally.add((stop - start) * _bytes(frames))


def _bytes(frames: Frames) -> int:
    return frames.shape[1] * frames.shape[2] * np.dtype(frames.dtype).itemsize
