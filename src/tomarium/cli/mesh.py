"""`tomarium mesh`: the surface of a body in a volume."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import mesh_options, scan_options, show
from tomarium.cli.mesh_options import BodyOptions


@click.command("mesh")
@mesh_options.SOURCE
@mesh_options.with_body_options
@click.option(
    "--max-tri", "triangles", default="300k", show_default=True, help="Triangles at most: 300k, 2M."
)
@click.option(
    "--smallest",
    type=click.IntRange(1),
    default=27,
    show_default=True,
    help="Voxels of a piece that is kept.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(["3mf", "stl", "ply"]),
    multiple=True,
    help="Files to write beside GLB and picture; may be given several times. By default all.",
)
@click.option(
    "--preview", type=click.Path(path_type=Path), metavar="PNG", help="Only draw the threshold on a slice."
)
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print the figures for machines.")
def command(
    source: str,
    body_options: BodyOptions,
    triangles: str,
    smallest: int,
    formats: tuple[str, ...],
    preview: Path | None,
    opening: scan_options.Opening,
    as_json: bool,
) -> None:
    """Make a closed mesh of the body in VOLUME, or of RECORD: its folder, or its identifier in the catalogue.

    The body is what is brighter than a threshold, inside the circle of the reconstruction; by default the threshold is
    half-way between the two classes of Otsu. The finest level of the pyramid that fits into memory is taken, and a
    coarser one where the surface has far more triangles than wanted. Told are volume and surface, the difference from
    the volume of the voxels, the Euler characteristic, and what was dropped.

    Of a record, the mesh becomes a part of it, with 3MF, STL, PLY, a GLB for the page and a picture. A record that was
    published does not change: a new one beside it is derived from it. With -o the files go elsewhere instead: into a
    folder, or as one file with its GLB, picture and figures beside it.

    Needs the extra: pip install 'tomarium[mesh]'. For a print with walls that hold: `tomarium print`.

    \b
    tomarium mesh record/ --preview threshold.png
    tomarium mesh record/
    tomarium mesh volume.ome.zarr -o tooth.stl
    tomarium mesh volume.ome.zarr -o mesh/ --threshold 0.8 --max-tri 100k --format stl
    tomarium mesh grains.ome.zarr -o grain3/ --label 3
    tomarium mesh volume.tif -o pores/ --dark --voxel "0.65 um"
    """
    from tomarium.catalogue.keep_mesh import keep_surface
    from tomarium.catalogue.mesh_files import FORMATS
    from tomarium.catalogue.model_request import read_count
    from tomarium.pipeline.mesh.make_mesh import Limits, as_data, doubts, in_lines, make_mesh

    volume, place, about = mesh_options.open_source(source, body_options, opening)
    if preview is not None:
        mesh_options.draw_preview(volume, body_options, preview)
        return
    name = body_options.name or ("surface" if body_options.label is None else f"label-{body_options.label}")
    with mesh_options.demand_target(source, place, body_options, name) as target:
        limits = Limits(read_count(triangles, "--max-tri"), body_options.level, body_options.bytes, smallest)
        mesh, figures = make_mesh(volume, body_options.wish, limits, show.progress())
        chosen_formats = formats or ((body_options.file_format,) if body_options.file_format else FORMATS)
        mesh_files = mesh_options.with_next(keep_surface(target, mesh, figures, about, chosen_formats), place)
    if as_json:
        show.as_json({**mesh_files, **as_data(figures)})
        return
    click.secho(str(mesh_files["folder"]), bold=True)
    show.table(in_lines(figures))
    mesh_options.tell_files(mesh_files)
    show.warnings(doubts(figures))
    if figures.length_unit != "mm":
        show.warnings(
            ["the size of a voxel is not known: the files count a voxel as 1 mm; give it with --voxel"]
        )
