"""`tomarium import`: other catalogues, and folders of beamtimes, into this one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.importers.bring_in import Outcome
    from tomarium.importers.found import Found

_SHOWN = 20
"""Lines of a list that are printed; --json has all."""


@click.command("import")
@click.argument("source", type=click.Choice(["icat", "scicat", "hoa", "folder"]))
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be made, changed and left.")
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder below which the files lie that the source tells of; without it none is looked for.",
)
@click.option(
    "--records",
    type=click.Path(path_type=Path),
    help="Folder in which records are made; by default `records` beside the catalogue.",
)
@click.option(
    "--copy", is_flag=True, help="Copy files into the records; otherwise they get a second name there."
)
@click.option(
    "--teams",
    is_flag=True,
    help="Give each record to the team named as the group that may change it in the source.",
)
@click.option(
    "--publish-open",
    is_flag=True,
    help="Publish what everybody may see in the source, if it has all that publishing asks for.",
)
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done for machines.")
@click.pass_context
def command(
    context: click.Context,
    source: str,
    path: Path,
    dry_run: bool,
    files: Path | None,
    records: Path | None,
    copy: bool,
    teams: bool,
    publish_open: bool,
    catalogue: Path | str | None,
    as_json: bool,
) -> None:
    """Bring what SOURCE gave away at PATH into the catalogue, as drafts.

    \b
    icat    a file of icatdump (python-icat), XML or YAML
    scicat  JSON of SciCat: a list, one object, one a line, mongoexport; or a folder of such files
    hoa     JSON of the Human Organ Atlas: a dataset, a list, or a folder of them
    folder  the folder of a beamtime, or of a proposal: RAW_DATA, PROCESSED_DATA, documents

    Datasets become records, with people, parameters and files; proposals, instruments, samples, collections and papers
    become what they are here. All that the source tells stands in `original-metadata.json` of each record, but for
    what is private, which is kept for the owner alone. Files are taken where they are as the source says, by size and
    checksum; which are not at hand is told.

    Doing it again brings all up to date: what changed in the source is changed here, what somebody changed here stays
    and is listed as a conflict. It leaves with exit code 2 where something could not be done.

    \b
    tomarium import icat icatdump.xml --dry-run
    tomarium import icat icatdump.xml --files /data/archive
    tomarium import scicat exported/ --publish-open
    tomarium import hoa LADAF-2020-31_brain.json
    tomarium import folder /data/visitor/md1252/bm05/20211007
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.record_pictures import ask_for_pictures
    from tomarium.importers import sources
    from tomarium.importers.bring_in import Order, bring_in
    from tomarium.importers.local_files import demand_folder

    demand_folder(files)
    content = sources()[source].read(path)
    with open_catalogue(catalogue) as opened:
        order = Order(
            source, (records or opened.home / "records").absolute(), files, copy, teams, publish_open, dry_run
        )
        outcome = bring_in(opened, LOCAL_OWNER, content, order, show.progress())
        if outcome.made:
            ask_for_pictures(opened, LOCAL_OWNER, outcome.made)
    if as_json:
        show.as_json(_outcome_data(content, outcome))
    else:
        _print_outcome(content, outcome, dry_run)
    context.exit(2 if outcome.problems else 0)


def _print_outcome(content: Found, outcome: Outcome, dry: bool) -> None:
    kinds = Counter((line.kind, line.action) for line in outcome.lines)
    click.secho("would be made" if dry else "made", bold=True)
    show.table([(kind, action, str(count)) for (kind, action), count in sorted(kinds.items())])
    record_lines = [line for line in outcome.lines if line.kind == "record"]
    if record_lines:
        click.secho("records", bold=True)
        show.table(
            [
                (
                    line.action,
                    line.id,
                    f"{line.at_hand} of {line.files} files" if line.files else "",
                    line.name,
                )
                for line in record_lines[:_SHOWN]
            ]
        )
        _print_count_of_more(record_lines)
    if outcome.published:
        click.echo(f"published: {', '.join(outcome.published)}")
    if outcome.conflicts:
        click.secho(
            "conflicts: changed here and told otherwise by the source; kept as they are here", bold=True
        )
        show.table(
            [
                (
                    conflict.id,
                    conflict.field,
                    f"here {show.short(conflict.here)}; there {show.short(conflict.there)}",
                )
                for conflict in outcome.conflicts[:_SHOWN]
            ]
        )
        _print_count_of_more(outcome.conflicts)
    if content.notes.unknown:
        click.secho("not understood, kept in the original metadata", bold=True)
        unknown = content.notes.unknown.most_common()
        show.table([(str(count), name) for name, count in unknown[:_SHOWN]])
        _print_count_of_more(unknown)
    if content.notes.left_out:
        click.secho("left out", bold=True)
        show.table(content.notes.left_out.items())
    show.warnings(dict.fromkeys([*content.notes.problems, *outcome.problems]))


def _print_count_of_more(listed: list[Any]) -> None:
    if len(listed) > _SHOWN:
        click.echo(f"  and {len(listed) - _SHOWN} more, with --json")


def _outcome_data(content: Found, outcome: Outcome) -> dict[str, Any]:
    return {
        "things": [vars(line) for line in outcome.lines],
        "published": outcome.published,
        "conflicts": [vars(conflict) for conflict in outcome.conflicts],
        "not_understood": dict(content.notes.unknown),
        "left_out": content.notes.left_out,
        "problems": list(dict.fromkeys([*content.notes.problems, *outcome.problems])),
    }
