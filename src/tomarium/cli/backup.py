"""`tomarium backup`: what lives in the database only, and the metadata of every record."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium import units
from tomarium.cli.catalogue_place import PLACE


@click.command("backup")
@click.argument("target", metavar="OUT.zip", type=click.Path(path_type=Path))
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
def command(target: Path, catalogue: Path | str | None) -> None:
    """Write accounts, drafts, DOIs, settings, the log and the metadata of every record to OUT.zip.

    The portal goes on meanwhile. The files of records are not in it: keep copies of their folders, by any program. It
    holds the hashes of passwords, so keep it to yourself. `tomarium restore` fills a new catalogue from it.

    \b
    tomarium backup /backups/catalogue-2026-11-28.zip
    """
    from tomarium.catalogue.backup import backup
    from tomarium.catalogue.catalogue import open_catalogue

    with open_catalogue(catalogue, make=False) as opened:
        rows = backup(opened, target)
    click.echo(f"{target}: {rows} rows, {units.show_bytes(target.stat().st_size)}")
