"""Vendors' microscopy and spectroscopy files through RosettaSciIO, as images with calibrated axes.

RosettaSciIO is GPL-3.0, so it is an extra that users install (`tomarium[microscopy]`) and is imported only when
such a file is opened. Files are recognised without it; reading one then says what to install.
"""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.errors import FormatError, TomariumError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.microscopy.axes import axis_of, plain
from tomarium.formats.microscopy.spectrum_end import refuse_cut_spectrum
from tomarium.formats.microscopy.vendor_detection import Kind, kind_of
from tomarium.formats.opening.image_user_values import SPATIAL
from tomarium.model import Axis, Image, Volume

INSTALL: Final = "pip install 'tomarium[microscopy]'"


@dataclass(frozen=True, eq=False)
class LazyData:
    """An array of dask, computed when it is sliced."""

    path: Path  # the file, for messages
    array: Any  # the data; colours as a structured type with a field each

    @property
    def _fields(self) -> tuple[str, ...]:
        return np.dtype(self.array.dtype).names or ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis; colours are the last."""
        shape = tuple(int(length) for length in self.array.shape)
        return (*shape, len(self._fields)) if self._fields else shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return np.dtype(dtype[0]) if self._fields else dtype.newbyteorder("=")

    def __getitem__(self, key: Any) -> Any:
        try:
            if self._fields:
                whole = np.asarray(self.array)
                return np.stack([whole[name] for name in self._fields], axis=-1)[key]
            block = self.array[key]
            block = block.compute() if hasattr(block, "compute") else block
            block = block.todense() if hasattr(block, "todense") else block
            return np.asarray(block, dtype=self.dtype)[()]
        except IndexError:
            raise
        except Exception as problem:  # each vendor's reader raises what its parsing runs into
            raise FormatError(
                f"{self.path}: its data cannot be read ({type(problem).__name__}: {problem}); restore the file, or "
                f"copy it again"
            ) from problem


def detect(path: Path) -> Match | None:
    """Look for the signs of a vendor's file; with rosettasciio the images it holds are listed too."""
    kind = kind_of(path) if path.is_file() else None
    if kind is None:
        return None
    if not kind.reader:
        return no_match(_no_reader(kind))
    match = Match(0.95, kind.title, kind.why)
    if find_spec("rsciio") is None:
        return match
    try:
        names = _names(_load(path, kind)[0])
    except FormatError:
        return match  # reading says what is wrong with it
    return replace(match, entry=names[0], entries=names)


def _no_reader(kind: Kind) -> str:
    if kind.title.startswith("a "):
        return kind.why
    return f"it is {kind.title} ({kind.why}), which no reader here opens; convert it, or give one of its datasets"


def _load(path: Path, kind: Kind) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Read all images of a file lazily, and what the reader warned of."""
    try:
        reader = import_module(f"rsciio.{kind.reader}")
    except ModuleNotFoundError as problem:
        raise FormatError(
            f"{path}: is {kind.title}; to read it install rosettasciio (GPL-3.0), which is an extra: {INSTALL}"
        ) from problem
    try:
        with warnings.catch_warnings(record=True) as caught, _logged() as logged:
            warnings.simplefilter("always")
            # By its path h5py would lock the file for as long as the image lives; a stream it only reads.
            source: Any = _Stream(path) if kind.reader == "emd" else str(path)
            try:
                images = list(reader.file_reader(source, lazy=True))
            except NotImplementedError:  # spectra in text are read whole
                images = list(reader.file_reader(source))
    except TomariumError:
        raise
    except ModuleNotFoundError as problem:
        raise FormatError(
            f"{path}: is {kind.title}; to read it more is needed ({problem}): {INSTALL}"
        ) from problem
    except Exception as problem:  # each vendor's reader raises what its parsing runs into
        raise FormatError(
            f"{path}: cannot be read as {kind.title} ({type(problem).__name__}: {problem}); it is damaged, or a file "
            f"that belongs to it is absent, so copy it again with what lies beside it"
        ) from problem
    if not images:
        raise FormatError(f"{path}: holds no image; copy it again with the files that belong to it")
    messages = [
        str(warning.message)
        for warning in caught
        if not issubclass(warning.category, ResourceWarning | DeprecationWarning)
    ]
    return images, list(dict.fromkeys(messages + logged))


class _LogInto(logging.Handler):
    """Appends each warning and error to a list."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        """Append its message as one line."""
        self.messages.append(" ".join(record.getMessage().split()))


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Keep what the vendors' readers log of a file as messages, in place of lines on the terminal."""
    messages: list[str] = []
    logger = logging.getLogger("rsciio")
    handlers, logger.handlers = logger.handlers, [_LogInto(messages)]
    try:
        yield messages
    finally:
        logger.handlers = handlers


class _Stream(io.FileIO):
    """A file that is closed, without a warning, with the last image that reads from it; nobody else knows when."""

    def __del__(self) -> None:
        self.close()


def _names(images: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """Name each image by its title, numbered where titles repeat."""
    names: list[str] = []
    for number, image in enumerate(images, 1):
        title = str(image.get("metadata", {}).get("General", {}).get("title") or f"image {number}")
        same = sum(name == title or name.startswith(f"{title} #") for name in names)
        names.append(f"{title} #{same + 1}" if same else title)
    return tuple(names)


def read(path: Path, match: Match) -> Image:
    """Read one image of a vendor's file.

    `match.entry` names the image. Result: axes in m, keV, deg, s or 1/m, "px" where the file has no scale
    (then `uncalibrated` stands in the metadata, and `open` takes `pixel_m`). The vendor's metadata lie whole
    in `/original_metadata`. Raises FormatError: rosettasciio is absent (the message says how to install it),
    or the file cannot be read.
    """
    kind = kind_of(path)
    if kind is None or not kind.reader:
        raise FormatError(f"{path}: has changed since it was recognised; open it again")
    images, notes = _load(path, kind)
    names = _names(images)
    number = names.index(match.entry) if match.entry in names else 0
    image = images[number]
    data = LazyData(path, image["data"])
    if kind.reader == "msa":
        refuse_cut_spectrum(path, math.prod(data.shape))
    original = image.get("original_metadata", {})
    axes = tuple(axis_of(axis, place) for place, axis in enumerate(_in_order(image["axes"])))
    repaired: list[str] = []
    if kind.reader == "tia":
        axes = _tia_offsets(axes, original, repaired)
        notes += _tia_series(path)
    if len(axes) < len(data.shape):
        axes = (*axes, Axis("colour", unit=""))
    metadata: dict[str, Any] = {
        "vendor_format": kind.title,
        "/metadata": plain(image.get("metadata", {})),
        "/original_metadata": plain(original),
    }
    if any(axis.unit == "px" and axis.name.lower() in SPATIAL for axis in axes):
        metadata["uncalibrated"] = True
    metadata |= {key: texts for key, texts in (("warnings", notes), ("repaired", repaired)) if texts}
    quantity = str(image.get("metadata", {}).get("Signal", {}).get("quantity") or "")
    unit = "counts" if "counts" in quantity.lower() else ""
    shape = Volume if [axis.name for axis in axes] == ["z", "y", "x"] else Image
    return shape(data, axes, unit, names[number], path, metadata)


def _in_order(axes: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort axes by their place in the array where they tell it."""
    if all(axis.get("index_in_array") is not None for axis in axes):
        return sorted(axes, key=lambda axis: int(axis["index_in_array"]))
    return list(axes)


def _tia_offsets(
    axes: tuple[Axis, ...], original: Mapping[str, Any], repaired: list[str]
) -> tuple[Axis, ...]:
    """Take the offsets of a TIA map from its own header.

    rosettasciio 0.15 turns the step of a scan from metres into nanometres and leaves its offset in metres. In the
    header the offset is the coordinate of one element, of the number CalibrationElement.
    """
    header = original.get("ser_header_parameters", {})
    corrected = list(axes)
    for place, axis in enumerate(axes):
        dimension = {"x": "Dim-1", "y": "Dim-2"}.get(axis.name)
        delta = header.get(f"{dimension}_CalibrationDelta")
        if delta is None or axis.unit != "m" or header.get(f"{dimension}_Units") not in (b"meters", "meters"):
            continue
        element = float(header.get(f"{dimension}_CalibrationElement", 0))
        first = float(header[f"{dimension}_CalibrationOffset"]) - element * float(delta)
        corrected[place] = replace(axis, scale=float(delta), offset=float(f"{first:.15g}"))
    if tuple(corrected) != axes:
        repaired.append("the offsets of the scan's axes were taken from the header of the series, in metres")
    return tuple(corrected)


def _tia_series(path: Path) -> list[str]:
    """Say which series a TIA header was read with, since it does not tell how many there were."""
    if path.suffix.lower() != ".emi":
        return []
    beside = sorted(file.name for file in path.parent.iterdir() if file.suffix.lower() == ".ser"
                    and file.stem.rpartition("_")[0] == path.stem)  # fmt: skip
    return [
        f"a TIA header keeps its images in .ser files beside it; found: {', '.join(beside)}; others are absent"
    ]


FORMAT = Format(
    name="microscopy",
    title="Microscopy vendors' files (RosettaSciIO)",
    suffixes=(".dm3", ".dm4", ".bcf", ".emi", ".ser", ".emd", ".msa"),
    detect=detect,
    read=read,
)
