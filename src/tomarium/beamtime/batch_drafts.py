"""Finished volumes of a batch as drafts of a catalogue: which are there, which could not be filed, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tomarium.beamtime.batch_files import Row
from tomarium.beamtime.batch_result import Making
from tomarium.beamtime.file_results import Drafts
from tomarium.errors import DatabaseUnavailable, Interrupted


def known(rows: Iterable[Row], before: Iterable[Row]) -> Iterator[Row]:
    """Give rows of results that were kept what was known of their drafts; one that was made anew is filed anew.

    Parameters
    ----------
    rows : iterable of Row
        As they are planned.
    before : iterable of Row
        As the table has them.

    Yields
    ------
    Row
        Of each of `rows`.
    """
    table = {row.name: row for row in before}
    for row in rows:
        old = table.get(row.name)
        if old is not None and row.state in ("finished", "warnings") and old.seconds == row.seconds:
            row = replace(row, draft=old.draft, filed_in=old.filed_in, not_filed=old.not_filed)
        yield row


def filed(drafts: Drafts, how: Making, row: Row) -> Row:
    """File the volume of a scan, once.

    Parameters
    ----------
    drafts : Drafts
        Where.
    how : Making
        In which folder the batch lies.
    row : Row
        Of the scan. One without a finished volume, or whose volume is in that catalogue already, is left as it is.

    Returns
    -------
    Row
        With its draft, or why it is not filed.

    Raises
    ------
    KeyboardInterrupt, Interrupted
        Stopped; the same call files it.
    """
    if how.slice_only or row.state not in ("finished", "warnings"):
        return row
    try:
        name = drafts.name
        if row.draft and row.filed_in == name:
            return row
        return replace(row, draft=drafts.file_record(how.folder / row.record), filed_in=name, not_filed="")
    except Exception as problem:  # the catalogue never stops the night; whoever asked to stop does
        if isinstance(problem, Interrupted) and not isinstance(problem, DatabaseUnavailable):
            raise
        return replace(row, draft="", filed_in="", not_filed=str(problem) or type(problem).__name__)
