"""`tomarium print`: a pack for a 3-D printer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tomarium.cli import mesh_options, scan_options, show
from tomarium.cli.mesh_options import BodyOptions


@click.command("print")
@mesh_options.SOURCE
@mesh_options.with_body_options
@click.option("--height", metavar="LENGTH", help="Height of the body without its plate; 80 mm by default.")
@click.option(
    "--scale", type=float, help="Print over specimen, in place of the height: 20 is twenty times as large."
)
@click.option(
    "--min-wall", default="1.2mm", show_default=True, metavar="LENGTH", help="Least thickness of a wall."
)
@click.option("--max-tri", "triangles", default="300k", show_default=True, help="Triangles at most.")
@click.option(
    "--up",
    type=click.Choice(["z", "-z", "y", "-y", "x", "-x"]),
    default="z",
    show_default=True,
    help="Axis of the volume that points upwards.",
)
@click.option("--keep-hollow", is_flag=True, help="Leave closed hollows; they are filled otherwise.")
@click.option(
    "--largest-only", is_flag=True, help="Print the largest piece, however small a part of the body it is."
)
@click.option(
    "--text", multiple=True, help="A line for the plate, in place of DOI and licence; may be given again."
)
@click.option("--no-plate", is_flag=True, help="Without a plate, and so without DOI and licence on it.")
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print the figures for machines.")
def command(
    source: str,
    body_options: BodyOptions,
    height: str | None,
    scale: float | None,
    min_wall: str,
    triangles: str,
    up: str,
    keep_hollow: bool,
    largest_only: bool,
    text: tuple[str, ...],
    no_plate: bool,
    opening: scan_options.Opening,
    as_json: bool,
) -> None:
    """Make a print pack of the body in VOLUME, or of RECORD: its folder, or its identifier in the catalogue.

    The pack holds 3MF and STL in mm at a true scale, a GLB to look at, a picture, and a sheet of one page that says
    what it is, how to print it and what one may do with it. Walls that are thinner than --min-wall are made thicker,
    loose pieces left out, closed hollows filled, and each is told. DOI and licence stand on the plate below the body.

    Refused, with what to do, where the size of a voxel is not known, the body falls into pieces, or walls that hold
    would hide its shape.

    Of a record, the pack becomes a part of it; a record that was published gets a new one beside it.
    Needs the extra: pip install 'tomarium[mesh]'.

    \b
    tomarium print tooth-1a2b3c4d --height 80mm --min-wall 1.2mm --max-tri 300k
    tomarium print record/ --scale 20 --up y
    tomarium print volume.tif -o pack/ --voxel "2 um" --height 60mm --text "Sand" --text "CC BY 4.0"
    """
    from tomarium.catalogue.keep_mesh import keep_print
    from tomarium.catalogue.model_request import read_count, read_mm
    from tomarium.pipeline.mesh.print_body import PrintWish, as_data, print_body

    if height is not None and scale is not None:
        raise click.UsageError("give --height or --scale, not both")
    volume, place, about = mesh_options.open_source(source, body_options, opening)
    how = PrintWish(
        height_mm=None if scale is not None else read_mm(height or "80mm", "--height"),
        scale=scale,
        wall_mm=read_mm(min_wall, "--min-wall"),
        triangles=read_count(triangles, "--max-tri"),
        up=up,
        keep_hollow=keep_hollow,
        largest_only=largest_only,
        lines=() if no_plate else text or about.lines,
    )
    with mesh_options.demand_target(source, place, body_options, body_options.name or "print") as target:
        mesh, figures = print_body(
            volume,
            body_options.wish,
            how,
            level=body_options.level,
            memory=body_options.bytes,
            tell=show.progress(),
        )
        print_files = mesh_options.with_next(keep_print(target, mesh, figures, about), place)
    if as_json:
        show.as_json({**print_files, **as_data(figures)})
        return
    click.secho(str(Path(print_files["folder"])), bold=True)
    _print_figures(figures)
    mesh_options.tell_files(print_files)
    if place.folder is not None and not about.licence:
        show.warnings(
            [
                "the record states no licence, so others may not use the print; `tomarium edit --licence` sets one"
            ]
        )


def _print_figures(figures: Any) -> None:
    from tomarium.catalogue.print_sheet import changes
    from tomarium.pipeline.mesh.print_body import scale_words

    size = " × ".join(f"{length:.1f}" for length in figures.size_mm)
    side = "below" if figures.dark else "above"
    show.table(
        [
            ("scale", f"{figures.scale:.4g}", scale_words(figures.scale)),
            (
                "size",
                f"{size} mm",
                f"x, y, z; {figures.volume_cm3:.3g} cm³; {figures.triangles} triangles, closed",
            ),
            (
                "body",
                f"{side} {figures.threshold:.5g} {figures.threshold_unit}".rstrip(),
                figures.threshold_source,
            ),
            ("level", figures.grid, f"a voxel is {figures.pitch_mm:.2g} mm of the print"),
            (
                "stands on",
                f"{figures.stands_on_mm2:.3g} mm²",
                f"{100 * figures.overhang:.1f} % of it hangs over",
            ),
        ]
    )
    for change in changes(figures):
        click.echo(f"  {change}")
