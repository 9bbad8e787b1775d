"""`tomarium plan`: what a run would do and cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium import units
from tomarium.cli import scan_options, show

if TYPE_CHECKING:
    from tomarium.pipeline.choice import Choice


@click.command("plan")
@scan_options.SCAN
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the record, for the disk's free space."
)
@click.option("--memory", metavar="SIZE", help="Limit such as 4GB; by default 60 % of what is available.")
@click.option("--rows", metavar="A:B", help="Detector rows wanted.")
@scan_options.opening
@scan_options.steps
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path,
    output: Path | None,
    memory: str | None,
    rows: str | None,
    opening: scan_options.Opening,
    choice: Choice,
    as_json: bool,
) -> None:
    """Say what `run` would do with SCAN: stages, slabs, bytes and memory; nothing is read or written.

    Leaves with exit code 4 where it cannot fit.

    \b
    tomarium plan scan.h5
    tomarium plan scan.h5 --memory 4GB --rows 100:200
    """
    from tomarium.pipeline.plan import plan
    from tomarium.pipeline.report import plan_data
    from tomarium.pipeline.resources import measure

    scan = opening.open_scan(path)
    protocol = choice.protocol(scan.domain)
    resources = measure(output or Path.cwd(), memory)
    made = plan(protocol, scan, resources, rows=scan_options.parse_rows(rows) or choice.rows())
    if as_json:
        show.as_json(plan_data(made))
        made.demand_fit()
        return
    for stage in made.stages:
        steps = " → ".join(bound.step.name for bound in stage.steps) or "copy uncompressed"
        click.secho(f"{stage.name}: {steps}", bold=True)
        show.table(
            [
                ("slabs", f"{stage.slabs}, cut by {stage.direction}, halo {stage.halo}"),
                ("reads", _bytes(stage.read_bytes) + f", decompresses {_bytes(stage.decompressed_bytes)}"),
                ("writes", _bytes(stage.write_bytes) + _spool(stage)),
                ("memory", _bytes(stage.peak_bytes)),
                ("time", f"about {show.clock(stage.seconds)}"),
            ]
        )
        for bound in stage.steps:
            show.table(
                [
                    (f"{bound.step.name}.{name}", str(v.value), f"{v.origin}: {v.source}")
                    for name, v in bound.values.items()
                ],
                "    ",
            )
    if made.recomputed > 1:
        click.echo(f"halos:  {made.recomputed:.2f} rows are computed for each that is needed")
    click.echo(f"time:   about {show.clock(made.seconds)}, an estimate")
    click.echo(f"result: {' × '.join(map(str, made.shape))} float32 in {made.unit} (z, y, x)")
    click.echo(
        f"memory: {_bytes(made.peak_bytes)} of {_bytes(resources.memory_bytes)}; "
        f"{made.workers} slabs at a time, {made.threads} threads each"
    )
    if resources.disk_bytes is not None:
        click.echo(f"disk:   {_bytes(made.write_bytes)} of {_bytes(resources.disk_bytes)} free")
    show.warnings(made.warnings)
    made.demand_fit()


def _spool(stage: Any) -> str:
    if not stage.spool_bytes:
        return ""
    where = "memory" if stage.spool_in_memory else "disk"
    return f"; lays down {_bytes(stage.spool_bytes)} in {where} for the next"


def _bytes(count: int) -> str:
    return units.show(count, "B", 3)
