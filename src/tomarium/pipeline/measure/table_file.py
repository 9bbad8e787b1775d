"""A table of what was measured, written whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from tomarium.atomic_files import write_whole


def write_table(target: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file, its first line the names of the columns."""
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(rows)
    write_whole(target, text.getvalue().encode())


def number_text(number: float) -> str:
    """Write a number with seven digits."""
    return f"{number:.7g}"
