"""A reconstructed volume in an HDF5 dataset, sliced as (z, y, x) whatever order its file has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.frames import load_plugins
from tomarium.formats.hdf5.missing_data import Gap, refuse_gaps, told_gaps
from tomarium.formats.hdf5.security_check import open_checked
from tomarium.formats.hdf5.source import Source


@dataclass(frozen=True, eq=False)
class Hdf5Volume:
    """An array of three axes; the file is opened for each part that is read, so that nothing stays locked."""

    path: Path
    name: str  # path of the dataset in it
    stored: tuple[int, int, int]  # shape of the dataset
    dtype: np.dtype[Any]  # type of a voxel, in this machine's byte order
    # which axes of the dataset are z, y and x; (2, 1, 0) where it is stored x, y, z
    order: tuple[int, int, int] = (0, 1, 2)
    plugin: bool = False  # whether decoding needs the package hdf5plugin
    # entries along the dataset's first axis that were never written, or cannot be had
    gaps: tuple[Gap, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns: z, y, x."""
        z, y, x = (self.stored[axis] for axis in self.order)
        return z, y, x

    def __getitem__(self, key: Any) -> Any:
        keys = _whole(key)
        there: list[Any] = [slice(None)] * 3
        for axis, one in zip(self.order, keys, strict=True):
            there[axis] = one
        wanted = np.atleast_1d(np.arange(self.stored[0])[there[0]])
        refuse_gaps(self.path, f"{self.path.name}:{self.name}", self.gaps, wanted)
        if self.plugin:
            load_plugins()
        with guarded(self.path), open_checked(self.path) as file:
            found = file[self.name][tuple(there)]
        left = [axis for axis in range(3) if not isinstance(there[axis], int | np.integer)]
        ordered = [axis for axis in self.order if axis in left]
        return found if ordered == left else found.transpose([left.index(axis) for axis in ordered])


def _whole(key: Any) -> list[Any]:
    """Write a key out for three axes; h5py knows neither negative numbers beyond the first nor steps back."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(one is Ellipsis for one in keys):
        place = next(i for i, one in enumerate(keys) if one is Ellipsis)
        keys[place : place + 1] = [slice(None)] * (4 - len(keys))
    keys += [slice(None)] * (3 - len(keys))
    if len(keys) != 3:
        raise IndexError(f"{len(keys)} indices were given for a volume of three axes")
    return keys


def volume_of(source: Source, dataset: h5py.Dataset, order: tuple[int, int, int]) -> Hdf5Volume:
    """Make a lazy volume of a dataset.

    `order`: which of its axes are z, y and x.
    """
    if dataset.ndim != 3 or dataset.dtype.kind not in "iuf" or not dataset.size:
        raise FormatError(
            f"{source.path}: {dataset.name} has shape {dataset.shape} and type {dataset.dtype}; a volume has "
            f"three axes of numbers, so choose another group or repair the file"
        )
    plist = dataset.id.get_create_plist()
    plugin = any(plist.get_filter(i)[0] >= 256 and plist.get_filter(i)[0] != 32000
                 for i in range(plist.get_nfilters()))  # fmt: skip
    z, y, x = dataset.shape
    return Hdf5Volume(
        Path(dataset.file.filename),
        str(dataset.name),
        (z, y, x),
        dataset.dtype.newbyteorder("="),
        order,
        plugin,
        told_gaps(source, dataset),
    )
