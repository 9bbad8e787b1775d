"""The stacks of frames of a scan, and which of their frames are those of an earlier file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.formats.frames.per_frame import PerFrame
from tomarium.formats.provenance.frame_mapping import (
    FrameMap,
    Placed,
    frame_maps,
    runs_of,
)
from tomarium.model import Frames, Scan


@dataclass(frozen=True, eq=False)
class Woven(PerFrame):
    """Frames put together from several stacks."""

    stacks: Mapping[str, Frames]
    runs: Sequence[tuple[int, int, str, int]]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        _, rows, columns = self.stacks[self.runs[0][2]].shape
        return self.runs[-1][1], rows, columns

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        for first, last, stack, start in self.runs:
            inside = (wanted >= first) & (wanted < last)
            if inside.any():
                result[inside] = self.stacks[stack].read(wanted[inside] - first + start, rows)

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Bytes read and bytes decompressed by `read`."""
        return self.stacks[self.runs[0][2]].cost(frames, rows)


def stacks_of(scan: Scan) -> dict[str, Frames]:
    """Name the stacks of a scan whose order every format keeps.

    Result: "projections", and "flats" and "darks" where they are told in the order they were taken.
    """
    found = {"projections": scan.projections}
    for word, reference in (("flats", scan.flats), ("darks", scan.darks)):
        if reference is not None and bool((np.diff(reference.position) >= 0).all()):
            found[word] = reference.frames
    return found


def types_held(scan: Scan, again: Scan) -> dict[str, np.dtype[Any]]:
    """Tell the type of each stack that a target gives back as it was."""
    there = stacks_of(again)
    return {
        name: np.dtype(there[name].dtype)
        for name, frames in stacks_of(scan).items()
        if name in there and there[name].shape == frames.shape
    }


def runs_by_stack(scan: Scan) -> dict[tuple[Path, str], FrameMap]:
    """Follow the stacks of a scan back to the datasets they were read from.

    Result: whose `datasets` are names of stacks.
    """
    return frame_maps([Placed(one, name, np.arange(one.shape[0])) for name, one in stacks_of(scan).items()])


def runs_told(frame_map: FrameMap, rest: str) -> list[tuple[int, int, str, int]]:
    """Tell which frames of which stack a dataset's frames are.

    `rest`: where the frames lie that are in none, one after the other.
    """
    which, frame = frame_map.which.copy(), frame_map.frame.copy()
    left = np.flatnonzero(which < 0)
    which[left], frame[left] = len(frame_map.datasets), np.arange(len(left))
    names = [*frame_map.datasets, rest]
    whole = FrameMap(frame_map.order, frame_map.size, names, which, frame)
    return [(first, last, names[which[first]], int(frame[first])) for first, last in runs_of(whole)]
