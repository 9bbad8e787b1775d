"""Write a scan so that anybody can read it at any moment, with any HDF5 library and without SWMR.

Frames go into part files that are closed as soon as they are full or old enough; a master of virtual datasets
joins them and is replaced in one step. A reader finds either the old master or the new one, and every file a
master names is closed. A writer that is killed leaves the last master; it loses what was not yet published.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from tomarium.atomic_files import replacing
from tomarium.errors import FormatError, InputError, StorageFull
from tomarium.formats.resumable.full_disk import raising_storage_full
from tomarium.live.hdf5_reader import STATUS_ATTRIBUTE

# A master takes some 30 µs a part to write; it may take a tenth of the time, no more.
_SHARE: Final = 10.0
Attributes = Mapping[str, Any]


class LiveWriter:
    """A growing HDF5 scan: `scan.h5` beside its folder `scan.h5.parts`.

    Parameters
    ----------
    path : path
        File to make; there must be none.
    datasets : Mapping of str to (shape, dtype)
        The growing datasets: path in the file → shape and type of one entry. `{"exchange/data":
        ((2048, 2048), "uint16"), "exchange/theta": ((), "float64")}` makes datasets of shape
        (frame, 2048, 2048) and (frame,).
    fixed : Mapping of str to object
        Datasets that are written once: texts, numbers, arrays.
    attributes : Mapping of str to Mapping
        Path → attributes, such as `{"exchange/theta": {"units": "degree"}}`.
    frames_per_file : int
        Entries after which a part is closed and the master replaced; the master waits where writing it takes
        more than a tenth of the time.
    publish_s : float
        Seconds after which they are, with fewer entries.
    compression : str or None
        "gzip", "lzf" or None; one entry is then one chunk.

    Raises
    ------
    InputError
        A number that must be positive is not, or there is no dataset.
    FormatError
        There is something at the path already.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        datasets: Mapping[str, tuple[tuple[int, ...], DTypeLike]],
        *,
        fixed: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Attributes] | None = None,
        frames_per_file: int = 100,
        publish_s: float = 1.0,
        compression: str | None = None,
    ) -> None:
        self.path = Path(path)
        self._parts = self.path.with_name(f"{self.path.name}.parts")
        if not datasets or frames_per_file < 1 or publish_s < 0:
            raise InputError(
                f"{self.path}: needs a dataset at least, frames_per_file of 1 or more and publish_s not below 0"
            )
        if self.path.exists() or self._parts.exists():
            raise FormatError(f"{self.path}: there is a scan of that name already; give another name")
        self._entries = dict(_entry(self.path, name, promised) for name, promised in datasets.items())
        self._fixed = dict(fixed or {})
        _check_names(self.path, [*self._entries, *(name.strip("/") for name in self._fixed)])
        self._attributes = dict(attributes or {})
        self._frames_per_file, self._publish_s, self._compression = frames_per_file, publish_s, compression
        self._waiting: dict[str, list[NDArray[Any]]] = {name: [] for name in self._entries}
        self._lengths: list[int] = []
        self._named = 0
        self._published = time.monotonic()
        self._cost_s = 0.0
        self._open = True
        self._parts.mkdir(parents=True)
        try:
            self._replace_master("running")
        except (TypeError, ValueError, KeyError) as problem:
            self._parts.rmdir()
            raise InputError(
                f"{self.path}: a fixed dataset or an attribute cannot be stored ({problem}); give texts, numbers "
                f"or arrays"
            ) from problem

    def __len__(self) -> int:
        """Entries that were given, published or not."""
        return sum(self._lengths) + len(next(iter(self._waiting.values())))

    @property
    def published(self) -> int:
        """Entries a reader can see."""
        return self._named

    def append(self, entry: Mapping[str, Any]) -> None:
        """Give one entry of every growing dataset.

        Parameters
        ----------
        entry : Mapping of str to array
            Path → the frame, angle … of the shape that was promised. Arrays are copied.

        Raises
        ------
        InputError
            A dataset is missing or unknown, its shape is not what was promised, or its type does not hold a value.
        StorageFull
            The disk is full; what was published stays readable.
        """
        if not self._open:
            raise InputError(f"{self.path}: is closed; open another writer")
        values = {name.strip("/"): value for name, value in entry.items()}
        if values.keys() != self._entries.keys():
            raise InputError(
                f"{self.path}: an entry needs {', '.join(self._entries)}; {', '.join(values) or 'nothing'} was given"
            )
        arrays = {name: self._stored(name, values[name]) for name in self._entries}
        for name, array in arrays.items():
            self._waiting[name].append(array)
        waiting = len(next(iter(self._waiting.values())))
        age_s = time.monotonic() - self._published
        if waiting >= self._frames_per_file:
            self._close_part()
        due = sum(self._lengths) > self._named or age_s >= self._publish_s
        if due and age_s >= _SHARE * self._cost_s:
            self.publish()

    def _stored(self, name: str, value: Any) -> NDArray[Any]:
        """Return a copy in the type that was promised; refuse what it does not hold."""
        shape, dtype = self._entries[name]
        original = np.asarray(value)
        if original.shape != shape:
            raise InputError(
                f"{self.path}: an entry of {name} has shape {shape}; one of {original.shape} was given"
            )
        try:
            with np.errstate(invalid="ignore", over="ignore"):
                array = np.array(original.astype(dtype))
        except (TypeError, ValueError, OverflowError) as problem:
            raise InputError(f"{self.path}: {name} holds {dtype}, and {problem}; give numbers") from problem
        if (
            dtype.kind in "iub"
            and not np.can_cast(original.dtype, dtype)
            and not np.array_equal(array, original)
        ):
            lost = original[array != original][0] if shape else original
            raise InputError(
                f"{self.path}: {name} holds {dtype}, which does not hold {lost}; round or scale it, or promise "
                f"another type"
            )
        return array

    def publish(self) -> None:
        """Close a part with what was given since the last one, and let readers see it.

        Raises
        ------
        StorageFull
            The disk is full; what was published before stays readable.
        """
        self._close_part()
        if self._named == sum(self._lengths):
            return
        began = time.monotonic()
        self._replace_master("running")
        self._published = time.monotonic()
        self._cost_s = self._published - began

    def _close_part(self) -> None:
        count = len(next(iter(self._waiting.values())))
        if count:
            self._guard(self._write_part)
            self._lengths.append(count)
            for values in self._waiting.values():
                values.clear()

    def close(self) -> None:
        """Publish what is left, and say in the file that it is finished."""
        if self._open:
            self.publish()
            self._replace_master("finished")
            self._open = False

    def __enter__(self) -> LiveWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; after an error it is left as "interrupted", with all that could be published."""
        if kind is None:
            self.close()
        elif self._open:
            self._open = False
            if not issubclass(kind, StorageFull):
                self.publish()
                self._replace_master("interrupted")

    def _part(self, number: int) -> Path:
        return self._parts / f"part-{number:06d}.h5"

    def _write_part(self) -> None:
        with (
            replacing(self._part(len(self._lengths) + 1)) as draft,
            h5py.File(draft, "w", libver=("earliest", "v108"), locking=False) as file,
        ):
            for name, (shape, dtype) in self._entries.items():
                data = np.stack(self._waiting[name]).astype(dtype, copy=False)
                packed = self._compression if shape else None
                chunks = (1, *shape) if packed else None
                file.create_dataset(name, data=data, chunks=chunks, compression=packed)

    def _replace_master(self, status: str) -> None:
        self._guard(lambda: self._write_master(status))
        self._named = sum(self._lengths)

    def _write_master(self, status: str) -> None:
        # Virtual datasets need the library's format of 1.10; the superblock stays the oldest.
        with (
            replacing(self.path) as draft,
            h5py.File(draft, "w", libver=("earliest", "v110"), locking=False) as file,
        ):
            file.attrs[STATUS_ATTRIBUTE] = status
            for name, value in self._fixed.items():
                file[name] = value
            for name, (shape, dtype) in self._entries.items():
                self._join(file, name, shape, dtype)
            for name, attributes in self._attributes.items():
                file.require_group(name) if name not in file else None
                file[name].attrs.update(attributes)

    def _join(self, file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        total = sum(self._lengths)
        if not total:
            file.create_dataset(
                name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(1, *(max(n, 1) for n in shape))
            )
            return
        layout = h5py.VirtualLayout((total, *shape), dtype)
        start = 0
        for number, length in enumerate(self._lengths, 1):
            source = f"{self._parts.name}/{self._part(number).name}"
            layout[start : start + length] = h5py.VirtualSource(source, name, (length, *shape), dtype)
            start += length
        file.create_virtual_dataset(name, layout)

    def _guard(self, act: Any) -> None:
        with raising_storage_full(
            self.path, lambda: f"{self.published} entries are readable, free some space"
        ):
            act()


def _entry(
    path: Path, name: str, promised: tuple[tuple[int, ...], DTypeLike]
) -> tuple[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    try:
        shape, dtype = promised
        lengths, kind = tuple(int(length) for length in shape), np.dtype(dtype)
    except (TypeError, ValueError) as problem:
        raise InputError(
            f"{path}: {name} was promised as {promised!r} ({problem}); give its shape and type, such as "
            f'((2048, 2048), "uint16"), or ((), "float64") for a number'
        ) from problem
    if any(length < 1 for length in lengths):
        raise InputError(
            f"{path}: an entry of {name} cannot have the shape {lengths}; give lengths of 1 or more"
        )
    return name.strip("/"), (lengths, kind)


def _check_names(path: Path, names: list[str]) -> None:
    for name in names:
        within = next((other for other in names if name.startswith(f"{other}/")), None)
        if not name or names.count(name) > 1 or within is not None:
            why = (
                f"lies within the dataset {within}" if within else "is there twice" if name else "is no name"
            )
            raise InputError(
                f"{path}: {name!r} {why}; give each dataset a path of its own, such as exchange/data"
            )
