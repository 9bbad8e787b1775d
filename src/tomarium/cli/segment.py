"""`tomarium segment`: classes or objects of a finished volume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import scan_options, show
from tomarium.errors import InputError, ParameterError

if TYPE_CHECKING:
    from tomarium.pipeline.segment.field import Field
    from tomarium.pipeline.segment.segment import Method

METHODS = ("otsu", "multi-otsu", "hysteresis", "watershed", "forest")


@click.command("segment")
@click.argument("path", metavar="VOLUME", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--method", type=click.Choice(METHODS), default="otsu", show_default=True, help="How; see above."
)
@click.option("--dark", is_flag=True, help="Objects are what is darker, such as pores.")
@click.option(
    "--threshold", metavar="A[:B[:C]]", help="Thresholds in the volume's unit, in place of those found."
)
@click.option("--classes", type=int, default=3, show_default=True, help="Classes of multi-otsu.")
@click.option(
    "--smooth",
    type=float,
    default=1.0,
    show_default=True,
    help="Smoothing before, standard deviation in px; 0: none.",
)
@click.option(
    "--painted",
    type=click.Path(path_type=Path),
    help="For a forest: a label volume that is 0 where nothing is painted, or a CSV table with z, y, x, label.",
)
@click.option(
    "--h",
    "h_px",
    type=float,
    default=1.0,
    show_default=True,
    help="Watershed: least rise of a seed over a neck, px.",
)
@click.option(
    "--field",
    type=click.Choice(["auto", "circle", "box"]),
    default="auto",
    show_default=True,
    help="What of a slice is segmented: its inscribed circle, or all of it; auto: the circle where VOLUME tells "
    "that it was reconstructed in one.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it is there already.")
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    path: Path,
    target: Path,
    method: Method,
    dark: bool,
    threshold: str | None,
    classes: int,
    smooth: float,
    painted: Path | None,
    h_px: float,
    field: Field,
    overwrite: bool,
    opening: scan_options.Opening,
    as_json: bool,
) -> None:
    """Segment VOLUME, or that of a record: OUT gets a class, or the number of an object, for every voxel.

    Voxels outside of the field are 0 and are not counted: of a reconstruction by `tomarium run` the field is the
    inscribed circle of a slice, of FIB slices and boxes all of it; which was taken is told and kept with the labels.
    Give --field circle for reconstructions of other programs, whose files do not tell.

    The volume goes through slab by slab, and slabs of any height give the same labels. OUT is an OME-Zarr label image
    where it ends in .zarr, a record where its name has no ending, derived from that of VOLUME, else what `tomarium
    convert` writes.

    \b
    otsu        1 beyond the threshold that parts two classes best
    multi-otsu  0, 1, 2 … between several thresholds, the darkest 0
    hysteresis  1 beyond a weak threshold, in objects that reach a strong one
    watershed   objects beyond one threshold, parted at their necks: 1, 2, 3 …
    forest      classes learned from a few painted voxels

    Needs the extra: pip install 'tomarium[analysis]'. Then `tomarium measure OUT --objects` tells of each object.

    \b
    tomarium segment record/ solid.ome.zarr
    tomarium segment record/ record-segmented
    tomarium segment volume.tif pores.ome.zarr --dark --method hysteresis --field circle
    tomarium segment volume.tif grains.ome.zarr --method watershed --h 2
    tomarium segment volume.tif phases.tif --method multi-otsu --classes 4
    tomarium segment volume.tif phases.ome.zarr --method forest --painted points.csv
    """
    from tomarium.formats.opening.messages import no_volume
    from tomarium.model import Volume
    from tomarium.pipeline.segment.segment import as_data, segment

    volume = opening.open(path)
    if not isinstance(volume, Volume):
        raise InputError(no_volume(path, volume))
    is_record = not target.suffix
    if is_record and target.exists():
        raise InputError(f"{target}: exists already; give another name for the record")
    if is_record and target.parent.name == "labels" and (target.parent.parent / "zarr.json").is_file():
        raise InputError(f"{target}: labels of a Zarr image are Zarr too; let its name end in .zarr")
    segmentation = segment(
        volume,
        target / "volume.ome.zarr" if is_record else target,
        method,
        smooth_px=smooth,
        classes=classes,
        thresholds=_numbers(threshold),
        dark=dark,
        painted=painted,
        h_px=h_px,
        field=field,
        overwrite=overwrite,
        tell=show.progress(),
    )
    if is_record:
        from tomarium.catalogue.segmented_record import file_labels

        file_labels(target, path, {"unit": volume.unit, **as_data(segmentation)})
    if as_json:
        show.as_json({"target": str(target), "unit": volume.unit, **as_data(segmentation)})
        return
    click.secho(f"{target}: {method}", bold=True)
    levels = ", ".join(f"{threshold:.4g}" for threshold in segmentation.thresholds)
    if levels:
        click.echo(f"  threshold {levels} {volume.unit}".rstrip())
    where = "inside the circle" if segmentation.field == "circle" else "of the volume"
    click.echo(f"  field {segmentation.field}: {segmentation.field_source}")
    total = sum(segmentation.voxels.values())
    for number, count in sorted(segmentation.voxels.items()):
        click.echo(f"  {number:>3d}  {100 * count / total:7.3f} % of the voxels {where}")
    if segmentation.objects is not None:
        click.echo(f"  {segmentation.objects} objects")


def _numbers(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        return tuple(float(word) for word in text.split(":"))
    except ValueError as problem:
        raise ParameterError(f"--threshold {text!r}: write numbers, such as 0.8 or 0.8:1.2") from problem
