"""`tomarium log`: the log book of a beamtime, a record or a proposal."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.beamtime.log_file import LogEntry
    from tomarium.catalogue.log_book import Entry


@click.command("log")
@click.argument("words", metavar="[RECORD] [TEXT]", nargs=-1)
@click.option("--proposal", is_flag=True, help="RECORD is the identifier of a proposal.")
@click.option(
    "--beamtime",
    type=click.Path(path_type=Path),
    help="The log book is that of the folder of a beamtime; TEXT alone is then given.",
)
@click.option("--who", help="With --beamtime: who says it; your name on this machine by default.")
@click.option(
    "--into-catalogue",
    "ingest",
    is_flag=True,
    help="Put the entries of the beamtime into the log book of its proposal in the catalogue; each once.",
)
@click.option("--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default.")
def command(
    words: tuple[str, ...],
    proposal: bool,
    beamtime: Path | None,
    who: str | None,
    ingest: bool,
    catalogue: Path | None,
) -> None:
    """Write TEXT into the log book of RECORD, or show it. On a portal: POST text to /records/RECORD/log.

    The folder of a beamtime has a log book of its own, log.jsonl, which needs no catalogue: `tomarium watch`, `batch`
    and `copy` note there once what was started, reconstructed, failed, warned of and copied; people write beside them,
    here or on the page /live. `tomarium report` shows it. Without any word, in such a folder or below, it is shown.

    \b
    tomarium log tooth-1a2b3c4d "Beam lost at 14:20, scan repeated"
    tomarium log tooth-1a2b3c4d
    tomarium log --beamtime /data/20260001 "Beam lost at 14:20, scan repeated" --who Ada
    tomarium log
    tomarium log --beamtime /data/20260001 --into-catalogue
    """
    from tomarium.beamtime.beamtime_folder import find_beamtime

    if beamtime is not None or not words:
        folder = find_beamtime(beamtime)
        if folder is None:
            raise InputError(
                "no folder here or above holds beamtime.toml; name a RECORD, or the folder: tomarium log --beamtime "
                "FOLDER"
            )
        if len(words) > 1 or proposal or (ingest and words):
            raise click.UsageError(
                "with --beamtime one TEXT is given at most, in quotes, and none with --into-catalogue"
            )
        _of_beamtime(folder, words[0] if words else None, who, ingest, catalogue)
        return
    if len(words) > 2 or who is not None or ingest:
        raise click.UsageError(
            "give RECORD and TEXT, in quotes; --who and --into-catalogue go with --beamtime"
        )
    _of_catalogue(words[0], words[1] if len(words) > 1 else None, proposal, catalogue)


def _of_beamtime(
    folder: Path, text: str | None, who: str | None, ingest: bool, catalogue: Path | None
) -> None:
    from tomarium.beamtime.log_file import read_log, write_remark

    if text is not None:
        write_remark(folder, who or _my_name(), text)
    entries = read_log(folder)
    if ingest:
        _into_catalogue(folder, entries, catalogue)
    else:
        _show(entries)


def _my_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as problem:
        raise InputError("this machine does not tell your name; give it by --who") from problem


def _into_catalogue(folder: Path, entries: Iterable[LogEntry], catalogue: Path | None) -> None:
    """Put entries into the log book of the beamtime's proposal."""
    from tomarium.beamtime.beamtime_folder import BEAMTIME, read_beamtime
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.log_book import add_entries
    from tomarium.catalogue.reader import LOCAL_OWNER

    proposal = read_beamtime(folder).proposal
    if not proposal:
        raise InputError(
            f'{folder / BEAMTIME}: names no proposal, whose log book this would be; write proposal = "…"'
        )
    with open_catalogue(catalogue, make=False) as opened:
        with opened.reading() as connection:
            id = demand_entity(connection, LOCAL_OWNER, proposal).entity.id
        told = [(one.when, one.who, one.text, one.machine) for one in entries]
        added = add_entries(opened, LOCAL_OWNER, f"proposals/{id}", told)
    click.echo(f"proposal {id}: {added} of {len(told)} entries were not in its log book yet, and are now")


def _of_catalogue(subject: str, text: str | None, proposal: bool, catalogue: Path | None) -> None:
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.log_book import entries_of, write_entry
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        if proposal:
            with opened.reading() as connection:
                id = demand_entity(connection, LOCAL_OWNER, subject).entity.id
        else:
            id = show.record_id(opened, subject)
        about = f"{'proposals' if proposal else 'records'}/{id}"
        if text is not None:
            write_entry(opened, LOCAL_OWNER, about, text)
        with opened.reading() as connection:
            entries = entries_of(connection, LOCAL_OWNER, about)
    _show(entries)


def _show(entries: Iterable[LogEntry | Entry]) -> None:
    for one in entries:
        click.secho(f"{one.when} {one.who}{' (a program)' if one.machine else ''}", bold=True)
        click.echo(one.text)
