"""`tomarium token`: secrets by which programs use the portal."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

CATALOGUE = click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")


@click.group("token")
def command() -> None:
    """Make and revoke API tokens, by which programs use the portal for an account.

    A token may at most what its account may, and of that only its scopes: read, write, upload, review, admin. It is
    shown once and cannot be read again. Send it as the header `Authorization: Bearer tom_…`.

    \b
    tomarium token make ben "beamline upload" --scope upload
    tomarium token list
    """


@command.command("make")
@click.argument("account")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="What may be done; may be repeated. [default: read]")
@click.option("--days", default=365.0, show_default=True, help="How long it opens anything.")
@CATALOGUE
def make(account: str, name: str, scopes: tuple[str, ...], days: float, catalogue: Path | str | None) -> None:
    """Make a token of ACCOUNT, and print it once; NAME says what it is for.

    \b
    tomarium token make ben "beamline upload" --scope upload --days 30
    tomarium token make ada notebook --scope read --scope write
    TOKEN=$(tomarium token make ben mirror)
    curl -H "Authorization: Bearer $TOKEN" https://data.example.org/records.json
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.tokens import make_token

    with open_catalogue(catalogue, make=False) as opened, opened.writing() as connection:
        secret = make_token(connection, LOCAL_OWNER, account, name, scopes or ("read",), days)
    click.echo("keep it now, it cannot be shown again:", err=True)
    click.echo(secret)


@command.command("list")
@click.argument("account", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="Print them for machines.")
@CATALOGUE
def list_tokens(account: str, as_json: bool, catalogue: Path | str | None) -> None:
    """List the tokens of ACCOUNT, or of all.

    \b
    tomarium token list
    tomarium token list ben
    """
    from tomarium.catalogue.accounts import account_named
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.tokens import tokens_of

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        if account:
            account_named(connection, account)
        tokens = tokens_of(connection, account)
    if as_json:
        show.as_json([asdict(token) for token in tokens])
    elif not tokens:
        click.echo("no tokens; make one with: tomarium token make ACCOUNT NAME")
    else:
        show.table(
            [
                (token.account, token.name, " ".join(token.scopes), _validity_text(token.until_utc))
                for token in tokens
            ]
        )


@command.command("revoke")
@click.argument("account")
@click.argument("name")
@CATALOGUE
def revoke(account: str, name: str, catalogue: Path | str | None) -> None:
    """Revoke the token NAME of ACCOUNT; it opens nothing from now on.

    \b
    tomarium token revoke ben "beamline upload"
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.tokens import revoke_token

    with open_catalogue(catalogue, make=False) as opened, opened.writing() as connection:
        revoke_token(connection, LOCAL_OWNER, account, name)
    click.echo(f"the token {name!r} of {account} is revoked")


def _validity_text(moment: float) -> str:
    day = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
    return f"until {day}" if moment > time.time() else f"ended {day}"
