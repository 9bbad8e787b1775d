"""`tomarium slice`: one slice, fast."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium import units
from tomarium.cli import scan_options, show
from tomarium.errors import InputError


@click.command("slice")
@scan_options.SCAN
@click.option(
    "--row", type=int, help="Detector row, from 0; negative from the end; the middle one by default."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: .png, .tif or .npy.",
)
@scan_options.places
@scan_options.geometry
@scan_options.steps
def command(
    path: Path,
    row: int | None,
    output: Path,
    axis: float | None,
    pixel: str | None,
    energy: str | None,
    distance: str | None,
    places: scan_options.Places,
    protocol_path: Path | None,
    assignments: tuple[str, ...],
) -> None:
    """Reconstruct one slice of SCAN: only the rows it needs are read.

    \b
    tomarium slice scan.h5 -o slice.png
    tomarium slice scan.h5 --row 700 --axis 1023.5 --set fbp.window=hann -o slice.tif
    """
    import numpy as np

    from tomarium.pipeline.cautions import cautions
    from tomarium.pipeline.reconstruct import slice_at
    from tomarium.viewers.slice_file import save_slice

    if path.resolve() in (
        output.resolve(),
        output.resolve().parent,
    ):  # beside frames it would be taken for one
        raise InputError(f"{output} lies in the scan itself; choose another place for the slice with -o")
    scan = scan_options.open_scan(
        path, axis=axis, pixel=pixel, energy=energy, distance=distance, places=places
    )
    protocol = scan_options.choose_protocol(protocol_path, assignments)
    slab, probed = slice_at(scan, row, protocol)
    pixel_m = None if probed.pixel_m is None else probed.pixel_m.value
    save_slice(output, slab.data[0], pixel_m=pixel_m, unit=slab.unit)
    lost = int(np.count_nonzero(~np.isfinite(slab.data)))
    show.warnings(cautions(probed, {}, slab.report, lost, rows=1))
    column = probed.axis_column
    told = "" if column is None else f", axis at column {column.value:.2f} ({column.source})"
    size = "" if pixel_m is None else f", pixel {units.show(pixel_m, 'm')}"
    click.echo(f"{output}: row {slab.rows.start}, {slab.data.shape[2]} × {slab.data.shape[1]}{size}{told}")
