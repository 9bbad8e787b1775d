"""`tomarium publish`: from draft to citable open data."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.model import Record


@click.command("publish")
@click.argument("record", metavar="RECORD")
@click.option(
    "--embargo",
    default="",
    metavar="SPAN|DAY",
    help="How long its files stay closed: 3 years, 6 months, 2027-06-01, or 0; by default the catalogue's setting.",
)
@click.option(
    "--new-version-of", default="", metavar="RECORD", help="The published record whose next version it is."
)
@click.option("--doi/--no-doi", default=True, help="Whether it gets a DOI, where the catalogue has a prefix.")
@click.option("--check", is_flag=True, help="Only say what is missing.")
@click.option("--submit", is_flag=True, help="Hand it to the curators instead.")
@click.option(
    "--send-back", default="", metavar="TEXT", help="Give it back to its owner, with what is to be changed."
)
@click.option("--open-now", is_flag=True, help="End its embargo now.")
@click.option("--withdraw", default="", metavar="REASON", help="Withdraw it: its page stays and says why.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.pass_context
def command(
    context: click.Context,
    record: str,
    embargo: str,
    new_version_of: str,
    doi: bool,
    check: bool,
    submit: bool,
    send_back: str,
    open_now: bool,
    withdraw: str,
    catalogue: Path | str | None,
) -> None:
    """Publish RECORD: the identifier of a record in the catalogue, or its folder.

    What it must have (a licence, creators, no private fields, no errors of the doctor) is checked before. From then on
    its page is public; its files open when the embargo ends, without anything having to run. A DOI is given where the
    catalogue has a prefix (`tomarium settings doi_prefix 10.1234`) and is registered by `tomarium worker`.

    Leaves with exit code 2 where it cannot be published yet, and with 1 where it was published before and --embargo or
    --new-version-of changed nothing.

    \b
    tomarium publish tooth-1a2b3c4d --check
    tomarium publish tooth-1a2b3c4d --embargo 0
    tomarium publish tooth-99887766 --new-version-of tooth-1a2b3c4d
    tomarium publish tooth-1a2b3c4d --withdraw "the wrong specimen"
    """
    actions = [check, submit, bool(send_back), open_now, bool(withdraw)]
    if sum(actions) > 1:
        raise click.UsageError("give one of --check, --submit, --send-back, --open-now and --withdraw")
    from tomarium.catalogue import life
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        id = show.record_id(opened, record)
        request = life.Request(embargo, show.record_id(opened, new_version_of) if new_version_of else "", doi)
        if check:
            checks = life.checks_of(opened, LOCAL_OWNER, id)
            for publication_check in checks:
                mark, colour = (
                    ("✓", "green")
                    if not publication_check.problem
                    else ("✗", "red")
                    if publication_check.refuses
                    else ("!", "yellow")
                )
                click.secho(f"  {mark} {publication_check.name}", fg=colour, nl=False)
                click.echo(
                    f": {publication_check.problem}{f'; {publication_check.mend}' if publication_check.mend else ''}"
                    if publication_check.problem
                    else ""
                )
            context.exit(2 if any(check.problem and check.refuses for check in checks) else 0)
        if submit:
            life.submit(opened, LOCAL_OWNER, id)
            click.echo(f"{id}: is in review now")
        elif send_back:
            life.send_back(opened, LOCAL_OWNER, id, send_back)
            click.echo(f"{id}: is a draft again")
        elif open_now:
            _print_address(life.open_files(opened, LOCAL_OWNER, id))
        elif withdraw:
            _print_address(life.withdraw(opened, LOCAL_OWNER, id, withdraw))
        else:
            published = show.record(opened, id).publication
            _print_address(life.publish(opened, LOCAL_OWNER, id, request))
            if published and (embargo or new_version_of):
                show.warnings(
                    [
                        f"{id}: was published before, so --embargo and --new-version-of change nothing; what is "
                        f"left to do is --open-now or --withdraw"
                    ]
                )
                context.exit(1)


def _print_address(record: Record) -> None:
    from tomarium.catalogue.record_patches import is_due

    publication = record.publication
    assert publication is not None
    click.secho(f"{record.id}: {record.title}", bold=True)
    opens = publication.open_from
    rows = [
        ("published", f"{publication.published:%Y-%m-%d}, version {publication.version}"),
        (
            "files",
            f"open since {opens:%Y-%m-%d}"
            if opens <= datetime.now(UTC)
            else f"open on {opens:%Y-%m-%d}; now by `tomarium publish {record.id} --open-now`",
        ),
        ("doi", f"{publication.doi}, registered by `tomarium worker`" if publication.doi else "none"),
    ]
    if is_due(record):
        rows.append(("learning", "patches of its volume are written by `tomarium worker`"))
    if publication.withdrawn:
        rows[1] = ("files", f"withdrawn on {publication.withdrawn:%Y-%m-%d}: {publication.reason}")
    show.table(rows)
