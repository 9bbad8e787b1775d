"""`tomarium worksheet`: tasks for a class, made from a record's own volume."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("worksheet")
@click.argument("record", metavar="RECORD")
@click.option(
    "--level",
    type=click.Choice(["pupil", "student"]),
    default="pupil",
    show_default=True,
    help="student: also the share that is filled, the room it takes, and π.",
)
@click.option(
    "--parts",
    type=click.Choice(["bright", "dark"]),
    help="What is asked about: the bright parts, as of a tooth in air, or the dark ones, as pores in bread or fossils "
    "in stone. By default dark where the specimen fills the slices, so that three quarters of their rim are bright.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, .html or .pdf; a PDF is printed by the Chromium or Chrome of this machine from the page "
    "beside it. RECORD-LEVEL.html by default.",
)
@click.option(
    "--answers/--no-answers", default=True, show_default=True, help="Whether a second page tells the answers."
)
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print tasks and answers for machines, and write no file."
)
def command(
    record: str,
    level: str,
    parts: str | None,
    out: Path | None,
    answers: bool,
    overwrite: bool,
    catalogue: Path | str | None,
    as_json: bool,
) -> None:
    """Make a worksheet of RECORD: its folder, or its identifier in the catalogue.

    One A4 page of tasks with pictures of the record (measure with the scale bar, count slices, find the widest one,
    from counting to a volume, how many photos …), and one with answers, whose numbers are computed from the record, and
    with how far another answer may be from each. To be printed at 100 %.

    Refused where the record has no volume, or the size of its voxels is not known.

    \b
    tomarium worksheet tooth-1a2b3c4d
    tomarium worksheet tooth-1a2b3c4d --level student --out sheet.pdf
    tomarium worksheet bread-5e6f7a8b --parts dark
    tomarium worksheet record/ --no-answers --out tasks.html
    """
    from dataclasses import asdict

    from tomarium.atomic_files import write_whole
    from tomarium.beamtime.report_file import print_pdf
    from tomarium.catalogue.record_folder import read_record
    from tomarium.errors import InputError
    from tomarium.portal.worksheets import worksheet_file
    from tomarium.viewers.worksheet import worksheet

    folder = _folder(record, catalogue)
    record_read = read_record(folder)
    if as_json:
        show.as_json(asdict(worksheet(record_read, folder, level, parts or "")))
        return
    target = out or Path(f"{record_read.id}-{level}.html")
    if target.suffix.lower() not in (".html", ".pdf"):
        raise InputError(f"--out {target}: write a file that ends in .html or .pdf")
    html = target.with_suffix(".html")
    existing = [str(path) for path in dict.fromkeys((html, target)) if path.exists()]
    if existing and not overwrite:
        raise InputError(
            f"{existing[0]}: is there already; allow to replace it (--overwrite), or give another name"
        )
    publication = record_read.publication
    source = f"https://doi.org/{publication.doi}" if publication and publication.doi else ""
    page = worksheet_file(
        record_read, folder, level, parts=parts or "", source=source, answers=answers
    ).encode()
    write_whole(html, page)
    if target != html:
        print_pdf(html, target)
    click.echo(f"{target}: {'tasks and answers' if answers else 'tasks'} for {level}s; print it at 100 %")


def _folder(record: str, catalogue: Path | str | None) -> Path:
    """Find the folder of a record that is given by it or by its identifier."""
    from tomarium.catalogue import queries
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.standards.ro_crate import FILENAME

    if (Path(record) / FILENAME).is_file():
        return Path(record).resolve()
    with open_catalogue(catalogue, make=False) as opened:
        id = show.record_id(opened, record)
        with opened.reading() as connection:
            folder = queries.folder_of(connection, id)
    assert folder is not None
    return folder
