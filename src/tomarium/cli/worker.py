"""`tomarium worker`: what is done while nobody waits for it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tomarium.cli import show


@click.command("worker")
@click.option("--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default.")
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option("--again", is_flag=True, help="Try what failed once more.")
@click.option("--dry-run", is_flag=True, help="Print what DataCite would be told, and change nothing.")
@click.option(
    "--every", default=30, show_default=True, type=click.IntRange(1, 3600), help="Seconds between looks."
)
@click.pass_context
def command(
    context: click.Context, catalogue: Path | None, once: bool, again: bool, dry_run: bool, every: int
) -> None:
    """Do what is due in a catalogue: register DOIs with DataCite. Stop it with Ctrl-C; several may run at once.

    The account is told by the environment, TOMARIUM_DATACITE_USER and TOMARIUM_DATACITE_PASSWORD. What fails because
    DataCite cannot be reached is tried again after a minute, then after longer; what it refuses is shown and waits for
    a change of the record, or for --again. With --once it leaves with exit code 1 where something was not done.

    \b
    tomarium worker
    tomarium worker --once --dry-run
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.datacite_client import service
    from tomarium.catalogue.dois import due_attributes, tell_due, try_again
    from tomarium.catalogue.settings import all_settings

    with open_catalogue(catalogue, make=False) as opened:
        if dry_run:
            show.as_json(due_attributes(opened))
            return
        if again:
            with opened.writing() as connection:
                try_again(connection)
        with opened.reading() as connection:
            place = all_settings(connection)["datacite"]
        datacite = service(place)
        while True:
            told = tell_due(opened, datacite)
            for one in told:
                click.echo(f"{one.doi}: {one.state}{f' ({one.error})' if one.error else ''}")
            if once:
                context.exit(1 if any(one.state != "findable" for one in told) else 0)
            time.sleep(every)
