"""`tomarium log`: the log book of a record or a proposal."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show


@click.command("log")
@click.argument("subject", metavar="RECORD")
@click.argument("text", required=False)
@click.option("--proposal", is_flag=True, help="RECORD is the identifier of a proposal.")
@click.option("--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default.")
def command(subject: str, text: str | None, proposal: bool, catalogue: Path | None) -> None:
    """Write TEXT into the log book of RECORD, or show it. On a portal: POST text to /records/RECORD/log.

    \b
    tomarium log tooth-1a2b3c4d "Beam lost at 14:20, scan repeated"
    tomarium log tooth-1a2b3c4d
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.log_book import entries_of, write_entry
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        if proposal:
            with opened.reading() as connection:
                id = demand_entity(connection, LOCAL_OWNER, subject).entity.id
        else:
            id = show.record_id(opened, subject)
        about = f"{'proposals' if proposal else 'records'}/{id}"
        if text is not None:
            write_entry(opened, LOCAL_OWNER, about, text)
        with opened.reading() as connection:
            entries = entries_of(connection, about)
    for one in entries:
        click.secho(f"{one.when} {one.who}{' (a program)' if one.machine else ''}", bold=True)
        click.echo(one.text)
