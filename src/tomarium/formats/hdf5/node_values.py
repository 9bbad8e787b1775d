"""Values of a dataset, or of a part of it, that others ask for: never more than fits, and only what may be read."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any, Final, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.formats.hdf5.filters import load_plugins_for
from tomarium.formats.hdf5.heap_check import claims_too_much
from tomarium.formats.hdf5.missing_data import gaps_of
from tomarium.formats.hdf5.node_description import plain
from tomarium.formats.hdf5.source import Source

# A frame of 8 k × 8 k of 16 bits, or 4 k × 4 k of 64.
MOST_BYTES: Final = 128 << 20
# What is written as JSON takes some twenty bytes and a microsecond each.
MOST_IN_JSON: Final = 500_000
MOST_TEXTS: Final = 50_000

Format = Literal["json", "bin", "npy"]


class TooLarge(InputError):
    """More was asked for than is given at once."""


def dataset_at(source: Source, path: str) -> h5py.Dataset:
    """Find a dataset; raises FormatError where there is none."""
    node = source.find(path)
    if not isinstance(node, h5py.Dataset):
        state = "is a group" if isinstance(node, h5py.Group) else "is not there"
        raise FormatError(f"{source.path}: {path} {state}; name a dataset")
    return node


def read_selection(node: h5py.Dataset, selection: str | None) -> tuple[int | slice, ...]:
    """Read a selection as H5Web writes it: "3,:,10:20".

    `selection`: an index, a range or ":" for each of the first axes; None or "" for all. Result: one entry for each
    axis. Raises ParameterError where it does not fit the shape.
    """
    shape = node.shape or ()
    parts = [part.strip() for part in selection.split(",")] if selection else []
    if len(parts) > len(shape):
        raise ParameterError(f"selection: {selection!r:.80} has {len(parts)} axes, the dataset {len(shape)}")
    chosen: list[int | slice] = []
    for part, length in zip([*parts, *[":"] * (len(shape) - len(parts))], shape, strict=True):
        match = re.fullmatch(r"(-?\d{1,18})|(\d{0,18}):(\d{0,18})(?::(\d{1,18}))?", part)
        if match is None:
            raise ParameterError(
                f"selection: {part!r:.40} is no index and no range; write 3, 10:20 or : for each axis"
            )
        if match[1]:
            index = int(match[1])
            if not -length <= index < length:
                raise ParameterError(f"selection: {index} lies outside the axis, which has {length} places")
            chosen.append(index % length)
            continue
        step = int(match[4] or 1)
        if step < 1:
            raise ParameterError("selection: a step is at least 1")
        start, stop, _ = slice(int(match[2] or 0), int(match[3]) if match[3] else None).indices(length)
        chosen.append(slice(start, max(start, stop), step))
    return tuple(chosen)


def read_values(source: Source, path: str, selection: str | None) -> Any:
    """Read a dataset or a part of it.

    `path`, `selection`: as `read_selection` reads them. Result: an array, or a scalar, as h5py returns it; None of a
    dataset without extent. Raises TooLarge where it is more than 128 MiB, or more than 50 000 texts; FormatError where
    part of it lies in a file that is absent, rather than giving zeros for it.
    """
    node = dataset_at(source, path)
    if node.shape is None:
        return None
    chosen = read_selection(node, selection)
    count = math.prod(
        len(range(*part.indices(length)))
        for part, length in zip(chosen, node.shape, strict=True)
        if isinstance(part, slice)
    )
    size = count * max(node.dtype.itemsize, 1)
    texts = node.dtype.hasobject
    if size > MOST_BYTES or (texts and count > MOST_TEXTS):
        most = f"{MOST_TEXTS} texts or lists" if texts else f"{MOST_BYTES >> 20} MiB"
        raise TooLarge(
            f"{path}: {count} values of {node.dtype.itemsize} bytes are more than the {most} that are given at "
            f"once; choose a part of it, or take the whole file"
        )
    if texts and count == node.size and claims_too_much(node):
        raise FormatError(f"{source.path}: {path} claims texts longer than the file; copy it again")
    _refuse_absent(source, node, path, chosen)
    load_plugins_for(node)
    return node[chosen] if node.shape else node[()]


def _refuse_absent(source: Source, node: h5py.Dataset, path: str, chosen: tuple[int | slice, ...]) -> None:
    """Refuse what lies in files that are not here: HDF5 would give zeros for it, and no error."""
    if not node.is_virtual or not node.shape:
        return
    first = chosen[0]
    entries = range(first, first + 1) if isinstance(first, int) else range(*first.indices(node.shape[0]))
    for gap in gaps_of(source, node):
        if gap.file and entries and gap.first <= entries[-1] and gap.last > entries[0]:
            raise FormatError(
                f"{source.path}: part of {path} lies in {Path(gap.file).name}, which {gap.why}; its values would be "
                f"zeros, so they are not given"
            )


def encode(value: Any, format: Format) -> tuple[str, bytes]:
    """Write values for a browser.

    `format`: "bin" is C order, little-endian, float16 as float32 and what is longer than 8 bytes as float64; "json"
    flattens to one list; "npy" is NumPy's own. Result: media type and content.
    """
    if format == "json":
        array = np.asarray(value) if isinstance(value, np.ndarray) else value
        if isinstance(array, np.ndarray):
            if array.size > MOST_IN_JSON:
                raise TooLarge(
                    f"{array.size} values are more than the {MOST_IN_JSON} that are given as JSON at once"
                )
            array = array.ravel()
        return "application/json", json.dumps(plain(array)).encode()
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise ParameterError(f"format: values of the type {array.dtype} are given as json, not as {format}")
    if format == "npy":
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        return "application/octet-stream", stream.getvalue()
    return "application/octet-stream", _safe(array).tobytes()


def _safe(array: NDArray[Any]) -> NDArray[Any]:
    """Give floats the sizes that browsers have, and little-endian order."""
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype("<f4" if array.dtype.itemsize < 4 else "<f8")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)
