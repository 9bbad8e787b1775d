"""Opening a file while another program appends to it: tried again for a moment, then said.

Between two writes of one flush an HDF5 file tells of an end that is not there yet, which the library calls truncated;
some milliseconds later it is whole. A file at rest is not waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tomarium.errors import FormatError

# A file that changed so lately may still be written.
FRESH_S: Final = 60.0
# How long is tried altogether, of files that take longer to open at least so often but no longer than that; and how
# long is waited for a file that looks truncated to change.
PATIENCE_S: Final = 2.0
LEAST_TRIES: Final = 4
LONGEST_S: Final = 10.0
REST_S: Final = 0.1
_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.1
# A file that was given up is not waited for again so soon: each format asks in turn.
_AGAIN_S: Final = 5.0
_MOST_KNOWN: Final = 64
WRITTEN: Final = "is being written"
# Words of HDF5, and of what is made of them.
_TRUNCATED: Final = ("truncated file", "is truncated (")

_Result = TypeVar("_Result")
_Kept = TypeVar("_Kept")


@dataclass(frozen=True)
class Stamp:
    """What changes when a file is written or replaced."""

    # which file stands there, its bytes, and when it was written last, in ns since 1970
    inode: int
    size: int
    changed_ns: int

    @staticmethod
    def of(path: Path) -> Stamp:
        """Look at a file now."""
        now = path.stat()
        return Stamp(now.st_ino, now.st_size, now.st_mtime_ns)

    def age_s(self) -> float:
        """Seconds since it was written; a large number where its clock is ahead of ours."""
        age = (time.time_ns() - self.changed_ns) / 1e9
        return age if age > -1.0 else 1e9


# Files that looked truncated and did not change, as they were; and when others were given up.
_resting: dict[Path, Stamp] = {}
_given_up: dict[Path, float] = {}


def while_written(path: Path, attempt: Callable[[], _Result]) -> _Result:
    """Open a file, again where it changed meanwhile."""
    begun_s, tries = time.monotonic(), 0
    while True:
        before = stamp_of(path)
        tries += 1
        try:
            return attempt()
        except (FormatError, OSError, RuntimeError, KeyError) as problem:
            if before is None or not _may_recover(path, before, problem):
                raise
            spent = time.monotonic() - begun_s
            enough = spent > LONGEST_S or (spent > PATIENCE_S and tries >= LEAST_TRIES)
            if enough or _was_given_up(path):
                _keep(_given_up, path, time.monotonic())
                raise FormatError(_message(path, tries, spent, problem)) from problem
        time.sleep(min(_LONGEST_PAUSE_S, _PAUSE_S * 2**tries))


def looks_truncated(text: str) -> bool:
    """Tell whether the words of a refusal are those of a file that lacks its end.

    Result: true where it is truncated or being written, as far as HDF5 can tell.
    """
    return any(words in text for words in (*_TRUNCATED, WRITTEN))


def _message(path: Path, tries: int, spent: float, problem: Exception) -> str:
    reason = str(problem).removeprefix(f"{path}: ")
    if reason.startswith(WRITTEN):
        return f"{path}: {reason}"
    return (
        f"{path}: {WRITTEN}, and was met half-written in each of {tries} attempts within {spent:.1f} s; open it again "
        f"in a moment, or once its writer has closed it ({reason[:300]})"
    )


def stamp_of(path: Path) -> Stamp | None:
    """Look at a file now; None where there is none."""
    try:
        return Stamp.of(path)
    except OSError:
        return None


def _may_recover(path: Path, before: Stamp, problem: Exception) -> bool:
    """Tell whether another attempt may end better: the file changed, or is to change as it looks truncated."""
    now = stamp_of(path)
    if now is None or now.age_s() >= FRESH_S:
        return False
    if now != before:
        return True
    if not looks_truncated(str(problem)) or _resting.get(path) == now:
        return False
    end = time.monotonic() + REST_S
    while time.monotonic() < end:
        time.sleep(_PAUSE_S)
        if stamp_of(path) != now:
            return True
    _keep(_resting, path, now)
    return False


def _was_given_up(path: Path) -> bool:
    return time.monotonic() - _given_up.get(path, -_AGAIN_S) < _AGAIN_S


def _keep(states: dict[Path, _Kept], path: Path, state: _Kept) -> None:
    if len(states) >= _MOST_KNOWN:
        states.clear()
    states[path] = state
