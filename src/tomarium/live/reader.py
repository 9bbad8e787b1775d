"""What a place of storage must answer, so that `nodes` can show it as groups and datasets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

Status = Literal["closed", "growing", "finished", "quiet"]


@dataclass(frozen=True)
class Shape:
    """What is known of a dataset without reading it."""

    shape: tuple[int, ...]  # length of each axis
    dtype: np.dtype[Any]  # type of an element; `object` for texts
    chunks: tuple[int, ...] | None  # length of a chunk along each axis; None where it lies in one piece
    valid: int  # entries along the first axis that are all written; 1 for a single value


@dataclass(frozen=True)
class Look:
    """What stands at a path."""

    kind: Literal["group", "dataset"]
    members: tuple[str, ...] = ()  # names below a group, in the file's order
    shape: Shape | None = None  # of a dataset


def count_leading(count: int, is_there: Callable[[int], bool]) -> int:
    """Count the leading parts that are there; scans are written in order, so that a bisection finds the end.

    `is_there`: tells whether the part of a number is there.
    """
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if is_there(middle):
            low = middle + 1
        else:
            high = middle
    return low


class Reader(Protocol):
    """A file or folder that holds groups, datasets and attributes. It keeps nothing open between two calls."""

    @property
    def status(self) -> Status:
        """What its writer does: "closed", "growing", "finished" (it says so) or "quiet" (nothing for ten seconds)."""
        ...

    @property
    def generation(self) -> int:
        """A number that grows whenever there may be something new."""
        ...

    def look(self, path: str) -> Look | None:
        """Say what stands at a path; None where there is nothing, or only a link to an absent file."""
        ...

    def values(self, path: str, key: Any) -> Any:
        """Read part of a dataset; `key` is what stood between the brackets."""
        ...

    def attributes(self, path: str) -> dict[str, Any]:
        """Read the attributes of a group or dataset: texts as str, numbers as NumPy has them."""
        ...
