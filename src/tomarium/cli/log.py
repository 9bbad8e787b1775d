"""`tomarium log`: the log book of a beamtime, a record, a proposal, a specimen or an instrument."""

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
    from tomarium.catalogue import Catalogue
    from tomarium.catalogue.log_entry import Entry, Version

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


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
    "--picture",
    "--file",
    "files",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="A picture or file of the entry; may be given again.",
)
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="A tag of the entry; may be given again.")
@click.option(
    "--also",
    "links",
    multiple=True,
    metavar="KIND/ID",
    help="What else it is about: records/ID, specimens/ID …; may be given again.",
)
@click.option("--find", "find", metavar="WORDS", help="Show only entries with these words, the newest first.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to a file: .md, .json, or .zip with pictures and files as an RO-Crate.",
)
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
    files: tuple[Path, ...],
    tags: tuple[str, ...],
    links: tuple[str, ...],
    find: str | None,
    out: Path | None,
    ingest: bool,
    catalogue: Path | None,
) -> None:
    """Write TEXT into the log book of RECORD, or show it. On a portal: the page /logbook, or POST to /logbook.json.

    RECORD is a record, or proposals/ID, specimens/ID, instruments/ID. An entry of a record is read by those who may
    have its files; one of a proposal, specimen or instrument by those who keep that. Entries are changed and removed on
    the portal, and what they said is kept.

    The folder of a beamtime has a log book of its own, log.jsonl, which needs no catalogue: `tomarium watch`, `batch`
    and `copy` note there once what was started, reconstructed, failed, warned of and copied; people write beside them,
    here or on the page /live. `tomarium report` shows it. Without any word, in such a folder or below, it is shown.

    \b
    tomarium log tooth-1a2b3c4d "Beam lost at 14:20, scan repeated" --picture current.png --tag beam
    tomarium log proposals/hg-123 "Sample slipped" --also specimens/rum-7 --also records/tooth-1a2b3c4d
    tomarium log tooth-1a2b3c4d
    tomarium log proposals/hg-123 --find "beam lost"
    tomarium log proposals/hg-123 -o logbook.zip
    tomarium log --beamtime /data/20260001 "Beam lost at 14:20, scan repeated" --who Ada --picture current.png
    tomarium log
    tomarium log --beamtime /data/20260001 --into-catalogue
    """
    from tomarium.beamtime.beamtime_folder import find_beamtime

    writes = len(words) > (0 if beamtime is not None else 1)
    if (files or tags or links) and not writes:
        raise click.UsageError("--picture, --tag and --also belong to an entry; give its TEXT, in quotes")
    if (find is not None or out is not None) and writes:
        raise click.UsageError("--find and --out show the log book; leave TEXT out")
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
        if links or find is not None or out is not None:
            raise click.UsageError(
                "--also, --find and --out are for log books in the catalogue; put the entries there first: "
                "--into-catalogue"
            )
        if words:
            _write_beside(folder, words[0], who, tags, files)
        _copy_beamtime_log(folder, ingest, catalogue)
        return
    if len(words) > 2 or who is not None or ingest:
        raise click.UsageError(
            "give RECORD and TEXT, in quotes; --who and --into-catalogue go with --beamtime"
        )
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.log_book import write_entry
    from tomarium.catalogue.log_entry import EntryContent
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        about = _find_subject(opened, words[0], proposal)
        if writes:
            attachments = [(file.name, file.read_bytes()) for file in files]
            write_entry(opened, LOCAL_OWNER, about, EntryContent(words[1], tags, links, attachments))
        _show_or_save(opened, about, find, out)


def _write_beside(
    folder: Path, text: str, who: str | None, tags: tuple[str, ...], files: tuple[Path, ...]
) -> None:
    from tomarium.beamtime.log_file import write_remark

    write_remark(folder, who or _login_name(), text, tags, files)


def _copy_beamtime_log(folder: Path, ingest: bool, catalogue: Path | None) -> None:
    from tomarium.beamtime.log_file import read_log

    entries = read_log(folder)
    if ingest:
        _write_into_catalogue(folder, entries, catalogue)
    else:
        _print_entries(entries)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as problem:
        raise InputError("this machine does not tell your name; give it by --who") from problem


def _write_into_catalogue(folder: Path, entries: Iterable[LogEntry], catalogue: Path | None) -> None:
    """Put entries into the log book of the beamtime's proposal, with their pictures and files."""
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
        versions = [_version_of_entry(opened, folder, entry) for entry in entries]
        added = add_entries(opened, LOCAL_OWNER, f"proposals/{id}", versions)
    click.echo(f"proposal {id}: {added} of {len(versions)} entries were not in its log book yet, and are now")


def _version_of_entry(opened: Catalogue, folder: Path, entry: LogEntry) -> Version:
    from tomarium.beamtime.log_file import LOG_FILES
    from tomarium.catalogue.log_entry import Version
    from tomarium.catalogue.log_files import keep_files

    places = [folder / LOG_FILES / name for name in entry.files]
    contents = [(place.name.partition("-")[2], place.read_bytes()) for place in places if place.is_file()]
    if len(contents) < len(places):
        lost = next(place for place in places if not place.is_file())
        show.warnings([f"{lost}: is gone, so the entry of {entry.when} goes into the catalogue without it"])
    log_files = keep_files(opened.home, contents)
    return Version(entry.when, entry.who, entry.text, entry.machine, entry.tags, files=log_files)


def _find_subject(opened: Catalogue, about: str, proposal: bool) -> str:
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.log_access import demand_log
    from tomarium.catalogue.log_entry import read_subject
    from tomarium.catalogue.reader import LOCAL_OWNER

    if about.startswith(("proposals/", "specimens/", "instruments/")):
        subject = read_subject(about)
        with opened.reading() as connection:
            demand_log(connection, LOCAL_OWNER, subject)
        return subject
    if not proposal:
        return f"records/{show.record_id(opened, about.removeprefix('records/'))}"
    with opened.reading() as connection:
        return f"proposals/{demand_entity(connection, LOCAL_OWNER, about).entity.id}"


def _show_or_save(opened: Catalogue, about: str, find: str | None, out: Path | None) -> None:
    from tomarium.catalogue.log_book import entries_of
    from tomarium.catalogue.log_export import save_log
    from tomarium.catalogue.log_find import LARGEST, EntryFilter, find_entries
    from tomarium.catalogue.reader import LOCAL_OWNER

    with opened.reading() as connection:
        if find is None:
            entries = entries_of(connection, LOCAL_OWNER, about)
        else:
            query = EntryFilter(find, about)
            entries = find_entries(connection, LOCAL_OWNER, query, limit=LARGEST)[0]
    if out is None:
        _print_entries(entries)
        return
    save_log(opened.home, entries, out, about)
    click.echo(f"{out}: {len(entries)} entries")


def _print_entries(entries: Iterable[LogEntry | Entry]) -> None:
    for entry in entries:
        when = getattr(entry, "written", "") or entry.when
        tags = f" [{' '.join(entry.tags)}]" if entry.tags else ""
        click.secho(f"{when} {entry.who}{' (a program)' if entry.machine else ''}{tags}", bold=True)
        if removed := getattr(entry, "removed", ""):
            click.echo(f"removed {removed}")
        if entry.text and not removed:
            click.echo(entry.text)
        for file in entry.files:
            click.echo(f"- {file if isinstance(file, str) else file.name}")
