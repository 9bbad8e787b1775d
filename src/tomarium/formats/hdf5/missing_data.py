"""What HDF5 would make up: entries that were never written, or lie in a file that is absent, damaged or too short.

For all of these the library returns the fill value, which is 0, and no error; only a source that is shorter than
the virtual dataset was told is an error, once the entries it lacks are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import h5py
import numpy as np
from h5py import h5s
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.hdf5.names import file_of

if TYPE_CHECKING:
    from tomarium.formats.hdf5.source import Source

ABSENT: Final = "is absent"
NEVER: Final = "were never written"
# Chunks that one node of HDF5's oldest index names: as many as a writer that is killed may leave half-written.
_LEAF: Final = 64
# Searches of 5 µs each for chunks that cannot be listed.
_MOST_SEARCHED: Final = 200_000
Run: TypeAlias = tuple[int, int]
"""First entry, and the one after the last."""


@dataclass(frozen=True)
class Gap:
    """Entries of a dataset whose bytes cannot be had."""

    # along the axis that was asked for, `last` not included
    first: int
    last: int
    file: str  # the file they should lie in, as a virtual dataset names it; empty for the dataset's own
    why: str = ABSENT  # what is wrong with it: "is absent", "holds no dataset /data"


def unwritten(dataset: h5py.Dataset, axis: int = 0) -> list[Run]:
    """List the entries of a dataset that no one has written, all or in part.

    `dataset`: one that is not virtual. Of one in a single piece it is known only whether it has any bytes.
    Result: first entry and the one after the last of each run.
    """
    shape = dataset.shape
    if not shape or not all(shape):
        return []
    if dataset.chunks is None:
        return [] if dataset.id.get_storage_size() else [(0, shape[axis])]
    blocks = [-(-length // chunk) for length, chunk in zip(shape, dataset.chunks, strict=True)]
    chunks_of_entry = math.prod(blocks) // blocks[axis]
    total = math.prod(blocks)
    listed: list[tuple[int, ...]] = []
    try:
        if dataset.id.get_num_chunks() >= total and all(
            is_found(dataset, _place(dataset, blocks, number))
            for number in range(max(0, total - _LEAF), total)
        ):
            return []
        dataset.id.chunk_iter(lambda chunk: listed.append(chunk.chunk_offset))
    except (OSError, RuntimeError):  # a torn index, which cannot be listed but may still be searched
        listed = [_place(dataset, blocks, number) for number in range(min(total, _MOST_SEARCHED))]
    step = dataset.chunks[axis]
    counts = np.zeros(blocks[axis], np.int64)
    for place in listed:
        inside = all(0 <= index < length for index, length in zip(place, shape, strict=True))
        if inside and is_found(dataset, place):
            counts[place[axis] // step] += 1
    runs = _runs(np.flatnonzero(counts < chunks_of_entry))
    return [(first * step, min(last * step, shape[axis])) for first, last in runs]


def _place(dataset: h5py.Dataset, blocks: list[int], number: int) -> tuple[int, ...]:
    """Return where the chunk of this number begins."""
    where = np.unravel_index(number, blocks)
    return tuple(int(index) * chunk for index, chunk in zip(where, dataset.chunks, strict=True))


def is_found(dataset: h5py.Dataset, place: tuple[int, ...]) -> bool:
    """Tell whether the library finds a chunk as its `read` does; where it does not, that makes up the fill value.

    Its list of chunks is no witness: of a writer killed in the middle of its index, that may name chunks which a
    search from above does not reach. The search alone is had by asking for a chunk with no room to put it.
    """
    try:
        dataset.id.read_direct_chunk(place, out=bytearray(0))
    except ValueError:  # it is there, and needs more room
        return True
    except (OSError, RuntimeError):
        return False
    return True


def _runs(numbers: NDArray[np.intp]) -> list[Run]:
    """Cut rising numbers into runs of neighbours."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [(int(run[0]), int(run[-1]) + 1) for run in runs if len(run)]


def is_sparse(dataset: h5py.Dataset) -> bool:
    """Tell whether some entries of a dataset were never written; only a copy of it as it lies keeps that.

    Result: False for a virtual one, whose entries lie elsewhere.
    """
    return not dataset.is_virtual and bool(unwritten(dataset))


def gaps_of(
    source: Source,
    dataset: h5py.Dataset,
    axis: int = 0,
    lacking: Callable[[h5py.Dataset, int], list[Run]] = unwritten,
) -> Iterator[Gap]:
    """List the entries that HDF5 would make up.

    `source`: the open scan the dataset was found in with `find`. `lacking`: lists what a dataset that is not
    virtual lacks; one that may be growing is asked another way. Yields: in the order of the mapping. A source
    that is virtual itself and lacks anything is lacking whole.
    """
    if not dataset.is_virtual:
        yield from (Gap(first, last, "", NEVER) for first, last in lacking(dataset, axis))
        return
    parent = file_of(dataset)
    is_mapped = np.zeros(dataset.shape[axis], bool)
    items = dataset.virtual_sources()
    for item in items:
        is_mapped[slice(*_bounds(item.vspace, axis, dataset.shape[axis]))] = True
    yield from (Gap(first, last, "", NEVER) for first, last in _runs(np.flatnonzero(~is_mapped)))
    # Each frame may be a mapping of its own into one part.
    seen: dict[tuple[str, str, int], list[Run]] = {}

    def once(node: h5py.Dataset, along: int) -> list[Run]:
        key = (node.file.filename, str(node.name), along)
        if key not in seen:
            seen[key] = lacking(node, along)
        return seen[key]

    for item in items:
        part = (str(parent.parent / item.file_name), item.dset_name)
        if part in source.trusted:
            continue
        why, runs = _state(source, dataset, item, axis, once)
        if not why and not runs:
            source.trusted.add(part)
            continue
        bounds = _bounds(item.vspace, axis, dataset.shape[axis])
        if why:
            yield Gap(*bounds, item.file_name, why)
        begin, end = _bounds(item.src_space, axis, dataset.shape[axis])
        for first, last in runs:
            if max(first, begin) < min(last, end):
                start = _entry(item.vspace, axis, max(first, begin) - begin, bounds)
                until = _entry(item.vspace, axis, min(last, end) - begin - 1, bounds) + 1
                reason = f"does not hold entries {first} to {last - 1} of {item.dset_name}"
                if start < bounds[1]:
                    yield Gap(start, min(until, bounds[1]), item.file_name, reason)


def gaps_with_warnings(source: Source, dataset: h5py.Dataset, axis: int = 0) -> tuple[Gap, ...]:
    """List the entries that HDF5 would make up, and say so among the source's warnings.

    Result: for `refuse_gaps`, when entries are asked for.
    """
    gaps = tuple(gaps_of(source, dataset, axis))
    reasons = {
        gap.file: gap.why for gap in gaps if gap.file and gap.why != ABSENT
    }  # the absent are told already
    source.warnings.extend(f"{dataset.name}: {file} {why}; copy it anew" for file, why in reasons.items())
    own = [gap for gap in gaps if not gap.file]
    if own:
        count = sum(gap.last - gap.first for gap in own)
        source.warnings.append(
            f"{dataset.name}: {count} of {dataset.shape[axis]} entries {NEVER}, the first of them "
            f"{own[0].first}, as where a scan was stopped"
        )
    return gaps


def refuse_gaps(path: Path, place: str, gaps: tuple[Gap, ...], wanted: NDArray[np.intp]) -> None:
    """Refuse entries that HDF5 would make up."""
    lacking = [gap for gap in gaps if np.any((wanted >= gap.first) & (wanted < gap.last))]
    if not lacking:
        return
    first = lacking[0]
    if first.file:
        files = ", ".join(dict.fromkeys(gap.file for gap in lacking if gap.why == first.why))
        raise FormatError(
            f"{path}: the frames asked for lie in {files}, which {first.why}; "
            f"copy it to where {place.partition(':')[0]} points, or choose other frames"
        )
    example = f", such as --data {place}[0:{gaps[0].first}]" if gaps[0].first else ""
    raise FormatError(
        f"{path}: entries {first.first} to {first.last - 1} of {place} {first.why}, as where a scan was stopped "
        f"or is still running; choose those that are there{example}"
    )


def _state(
    source: Source,
    dataset: h5py.Dataset,
    item: Any,
    axis: int,
    lacking: Callable[[h5py.Dataset, int], list[Run]],
) -> tuple[str, list[Run]]:
    """Say what is wrong with a part, or which entries it lacks."""
    file: h5py.File | None = dataset.file
    if item.file_name != ".":
        place = source.locate(file_of(dataset), item.file_name)
        if place is None:
            return ABSENT, []
        if place in source.damaged:
            return source.damaged[place], []
        file = source.opened.get(place)
    if file is None or "%" in item.dset_name:  # HDF5 looks for the numbered ones itself
        return "", []
    node = source.find(item.dset_name.strip("/"), file["/"])
    if not isinstance(node, h5py.Dataset):
        return f"holds no dataset {item.dset_name}", []
    if node.is_virtual:
        below = next(gaps_of(source, node, lacking=lacking), None)
        return ("", []) if below is None else (f"lacks {below.file or 'entries'}, which {below.why}", [])
    if node.ndim != dataset.ndim:
        return (f"does not hold all of {item.dset_name}" if lacking(node, 0) else ""), []
    expected, length = _expected_length(dataset, item, axis), node.shape[axis]
    runs = lacking(node, axis)
    if expected is not None and length < expected:
        runs = [*runs, (length, expected)]
    return "", _joined(runs)


def _joined(runs: list[Run]) -> list[Run]:
    """Join runs, in order, that touch."""
    joined: list[Run] = []
    for first, last in runs:
        if joined and joined[-1][1] == first:
            first = joined.pop()[0]
        joined.append((first, last))
    return joined


def _expected_length(dataset: h5py.Dataset, item: Any, axis: int) -> int | None:
    """Return how many entries a part must have; None where that is not fixed, and the library asks the part."""
    if item.src_space.get_select_type() == h5s.SEL_HYPERSLABS:
        return _bounds(item.src_space, axis, 0)[1] or None
    first, last = _bounds(item.vspace, axis, 0)  # all of the part; how much that was is not kept in the file
    if item.vspace.get_select_type() == h5s.SEL_HYPERSLABS and item.vspace.is_regular_hyperslab():
        _, _, count, block = (numbers[axis] for numbers in item.vspace.get_regular_hyperslab())
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
            start, stride, _, block = (numbers[axis] for numbers in space.get_regular_hyperslab())
            return int(start + number // block * stride + number % block)
    except (RuntimeError, ValueError):
        return bounds[0]
    return bounds[0] + number
