"""`tomarium publications`: papers that used the records of a catalogue, and what data are used where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.catalogue.data_use import Group
    from tomarium.catalogue.import_publications import Imported

CATALOGUE = click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
SHOWN = 20
"""Publications whose import takes so long that its progress is shown."""
BY = ("record", "publication", "facility", "instrument", "year")


@click.group("publications")
def command() -> None:
    """Import papers that used the records of a catalogue, and report what data are used where.

    A publication becomes a document, linked to the records whose DOI or page it names in its references, notes,
    keywords or related identifiers, and to those that --data tells. A record's page then says by what it is cited, and
    so do its exports and DataCite (IsCitedBy). Nothing is asked of any server.

    \b
    tomarium publications import papers.bib
    tomarium publications import crossref.json --data tooth-1a2b3c4d
    tomarium publications link 10.1038/abc tooth-1a2b3c4d
    tomarium publications report --by year
    tomarium publications report --format csv -o use.csv
    """


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--data", multiple=True, metavar="RECORD", help="A record that all of them used; may be repeated."
)
@click.option("--draft", is_flag=True, help="Keep new ones from everybody but curators.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@CATALOGUE
@click.pass_context
def import_(
    context: click.Context,
    files: tuple[Path, ...],
    data: tuple[str, ...],
    draft: bool,
    dry_run: bool,
    as_json: bool,
    catalogue: Path | str | None,
) -> None:
    """Import FILES: BibTeX, RIS, CSL-JSON, or JSON of Crossref or DataCite.

    One that is there already, by its DOI, is merged: what is missing is added, and what the file says otherwise is
    listed and not taken. Importing the same file again changes nothing. Leaves with exit code 1 where an entry could
    not be taken.
    """
    from dataclasses import asdict

    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.import_publications import import_works
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.standards.read_works import read_works

    read = [
        (file, read_works(file.read_text(encoding="utf-8-sig", errors="replace"), str(file)))
        for file in files
    ]
    problems = [f"{file}: {problem}" for file, works in read for problem in works.problems]
    with open_catalogue(catalogue, make=False) as opened:
        ids = [show.record_id(opened, text) for text in data]
        works = [work for _, works in read for work in works.works]
        progress = show.progress() if len(works) > SHOWN else None
        how = {"publish": not draft, "dry_run": dry_run}
        imported_works = import_works(opened, LOCAL_OWNER, works, data=ids, progress=progress, **how)
    if as_json:
        show.as_json(
            {"publications": [asdict(imported) for imported in imported_works], "problems": problems}
        )
    else:
        _print_imported(imported_works, dry_run)
        show.warnings(problems)
    context.exit(1 if problems or any(imported.problem for imported in imported_works) else 0)


def _print_imported(imported_works: list[Imported], dry_run: bool) -> None:
    for imported in imported_works:
        records_text = f", used {', '.join(imported.records)}" if imported.records else ""
        click.echo(
            f"{imported.state}: {imported.title}{records_text}{f' ({imported.document})' if imported.document else ''}"
        )
        for line in (*imported.conflicts, *([imported.problem] if imported.problem else [])):
            click.secho(f"  {line}", fg="yellow")
    count = {
        state: sum(imported.state == state for imported in imported_works)
        for state in ("new", "changed", "same", "failed")
    }
    counts = ", ".join(f"{number} {state}" for state, number in count.items() if number)
    click.echo(f"{'would be ' if dry_run else ''}{counts}")


@command.command("link")
@click.argument("publication", metavar="DOI|ID")
@click.argument("records", metavar="RECORD...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take these links back.")
@CATALOGUE
def link(publication: str, records: tuple[str, ...], remove: bool, catalogue: Path | str | None) -> None:
    """Say that the publication with this DOI, or identifier of its document, used these records."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.import_publications import link_publication
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        ids = [show.record_id(opened, record) for record in records]
        document = link_publication(opened, LOCAL_OWNER, publication, ids, remove=remove)
    click.echo(f"{document.name}: used {', '.join(document.facts.get('members', ())) or 'no record'}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print them for machines.")
@CATALOGUE
def list_(as_json: bool, catalogue: Path | str | None) -> None:
    """List publications, the last one first, each with the records that it used."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.cited_by import all_publications
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        entities = all_publications(connection, LOCAL_OWNER)
    if as_json:
        show.as_json([{"id": entity.id, "title": entity.name, **entity.facts} for entity in entities])
        return
    if not entities:
        click.echo("there is no publication; import some with: tomarium publications import papers.bib")
        return
    show.table(
        [
            (
                str(entity.facts.get("year", "")),
                show.line(entity.name)[:70],
                ", ".join(entity.facts.get("members", ())),
            )
            for entity in entities
        ]
    )


@command.command("report")
@click.option(
    "--by", type=click.Choice(BY), default="record", show_default=True, help="What it is ordered by."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "html", "json"]),
    default="table",
    show_default=True,
    help="How it is written.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; the terminal by default."
)
@CATALOGUE
def report(by: str, form: str, output: Path | None, catalogue: Path | str | None) -> None:
    """Report what data are used where, by record, publication, facility, instrument or year."""
    from dataclasses import asdict

    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.data_use import BY as NAMES
    from tomarium.catalogue.data_use import as_csv, as_html, grouped, uses_of_data
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        groups = grouped(uses_of_data(connection, LOCAL_OWNER), by)
    if form == "table" and output is None:
        _print_groups(groups, NAMES[by])
        return
    if form == "json" and output is None:
        show.as_json([asdict(group) for group in groups])
        return
    import json

    text = {
        "csv": lambda: as_csv(groups),
        "html": lambda: as_html(groups, by),
        "json": lambda: json.dumps([asdict(group) for group in groups], indent=1, ensure_ascii=False) + "\n",
        "table": lambda: as_csv(groups),
    }[form]()
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{output}: {sum(len(group.uses) for group in groups)} uses of data, by {by}")


def _print_groups(groups: list[Group], name: str) -> None:
    if not groups:
        click.echo("no publication is linked to a record; see: tomarium publications import --help")
        return
    click.secho(name, bold=True)
    show.table(
        [
            (show.line(group.name)[:70], f"{group.publications} publications", f"{group.records} records")
            for group in groups
        ]
    )
