"""`tomarium measure --thickness`: what is printed and written of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.cli.given_path import demand_new

if TYPE_CHECKING:
    from tomarium.model import Volume
    from tomarium.pipeline.measure.phase import Of


def measure_thickness(
    volume: Volume,
    of: Of,
    threshold: float | None,
    output: Path | None,
    whole: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Measure the local thickness of a volume, print its figures, and write it where it was asked for."""
    from tomarium.conversion.convert import convert
    from tomarium.pipeline.measure import thickness

    demand_new(output, overwrite)
    measured = thickness.measure_thickness(volume, of, threshold, whole=whole, tell=show.progress())
    told = thickness.as_data(measured)
    if output is not None:
        convert(thickness.thickness_volume(measured), output, overwrite=overwrite)
    if as_json:
        show.as_json({**told, "output": None if output is None else str(output)})
        return
    unit = "µm" if told["unit"] == "um" else told["unit"]
    click.secho(show.short(volume.name, 120), bold=True)
    quartiles = f"quartiles {told['percentiles']['25']:.4g} and {told['percentiles']['75']:.4g} {unit}"
    show.table(
        [
            (
                of,
                f"{told['voxels']} voxels",
                f"threshold {told['threshold']:.5g}, {told['threshold_source']}",
            ),
            (
                "thickness",
                f"{told['mean']:.4g} {unit}",
                f"mean of its voxels, standard deviation {told['standard_deviation']:.4g} {unit}",
            ),
            (
                "median",
                f"{told['percentiles']['50']:.4g} {unit}",
                quartiles,
            ),
            ("range", f"{told['minimum']:.4g} … {told['maximum']:.4g} {unit}", ""),
            (
                "cut",
                f"{100 * told['cut_share']:.3g} %",
                "of its voxels: their ball reaches beyond an end",
            ),
        ]
    )
    if output is not None:
        click.echo(f"  {output}")
