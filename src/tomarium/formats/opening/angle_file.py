"""Rotation angles in text files: one number after the other, `#` begins a comment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, ParameterError

# A text of angles is small; a larger file is none.
_LONGEST: Final = 16 << 20


def named_file(name: str, scan: Path, remedy: str) -> Path:
    """Find a file that a user names: from the current folder, then beside the scan; `remedy` is said where it lacks."""
    folder = scan if scan.is_dir() else scan.parent
    candidates = (Path(name).expanduser(), folder / name)
    file = next((place for place in candidates if place.is_file()), None)
    if file is None:
        raise ParameterError(f"{name!r}: there is no such file, neither from here nor in {folder}; {remedy}")
    return file


def numbers(file: Path) -> NDArray[np.float64]:
    """Read the angles of a text file.

    `file`: UTF-8 text; numbers in degrees, separated by lines, blanks, commas or semicolons.
    """
    try:
        if file.stat().st_size > _LONGEST:
            raise FormatError(f"{file}: has {file.stat().st_size} bytes, too many for a file of angles; "
                              f"write one angle in degrees a line")  # fmt: skip
        lines = file.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as problem:
        raise FormatError(f"{file}: is no text; a file of angles has one number a line") from problem
    except OSError as problem:
        raise FormatError(f"{file}: cannot be read ({problem.strerror}); check its permissions") from problem
    angles: list[float] = []
    for line_number, line in enumerate(lines, 1):
        words = _words(line)
        if not words:
            continue
        try:
            if "_" in line.split("#")[0]:  # Python reads 1_0 as ten
                raise ValueError(line)
            angles.extend(float(word) for word in words)
        except ValueError as problem:
            raise FormatError(
                f"{file}: line {line_number} is {line.strip()[:40]!r}, no number; "
                f"write one angle in degrees a line"
            ) from problem
    return np.asarray(angles, dtype=np.float64)


def text_lines(file: Path) -> list[list[str]]:
    """Return the words of each line that holds some, of a file that `numbers` has read."""
    return [words for line in file.read_text("utf-8-sig").splitlines() if (words := _words(line))]


def _words(line: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", line.split("#")[0].strip()) if word]
