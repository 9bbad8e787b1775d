"""`tomarium index`: the index is disposable."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.group("index")
def command() -> None:
    """Look after the catalogue's index of record folders, which can be made anew at any time.

    \b
    tomarium index rebuild records/
    """


@command.command("rebuild")
@click.argument("roots", metavar="DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--new", is_flag=True, help="Make the catalogue of --catalogue where there is none.")
@click.pass_context
def rebuild_index(
    context: click.Context, roots: tuple[Path, ...], catalogue: Path | str | None, new: bool
) -> None:
    """Make the index anew from all records below the folders DIR.

    A DIR may be an S3 store. Leaves with exit code 1 where a folder could not be taken.

    \b
    tomarium index rebuild records/ /data/older_records --catalogue catalogue.sqlite
    tomarium index rebuild records/ --catalogue another.sqlite --new
    tomarium index rebuild records/ s3://tomograms/records
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.rebuild import demand_folders, rebuild

    demand_folders(roots)  # before a catalogue is made for nothing
    with open_catalogue(catalogue, make=new or catalogue is None) as opened:
        rebuilt = rebuild(opened, roots)
    show.warnings(rebuilt.problems)
    click.echo(f"{len(rebuilt.ids)} records are in the catalogue")
    context.exit(1 if rebuilt.problems else 0)


@command.command("manifests")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.pass_context
def write_manifests(context: click.Context, catalogue: Path | str | None) -> None:
    """Write the file manifests of published records that have none.

    A record gets its manifest when it is published: manifest-….parquet in its folder, with path, size and SHA-256 of
    every file, from which portals list its folders. Those that were published by an earlier version get theirs here;
    their data are not touched. Leaves with exit code 1 where a record could not be read.

    \b
    tomarium index manifests
    tomarium index manifests --catalogue postgresql://tomarium@db.example.org/catalogue
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.freeze_published import freeze_published
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        count, problems = freeze_published(opened, LOCAL_OWNER)
    show.warnings(problems)
    click.echo(f"{count} manifests were written")
    context.exit(1 if problems else 0)


@command.command("patches")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.pass_context
def write_patch_files(context: click.Context, catalogue: Path | str | None) -> None:
    """Write patches of published volumes for programs that learn, where they have none.

    A worker does it after each publication: 48 cubes of 32 voxels at most go into learning/patches.parquet, which the
    record's Croissant describes, so that other programs read their values. Records that were published by an earlier
    version get theirs here, and those of which a worker could not read them; their data are not touched. What was
    done is kept: it can be stopped and done again. Leaves with exit code 1 where some have none.

    \b
    tomarium index patches
    tomarium index patches --catalogue postgresql://tomarium@db.example.org/catalogue
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.record_patches import write_patches

    with open_catalogue(catalogue, make=False) as opened:
        count, problems = write_patches(opened, LOCAL_OWNER, show.progress())
    show.warnings(problems)
    click.echo(f"{count} records got their patches")
    context.exit(1 if problems else 0)
