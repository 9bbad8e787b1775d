"""Lazy HDF5 datasets of any number of axes, as images hold them; and several of one shape, stacked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.filters import demand_filters, load_plugins, needs_plugin
from tomarium.formats.hdf5.missing_data import Gap, gaps_with_warnings, refuse_gaps
from tomarium.formats.hdf5.names import file_of, member, path_of
from tomarium.formats.hdf5.security_check import open_checked
from tomarium.formats.hdf5.source import Source
from tomarium.model.image import Sliceable


@dataclass(frozen=True, eq=False)
class Hdf5Array:
    """A dataset whose file is opened for each access, so that nothing stays locked."""

    path: Path  # the file its user opened
    file: Path  # the file that holds the dataset: `path`, or one it links to
    name: str  # path of the dataset in `file`
    shape: tuple[int, ...]  # length of each axis
    dtype: np.dtype[Any]  # type of an element, in this machine's byte order
    plugin: bool = False  # whether decoding needs the package hdf5plugin
    gaps: tuple[Gap, ...] = ()  # entries along the first axis that were never written, or cannot be had

    # which axis of the dataset each axis is; empty where they stand in the dataset's order
    order: tuple[int, ...] = ()

    def __getitem__(self, key: Any) -> Any:
        if self.order:
            return self._read_reordered(key)
        return self._stored(key, self.shape)

    def _stored(self, key: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        if self.gaps:
            refuse_gaps(self.path, f"{self.file.name}:{self.name}", self.gaps, first_axis(key, shape))
        if self.plugin:
            load_plugins()
        with guarded(self.path), open_checked(self.file, scan=self.path) as file:
            return np.asarray(member(file, self.name)[key])

    def _read_reordered(self, key: Any) -> NDArray[Any]:
        """Read from a dataset of another order of axes."""
        keys = whole_key(key, len(self.shape))
        stored_keys, shape = keys.copy(), list(self.shape)
        for axis, key_of_axis, length in zip(self.order, keys, self.shape, strict=True):
            stored_keys[axis], shape[axis] = key_of_axis, length
        block = self._stored(tuple(stored_keys), tuple(shape))
        remaining = [
            axis for axis, index in enumerate(stored_keys) if not isinstance(index, int | np.integer)
        ]
        return block.transpose([remaining.index(axis) for axis in self.order if axis in remaining])


@dataclass(frozen=True, eq=False)
class StackedArrays:
    """Several arrays of one shape as one with a further axis in front."""

    parts: tuple[Sliceable, ...]  # arrays of one shape and type

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of parts, then the shape of each."""
        return (len(self.parts), *self.parts[0].shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type all elements fit in."""
        return np.result_type(*(np.dtype(part.dtype) for part in self.parts))

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        if not keys or keys[0] is Ellipsis:
            keys = (slice(None), *keys)
        first, further = keys[0], keys[1:]
        if isinstance(first, int | np.integer):
            return np.asarray(self.parts[first][further or ...])
        chosen = np.arange(len(self.parts))[first]
        parts = [np.asarray(self.parts[int(i)][further or ...]) for i in chosen]
        return np.stack(parts) if parts else np.empty((0, *self.parts[0].shape), self.dtype)


def whole_key(key: Any, axes: int) -> list[Any]:
    """Write a key out for all axes."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(part is Ellipsis for part in keys):
        place = next(number for number, part in enumerate(keys) if part is Ellipsis)
        keys[place : place + 1] = [slice(None)] * (axes + 1 - len(keys))
    keys += [slice(None)] * (axes - len(keys))
    if len(keys) != axes:
        raise IndexError(f"{len(keys)} indices were given for an array of {axes} axes")
    return keys


def first_axis(key: Any, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """List the entries along the first axis that a key asks for."""
    first = key[0] if isinstance(key, tuple) and key else key
    if first is Ellipsis or (isinstance(first, tuple) and not first):
        first = slice(None)
    whole = np.arange(shape[0])
    return np.atleast_1d(whole[first]) if not isinstance(first, str) else whole[:0]


def volume_of(source: Source, dataset: h5py.Dataset, order: tuple[int, int, int]) -> Hdf5Array:
    """Make a lazy volume of a dataset, sliced as (z, y, x); `order`: which of its axes are these."""
    if dataset.ndim != 3 or dataset.dtype.kind not in "iuf" or not dataset.size:
        raise FormatError(
            f"{source.path}: {dataset.name} has shape {dataset.shape} and type {dataset.dtype}; a volume has "
            f"three axes of numbers, so choose another group or repair the file"
        )
    array = array_of(source, dataset)
    if order == (0, 1, 2):
        return array
    return replace(array, shape=tuple(array.shape[axis] for axis in order), order=order)


def array_of(source: Source, dataset: h5py.Dataset) -> Hdf5Array:
    """Make a lazy array of a dataset."""
    place = f"{source.path}: {dataset.name}"
    if dataset.dtype.kind not in "iufb" or not dataset.shape or not all(dataset.shape):
        raise FormatError(
            f"{place} has shape {dataset.shape} and type {dataset.dtype}; an image is an array of numbers, "
            f"so choose another dataset"
        )
    plugin = False
    if dataset.chunks is not None and not dataset.is_virtual:
        demand_filters(dataset, place)
        plugin = needs_plugin(dataset)
    return Hdf5Array(
        path=source.path,
        file=file_of(dataset),
        name=path_of(dataset),
        shape=tuple(int(n) for n in dataset.shape),
        dtype=dataset.dtype.newbyteorder("="),
        plugin=plugin,
        gaps=gaps_with_warnings(source, dataset),
    )
