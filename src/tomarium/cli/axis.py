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
    pixel centres at integers. With low confidence, look at slices: tomarium slice SCAN --axis COLUMN -o a.png.

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
    named = motor or use.axis_motor
    if (accept and named is None) or (roll and motor is not None):
        raise click.UsageError("--accept goes with --motor, and --motor not with --roll")
    scan = opening.open_scan(path)
    if roll:
        _roll(scan, as_json)
        return 0
    found = find_axis(scan)
    told: dict[str, Any] = {}
    warning = None
    if named is not None:
        try:
            told, warning = _by_motor(
                scan, named, use.axis_sign if named == use.axis_motor else None, found, accept
            )
        except MissingData as problem:
            if motor is not None or accept:
                raise
            told = {"name": named, "said": f"motor {named} of the profile tells nothing: {problem}"}
    if as_json:
        said = [*scan.warnings, *([warning] if warning else [])]
        show.as_json(plain({**asdict(found), **({"motor": told} if told else {}), "warnings": said}))
        return 1 if warning else 0
    click.secho(f"column {found.column:.2f}", bold=True, nl=False)
    click.echo(f"  confidence {found.confidence}, scan over {found.scan_type}")
    show.table((c.method, f"{c.column:.2f}", f"score {c.score:.3g}") for c in found.candidates)
    for note in found.notes:
        click.echo(f"  {note}")
    if told:
        click.echo(f"  {told['said']}")
    show.warnings([*scan.warnings, *([warning] if warning else [])])
    return 1 if warning else 0


def _by_motor(
    scan: Scan, motor: str, sign: int | None, found: AxisEstimate, accept: bool
) -> tuple[dict[str, Any], str | None]:
    """Tell what the motor says of the axis, before this one is accepted; and a warning where they lie far apart."""
    from tomarium.catalogue import axis_motors
    from tomarium.errors import InputError
    from tomarium.kernels.axis.motor_guess import FAR_PX

    value = scan.axis_column if scan.axis_column is not None and scan.axis_column.origin == "user" else None
    column = found.column if value is None else value.value
    accepted = axis_motors.as_accepted(scan, motor, column)
    told: dict[str, Any] = {"name": motor, "position": accepted.position}
    warning = None
    try:
        motor_calibration = axis_motors.calibration_of(motor, sign=sign)
        guess = (scan.shape[2] - 1) / 2 + motor_calibration.offset_px(accepted.position, accepted.pixel_m)
        told |= {"column": guess, "error_px": motor_calibration.error_px, "scans": motor_calibration.scans}
        told["said"] = f"motor {motor} tells column {guess:.1f}, by {motor_calibration.scans} accepted scans"
        if abs(guess - column) > FAR_PX:
            warning = (
                f"the axis at column {column:.1f} lies {abs(guess - column):.0f} columns from {guess:.1f}, where motor "
                f"{motor} tells it: look at slices, tomarium slice SCAN --axis-sweep"
            )
    except InputError as problem:
        told["said"] = f"motor {motor} tells nothing yet: {problem}"
    if accept:
        if value is None and found.confidence != "high":
            raise InputError(
                f"the axis was found with {found.confidence} confidence, which calibrates no motor; look at slices, "
                f"and give the right column: --axis {column:.1f} --accept"
            )
        count = axis_motors.accept(scan, motor, column)
        told["said"] += f"; column {column:.2f} is accepted as its scan {count}"
    return told, warning


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
