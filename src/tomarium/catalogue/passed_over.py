"""What lies in a folder and is of no known format: counted by endings, and named, in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

NAMED: Final = 3
ENDINGS: Final = 5


def in_one_line(files: Sequence[Path], folder: Path) -> str:
    """Tell of files of no known format.

    Parameters
    ----------
    files : sequence of Path
        One at least.
    folder : Path
        In which all of them lie.

    Returns
    -------
    str
        "14 files of no known format in 3 folders (9 .txt, 3 .log, 2 without ending): notes.txt, run/a.log, run/b.log
        and 11 more".
    """
    endings = Counter(file.suffix.lower() or "without ending" for file in files).most_common()
    counted = [f"{count} {ending}" for ending, count in endings[:ENDINGS]]
    others = sum(count for _, count in endings[ENDINGS:])
    if others:
        counted.append(f"{others} others")
    folders = len({file.parent for file in files})
    names = ", ".join(str(file.relative_to(folder)) for file in files[:NAMED])
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return (
        f"{len(files)} file{'s' if len(files) > 1 else ''} of no known format in {folders} "
        f"folder{'s' if folders > 1 else ''} ({', '.join(counted)}): {names}{more}"
    )
