"""`tomarium ingest`: file records in the catalogue."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show


@click.command("ingest")
@click.argument("folders", metavar="DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default.")
@click.option(
    "--checksums/--no-checksums",
    default=True,
    help="Whether to read every file and compare it with its checksum, or names only.",
)
@click.pass_context
def command(
    context: click.Context, folders: tuple[Path, ...], catalogue: Path | None, checksums: bool
) -> None:
    """File the records in the folders DIR in the catalogue; filing one again brings it up to date.

    A record with a file that is missing or was changed, or with a link in it, is refused and named; the others are
    filed, and it leaves with exit code 2.

    \b
    tomarium ingest records/tooth
    tomarium ingest records/*
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.ingest import ingest
    from tomarium.errors import InputError

    problems: list[str] = []
    with open_catalogue(catalogue) as opened:
        for folder in folders:
            try:
                record = ingest(opened, folder, checksums=checksums)
            except InputError as problem:
                if len(folders) == 1:
                    raise
                problems.append(str(problem))
                continue
            click.echo(f"{record.id}: {record.title}")
    show.warnings(problems)
    context.exit(2 if problems else 0)
