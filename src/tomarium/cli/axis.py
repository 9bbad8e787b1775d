"""`tomarium axis`: where the rotation axis is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tomarium.cli import scan_options, show


@click.command("axis")
@scan_options.SCAN
@scan_options.opening
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(path: Path, opening: scan_options.Opening, as_json: bool) -> None:
    """Find the rotation axis of SCAN.

    Several methods of different families vote; the confidence says how well they agree. Columns are 0-based with
    pixel centres at integers. With low confidence, look at slices: tomarium slice SCAN --axis COLUMN -o a.png.

    \b
    tomarium axis scan.h5
    tomarium axis scan.h5 --json
    """
    from tomarium.pipeline.run.provenance import plain
    from tomarium.steps.probes.find_axis import find_axis

    scan = opening.open_scan(path)
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
