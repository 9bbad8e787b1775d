"""`tomarium fixity`: the rolling audit of all files, and its alarms."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("fixity")
@click.option("--check", "checked", metavar="RECORD", help="Read all files of this record now.")
@click.option("--clear", "cleared", metavar="NUMBER", type=int, help="Clear the alarm of this number.")
@click.option("--because", metavar="TEXT", default="", help="With --clear: what was done; the log keeps it.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.pass_context
def command(
    context: click.Context,
    checked: str | None,
    cleared: int | None,
    because: str,
    as_json: bool,
    catalogue: Path | str | None,
) -> None:
    """Tell how far the rolling audit of all files is, and list the alarms that nobody has cleared.

    Workers read every file of every record once in 30 days (`tomarium settings fixity_days`) and compare it with its
    checksum: each day an equal share, what was read longest ago first. After a pause they read twice the share until
    they have caught up. A file that is missing or changed raises an alarm, on the record's page, on /admin/alarms, in
    the feed /admin/alarms.atom, and by mail to administrators where a mail server is set.

    Leaves with exit code 1 where there is an alarm.

    \b
    tomarium fixity
    tomarium fixity --check tooth
    tomarium fixity --clear 3 --because "copied back from tape"
    """
    from tomarium.catalogue.alarms import all_alarms, clear_alarm
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.fixity import audit_state, check_record
    from tomarium.catalogue.reader import LOCAL_OWNER

    if (cleared is None) != (not because):
        raise click.UsageError("--clear and --because go together: say which alarm, and what was done")
    with open_catalogue(catalogue, make=False) as opened:
        if checked is not None and check_record(opened, show.record_id(opened, checked)) is None:
            show.warnings([f"{checked}: is being written just now, and was not compared; do it again later"])
        if cleared is not None:
            with opened.writing() as connection:
                clear_alarm(connection, LOCAL_OWNER, cleared, because)
        with opened.reading() as connection:
            state, alarms = audit_state(connection), all_alarms(connection, open_only=True)
    if as_json:
        show.as_json({"audit": vars(state), "alarms": [vars(alarm) for alarm in alarms]})
    else:
        for alarm in alarms:
            click.secho(f"  ✗ {alarm.number}", fg="red", nl=False)
            click.echo(
                f"  {alarm.record}  {alarm.path or 'all of it'} is {alarm.problem}, found {_date(alarm.raised_utc)}"
            )
        pace = f"all within {state.days} days" if state.days else "never, for the setting fixity_days is 0"
        click.echo(
            f"{len(alarms)} alarms; {state.records - state.never} of {state.records} records were read, "
            f"{state.last_day} in the last 24 hours ({pace})"
        )
    context.exit(1 if alarms else 0)


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
