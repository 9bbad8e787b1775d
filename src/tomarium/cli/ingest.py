"""`tomarium ingest`: file records in the catalogue."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("ingest")
@click.argument("folders", metavar="DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default.")
def command(folders: tuple[Path, ...], catalogue: Path | None) -> None:
    """File the records in the folders DIR in the catalogue; filing one again brings it up to date.

    \b
    tomarium ingest records/tooth
    tomarium ingest records/*
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.ingest import ingest

    with open_catalogue(catalogue) as opened:
        for folder in folders:
            record = ingest(opened, folder)
            click.echo(f"{record.id}: {record.title}")
