"""`tomarium dump`: the published records of a catalogue as one table."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium import units
from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE
from tomarium.errors import InputError


@click.command("dump")
@click.argument("target", metavar="OUT.parquet", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--open-only", is_flag=True, help="Only records whose files are open now.")
@click.option(
    "--address",
    default="",
    metavar="URL",
    help="Of the portal, for addresses of records; that of the settings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written for machines.")
@click.pass_context
def command(
    context: click.Context,
    target: Path,
    catalogue: Path | str | None,
    open_only: bool,
    address: str,
    as_json: bool,
) -> None:
    """Write every published record of the catalogue as a row of the table OUT.parquet.

    DuckDB, polars, pandas and others open it. It tells what anybody may know: nothing of drafts; of records under
    embargo their metadata, with the moment from which their files are open. Columns and their units stand in the file.
    A file that is there is replaced once the new one is whole. Portals give the same at /catalogue.parquet.

    Leaves with exit code 1 where a record could not be read; the others are written.

    \b
    tomarium dump catalogue.parquet
    tomarium dump open.parquet --open-only --address https://data.example.org
    """
    if target.suffix.lower() not in (".parquet", ".pq"):
        raise InputError(
            f"{target}: the table is written as Parquet alone; give it a name that ends in .parquet, and read it with "
            "DuckDB, polars or pandas, which write CSV"
        )
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.dump import dump
    from tomarium.catalogue.reader import ANYBODY, OPEN_ONLY

    with open_catalogue(catalogue, make=False) as opened:
        dumped = dump(
            opened,
            target,
            reader=OPEN_ONLY if open_only else ANYBODY,
            address=address,
            tell=show.progress(),
        )
    show.warnings(dumped.problems)
    if as_json:
        show.as_json(vars(dumped))
    else:
        click.echo(f"{target}: {dumped.records} published records, {units.show_bytes(dumped.bytes)}")
    context.exit(1 if dumped.problems else 0)
