"""`tomarium doctor`: whether what a scan, a volume, a record or a table says of itself fits together."""

from __future__ import annotations

import time
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tomarium.cli import scan_options, show

if TYPE_CHECKING:
    from tomarium.doctor import Report

MARKS: Final = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "green")}


@click.command("doctor")
@click.argument("path", metavar="[PATH]", type=click.Path(path_type=Path), required=False)
@scan_options.opening
@click.option("--self", "of_self", is_flag=True, help="Look at this installation instead.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.pass_context
def command(
    context: click.Context, path: Path | None, opening: scan_options.Opening, of_self: bool, as_json: bool
) -> None:
    """Examine PATH: a scan, a volume, the folder of a record, or a table of metadata (CSV, JSON).

    Structure, counts, flats, sampling, geometry, exposure, energy, sizes and units are looked at, on a few
    frames and slices; each finding has the numbers that were compared, and what to do.

    With an option that tells something of a scan, PATH is opened as a scan with it.

    Leaves with exit code 0 where all is well, 1 with warnings, 2 with errors. With --self it says which
    engines, devices and optional parts of this installation are there, and leaves with 1 where something is
    missing that makes the work slower.

    \b
    tomarium doctor scan.h5
    tomarium doctor record/ --json
    tomarium doctor metadata.csv
    """
    if of_self == (path is not None):
        raise click.UsageError("give either a PATH or --self, such as `tomarium doctor scan.h5`")
    if path is None:
        context.exit(_installation(as_json))
    from tomarium.catalogue.checkup import subject_of_path
    from tomarium.doctor import examine

    subject = subject_of_path(path, opening.open if opening.given or opening.profile else None)
    tell, start = show.progress(), time.monotonic()

    def on_progress(done: int, total: int) -> None:
        if time.monotonic() - start > 2 and not as_json:
            tell("examine", done, total)

    report = examine(subject, on_progress=on_progress)
    if as_json:
        show.as_json(report.as_data())
    else:
        tell_report(report)
    context.exit(report.exit_code)


def tell_report(report: Report) -> None:
    """Print a report for people: by theme, the worst first."""
    verdict = {"clean": "green", "warnings": "yellow", "errors": "red"}[report.verdict]
    click.secho(f"{report.name}: {report.verdict}", bold=True, fg=verdict, nl=False)
    count = len(report.checked)
    click.echo(f" ({count} {'check' if count == 1 else 'checks'})")
    if not count:
        click.echo("  no check applies: it opens, and is neither scan, volume, record nor table of metadata")
    ordered = sorted(report.findings, key=lambda finding: finding.theme)
    for theme, findings in groupby(ordered, key=lambda finding: finding.theme):
        click.secho(theme, bold=True)
        for finding in findings:
            mark, colour = MARKS[finding.severity]
            click.secho(f"  {mark} {finding.code}", fg=colour, nl=False)
            click.echo(f"  {finding.where}")
            click.echo(f"      found     {finding.found}")
            click.echo(f"      expected  {finding.expected}")
            if finding.mend:
                click.echo(f"      mend      {finding.mend}")


def _installation(as_json: bool) -> int:
    """Say which engines, devices and optional parts are there, and why others are not."""
    from tomarium.pipeline.protocol.self_check import self_check

    _load_every_family()
    findings = self_check()
    if as_json:
        show.as_json([vars(finding) for finding in findings])
    else:
        marks = {"there": ("✓", "green"), "missing": ("!", "yellow"), "optional": ("·", "bright_black")}
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            mark, colour = marks[finding.state]
            click.secho(f"{mark} ", fg=colour, nl=False)
            click.echo(f"{finding.name.ljust(width)}  {finding.why}")
    return 1 if any(finding.state == "missing" for finding in findings) else 0


def _load_every_family() -> None:
    """Load what other packages bring to any family, so that what cannot be used is noted in the registry."""
    from tomarium.doctor import all_checks
    from tomarium.executors.executor import Executor
    from tomarium.formats import formats
    from tomarium.portal.page import Page
    from tomarium.registry import collect
    from tomarium.standards.standard import Standard
    from tomarium.viewers.viewer import Viewer

    formats()
    all_checks()
    collect("executors", Executor)
    collect("standards", Standard)
    collect("viewers", Viewer)
    collect("portal.pages", Page)
