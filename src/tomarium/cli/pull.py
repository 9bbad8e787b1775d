"""`tomarium pull`: fetch a record, or parts of it, from a portal."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.push import TOKEN


@click.command("pull")
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(path_type=Path),
    help="Folder for the files, the record's identifier by default; with --roi a file, out.npy or out.tiff.",
)
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="PATH",
    help="File or folder of the record to take, such as previews/; may be repeated. All by default.",
)
@click.option(
    "--level",
    type=click.IntRange(0, 64),
    default=0,
    show_default=True,
    help="Finest level of the volume to take; 0 is all, and each is half as fine as the one before.",
)
@click.option(
    "--roi",
    default="",
    metavar="Z,Y,X",
    help="Take a region of the volume as one file: voxels of the level, 10:20,0:500,0:500; “:” is all along an axis.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 32), default=4, show_default=True, help="Files fetched at a time."
)
@click.option(
    "--resolver", default="https://doi.org", show_default=True, metavar="URL", help="What resolves DOIs."
)
def command(
    address: str,
    target: Path | None,
    paths: tuple[str, ...],
    level: int,
    roi: str,
    jobs: int,
    resolver: str,
) -> None:
    """Fetch the record at ADDRESS: the address of its page on a tomarium portal, or its DOI.

    Every file is compared with its SHA-256. When it is stopped, the same command goes on where it was. A whole record
    can be filed by `tomarium ingest` afterwards. Files of your own records that are not open are had with the token of
    your account, in the environment as TOMARIUM_TOKEN; it is sent to the host in ADDRESS only, and never to where a
    DOI leads.

    \b
    tomarium pull https://data.example.org/records/tooth
    tomarium pull 10.1234/tooth -o tooth --level 2
    tomarium pull https://data.example.org/records/tooth --path protocol.yaml --path previews/
    tomarium pull https://data.example.org/records/tooth --roi 100:200,:,: --level 1 -o part.tiff
    """
    from tomarium import units
    from tomarium.portal import pull

    token = os.environ.get(TOKEN, "").strip()
    if roi:
        if target is None or paths:
            raise click.UsageError("--roi needs --output out.npy or out.tiff, and goes without --path")
        pulled = pull.pull_region(
            address, roi, target, token=token, level=level, resolver=resolver, tell=show.progress()
        )
    else:
        pulled = pull.pull(
            address,
            target,
            token=token,
            paths=paths,
            level=level,
            jobs=jobs,
            resolver=resolver,
            tell=show.progress(),
        )
    size = units.show(pulled.bytes, "B", 3)
    click.echo(
        f"{pulled.place}: {pulled.title}, {pulled.files} {'file' if pulled.files == 1 else 'files'}, {size}"
    )
    if pulled.whole:
        click.echo(
            f"Whole and as it was filed; put it into your catalogue with: tomarium ingest {pulled.place}"
        )
    elif not roi:
        click.echo(f"This is a part of the record {pulled.id}, which cannot be filed as a record.")
