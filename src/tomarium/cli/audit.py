"""`tomarium audit`: the log of who did what."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("audit")
@click.option("--record", default="", help="Only what concerns this record.")
@click.option("--who", default="", help="Only what this account did.")
@click.option("--last", default=50, show_default=True, type=click.IntRange(0), help="How many lines; 0: all.")
@click.option("--known", default="", metavar="CHECKSUM", help="The newest checksum as it was printed once.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines for machines, one JSON a line.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.pass_context
def command(
    context: click.Context,
    record: str,
    who: str,
    last: int,
    known: str,
    as_json: bool,
    catalogue: Path | str | None,
) -> None:
    """Print the log of a catalogue, and check that nobody changed it.

    It tells sign-ins, accounts, roles, tokens, links, edits and publications. Each line holds the checksum of the line
    before. Write the newest checksum down somewhere else: given as --known later, it shows also whether lines were
    taken from the end.

    Leaves with exit code 1 where the log was changed, and names the first line that does not fit.

    \b
    tomarium audit
    tomarium audit --record tooth-1a2b3c4d --last 0
    tomarium audit --known 9b74c9897bac770ffc029102a200c5de…
    """
    from tomarium.catalogue.audit import Line, lines, verify
    from tomarium.catalogue.catalogue import open_catalogue

    with open_catalogue(catalogue, make=False) as opened:
        with opened.reading() as connection:
            newest: deque[Line] = deque(lines(connection, record=record, who=who), maxlen=last or None)
        verdict = verify(opened, known.removesuffix("…"))
    if as_json:
        for line in newest:
            click.echo(json.dumps(asdict(line), ensure_ascii=False))
    else:
        show.table([_table_row(line) for line in newest])
    if verdict.problem:
        show.warnings([verdict.problem])
    else:
        click.echo(
            f"{verdict.lines} lines, unchanged; newest checksum: {verdict.newest or 'none yet'}", err=as_json
        )
    context.exit(1 if verdict.problem else 0)


def _table_row(line: object) -> tuple[str, ...]:
    from tomarium.catalogue.audit import Line

    assert isinstance(line, Line)
    when = f"{datetime.fromtimestamp(line.moment_utc, UTC):%Y-%m-%d %H:%M:%S}"
    details = ", ".join(f"{key} {show.short(value)}" for key, value in line.told.items())
    return str(line.number), when, line.who or "–", line.action, line.record, details
