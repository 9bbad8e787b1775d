"""`tomarium store`: where the files of records lie, a folder or S3."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium import units
from tomarium.cli import show

CATALOGUE = click.option(
    "--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default."
)


@click.group("store")
def command() -> None:
    """Keep the files of published records in a folder or in an S3 store, and move them between the two.

    An S3 store is an address s3://BUCKET/PREFIX. Its endpoint and keys come from the environment: AWS_ENDPOINT_URL,
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION. They are kept nowhere, so the portal needs them too.

    \b
    export AWS_ENDPOINT_URL=https://s3.example.org
    tomarium store add s3://tomograms/records
    tomarium store move tooth s3://tomograms/records
    """


@command.command("add")
@click.argument("address", metavar="ADDRESS", type=click.Path(path_type=Path))
@CATALOGUE
def add(address: Path, catalogue: Path | None) -> None:
    """Enter the store at ADDRESS, after a small object was put there, read and deleted.

    \b
    tomarium store add s3://tomograms/records
    tomarium store add /data/more_records
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.move import add_store
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue) as opened:
        add_store(opened, LOCAL_OWNER, address)
    click.echo(
        f"{address}: can be written and read; move a record there with: tomarium store move RECORD {address}"
    )


@command.command("list")
@CATALOGUE
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def list_all(catalogue: Path | None, as_json: bool) -> None:
    """List the stores, with how many records lie in each.

    \b
    tomarium store list
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.move import list_stores

    with open_catalogue(catalogue, make=False) as opened:
        store_rows = list_stores(opened)
    if as_json:
        show.as_json([vars(store_row) for store_row in store_rows])
        return
    for store_row in store_rows:
        click.echo(
            f"{store_row.address}  {store_row.records} records, {units.show(store_row.bytes, 'B', digits=3)}"
        )


@command.command("move")
@click.argument("record", metavar="RECORD")
@click.argument("store", metavar="STORE", type=click.Path(path_type=Path))
@click.option(
    "--remove", is_flag=True, help="Remove the old copy when the new one is whole and in the index."
)
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and do nothing.")
@CATALOGUE
def move_one(record: str, store: Path, remove: bool, dry_run: bool, catalogue: Path | None) -> None:
    """Move the published RECORD into the STORE.

    Each file is copied, read back and compared with its checksum; the crate comes last, then the index is switched.
    Readers find the old copy until then. Where it is stopped, the same command goes on. The old copy stays unless
    --remove is given, now or in the same command later.

    \b
    tomarium store move tooth s3://tomograms/records --dry-run
    tomarium store move tooth s3://tomograms/records --remove
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.move import move
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        id = show.record_id(opened, record)
        moved = move(opened, LOCAL_OWNER, id, store, remove=remove, dry_run=dry_run)
    size = f"{moved.files} files, {units.show(moved.bytes, 'B', digits=3)}"
    if dry_run:
        click.echo(f"{moved.source}: would be copied to {moved.target} ({size})")
        return
    old = "was removed" if moved.removed else "is still there" if moved.source.is_dir() else "is gone"
    click.echo(f"{moved.target}: holds {id} ({size}, {moved.copied} copied now); {moved.source} {old}")


@command.command("check")
@click.argument("record", metavar="RECORD")
@CATALOGUE
@click.pass_context
def check(context: click.Context, record: str, catalogue: Path | None) -> None:
    """Read every file of RECORD where it lies, and compare it with its checksum.

    Leaves with exit code 1 where a file is missing, was changed or is not listed.

    \b
    tomarium store check tooth
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.move import check_in_store

    with open_catalogue(catalogue, make=False) as opened:
        id = show.record_id(opened, record)
        mismatches = check_in_store(opened, id)
    for mismatch in mismatches:
        click.echo(f"{id}: {mismatch.path} is {mismatch.problem}")
    if not mismatches:
        click.echo(f"{id}: every file is as it was filed")
    context.exit(1 if mismatches else 0)
