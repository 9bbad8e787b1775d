"""Attributes and small values of HDF5 nodes as Python values; how an HDF5 file begins."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import h5py
import numpy as np
from h5py import h5a, h5s, h5t

from tomarium.formats.hdf5.heap_check import claims_too_much
from tomarium.formats.hdf5.names import Name, as_bytes
from tomarium.formats.hdf5.plain_values import as_text

Node: TypeAlias = h5py.Group | h5py.Dataset
SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_LONGEST_TEXT: Final = 1 << 20
_MOST_IN_ATTRIBUTE: Final = 1 << 12


def is_hdf5(path: Path) -> bool:
    """Tell whether a file begins as HDF5, whether or not the rest is whole.

    `path`: any path; a folder or an unreadable file gives False. Result: true where the signature stands at
    byte 0, 512, 1024, 2048 … (HDF5 File Format Specification 3.0, II.A).
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            offset = 0
            while offset < size and offset <= 1 << 20:
                stream.seek(offset)
                if stream.read(8) == SIGNATURE:
                    return True
                offset = offset * 2 or 512
    except OSError:
        return False
    return False


def attribute(node: Node, name: Name) -> str | None:
    """Read an attribute as text.

    Result: None where it is absent; "" where it is empty.
    """
    value = raw_attribute(node, name)
    if value is None:
        return None
    if np.size(value) == 1 and np.asarray(value).dtype.kind in "iuf":
        return f"{np.ravel(value)[0]:g}"
    return as_text(value) or ""


def raw_attribute(node: Node, name: Name) -> Any:
    """Read an attribute as h5py returns it, unless it is of a type or a size that none has here.

    Result: None where it is absent, no number or text, or too large: damaged bytes can claim any length.
    """
    # By the library's own calls: h5py's open the attribute twice and take four times as long.
    key = as_bytes(name)
    if not h5a.exists(node.id, key):
        return None
    attribute = h5a.open(node.id, key)
    shape, dtype = attribute.shape, attribute.dtype
    size = math.prod(shape or ())
    if size > _MOST_IN_ATTRIBUTE or size * dtype.itemsize > _LONGEST_TEXT or not _is_plain(dtype):
        return None
    if shape is None:
        return h5py.Empty(dtype)
    read: Any = np.zeros(shape, dtype)
    attribute.read(read)
    if dtype.kind == "O" and shape == ():
        return read[()].decode("utf-8", "surrogateescape")
    if dtype.kind == "O":
        words = [word.decode("utf-8", "surrogateescape") for word in read.flat]
        read = np.array(words, dtype).reshape(shape)
    return read[()] if shape == () else read


def content(dataset: h5py.Dataset) -> Any:
    """Read a dataset that is short enough to be read as a text, as h5py returns it.

    Result: None where it is longer, or neither a number nor a text.
    """
    if not is_small(dataset):
        return None
    shape, dtype = dataset.shape, dataset.dtype
    read = np.zeros(shape, dtype)
    if read.size:
        # h5py's own way takes four times as long for a single value.
        dataset.id.read(h5s.ALL, h5s.ALL, read, h5t.py_create(dtype))
    return read[()] if shape == () else read


def size_of(dataset: h5py.Dataset) -> int | None:
    """Count the values of a dataset, in half the time that h5py takes; None where it has no extent."""
    shape = dataset.shape
    return None if shape is None else math.prod(shape)


def is_small(dataset: h5py.Dataset) -> bool:
    """Tell whether a dataset is short enough to be read as a text."""
    size, dtype = size_of(dataset), dataset.dtype  # h5py makes the type anew each time
    if size is None or size * max(dtype.itemsize, 1) > _LONGEST_TEXT or not _is_plain(dtype):
        return False
    return dtype.kind != "O" or not claims_too_much(dataset)


def _is_plain(dtype: np.dtype[Any]) -> bool:
    # HDF5 2.0.0 crashes on a variable-length type whose damaged kind is neither a text nor a sequence; of
    # these only texts are read here.
    return dtype.kind in "iufbSU" or h5py.check_string_dtype(dtype) is not None


def plain_text(held: Any, unit: Callable[[], str | None]) -> Any:
    """Return a number, with its unit as text where it has one, or a text; else None.

    `held`: what a dataset holds, a single value. `unit`: reads the dataset's unit.
    """
    array = np.asarray(held)
    kind = array.dtype.kind
    if kind in "iufb":
        value, written = array.ravel()[0].item(), unit()
        return f"{value:g} {written}" if written and kind != "b" else value
    return as_text(held)
