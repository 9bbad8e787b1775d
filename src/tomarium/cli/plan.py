"""`tomarium plan`: what a run would do and cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium import units
from tomarium.cli import executor_options, scan_options, show

if TYPE_CHECKING:
    from tomarium.model import Value
    from tomarium.pipeline.plan.planner import Plan
    from tomarium.pipeline.protocol.choice import Choice


@click.command("plan")
@scan_options.SCAN
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the record, for the disk's free space."
)
@click.option("--memory", metavar="SIZE", help="Limit such as 4GB; by default 60 % of what is available.")
@click.option("--rows", metavar="A:B", help="Detector rows wanted.")
@executor_options.on_device
@scan_options.opening
@scan_options.steps
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path,
    output: Path | None,
    memory: str | None,
    rows: str | None,
    device: str | None,
    device_memory: str | None,
    opening: scan_options.Opening,
    choice: Choice,
    as_json: bool,
) -> None:
    """Say what `run` would do with SCAN: stages, slabs, bytes and memory; nothing is written.

    A few rows of some frames are read, to tell whether the sample is wider than the detector.

    Leaves with exit code 4 where it cannot fit.

    \b
    tomarium plan scan.h5
    tomarium plan scan.h5 --memory 4GB --rows 100:200
    tomarium plan scan.h5 --device 0 --device-memory 8GB
    """
    from tomarium.pipeline.plan.planner import plan
    from tomarium.pipeline.plan.report import plan_data
    from tomarium.pipeline.plan.resources import measure
    from tomarium.steps.core.values import as_text, spelled

    scan = opening.open_scan(path)
    choice.demand_none_of("like", "crop")
    protocol = choice.protocol(scan.domain)
    resources = measure(output or Path.cwd(), memory, on=device, device_memory=device_memory)
    plan_made = plan(protocol, scan, resources, rows=scan_options.parse_rows(rows) or choice.rows())
    truncated = _truncated_part(plan_made)
    if as_json:
        show.as_json(plan_data(plan_made) | {"truncated_part": truncated})
        plan_made.demand_fit()
        return
    titles = (*(probe.name for probe in plan_made.probes), *plan_made.titles)
    for stage, title in zip(plan_made.stages, titles, strict=True):
        steps = " → ".join(bound.step.name for bound in stage.steps) or "copy uncompressed"
        click.secho(f"{title}: {steps}", bold=True)
        show.table(
            [
                ("slabs", f"{stage.slabs}, cut by {stage.direction}, halo {stage.halo}"),
                (
                    "reads",
                    _bytes_text(stage.read_bytes) + f", decompresses {_bytes_text(stage.decompressed_bytes)}",
                ),
                ("writes", _bytes_text(stage.write_bytes) + _spool_text(stage)),
                ("memory", _bytes_text(stage.peak_bytes)),
                ("time", executor_options.clock(stage)),
                *([("device", executor_options.over_device(stage))] if stage.device is not None else []),
            ]
        )
        for bound in stage.steps:
            texts = spelled(bound.step, {name: v.value for name, v in bound.values.items()})
            show.table(
                [
                    (f"{bound.step.name}.{name}", as_text(texts[name]) or "none", _origin_text(v))
                    for name, v in bound.values.items()
                ],
                "    ",
            )
    if plan_made.recomputed > 1:
        click.echo(f"halos:  {plan_made.recomputed:.2f} rows are computed for each that is needed")
    click.echo(f"time:   about {show.clock(plan_made.seconds)}, an estimate")
    if truncated:
        click.echo(
            f"truncated: in {100 * truncated:.3g} % of the views looked at the sample goes on beyond the detector; "
            f"with padding auto, fbp continues them by chords, which takes about twice as long, and grey values are "
            f"right to some percent only"
        )
    axes = "z, y, x" if plan_made.output == "volume" else "angle, row, column"
    click.echo(
        f"result: {' × '.join(map(str, plan_made.shape))} float32{_unit_text(plan_made.unit)} ({axes})"
    )
    click.echo(
        f"memory: {_bytes_text(plan_made.peak_bytes)} of {_bytes_text(resources.memory_bytes)}; "
        f"{plan_made.workers} {'slab' if plan_made.workers == 1 else 'slabs'} at a time, "
        f"{plan_made.threads} {'thread' if plan_made.threads == 1 else 'threads'} each"
    )
    if not any(stage.device for stage in plan_made.stages):
        click.echo(f"device: none: {plan_data(plan_made)['device']['why']}")
    if resources.disk_bytes is not None:
        click.echo(
            f"disk:   {_bytes_text(plan_made.write_bytes)} of {_bytes_text(resources.disk_bytes)} free"
        )
    show.warnings(plan_made.warnings)
    plan_made.demand_fit()


def _truncated_part(plan_made: Plan) -> float | None:
    """Look whether the sample is wider than the detector, where slices are made; None where it cannot be told."""
    from tomarium.errors import TomariumError
    from tomarium.pipeline.run.data_check import truncated_part

    if plan_made.layout.domain != "slice":
        return None
    try:
        return truncated_part(plan_made.resolution.scan)
    except TomariumError as problem:
        click.echo(
            f"the frames cannot be read, so nothing tells whether the sample is truncated: {problem}",
            err=True,
        )
        return None


def _spool_text(stage: Any) -> str:
    if not stage.spool_bytes:
        return ""
    size = _bytes_text(stage.spool_bytes)
    return (
        f"; keeps {size} in memory for the next section"
        if stage.spool_in_memory
        else f"; of these {size} as the spool for the next section"
    )


def _unit_text(unit: str) -> str:
    return f" in {unit}" if unit not in ("", "1") else ""


def _origin_text(value: Value[Any]) -> str:
    return value.origin if value.origin == "default" else f"{value.origin}: {value.source}"


def _bytes_text(count: int) -> str:
    return units.show(count, "B", 3)
