"""`tomarium report`: what happened in a beamtime, scan by scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.beamtime.log_file import LogEntry


@click.command("report")
@click.argument("folder", metavar="[BEAMTIME]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File; report.html in BEAMTIME by default."
)
@click.option(
    "--pdf", is_flag=True, help="Print it as PDF beside it, by the Chromium or Chrome of this machine."
)
@click.option(
    "--record",
    "records",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A record elsewhere; may be repeated.",
)
@click.option(
    "--catalogue", type=click.Path(path_type=Path), help="Whose log book is taken; the user's own by default."
)
def command(
    folder: Path | None, output: Path | None, pdf: bool, records: tuple[Path, ...], catalogue: Path | None
) -> int:
    """Write the report of the folder BEAMTIME: a page that needs no other file, to read, send and print.

    \b
    of each scan   picture, parameters, steps, axis with its confidence, warnings, citation, copies and when they were
                   read, from the records in BEAMTIME, from its watch (live/live.json) and its ledger (copies.sqlite)
    of all         what a publication has to say: acknowledgement and papers of the station, from the profile
    the log        what people and programs wrote into log.jsonl in BEAMTIME (`tomarium log`), and into the log book of
                   the proposal that beamtime.toml names, where the catalogue has it

    \b
    beamtime.toml  name = "Teeth"
                   proposal = "20260001"
                   profile = "anatomix"             # or a file, tomarium profile show says which there are
                   station = "microtomography"
                   people = ["A. Lovelace", "W. C. Röntgen"]

    Leaves with exit code 1 where something could not be read; the page says what.

    \b
    tomarium report
    tomarium report /data/20260001 --pdf
    """
    from tomarium.atomic_files import write_whole
    from tomarium.beamtime.beamtime_folder import find_beamtime, read_beamtime
    from tomarium.beamtime.report import gather
    from tomarium.beamtime.report_file import print_pdf, report_html

    path = find_beamtime(folder)
    if path is None:
        raise InputError(
            "no folder here or above holds beamtime.toml; name the folder: tomarium report FOLDER"
        )
    proposal = read_beamtime(path).proposal
    report = gather(path, _read_log(proposal, catalogue) if proposal else (), records)
    place = output or path / "report.html"
    write_whole(place, report_html(report).encode(errors="replace"))
    click.echo(f"{place}: {len(report.cards)} scans")
    if pdf:
        print_pdf(place, place.with_suffix(".pdf"))
        click.echo(f"{place.with_suffix('.pdf')}: printed")
    show.warnings(list(report.problems))
    return 1 if report.problems else 0


def _read_log(proposal: str, catalogue: Path | None) -> tuple[LogEntry, ...]:
    """Read the log book of a proposal; a catalogue that is absent or has no such proposal has no entries."""
    from tomarium.beamtime.log_file import LogEntry
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.home import catalogue_file
    from tomarium.catalogue.log_book import entries_of
    from tomarium.catalogue.reader import LOCAL_OWNER

    if catalogue is None and not catalogue_file().is_file():
        return ()
    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        try:
            id = demand_entity(connection, LOCAL_OWNER, proposal).entity.id
        except InputError:
            return ()
        entries = entries_of(connection, LOCAL_OWNER, f"proposals/{id}")
    return tuple(
        LogEntry(entry.when, entry.who, entry.text, entry.machine) for entry in entries if not entry.removed
    )
