"""`tomarium ingest`: file records in the catalogue, and make records of what is there."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import scan_options, show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.model import Record


@click.command("ingest")
@click.argument("paths", metavar="PATH...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option(
    "--checksums/--no-checksums",
    default=True,
    help="Whether to read every file of a record and compare it with its checksum, or names only.",
)
@click.option(
    "--title",
    default="",
    help="Title of the record that is made; by default, and for each of several, the sample's or file's name.",
)
@click.option(
    "--records",
    type=click.Path(path_type=Path),
    help="Folder in which records are made; by default `records` beside the catalogue.",
)
@click.option(
    "--in-place", is_flag=True, help="Make the folder PATH itself a record: a crate is added to it."
)
@click.option(
    "--copy", is_flag=True, help="Copy files into the record; otherwise they get a second name there."
)
@click.option(
    "--pictures",
    is_flag=True,
    help="Draw the pictures of each record now; `tomarium worker` does it otherwise.",
)
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print what was filed and passed over for machines.")
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[Path, ...],
    catalogue: Path | str | None,
    checksums: bool,
    title: str,
    records: Path | None,
    in_place: bool,
    copy: bool,
    pictures: bool,
    opening: scan_options.Opening,
    as_json: bool,
) -> None:
    """File what is at PATH in the catalogue; filing it again brings it up to date.

    PATH is the folder of a record; a finished volume (TIFF slices, HDF5, .vol, OME-Zarr), which becomes a record with
    an OME-Zarr of several resolutions; a raw scan or an image of a microscope, which becomes a record of that file; the
    folder of a series, whose moments are filed together and each tells its place; or a folder of them, such as that of
    a beamtime, of which each becomes a record; what --pixel and the like tell holds for all of them. Data are not
    copied where the disk is the same: they get a second name in the record. A volume that `run` made is linked to the
    record of its raw scan, where that is in the catalogue.

    Pictures of it (a sheet of slices, histogram, rings and a turntable of a volume; rings and a strip of rotation axes
    of a raw scan) are drawn once, by `tomarium worker` or at once with --pictures, and again where its data changed.

    A record with a file that is missing or was changed, or with a link in it, is refused and named; the others are
    filed, and it leaves with exit code 2. Files of no known format in a folder (notes, log files) are in no record: how
    many of which endings is told at the end, and --json lists them; the exit code is that without them.

    \b
    tomarium ingest records/tooth
    tomarium ingest loading_series
    tomarium ingest reconstructions/tooth_slices --title "Molar of a bear" --pixel "0.65 um"
    tomarium ingest /data/visitor/md1252 --records /data/records
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.facts_of_drafts import link_entities, state_facts
    from tomarium.catalogue.file_path import file_path
    from tomarium.catalogue.make_from_files import Wish
    from tomarium.catalogue.passed_over import in_one_line
    from tomarium.catalogue.raw_scan_of import link_raw_scan
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.record_pictures import ask_for_pictures, draw_record_pictures
    from tomarium.catalogue.stated_facts import differences, facts_of_profile
    from tomarium.errors import InputError
    from tomarium.standards.ro_crate import FILENAME

    problems: list[str] = []
    notes: list[str] = []
    passed_over: dict[Path, tuple[Path, ...]] = {}
    served = f" {shlex.quote(str(catalogue))}" if isinstance(catalogue, Path) else ""
    filed_records: list[Record] = []
    with open_catalogue(catalogue) as opened:
        stated = facts_of_profile(opening.in_use.scan)
        # Records that lie there may be of another beamtime, unless the user says of which they are.
        of_records = stated if opening.profile or opening.beamtime else {}
        wish = Wish(records or opened.home / "records", title, in_place, copy, stated)
        for path in paths:
            try:
                filed = file_path(
                    opened, path, wish, opener=opening.open, checksums=checksums, tell=show.progress()
                )
                for record in filed.records:
                    filled = state_facts(opened, LOCAL_OWNER, record.id, of_records) if of_records else ()
                    record, not_linked = link_entities(opened, LOCAL_OWNER, show.record(opened, record.id))
                    record = link_raw_scan(opened, LOCAL_OWNER, record)
                    filed_records.append(record)
                    if not as_json:
                        click.echo(f"{record.id}: {record.title}")
                        if filled:
                            click.echo(f"  stated by the beamtime: {', '.join(filled)}")
                    notes += [f"{record.id}: {text}" for text in differences(record)]
                    notes += [text for text in not_linked if text not in notes]
                    if title not in ("", record.title) and (path / FILENAME).is_file():
                        notes.append(
                            f"{record.id}: has a title already, which it keeps; change it with: tomarium edit "
                            f"{record.id} --title {shlex.quote(title)}"
                        )
                problems += filed.problems
                passed_over[path] = filed.passed_over
            except InputError as problem:
                if len(paths) == 1:
                    raise
                problems.append(str(problem))
        if not pictures:
            ask_for_pictures(opened, LOCAL_OWNER, filed_records)
        if filed_records:
            click.echo(f"in the catalogue {opened.name}; look at it: tomarium serve{served}", err=True)
        for record in filed_records if pictures else ():
            problems += draw_record_pictures(opened, LOCAL_OWNER, record.id, again=True, tell=show.progress())
    for path, files in passed_over.items():
        if files:
            click.echo(show.line(f"passed over in {path}: {in_one_line(files, path)}"), err=True)
    show.warnings([*problems, *notes])
    if as_json:
        show.as_json(
            {
                "records": [{"id": record.id, "title": record.title} for record in filed_records],
                "passed_over": [str(file) for files in passed_over.values() for file in files],
                "problems": problems,
                "notes": notes,
            }
        )
    context.exit(2 if problems else 1 if notes else 0)
