"""`tomarium site`: the open part of a catalogue as files."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from tomarium import units
from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.group("site")
def command() -> None:
    """Write open records as a site of files, for a plain web server, an archive or a USB stick.

    \b
    tomarium site build /media/stick/tomograms
    """


@command.command("build")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option(
    "--with-files",
    "files",
    type=click.Choice(["none", "previews", "all"]),
    default="previews",
    show_default=True,
    help="none: pages and metadata; previews: also pictures and 3-D looks; all: also the records' files.",
)
@click.option(
    "--level",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="With all: the finest level of volumes, 0 for full resolution; of fewer levels the coarsest is taken.",
)
@click.option(
    "--address",
    default="",
    help="Where it will be, https://example.org/tomograms/: for a feed, a sitemap and citations.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written for machines.")
@click.pass_context
def build(
    context: click.Context,
    out: Path,
    catalogue: Path | str | None,
    files: Any,
    level: int,
    address: str,
    as_json: bool,
) -> None:
    """Write the open part of the catalogue to the folder OUT: pages, pictures, JSON, metadata and a search.

    In it is what anybody may open: nothing of drafts, of records under embargo or withdrawn. OUT is new, empty, or a
    site written before; then only what changed is written, and what is no longer open is removed. Stopped, the same
    command goes on.

    Leaves with exit code 1 where a part could not be written.

    \b
    tomarium site build /media/stick/tomograms
    tomarium site build www --with-files all --level 1 --address https://example.org/tomograms/
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.portal.site.build import build_site

    began = last = time.monotonic()

    def progress(done: int, pages: int) -> None:
        nonlocal last
        if time.monotonic() - last > 2 and sys.stderr.isatty():
            last = time.monotonic()
            click.echo(f"{done} of {pages} pages known so far, {last - began:.0f} s", err=True)

    with open_catalogue(catalogue, make=False) as opened:
        built = build_site(opened, out, files=files, level=level, address=address, progress=progress)
    for problem in built.problems:
        click.echo(f"not written: {problem}", err=True)
    if as_json:
        show.as_json(vars(built))
    else:
        size = units.show(built.bytes, "B", digits=3)
        removed = f", {built.removed} removed" if built.removed else ""
        click.echo(
            f"{out}: {built.records} open records, {built.pages} pages, {size}; "
            f"{built.written} files written, {built.kept} as they were{removed}"
        )
        left_out = {"under embargo": built.embargoed, "not published": built.unpublished}
        if any(left_out.values()):
            told = " and ".join(f"{count} {why}" for why, count in left_out.items() if count)
            click.echo(
                f"left out: {told}; `tomarium publish RECORD --embargo 0` opens one that is not published, "
                f"--open-now one under embargo"
            )
        if not built.search:
            click.echo("It has no search: this installation lacks the scripts that `make web` builds.")
    context.exit(1 if built.problems else 0)
