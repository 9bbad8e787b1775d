"""How the command line shows values, tables and progress."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tomarium import units
from tomarium.cli import interrupts
from tomarium.errors import InputError
from tomarium.model import Value
from tomarium.model.wording import brief, in_words

if TYPE_CHECKING:
    from tomarium.catalogue import Catalogue
    from tomarium.model import Record

MOST: Final = 400
"""Characters of a text that has a line to itself."""


def as_json(data: Any) -> None:
    """Print data as JSON.

    Parameters
    ----------
    data : object
        JSON-ready.
    """
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def table(rows: Iterable[Sequence[str]], indent: str = "  ") -> None:
    """Print rows as aligned columns; the last column is as wide as it is, and cut only where it is without end.

    Parameters
    ----------
    rows : iterable of sequence of str
        The cells.
    indent : str
        What each line begins with.
    """
    cells = [[*row[:-1], line(row[-1])] for row in rows]
    if not cells:
        return
    widths = [max(len(row[i]) for row in cells if i < len(row)) for i in range(max(map(len, cells)))]
    for row in cells:
        row_text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        click.echo((indent + row_text).rstrip())


def value(measured: Value[float] | None, unit: str) -> tuple[str, str]:
    """Write a value and where it comes from.

    Parameters
    ----------
    measured : Value or None
        The value.
    unit : str
        Its unit.

    Returns
    -------
    tuple of str
        "0.65 µm" and "read: scan.h5:/…"; a dash where it is not known.
    """
    if measured is None:
        return "–", "not known"
    return units.show(measured.value, unit, 6), f"{measured.origin}: {measured.source}".replace(
        "profile: profile ", "profile "
    )


def short(value: object, most: int = 60) -> str:
    """Write a value on part of a line.

    Parameters
    ----------
    value : object
        Anything; a dash where it is None.
    most : int
        Characters at most.

    Returns
    -------
    str
        As `in_words` has it, cut where it is longer.
    """
    return brief(in_words(value), most)


def counted(number: int, noun: str) -> str:
    """Write how many there are of what.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        In the singular; its plural ends in s.

    Returns
    -------
    str
        "1 scan", "3 scans".
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def line(text: str) -> str:
    """Write a text that a file holds on a line of its own.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The same in one line, cut where it is without end.
    """
    return brief(in_words(text), MOST)


def warnings(texts: Iterable[str]) -> None:
    """Print warnings, at a terminal in lines that fit.

    Parameters
    ----------
    texts : iterable of str
        One line each.
    """
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else 0
    for text in texts:
        wrapped = f"! {line(text)}"
        if width > 20:
            wrapped = textwrap.fill(
                wrapped, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
            )
        click.secho(wrapped, fg="yellow", err=True)


def assumed_ratios(ratios: Iterable[tuple[str, Any, str]]) -> None:
    """Say of which steps δ/β is their default, to stderr: nothing told that of the sample.

    Parameters
    ----------
    ratios : iterable of (str, float or None, str)
        Step, its δ/β, and where that comes from.
    """
    for step, ratio, origin in ratios:
        if origin == "default" and ratio is not None:
            click.echo(
                f"{step}: δ/β {ratio:g}, assumed since nothing tells that of the sample; "
                + (
                    "tell it by --material 'SiO2 2.65' or --set paganin.delta_beta=…"
                    if step == "paganin"
                    else f"tell it by --set {step}.delta_beta=…"
                ),
                err=True,
            )


def progress() -> Callable[[str, int, int], None]:
    """Return what tells the progress of long work.

    Returns
    -------
    callable
        `tell(stage, done, total)`: one moving line where the output is a terminal, else a line at each tenth.
    """
    is_terminal = sys.stderr.isatty()
    began: dict[str, tuple[float, int]] = {}
    tenth: dict[str, int] = {}

    def tell(stage: str, done: int, total: int) -> None:
        interrupts.check()
        if stage not in began:
            began[stage] = (time.monotonic(), done)
        start, first = began[stage]
        passed = time.monotonic() - start
        seconds_left = passed / (done - first) * (total - done) if done > first else None
        text = f"{stage:12s} {done:>5d} of {total}  {100 * done // max(total, 1):3d} %"
        if done == total:
            text += f"  in {clock(passed)}"
        elif seconds_left is not None:
            text += f"  {clock(seconds_left)} left"
        if is_terminal:
            click.echo(f"\r\x1b[K{text}", nl=done == total, err=True)
        elif tenth.get(stage) != 10 * done // max(total, 1) and (done or total > 1):
            tenth[stage] = 10 * done // max(total, 1)
            click.echo(text, err=True)

    return tell


def fetched() -> Callable[[int], None]:
    """Return what tells how much was fetched from the web.

    Returns
    -------
    callable
        `tell(bytes)`: one moving line where the output is a terminal, else a line for each doubling from 16 MB.
    """
    is_terminal = sys.stderr.isatty()
    told = [0]

    def tell(size: int) -> None:
        if is_terminal and size - told[0] >= 1_000_000:
            told[0] = size
            click.echo(f"\x1b[Kfetched      {size // 1_000_000} MB\r", nl=False, err=True)
        elif not is_terminal and size >= max(16_000_000, 2 * told[0]):
            told[0] = size
            click.echo(f"fetched      {size // 1_000_000} MB", err=True)

    return tell


def axis_column(column: Mapping[str, Any]) -> str:
    """Say at which column the rotation axis is.

    Parameters
    ----------
    column : mapping
        Its `value`, and `column_in_file` where views moved it.

    Returns
    -------
    str
        "column 96.00 of the file = 47.75 of the binned or cropped views".
    """
    if "column_in_file" not in column:
        return f"column {column['value']:.2f}"
    return f"column {column['column_in_file']:.2f} of the file = {column['value']:.2f} of the binned or cropped views"


def megabytes(stage: str) -> Callable[[int, int], None]:
    """Return what tells the progress of bytes that are read.

    Parameters
    ----------
    stage : str
        What is done, with its unit.

    Returns
    -------
    callable
        `tell(done, total)`, bytes; shown as `progress` does, in MB.
    """
    tell = progress()
    return lambda done, total: tell(stage, done // 10**6, total // 10**6)


def finished_record(folder: Path, *, is_record: bool = True) -> None:
    """Tell that a volume is finished, and how it is looked at and filed.

    Parameters
    ----------
    folder : Path
        The record, or the volume.
    is_record : bool
        Whether it is a record, which can be filed.
    """
    place = shlex.quote(str(folder))
    filing = f"; file it: tomarium ingest {place}" if is_record else ""
    click.echo(f"{folder}: finished; look at it: tomarium slice {place}{filing}")


def clock(seconds: float) -> str:
    """Write a time as people say it: "8.3 s", "12 min", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def record_id(catalogue: Catalogue, given: str) -> str:
    """Return the identifier of a record that was given by it or by its folder.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    given : str
        An identifier, or the folder of a record that is in the catalogue.

    Returns
    -------
    str
        The identifier.

    Raises
    ------
    InputError
        There is no such record in the catalogue.
    """
    from tomarium.catalogue import queries
    from tomarium.catalogue.record_folder import read_record
    from tomarium.standards.ro_crate import FILENAME

    folder = Path(given)
    id = read_record(folder.resolve()).id if (folder / FILENAME).is_file() else given
    with catalogue.reading() as connection:
        place = queries.folder_of(connection, id)
    if place is None:
        raise InputError(
            f"{given}: is no record of this catalogue ({catalogue.name}); file it with: tomarium ingest FOLDER, or "
            f"look for its identifier with: tomarium search"
        )
    return id


def record(catalogue: Catalogue, id: str) -> Record:
    """Read a record of a catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    id : str
        Its identifier.

    Returns
    -------
    Record
        As its folder says.
    """
    from tomarium.catalogue import queries
    from tomarium.catalogue.record_folder import read_record

    with catalogue.reading() as connection:
        place = queries.folder_of(connection, id)
    assert place is not None
    return read_record(place)
