"""`tomarium recad`: a volume in 8 or 16 bits, by the name it has in tomodata."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from tomarium.cli import scan_options
from tomarium.cli.convert import cast_volume


@click.command("recad")
@click.argument("path", metavar="VOLUME", type=click.Path(path_type=Path))
@click.argument("target", metavar="[OUT]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--bits", type=click.Choice(["8", "16"]), default="16", show_default=True, help="Bits of a voxel."
)
@click.option(
    "--limits",
    metavar="auto|A:B",
    help="Values that become 0 and the greatest number; auto, the default, takes percentiles inside the circle: "
    "0.01 and 99.99 for 16 bits, 0.1 and 99.9 for 8.",
)
@click.option("--to", metavar="FORMAT", help="Format to write; by default the ending of OUT decides.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it is there already.")
@click.option("--remove-source", is_flag=True, help="Remove VOLUME once every voxel of OUT is read back.")
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    path: Path,
    target: Path | None,
    bits: str,
    limits: str | None,
    to: str | None,
    overwrite: bool,
    remove_source: bool,
    opening: scan_options.Opening,
    as_json: bool,
) -> None:
    """Cast VOLUME to 8 or 16 bits between stated limits: `tomarium convert --dtype`, with short options.

    OUT is VOLUME_16bit.tif beside it by default. The limits stand in the file and in OUT.json; every voxel is read
    back and compared before anything is removed.

    \b
    tomarium recad volume.vol
    tomarium recad volume.vol volume8.tif --bits 8 --limits -0.1:2.5
    tomarium recad volume.vol --remove-source
    """
    dtype: Literal["uint8", "uint16"] = "uint8" if bits == "8" else "uint16"
    whole = path.resolve()
    place = target or whole.with_name(f"{whole.name.split('.')[0]}_{bits}bit.tif")
    form = to or ("tiff-volume" if target is None else None)
    cast_volume(
        opening.open(path),
        place,
        dtype,
        limits,
        to=form,
        overwrite=overwrite,
        remove_source=remove_source,
        as_json=as_json,
    )
