"""The stacks of frames of a scan, and which of their frames are those of an earlier file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import h5py
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

Run: TypeAlias = tuple[int, int, str, int]
"""First frame of a dataset and the one after the last, the stack they are of, and the first one's number there."""


@dataclass(frozen=True, eq=False)
class Woven(PerFrame):
    """Frames put together from several stacks."""

    stacks: Mapping[str, Frames]
    runs: Sequence[Run]
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
    stacks = {"projections": scan.projections}
    for word, reference in (("flats", scan.flats), ("darks", scan.darks)):
        if reference is not None and bool((np.diff(reference.position) >= 0).all()):
            stacks[word] = reference.frames
    return stacks


@dataclass(frozen=True, eq=False)
class Stored:
    """A stack of a scan as a target gives it back."""

    dtype: np.dtype[Any]
    placed: Placed | None = None  # where in the target itself; None where the target lies beside


def stored_beside(scan: Scan, read_back: Scan) -> dict[str, Stored]:
    """Tell the type of each stack that a target gives back as it was."""
    stacks_again = stacks_of(read_back)
    return {
        name: Stored(np.dtype(stacks_again[name].dtype))
        for name, frames in stacks_of(scan).items()
        if name in stacks_again and stacks_again[name].shape == frames.shape
    }


def runs_by_stack(scan: Scan) -> dict[tuple[Path, str], FrameMap]:
    """Follow the stacks of a scan back to the datasets they were read from.

    Result: whose `datasets` are names of stacks.
    """
    return frame_maps(
        [Placed(frames, name, np.arange(frames.shape[0])) for name, frames in stacks_of(scan).items()]
    )


def runs_of_stacks(stacks: FrameMap | None, wanted: FrameMap, rest: str) -> list[Run]:
    """Tell which frames of which stack a dataset's frames are.

    `stacks`: where its frames are by stacks, as `runs_by_stack` says. `wanted`: where they are in the target. `rest`:
    where the frames lie that are in none, one after the other. Result: empty where the stacks do not hold those that
    the target does, or in another order of axes.
    """
    if stacks is None or stacks.order[0] > 0 or not np.array_equal(stacks.which < 0, wanted.which < 0):
        return []
    whole = stacks.completed(rest)
    names = [whole.datasets[number] for number in whole.which]
    return [(first, last, names[first], int(whole.frame[first])) for first, last in runs_of(whole)]


def map_of_runs(runs: Sequence[Run], stored: Mapping[str, Stored], node: h5py.Dataset, home: str) -> FrameMap:
    """Tell where in a target the frames of a dataset lie whose stacks are told.

    `home`: group in which frames lie that are in no stack.
    """
    count = runs[-1][1]
    frame_map = FrameMap((0, 1, 2) if node.ndim == 3 else (-1, 0, 1), (count, *node.shape[-2:]))
    frame_map.which, frame_map.frame = np.empty(count, np.intp), np.empty(count, np.intp)
    for first, last, stack, start in runs:
        placed = stored[stack].placed if stack in stored else None
        dataset = f"{home}{stack}" if placed is None else placed.dataset
        if dataset not in frame_map.datasets:
            frame_map.datasets.append(dataset)
        frame_map.which[first:last] = frame_map.datasets.index(dataset)
        numbers = np.arange(start, start + last - first)
        frame_map.frame[first:last] = numbers if placed is None else placed.where[numbers]
    return frame_map
