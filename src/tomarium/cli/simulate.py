"""`tomarium simulate`: an honest synthetic scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from tomarium import units
from tomarium.cli import show


@click.command("simulate")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--size", default=512, show_default=True, help="Columns and rows of the detector.")
@click.option("--rows", type=int, help="Rows of the detector, where it is not square.")
@click.option("--views", default=900, show_default=True, help="Projections.")
@click.option("--seed", default=0, show_default=True, help="Seed of all that is drawn.")
@click.option("--span", default="180 deg", show_default=True, help="Turn over which the views are spread.")
@click.option("--start", default="0 deg", show_default=True, help="First angle.")
@click.option(
    "--axis", type=float, metavar="COLUMN", help="Column of the rotation axis; near the middle by default."
)
@click.option("--photons", default=10_000.0, show_default=True, help="Photons in a pixel of the open beam.")
@click.option("--pixel", default="3.25 um", show_default=True, help="Pixel size.")
@click.option("--energy", default="25 keV", show_default=True, help="Photon energy.")
@click.option(
    "--absorption",
    default=1.2,
    show_default=True,
    help="Line integral of the attenuation through the specimen's middle, about.",
)
@click.option("--distance", default="5 cm", show_default=True, help="Distance from sample to detector.")
@click.option(
    "--delta-beta",
    default=0.0,
    show_default=True,
    help="Ratio δ/β of the sample, whose edges then show fringes; 0 for none.",
)
@click.option(
    "--propagation",
    type=click.Choice(["transport", "wave"]),
    default="transport",
    show_default=True,
    help="How fringes are made: by the transport of intensity, or by the wave, true at any distance.",
)
@click.option("--clean", is_flag=True, help="No dead or hot pixels, no rings, no zingers.")
@click.option(
    "--to", "format_name", default="data-exchange", show_default=True, help="Format: data-exchange or nxtomo."
)
def command(
    output: Path,
    size: int,
    rows: int | None,
    views: int,
    seed: int,
    span: str,
    start: str,
    axis: float | None,
    photons: float,
    pixel: str,
    energy: str,
    absorption: float,
    distance: str,
    delta_beta: float,
    propagation: Literal["transport", "wave"],
    clean: bool,
    format_name: str,
) -> None:
    """Simulate a scan of a specimen made of ellipsoids, with its truth stored in the file OUT.

    Exact line integrals, transmission averaged over each pixel, photon noise, flats, darks, defects and zingers.

    \b
    tomarium simulate scan.h5
    tomarium simulate small.nxs --size 128 --views 180 --seed 7 --to nxtomo
    tomarium simulate far.h5 --size 256 --absorption 0.05 --delta-beta 200 --distance '20 cm' --propagation wave
    """
    from tomarium.synth.config import SimulationConfig
    from tomarium.synth.scan import simulate

    told = show.progress()
    config = SimulationConfig(
        columns=size,
        rows=size if rows is None else rows,
        views=views,
        seed=seed,
        span_deg=units.parse(span, "deg"),
        start_deg=units.parse(start, "deg"),
        axis_column=axis,
        photons=photons,
        gain=min(4.0, 50_000 / photons) if photons > 0 else 4.0,
        pixel_m=units.parse(pixel, "m"),
        energy_kev=units.parse(energy, "keV"),
        absorption=absorption,
        distance_m=units.parse(distance, "m"),
        delta_beta=delta_beta,
        propagation=propagation,
    )
    if clean:
        config = replace(config, dead_pixels=0, hot_pixels=0, ring_error=0.0, zingers=0.0)
    written = simulate(
        output, config, to=format_name, on_progress=lambda done, all: told("simulate", done, all)
    )
    click.echo(
        f"{written}: {views} views of {config.rows} × {config.columns}, seed {seed}; next: tomarium info {written}"
    )
