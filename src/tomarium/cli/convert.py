"""`tomarium convert`: into another format, with an account of every part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium import units
from tomarium.cli import scan_options, show

if TYPE_CHECKING:
    from tomarium.conversion.convert import Converted


@click.command("convert")
@scan_options.SCAN
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", metavar="FORMAT", help="Format to write; by default the ending of OUT decides.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it is there already.")
@click.option(
    "--lossy", is_flag=True, help="Round values that OUT's format does not hold exactly, instead of refusing."
)
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    path: Path,
    target: Path,
    to: str | None,
    opening: scan_options.Opening,
    overwrite: bool,
    lossy: bool,
    as_json: bool,
) -> None:
    """Convert SCAN, or a volume, to OUT and report what became of every part of it.

    Frames go block by block, so any size fits. OUT appears when it is complete; where the command was stopped,
    repeat it and it goes on. What the new format cannot express is kept in a side-car, and put back when the file
    is converted home again.

    \b
    tomarium convert scan.h5 scan.nx
    tomarium convert tiffs/ scan.h5 --to data-exchange --pixel '0.65 um'
    tomarium convert scan.nx frames.csv
    tomarium convert scan.nx angles.csv --data /entry/data/rotation_angle
    """
    from tomarium.conversion.convert import convert, convert_dataset

    if "data" in opening.given and (to or target.suffix.lower().lstrip(".")) == "csv":
        _tell(convert_dataset(path, opening.given["data"], target, overwrite=overwrite), as_json)
        return
    opened = opening.open(path)
    tell = show.progress()
    done = convert(
        opened,
        target,
        to=to,
        overwrite=overwrite,
        lossy=lossy,
        tell=lambda done, total: tell("write MB", done // 1_000_000, total // 1_000_000),
    )
    _tell(done, as_json)


def _tell(done: Converted, as_json: bool) -> None:
    from tomarium.conversion.convert import as_data

    told = as_data(done)
    if as_json:
        show.as_json(told)
        return
    click.secho(f"{done.target}: {done.format}", bold=True)
    show.table(
        (one.fate, one.what, f"{one.source} → {one.target}" if one.source else one.target, one.detail)
        for one in done.changes
        if one.fate not in ("restored", "side-car")
    )
    for fate, words in (("side-car", "kept in the side-car"), ("restored", "put back as it was")):
        if fate in told["counts"]:
            click.echo(f"  {told['counts'][fate]} more {words}; --json names each")
    size = done.target.stat().st_size if done.target.is_file() else None
    if size is not None:
        click.echo(f"  {units.show(size, 'B')}")
    show.warnings(done.warnings)
