"""`tomarium rescue`: a picture that lost its scale gets it back."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.cli.entity import CATALOGUE
from tomarium.errors import InputError


@click.command("rescue")
@click.argument("path", metavar="FIGURE", type=click.Path(path_type=Path))
@click.argument("target", metavar="[OUT]", type=click.Path(path_type=Path), required=False)
@click.option("--bar", metavar="LENGTH", help='What the bar in the picture stands for, such as "50 um".')
@click.option("--bar-px", type=float, metavar="PX", help="With --bar: its length, where it is not found.")
@click.option("--pixel", metavar="LENGTH", help="Size of a pixel.")
@click.option("--width", metavar="LENGTH", help="Width of the whole picture.")
@click.option("--rows", metavar="A:B", help="Rows that are kept, such as those above an information bar.")
@click.option(
    "--from",
    "of",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Folder of the record that the picture was made of.",
)
@click.option("--title", default="", help="Title of the record, where OUT is one.")
@click.option(
    "--specimen",
    metavar="ID",
    help="File the record in the catalogue, as one of this specimen, once it is made.",
)
@click.option(
    "--confirm", type=click.Path(path_type=Path), metavar="PNG", help="Draw what was taken for the bar."
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer for machines.")
@CATALOGUE
def command(
    path: Path,
    target: Path | None,
    bar: str | None,
    bar_px: float | None,
    pixel: str | None,
    width: str | None,
    rows: str | None,
    of: Path | None,
    title: str,
    specimen: str | None,
    confirm: Path | None,
    as_json: bool,
    catalogue: Path | None,
) -> None:
    """Give FIGURE, a TIFF, PNG or JPEG without a scale, its scale back.

    You read the label of its scale bar, the program finds the bar and measures it, from end to end: --confirm draws
    what it took for the bar, look at it. Where it finds none, or several, it says so, and --bar-px tells the length.
    Tags of FEI, Zeiss and TESCAN microscopes, and the text of a JEOL or Hitachi one beside FIGURE, are read where
    nothing is told; their information bar is left out where they tell its height.

    OUT is a record where its name has no ending: the file as it is, the calibrated image, and the picture to confirm,
    derived --from the record of the raw data; else an OME-TIFF (.tif). Without OUT the scale is only told. With
    --specimen the record is filed at once.

    \b
    tomarium rescue figure4.png --bar "50 um" --confirm bar.png
    tomarium rescue figure4.png figure-4 --bar "50 um" --from fib-aligned/ --title "Figure 4: iron in olivine"
    tomarium rescue figure4.png figure-4 --bar "50 um" --specimen rum-7-lamella
    tomarium rescue sem.tif calibrated.tif --rows 0:884 --width "127 um"
    """
    from io import BytesIO

    import numpy as np
    from PIL import Image as Pillow

    from tomarium import formats
    from tomarium.atomic_files import write_whole
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.file_in_specimen import demand_specimen, file_in_specimen
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.conversion.convert import convert
    from tomarium.conversion.rescue import marked, rescue
    from tomarium.model import Image

    for output_file in (target, confirm):
        if output_file is not None and output_file.exists():
            raise InputError(f"{output_file}: exists already; give another name")
    if of is not None and (target is None or target.suffix):
        raise InputError("--from is told in a record: give OUT a name without an ending")
    if specimen is not None and (target is None or target.suffix):
        raise InputError("--specimen is told of a record: give OUT a name without an ending")
    if specimen is not None:
        with open_catalogue(catalogue, make=False) as open_files:
            demand_specimen(open_files, LOCAL_OWNER, specimen)
    opened = formats.open(path, as_format="picture")
    assert isinstance(opened, Image)
    rescued = rescue(
        opened,
        path,
        bar_m=_length(bar),
        bar_px=bar_px,
        pixel_m=_length(pixel),
        width_m=_length(width),
        rows=scan_options.parse_rows(rows),
    )
    whole = np.asarray(opened)
    if confirm is not None:
        file = BytesIO()
        Pillow.fromarray(marked(whole, rescued.bar)).save(file, format="PNG")
        write_whole(confirm, file.getvalue())
    if target is not None and target.suffix:
        convert(rescued.image, target)
    elif target is not None:
        from tomarium.catalogue.rescued_record import make_rescued_record

        make_rescued_record(rescued, path, whole, target, title=title, of=of)
    filed = None
    if specimen is not None and target is not None:
        with open_catalogue(catalogue, make=False) as open_files:
            filed = file_in_specimen(open_files, LOCAL_OWNER, target, specimen)
    if as_json:
        record_content = {} if filed is None else {"record": filed.id, "specimen": specimen}
        show.as_json({
            "target": None if target is None else str(target), **record_content, **rescued.image.metadata["rescued"]
        })  # fmt: skip
        return
    spread = f" ± {100 * rescued.sigma_m / rescued.pixel_m:.2g} %" if rescued.sigma_m else ""
    click.secho(f"a pixel is {units.show(rescued.pixel_m, 'm')}{spread}", bold=True)
    click.echo(f"  by {rescued.by}")
    if rescued.bar is not None:
        click.echo(
            f"  the bar lies in rows {rescued.bar.top} to {rescued.bar.bottom - 1}, "
            f"from column {rescued.bar.left:.1f} to "
            f"{rescued.bar.right:.1f}; look at it with --confirm bar.png"
        )
    if filed is not None:
        click.echo(f"{target}: finished, and filed as {filed.id} of the specimen {specimen}")
    elif target is not None:
        click.echo(
            f"{target}: finished" + ("" if target.suffix else f"; file it with: tomarium ingest {target}")
        )


def _length(text: str | None) -> float | None:
    return None if text is None else units.parse(text, "m")
