"""`tomarium stitch`: finished volumes of scans at several heights, or beside each other, as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import scan_options, show
from tomarium.errors import InputError, ParameterError

if TYPE_CHECKING:
    from tomarium.pipeline.stitch.stitch import Field, Levels, Stitched


@click.command("stitch")
@click.argument("paths", metavar="VOLUME VOLUME…", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--at",
    "at",
    multiple=True,
    metavar="Z,Y,X",
    help="Where a further volume's voxel 0,0,0 lies in the first, as motors told it; once for each, in their order. "
    "By default each overlaps in height with the one before, and is looked for.",
)
@click.option(
    "--search", "search_px", type=float, metavar="PX", help="Farthest from --at; 16 by default, 0: none."
)
@click.option("--no-turn", is_flag=True, help="Volumes are not turned against each other about z.")
@click.option(
    "--levels",
    type=click.Choice(["linear", "offset", "none"]),
    default="linear",
    show_default=True,
    help="How grey levels are matched to the first volume.",
)
@click.option(
    "--field",
    type=click.Choice(["auto", "circle", "box"]),
    default="auto",
    show_default=True,
    help="What of a slice is trusted: its inscribed circle, or all of it; auto: the circle of square slices.",
)
@click.option("--title", default="", help="Title of the record, where OUT is one.")
@click.option("--find", "find_only", is_flag=True, help="Tell how the volumes lie, and write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it is a file that is there already.")
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    paths: tuple[Path, ...],
    target: Path,
    at: tuple[str, ...],
    search_px: float | None,
    no_turn: bool,
    levels: Levels,
    field: Field,
    title: str,
    find_only: bool,
    overwrite: bool,
    opening: scan_options.Opening,
    as_json: bool,
) -> int:
    """Put finished VOLUMES, or those of records, together: scans at several heights, or beside each other.

    What each two hold is laid on each other in three dimensions: three shifts and a turn about z, to hundredths of a
    voxel. Grey levels are matched to the first volume, which itself stays where it is, and slices are blended over the
    whole overlap. All volumes have one voxel size and one unit. OUT is a record where its name has no ending, derived
    from the records that were given; else a file, as `tomarium convert` writes it. Values are float32.

    It goes through slab by slab and takes three slabs of 64 slices of memory; where it was stopped, the same command
    goes on. Where a volume was found by little, or not where it was told, the end is 1 and a line says so.

    Raw scans at several heights are better stitched before they are reconstructed: `tomarium steps stitch`.

    \b
    tomarium stitch low/ middle/ high/ tall
    tomarium stitch low.tif high.tif tall.ome.zarr --at 900,0,0
    tomarium stitch left/ right/ wide --at 0,3,1800 --search 40
    tomarium stitch low/ high/ tall --find
    """
    from tomarium.pipeline.stitch.part import demand_volume
    from tomarium.pipeline.stitch.stitch import as_data, stitch_volumes, write_stitched

    if len(paths) < 2:
        raise click.UsageError("give two volumes or more, and OUT behind them")
    is_record = not target.suffix
    if target.exists() and not (overwrite or find_only or is_record):
        raise InputError(
            f"{target}: exists already; give another name, or allow to overwrite it (--overwrite)"
        )
    tell = show.progress()
    stitched = stitch_volumes(
        [demand_volume(opening.open(path), path) for path in paths],
        at=[_read_place(text) for text in at],
        search_px=search_px,
        turns=not no_turn,
        levels=levels,
        field=field,
        tell=tell,
    )
    if is_record and not find_only:
        from tomarium.catalogue.stitched_record import make_stitched_record

        make_stitched_record(stitched, paths, target, title=title, tell=tell)
    elif not find_only:
        write_stitched(stitched, target, sources=paths, overwrite=overwrite, tell=tell)
    if as_json:
        show.as_json({"target": None if find_only else str(target), **as_data(stitched)})
    else:
        _print_stitched(stitched, paths)
        if not find_only:
            show.finished_record(target, is_record=is_record)
    show.warnings(stitched.warnings)
    return 1 if stitched.warnings else 0


def _print_stitched(stitched: Stitched, paths: tuple[Path, ...]) -> None:
    depth, rows, columns = stitched.volume.shape
    click.secho(f"{columns} × {rows} × {depth} voxels", bold=True)
    if stitched.unseen > 0.001:
        click.echo(f"  {100 * stitched.unseen:.1f} % of them are held by no volume and are 0")
    for path, placed in zip(paths, stitched.placed, strict=True):
        click.echo(
            f"  {path.name}: at {placed.z:.2f}, {placed.y:.2f}, {placed.x:.2f}, turned by {placed.turn_deg:.3f}°; "
            f"values = {placed.gain:.4f} · first + {placed.offset:.4g}"
        )
    for pair in stitched.pairs:
        click.echo(
            f"  {paths[pair.other].name} on {paths[pair.one].name}: correlation {pair.likeness:.3f} in {pair.blocks} "
            f"blocks, which agree to {pair.spread_px:.3f} px"
        )


def _read_place(text: str) -> tuple[float, float, float]:
    try:
        z, y, x = (float(word) for word in text.split(","))
    except ValueError as problem:
        raise ParameterError(
            f"--at {text!r}: write three numbers of voxels, Z,Y,X, such as 900,0,0"
        ) from problem
    return z, y, x
