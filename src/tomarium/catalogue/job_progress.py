"""How far a job is: written into its row by the worker that does it, and read from there by every page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Row, update

from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.find_jobs import is_held_by
from tomarium.catalogue.tables import jobs
from tomarium.errors import DatabaseUnavailable

TELL_S: Final = 0.5
"""Seconds after which it is noted anew how far a stage is."""

_PARTS: Final = re.compile(r": (\d+) of (\d+)$")


def stage_teller(
    catalogue: Catalogue, job: Row[Any], stages: Mapping[str, str], other: str = "{}"
) -> Callable[[str, int, int], None]:
    """Return what long work may tell of its stages as often as it likes; a job's row is written now and then.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    job : Row
        The job as `take_job` gave it; nothing is noted where it was cancelled or another worker has it since.
    stages : mapping of str to str
        Name of a stage → words for it.
    other : str
        Words for any other stage; "{}" in it becomes its name.

    Returns
    -------
    callable
        `tell(stage, done, total)`: notes "words: done of total", where the stage is another one, is done, or `TELL_S`
        have passed. A database that does not answer now is told the next time.
    """
    last: tuple[float, str] = (0.0, "")

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if stage == last[1] and now - last[0] < TELL_S and done < total:
            return
        last = (now, stage)
        words = stages.get(stage) or other.replace("{}", stage)
        sentence = f"{words}: {done} of {total}" if total else words
        with suppress(DatabaseUnavailable), catalogue.writing() as connection:
            connection.execute(update(jobs).where(is_held_by(job)).values(told=sentence))

    return tell


def read_parts(told: str) -> tuple[int, int]:
    """Read how much of its present stage a job has done.

    Parameters
    ----------
    told : str
        Of a job that runs.

    Returns
    -------
    int, int
        Parts that are done, and all; 0 and 0 where no number was told.
    """
    match = _PARTS.search(told)
    return (int(match[1]), int(match[2])) if match else (0, 0)
