"""`tomarium axis`: where the rotation axis is."""

from __future__ import annotations

from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import scan_options, show

if TYPE_CHECKING:
    from tomarium.model import Scan


@click.command("axis")
@scan_options.SCAN
@scan_options.opening
@click.option(
    "--roll", is_flag=True, help="Find how far it leans to the side, from its column at several heights."
)
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(path: Path, opening: scan_options.Opening, roll: bool, as_json: bool) -> None:
    """Find the rotation axis of SCAN.

    Several methods of different families vote; the confidence says how well they agree. Columns are 0-based with
    pixel centres at integers. With low confidence, look at slices: tomarium slice SCAN --axis COLUMN -o a.png.

    \b
    tomarium axis scan.h5
    tomarium axis scan.h5 --json
    tomarium axis scan.h5 --roll
    """
    from tomarium.pipeline.run.provenance import plain
    from tomarium.steps.probes.find_axis import find_axis

    scan = opening.open_scan(path)
    if roll:
        _roll(scan, as_json)
        return
    found = find_axis(scan)
    if as_json:
        show.as_json(plain({**asdict(found), "warnings": scan.warnings}))
        return
    click.secho(f"column {found.column:.2f}", bold=True, nl=False)
    click.echo(f"  confidence {found.confidence}, scan over {found.scan_type}")
    show.table((c.method, f"{c.column:.2f}", f"score {c.score:.3g}") for c in found.candidates)
    for note in found.notes:
        click.echo(f"  {note}")
    show.warnings(scan.warnings)


def _roll(scan: Scan, as_json: bool) -> None:
    from tomarium.pipeline.run.provenance import plain
    from tomarium.steps.probes.find_roll import find_roll

    found = find_roll(scan)
    if as_json:
        show.as_json(plain({**asdict(found), "warnings": scan.warnings}))
        return
    error = "" if isnan(found.error_deg) else f" ± {found.error_deg:.3f}°"
    click.secho(f"roll {found.roll_deg:.3f}°{error}", bold=True, nl=False)
    click.echo(f"  confidence {found.confidence}, column {found.column:.2f} at the middle row")
    show.table((f"row {row:g}", f"{column:.2f}", confidence) for row, column, confidence in found.heights)
    if found.confidence != "low" and found.roll_deg:
        click.echo(f"  to turn the frames upright: --axis-roll {found.roll_deg:.3f} --step correct_roll")
    show.warnings(scan.warnings)
