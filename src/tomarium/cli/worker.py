"""`tomarium worker`: what is done while nobody waits for it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("worker")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option("--again", is_flag=True, help="Try what failed once more.")
@click.option("--dry-run", is_flag=True, help="Print what DataCite would be told, and change nothing.")
@click.option(
    "--every", default=30, show_default=True, type=click.IntRange(1, 3600), help="Seconds between looks."
)
@click.pass_context
def command(
    context: click.Context, catalogue: Path | str | None, once: bool, again: bool, dry_run: bool, every: int
) -> None:
    """Do what is due in a catalogue: make records of uploads, meshes and prints, register DOIs. Stop it with Ctrl-C.

    Several may run at once; what one was doing when it was killed, another does again. The account at DataCite is told
    by the environment, TOMARIUM_DATACITE_USER and TOMARIUM_DATACITE_PASSWORD; DOIs wait where there is none. What fails
    because DataCite cannot be reached is tried again after a minute, then after longer; what it refuses waits for a
    change of the record, or for --again. With --once it leaves with exit code 1 where something was not done.

    \b
    tomarium worker
    tomarium worker --once --dry-run
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.dois import due_attributes, try_again
    from tomarium.catalogue.work import work_once
    from tomarium.errors import DatabaseUnavailable

    with open_catalogue(catalogue, make=False) as opened:
        if dry_run:
            show.as_json(due_attributes(opened))
            return
        if again:
            with opened.writing() as connection:
                try_again(connection)
        while True:
            try:
                done = work_once(opened, click.echo)
            except DatabaseUnavailable as problem:
                if once:
                    raise
                show.warnings([str(problem)])
            if once:
                context.exit(0 if done else 1)
            time.sleep(every)
