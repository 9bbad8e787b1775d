"""`tomarium mail`: whether this catalogue can send mail, and what became of its mails."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

CATALOGUE = click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")


@click.group("mail")
def command() -> None:
    """Try the mail server of a catalogue, and list its mails.

    Mail is sent by `tomarium worker`, and only where a mail server is set; its password is told by the environment,
    TOMARIUM_SMTP_PASSWORD. Mails tell people of new records that a search they saved finds.

    \b
    tomarium settings smtp_host smtp.example.org
    tomarium settings smtp_user data
    tomarium settings mail_sender "Data portal <data@example.org>"
    tomarium settings address https://data.example.org
    tomarium mail test ada@example.org
    tomarium mail list
    """


@command.command("test")
@click.argument("address")
@CATALOGUE
@click.pass_context
def test(context: click.Context, address: str, catalogue: Path | str | None) -> None:
    """Send a mail to ADDRESS now, and say what the mail server answers.

    Leaves with exit code 1 where it did not take it.
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.mail_content import MailContent, message_of, read_address
    from tomarium.catalogue.settings import all_settings
    from tomarium.catalogue.smtp import smtp_of
    from tomarium.errors import InputError

    receiver = read_address(address)
    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        settings = all_settings(connection)
    smtp = smtp_of(settings)
    if smtp is None:
        raise InputError("no mail server is set; name one with: tomarium settings smtp_host smtp.example.org")
    text = f"{settings['name']} at {settings['address']} can send mail.\n"
    moment = int(datetime.now(UTC).timestamp())
    message = message_of(
        MailContent(f"{settings['name']}: a test", text), smtp.sender, receiver, f"test.{moment}.tomarium"
    )
    answer = smtp.send(message)
    if not answer.done:
        show.warnings([answer.told])
        context.exit(1)
    click.echo(f"{smtp.host}, port {smtp.port}: took a mail from {smtp.sender.addr_spec} to {receiver}")


@command.command("list")
@CATALOGUE
@click.option("--json", "as_json", is_flag=True, help="Print them for machines.")
def list_(catalogue: Path | str | None, as_json: bool) -> None:
    """List mails: those that failed, those that wait, and what became of the last others."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.mail_queue import open_mails

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        rows = open_mails(connection)
    if as_json:
        show.as_json([dict(row._mapping) for row in rows])
        return
    if not rows:
        click.echo("no mail was asked for in the last month")
        return
    show.table(
        [
            (str(row.number), row.kind, row.receiver, f"{row.state}, {row.tries} tries", row.error)
            for row in rows
        ]
    )
