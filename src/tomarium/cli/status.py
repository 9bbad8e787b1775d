"""`tomarium status`: what is running, how far it is, and what to do about what is not."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tomarium.cli import show

if TYPE_CHECKING:
    from tomarium.beamtime.find_work import Found
    from tomarium.pipeline.run.work_state import WorkState

SLURM_EVERY_S: Final = 15.0
"""Time between two looks at least where SLURM is asked."""
SHARE_OF_TIME: Final = 10.0
"""Between two looks lies so many times the time that one takes, at least."""


@click.command("status")
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--follow", is_flag=True, help="Look again and again, until all runs and batches are at an end."
)
@click.option(
    "--every",
    default="2s",
    show_default=True,
    help="Time between two looks of --follow, with its unit; longer where a look takes long or asks SLURM.",
)
@click.option(
    "--depth",
    default=4,
    show_default=True,
    type=click.IntRange(0, 20),
    help="Folders below one another that are looked into.",
)
@click.option("--all", "all_finished", is_flag=True, help="List all finished records, not the newest ten.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines; with --follow, at the end.")
def command(
    folders: tuple[Path, ...], follow: bool, every: str, depth: int, all_finished: bool, as_json: bool
) -> int:
    """Tell how the runs, batches and watches below FOLDER stand; the current folder by default.

    From any terminal, also while they run: it reads what they leave on disk, asks SLURM for their jobs, and writes
    nothing. A line each, the worst last: state, record, section of how many, slabs of that section, share of the
    whole, time since the last slab, expected end. Below it: who does the work, what is wrong, and what goes on with it.

    \b
    running    its process is there, or jobs of SLURM are
    waiting    its jobs wait in SLURM
    halted     its process was halted, by Ctrl-Z as a rule
    elsewhere  begun on another computer, whose processes cannot be seen from here
    stopped    at no end, and its process is gone: the command below goes on with it
    failed     it ended in an error, which is told
    unknown    what lies there cannot be read, or tells of no process
    finished   the record is whole

    Leaves with exit code 1 where a run, a scan of a batch or a batch was stopped, failed or is unknown.

    \b
    tomarium status
    tomarium status /data/20260001 --follow
    tomarium status records/tooth night_batch --json
    tomarium status --depth 1 --all
    tomarium status --follow && tomarium ingest night_batch/records/*
    """
    from tomarium import units
    from tomarium.beamtime.find_work import find_work
    from tomarium.errors import InputError, ParameterError

    every_s = units.parse(every, "s")
    if every_s <= 0:
        raise ParameterError(f"--every {every}: must be more than nothing; try --every 2s")
    places = list(folders) or [Path()]
    for place in places:
        if not place.is_dir():
            found_there = "is a file" if place.exists() else "is not there"
            raise InputError(f"{place}: {found_there}; give the folder of a record, or one that holds such")
    before: dict[Path, str] = {}
    while True:
        began = time.monotonic()
        found = find_work(places, depth)
        at_end = not follow or not any(state.is_live and state.kind != "watch" for state in found.work)
        if at_end:
            break
        if not as_json:
            _show_now(found, before, all_finished)
        try:
            time.sleep(_pause(found, every_s, time.monotonic() - began))
        except KeyboardInterrupt:
            click.echo("not followed any more; what runs goes on", err=True)
            return _code(found)
    if as_json:
        show.as_json(_data(found))
        return _code(found)
    if follow and sys.stdout.isatty():
        click.echo("\x1b[H\x1b[J", nl=False)
    for text, colour in _lines(found, all_finished):
        click.secho(text, fg=colour)
    if not found.work:
        click.echo(
            f"{', '.join(map(str, places))}: no run, batch or watch was found, {depth} folders deep; give the folder "
            f"that holds it, or look deeper with --depth"
        )
    show.warnings(f"cannot be looked into: {text}" for text in found.not_seen)
    return _code(found)


def _code(found: Found) -> int:
    bad = ("stopped", "failed", "unknown")
    return (
        1 if any(state.state in bad and state.kind in ("run", "batch", "scan") for state in found.work) else 0
    )


def _pause(found: Found, every_s: float, took_s: float) -> float:
    """Tell how long to wait, so that neither a disk nor SLURM is kept busy."""
    asks_slurm = any("of SLURM" in note for state in found.work for note in state.notes)
    return max(every_s, SHARE_OF_TIME * took_s, SLURM_EVERY_S if asks_slurm else 0.0)


def _show_now(found: Found, before: dict[Path, str], all_finished: bool) -> None:
    """Show how all stands: anew on a terminal, else a line for each state that has changed."""
    if sys.stdout.isatty():
        height = max(4, shutil.get_terminal_size().lines - 1)
        click.echo("\x1b[H\x1b[J", nl=False)
        for text, colour in _last_rows(_lines(found, all_finished), height):
            click.secho(text, fg=colour)
        return
    from tomarium.cli.status_lines import row, widths

    for state in found.work:
        if before.get(state.path) != state.state:
            before[state.path] = state.state
            if state.state != "finished" or len(before) > 1:
                text = row(state, _name(state), *widths([state], 120), time.time())
                click.echo(f"{time.strftime('%H:%M:%S')}  {text}")


def _last_rows(lines: list[tuple[str, str | None]], height: int) -> list[tuple[str, str | None]]:
    """Cut lines to those that the terminal holds, where a long command takes several rows."""
    width, rows, first = shutil.get_terminal_size().columns, 0, len(lines)
    while first and (rows := rows + max(1, -(-len(lines[first - 1][0]) // width))) <= height:
        first -= 1
    return lines[first:]


def _data(found: Found) -> dict[str, object]:
    from dataclasses import asdict

    work = [{**asdict(state), "path": str(state.path)} for state in found.work]
    return {"at": time.time(), "work": work, "not_seen": found.not_seen}


def _lines(found: Found, all_finished: bool) -> list[tuple[str, str | None]]:
    """Write what was found, with colours."""
    from tomarium.cli.status_lines import COLOURS, details, heading, headline, newest, row, widths

    width, folded = 120, sys.maxsize  # what another program reads is not folded
    if sys.stdout.isatty():
        width = folded = shutil.get_terminal_size().columns
    shown, left_out = newest(found.work, all_finished)
    if not shown:
        return []
    columns, now = widths(shown, width), time.time()
    lines: list[tuple[str, str | None]] = [(heading(*columns), None)]
    if left_out:
        lines.append((f"finished   {left_out} more, older; --all lists them", None))
    for state in shown:
        lines.append((row(state, _name(state), *columns, now), COLOURS.get(state.state)))
        lines += [(text, None) for text in details(state, folded)]
    lines.append((headline(found.work), None))
    return lines


def _name(state: WorkState) -> str:
    return show.short(str(state.path), 400)
