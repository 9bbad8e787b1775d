"""`tomarium restore`: a catalogue from its backup and the folders of its records."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("restore")
@click.argument("source", metavar="BACKUP.zip", type=click.Path(path_type=Path))
@click.option("--catalogue", type=PLACE, help="The new one; the user's own by default.")
@click.option(
    "--moved", multiple=True, metavar="OLD=NEW", help="A folder of records that lies elsewhere now."
)
@click.option("--checksums", is_flag=True, help="Compare every file of every record with its checksum.")
@click.option(
    "--check",
    "check",
    is_flag=True,
    help="Practise it: compare every file with its checksum, say how long it took, and keep nothing.",
)
@click.pass_context
def command(
    context: click.Context,
    source: Path,
    catalogue: Path | str | None,
    moved: tuple[str, ...],
    checksums: bool,
    check: bool,
) -> None:
    """Fill a new catalogue from BACKUP.zip and from the folders of its records.

    Leaves with exit code 1 where a record was not found or is not as it was. With --check, a catalogue that is thrown
    away is filled, wherever the one of the backup was kept: do that on another machine before you need it.

    \b
    tomarium restore catalogue-2026-11-28.zip --check --moved /old/records=/new/records
    tomarium restore catalogue-2026-11-28.zip --catalogue new.sqlite --moved /old/records=/new/records --checksums
    """
    from tomarium.catalogue.backup import restore
    from tomarium.catalogue.catalogue import open_catalogue

    places = {}
    for text in moved:
        old, equals, new = text.partition("=")
        if not equals or not new:
            raise click.UsageError(f"--moved {text!r}: give OLD=NEW, such as /old/records=/new/records")
        places[old] = new
    if check:
        if catalogue is not None:
            raise click.UsageError(
                "--check keeps nothing, so it takes no --catalogue; leave one of the two out"
            )
        context.exit(_practise(source, places))
    with open_catalogue(catalogue) as opened:
        restored = restore(opened, source, places, checksums=checksums)
    show.warnings(restored.problems)
    click.echo(f"{restored.rows} rows and {len(restored.records)} records are there again")
    context.exit(1 if restored.problems else 0)


def _practise(source: Path, places: dict[str, str]) -> int:
    from tomarium import units
    from tomarium.catalogue.backup import drill

    drilled = drill(source, places)
    show.warnings(drilled.restored.problems)
    click.echo(
        f"{drilled.restored.rows} rows and {len(drilled.restored.records)} records would be there again; "
        f"{units.show(drilled.bytes, 'B', digits=3)} compared with their checksums in {show.clock(drilled.seconds)}"
    )
    return 1 if drilled.restored.problems else 0
