"""`tomarium measure --network`: what is printed and written of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.cli.given_path import demand_new

if TYPE_CHECKING:
    from tomarium.model import Volume
    from tomarium.pipeline.measure.phase import Of


def measure_network(
    volume: Volume,
    of: Of,
    threshold: float | None,
    output: Path | None,
    whole: bool,
    prune: float,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Take a phase of a volume apart into nodes and branches, print their figures, and write both as tables."""
    from tomarium.atomic_files import write_whole
    from tomarium.pipeline.measure import network
    from tomarium.viewers.network_picture import draw_network

    demand_new(output, overwrite)
    measured = network.measure_network(volume, of, threshold, whole=whole, prune=prune, tell=show.progress())
    told = network.as_data(measured)
    files: list[Path] = []
    if output is not None:
        picture = output.with_suffix(".png")
        files = [*network.write_tables(output, measured), picture]
        voxel = volume.voxel_m
        write_whole(
            picture, draw_network(measured.network, measured.shape, None if voxel is None else voxel[2])
        )
    if as_json:
        show.as_json(
            {**told, "tables": [str(file) for file in files[:2]], "picture": str(files[2]) if files else None}
        )
        return
    unit = "µm" if told["unit"] == "um" else told["unit"]
    kinds = told["branches_of_kinds"]
    click.secho(show.short(volume.name, 120), bold=True)
    rows = [
        (
            of,
            f"{100 * told['share']:.4g} %",
            f"threshold {told['threshold']:.5g}, {told['threshold_source']}",
        ),
        ("pieces", str(told["pieces"]), f"connected; {told['loops']} independent loops"),
        (
            "nodes",
            str(told["nodes"]),
            f"{told['junctions']} junctions, {told['ends']} ends ({told['ends_at_edge']} at an edge), "
            f"{told['points']} single points",
        ),
        (
            "branches",
            str(told["branches"]),
            f"{kinds['inner']} between junctions, {kinds['end']} to an end, {kinds['single']} alone, "
            f"{kinds['loop']} back to their node",
        ),
        (
            "left out",
            str(told["pruned"]),
            f"spurs, not longer than {prune:g} times the radius of their junction",
        ),
        ("length", f"{told['length']:.5g} {unit}", _density(told["length_density"], told["unit"])),
    ]
    if told["branches"]:
        rows += [
            ("mean length", f"{told['mean_branch_length']:.4g} {unit}", "of a branch"),
            ("mean radius", f"{told['mean_radius']:.4g} {unit}", "along the branches"),
        ]
    if told["mean_tortuosity"] is not None:
        rows.append(
            ("tortuosity", f"{told['mean_tortuosity']:.4f}", "length over distance of the ends, of all")
        )
    show.table(rows)
    for file in files:
        click.echo(f"  {file}")


def _density(density: float, unit: str) -> str:
    """Write the length in a volume, in mm per mm³ where it is known."""
    return f"{density * 1e6:.4g} mm per mm³" if unit == "um" else f"{density:.4g} {unit} per {unit}³"
