"""Correction files: how far the sample stands from its place in each view, along columns and along rows.

PyHST2 (`AXIS_CORRECTION_FILE`, "in pixel positive in ccd axis directions") and nabu (`translation_movements_file`, the
order "horizontal, vertical") mean the same: the sample, or the axis, lies so much further to higher columns and rows.
nabu 2026.1.2 adds the first number to the axis in its backprojection and takes pixel (y, x) from (y + second, x).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_whole
from tomarium.errors import FormatError, ParameterError
from tomarium.formats.opening.angle_file import named_file, numbers, text_lines
from tomarium.model import Value

Shifts = tuple[NDArray[np.float64], NDArray[np.float64] | None]
"""Along columns and along rows, pixels; None where the file tells none along rows."""


def read_shifts(file: Path) -> Shifts:
    """Read a correction file.

    `file`: text with one line for each view: its shift along columns and, with a second number, along rows,
    in pixels; `#` begins a comment. Result, shape (view,): along rows; None where lines hold one number.
    """
    values = numbers(file)
    lines = text_lines(file)
    widths = {len(words) for words in lines}
    if widths - {1, 2} or len(widths) != 1:
        raise FormatError(
            f"{file}: its lines hold {' or '.join(map(str, sorted(widths))) or 'no'} numbers; a correction file has a "
            f"line for each view, with its shift along columns and, where wanted, along rows, in pixels"
        )
    table = values.reshape(len(lines), widths.pop())
    return table[:, 0], table[:, 1] if table.shape[1] == 2 else None


def write_shifts(file: Path, columns_px: NDArray[np.float64], rows_px: NDArray[np.float64] | None) -> None:
    """Write a correction file as PyHST2 and nabu read it: two numbers a line, and no comment.

    `columns_px`: how far the sample lies towards higher columns, pixels. `rows_px`: the same along rows; None
    writes zeros.
    """
    rows = np.zeros(len(columns_px)) if rows_px is None else rows_px
    lines = (f"{column:.4f} {row:.4f}\n" for column, row in zip(columns_px, rows, strict=True))
    write_whole(file, "".join(lines).encode())


def shifts_given(given: object, scan: Path) -> dict[str, Value[NDArray[np.float64]]]:
    """Read what a user gives for shifts of both directions.

    `given`: a correction file, looked for from the current folder, then beside the scan; or its numbers.
    Result: `shift_columns_px`, and `shift_rows_px` where it tells them, with the origin "user".
    """
    rows: NDArray[np.float64] | None
    if isinstance(given, str | os.PathLike):
        expected = (
            "a correction file, with a line for each view: its shift along columns and along rows, in pixels"
        )
        file = named_file(os.fspath(given), scan, f"give {expected}")
        (columns, rows), source = read_shifts(file), f"given in {file.name}"
    else:
        table = np.asarray(given, np.float64)
        if table.ndim == 1:
            table = table[:, None]
        if table.ndim != 2 or table.shape[1] not in (1, 2):
            raise ParameterError(
                f"shifts has shape {table.shape}; give one or two numbers for each view: its shift along columns and "
                f"along rows, in pixels"
            )
        columns, rows = table[:, 0], table[:, 1] if table.shape[1] == 2 else None
        source = "given when the scan was opened"
    shifts = {"shift_columns_px": Value(columns, "user", source)}
    return shifts if rows is None else {**shifts, "shift_rows_px": Value(rows, "user", source)}
