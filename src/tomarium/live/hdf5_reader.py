"""HDF5 behind `nodes`: opened anew for each question, never locked; patient where it is being written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import h5py
import numpy as np
from h5py import h5f, h5fd, h5p

from tomarium.errors import FormatError, MissingData
from tomarium.formats.hdf5.array import first_axis
from tomarium.formats.hdf5.attributes import raw_attribute
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.filters import load_plugins_for
from tomarium.formats.hdf5.half_written import Stamp
from tomarium.formats.hdf5.missing_data import Gap, gaps_of, is_found, unwritten
from tomarium.formats.hdf5.security_check import check_growing, open_beside, open_checked
from tomarium.formats.hdf5.source import Source
from tomarium.formats.hdf5.superblock import ClosedView, read_superblock
from tomarium.live.reader import Look, Shape, Status, count_leading
from tomarium.live.retry import retry_until_stable
from tomarium.live.virtual_dataset import readable

# A writer of a scan does something at least this often.
QUIET_S: Final = 10.0
# What writers put down when they are done: BLISS and Flyscan a time, LiveWriter a word.
_END_MARKS: Final = ("end_time",)
STATUS_ATTRIBUTE: Final = "writer_status"
_Result = TypeVar("_Result")


@dataclass(eq=False)
class Hdf5Reader:
    """An HDF5 file, closed or growing."""

    path: Path
    # whether a program may be writing it; then each question is asked until its answer can be trusted
    growing: bool = False
    patience_s: float = 10.0
    # Virtual sources that were found to be plain data in the scan's folder.
    _trusted: set[tuple[str, str]] = field(default_factory=set)
    # The most entries each dataset was seen to hold: a scan never shrinks.
    _held: dict[str, int] = field(default_factory=dict)
    # Virtual datasets that were found whole, and when: looking at a thousand sources takes 30 ms.
    _whole: dict[str, Stamp] = field(default_factory=dict)
    _walked: bool = False

    @property
    def generation(self) -> int:
        """Time of the last change, in ns since 1970."""
        return Stamp.of(self.path).changed_ns

    @property
    def status(self) -> Status:
        """What its writer says of it, else what its age does."""
        finished = self._ask(_is_finished)
        if finished:
            return "finished"
        if finished is None and not self.growing:
            return "closed"
        return "quiet" if Stamp.of(self.path).age_s() > QUIET_S else "growing"

    def look(self, path: str) -> Look | None:
        """Say what stands at a path."""

        def act(source: Source) -> Look | None:
            node = source.find(path)
            if node is None or isinstance(node, h5py.Group):
                return None if node is None else Look("group", tuple(node))
            return Look("dataset", shape=_shape(source, node))

        answer = self._ask(act)
        if answer is not None and answer.shape is not None and self.growing:
            return Look("dataset", shape=self._remember(path, answer.shape))
        return answer

    def _remember(self, path: str, shape: Shape) -> Shape:
        entries_held = min(max(shape.valid, self._held.get(path, 0)), shape.shape[0] if shape.shape else 1)
        self._held[path] = entries_held
        return Shape(shape.shape, shape.dtype, shape.chunks, entries_held)

    def values(self, path: str, key: Any) -> Any:
        """Read part of a dataset; entries that are not written are never made up while it grows."""

        def act(source: Source) -> Any:
            stamp = Stamp.of(self.path)
            whole = self._whole.get(path) == stamp
            node = source.file[path] if whole else source.find(path)
            if not isinstance(node, h5py.Dataset):
                raise MissingData(f"{self.path}: there is no dataset {path}; look at what its group holds")
            fault = _wrong_index(key, node.shape or ())
            if fault:
                return IndexError(f"{self.path}: {path} has shape {node.shape}; {fault}")
            if (
                not whole
                and node.is_virtual
                and node.file == source.file
                and not any(_virtual_gaps(source, node))
            ):
                self._whole[path] = stamp
            elif not whole:
                _check_written(source, node, key, self.growing)
            with readable(node) as dataset:
                return _read(dataset, key)

        result = self._ask(act)
        if isinstance(result, IndexError):  # not raised below, where it would pass for damage
            raise result
        return result

    def attributes(self, path: str) -> dict[str, Any]:
        """Read the attributes of a node; those of a kind that no scan has are left out."""

        def act(source: Source) -> dict[str, Any]:
            node = source.find(path)
            if node is None:
                raise MissingData(f"{self.path}: there is nothing at {path}; look at what its group holds")
            raw = {str(name): raw_attribute(node, name) for name in node.attrs}
            return {name: _plain(value) for name, value in raw.items() if value is not None}

        return self._ask(act)

    def _ask(self, act: Callable[[Source], _Result]) -> _Result:
        def once() -> _Result:
            with self._opened() as source:
                return act(source)

        if self.growing:
            return retry_until_stable(self.path, once, self.patience_s)
        with guarded(self.path):
            return once()

    @contextmanager
    def _opened(self) -> Iterator[Source]:
        with ExitStack() as stack:
            if self.growing and (self._walked or _lags(self.path)):
                file = stack.enter_context(open_growing(self.path, stack))
                if not self._walked:
                    check_growing(self.path, file)
                    self._walked = True
            else:
                file = stack.enter_context(open_checked(self.path, growing=self.growing))
                self._walked = True
            yield Source(self.path, file, stack, growing=self.growing, trusted=self._trusted)


def _lags(path: Path) -> bool:
    """Tell whether the library would refuse the file, or its newest chunks, for what its superblock says."""
    try:
        return read_superblock(path).is_open_or_short(path.stat().st_size)
    except FormatError:
        return False


def open_growing(path: Path, stack: ExitStack) -> h5py.File:
    """Open a file in whichever of the library's ways its writer has left open.

    `path`: HDF5 file that may be being written; the caller has walked through it, or trusts it.
    """
    if not _lags(path) or read_superblock(path).is_swmr:
        return open_beside(path)
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5fd.fileobj_driver, stack.enter_context(ClosedView(path)))
    # Opened by hand for its name: what it points to is looked for beside it.
    return h5py.File(h5f.open(os.fsencode(path), h5f.ACC_RDONLY, fapl=access))


def _is_finished(source: Source) -> bool | None:
    """Look for what a writer says of itself; None where it says nothing."""
    root = source.file["/"]
    status = raw_attribute(root, STATUS_ATTRIBUTE)
    if status is not None:
        return bool(_plain(status) == "finished")
    # Of many scans in a file the last decides; a link is not followed to find it.
    below = [name for name in list(root)[-8:] if isinstance(root.get(name, getlink=True), h5py.HardLink)]
    groups = [root, *(node for name in below if isinstance(node := root[name], h5py.Group))]
    return True if any(mark in group for group in groups[-1:] for mark in _END_MARKS) else None


def _shape(source: Source, node: h5py.Dataset) -> Shape:
    shape = tuple(int(length) for length in node.shape or ())
    text = h5py.check_string_dtype(node.dtype) is not None
    dtype = np.dtype(object) if text else node.dtype
    return Shape(shape, dtype, node.chunks, _count_written(source, node, shape))


def _count_written(source: Source, node: h5py.Dataset, shape: tuple[int, ...]) -> int:
    """Count the leading entries whose bytes are all there."""
    if not shape or not shape[0]:
        return 1 if not shape else 0
    if node.is_virtual:
        return min([gap.first for gap in _virtual_gaps(source, node)], default=shape[0])
    if node.chunks is None:
        return shape[0] if node.id.get_storage_size() or not node.size else 0
    if not source.growing:
        return min([first for first, _ in unwritten(node)], default=shape[0])
    step = node.chunks[0]
    rows = count_leading(-(-shape[0] // step), lambda row: _is_stored(node, shape, row * step))
    return int(min(rows * step, shape[0]))


def _is_stored(node: h5py.Dataset, shape: tuple[int, ...], entry: int) -> bool:
    """Tell whether the first and the last chunk of a row of chunks are in the file."""
    first = tuple([entry - entry % node.chunks[0]] + [0] * (len(shape) - 1))
    last = (
        first[0],
        *((length - 1) // chunk * chunk for length, chunk in zip(shape[1:], node.chunks[1:], strict=True)),
    )
    return is_found(node, first) and (last == first or is_found(node, last))


def _virtual_gaps(source: Source, node: h5py.Dataset) -> Iterator[Gap]:
    def lacking(part: h5py.Dataset, axis: int) -> list[tuple[int, int]]:
        entries_written = _count_written(source, part, part.shape) if axis == 0 else part.shape[axis]
        return [(entries_written, part.shape[axis])] if entries_written < part.shape[axis] else []

    return gaps_of(source, node, lacking=lacking)


def _check_written(source: Source, node: h5py.Dataset, key: Any, growing: bool) -> None:
    """Refuse entries that HDF5 would make up: those of absent virtual sources, and those not written yet."""
    shape = node.shape or ()
    if not shape or not (node.is_virtual or growing):
        return
    entries = first_axis(key, shape)
    if not len(entries):
        return
    where = f"{source.path}: {node.name}"
    if node.is_virtual:
        for gap in _virtual_gaps(source, node):
            if np.any((entries >= gap.first) & (entries < gap.last)):
                raise MissingData(
                    f"{where} lacks entries {gap.first} to {gap.last - 1}: they lie in {gap.file}, which "
                    f"{gap.why}; copy it to where {source.path.name} points"
                )
        return
    if node.chunks is None:
        if not node.id.get_storage_size():
            raise MissingData(f"{where} is not written yet; wait for it")
        return
    step = node.chunks[0]
    absent = [row for row in np.unique(entries // step) if not _is_stored(node, shape, int(row) * step)]
    if absent:
        raise MissingData(
            f"{where} has no entry {max(int(absent[0]) * step, int(entries.min()))} yet, of {shape[0]}; "
            f"wait for it (`follow`), or read only the first `valid_frames`"
        )


def _wrong_index(key: Any, shape: tuple[int, ...]) -> str:
    """Say which number between the brackets lies outside of its axis."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(part is Ellipsis for part in parts):
        place = next(number for number, part in enumerate(parts) if part is Ellipsis)
        parts[place : place + 1] = [slice(None)] * max(len(shape) - len(parts) + 1, 0)
    if len(parts) > len(shape) and parts != [()]:
        return f"{len(parts)} indices are out of range of its {len(shape)} axes"
    for axis, (part, length) in enumerate(zip(parts, shape, strict=False)):
        if isinstance(part, int | np.integer) and not -length <= part < length:
            return f"{part} is out of range of axis {axis}"
    return ""


def _read(node: h5py.Dataset, key: Any) -> Any:
    if node.shape is None:
        return None
    if h5py.check_string_dtype(node.dtype) is not None:
        return _plain(node[key])
    load_plugins_for(node)
    return node[key]


def _plain(value: Any) -> Any:
    """Turn texts into str, whatever they were kept as."""
    if isinstance(value, bytes | np.bytes_):
        return value.decode("utf-8", "replace").split("\0")[0]
    if isinstance(value, np.ndarray) and value.dtype.kind in "SOU":
        return np.array([_plain(text) for text in value.ravel()], object).reshape(value.shape)
    return value
