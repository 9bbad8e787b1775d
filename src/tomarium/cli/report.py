"""`tomarium report`: what happened in a beamtime, scan by scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.beamtime.log_file import LogEntry
    from tomarium.beamtime.report import Report


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
    "--catalogue",
    type=click.Path(path_type=Path),
    help="Whose log book is taken, and which is asked for the drafts; the user's own by default.",
)
def command(
    folder: Path | None, output: Path | None, pdf: bool, records: tuple[Path, ...], catalogue: Path | None
) -> int:
    """Write the report of the folder BEAMTIME: a page that needs no other file, to read, send and print.

    \b
    of each scan   picture, parameters, steps, axis with its confidence, warnings, citation, copies and when they were
                   read, from the records in BEAMTIME, from its watch (live/live.json) and its ledger (copies.sqlite)
    the drafts     how many of these records are drafts in the catalogue, what each lacks before it can be published,
                   and what could not be filed
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
    report = _with_drafts(report, catalogue)
    place = output or path / "report.html"
    write_whole(place, report_html(report).encode(errors="replace"))
    click.echo(f"{place}: {len(report.cards)} scans")
    if report.catalogue is not None:
        click.echo(f"in the catalogue: {report.catalogue.words}")
        if report.catalogue.drafts:
            click.echo(f"of the drafts {report.catalogue.lack}")
    show.warnings(f"{name} is not filed: {reason}" for name, reason in report.not_filed)
    if pdf:
        print_pdf(place, place.with_suffix(".pdf"))
        click.echo(f"{place.with_suffix('.pdf')}: printed")
    show.warnings(list(report.problems))
    return 1 if report.problems else 0


def _with_drafts(report: Report, catalogue: Path | None) -> Report:
    """Add what the catalogue has of its records; a catalogue that is absent is not asked."""
    from tomarium.beamtime.report import drafts_known
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.home import catalogue_file
    from tomarium.catalogue.reader import LOCAL_OWNER

    if not report.ids or (catalogue is None and not catalogue_file().is_file()):
        return report
    with open_catalogue(catalogue, make=False) as opened:
        return replace(report, catalogue=drafts_known(opened, LOCAL_OWNER, report.ids))


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
