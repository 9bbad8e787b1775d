"""One number for each projection as a user gives it: as FIRST:LAST:COUNT, in a text file, or in HDF5."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import ParameterError
from tomarium.formats.hdf5.user_paths import PLACE, numbers_at
from tomarium.formats.opening.angle_file import named_file, numbers
from tomarium.model import Value
from tomarium.model.geometry import Field

SUFFIXES: Final = (".txt", ".csv", ".dat")
_NUMBER: Final = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_RANGE: Final = re.compile(rf"{_NUMBER}:{_NUMBER}:\s*(\d+)\s*")
_MOST: Final = 1 << 24


def is_place(text: str) -> bool:
    """Tell whether a text names a dataset in HDF5."""
    return PLACE.fullmatch(text.strip()) is not None and not text.strip().lower().endswith(SUFFIXES)


def numbers_given(field: Field, text: str, scan: Path) -> Value[NDArray[np.float64]]:
    """Read the numbers a user means, one for each projection.

    `text`: `0:180:721`, the last one included; a text file, one number a line, `#` before comments; or a
    place in HDF5. A relative file is looked for from the current folder, then beside the scan. Result, shape
    (n,): in the field's unit, with the origin "user"; a place in HDF5 is converted by its own unit.
    """
    steps = _RANGE.fullmatch(text)
    if steps is not None:
        first, last, count = float(steps[1]), float(steps[2]), int(steps[3])
        if not 0 < count <= _MOST:
            raise ParameterError(
                f"{text!r} asks for {count} numbers; write FIRST:LAST:COUNT, such as 0:180:721"
            )
        return Value(np.linspace(first, last, count), "user", f"given as {text.strip()}")
    if is_place(text):
        values, unit, place = numbers_at(text, scan)
        size = units.factor(unit, "pixel" if field.unit == "px" else field.unit) if unit else 1.0
        return Value(values * size, "user", place)
    if not text.strip().lower().endswith(SUFFIXES):
        raise ParameterError(
            f"{text!r} was given for {field.name}; write FIRST:LAST:COUNT such as 0:180:721, a text file that ends in "
            f"{', '.join(SUFFIXES)}, or a place in HDF5 such as /a/theta or file.h5:/a/theta"
        )
    file = named_file(text.strip(), scan, "check its path")
    return Value(numbers(file), "user", f"given in {file.name}")
