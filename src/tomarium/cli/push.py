"""`tomarium push`: send a record, or files, to a portal."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tomarium.cli import show

TOKEN = "TOMARIUM_TOKEN"


@click.command("push")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.argument("address", metavar="ADDRESS")
@click.option("--title", default="", help="Title of the record it becomes, where PATH is none yet.")
@click.option(
    "--team", default="", help="A team of yours whose the record is to be too; its quota counts it."
)
@click.option(
    "--chunk", default="64MB", show_default=True, help="Bytes that are sent and confirmed at a time."
)
@click.option(
    "--wait/--no-wait", default=True, help="Whether to wait until a worker there has made the record."
)
def command(path: Path, address: str, title: str, team: str, chunk: str, wait: bool) -> None:
    """Send PATH to the portal at ADDRESS, where it becomes a draft of yours: a record's folder, a file, or a folder.

    It goes on where it was when it is stopped and started again, and each file is compared with its checksum there. The
    token of your account is told by the environment, TOMARIUM_TOKEN.

    \b
    tomarium push records/tooth https://data.example.org
    tomarium push scan.h5 https://data.example.org --title "Molar of a bear" --team bones
    """
    from tomarium import units
    from tomarium.portal.push import push

    message = push(
        path,
        address,
        token=os.environ.get(TOKEN, ""),
        title=title,
        team=team,
        chunk=int(units.parse(chunk, "B")),
        wait=wait,
        tell=show.progress(),
    )
    click.echo(message)
