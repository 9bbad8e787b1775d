"""`tomarium align-slices`: drifted slices of a FIB-SEM or of serial sections as one volume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.cli.option_groups import GroupedCommand, under
from tomarium.errors import InputError, ParameterError

if TYPE_CHECKING:
    from tomarium.pipeline.align_slices.align import AlignedSlices, Bad, Levels
    from tomarium.pipeline.align_slices.measure_drift import Model
    from tomarium.pipeline.align_slices.slice_series import SliceSeries

_scale, _drift, _repair, _output = (under(name) for name in ("Scale", "Drift", "Repair", "Output"))


@click.command("align-slices", cls=GroupedCommand)
@click.argument("path", metavar="SLICES", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@_scale("--pixel", metavar="LENGTH", help='Pixel size, such as "5 nm"; by default as the file tells it.')
@_scale("--slice", "slice_text", metavar="LENGTH", help='Distance of two slices, such as "10 nm".')
@_scale(
    "--tilt",
    type=float,
    metavar="DEGREES",
    help="Angle between the beam that looks and the face that is cut, 52 in most FIB-SEMs: rows are 1/sin of it "
    "farther apart than in the image. Leave it out where the microscope corrected its images.",
)
@_drift(
    "--model",
    type=click.Choice(["translation", "affine"]),
    default="translation",
    show_default=True,
    help="Whether slices are moved, or stretched, sheared and turned too.",
)
@_drift(
    "--slow",
    default="auto",
    show_default=True,
    metavar="SLICES",
    help="Movement slower than so many slices stays; drift: all movement is drift; auto: see above.",
)
@_drift(
    "--reference",
    metavar="ROW,COLUMN,ROWS,COLUMNS",
    help="Region of a mark that is the same in all slices: all movement is told by it.",
)
@_drift(
    "--reach", type=float, metavar="PX", help="Farthest that neighbours lie apart; a quarter of each side."
)
@_repair(
    "--skipped",
    metavar="N,N…",
    help="Slices after which one was lost, from 0, besides gaps of their numbers.",
)
@_repair(
    "--bad",
    type=click.Choice(["keep", "fill"]),
    default="keep",
    show_default=True,
    help="Slices like none of their neighbours: kept, or filled in from both sides.",
)
@_repair(
    "--levels",
    type=click.Choice(["linear", "offset", "none"]),
    default="linear",
    show_default=True,
    help="Even brightness and contrast that jump from slice to slice, brightness alone, or neither.",
)
@_repair("--curtains", is_flag=True, help="Take stripes along the columns out, which uneven milling leaves.")
@_repair(
    "--widest",
    type=float,
    default=24.0,
    show_default=True,
    metavar="PX",
    help="Widest curtains, standard deviation.",
)
@_repair(
    "--rows", metavar="A:B", help="Rows of the slices that are used, such as those above an information bar."
)
@_repair("--columns", metavar="A:B", help="Columns that are used.")
@_output("--float", "as_float", is_flag=True, help="Voxels are float32, in place of the type of the slices.")
@_output(
    "--table", type=click.Path(path_type=Path), metavar="CSV", help="Write what was found of each slice."
)
@_output("--picture", type=click.Path(path_type=Path), metavar="SVG", help="Draw the same.")
@_output("--title", default="", help="Title of the record, where OUT is one.")
@_output("--find", "find_only", is_flag=True, help="Tell how slices lie, and write no volume.")
@_output("--overwrite", is_flag=True, help="Replace files that are there already.")
@_output("--json", "as_json", is_flag=True, help="Print the report for machines.")
def command(
    path: Path,
    target: Path,
    pixel: str | None,
    slice_text: str | None,
    tilt: float | None,
    model: Model,
    slow: str,
    reference: str | None,
    reach: float | None,
    skipped: str | None,
    bad: Bad,
    levels: Levels,
    curtains: bool,
    widest: float,
    rows: str | None,
    columns: str | None,
    as_float: bool,
    table: Path | None,
    picture: Path | None,
    title: str,
    find_only: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Lay the SLICES of a FIB-SEM, or serial sections, on each other, and write them as a volume.

    SLICES is a folder of TIFF, PNG, JPEG or BMP files, one slice each, a file of many pages, a volume or a record. OUT
    is a record where its name has no ending, derived from that one; else a file, as `tomarium convert` writes it.
    Voxels are as long as slices are apart: they are no cubes.

    Each slice is compared to its neighbours, to parts of a pixel, and all pairs are put together by least squares. A
    body that lies aslant and a stage that drifts look alike where they go on for many slices: NO method tells them
    apart without a mark. Movement that changes faster is undone; what is slower stays, and its size is told. By
    default the border lies where parts of the slices that know nothing of each other agree to 0.1 px.
    --slow drift takes all movement for drift, --reference takes a milled mark to be straight.

    It goes through slice by slice; where it was stopped, the same command goes on. The end is 1 where a warning was
    told.

    \b
    tomarium align-slices fib/ fib-aligned --pixel 5nm --slice 10nm --tilt 52
    tomarium align-slices fib/ aligned.ome.zarr --pixel 5nm --slice 10nm --curtains --bad fill
    tomarium align-slices fib/ aligned.ome.zarr --pixel 5nm --slice 10nm --reference 20,40,128,128
    tomarium align-slices sections.tif aligned.tif --model affine --slow drift --pixel 8nm --slice 50nm
    tomarium align-slices fib/ aligned.ome.zarr --find --picture drift.svg
    """
    from tomarium.pipeline.align_slices.align import align_slices
    from tomarium.pipeline.align_slices.aligned_planes import Curtains
    from tomarium.viewers.slice_drift import drift_picture, drift_table

    is_record = not target.suffix
    for file in (table, picture, None if is_record or find_only else target):
        if file is not None and file.exists() and not overwrite:
            raise InputError(
                f"{file}: exists already; give another name, or allow to overwrite it (--overwrite)"
            )
    tell = show.progress()
    aligned = align_slices(
        _series(path, rows, columns),
        pixel_m=None if pixel is None else units.parse(pixel, "m"),
        slice_m=None if slice_text is None else units.parse(slice_text, "m"),
        tilt_deg=tilt,
        model=model,
        slow=_read_slow_motion(slow),
        reference=_read_region(reference),
        reach_px=reach,
        skipped=_numbers(skipped),
        bad=bad,
        levels=levels,
        curtains=Curtains(widest) if curtains else None,
        as_float=as_float,
        tell=tell,
    )
    _write_aligned(aligned, path, target, title, is_record, find_only, overwrite, tell)
    if table is not None:
        table.write_text(drift_table(aligned.rows), encoding="utf-8")
    if picture is not None:
        picture.write_text(drift_picture(aligned.volume.metadata["aligned_slices"]), encoding="utf-8")
    if as_json:
        from tomarium.pipeline.align_slices.align import as_data

        show.as_json({"target": None if find_only else str(target), **as_data(aligned)})
    else:
        _print_drift(aligned)
        if not find_only:
            show.finished_record(target, is_record=is_record)
    show.warnings(aligned.warnings)
    return 1 if aligned.warnings else 0


def _write_aligned(
    aligned: AlignedSlices,
    path: Path,
    target: Path,
    title: str,
    is_record: bool,
    find_only: bool,
    overwrite: bool,
    tell: Callable[[str, int, int], None],
) -> None:
    if find_only:
        return
    if is_record:
        from tomarium.catalogue.aligned_record import make_aligned_record

        make_aligned_record(aligned, path, target, title=title, tell=tell)
        return
    from tomarium.conversion.convert import convert

    convert(
        aligned.volume,
        target,
        overwrite=overwrite,
        on_progress=lambda done, total: tell("write MB", done // 1_000_000, total // 1_000_000),
    )


def _series(path: Path, rows: str | None, columns: str | None) -> SliceSeries:
    from tomarium import formats
    from tomarium.pipeline.align_slices.slice_series import cropped, open_pictures, series_of_image

    series = open_pictures(path) or series_of_image(formats.open(path), path)
    if rows is None and columns is None:
        return series
    return cropped(series, scan_options.parse_rows(rows), scan_options.parse_rows(columns))


def _read_slow_motion(text: str) -> float | Literal["auto", "drift"]:
    if text == "auto":
        return "auto"
    if text == "drift":
        return "drift"
    try:
        return float(text)
    except ValueError as problem:
        raise ParameterError(f"--slow {text!r}: write a number of slices, auto or drift") from problem


def _read_region(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    numbers = _numbers(text)
    if len(numbers) != 4:
        raise ParameterError(f"--reference {text!r}: write ROW,COLUMN,ROWS,COLUMNS, such as 20,40,128,128")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _numbers(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(",")) if text else ()
    except ValueError as problem:
        raise ParameterError(f"{text!r}: write whole numbers, such as 17,41") from problem


def _print_drift(aligned: AlignedSlices) -> None:
    planes, rows, columns = aligned.volume.shape
    voxel = aligned.volume.voxel_m
    sizes = f" of {' × '.join(units.show(size, 'm') for size in voxel[::-1])}" if voxel else ""
    click.secho(f"{columns} × {rows} × {planes} voxels (x, y, z){sizes}", bold=True)
    account = aligned.volume.metadata["aligned_slices"]
    moved = [max(abs(row["row_px"]), abs(row["column_px"])) for row in aligned.rows]
    click.echo(f"  {account['model']}: slices were moved by up to {max(moved):.2f} px")
    error = (
        ""
        if account["error_px"] is None
        else f"; estimated error {account['error_px']:.3f} px (root mean square)"
    )
    if aligned.slow_slices is None:
        click.echo(f"  all movement was undone, by {account['chosen_by']}{error}")
        if not account["reference"]:
            click.echo(
                "  bodies that lie aslant were taken for drift and stand upright now: nothing tells them apart"
            )
    else:
        down, across = aligned.left_px
        click.echo(f"  movement faster than {aligned.slow_slices:g} slices was undone{error}")
        click.echo(
            f"  slower movement stays, {down:.1f} px along y and {across:.1f} px along x in all: drift, or bodies that "
            f"lie aslant; nothing tells them apart but a mark (--reference)"
        )
    if account["curtains"]:
        curtains = account["curtains"]
        click.echo(
            f"  curtains: {curtains['taken']:.3g} of a spread of {curtains['spread_of_values']:.3g} is taken (root "
            f"mean square), of which {curtains['of_the_specimen']:.3g} is likely specimen"
        )
