"""Texts and numbers as h5py returns them, however they are stored."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

# areaDetector writes this where an attribute could not be had.
NO_VALUE: Final = "Error: Unknown Attribute"


def as_text(value: Any) -> str | None:
    r"""Read text from what h5py returns: str, bytes, arrays of one of them, or int8 codes padded with NUL.

    Result: UTF-8, or latin-1 where it is not that (`\xb5m`); up to the first NUL, stripped. None where it is
    no text, or empty, or the literal areaDetector writes for "none".
    """
    array = np.asarray(value)
    if array.size == 0:
        return None
    if array.dtype.kind in "iu" and array.dtype.itemsize == 1 and array.ndim:
        raw: Any = array.astype(np.uint8).tobytes()
    else:
        raw = array.ravel()[0]
    if isinstance(raw, bytes):
        raw = raw.split(b"\0")[0]
        try:
            raw = raw.decode("utf-8")
        except UnicodeDecodeError:
            raw = raw.decode("latin-1")
    if not isinstance(raw, str):
        return None
    plain = raw.split("\0")[0].strip()
    return None if plain in ("", NO_VALUE) else plain


def as_number(value: Any) -> float | None:
    """Read a number from what h5py returns: a number, or a text that is one.

    Result: the first of several; None where it is no number.
    """
    array = np.asarray(value)
    # A row of bytes is a text, and an empty one no 0.
    is_text = array.dtype.kind in "iu" and array.dtype.itemsize == 1 and array.size > 1
    if array.size and array.dtype.kind in "iuf" and not is_text:
        # By way of text, so that the float32 6.7e-6 stays 6.7e-6.
        return float(str(array.ravel()[0]))
    try:
        return float(as_text(value) or "")
    except ValueError:
        return None
