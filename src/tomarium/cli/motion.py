"""`tomarium motion`: how the sample moved in the course of a scan."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium.cli import scan_options, show

if TYPE_CHECKING:
    from tomarium.kernels.motion.drift import MotionEstimate
    from tomarium.model import Scan

METHODS = ("drift", "points", "reprojection")


@click.command("motion")
@scan_options.SCAN
@scan_options.opening
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="drift",
    show_default=True,
    help="drift, from views of the same direction; points, small dense ones that are followed; reprojection, each view "
    "on its own.",
)
@click.option(
    "--returns",
    metavar="FILE",
    default="",
    help="With drift: scan of return images, with their angles; by default those that an NXtomo scan has itself. The "
    "word none takes none.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Correction file to write, for --shifts."
)
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path, opening: scan_options.Opening, method: str, returns: str, output: Path | None, as_json: bool
) -> None:
    """Find how the sample moved in the course of SCAN.

    The correction file has a line for each view, how far the sample lies to higher columns and rows in pixels; it is
    what --shifts takes, and PyHST2 (AXIS_CORRECTION_FILE) and nabu (translation_movements_file).

    \b
    tomarium motion scan.h5 -o correct.txt
    tomarium motion scan.h5 --method points -o correct.txt
    tomarium run scan.h5 --shifts correct.txt
    """
    from tomarium.errors import InputError
    from tomarium.formats.opening.shift_file import write_shifts
    from tomarium.pipeline.run.provenance import plain

    if returns and method != "drift":
        raise click.UsageError("--returns goes with --method drift")
    scan = opening.open_scan(path)
    motion_estimate = _estimate_motion(scan, method, returns)
    if output is not None and not motion_estimate.used:
        raise InputError(
            f"{path}: nothing tells how the sample moved, so {output} was not written; without -o it is said why"
        )
    if output is not None:
        write_shifts(output, motion_estimate.shift_columns_px, motion_estimate.shift_rows_px)
    if as_json:
        show.as_json(plain({**asdict(motion_estimate), "warnings": scan.warnings}))
        return
    _print_estimate(motion_estimate)
    if output is not None:
        click.echo(
            f"  written to {output}; take it with --shifts {output} --axis {motion_estimate.axis_column:.2f}"
        )
    show.warnings(scan.warnings)


def _estimate_motion(scan: Scan, method: str, returns: str) -> MotionEstimate:
    from tomarium.model import Value
    from tomarium.steps.probes.align_by_reprojection import align_by_reprojection
    from tomarium.steps.probes.find_axis import find_axis
    from tomarium.steps.probes.mercedes import mercedes
    from tomarium.steps.probes.movement_correction import movement_correction

    if scan.axis_column is None:
        axis = find_axis(scan)
        scan = scan.with_geometry(axis_column=Value(axis.column, "derived", "found"))
    keywords: dict[str, Any] = {"returns": returns} if method == "drift" else {}
    probe = {"drift": movement_correction, "points": mercedes, "reprojection": align_by_reprojection}[method]
    motion_estimate: MotionEstimate = probe(scan, **keywords)
    return motion_estimate


def _print_estimate(motion_estimate: MotionEstimate) -> None:
    if not motion_estimate.used:
        apart = ", ".join(motion_estimate.inseparable) or "motion from anything else"
        click.secho(f"motion is unknown: the views do not tell apart {apart}", bold=True)
        click.echo("  a full turn, views that come back to an angle, or return images (--returns) would tell")
        return
    columns = motion_estimate.shift_columns_px
    click.secho(f"{columns.min():.2f} to {columns.max():.2f} px along columns", bold=True, nl=False)
    rows = motion_estimate.shift_rows_px
    along = "none along rows" if rows is None else f"{rows.min():.2f} to {rows.max():.2f} px along rows"
    click.echo(f", {along}  confidence {motion_estimate.confidence}, {motion_estimate.model}")
    axis = "unknown" if motion_estimate.axis_column is None else f"{motion_estimate.axis_column:.2f}"
    show.table(
        (
            ("axis column", axis),
            ("left by the model", _px_text(motion_estimate.residual_px)),
            ("largest error", _px_text(motion_estimate.error_px)),
            ("pairs, points or views", str(motion_estimate.used)),
            *([("return images", str(motion_estimate.returns))] if motion_estimate.returns else []),
        )
    )
    if motion_estimate.inseparable:
        click.echo(
            f"  the views do not tell apart {', '.join(motion_estimate.inseparable)}; nothing is corrected there"
        )


def _px_text(value: float) -> str:
    return f"{value:.3f} px" if isfinite(value) else "unknown"
