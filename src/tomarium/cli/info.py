"""`tomarium info`: what a file is."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import scan_options, show


@click.command("info")
@scan_options.SCAN
@scan_options.geometry
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path, axis: float | None, pixel: str | None, energy: str | None, distance: str | None, as_json: bool
) -> None:
    """Say what SCAN is, why it is thought so, and every value with its unit and origin.

    Only headers are read, so it is quick for a file of any size.

    \b
    tomarium info scan.h5
    tomarium info tiffs/ --pixel '0.65 um'
    """
    from tomarium.formats.describe import describe

    scan = scan_options.open_scan(path, axis=axis, pixel=pixel, energy=energy, distance=distance)
    told = describe(scan)
    if as_json:
        show.as_json(told)
        return
    angles = told["angles_deg"]
    click.secho(scan.name, bold=True)
    show.table(
        [
            ("format", f"{told['format']} ({told['dialect']})", told["why"]),
            ("frames", ", ".join(f"{count} {kind}" for kind, count in told["frames"].items()), ""),
            ("shape", " × ".join(map(str, told["shape"])), f"frames × rows × columns, {told['dtype']}"),
            (
                "angles",
                f"{angles['first']:.6g}° … {angles['last']:.6g}°, {angles['count']}",
                f"{angles['origin']}: {scan.angles_deg.source}",
            ),
            ("pixel", *show.value(scan.pixel_m, "m")),
            ("energy", *show.value(scan.energy_kev, "keV")),
            ("distance", *show.value(scan.distance_m, "m")),
            ("axis column", *show.value(scan.axis_column, "")),
            *[
                (name, show.short(told.value), f"{told.origin}: {told.source}")
                for name, told in scan.metadata.items()
            ],
        ]
    )
    for title, texts in (("missing", scan.missing), ("repaired", scan.repaired)):
        for text in texts:
            click.echo(f"  {title}: {text}")
    show.warnings(scan.warnings)
