"""`tomarium completeness`: what records lack before they can be published, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.catalogue.completeness import Completeness


@click.command("completeness")
@click.argument("records", metavar="[RECORD...]", nargs=-1)
@click.option(
    "--of",
    "of",
    multiple=True,
    metavar="ID",
    help="The records of this proposal, collection, specimen or instrument; may be given often.",
)
@click.option(
    "--files", is_flag=True, help="Let the doctor examine the files of each record, too, which reads them."
)
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    records: tuple[str, ...], of: tuple[str, ...], files: bool, catalogue: Path | str | None, as_json: bool
) -> int:
    """Say what each RECORD lacks of what a published record needs or should have, and how many lack what.

    Without RECORD and --of, all that are not published yet. What a record must have (a licence, creators, a decision on
    private fields, permissions, with --files no errors of the doctor) stands first; `tomarium publish RECORD --check`
    tells the command that mends each.

    Leaves with exit code 1 where a record lacks something, 2 where one cannot be read.

    \b
    tomarium completeness
    tomarium completeness --of 20260001
    tomarium completeness tooth-1a2b3c4d --files
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.completeness import completeness, counted, drafts_of, records_named
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        ids = [show.record_id(opened, record) for record in records]
        with opened.reading() as connection:
            for entity in of:
                ids += records_named(connection, LOCAL_OWNER, entity)
            if not records and not of:
                ids = drafts_of(connection, LOCAL_OWNER)
        told, problems = completeness(opened, LOCAL_OWNER, dict.fromkeys(ids), files=files)
    if as_json:
        show.as_json(
            {
                "summary": counted(told),
                "records": [_data(record) for record in told],
                "problems": problems,
            }
        )
    else:
        show.table((record.id, record.state, record.words) for record in told)
        click.echo(counted(told))
        show.warnings(problems)
    return 2 if problems else 1 if any(record.lacking for record in told) else 0


def _data(record: Completeness) -> dict[str, object]:
    return {
        "id": record.id,
        "title": record.title,
        "state": record.state,
        "complete": record.is_complete,
        "meets_demands": record.meets_demands,
        "lacks": [
            {
                "name": check.name,
                "lacks": check.lacks,
                "problem": check.problem,
                "mend": check.mend,
                "demanded": check.refuses,
            }
            for check in record.lacking
        ],
    }
