"""`tomarium user`: who may sign in to the portal."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

CATALOGUE = click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
STDIN = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)


@click.group("user")
def command() -> None:
    """Look after the accounts of a catalogue: who may sign in to its portal, and what they may do there.

    A visitor sees what is published and what a team of theirs works on; a member also files records; an editor also
    writes the pages of text, news and events; an instrument scientist also edits the drafts of their instruments; a
    curator sees every draft, checks and publishes; an administrator may do everything. Without any account `tomarium
    serve` takes who sits at this machine for the owner; the first account, an administrator's, ends that.

    \b
    tomarium user add ada --role administrator
    tomarium user add ben --team hip-ct
    tomarium user list
    """


@command.command("add")
@click.argument("name")
@click.option(
    "--role",
    default="member",
    show_default=True,
    help="visitor, member, editor, instrument scientist, curator …",
)
@click.option("--team", "join", multiple=True, help="A group whose drafts they see; may be repeated.")
@click.option("--orcid", default="", help="Their ORCID iD, by which they may sign in through orcid.org.")
@click.option(
    "--subject",
    default="",
    metavar="'ISSUER SUB'",
    help="How an identity provider knows them.",
)
@click.option("--no-password", is_flag=True, help="They sign in through an identity provider only.")
@STDIN
@CATALOGUE
def add(
    name: str,
    role: str,
    join: tuple[str, ...],
    orcid: str,
    subject: str,
    no_password: bool,
    password_stdin: bool,
    catalogue: Path | str | None,
) -> None:
    """Make the account NAME; its password is asked for, and has 12 characters or more.

    \b
    tomarium user add ada --role administrator
    tomarium user add ben --role curator --team hip-ct
    tomarium user add jos --orcid 0000-0002-1825-0097 --no-password
    pass show tomarium/cas | tomarium user add cas --password-stdin
    """
    if no_password and password_stdin:
        raise click.UsageError("--no-password and --password-stdin were both given; give one")
    from tomarium.catalogue.accounts import change_teams, demand_known_role, make_account
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER

    demand_known_role(role)
    password = "" if no_password else _password(name, password_stdin)
    with open_catalogue(catalogue, make=catalogue is None) as opened, opened.writing() as connection:
        account = make_account(
            connection, LOCAL_OWNER, name, role, password=password, subject=subject, orcid=orcid
        )
        change_teams(connection, LOCAL_OWNER, name, join=join)
    click.echo(f"{account.name} may sign in as {account.role}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print them for machines.")
@CATALOGUE
def list_accounts(as_json: bool, catalogue: Path | str | None) -> None:
    """List the accounts, their roles and teams.

    \b
    tomarium user list
    """
    from tomarium.catalogue.accounts import all_accounts
    from tomarium.catalogue.catalogue import open_catalogue

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        accounts = all_accounts(connection)
    if as_json:
        show.as_json([asdict(account) for account in accounts])
    elif not accounts:
        click.echo("no accounts; make the first with: tomarium user add NAME --role administrator")
    else:
        show.table(
            [
                (account.name, account.role, ", ".join(account.teams), _sign_in_text(account))
                for account in accounts
            ]
        )


@command.command("role")
@click.argument("name")
@click.argument("role")
@CATALOGUE
def change_role(name: str, role: str, catalogue: Path | str | None) -> None:
    """Give the account NAME another ROLE; it holds from the next request on.

    \b
    tomarium user role ben curator
    tomarium user role cas "instrument scientist"
    """
    from tomarium.catalogue import accounts
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened, opened.writing() as connection:
        accounts.change_role(connection, LOCAL_OWNER, name, role)
    click.echo(f"{name} is {role} now")


@command.command("team")
@click.argument("name")
@click.option("--join", multiple=True, metavar="TEAM", help="A group to join; may be repeated.")
@click.option("--leave", multiple=True, metavar="TEAM", help="A group to leave; may be repeated.")
@CATALOGUE
def change_teams(
    name: str, join: tuple[str, ...], leave: tuple[str, ...], catalogue: Path | str | None
) -> None:
    """Let the account NAME join or leave groups, whose members see each other's drafts.

    A group is there as long as somebody is in it.

    \b
    tomarium user team ben --join hip-ct
    tomarium user team ben --leave bones
    """
    from tomarium.catalogue import accounts
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened, opened.writing() as connection:
        now = accounts.change_teams(connection, LOCAL_OWNER, name, join=join, leave=leave)
    click.echo(f"{name} is in {', '.join(now) or 'no team'}")


@command.command("instrument")
@click.argument("name")
@click.option("--assign", multiple=True, metavar="INSTRUMENT", help="One to assign; may be repeated.")
@click.option("--release", multiple=True, metavar="INSTRUMENT", help="One to take away; may be repeated.")
@CATALOGUE
def assign_instruments(
    name: str, assign: tuple[str, ...], release: tuple[str, ...], catalogue: Path | None
) -> None:
    """Assign instruments to the account NAME, named exactly as records tell them.

    As an instrument scientist NAME sees and edits the drafts of these instruments, remarks on them and hands them to
    the curators; and publishes them where `tomarium settings scientists_publish yes` allows it.

    \b
    tomarium user role sam "instrument scientist"
    tomarium user instrument sam --assign BM05 --assign ID19
    tomarium user instrument sam --release ID19
    """
    from tomarium.catalogue.accounts import account_named
    from tomarium.catalogue.assigned_instruments import change_instruments
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened, opened.writing() as connection:
        now = change_instruments(connection, LOCAL_OWNER, name, assign=assign, release=release)
        role = account_named(connection, name).role
    hint = (
        ""
        if role == "instrument scientist"
        else f'; they count in the role "instrument scientist", not as {role}'
    )
    click.echo(f"{name} keeps {', '.join(now) or 'no instrument'}{hint}")


@command.command("password")
@click.argument("name")
@STDIN
@CATALOGUE
def change_password(name: str, password_stdin: bool, catalogue: Path | str | None) -> None:
    """Give the account NAME another password, which is asked for; its sessions end, its tokens stay.

    \b
    tomarium user password ben
    """
    from tomarium.catalogue import accounts
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        with opened.reading() as connection:
            accounts.account_named(connection, name)  # before a password is asked for in vain
        password = _password(name, password_stdin)
        with opened.writing() as connection:
            accounts.change_password(connection, LOCAL_OWNER, name, password)
    click.echo(f"{name} has another password, and signs in anew everywhere")


@command.command("second-factor")
@click.argument("name", required=False)
@click.option("--off", is_flag=True, help="Switch it off, where the app and the recovery codes are lost.")
@click.option(
    "--new-key", is_flag=True, help="Seal the secrets of all accounts with a new key, without NAME."
)
@CATALOGUE
def second_factor(name: str | None, off: bool, new_key: bool, catalogue: Path | str | None) -> None:
    """Tell whether signing in to the account NAME asks for a code of an app, or switch that off.

    Its holder switches it on, on the page of the account. --off lets in who runs the machine and is locked out; the log
    keeps that it was done. Of whom it is demanded says `tomarium settings second_factor`.

    Secrets stand sealed in the database, by the key secrets.key in the folder of the catalogue, which is in no backup:
    keep a copy elsewhere. --new-key makes another one, where somebody may have read it; apps stay as they are.

    \b
    tomarium user second-factor ada
    tomarium user second-factor ada --off
    tomarium user second-factor --new-key
    """
    from tomarium.catalogue.accounts import account_named
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.second_factor import demand_key, end_factor, factor_of, seal_anew

    if (name is None) != new_key or (off and new_key):
        raise click.UsageError("give the NAME of an account, or --new-key alone")
    with open_catalogue(catalogue, make=False) as opened:
        if name is None:
            count = seal_anew(opened, LOCAL_OWNER)
            click.echo(f"sealed anew: {count} {'secret' if count == 1 else 'secrets'} of second factors")
            return
        with opened.writing() as connection:
            account_named(connection, name)
            if off:
                end_factor(connection, LOCAL_OWNER, name)
            factor = factor_of(connection, name)
            if factor.on:
                demand_key(connection, opened.home)
    state = f"on, with {factor.codes} recovery codes left" if factor.on else "off"
    click.echo(f"the second factor of {name} is {state}")


@command.command("close")
@click.argument("name")
@click.option("--reopen", is_flag=True, help="Open a closed account again; its tokens are gone.")
@CATALOGUE
def close(name: str, reopen: bool, catalogue: Path | str | None) -> None:
    """Close the account NAME: nobody signs in to it, its sessions and tokens end; its records stay.

    \b
    tomarium user close ben
    tomarium user close ben --reopen
    """
    from tomarium.catalogue import accounts
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER

    change = accounts.reopen_account if reopen else accounts.close_account
    with open_catalogue(catalogue, make=False) as opened, opened.writing() as connection:
        change(connection, LOCAL_OWNER, name)
    click.echo(f"{name} is {'open again' if reopen else 'closed'}")


def _password(name: str, stdin: bool) -> str:
    from tomarium.catalogue.passwords import demand_good

    if stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    demand_good(password, name)
    return password


def _sign_in_text(account: object) -> str:
    from tomarium.catalogue.accounts import Account

    assert isinstance(account, Account)
    if account.closed:
        return "closed"
    means = ["password"] * account.has_password + ["identity provider"] * bool(
        account.subject or account.orcid
    )
    since = datetime.fromtimestamp(account.made_utc, UTC)
    return f"{' and '.join(means) or 'cannot sign in yet'}, since {since:%Y-%m-%d}"
