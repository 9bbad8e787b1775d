"""`tomarium slice`: one slice or a few, fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.kernels.axis.slice_measures import Measure
    from tomarium.model import Image, Layout, Scan, Volume
    from tomarium.pipeline.protocol.choice import Choice
    from tomarium.viewers.slice_file import PixelSize, Plane


@click.command("slice")
@scan_options.SCAN_OR_ADDRESS
@click.option(
    "--row",
    "rows",
    metavar="N[,N…]",
    help="Detector row, from 0; negative from the end; several by commas, or A:B:STEP; the middle one by default.",
)
@click.option(
    "--along",
    type=click.Choice(["z", "y", "x"]),
    default="z",
    show_default=True,
    help="Axis the slice stands across: z is the rotation axis; a slice along y or x shows all detector rows.",
)
@click.option("--at", type=int, help="With --along y or x: its place in voxels; the middle by default.")
@click.option(
    "--plane",
    metavar="Z,Y,X | TILT,TURN",
    help="A plane at any angle: the direction it stands across, or that by two angles in degrees, from the rotation "
    "axis, and in the slice from x towards y.",
)
@click.option(
    "--through",
    metavar="Z,Y,X",
    help="With --plane: a voxel that lies in it; the middle of the volume by default.",
)
@click.option(
    "--axis-sweep",
    "sweep",
    metavar="A:B:STEP",
    help="The same slice about each of these rotation axes, on one sheet: find the axis by eye. "
    "Columns of the file, also with --bin.",
)
@click.option(
    "--measure",
    type=click.Choice(["std", "edges", "entropy", "negative"]),
    help="With --axis-sweep: measure each slice, and tell the axis of the best: std is greatest there; edges (mean "
    "gradient), entropy and negative (part below 0) are least. Without -o nothing but the numbers is shown.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write: .png (several slices on one sheet), .tif or .npy (several as a stack). Without it the slice "
    "is shown in the terminal.",
)
@click.option(
    "--device",
    metavar="N | auto | none",
    help="GPU to use; by default none, for one slice is made before a GPU is started. Worth it for --axis-sweep over "
    "many axes, and for iterative steps.",
)
@click.option("--force", is_flag=True, help="Go on where the frames cannot give a right slice.")
@scan_options.opening
@scan_options.steps
def command(
    path: Path,
    rows: str | None,
    along: str,
    at: int | None,
    plane: str | None,
    through: str | None,
    sweep: str | None,
    measure: Measure | None,
    output: Path | None,
    device: str | None,
    force: bool,
    opening: scan_options.Opening,
    choice: Choice,
) -> int:
    """Reconstruct a slice of SCAN, or show one of a volume: only what it needs is read.

    A volume is given as a file or folder, as the folder of a record, by the identifier that `tomarium search` tells, or
    by the address of an OME-Zarr image on the web: "#level=2&c=0" after it chooses a level and a channel.

    \b
    tomarium slice scan.h5
    tomarium slice scan.h5 -o slice.png
    tomarium slice scan.h5 --row 700 --axis 1023.5 --set fbp.window=hann -o slice.tif
    tomarium slice scan.h5 --row 100:900:200 -o rows.png
    tomarium slice scan.h5 --axis-sweep 1020:1028:1 -o sweep.png
    tomarium slice scan.h5 --axis-sweep 1020:1028:0.5 --measure edges
    tomarium slice scan.h5 --along y -o upright.png
    tomarium slice volume.ome.zarr --along x --at 300 -o side.png
    tomarium slice tooth-1a2b3c4d -o tooth.png
    tomarium slice 'https://data.example.org/bone.zarr#level=2' -o bone.png
    tomarium slice volume.ome.zarr --plane 0.2,1,0.5 --through 300,512,512 -o oblique.tif
    tomarium slice scan.h5 --plane 60,45 -o oblique.png
    """
    from tomarium.model import Scan, Volume

    if sweep is None and measure is not None:
        raise click.UsageError("--measure goes with --axis-sweep, whose slices it measures")
    if output is None and measure is None:
        _demand_terminal()
    elif output is not None and path.resolve() in (
        output.resolve(),
        output.resolve().parent,
    ):  # beside frames it would be taken for one
        raise InputError(f"{output} lies in the scan itself; choose another place for the slice with -o")
    if device is not None and (along != "z" or plane is not None):
        raise click.UsageError("--device goes with slices along z; leave --along and --plane out")
    if sweep is not None and ("axis_column" in opening.given or along != "z"):
        raise click.UsageError("--axis-sweep tries axes of a slice along z; leave --axis and --along out")
    if at is not None and along == "z":
        raise click.UsageError("--at goes with --along y or x; a slice along z is chosen by --row")
    if rows is not None and along != "z":
        raise click.UsageError("--row goes with slices along z; one along y or x is chosen by --at")
    if plane is None and through is not None:
        raise click.UsageError("--through goes with --plane, which tells how it stands")
    if plane is not None and (rows is not None or along != "z" or sweep is not None):
        raise click.UsageError(
            "--plane tells how the slice stands; leave --row, --along and --axis-sweep out"
        )
    choice.demand_none_of("like")
    opened = opening.open(path)
    if rows is None and choice.told("slice") is not None and isinstance(opened, Scan):
        rows = str(choice.told("slice"))
    if isinstance(opened, Volume):
        choice.demand_scan(path)
    if plane is not None:
        return _slice_oblique(opened, plane, through, output, choice, force)
    if not isinstance(opened, Scan):
        if sweep is not None:
            raise InputError(
                f"{path} holds a volume, whose slices have their axis; --axis-sweep takes a raw scan"
            )
        return _slice_volume(opened, rows, along, at, output)
    if sweep is not None:
        return _sweep_axis(opened, sweep, measure, rows, output, choice, force, device)
    if along != "z":
        return _slice_upright(opened, along, at, output, choice, force)
    return _slice_scan(opened, rows, output, choice, force, device)


def _slice_scan(
    scan: Scan, rows: str | None, output: Path | None, choice: Choice, force: bool, device: str | None
) -> int:
    import numpy as np

    from tomarium.pipeline.plan.warnings import of_result
    from tomarium.pipeline.protocol.resolve import resolve
    from tomarium.pipeline.run.provenance import geometry_data
    from tomarium.pipeline.run.reconstruct import slices_at

    protocol = choice.protocol(scan.domain)
    height = resolve(protocol, scan).scan.shape[1]
    slices = slices_at(scan, _read_rows(rows, height), protocol, device=device, force=force)
    warnings: dict[str, None] = {}
    for slice_ in slices:
        not_finite = int(np.count_nonzero(~np.isfinite(slice_.slab.data)))
        warnings |= dict.fromkeys(
            of_result(slice_.resolution, slice_.answers, slice_.slab.report, not_finite, rows=1)
        )
    show.warnings(warnings)
    show.assumed_ratios(
        (item.step.name, item.values["delta_beta"].value, item.values["delta_beta"].origin)
        for item in slices[0].resolution.work
        if "delta_beta" in item.values
    )
    layout = slices[0].resolution.layout
    planes = [_plane(slice_.slab, f"row {slice_.slab.rows.start}") for slice_ in slices]
    axis_text = _axis_text(geometry_data(slices[0].resolution).get("axis_column"))
    numbers = ", ".join(str(slice_.slab.rows.start) for slice_ in slices)
    _write_or_show(output, f"row {numbers}", planes, _pixel_of_slice(layout), layout.unit, axis_text)
    return 1 if warnings else 0


def _axis_text(column: Mapping[str, Any] | None) -> str:
    return "" if column is None else f", axis at {show.axis_column(column)} ({column['source']})"


def _pixel_of_slice(layout: Layout) -> float | None:
    """Return the pixel size of a slice across the rotation axis, m."""
    pixel = layout.geometry.pixel_m
    return None if pixel is None else pixel.value


def _plane(slab: Any, title: str) -> Plane:
    from tomarium.viewers.slice_file import Plane

    return Plane(slab.data[0] if slab.domain == "slice" else slab.data[:, 0], title)


def _demand_terminal() -> None:
    from tomarium.viewers.terminal import is_terminal

    if not is_terminal():
        raise InputError(
            "a slice is shown in a terminal, and the output is none; name a file for it: -o slice.png"
        )


def _write_or_show(
    output: Path | None,
    title: str,
    planes: Sequence[Plane],
    pixel_m: PixelSize,
    unit: str,
    more: str = "",
    *,
    whole: tuple[int, int] | None = None,
    finer: int = 1,
) -> None:
    """Write slices to a file, or show them in the terminal, and say what they are.

    Where they are averages for a sheet, `whole` is their own shape, and `finer` of their pixels are one of the sheet.
    """
    from tomarium.viewers.slice_file import draw_slices, save_slices, sides
    from tomarium.viewers.terminal import show as show_in_terminal

    if output is None:
        click.echo(show_in_terminal(draw_slices(planes, pixel_m=pixel_m)), nl=False, color=True)
    else:
        drawn = tuple(side * finer for side in sides(pixel_m) or ())
        save_slices(output, planes, pixel_m=(drawn[0], drawn[1]) if drawn else None, unit=unit)
    rows, columns = whole or planes[0].image.shape
    pixel = sides(pixel_m)
    lengths = [] if pixel is None else [units.show(length, "m") for length in pixel[::-1]]
    size = f", pixel {' × '.join(dict.fromkeys(lengths))}" if lengths else ""
    place = "" if output is None else f"{output}: "
    click.echo(f"{place}{title}, {columns} × {rows}{size}{more}")


def _sweep_axis(
    scan: Scan,
    sweep: str,
    measure: Measure | None,
    rows: str | None,
    output: Path | None,
    choice: Choice,
    force: bool,
    device: str | None,
) -> int:
    import numpy as np

    from tomarium.pipeline.plan.warnings import of_scan
    from tomarium.pipeline.run.provenance import geometry_data
    from tomarium.pipeline.run.reconstruct import slices_at_axes
    from tomarium.viewers.picture import for_sheet, sheet_factor

    columns = columns_of(sweep)
    protocol = choice.protocol(scan.domain)
    [row] = _read_rows(rows, scan.shape[1]) if rows else [None]
    # On a sheet each is so small that it is not kept whole.
    small = measure is None and output is not None and output.suffix.lower() == ".png"
    keep = partial(for_sheet, count=len(columns)) if small else np.asarray
    slices = slices_at_axes(
        scan, columns, row, protocol, device=device, force=force, keep=keep, on_progress=show.progress()
    )
    layout = slices[0].resolution.layout
    height, width = (min(slice_.resolution.layout.shape[k] for slice_ in slices) for k in (1, 2))
    finer = sheet_factor(len(columns), width) if small else 1
    planes = [_plane(slice_.slab, f"axis {column:g}") for slice_, column in zip(slices, columns, strict=True)]
    warnings = [*of_scan(slices[0].resolution.scan)]
    if measure is not None and len({slice_.resolution.layout.shape for slice_ in slices}) > 1:
        warnings.append(
            "the slices of a half acquisition grow with the axis, which changes every measure too: the axis that it "
            "tells may be a pixel off; take it from the sheet of slices (-o), or from tomarium axis"
        )
    show.warnings(warnings)
    title = f"row {slices[0].slab.rows.start} about {len(columns)} axes, {columns[0]:g} to {columns[-1]:g}"
    if "column_in_file" in (geometry_data(slices[0].resolution).get("axis_column") or {}):
        title += " of the file's columns"
    if output is not None or measure is None:
        _write_or_show(
            output, title, planes, _pixel_of_slice(layout), layout.unit, whole=(height, width), finer=finer
        )
    if measure is not None:
        _tell_measures(measure, columns, [plane.image for plane in planes])
    return 1 if warnings else 0


def _tell_measures(measure: Measure, columns: Sequence[float], images: Sequence[Any]) -> None:
    """Print what was measured about each axis, and which axis it tells."""
    from tomarium.kernels.axis.slice_measures import GREATEST, best_column, measure_slices

    values = measure_slices(images, measure)
    best, between = best_column(columns, values, measure)
    click.echo(f"{'axis':>10}  {measure}")
    for column, value in zip(columns, values, strict=True):
        click.echo(f"{column:>10g}  {value:.6g}")
    extreme = "greatest" if measure in GREATEST else "least"
    if between:
        click.echo(f"axis {best:.2f}: {measure} is {extreme} there; look at the slices before you take it")
    else:
        click.echo(
            f"axis {best:g}: {measure} is {extreme} at an end of the sweep, so the axis may lie beyond; sweep farther"
        )


def _slice_upright(
    scan: Scan, along: str, at: int | None, output: Path | None, choice: Choice, force: bool
) -> int:
    from tomarium.pipeline.run.oblique import plane_at
    from tomarium.viewers.slice_file import Plane

    protocol = choice.protocol(scan.domain)
    volume, outcome = plane_at(scan, along, at, protocol, force=force, on_progress=show.progress())
    image = volume[:, 0] if along == "y" else volume[:, :, 0]
    plane = Plane(image, "")
    show.warnings(outcome.provenance["warnings"])
    axis = _axis_text(outcome.provenance["geometry"]["axis_column"])
    _write_or_show(output, f"slice along {along}", [plane], _pixel_across(volume, along), volume.unit, axis)
    return 1 if outcome.provenance["warnings"] else 0


def _slice_oblique(
    opened: Scan | Image, plane: str, through: str | None, output: Path | None, choice: Choice, force: bool
) -> int:
    from tomarium.kernels.oblique import normal_of_angles
    from tomarium.model import Scan, Volume
    from tomarium.pipeline.run.oblique import oblique_at, oblique_of_volume
    from tomarium.viewers.slice_file import Plane

    numbers = _read_floats("--plane", plane, (2, 3))
    normal = normal_of_angles(*numbers) if len(numbers) == 2 else numbers
    point = None if through is None else _read_floats("--through", through, (3,))
    warnings: list[str] = []
    axis = ""
    if isinstance(opened, Scan):
        protocol = choice.protocol(opened.domain)
        image, outcome = oblique_at(opened, normal, point, protocol, force=force, on_progress=show.progress())
        warnings = outcome.provenance["warnings"]
        axis = _axis_text(outcome.provenance["geometry"]["axis_column"])
    elif isinstance(opened, Volume):
        image = oblique_of_volume(opened, normal, point)
    else:
        raise InputError(f"{opened.path} holds an image of shape {opened.shape}, neither a scan nor a volume")
    show.warnings(warnings)
    image_plane = Plane(image[...])
    pixel = image.axes[0].scale if image.axes[0].unit == "m" else None
    _write_or_show(
        output,
        f"plane across {','.join(f'{number:.4g}' for number in normal)}",
        [image_plane],
        pixel,
        image.unit,
        axis,
    )
    return 1 if warnings else 0


def _read_floats(option: str, text: str, lengths: tuple[int, ...]) -> tuple[float, ...]:
    """Read numbers by commas."""
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in lengths:
        expected = "TILT,TURN in degrees or Z,Y,X" if 2 in lengths else "Z,Y,X in voxels"
        raise InputError(f"{option} {text!r}: write {expected}, numbers separated by commas")
    return numbers


def _slice_volume(image: Image, rows: str | None, along: str, at: int | None, output: Path | None) -> int:
    from tomarium.formats.format import CHOOSE
    from tomarium.formats.opening.messages import no_volume
    from tomarium.model import Volume
    from tomarium.viewers.slice_file import Plane

    if not isinstance(image, Volume):
        if CHOOSE in image.metadata:
            raise InputError(no_volume(image.path, image))
        raise InputError(
            f"{image.path} holds an image of shape {image.shape}, neither a scan nor a volume; if "
            f"it is a sinogram, {scan_options.angles_advice(image)}"
        )
    axis = "zyx".index(along)
    length = image.shape[axis]
    numbers = _read_rows(rows, length) if along == "z" else [length // 2 if at is None else at]
    planes = []
    for number in numbers:
        if not -length <= number < length:
            raise InputError(
                f"{image.path}: {along} {number} was asked for, but it has the {along} 0 to {length - 1}"
            )
        place: list[Any] = [slice(None)] * 3
        place[axis] = number % length
        planes.append(Plane(image[tuple(place)], f"{along} {number % length}"))
    _write_or_show(
        output, ", ".join(plane.title for plane in planes), planes, _pixel_across(image, along), image.unit
    )
    return 0


def _pixel_across(volume: Volume, along: str) -> PixelSize:
    """Return height and width of a pixel of the slices across an axis, m."""
    if volume.voxel_m is None:
        return None
    height, width = (size for name, size in zip("zyx", volume.voxel_m, strict=True) if name != along)
    return height, width


def _read_rows(text: str | None, length: int) -> list[int]:
    """Read "700", "100,200" or "100:900:200"; the middle where nothing is said."""
    if text is None:
        return [length // 2]
    rows: list[int] = []
    try:
        for part in text.split(","):
            ends = [int(word) if word.strip() else None for word in part.split(":")]
            if len(ends) == 1 and ends[0] is not None:
                rows.append(ends[0])
            else:
                rows += range(length)[slice(*ends)]
    except (ValueError, TypeError) as problem:
        raise InputError(f"--row {text!r}: write a number, several by commas, or A:B:STEP") from problem
    if not 0 < len(rows) <= 100:
        raise InputError(f"--row {text!r} asks for {len(rows)} rows of {length}; give 1 to 100 of them")
    return rows


def columns_of(text: str) -> list[float]:
    """Read "290:300:1", both ends included."""
    import numpy as np

    try:
        first, last, step = (float(word) for word in text.split(":"))
    except ValueError as problem:
        raise InputError(f"--axis-sweep {text!r}: write FIRST:LAST:STEP, such as 290:300:1") from problem
    count = int(np.floor((last - first) / step + 1e-9)) + 1 if step else 0
    if not 1 <= count <= 100:
        raise InputError(f"--axis-sweep {text!r} asks for {max(count, 0)} axes; give 1 to 100 of them")
    return [first + k * step for k in range(count)]
