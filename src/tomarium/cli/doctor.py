"""`tomarium doctor`: what works here, and why the rest does not."""

from __future__ import annotations

import click

from tomarium.cli import show


@click.command("doctor")
@click.option("--self", "of_self", is_flag=True, required=True, help="Look at this installation.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.pass_context
def command(context: click.Context, of_self: bool, as_json: bool) -> None:
    """Say which engines, devices and optional parts are there, and why others are not.

    Leaves with exit code 1 where something is missing that makes the work slower.
    """
    del of_self
    from tomarium.pipeline.self_check import self_check

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
    context.exit(1 if any(finding.state == "missing" for finding in findings) else 0)
