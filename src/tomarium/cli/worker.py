"""`tomarium worker`: what is done while nobody waits for it."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomarium.catalogue import Catalogue
    from tomarium.catalogue.work import Kind

LOOK_S: Final = 0.3
"""Seconds between two looks whether somebody asked for something."""


@click.command("worker")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option("--again", is_flag=True, help="Try what failed once more.")
@click.option("--dry-run", is_flag=True, help="Print what DataCite would be told, and change nothing.")
@click.option(
    "--every",
    default=30,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="Seconds between looks for mails, DOIs and what is to be cleared away; jobs are taken at once.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="KIND",
    help="Take only jobs of this kind, such as preview or reconstruct: no mails, no DOIs; may be given again.",
)
@click.option("--end-with-input", is_flag=True, hidden=True, help="End when the standard input is closed.")
@click.pass_context
def command(
    context: click.Context,
    catalogue: Path | str | None,
    once: bool,
    again: bool,
    dry_run: bool,
    every: int,
    only: tuple[str, ...],
    end_with_input: bool,
) -> None:
    """Do what is due in a catalogue: uploads, DOIs, mails, harvests, and what was asked for in the portal, as meshes.

    Several may run at once; what one was doing when it was killed, another goes on with. Two beside each other let
    people look at slices while a volume is made: one with --only preview, and one without. The account at DataCite is
    told by the environment, TOMARIUM_DATACITE_USER and TOMARIUM_DATACITE_PASSWORD; DOIs wait where there is none. What
    fails because DataCite cannot be reached is tried again after a minute, then after longer; what it refuses waits for
    a change of the record, or for --again. Mails are sent where a mail server is set (see `tomarium mail`), and are
    tried again like DOIs. With --once it leaves with exit code 1 where something was not done. Stop it
    with Ctrl-C.

    \b
    tomarium worker
    tomarium worker --only preview
    tomarium worker --once --dry-run
    """
    from tomarium.beamtime.work_jobs import work_kinds
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.dois import due_attributes, try_again
    from tomarium.catalogue.mail_queue import retry_mails
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.work import KINDS
    from tomarium.catalogue.workers import heard
    from tomarium.portal.harvest_jobs import harvest_kinds

    if end_with_input:
        catalogue = PLACE.convert(sys.stdin.buffer.readline().decode().strip(), None, context)
        _end_with_input()
    kinds = {**KINDS, **work_kinds(), **harvest_kinds()}
    unknown = sorted(set(only) - kinds.keys())
    if unknown:
        raise click.UsageError(
            f"--only {unknown[0]!r}: there are jobs of the kinds {', '.join(sorted(kinds))}"
        )
    with open_catalogue(catalogue, make=False) as opened:
        if dry_run:
            show.as_json(due_attributes(opened))
            return
        if again:
            with opened.writing() as connection:
                try_again(connection)
                retry_mails(connection, LOCAL_OWNER)
        with heard(opened.home, only):
            is_done = _do_due(opened, kinds, only, math.inf if once else every)
            while not once:
                _jobs_until(time.monotonic() + every, opened, kinds, only)
                _do_due(opened, kinds, only, every)
        context.exit(0 if is_done else 1)


def _do_due(opened: Catalogue, kinds: Mapping[str, Kind], only: tuple[str, ...], seconds: float) -> bool:
    """Do all that is due, beginning no job after some seconds: mails and DOIs do not wait for hundreds of them.

    Whoever has all the time there is does it once; else a database that does not answer is waited for.
    """
    from tomarium.beamtime.work_jobs import clear_work
    from tomarium.catalogue.work import do_jobs, work_once
    from tomarium.errors import DatabaseUnavailable
    from tomarium.portal.harvest_jobs import ask_for_due

    try:
        ask_for_due(opened)
        until = time.monotonic() + seconds
        is_well = (
            do_jobs(opened, click.echo, kinds, only, until)
            if only
            else work_once(opened, click.echo, kinds, until)
        )
        clear_work(opened)
    except DatabaseUnavailable as problem:
        if seconds == math.inf:
            raise
        show.warnings([str(problem)])
        return False
    return is_well


def _jobs_until(end: float, opened: Catalogue, kinds: Mapping[str, Kind], only: tuple[str, ...]) -> None:
    """Take jobs as soon as somebody asks for them, until a moment."""
    from tomarium.catalogue.jobs import is_any_due
    from tomarium.catalogue.work import do_jobs
    from tomarium.errors import DatabaseUnavailable

    while (seconds_left := end - time.monotonic()) > 0:
        try:
            if is_any_due(opened, only):
                do_jobs(opened, click.echo, kinds, only, end)
                continue
        except DatabaseUnavailable as problem:
            show.warnings([str(problem)])
            time.sleep(max(0.0, min(seconds_left, 5.0)))
        time.sleep(min(seconds_left, LOOK_S))


def _end_with_input() -> None:
    """End this process when the standard input is closed, as it is when the program that started it ends.

    Its first line, which was read before, tells the catalogue.
    """
    import os
    import signal
    import threading

    def wait() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, name="end with input", daemon=True).start()
