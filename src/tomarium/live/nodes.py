"""One way to read HDF5 and zarr, whether closed, growing or mirrored: groups, datasets, attributes.

>>> import tomarium as tm                                                   # doctest: +SKIP
>>> scan = tm.open_h5("scan.h5")                                            # doctest: +SKIP
>>> for frame in scan["exchange/data"].follow():                            # doctest: +SKIP
...     print(frame.mean(), scan.status)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from tomarium.errors import FormatError, MissingData, ParameterError, TomariumError
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.half_written import FRESH_S, Stamp
from tomarium.formats.hdf5.superblock import read_superblock
from tomarium.formats.opening.messages import unusable
from tomarium.live.hdf5_reader import Hdf5Reader
from tomarium.live.mirror import CURRENT, is_mirror
from tomarium.live.reader import Look, Reader, Shape, Status
from tomarium.live.zarr_reader import ZarrReader

Mode = Literal["auto", "static", "live", "mirror", "zarr"]


@dataclass(frozen=True)
class Attributes(Mapping[str, Any]):
    """The attributes of a group or dataset, read when they are asked for."""

    reader: Reader
    path: str

    def _all(self) -> dict[str, Any]:
        return self.reader.attributes(self.path)

    def __getitem__(self, name: str) -> Any:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


@dataclass(frozen=True, eq=False)
class Dataset:
    """An array in a file; it is read when it is sliced.

    Attributes
    ----------
    reader : Reader
        Where it lies.
    name : str
        Its full path.
    """

    reader: Reader
    name: str

    def _look(self) -> Shape:
        look = self.reader.look(self.name)
        if look is None or look.shape is None:
            raise MissingData(f"{self.name}: there is no such dataset any more; open the file again")
        return look.shape

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis, now."""
        return self._look().shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element."""
        return self._look().dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Length of a chunk along each axis; None where it lies in one piece."""
        return self._look().chunks

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements, now."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def valid_frames(self) -> int:
        """Entries along the first axis that are all written; what is beyond is not shown while it grows."""
        return self._look().valid

    @property
    def attrs(self) -> Attributes:
        """Its attributes."""
        return Attributes(self.reader, self.name)

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError(f"{self.name} is a single value and has no length")
        return shape[0]

    def __getitem__(self, key: Any) -> Any:
        for part in key if isinstance(key, tuple) else (key,):
            _check_index(self.name, part)
        return self.reader.values(self.name, key)

    def __repr__(self) -> str:
        try:
            look = self._look()
        except TomariumError as problem:
            return f"<Dataset {self.name}: {problem}>"
        return f"<Dataset {self.name}: shape {look.shape}, {look.dtype}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.asarray(self[...], dtype=dtype)

    def __iter__(self) -> Iterator[Any]:
        for number in range(self.valid_frames):
            yield self[number]

    def follow(
        self,
        *,
        start: int = 0,
        beside: Sequence[Dataset] = (),
        stop: Callable[[], bool] | None = None,
        timeout_s: float = 60.0,
        poll_s: float = 0.1,
    ) -> Iterator[Any]:
        """Go through the frames, and wait for those that are not written yet.

        Parameters
        ----------
        start : int
            First frame, from 0.
        beside : sequence of Dataset
            Datasets that must hold an entry too before a frame is handed out: angles, image keys.
        stop : callable or None
            Asked before each wait; True ends the iteration.
        timeout_s : float
            Seconds without a new frame after which the iteration ends.
        poll_s : float
            Seconds between two looks at the file.

        Yields
        ------
        array
            One frame at a time, each once and in order. It ends when the file is closed or finished and all
            its frames were handed out, when `stop` says so, or when nothing came for `timeout_s`.
        """
        number, last_news = start, time.monotonic()
        while True:
            # The status first: frames that come between the two questions are then not lost.
            over = self.reader.status in ("closed", "finished")
            ready = min(dataset.valid_frames for dataset in (self, *beside))
            while number < ready:
                yield self[number]
                number += 1
                last_news = time.monotonic()
            if over or (stop is not None and stop()) or time.monotonic() - last_news > timeout_s:
                return
            time.sleep(poll_s)


def _check_index(name: str, part: Any) -> None:
    """Refuse what HDF5 cannot select, which would else look like damage of the file."""
    if part is Ellipsis or isinstance(part, int | np.integer):
        return
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)
        if all(end is None or isinstance(end, int | np.integer) for end in ends) and (
            part.step is None or part.step > 0
        ):
            return
    elif isinstance(part, list | np.ndarray):
        chosen = np.asarray(part)
        if chosen.dtype.kind == "b" or (
            chosen.ndim == 1 and chosen.dtype.kind in "iu" and np.all(np.diff(chosen) > 0)
        ):
            return
    raise IndexError(
        f"{name}: {part!r} selects nothing; give a number, a slice with a step of 1 or more, or a list of numbers "
        f"that rise"
    )


@dataclass(frozen=True, eq=False)
class Group(Mapping[str, "Group | Dataset"]):
    """A group in a file: a mapping of names, or of paths with slashes, to groups and datasets.

    Attributes
    ----------
    reader : Reader
        Where it lies.
    name : str
        Its full path.
    """

    reader: Reader
    name: str

    @property
    def attrs(self) -> Attributes:
        """Its attributes."""
        return Attributes(self.reader, self.name)

    def _look(self) -> Look:
        look = self.reader.look(self.name)
        if look is None or look.kind != "group":
            raise MissingData(f"{self.name}: there is no such group any more; open the file again")
        return look

    def __getitem__(self, name: str) -> Group | Dataset:
        place = name if name.startswith("/") else f"{self.name.rstrip('/')}/{name}"
        place = "/" + "/".join(part for part in place.split("/") if part not in ("", "."))
        look = self.reader.look(place)
        if look is None:
            raise KeyError(f"{self.name} holds no {name!r}; it holds {', '.join(self) or 'nothing'}")
        return Dataset(self.reader, place) if look.kind == "dataset" else Group(self.reader, place)

    def __repr__(self) -> str:
        return f"<Group {self.name}>"

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._look().members)

    def __len__(self) -> int:
        return len(self._look().members)


@dataclass(frozen=True, eq=False, repr=False)
class File(Group):
    """An HDF5 file, a mirror of one, or a zarr group, that is read without ever being held open.

    It is the group that holds everything, with these besides.

    Attributes
    ----------
    path : Path
        What was opened.
    mode : str
        "static", "live", "mirror" or "zarr".
    """

    path: Path
    mode: str

    @property
    def root(self) -> Group:
        """The group that holds everything."""
        return Group(self.reader, "/")

    @property
    def status(self) -> Status:
        """What its writer does: "closed", "growing", "finished" (it says so) or "quiet" (nothing for ten seconds)."""
        return self.reader.status

    @property
    def generation(self) -> int:
        """A number that grows whenever there may be something new."""
        return self.reader.generation

    def __repr__(self) -> str:
        return f"<File {self.path}, {self.mode}>"

    def close(self) -> None:
        """Do nothing: no file is held open between two questions."""

    def __enter__(self) -> File:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, eq=False)
class _MirrorReader:
    """The newest generation of a mirror; a question that meets its removal is asked of the next one."""

    folder: Path

    def _newest(self) -> Hdf5Reader:
        return Hdf5Reader((self.folder / CURRENT).resolve())

    @property
    def generation(self) -> int:
        return int((self.folder / CURRENT).resolve().stem.removeprefix("gen-"))

    @property
    def status(self) -> Status:
        status: Status = self._try(lambda reader: reader.status)
        if status == "finished":
            return status
        return "growing" if Stamp.of((self.folder / CURRENT).resolve()).age_s() < FRESH_S else "quiet"

    def look(self, path: str) -> Look | None:
        answer: Look | None = self._try(lambda reader: reader.look(path))
        return answer

    def values(self, path: str, key: Any) -> Any:
        return self._try(lambda reader: reader.values(path, key))

    def attributes(self, path: str) -> dict[str, Any]:
        attributes: dict[str, Any] = self._try(lambda reader: reader.attributes(path))
        return attributes

    def _try(self, ask: Callable[[Hdf5Reader], Any]) -> Any:
        for _ in range(5):
            reader = self._newest()
            try:
                return ask(reader)
            except (FormatError, FileNotFoundError):
                if reader.path.exists():
                    raise
        raise FormatError(f"{self.folder}: its generations are replaced faster than they can be read")


def open_h5(path: str | PathLike[str], mode: Mode = "auto", *, patience_s: float = 10.0) -> File:
    """Open an HDF5 file, a mirror or a zarr group for reading; nothing is locked and no writer is disturbed.

    Parameters
    ----------
    path : path
        HDF5 file, folder made by `tomarium mirror`, or folder of a zarr group.
    mode : "auto", "static", "live", "mirror" or "zarr"
        "live" takes it for a file that is being written: each answer is asked for until it can be trusted,
        and what is not written yet is refused, never made up. "auto" looks: folders say what they are, and
        a file is live where it is marked as open for writing or was written within the last minute.
    patience_s : float
        Seconds for which a question to a growing file is repeated.

    Returns
    -------
    File
        A mapping as h5py's, of groups and datasets with `shape`, `dtype`, `chunks`, `attrs` and slicing; it
        has `status` and `generation`, its datasets `valid_frames` and `follow`.

    Raises
    ------
    FormatError
        There is nothing of that kind, or it is damaged or hostile.
    ParameterError
        There is no such mode.
    """
    place = Path(path)
    problem = unusable(place)
    if problem:
        raise FormatError(problem)
    chosen = _mode(place) if mode == "auto" else mode
    readers: dict[str, Callable[[], Reader]] = {
        "static": lambda: Hdf5Reader(place),
        "live": lambda: Hdf5Reader(place, growing=True, patience_s=patience_s),
        "mirror": lambda: _MirrorReader(place),
        "zarr": lambda: ZarrReader(place),
    }
    if chosen not in readers:
        raise ParameterError(f"there is no mode {chosen!r}; there are auto, {', '.join(readers)}")
    if chosen == "mirror" and not is_mirror(place):
        raise FormatError(f"{place}: is no mirror; make one with `tomarium mirror SCAN {place}`")
    if chosen in ("static", "live") and not place.is_file():
        raise FormatError(f"{place}: is a folder; give the HDF5 file in it")
    opened = File(readers[chosen](), "/", place, chosen)
    opened.reader.look("/")
    return opened


def _mode(place: Path) -> str:
    if place.is_dir():
        return "mirror" if is_mirror(place) else "zarr"
    if not is_hdf5(place):
        raise FormatError(f"{place}: is no HDF5 file; open it with `tomarium.open`")
    try:
        flagged = read_superblock(place).is_written
    except FormatError:  # a user block stands before it, or it changes this moment
        flagged = False
    return "live" if flagged or Stamp.of(place).age_s() < FRESH_S else "static"
