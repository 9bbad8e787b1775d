"""`tomarium remove`: remove a draft from the catalogue."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium import units
from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.catalogue.remove_draft import Removal


@click.command("remove")
@click.argument("record", metavar="RECORD")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines; needs --yes or --dry-run.")
@click.pass_context
def command(
    context: click.Context,
    record: str,
    yes: bool,
    dry_run: bool,
    catalogue: Path | str | None,
    as_json: bool,
) -> None:
    """Remove a draft: RECORD is its identifier in the catalogue, or its folder.

    It says first what goes: the entry with its remarks and links, and its files where they lie in the catalogue's own
    folder, as those of an upload do. A record that was filed where it lay loses its entry alone, and its files stay.
    So do copies that `tomarium copy` or `tomarium backup` made. A draft whose folder is gone already can be removed,
    too. What was published is never removed, but withdrawn: tomarium publish RECORD --withdraw REASON.

    Where the program was stopped, the same command goes on. The log (`tomarium audit`) keeps a line of it. Leaves with
    exit code 1 where the question was answered with no.

    \b
    tomarium remove tooth-1a2b3c4d --dry-run
    tomarium remove tooth-1a2b3c4d
    tomarium remove tooth-1a2b3c4d --yes
    """
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json asks no question; give --yes or --dry-run with it")
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.record_folder import read_record
    from tomarium.catalogue.remove_draft import remove_draft, rest_of, what_goes
    from tomarium.standards.ro_crate import FILENAME

    folder = Path(record)
    id = read_record(folder.resolve()).id if (folder / FILENAME).is_file() else record
    with open_catalogue(catalogue, make=False) as opened:
        removal = rest_of(opened, LOCAL_OWNER, id) or what_goes(opened, LOCAL_OWNER, id)
        if not as_json:
            _print(removal)
        if not dry_run:
            if not (yes or as_json) and not click.confirm("Remove it?"):
                click.echo("nothing was removed")
                context.exit(1)
            removal = remove_draft(opened, LOCAL_OWNER, id)
    if as_json:
        show.as_json({**asdict(removal), "folder": str(removal.folder or ""), "removed": not dry_run})
    elif not dry_run:
        click.echo(f"{id}: is removed")


def _print(removal: Removal) -> None:
    state = {"draft": "a draft", "review": "in review"}.get(removal.state, removal.state)
    click.secho(f"{removal.id}: {removal.title or 'no title can be read'}", bold=True)
    files = f"{removal.files} files, {units.show_bytes(removal.bytes)}, in {removal.folder}"
    if removal.folder is None or not removal.files:
        files = "none are left" if removal.folder is None else f"none are left in {removal.folder}"
    elif removal.deletes:
        files += ": are deleted"
    else:
        files += ": stay, for they lie outside the catalogue's own folder; only the entry goes"
    rows = [("record", f"{state} of {removal.owner}"), ("files", files)]
    goes = [
        f"{count} {word if count == 1 else many}"
        for count, word, many in (
            (removal.remarks, "remark", "remarks"),
            (removal.invitations, "link for reviewers", "links for reviewers"),
            (removal.jobs, "job that waits", "jobs that wait"),
        )
        if count
    ]
    if goes:
        rows.append(("go too", ", ".join(goes)))
    if removal.links:
        rows.append(("withdrawn", f"{removal.links} links between its images and others"))
    if removal.log_entries:
        rows.append(("stay", f"{removal.log_entries} entries of its log book, which curators see"))
    show.table(rows)
