"""What HDF5 would make up: entries of a virtual dataset whose file is absent, damaged, or holds less than is said.

For all of these the library returns the fill value, which is 0, and no error; only a source that is shorter than
the virtual dataset was told is an error, once the entries it lacks are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import h5py
from h5py import h5s

if TYPE_CHECKING:
    from tomarium.formats.hdf5 import Source

ABSENT: Final = "is absent"


@dataclass(frozen=True)
class Gap:
    """Entries of a virtual dataset whose bytes cannot be had.

    Attributes
    ----------
    first, last : int
        Along the axis that was asked for, `last` not included.
    file : str
        The file they lie in, as the dataset names it.
    why : str
        What is wrong with it: "is absent", "holds no dataset /data".
    """

    first: int
    last: int
    file: str
    why: str = ABSENT


def _all(node: h5py.Dataset) -> int:
    """Take every entry of a dataset as written."""
    return int(node.shape[0])


def gaps_of(
    source: Source, dataset: h5py.Dataset, axis: int = 0, written: Callable[[h5py.Dataset], int] = _all
) -> Iterator[Gap]:
    """List the entries that HDF5 would make up.

    Parameters
    ----------
    source : Source
        The open scan the dataset was found in with `find`.
    dataset : h5py.Dataset
        Any dataset; one that is not virtual has no gaps.
    axis : int
        Axis to count entries along.
    written : callable
        Counts the leading entries of a dataset whose bytes are there, where it may be growing.

    Yields
    ------
    Gap
        In the order of the mapping. A source that is virtual itself and lacks anything is lacking whole.
    """
    if not dataset.is_virtual:
        return
    parent = Path(dataset.file.filename)
    for item in dataset.virtual_sources():
        part = (str(parent.parent / item.file_name), item.dset_name)
        if part in source.trusted:
            continue
        why, there = _state(source, dataset, item, axis, written)
        if not why and there is None:
            source.trusted.add(part)
            continue
        first, last = _bounds(item.vspace, axis, dataset.shape[axis])
        if why:
            yield Gap(first, last, item.file_name, why)
        elif there is not None:
            begin = _bounds(item.src_space, axis, 0)[0]
            first = _entry(item.vspace, axis, max(0, there - begin), (first, last))
            if first < last:
                said = f"holds only {there} entries of {item.dset_name}"
                yield Gap(first, last, item.file_name, said)


def _state(
    source: Source, dataset: h5py.Dataset, item: Any, axis: int, written: Callable[[h5py.Dataset], int]
) -> tuple[str, int | None]:
    """Say what is wrong with a part, or how many entries it has where these are fewer than it was told."""
    file: h5py.File | None = dataset.file
    if item.file_name != ".":
        place = source.locate(Path(dataset.file.filename), item.file_name)
        if place is None:
            return ABSENT, None
        if place in source.damaged:
            return source.damaged[place], None
        file = source.opened.get(place)
    if file is None or "%" in item.dset_name:  # HDF5 looks for the numbered ones itself
        return "", None
    node = source.find(item.dset_name.strip("/"), file["/"])
    if not isinstance(node, h5py.Dataset):
        return f"holds no dataset {item.dset_name}", None
    if node.is_virtual:
        below = next(gaps_of(source, node, written=written), None)
        return ("", None) if below is None else (f"lacks {below.file}, which {below.why}", None)
    told = _told(dataset, item, axis)
    if told is None or node.ndim != dataset.ndim:
        return "", None
    there = min(node.shape[axis], written(node)) if axis == 0 else node.shape[axis]
    return "", (None if there >= told else int(there))


def _told(dataset: h5py.Dataset, item: Any, axis: int) -> int | None:
    """Return how many entries a part must have; None where that is not fixed, and the library asks the part."""
    if item.src_space.get_select_type() == h5s.SEL_HYPERSLABS:
        return _bounds(item.src_space, axis, 0)[1] or None
    first, last = _bounds(item.vspace, axis, 0)  # all of the part; how much that was is not kept in the file
    if item.vspace.get_select_type() == h5s.SEL_HYPERSLABS and item.vspace.is_regular_hyperslab():
        _, _, count, block = (one[axis] for one in item.vspace.get_regular_hyperslab())
        return int(count * block) if last else None
    return last - first or None


def _bounds(space: h5s.SpaceID, axis: int, most: int) -> tuple[int, int]:
    """Return the first entry of a selection and the one after the last."""
    try:
        low, high = space.get_select_bounds()
        return int(low[axis]), int(high[axis]) + 1
    except (RuntimeError, ValueError, IndexError):  # an unlimited selection has no bounds
        return 0, most


def _entry(space: h5s.SpaceID, axis: int, number: int, bounds: tuple[int, int]) -> int:
    """Return which entry of the virtual dataset is that of this number in the selection."""
    try:
        if space.get_select_type() == h5s.SEL_HYPERSLABS and space.is_regular_hyperslab():
            start, stride, _, block = (one[axis] for one in space.get_regular_hyperslab())
            return int(start + number // block * stride + number % block)
    except (RuntimeError, ValueError):
        return bounds[0]
    return bounds[0] + number
