"""Reading what another program writes: try again until the file rested, or twice says the same.

HDF5 writes raw data before the metadata that name them, and its end of file last, so that a file between two
flushes reads as it was after the last one. In the midst of a flush the library raises something, or finds an
index that lacks its newest entries. Measured over thousands of reads beside a writer that flushes every
20 ms: the errors are clean, and no pixel was wrong.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from tomarium.errors import FormatError, MissingData
from tomarium.formats.hdf5.errors import DAMAGE, demand_no_stop
from tomarium.formats.hdf5.half_written import Stamp

# A clock of 100 Hz stamps the time of change: a write within the same tick would not be seen.
REST_S: Final = 0.012
_PAUSE_S: Final = 0.004
# A writer that is stopped by the system in the midst of a flush goes on within this time, if the machine works.
_SURE_S: Final = 0.1
_Result = TypeVar("_Result")


def retry_until_stable(path: Path, read: Callable[[], _Result], patience_s: float) -> _Result:
    """Read from a growing file until what was read can be trusted.

    `path`: the file; `read` opens it anew. `read`: reads something, and may raise what half-written bytes
    make the library raise. Result: what `read` returned while the file rested from before to after; or what
    it returned twice in a row, REST_S apart, where the writer never rests.
    """
    end = time.monotonic() + patience_s
    last_print: int | None = None
    refused: tuple[str, float] | None = None
    while True:
        problem: Exception | None = None
        is_at_rest = False
        try:
            before = Stamp.of(path)
            wait = REST_S - before.age_s()
            if 0 < wait <= REST_S:
                time.sleep(wait)
                before = Stamp.of(path)
            is_at_rest = before.age_s() >= REST_S
            result = read()
            if is_at_rest and Stamp.of(path) == before:
                return result
            this_print = fingerprint(result)
            if this_print == last_print:
                return result
            last_print = this_print
        except (*DAMAGE, FormatError, MissingData) as failure:
            demand_no_stop(failure)
            problem, last_print = failure, None
        now = time.monotonic()
        if isinstance(problem, FormatError | MissingData):
            # Said of a file at rest, and said again: waiting would not change it.
            if not is_at_rest or refused is None or refused[0] != str(problem):
                refused = (str(problem), now)
            elif now - refused[1] >= _SURE_S:
                raise problem
        if now >= end:
            if isinstance(problem, FormatError | MissingData):
                raise problem
            raise FormatError(
                f"{path}: could not be read for {patience_s:g} s while it is written "
                f"({problem or 'it never rests, and no two readings agree'}); "
                f"wait for its writer to close it, or read a mirror of it (tomarium mirror)"
            ) from problem
        time.sleep(REST_S if last_print is not None else _PAUSE_S)


def fingerprint(result: Any) -> int:
    """Return a number that is the same for equal results.

    `result`: an array, or anything with a repr that tells it apart.
    """
    if isinstance(result, np.ndarray) and result.dtype.kind != "O":
        return zlib.crc32(result.tobytes(), result.size)
    plain = result.tolist() if isinstance(result, np.ndarray) else result
    return zlib.crc32(repr(plain).encode("utf-8", "replace"))


def wait_for_rest(path: Path, end: float) -> Stamp:
    """Wait until nothing was written to a file for a moment.

    `end`: time of `time.monotonic` at which it is given up. Result: the file then; the caller sees whether it
    stays so for long enough.
    """
    while True:
        stamp = Stamp.of(path)
        age = stamp.age_s()
        if age >= REST_S or time.monotonic() > end:
            return stamp
        time.sleep(max(REST_S - age, 0.001))
