"""`tomarium fsck`: what a program that was stopped has left half done in a catalogue."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE
from tomarium.cli.doctor import MARKS

if TYPE_CHECKING:
    from tomarium.catalogue.fsck import FindingAndRepair

MOST: Final = 200
"""Findings of one kind that are printed; the others are counted."""
WORST: Final = {"info": 0, "warning": 1, "error": 2}


@click.command("fsck")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--repair", is_flag=True, help="Bring in order what can be without a loss.")
@click.option(
    "--quick", is_flag=True, help="Look at the database and at uploads alone, into no record's folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.pass_context
def command(
    context: click.Context, catalogue: Path | str | None, repair: bool, quick: bool, as_json: bool
) -> None:
    """Find what a program that was stopped, a full disk or a lost file has left half done in a catalogue.

    Compared are the rows of the index with the crates of the folders, the names of files with the manifests, folders
    with rows, uploads with what is noted of them, jobs with who holds them, DOIs with their records, the files of the
    log book, the chain of the log, and the database with itself. The portal and workers go on meanwhile; what was
    changed within the last minute is left alone. Files are not read: `tomarium store check RECORD` compares their
    checksums, and a worker does it for all records in turn.

    With --repair rows are written anew from the crates, folders of records that no row tells of are filed, stopped
    uploads are filed to their end, and left-over drafts are removed. No file of a record is ever removed. Each repair
    is a line of `tomarium audit`.

    Leaves with exit code 0 where all is well or only takes room, 1 where something is half done, 2 where something is
    lost or wrong; with --repair, for what is left after it.

    \b
    tomarium fsck
    tomarium fsck --repair
    tomarium fsck --quick --json --catalogue /srv/tomarium/catalogue.sqlite
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.fsck import fsck

    counter: Counter[str] = Counter()
    listed: list[dict[str, Any]] = []
    worst = repaired = 0
    with open_catalogue(catalogue, make=False) as opened:
        for entry in fsck(opened, files=not quick, repair=repair, tell=show.progress()):
            code = entry.finding.code
            counter[code] += 1
            if entry.repaired:
                repaired += 1
            else:
                worst = max(worst, WORST[entry.finding.severity])
            if counter[code] > MOST:
                continue
            if as_json:
                listed.append({**vars(entry.finding), "can_repair": entry.can_repair, "repaired": entry.repaired,
                               "problem": entry.problem})  # fmt: skip
            else:
                _print_problem(entry)
    if as_json:
        show.as_json({"exit_code": worst, "counts": dict(counter), "repaired": repaired, "findings": listed})
    else:
        for code, count in counter.items():
            if count > MOST:
                click.echo(f"  {count - MOST} more of {code}")
        _sum_up(counter, repaired, repair)
    context.exit(worst)


def _print_problem(problem: FindingAndRepair) -> None:
    mark, colour = MARKS[problem.finding.severity]
    click.secho(f"  {mark} {problem.finding.code}", fg=colour, nl=False)
    click.echo(f"  {problem.finding.where}")
    click.echo(f"      found     {problem.finding.found}")
    if problem.repaired:
        click.echo(f"      repaired  {problem.repaired}")
        return
    click.echo(f"      expected  {problem.finding.expected}")
    if problem.problem:
        click.echo(f"      repair    failed: {problem.problem}")
    if problem.finding.mend:
        click.echo(f"      mend      {problem.finding.mend}")
    elif problem.can_repair:
        click.echo("      mend      tomarium fsck --repair")


def _sum_up(counts: Counter[str], repaired: int, repair: bool) -> None:
    total = sum(counts.values())
    if not total:
        click.echo("nothing is half done")
    elif repair:
        click.echo(f"{show.counted(total, 'finding')}, {repaired} repaired")
    else:
        click.echo(show.counted(total, "finding"))
