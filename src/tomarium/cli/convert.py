"""`tomarium convert`: into another format, with an account of every part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.conversion.cast import CastReport
    from tomarium.conversion.convert import Converted
    from tomarium.model import Image, Scan


@click.command("convert")
@scan_options.SCAN_OR_ADDRESS
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--to", metavar="FORMAT", help="Format to write; by default the ending of OUT decides.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it is there already.")
@click.option(
    "--lossy", is_flag=True, help="Round values that OUT's format does not hold exactly, instead of refusing."
)
@click.option(
    "--dtype", type=click.Choice(["uint8", "uint16"]), help="Cast a volume to whole numbers of 8 or 16 bits."
)
@click.option(
    "--limits",
    metavar="auto|A:B",
    help="With --dtype: values that become 0 and the greatest number; auto, the default, takes percentiles.",
)
@click.option(
    "--remove-source",
    is_flag=True,
    help="With --dtype: remove the volume once every voxel of OUT is read back.",
)
@click.option(
    "--cubes",
    metavar="finest|coarsest|LENGTH",
    help="Write a volume in voxels that are cubes: of the shortest or longest length of its own, or such as '10 nm'.",
)
@click.option("--labels", is_flag=True, help="With --cubes: values are labels, and nothing lies between two.")
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    path: Path,
    target: Path,
    to: str | None,
    opening: scan_options.Opening,
    overwrite: bool,
    lossy: bool,
    dtype: Literal["uint8", "uint16"] | None,
    limits: str | None,
    remove_source: bool,
    cubes: str | None,
    labels: bool,
    as_json: bool,
) -> None:
    """Convert SCAN, or a volume, to OUT and report what became of every part of it.

    Frames go block by block, so any size fits. OUT appears when it is complete; where the command was stopped,
    repeat it and it goes on. What the new format cannot express is kept in a side-car, and put back when the file
    is converted home again.

    SCAN may be the address of an OME-Zarr image on the web: "#level=1&z=100:200" after it chooses a level and a region,
    and only their chunks are fetched.

    With --dtype, a volume is cast between limits that are stated in OUT or in OUT.json, so that values come back
    within half a step; auto takes the percentiles 0.01 and 99.99 inside the circle for 16 bits, and 0.1 and 99.9 for 8.
    It is then read back and compared, and only then --remove-source removes it. `tomarium recad` does the same by its
    name in tomodata.

    With --cubes, a volume whose voxels are longer along one axis, as of FIB slices, is written in cubes, which
    skeletons, thickness and a watershed need. Values between voxels are linear, and are averaged where cubes are longer
    than voxels; --labels takes the label at the middle of a cube, as it is done without it for an OME-Zarr label image.
    No detail is won: slices 20 nm apart stay 20 nm apart.

    \b
    tomarium convert scan.h5 scan.nx
    tomarium convert tiffs/ scan.h5 --to data-exchange --pixel '0.65 um'
    tomarium convert scan.nx frames.csv
    tomarium convert record/ volume.tif --dtype uint8
    tomarium convert 'https://data.example.org/bone.zarr#level=1&z=100:200' part.ome.zarr
    tomarium convert volume.ome.zarr volume.tif --dtype uint16 --limits -0.1:2.5
    tomarium convert fib.ome.zarr cubes.ome.zarr --cubes finest
    tomarium convert pores.ome.zarr pore-cubes.ome.zarr --cubes '10 nm' --labels
    tomarium convert scan.nx angles.csv --data /entry/data/rotation_angle
    """
    from tomarium.conversion.convert import convert, convert_dataset

    for option, is_given in (("--limits", limits is not None), ("--remove-source", remove_source)):
        if is_given and dtype is None:
            raise click.UsageError(f"{option} goes with --dtype uint8 or --dtype uint16")
    if labels and cubes is None:
        raise click.UsageError("--labels goes with --cubes")
    if cubes is not None and (dtype is not None or lossy):
        raise click.UsageError("--cubes goes without --dtype and --lossy; cast or round what it wrote")
    if (
        isinstance(path, Path)
        and "data" in opening.given
        and (to or target.suffix.lower().lstrip(".")) == "csv"
    ):
        _print_converted(convert_dataset(path, opening.given["data"], target, overwrite=overwrite), as_json)
        return
    if remove_source and not isinstance(path, Path):
        raise click.UsageError("--remove-source removes a file of yours; leave it out for an address")
    opened = opening.open(path)
    tell = show.progress()
    if cubes is not None:
        from tomarium.formats.opening.messages import no_volume
        from tomarium.model import Volume
        from tomarium.pipeline.resample.cubes import edge_of, write_cubes

        if not isinstance(opened, Volume):
            raise InputError(no_volume(path, opened))
        written = write_cubes(
            opened, target, edge_of(opened, cubes), labels=labels, to=to, overwrite=overwrite, tell=tell
        )
        _print_converted(written, as_json)
        return
    if dtype is not None:
        cast_volume(
            opened,
            target,
            dtype,
            limits,
            to=to,
            overwrite=overwrite,
            remove_source=remove_source,
            as_json=as_json,
        )
        return
    converted = convert(
        opened,
        target,
        to=to,
        overwrite=overwrite,
        lossy=lossy,
        on_progress=lambda done, total: tell("write MB", done // 1_000_000, total // 1_000_000),
    )
    _print_converted(converted, as_json)


def cast_volume(
    opened: Scan | Image,
    target: Path,
    dtype: Literal["uint8", "uint16"],
    limits: str | None,
    *,
    to: str | None,
    overwrite: bool,
    remove_source: bool,
    as_json: bool,
) -> None:
    """Cast a volume, tell what became of it, and remove the source where that was asked."""
    from tomarium.conversion.cast import convert_cast, demand_removable, parse_limits, remove

    range_given = parse_limits(limits or "auto")
    sources = demand_removable(opened) if remove_source else ()
    tell = show.progress()
    target_written, report = convert_cast(
        opened, target, dtype, range_given, to=to, overwrite=overwrite, on_progress=tell
    )
    remove(sources, target)
    _print_converted(target_written, as_json, report)
    if sources and not as_json:
        click.echo(f"  removed: {', '.join(map(str, sources))}")


def _print_converted(converted: Converted, as_json: bool, cast: CastReport | None = None) -> None:
    from tomarium.conversion import cast as casting
    from tomarium.conversion.convert import as_data

    content = as_data(converted) | ({} if cast is None else {"cast": casting.as_data(cast)})
    if as_json:
        show.as_json(content)
        return
    click.secho(f"{converted.target}: {converted.format}", bold=True)
    show.table(
        (
            change.fate,
            change.what,
            f"{change.source} → {change.target}" if change.source else change.target,
            change.detail,
        )
        for change in converted.changes
        if change.fate not in ("restored", "side-car")
    )
    for change_kind, words in (("side-car", "kept in the side-car"), ("restored", "put back as it was")):
        if change_kind in content["counts"]:
            click.echo(f"  {content['counts'][change_kind]} more {words}; --json names each")
    size = converted.target.stat().st_size if converted.target.is_file() else None
    if size is not None:
        click.echo(f"  {units.show(size, 'B')}")
    if cast is not None:
        _tell_cast(cast)
    show.warnings(converted.warnings)


def _tell_cast(cast: CastReport) -> None:
    shares = [f"{100 * count / cast.voxels:.3g} %" for count in (cast.below, cast.above)]
    click.echo(f"  {cast.dtype} from {cast.low:g} to {cast.high:g} {cast.unit}: {cast.limits}")
    click.echo(f"  {cast.formula}")
    click.echo(
        f"  read back: between the limits right to {cast.largest_error:.3g} {cast.unit}, "
        f"{cast.largest_error / cast.step:.3f} of a step"
    )
    not_finite_text = f"; {cast.not_finite} that were no numbers became 0" if cast.not_finite else ""
    click.echo(f"  clipped: {shares[0]} of all voxels below, {shares[1]} above{not_finite_text}")
