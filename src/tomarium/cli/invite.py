"""`tomarium invite`: links that open one record to reviewers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("invite")
@click.argument("record", metavar="RECORD")
@click.option(
    "--days", default=30.0, show_default=True, help="How long the link opens the record; at most 730."
)
@click.option("--list", "listed", is_flag=True, help="Only list the links that open it now.")
@click.option(
    "--revoke", default="", metavar="LINK", help="Let a link open nothing any more: its letters from --list."
)
@click.option("--revoke-all", is_flag=True, help="Let all links of the record open nothing any more.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
def command(
    record: str, days: float, listed: bool, revoke: str, revoke_all: bool, catalogue: Path | str | None
) -> None:
    """Make a link that opens RECORD, its metadata and its files, to whoever has it, and print it once.

    For reviewers of a paper whose data are not public yet: they need no account and are not asked who they are; who
    follows the link, and from where, is neither kept nor told. The address is that of `tomarium settings address`.

    \b
    tomarium invite tooth-1a2b3c4d --days 60
    tomarium invite tooth-1a2b3c4d --list
    tomarium invite tooth-1a2b3c4d --revoke 5f0c2ab7
    """
    if listed + bool(revoke) + revoke_all > 1:
        raise click.UsageError("give one of --list, --revoke and --revoke-all")
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.invitations import invitations_of, make_invitation, revoke_invitation
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.settings import all_settings

    with open_catalogue(catalogue, make=False) as opened:
        id = show.record_id(opened, record)
        if listed:
            with opened.reading() as connection:
                invitations = invitations_of(connection, LOCAL_OWNER, id)
            show.table(
                [
                    (invitation.digest[:12], invitation.made_by, f"until {_date(invitation.until_utc)}")
                    for invitation in invitations
                ]
            )
            return
        with opened.writing() as connection:
            if revoke or revoke_all:
                count = revoke_invitation(connection, LOCAL_OWNER, id, revoke)
                click.echo(f"{count} link{'s' if count > 1 else ''} of {id} revoked")
                return
            secret = make_invitation(connection, LOCAL_OWNER, id, days)
            address = all_settings(connection)["address"]
    if not address:
        show.warnings(
            [
                "the portal's address is not set; put it before the path, or: tomarium settings address https://…"
            ]
        )
    click.echo("keep it now, it cannot be shown again:", err=True)
    click.echo(f"{address}/review/{secret}")


def _date(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
