"""`tomarium picture`: pictures of a record, a volume or a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.cli.catalogue_place import PLACE
from tomarium.cli.record_place import folder_of_record
from tomarium.cli.series_picture import demand_output, series_picture
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.model import Image
    from tomarium.pipeline.protocol.choice import Choice
    from tomarium.viewers.volume import Plane

KINDS = ("thumbnail", "sheet", "turntable", "histogram", "axis", "rings")


@click.command("picture")
@click.argument("source", metavar="RECORD|VOLUME|SCAN")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="sheet",
    show_default=True,
    help="What is drawn; a scan has thumbnail, axis and rings.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write: .png, of a turntable .webp, of a series also .mp4, .webm or .webp.",
)
@click.option("--series", is_flag=True, help="Draw one slice of every moment of a series, in the same greys.")
@click.option(
    "--plane", type=click.Choice(("z", "y", "x")), help="With --series: axis of the slice; z by default."
)
@click.option(
    "--at", "index", type=click.IntRange(min=0), help="With --series: index along it; the middle by default."
)
@click.option(
    "--speed", type=click.FloatRange(0.1, 60), help="With --series: moments a second in a film; 5 by default."
)
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--catalogue", type=PLACE, help="Its file or address, for RECORD; the user's own by default.")
@scan_options.opening
@scan_options.steps
def command(
    source: str,
    kind: str,
    output: Path,
    series: bool,
    plane: Plane | None,
    index: int | None,
    speed: float | None,
    force: bool,
    catalogue: Path | str | None,
    opening: scan_options.Opening,
    choice: Choice,
) -> None:
    """Draw a picture of a RECORD (its identifier or its folder), of a VOLUME or of a SCAN.

    \b
    thumbnail  the middle slice, at most 512 pixels wide
    sheet      16 slices from the first to the last, in the same grey values
    turntable  the surface turning about the rotation axis, a corner cut out: animated WebP of at most 500 kB
    histogram  how often each grey value occurs inside the circle of the reconstruction
    axis       the same slice about nine rotation axes, a column apart: of a scan
    rings      a slice in polar coordinates about the rotation axis: a ring is an upright line

    With --series the source is the folder of `tomarium series`, or a record of it: .mp4 and .webm are films, made by
    the program ffmpeg; .webp is animated and needs none; .png is a sheet of all moments.

    \b
    tomarium picture tooth-1a2b3c4d --kind turntable -o tooth.webp
    tomarium picture volume.ome.zarr -o slices.png
    tomarium picture scan.h5 --kind axis -o axes.png
    tomarium picture scan.h5 --kind rings --step remove_stripes --set remove_stripes.method=all -o rings.png
    tomarium picture loading_series --series --plane y --speed 10 -o loading.mp4
    """
    from tomarium.atomic_files import write_whole
    from tomarium.model import Scan, Volume
    from tomarium.viewers.picture_kinds import ENDINGS, picture_of_scan, picture_of_volume

    if series:
        content = series_picture(source, catalogue, plane or "z", index, speed or 5.0, output, force)
        write_whole(output, content)
        click.echo(f"{output}: series {source}, {units.show(len(content), 'B', digits=3)}")
        return
    if plane or index is not None or speed:
        raise InputError("--plane, --at and --speed go with --series; of one volume draw --kind sheet")
    demand_output(output, (ENDINGS.get(kind, ".png"),), kind, force)
    opened = opening.open(_place(source, catalogue))
    if isinstance(opened, Scan):
        content = picture_of_scan(opened, kind, choice, show.progress())
    elif isinstance(opened, Volume):
        choice.demand_scan(Path(source))
        content = picture_of_volume(opened, kind)
    else:
        raise _no_volume(source, opened)
    write_whole(output, content)
    click.echo(f"{output}: {kind} of {source}, {units.show(len(content), 'B', digits=3)}")


def _place(source: str, catalogue: Path | str | None) -> Path:
    from tomarium.datasets.addresses import is_address

    if is_address(source):
        from tomarium.datasets.web_files import web_path

        return cast(Path, web_path(source))
    path = Path(source)
    return path if path.exists() else folder_of_record(source, catalogue)


def _no_volume(source: str, image: Image) -> InputError:
    from tomarium.formats.format import CHOOSE
    from tomarium.formats.opening.messages import no_volume

    if CHOOSE in image.metadata:
        return InputError(no_volume(source, image))
    shape = " × ".join(map(str, image.shape))
    message = f"{source}: holds an image of {shape}, neither a scan nor a volume (z, y, x)"
    if image.ndim == 2:
        message += "; `tomarium convert` makes a picture of it: give a name that ends in .png, and --lossy"
    return InputError(message)
