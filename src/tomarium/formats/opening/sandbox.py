"""Open a file first in a process of its own, so that one that crashes or stops its reader harms nobody.

Where the system has Landlock, that process reads the file's own folder and what is trusted, and nothing else.

The walk through HDF5 finds what a file claims; what damaged bytes make the library do, only trying shows.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tomarium.confinement import confine, limit, means
from tomarium.errors import FormatError

LONGEST_S: Final = 60.0
_MOST_BYTES: Final = 8 << 30


def open_in_subprocess(
    path: Path,
    as_format: str | None = None,
    *,
    trust: Sequence[Path] = (),
    longest_s: float = LONGEST_S,
) -> None:
    """Open a file and read a little of it in another process.

    `as_format`: name of the format to read it as; None lets the file decide.
    """
    words = [str(path), as_format or "", *map(str, trust)]
    command = [
        sys.executable,
        "-c",
        f"from {__name__} import main; from tomarium.formats import open; main(open)",
        *words,
    ]
    try:
        with tempfile.TemporaryDirectory(prefix="tomarium-reader-") as scratch:
            process = subprocess.run(
                command, capture_output=True, text=True, timeout=longest_s, check=False,
                env={**os.environ, "TMPDIR": scratch},
            )  # fmt: skip
    except subprocess.TimeoutExpired as problem:
        raise FormatError(
            f"{path}: reading it had not ended after {longest_s:g} s in a process of its own; "
            f"it is damaged or made to mislead, so take it from its origin"
        ) from problem
    if process.returncode < 0:
        raise FormatError(
            f"{path}: it crashed the process that tried to read it ({signal.Signals(-process.returncode).name}); "
            f"it is damaged or made to mislead, so take it from its origin"
        )
    try:
        refused = json.loads(process.stdout.splitlines()[-1])["refused"]
    except (IndexError, ValueError, KeyError) as problem:
        last = process.stderr.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        raise FormatError(
            f"{path}: the process that tried to read it failed ({last[0]}); take it from its origin"
        ) from problem
    if refused:
        raise FormatError(refused)


def _try(
    open_scan: Callable[..., Any], path: Path, as_format: str | None, trust: Sequence[str]
) -> str | None:
    from tomarium.errors import TomariumError
    from tomarium.model import Scan

    try:
        opened = open_scan(path, as_format=as_format, trust=trust)
        if isinstance(opened, Scan):
            for frames in (
                opened.projections,
                *(reference.frames for reference in (opened.flats, opened.darks) if reference),
            ):
                frames.read(slice(0, 1), slice(0, 2))
        else:
            _ = opened[tuple(slice(0, 1) for _ in opened.shape)]
    except TomariumError as problem:
        return str(problem)
    return None


def main(open_scan: Callable[..., Any]) -> None:
    """Try the file that is named on the command line, and print what refused it as JSON.

    `open_scan`: `tomarium.formats.open`; handed in, for this module lies below it.
    """
    path, trusted = Path(sys.argv[1]).resolve(), [Path(text).resolve() for text in sys.argv[3:]]
    limit(address_space=_MOST_BYTES, cpu_s=int(LONGEST_S))
    if means().landlock:
        confine([path.parent if path.is_file() else path, *trusted], [Path(tempfile.gettempdir())])
    print(json.dumps({"refused": _try(open_scan, Path(sys.argv[1]), sys.argv[2] or None, sys.argv[3:])}))
