"""`tomarium axis`: where the rotation axis is."""

from __future__ import annotations

from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium.cli import scan_options, show
from tomarium.errors import MissingData

if TYPE_CHECKING:
    from tomarium.kernels.axis import AxisEstimate
    from tomarium.model import Scan


@click.command("axis")
@scan_options.SCAN
@scan_options.opening
@click.option(
    "--roll", is_flag=True, help="Find how far it leans to the side, from its column at several heights."
)
@click.option(
    "--motor",
    metavar="NAME",
    help="Motor of the file that moves the axis: compare with what its position tells; that of the profile by default.",
)
@click.option(
    "--accept",
    is_flag=True,
    help="With --motor: keep the axis, that of --axis or the one found, to calibrate it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    path: Path, opening: scan_options.Opening, roll: bool, motor: str | None, accept: bool, as_json: bool
) -> int:
    """Find the rotation axis of SCAN.

    Several methods of different families vote; the confidence says how well they agree. Columns are 0-based with
    pixel centres at integers. Any confidence but high is a warning, told first, and leaves with exit code 1, as
    warnings of the scan do: then look at slices, tomarium slice SCAN --axis-sweep A:B:STEP -o sweep.png.

    \b
    tomarium axis scan.h5
    tomarium axis scan.h5 --json
    tomarium axis scan.h5 --roll
    tomarium axis scan.h5 --motor tx --accept
    tomarium axis other.h5 --motor tx

    The profile of the beamline names the motor, as [motors] axis = "tx", and may tell its direction, [signs] axis = 1.
    """
    from tomarium.pipeline.run.provenance import plain
    from tomarium.steps.probes.find_axis import find_axis

    use = opening.in_use
    motor_name = motor or use.axis_motor
    if (accept and motor_name is None) or (roll and motor is not None):
        raise click.UsageError("--accept goes with --motor, and --motor not with --roll")
    scan = opening.open_scan(path)
    if roll:
        return _roll(scan, as_json)
    estimate = find_axis(scan)
    warnings = [*find_axis.warnings({"answer": estimate.column, **asdict(estimate)}), *scan.warnings]
    motor_content: dict[str, Any] = {}
    warning = None
    if motor_name is not None:
        try:
            motor_content, warning = _compare_with_motor(
                scan, motor_name, use.axis_sign if motor_name == use.axis_motor else None, estimate, accept
            )
        except MissingData as problem:
            if motor is not None or accept:
                raise
            motor_content = {
                "name": motor_name,
                "said": f"motor {motor_name} of the profile tells nothing: {problem}",
            }
    if warning is not None:
        warnings.append(warning)
    if as_json:
        show.as_json(
            plain(
                {
                    **asdict(estimate),
                    **({"motor": motor_content} if motor_content else {}),
                    "warnings": warnings,
                }
            )
        )
        return 1 if warnings else 0
    show.warnings(warnings)
    click.secho(f"column {estimate.column:.2f}", bold=True, nl=False)
    click.echo(f"  confidence {estimate.confidence}, scan over {estimate.scan_type}")
    show.table((c.method, f"{c.column:.2f}", f"score {c.score:.3g}") for c in estimate.candidates)
    for note in estimate.notes:
        click.echo(f"  {note}")
    if motor_content:
        click.echo(f"  {motor_content['said']}")
    return 1 if warnings else 0


def _compare_with_motor(
    scan: Scan, motor: str, sign: int | None, estimate: AxisEstimate, accept: bool
) -> tuple[dict[str, Any], str | None]:
    """Tell what the motor says of the axis, before this one is accepted; and a warning where they lie far apart."""
    from tomarium.catalogue import axis_motors
    from tomarium.errors import InputError
    from tomarium.kernels.axis.motor_guess import FAR_PX

    value = scan.axis_column if scan.axis_column is not None and scan.axis_column.origin == "user" else None
    column = estimate.column if value is None else value.value
    accepted = axis_motors.as_accepted(scan, motor, column)
    content: dict[str, Any] = {"name": motor, "position": accepted.position}
    warning = None
    try:
        motor_calibration = axis_motors.calibration_of(motor, sign=sign)
        guess = (scan.shape[2] - 1) / 2 + motor_calibration.offset_px(accepted.position, accepted.pixel_m)
        content |= {"column": guess, "error_px": motor_calibration.error_px, "scans": motor_calibration.scans}
        content["said"] = (
            f"motor {motor} tells column {guess:.1f}, by {motor_calibration.scans} accepted scans"
        )
        if abs(guess - column) > FAR_PX:
            warning = (
                f"the axis at column {column:.1f} lies {abs(guess - column):.0f} columns from {guess:.1f}, where motor "
                f"{motor} tells it: look at slices, tomarium slice SCAN --axis-sweep"
            )
    except InputError as problem:
        content["said"] = f"motor {motor} tells nothing yet: {problem}"
    if accept:
        if value is None and estimate.confidence != "high":
            raise InputError(
                f"the axis was found with {estimate.confidence} confidence, which calibrates no motor; look at slices, "
                f"and give the right column: --axis {column:.1f} --accept"
            )
        count = axis_motors.accept(scan, motor, column)
        content["said"] += f"; column {column:.2f} is accepted as its scan {count}"
    return content, warning


def _roll(scan: Scan, as_json: bool) -> int:
    from tomarium.pipeline.run.provenance import plain
    from tomarium.steps.probes.find_roll import find_roll

    estimate = find_roll(scan)
    warnings = [*find_roll.warnings({"answer": estimate.roll_deg, **asdict(estimate)}), *scan.warnings]
    if as_json:
        show.as_json(plain({**asdict(estimate), "warnings": warnings}))
        return 1 if warnings else 0
    show.warnings(warnings)
    error = "" if isnan(estimate.error_deg) else f" ± {estimate.error_deg:.3f}°"
    click.secho(f"roll {estimate.roll_deg:.3f}°{error}", bold=True, nl=False)
    click.echo(f"  confidence {estimate.confidence}, column {estimate.column:.2f} at the middle row")
    show.table((f"row {row:g}", f"{column:.2f}", confidence) for row, column, confidence in estimate.heights)
    if estimate.confidence != "low" and estimate.roll_deg:
        click.echo(f"  to turn the frames upright: --axis-roll {estimate.roll_deg:.3f} --step correct_roll")
    return 1 if warnings else 0
